import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.freqtrade import Workspace, download, workspace


@contextmanager
def _with_data(
    mode: str, factory: pytest.TempPathFactory
) -> Iterator[tuple[Workspace, subprocess.CompletedProcess[str]]]:
    with workspace(mode, factory.mktemp(mode)) as space:
        yield space, download(space)


@pytest.fixture(scope="session")
def futures_download(tmp_path_factory):
    with _with_data("futures", tmp_path_factory) as downloaded:
        yield downloaded


@pytest.fixture(scope="session")
def spot_download(tmp_path_factory):
    with _with_data("spot", tmp_path_factory) as downloaded:
        yield downloaded


@pytest.fixture(scope="session")
def futures(futures_download) -> Workspace:
    return futures_download[0]


@pytest.fixture(scope="session")
def spot(spot_download) -> Workspace:
    return spot_download[0]
