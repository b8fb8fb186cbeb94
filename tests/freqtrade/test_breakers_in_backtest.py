"""Each circuit breaker fires in the host's own backtester, where and only where it should.

Thresholds are set so that the generated market reaches them; what must have happened is counted
anew from the host's table of trades and from the candles. Protections of the host are off.
"""

import json
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from freqtrade.enums import CandleType
from pandas import DataFrame, Timestamp

from scalp_strategy.breakers import BREAKERS
from scalp_strategy.signals import Decision, Status, Verdict
from tests.support.freqtrade import Backtest, Workspace, write_candles
from tests.support.scripted import SCRIPT_MINUTES, Script, ScriptedMarket

pytestmark = pytest.mark.parametrize("space", ["futures"], indirect=True)

MINUTE: Final = timedelta(minutes=1)
CANDLE: Final = timedelta(minutes=15)
HOUR: Final = timedelta(hours=1)
BTC: Final = "BTC/USDT:USDT"
SENT: Final = frozenset({Status.TAKEN, Status.NOT_TAKEN, Status.EXPIRED, Status.APPROVED})
STOPS: Final = ("stop_loss", "trailing_stop_loss", "liquidation")
SCENARIOS: Final[dict[str, dict[str, Any]]] = {
    "shipped": {},
    "losses": {"revenge_cooldown_s": 14_400, "win_streak_threshold": 2},
    "wild": {"volatility_range_ratio": 1.5, "volatility_atr_ratio": 1.25},
    "few": {"max_signals_per_hour": 1},
    "one": {"max_concurrent_positions": 1},
    "pause": {"max_daily_drawdown_pct": 0.5},
    "no hours": {"low_quality_hours": []},
    "hours": {"low_quality_hours": list(range(24)), "low_quality_shift": 2.0},
}

Run = Callable[[str], Backtest]


@pytest.fixture(scope="module")
def run(workspaces) -> Run:
    """Return what runs a scenario, once."""
    return cache(
        lambda name: workspaces("futures").backtest({"scalp": {"breakers": SCENARIOS[name]}})
    )


def decisions(backtest: Backtest) -> list[Decision]:
    return list(backtest.strategy.engine.log)


def said(decision: Decision, breaker: str) -> Verdict:
    return next(one for one in decision.verdicts if one.breaker == breaker)


def assert_says(backtest: Backtest, breaker: str, expected: Callable[[Decision], bool]) -> None:
    """Assert that a breaker vetoes exactly what it must, that both occur, and nothing is traded."""
    vetoed = []
    for decision in decisions(backtest):
        verdict = said(decision, breaker)
        assert verdict.blocks is expected(decision), (decision.candidate.key, verdict)
        if verdict.blocks:
            vetoed.append(decision.candidate)
            assert decision.status is Status.VETOED
            assert verdict.reason in decision.reasons
    assert 0 < len(vetoed) < len(decisions(backtest))
    entered = entries(backtest)
    assert not [one for one in vetoed if (one.pair, one.close_time) in entered]


def entries(backtest: Backtest) -> set[tuple[str, Timestamp]]:
    """Pair and candle's close of every trade."""
    trades = backtest.trades
    return set(zip(trades["pair"], trades["open_date"].dt.floor("15min"), strict=True))


def test_all_nine_speak_of_every_candidate(space, run):
    names = [breaker.name for breaker in BREAKERS]
    assert len(names) == 9
    spoken = [[one.breaker for one in decision.verdicts] for decision in decisions(run("shipped"))]
    assert spoken
    assert all(one == names for one in spoken)


def test_what_the_breakers_forbid_is_not_traded(space, run):
    """Beside the breakers' own words: fewer trades than with the shipped thresholds."""
    shipped = len(run("shipped").trades)
    for name in ("wild", "few", "one", "pause"):
        assert len(run(name).trades) < shipped, name


# ---- what trades have told: revenge, streak ----


def is_full_stop(trade: dict[str, Any]) -> bool:
    filled = [order for order in trade["orders"] if order["order_filled_timestamp"]]
    targets = [order for order in filled if (order["ft_order_tag"] or "").startswith("tp")]
    return trade["exit_reason"] in STOPS and not targets


def ended_by(trades: DataFrame, close: datetime) -> DataFrame:
    """Trades that ended in a minute that was over by then, in the order of their ends."""
    return trades[trades["close_date"] + MINUTE <= close].sort_values("close_date", kind="stable")


def test_revenge_a_pair_rests_after_a_full_stop_and_after_no_other_exit(space, run):
    backtest = run("losses")
    cooldown = timedelta(seconds=SCENARIOS["losses"]["revenge_cooldown_s"])

    def rests(decision: Decision) -> bool:
        close = decision.candidate.close_time
        known = ended_by(backtest.trades, close)
        own = known[known["pair"] == decision.candidate.pair].to_dict("records")
        return any(
            is_full_stop(trade) and close - (trade["close_date"] + MINUTE) < cooldown
            for trade in own
        )

    assert_says(backtest, "revenge_trade", rests)


