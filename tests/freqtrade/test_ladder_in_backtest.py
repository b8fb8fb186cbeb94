"""The ladder as the host executes it, against the plain reference `scalp_strategy.risk.replay`.

Both see the same 1-minute candles. The reference gets the plan with stop and targets rounded to
the tick, as they are ordered; then both agree to the digit, except for a trailing stop, which only
the host rounds: it may be a tick off. They would also part where a candle touches two targets, or
a target and the stop that it moves, or opens beyond a resting target. That does not happen here,
and the market of these tests is always the same: a trade that differs is a change.
"""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest

from scalp_strategy.analysed import instant_ns
from scalp_strategy.contract import Side, sign_of
from scalp_strategy.exits import candle_open
from scalp_strategy.risk import (
    Candles,
    LadderOutcome,
    TradePlan,
    merged_legs,
    price_to_tick,
    replay,
    trade_plan,
)
from scalp_strategy.signals import Decision, Status
from tests.support.freqtrade import Backtest, Workspace, read_candles
from tests.support.scripted import SCRIPT_MINUTES, Script, ScriptedMarket

MINUTE: Final = timedelta(minutes=1)
CANDLE_MINUTES: Final = 15
HELD: Final = 9 * CANDLE_MINUTES * MINUTE
STOP_TAGS: Final = ("stop_loss", "trailing_stop_loss", "break_even", "trailing_stop")
EXACT_R: Final = 1e-6
SIDES: Final = ("long", "short")


@dataclass(frozen=True)
class Fill:
    """One exit: what made it, when, at which price and how much."""

    kind: str
    at: pd.Timestamp
    price: float
    amount: float


@dataclass(frozen=True)
class Executed:
    """One trade as the host made it, with its plan."""

    trade: dict[str, Any]
    plan: TradePlan
    tick: float
    fills: tuple[Fill, ...]

    @property
    def opened(self) -> pd.Timestamp:
        return self.trade["open_date"]

    @property
    def kinds(self) -> list[str]:
        return [fill.kind for fill in self.fills]

    @property
    def amount(self) -> float:
        return sum(fill.amount for fill in self.fills)

    @property
    def gross_r(self) -> float:
        gain = sum((fill.price - self.plan.price) * fill.amount for fill in self.fills)
        return sign_of(self.plan.side) * gain / (self.plan.distance * self.amount)

    def price(self, target: int) -> float:
        """Return a target's price on the tick."""
        return price_to_tick(self.plan.targets[target], self.tick, self.plan.side, "target")

    def ordered_plan(self) -> TradePlan:
        """Return the plan with stop and targets on the tick, as the exchange gets them."""
        plan = self.plan
        distance = abs(plan.price - price_to_tick(plan.stop, self.tick, plan.side, "stop"))
        first, second, third = (abs(self.price(i) - plan.price) / distance for i in range(3))
        return replace(plan, distance=distance, target_r=(first, second, third))


def kind_of(tag: str) -> str:
    """Return a tag; the stops' names made one, since the host tells fewer of them apart."""
    return "stop" if tag in STOP_TAGS else tag


def executed(backtest: Backtest, tick: float | None = None) -> list[Executed]:
    """Return the trades of a backtest; `tick` where the candles are another pair's."""
    return [_executed(backtest, trade, tick) for trade in backtest.trades.to_dict("records")]


def _executed(backtest: Backtest, trade: dict[str, Any], tick: float | None) -> Executed:
    engine = backtest.strategy.engine
    row = engine.desk.analysed(trade["pair"]).row(instant_ns(candle_open(trade["open_date"])))
    side: Side = "short" if trade["is_short"] else "long"
    risk = backtest.strategy.settings.risk
    plan = trade_plan(side, row["close"], row["atr_14"], risk, row["stop_factor"])
    assert isinstance(plan, TradePlan)
    fills = tuple(
        Fill(
            kind_of(order["ft_order_tag"]),
            pd.Timestamp(order["order_filled_timestamp"], unit="ms", tz="UTC"),
            order["safe_price"],
            order["amount"],
        )
        for order in trade["orders"]
        if not order["ft_is_entry"] and order["order_filled_timestamp"]
    )
    tick = tick or engine.host.market(trade["pair"], plan.price).price_tick
    return Executed(trade, plan.anchored(trade["open_rate"]), tick, fills)


