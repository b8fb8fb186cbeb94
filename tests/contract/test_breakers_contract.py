"""What every circuit breaker must keep to, and that every file of the folder is listed."""

import importlib
import inspect
import pickle
from dataclasses import replace
from datetime import timedelta
from math import nan
from pathlib import Path

import pytest

from scalp_strategy import breakers
from scalp_strategy.breakers import BREAKERS, Volatility, verdicts
from scalp_strategy.signals import Verdict
from tests.support.breaker_stubs import (
    CANDIDATE,
    NOW,
    UNKNOWN,
    Broken,
    ToldChart,
    ToldTrades,
    state,
)

# In the specification's order, which is that of the journal and of messages.
NAMES = [
    "revenge_trade",
    "overtrading",
    "daily_drawdown",
    "win_streak",
    "correlation",
    "time_of_day",
    "max_positions",
    "volatility",
    "macro_danger",
]
NOT_BREAKERS = {"__init__", "base"}
STOPPED = ToldTrades({CANDIDATE.pair: NOW - timedelta(minutes=5)}, streak=7)
WILD = ToldChart(Volatility(4.0, 1.0, 13.0), others=0.95)

STATES = {
    "calm": state(),
    "full": state(positions=5),
    "paused": state((10_000.0, 9_000.0)),
    "unmarked": state(()),
    "panic": state(btc_move_pct=-9.0),
    "unknown": state(btc_move_pct=nan, positions=1, chart=UNKNOWN),
    "busy": state(sent=(NOW,) * 10),
    "everything": state(
        (10_000.0, 9_000.0),
        positions=5,
        btc_move_pct=9.0,
        sent=(NOW,) * 11,
        history=STOPPED,
        chart=WILD,
    ),
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


def test_all_nine_are_there_in_their_order_named_after_their_files():
    assert [breaker.name for breaker in BREAKERS] == NAMES
    for breaker in BREAKERS:
        assert type(breaker).__module__.rsplit(".", 1)[-1] == breaker.name


@pytest.mark.parametrize("where", STATES)
@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize("breaker", BREAKERS, ids=lambda one: one.name)
def test_a_verdict_is_whole(breaker, side, where):
    candidate = replace(CANDIDATE, side=side, threshold_shift=5.0, macro="DANGER")
    at = STATES[where]
    before = at.account.state, at.account.view()
    verdict = breaker.check(candidate, at)
    assert verdict.breaker == breaker.name
    assert 0 < verdict.size_factor <= 1
    assert verdict.threshold_shift >= 0
    assert verdict.blocks or not verdict.is_pause
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
        (state(btc_move_pct=nan, chart=UNKNOWN), set()),
        (state(sent=(NOW,) * 9), set()),
        (state(sent=(NOW,) * 10), {"overtrading"}),
        (state(history=STOPPED), {"revenge_trade"}),
        (state(history=STOPPED, revenge_cooldown_s=0), set()),
        (state(chart=WILD), {"volatility"}),
        (state(chart=WILD, positions=1), {"volatility", "correlation"}),
        (STATES["everything"], {*NAMES} - {"win_streak", "time_of_day"}),
    ],
)
def test_who_blocks_when(at, blocking):
    spoken = verdicts(CANDIDATE, at)
    assert {verdict.breaker for verdict in spoken if verdict.blocks} == blocking
    assert [verdict.breaker for verdict in spoken] == [breaker.name for breaker in BREAKERS]


def test_only_what_stops_everything_is_a_pause():
    spoken = verdicts(replace(CANDIDATE, macro="EXTREME"), STATES["everything"])
    assert {one.breaker for one in spoken if one.is_pause} == {"daily_drawdown", "macro_danger"}


def test_trades_and_candles_that_cannot_be_read_veto():
    at = state(positions=1, history=Broken(), chart=Broken())
    blocking = {one.breaker for one in verdicts(CANDIDATE, at) if one.blocks}
    assert blocking == {"revenge_trade", "win_streak", "correlation", "volatility"}


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
