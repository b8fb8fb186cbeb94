"""What every circuit breaker must keep to, and that every file of the folder is listed."""

import importlib
import inspect
import pickle
from dataclasses import replace
from datetime import UTC, datetime
from math import nan
from pathlib import Path

import pytest

from scalp_strategy import breakers
from scalp_strategy.account import Account, MemoryStore, Position
from scalp_strategy.breakers import BREAKERS, BreakerState, verdicts
from scalp_strategy.contract import TIER_MEDIUM
from scalp_strategy.setting_groups.breakers import BreakerSettings
from scalp_strategy.signals import Candidate, Verdict

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
CANDIDATE = Candidate(
    "SOL/USDT:USDT", "long", NOW, 100.0, 1.0, 84, TIER_MEDIUM, 0.8, "breakout", macro="CALM"
)
NOT_BREAKERS = {"__init__", "base"}


def state(
    equities=(10_000.0,), positions: int = 0, btc_move_pct: float = 0.0, **settings
) -> BreakerState:
    rules = BreakerSettings(**settings)
    account = Account(rules, MemoryStore(), resumes_next_day=True)
    opened = [
        Position(f"P{number}/USDT:USDT", "long", 1.0, 100.0, 99.0, 100.0)
        for number in range(positions)
    ]
    for equity in equities:
        account.mark(NOW, equity, equity, opened)
    return BreakerState(rules, account, btc_move_pct)


STATES = {
    "calm": state(),
    "full": state(positions=5),
    "paused": state((10_000.0, 9_000.0)),
    "unmarked": state(()),
    "panic": state(btc_move_pct=-9.0),
    "unknown": state(btc_move_pct=nan),
}


def classes_of(module: str) -> set[type]:
    found = importlib.import_module(f"{breakers.__name__}.{module}")
    members = inspect.getmembers(found, inspect.isclass)
    own = {one for _, one in members if one.__module__ == found.__name__}
    return {one for one in own if hasattr(one, "check")}


def test_every_file_of_the_folder_is_listed():
    files = {path.stem for path in Path(breakers.__file__).parent.glob("*.py")} - NOT_BREAKERS
    written = {one for file in files for one in classes_of(file)}
    assert written == {type(breaker) for breaker in BREAKERS}
    assert len(BREAKERS) == len(files)


def test_names_are_unique_and_those_of_the_files():
    names = [breaker.name for breaker in BREAKERS]
    assert len(set(names)) == len(names)
    for breaker in BREAKERS:
        assert type(breaker).__module__.rsplit(".", 1)[-1] == breaker.name


@pytest.mark.parametrize("where", STATES)
@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize("breaker", BREAKERS, ids=lambda one: one.name)
def test_a_verdict_is_whole(breaker, side, where):
    candidate, at = replace(CANDIDATE, side=side), STATES[where]
    before = at.account.state, at.account.view()
    verdict = breaker.check(candidate, at)
    assert verdict.breaker == breaker.name
    assert 0 < verdict.size_factor <= 1
    assert bool(verdict.reason) or not (verdict.blocks or verdict.size_factor < 1)
    assert breaker.check(candidate, at) == verdict
    assert (at.account.state, at.account.view()) == before


@pytest.mark.parametrize("breaker", BREAKERS, ids=lambda one: one.name)
def test_a_calm_market_blocks_nothing(breaker):
    assert breaker.check(CANDIDATE, STATES["calm"]) == Verdict(breaker.name)


@pytest.mark.parametrize("breaker", BREAKERS, ids=lambda one: one.name)
def test_a_breaker_survives_hyperopt_s_pickling(breaker):
    assert pickle.loads(pickle.dumps(breaker)) == breaker  # noqa: S301 - its own bytes


@pytest.mark.parametrize(
    ("at", "blocking"),
    [
        (state(positions=4), set()),
        (state(positions=5), {"max_positions"}),
        (state(positions=2, max_concurrent_positions=2), {"max_positions"}),
        (state((10_000.0, 9_500.01)), set()),
        (state((10_000.0, 9_500.0)), {"daily_drawdown"}),
        (state((10_000.0, 9_500.0), positions=6), {"daily_drawdown", "max_positions"}),
        (state(btc_move_pct=-5.1), {"macro_danger"}),
        (state(btc_move_pct=nan), set()),
    ],
)
def test_who_blocks_when(at, blocking):
    spoken = verdicts(CANDIDATE, at)
    assert {verdict.breaker for verdict in spoken if verdict.blocks} == blocking
    assert [verdict.breaker for verdict in spoken] == [breaker.name for breaker in BREAKERS]


def test_a_reason_gives_the_numbers():
    full, paused = verdicts(CANDIDATE, STATES["full"]), verdicts(CANDIDATE, STATES["paused"])
    assert any("5/5" in verdict.reason for verdict in full)
    assert any("10.00 %" in verdict.reason for verdict in paused)


def test_one_that_fails_vetoes_and_the_others_still_speak():
    class Broken:
        name = "broken"

        def check(self, candidate, at):
            raise ZeroDivisionError("no mean")

    first, *others = verdicts(CANDIDATE, STATES["calm"], (Broken(), *BREAKERS))
    assert (first.breaker, first.blocks) == ("broken", True)
    assert "no mean" in first.reason
    assert len(others) == len(BREAKERS)
    assert not any(verdict.blocks for verdict in others)