def test_win_streak_two_wins_in_a_row_halve_the_risk(space, run):
    backtest = run("losses")
    factors = set()
    for decision in decisions(backtest):
        known = ended_by(backtest.trades, decision.candidate.close_time)
        won = list((known["profit_abs"] > 0).iloc[::-1])
        streak = won.index(False) if False in won else len(won)
        verdict = said(decision, "win_streak")
        factors.add(verdict.size_factor)
        assert verdict.size_factor == (0.5 if streak >= 2 else 1.0), (streak, decision)
        assert not verdict.blocks
        if decision.size is not None and verdict.size_factor < 1:
            assert decision.size.risk_pct <= 1.5 * verdict.size_factor * 1.01
    assert factors == {0.5, 1.0}


# ---- what candles tell: volatility ----


def test_volatility_a_wide_candle_or_a_leap_of_the_atr_vetoes(space, run):
    backtest = run("wild")
    rules = SCENARIOS["wild"]
    desk = backtest.strategy.engine.desk

    def is_wild(decision: Decision) -> bool:
        pair, close = decision.candidate.pair, decision.candidate.close_time
        candles = space.candles(pair, "15m").set_index("date")
        last, before = candles.loc[close - CANDLE], candles.loc[close - 2 * CANDLE]
        true_range = max(last["high"], before["close"]) - min(last["low"], before["close"])
        closes = [Timestamp(close) - number * CANDLE for number in range(20)]
        atr = [desk.analysed(pair).row(at.value)["atr_14"] for at in closes]
        return bool(
            true_range > rules["volatility_range_ratio"] * atr[0]
            or atr[0] > rules["volatility_atr_ratio"] * np.mean(atr)
        )

    assert_says(backtest, "volatility", is_wild)


# ---- what was decided before: overtrading, positions ----


def test_overtrading_one_signal_an_hour(space, run):
    backtest = run("few")
    sent: list[datetime] = []
    for decision in decisions(backtest):
        close = decision.candidate.close_time
        expected = any(close - HOUR < one <= close for one in sent)
        assert said(decision, "overtrading").blocks is expected
        if decision.status in SENT:
            sent.append(close)
    assert all(later - one >= HOUR for one, later in pairwise(sent))
    assert_says(backtest, "overtrading", lambda one: said(one, "overtrading").blocks)


def test_max_positions_one_at_a_time(space, run):
    backtest = run("one")
    trades = backtest.trades.sort_values("open_date")
    assert (trades["open_date"] >= trades["close_date"].shift()).iloc[1:].all()
    approved: set[datetime] = set()

    def is_full(decision: Decision) -> bool:
        close = decision.candidate.close_time
        is_open = (trades["open_date"] < close) & (trades["close_date"] + MINUTE > close)
        answer = bool(is_open.any()) or close in approved
        if decision.status in SENT:
            approved.add(close)
        return answer

    assert_says(backtest, "max_positions", is_full)


# ---- the drawdown ----


def test_daily_drawdown_pauses_until_midnight_and_no_longer(space, run):
    backtest = run("pause")
    by_day: dict[Any, list[Decision]] = {}
    for decision in decisions(backtest):
        by_day.setdefault(decision.candidate.close_time.date(), []).append(decision)
    paused_days = 0
    for day, of_day in by_day.items():
        blocked = [said(one, "daily_drawdown").blocks for one in of_day]
        if True not in blocked:
            continue
        paused_days += 1
        first = blocked.index(True)
        assert all(blocked[first:]), day
        assert all(said(one, "daily_drawdown").is_pause for one in of_day[first:])
        assert "daily drawdown" in of_day[first].reasons[0]
        paused_from = of_day[first].candidate.close_time
        opened = backtest.trades["open_date"]
        assert not ((opened >= paused_from) & (opened.dt.date == day)).any()
    assert paused_days >= 2  # so the first pause did end
    assert not said(decisions(backtest)[0], "daily_drawdown").blocks


# ---- the hour ----


def test_time_of_day_the_bar_is_higher_and_the_verdict_says_so(space, run):
    flat = {one.candidate.key: one for one in decisions(run("no hours"))}
    raised = {one.candidate.key: one for one in decisions(run("hours"))}
    assert 0 < len(raised) < len(flat)
    assert raised.keys() == {key for key, one in flat.items() if one.candidate.score >= 65 + 2}
    assert not any(said(one, "time_of_day").threshold_shift for one in flat.values())
    for decision in raised.values():
        verdict = said(decision, "time_of_day")
        assert (verdict.blocks, verdict.threshold_shift) == (False, 2.0)
        assert f"hour {decision.candidate.close_time:%H} UTC" in verdict.reason