def reference(backtest: Backtest, one: Executed, minutes: pd.DataFrame) -> LadderOutcome:
    """Play a trade through the candles from its signal's close on; blank before the entry."""
    risk = backtest.strategy.settings.risk
    plan = one.ordered_plan()
    market = backtest.strategy.engine.host.market(one.trade["pair"], plan.price)
    first = candle_open(one.opened)
    rows = minutes.set_index("date").loc[first : first + HELD].astype(np.float64)
    rows.loc[rows.index < one.opened] = np.nan
    columns = (rows[name].to_numpy() for name in ("open", "high", "low", "close"))
    legs = merged_legs(plan, one.amount, market, risk)
    return replay(plan, legs, Candles(*columns, 1, CANDLE_MINUTES), 0.0, risk)


def assert_executed_as_reference(one: Executed, outcome: LadderOutcome) -> None:
    name = f"{one.trade['pair']} {one.opened}"
    assert one.kinds == [kind_of(done.tag) for done in outcome.exits], name
    for fill, done in zip(one.fills, outcome.exits, strict=True):
        is_trailing = done.tag == "trailing_stop"
        assert fill.at == candle_open(one.opened) + done.index * MINUTE, (name, fill, done)
        assert fill.amount == pytest.approx(done.amount, rel=1e-9), (name, fill, done)
        allowed = one.tick * 1.000001 if is_trailing else one.tick * 1e-6
        assert abs(fill.price - done.price) <= allowed, (name, fill, done)
    ordered = one.ordered_plan()
    expected_r = outcome.gross_r * ordered.distance / one.plan.distance
    rounding_r = one.tick / one.plan.distance if outcome.exit_reason == "trailing_stop" else 0
    assert one.gross_r == pytest.approx(expected_r, abs=EXACT_R + rounding_r), name


# ------------------------------------------------------------------------- the generated market


def test_every_trade_of_the_generated_market_ends_as_in_the_reference(space, generated):
    trades = executed(generated)
    for one in trades:
        minutes = space.candles(one.trade["pair"], "1m")
        assert_executed_as_reference(one, reference(generated, one, minutes))
    seen = Counter(kind for one in trades for kind in one.kinds)
    assert seen.keys() >= {"tp1", "tp2", "stop", "time_stop"}
    assert {one.plan.side for one in trades} == (
        {"long", "short"} if space.mode == "futures" else {"long"}
    )


# --------------------------------------------------------------------------- scripted candles

# Closes in R of the planned trade, minute by minute; a pair is (open, close): a gap. The last one
# stays. Every path begins at the signal's close.
PATHS: Final = {
    "targets": Script(1.0, 1.6, 2.0, 2.6, 3.2, 4.1),
    "break_even": Script(1.0, 1.6, 0.8, -0.3),
    "gap": Script(-0.5, (-1.6, -1.8)),
    "time": Script(0.3),
    "trail": Script(1.0, 1.6, 2.0, 2.6, *[3.2] * 9, 3.4, 3.4, 3.0, 2.0),
}
KINDS: Final = {
    "targets": ["tp1", "tp2", "tp3"],
    "break_even": ["tp1", "stop"],
    "gap": ["stop"],
    "time": ["time_stop"],
    "trail": ["tp1", "tp2", "stop"],
}
MINUTES: Final = {
    "targets": [1, 3, 5],
    "break_even": [1, 3],
    "gap": [1],
    "time": [8 * CANDLE_MINUTES],
    "trail": [1, 3, 16],
}


def first_signal(backtest: Backtest, side: str, end: datetime) -> Decision:
    """Return the first approved decision of a side whose script still fits into the data."""
    return next(
        decision
        for decision in backtest.strategy.engine.log
        if decision.status is Status.TAKEN
        and decision.candidate.side == side
        and decision.candidate.close_time <= end - SCRIPT_MINUTES * MINUTE
    )


def scripted_market(
    space: Workspace, generated: Backtest, side: str, folder: Path
) -> ScriptedMarket:
    signal = first_signal(generated, side, space.end)
    assert signal.plan is not None
    pair = signal.candidate.pair
    tick = generated.strategy.engine.host.market(pair, signal.plan.price).price_tick
    return ScriptedMarket(space, folder, pair, signal.plan, signal.candidate.close_time, tick)


