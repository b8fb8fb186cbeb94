import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from scalp_strategy.settings import PLAIN_VARIABLES
from tests.support.freqtrade import Backtest, Workspace, downloaded_workspace

MODES = ("futures", "spot")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a trading mode on one worker: they share its data."""
    for item in items:
        mode = getattr(item, "callspec", None) and item.callspec.params.get("space")
        if mode in MODES:
            item.add_marker(pytest.mark.xdist_group(f"freqtrade-{mode}"))


@pytest.fixture(scope="session")
def workspaces(tmp_path_factory) -> Iterator[Callable[[str], Workspace]]:
    """Return what gives a trading mode's workspace: one market and one download for each."""
    with ExitStack() as stack:

        @cache
        def workspace(mode: str) -> Workspace:
            return stack.enter_context(downloaded_workspace(mode, tmp_path_factory.mktemp(mode)))

        yield workspace


@pytest.fixture(scope="session")
def backtests(workspaces) -> Callable[[str], Backtest]:
    """Return what gives a trading mode's backtest of the generated market, run once."""
    return cache(lambda mode: workspaces(mode).backtest())


@pytest.fixture(params=MODES)
def space(request, workspaces) -> Workspace:
    return workspaces(request.param)


@pytest.fixture
def generated(space, backtests) -> Backtest:
    return backtests(space.mode)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    for name in list(os.environ):
        if name.startswith("FREQTRADE") or name in PLAIN_VARIABLES:
            monkeypatch.delenv(name)