# ---- the market as a whole: correlation, BTC ----


def twins(space: Workspace, generated: Backtest, folder: Path) -> tuple[ScriptedMarket, list[str]]:
    """Return a market of three pairs with one past, and a signal on all of them."""
    signal = next(
        one
        for one in decisions(generated)
        if one.status is Status.TAKEN
        and one.candidate.close_time <= space.end - SCRIPT_MINUTES * MINUTE
    )
    pair = signal.candidate.pair
    tick = generated.strategy.engine.host.market(pair, signal.plan.price).price_tick
    market = ScriptedMarket(space, folder, pair, signal.plan, signal.candidate.close_time, tick)
    return market, [market.write(Script(0.3)) for _ in range(3)]


def test_correlation_of_pairs_that_move_as_one_only_one_is_entered(space, backtests, tmp_path):
    market, pairs = twins(space, backtests("futures"), tmp_path)
    backtest = market.backtest({"scalp": {}})
    at_once = [one for one in decisions(backtest) if one.candidate.close_time == market.close]
    assert [one.candidate.pair for one in at_once] == sorted(pairs)
    first, *others = at_once
    assert first.status is Status.TAKEN
    for one in others:
        verdict = said(one, "correlation")
        assert verdict.blocks
        assert f"1.00 with open {first.candidate.pair}" in verdict.reason
    entered = backtest.trades[backtest.trades["open_date"] == market.close]
    assert list(entered["pair"]) == [first.candidate.pair]


def test_correlation_two_of_a_cluster_are_entered(space, backtests, tmp_path):
    market, pairs = twins(space, backtests("futures"), tmp_path)
    clusters = {"breakers": {"correlation_block": 1.0, "correlation_cluster": 0.9}}
    backtest = market.backtest({"scalp": clusters})
    at_once = [one for one in decisions(backtest) if one.candidate.close_time == market.close]
    assert [said(one, "correlation").blocks for one in at_once] == [False, False, True]
    entered = backtest.trades[backtest.trades["open_date"] == market.close]
    assert set(entered["pair"]) == set(sorted(pairs)[:2])


def test_macro_danger_a_leap_of_btc_stops_everything_for_its_hour(space, run, tmp_path):
    """BTC is not traded here; its candles lie on disk."""
    leap = decisions(run("shipped"))[10].candidate.close_time
    folder = tmp_path / "data"
    shutil.copytree(space.datadir, folder)
    candles = space.candles(space.pairs[0], "15m")
    price = np.where(candles["date"] + CANDLE < leap, 50_000.0, 46_000.0)
    prices = dict.fromkeys(("open", "high", "low", "close"), price)
    write_candles(folder, BTC, "15m", candles.assign(**prices), CandleType.FUTURES)
    backtest = space.backtest({"scalp": {}}, datadir=folder)

    def is_shaken(decision: Decision) -> bool:
        # The move of the hour up to a close is as large for three closes more, and each of them
        # pauses until the hour after it has passed.
        return leap <= decision.candidate.close_time < leap + 3 * CANDLE + HOUR

    assert_says(backtest, "macro_danger", is_shaken)
    shaken = next(one for one in decisions(backtest) if is_shaken(one))
    assert "BTC moved -8.0 % in 1 hour" in shaken.reasons[0]
    assert said(shaken, "macro_danger").is_pause


# ---- hyperopt ----


def test_the_same_breakers_act_in_hyperopt(space):
    """An epoch trades what a backtest with its parameters trades, and less than without them."""
    space.parameter_file.unlink(missing_ok=True)
    strict = {"scalp": {"breakers": SCENARIOS["few"] | SCENARIOS["one"]}}
    span = (space.end - timedelta(days=2), space.end)
    begin, end = (str(int(moment.timestamp())) for moment in span)
    done = space.run(
        "hyperopt",
        *("--hyperopt-loss", "ScalpHyperOptLoss", "--spaces", "indicators", "--epochs", "2"),
        *("-j", "2", "--random-state", "5", "--min-trades", "1", "--timeframe-detail", "1m"),
        *("--timerange", f"{begin}-{end}"),
        overlay=strict,
    )
    assert done.returncode == 0, done.stderr
    file = max((space.folder / "hyperopt_results").glob("*.fthypt"), key=_age)
    epochs = [json.loads(line) for line in file.read_text().splitlines()]
    try:
        for number, epoch in enumerate(epochs, 1):
            shown = space.run("hyperopt-show", "-n", str(number), "--print-json", "--no-header")
            assert shown.returncode == 0, shown.stderr
            again = space.backtest(strict, span=span)
            assert len(again.trades) == epoch["results_metrics"]["total_trades"] > 0
            assert len(space.backtest({"scalp": {}}, span=span).trades) > len(again.trades)
    finally:
        space.parameter_file.unlink(missing_ok=True)


def _age(file: Path) -> float:
    return file.stat().st_mtime
