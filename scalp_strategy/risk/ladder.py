"""The exit ladder: legs, stop moves, time stop, and a reference replay of one trade (pure)."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import numpy as np

from scalp_strategy.contract import sign_of
from scalp_strategy.errors import ContractViolation
from scalp_strategy.risk.plan import FloatArray, Market, TradePlan, from_steps, step_count
from scalp_strategy.setting_groups.risk import RiskSettings

LEG_TAGS: Final = ("tp1", "tp2", "tp3")
_PRIMARY: Final = 1  # the second target: what a position too small to split is closed at

ExitReason = Literal[
    "stop_loss", "break_even", "trailing_stop", "time_stop", "tp2", "tp3", "unresolved"
]
_STOP_REASONS: Final[tuple[ExitReason, ...]] = ("stop_loss", "break_even", "trailing_stop")


@dataclass(frozen=True, slots=True)
class Leg:
    """One scale-out: `amount` (base currency) is closed at `target_r` times the stop distance."""

    tag: str
    target_r: float
    amount: float
    is_last: bool = False


def merged_legs(
    plan: TradePlan, amount: float, market: Market, settings: RiskSettings
) -> tuple[Leg, ...]:
    """Split an amount into the plan's legs, fewer where a leg would be too small to trade.

    Each leg is its share floored to the amount step; the last takes what remains. A leg counts as
    too small below `min_stake_factor` times the exchange's minimum, valued at the lowest of the
    plan's prices. Then three legs become two (the first share at the first target, the rest at
    the second), and two become one at the second, primary target.

    Parameters
    ----------
    plan : TradePlan
        Gives shares, targets and the price at which a leg is valued.
    amount : float
        The position as filled, base currency, above 0.
    market : Market
        Amount step and minimum notional.
    settings : RiskSettings
        `sizing.min_stake_factor`.

    Returns
    -------
    tuple of Leg
        One to three legs in order; the amounts sum to `amount`. A single leg is returned even when
        it is below the minimum: a partial fill must be closable.
    """
    if not (math.isfinite(amount) and amount > 0):
        raise ContractViolation(f"an amount to split must be above 0, not {amount}")
    least = settings.sizing.min_stake_factor * market.min_notional / plan.lowest_price
    for legs in (_split(plan, amount, market.step, plan.legs), _two_legs(plan, amount, market)):
        if all(leg.amount > 0 and leg.amount >= least for leg in legs):
            return legs
    return (Leg(LEG_TAGS[_PRIMARY], plan.target_r[_PRIMARY], amount, is_last=True),)


def _two_legs(plan: TradePlan, amount: float, market: Market) -> tuple[Leg, ...]:
    first = plan.legs[0]
    return _split(plan, amount, market.step, (first, 1 - first))


def _split(
    plan: TradePlan, amount: float, step: float, shares: tuple[float, ...]
) -> tuple[Leg, ...]:
    steps = step_count(amount, step)
    counts = [step_count(share * steps, 1.0) for share in shares[:-1]]
    amounts = [from_steps(count, step) for count in counts]
    dust = amount - from_steps(steps, step)  # below one step; goes with the last leg
    amounts.append(from_steps(steps - sum(counts), step) + dust)
    last = len(shares) - 1
    return tuple(
        Leg(LEG_TAGS[index], plan.target_r[index], part, is_last=index == last)
        for index, part in enumerate(amounts)
    )


def stage(filled_tags: Iterable[str | None]) -> int:
    """Return how many legs are filled: 0..3, whatever the order, doubles or foreign tags."""
    return len(set(filled_tags) & set(LEG_TAGS))


def next_leg(legs: tuple[Leg, ...], filled_tags: Iterable[str | None]) -> Leg | None:
    """Return the first leg that is not filled yet, or None when all are."""
    filled = set(filled_tags)
    return next((leg for leg in legs if leg.tag not in filled), None)


def exit_fraction(leg: Leg, remaining_amount: float, step: float) -> float:
    """Return the share of what remains of the position that closes one leg.

    Half a step is added, so that a host that floors share * remaining to the amount step gets
    exactly the leg's amount.

    Parameters
    ----------
    leg : Leg
        The leg to close.
    remaining_amount : float
        What is still open, base currency, above 0.
    step : float
        Amount step, base currency.

    Returns
    -------
    float
        In (0, 1]; exactly 1.0 for the last leg and where less than a step would remain.
    """
    if not (math.isfinite(remaining_amount) and remaining_amount > 0):
        raise ContractViolation(f"nothing remains to be closed: {remaining_amount}")
    if leg.is_last or leg.amount + step / 2 >= remaining_amount:
        return 1.0
    return (leg.amount + step / 2) / remaining_amount


def current_stop(
    plan: TradePlan,
    filled_tags: Iterable[str | None],
    best_close: float,
    settings: RiskSettings,
    previous_stop: float = math.nan,
) -> float:
    """Return where the stop is now; it never moves back.

    Before the first target the initial stop; after it the entry (break-even); after the second
    target, for a long, max(target 1, best close - `trail_atr` * entry ATR), mirrored for a short.

    Parameters
    ----------
    plan : TradePlan
        The plan, anchored to the average fill.
    filled_tags : iterable of str or None
        Tags of the exit orders filled so far.
    best_close : float
        The most favourable candle close since the entry; NaN while there is none.
    settings : RiskSettings
        `ladder.trail_atr`.
    previous_stop : float, default NaN
        The stop so far; NaN where there is none.

    Returns
    -------
    float
        Price, always known.

    Notes
    -----
    Source: specification 8.2, with the two trailing rules combined.
    """
    sign = sign_of(plan.side)
    filled = stage(filled_tags)
    candidates = [plan.stop, previous_stop]
    if filled >= 1:
        candidates.append(plan.price)
    if filled > _PRIMARY:
        trail = best_close - sign * settings.ladder.trail_atr * plan.atr
        candidates += [plan.targets[0], trail]
    return sign * max(sign * price for price in candidates if not math.isnan(price))


def is_time_up(
    open_time: datetime, now: datetime, timeframe_minutes: int, settings: RiskSettings
) -> bool:
    """Return whether a trade has been held for `max_hold_candles` candles, in total seconds."""
    held_s = (now - open_time).total_seconds()
    return held_s >= settings.ladder.max_hold_candles * timeframe_minutes * 60


@dataclass(frozen=True, slots=True)
class Candles:
    """Candles from the entry on: row 0 opens with the position, on the main timeframe's grid.

    `minutes` is the length of a row, `timeframe_minutes` that of the main timeframe (a multiple):
    trailing and time stop count main candles, also on 1-minute rows. NaN rows (no trade) are
    skipped.
    """

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    minutes: int
    timeframe_minutes: int

    def __post_init__(self) -> None:
        lengths = {len(values) for values in (self.open, self.high, self.low, self.close)}
        if len(lengths) != 1 or self.minutes <= 0 or self.timeframe_minutes % self.minutes:
            raise ContractViolation(f"candles do not fit: {lengths} rows, {self.minutes} minutes")


@dataclass(frozen=True, slots=True)
class Exit:
    """One exit fill: row of the candles, price, amount (base currency) and why."""

    index: int
    price: float
    amount: float
    tag: str


@dataclass(frozen=True, slots=True)
class LadderOutcome:
    """How a trade ended.

    `gross_r` and `net_r` are NaN and `exit_reason` is "unresolved" while the candles end before
    the trade does. `duration_minutes` runs to the open of the row of the last exit.
    `was_ambiguous`: one row touched both the stop in force and the next target.
    """

    exits: tuple[Exit, ...]
    gross_r: float
    net_r: float
    exit_reason: ExitReason
    duration_minutes: int
    was_ambiguous: bool


def replay(
    plan: TradePlan,
    legs: tuple[Leg, ...],
    candles: Candles,
    cost_per_side: float,
    settings: RiskSettings,
) -> LadderOutcome:
    """Play one trade through candles: the plain reference of the exit rules.

    Within a row, in this order: at the first row after `max_hold_candles` the open closes what is
    left; an open at or beyond the stop fills there; a touched stop fills at the stop; touched
    targets fill at their prices, never better. A stop moved by a fill is in force from the next
    row on. So when a row touches both, the stop counts.

    Parameters
    ----------
    plan : TradePlan
        The plan, anchored to the average fill.
    legs : tuple of Leg
        From `merged_legs`.
    candles : Candles
        Rows from the entry on.
    cost_per_side : float
        Fee plus slippage as a ratio of the traded value, for entry and each exit.
    settings : RiskSettings
        `ladder.trail_atr` and `ladder.max_hold_candles`.

    Returns
    -------
    LadderOutcome
        Exits in time order, result in R before and after cost, reason of the last exit.
    """
    trade = _Replay(plan, legs, settings)
    rows_per_candle = candles.timeframe_minutes // candles.minutes
    time_stop_row = settings.ladder.max_hold_candles * rows_per_candle
    columns = (candles.open, candles.high, candles.low, candles.close)
    rows = zip(*(np.asarray(column, dtype=np.float64).tolist() for column in columns), strict=True)
    for index, row in enumerate(rows):
        if any(math.isnan(price) for price in row):
            continue
        trade.play(index, row, is_time_up=index >= time_stop_row)
        if not trade.waiting:
            break
        if (index + 1) % rows_per_candle == 0:
            trade.see_close(row[3])
    return _outcome(trade, cost_per_side, candles.minutes)


class _Replay:
    """The state of one replayed trade; prices are mirrored by the side's sign, so up is good."""

    def __init__(self, plan: TradePlan, legs: tuple[Leg, ...], settings: RiskSettings) -> None:
        self.plan, self.settings, self.sign = plan, settings, sign_of(plan.side)
        self.waiting = list(legs)
        self.exits: list[Exit] = []
        self.reason: ExitReason = "unresolved"
        self.was_ambiguous = False
        self.best_close = math.nan
        self.stop = plan.stop

    def play(self, index: int, row: tuple[float, float, float, float], *, is_time_up: bool) -> None:
        opened = self.sign * row[0]
        best, worst = (row[1], row[2]) if self.sign > 0 else (-row[2], -row[1])
        stop = self.sign * self.stop
        if is_time_up:
            self._close_all(index, opened, "time_stop")
        elif worst <= stop:
            self.was_ambiguous |= opened > stop and best >= self._target(self.waiting[0])
            self._close_all(index, min(opened, stop), _STOP_REASONS[len(self.exits)])
        else:
            self._fill_targets(index, best)

    def see_close(self, close: float) -> None:
        self.best_close = self.sign * float(np.fmax(self.sign * self.best_close, self.sign * close))
        self._move_stop()

    def _target(self, leg: Leg) -> float:
        return self.sign * self.plan.at_r(leg.target_r)

    def _fill_targets(self, index: int, best: float) -> None:
        while self.waiting and best >= self._target(self.waiting[0]):
            leg = self.waiting.pop(0)
            self.exits.append(Exit(index, self.plan.at_r(leg.target_r), leg.amount, leg.tag))
            if leg.is_last:
                self.reason = "tp3" if leg.tag == LEG_TAGS[-1] else "tp2"
        self._move_stop()

    def _move_stop(self) -> None:
        filled = [done.tag for done in self.exits]
        self.stop = current_stop(self.plan, filled, self.best_close, self.settings, self.stop)

    def _close_all(self, index: int, mirrored_price: float, reason: ExitReason) -> None:
        amount = math.fsum(leg.amount for leg in self.waiting)
        self.exits.append(Exit(index, self.sign * mirrored_price, amount, reason))
        self.waiting, self.reason = [], reason


def _outcome(trade: _Replay, cost_per_side: float, minutes: int) -> LadderOutcome:
    duration = trade.exits[-1].index * minutes if trade.exits else 0
    gross_r = net_r = math.nan
    if not trade.waiting:
        price, risk = trade.plan.price, trade.plan.distance
        amount = math.fsum(done.amount for done in trade.exits)
        gain = math.fsum((done.price - price) * done.amount for done in trade.exits)
        turnover = price * amount + math.fsum(done.price * done.amount for done in trade.exits)
        gross_r = trade.sign * gain / (risk * amount)
        net_r = gross_r - cost_per_side * turnover / (risk * amount)
    exits = tuple(trade.exits)
    return LadderOutcome(exits, gross_r, net_r, trade.reason, duration, trade.was_ambiguous)