def at_signal(market: ScriptedMarket, backtest: Backtest) -> dict[str, Executed]:
    """Return the trades opened at the signal, by pair."""
    return {
        one.trade["pair"]: one
        for one in executed(backtest, market.tick)
        if one.opened == market.close
    }


@pytest.fixture(scope="module")
def scripts_of(workspaces, backtests, tmp_path_factory):
    """Return what plays the five scripts of a mode and side, each on a pair of its own, once."""

    @cache
    def play(mode: str, side: str) -> tuple[ScriptedMarket, Backtest, dict[str, Executed]]:
        folder = tmp_path_factory.mktemp(f"{mode}-{side}")
        market = scripted_market(workspaces(mode), backtests(mode), side, folder)
        pairs = {name: market.write(path) for name, path in PATHS.items()}
        backtest = market.backtest()
        trades = at_signal(market, backtest)
        return market, backtest, {name: trades[pair] for name, pair in pairs.items()}

    return play


@pytest.fixture(params=SIDES)
def scripted(request, space, scripts_of):
    if request.param == "short" and space.mode == "spot":
        pytest.skip("spot has no shorts")
    return scripts_of(space.mode, request.param)


@pytest.mark.parametrize("name", PATHS)
def test_a_scripted_trade_ends_as_in_the_reference(scripted, name):
    market, backtest, trades = scripted
    one = trades[name]
    minutes = read_candles(market.datadir, one.trade["pair"], "1m", market.space.mode)
    assert_executed_as_reference(one, reference(backtest, one, minutes))


@pytest.mark.parametrize("name", PATHS)
def test_a_script_plays_its_exits_in_its_minutes(scripted, name):
    market, _, trades = scripted
    one = trades[name]
    assert one.plan.price == pytest.approx(market.plan.price)
    assert one.kinds == KINDS[name]
    assert [fill.at for fill in one.fills] == [
        market.close + minute * MINUTE for minute in MINUTES[name]
    ]


def test_targets_fill_at_their_prices_forty_forty_twenty(scripted):
    _, backtest, trades = scripted
    one = trades["targets"]
    step = backtest.strategy.engine.host.market(one.trade["pair"], one.plan.price).step
    for target, (fill, share) in enumerate(zip(one.fills, (0.4, 0.4, 0.2), strict=True)):
        assert fill.price == pytest.approx(one.price(target), rel=1e-12)
        assert fill.amount == pytest.approx(share * one.amount, abs=2 * step)
    assert one.gross_r == pytest.approx(2.4, abs=0.05)


def test_after_the_first_target_the_rest_leaves_at_the_entry(scripted):
    one = scripted[2]["break_even"]
    assert one.fills[1].price == pytest.approx(one.plan.price, rel=1e-12)
    assert one.gross_r == pytest.approx(0.6, abs=0.05)


def test_a_gap_through_the_stop_fills_at_the_open(scripted):
    market, _, trades = scripted
    one = trades["gap"]
    assert one.fills[0].price == pytest.approx(market.price_at(-1.6), rel=1e-12)
    assert one.gross_r == pytest.approx(-1.6, abs=0.02)


def test_the_time_stop_leaves_at_the_open_of_the_ninth_candle(scripted):
    market, _, trades = scripted
    assert trades["time"].fills[0].price == pytest.approx(market.price_at(0.3), rel=1e-12)


def test_after_the_second_target_the_stop_trails_the_best_candle_close(scripted):
    market, _, trades = scripted
    one = trades["trail"]
    expected = market.price_at(3.4) - sign_of(one.plan.side) * one.plan.atr
    assert abs(one.fills[2].price - expected) <= one.tick * 1.000001


@pytest.mark.parametrize(
    ("notional", "tags"), [(26.0, ["tp1", "tp2"]), (11.0, ["tp2"])], ids=["two legs", "one leg"]
)
def test_a_tiny_position_merges_its_legs(space, generated, tmp_path, notional, tags):
    market = scripted_market(space, generated, "long", tmp_path)
    pair = market.write(PATHS["targets"])
    signal = first_signal(generated, "long", space.end)
    assert signal.size is not None
    of_wallet = signal.size.amount * signal.plan.price / space.wallet
    backtest = market.backtest({"dry_run_wallet": notional / of_wallet})
    one = at_signal(market, backtest)[pair]
    minutes = read_candles(market.datadir, pair, "1m", space.mode)
    assert one.kinds == tags
    assert_executed_as_reference(one, reference(backtest, one, minutes))
