"""The ladder applied to the host's trades: which stop, which exit order, when time is up.

A trade's plan is found, in this order, in memory, in the approved decision, in the trade's custom
data (after a restart), or made again from the candle that the trade was opened on; a trade that
nobody planned (older than the candles) gets the widest stop allowed. No trade of ours is ever
without a stop; those of other strategies are left alone, see `own_trades`.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from scalp_strategy.analysed import CANDLE_MINUTES, AnalysedPair, instant_ns
from scalp_strategy.contract import Side, sign_of
from scalp_strategy.decision import DecisionDesk
from scalp_strategy.errors import PayloadError
from scalp_strategy.risk import (
    LEG_TAGS,
    Leg,
    Market,
    Rejection,
    TradePlan,
    current_stop,
    exit_fraction,
    is_time_up,
    merged_legs,
    next_leg,
    price_to_tick,
    stage,
    trade_plan,
)

PLAN_KEY: Final = "scalp_plan"
TIME_STOP: Final = "time_stop"
_FINEST: Final = 1e-8  # where no precision is told
TICK_SIZE_MODE: Final = 4  # ccxt's precision mode in which a precision is a step
_BREAK_EVEN_STAGES: Final = 1
_WHOLE_STEP: Final = 1.0 - 1e-6  # a step but for the noise of adding amounts

TradeKey = tuple[int, str, bool, datetime]


class HostTrade(Protocol):
    """What is read of one of the host's trades."""

    id: int
    pair: str
    is_short: bool
    open_rate: float
    open_date_utc: datetime
    amount: float
    stake_amount: float
    leverage: float
    stop_loss: float | None
    entry_side: str
    exit_side: str
    amount_precision: float | None
    price_precision: float | None
    precision_mode: int | None
    precision_mode_price: int | None
    contract_size: float | None

    @property
    def orders(self) -> Iterable[Any]:
        """All orders of the trade."""

    def get_custom_data(self, key: str, default: Any = None) -> Any:
        """Return a value kept with the trade."""

    def set_custom_data(self, key: str, value: Any) -> None:
        """Keep a value with the trade."""

    def delete_custom_data(self, key: str | None = None) -> None:
        """Forget a value kept with the trade."""


def side_of_trade(trade: HostTrade) -> Side:
    """Return the trade's side."""
    return "short" if trade.is_short else "long"


def candle_open(moment: datetime) -> datetime:
    """Return the open of the candle that holds a moment."""
    minutes = moment.minute % CANDLE_MINUTES
    return moment.replace(second=0, microsecond=0) - timedelta(minutes=minutes)


class ExitDesk:
    """Answers the host's questions about an open trade.

    Parameters
    ----------
    desk
        Gives settings, approved decisions and analysed candles.
    market
        Gives the exchange's rules for a pair at a price.
    keeps_plans
        Whether plans are kept with the trade: a backtest is never restarted, and the host looks
        through the data of all its trades for each.
    """

    def __init__(
        self,
        desk: DecisionDesk,
        market: Callable[[str, float], Market],
        *,
        keeps_plans: bool = True,
    ) -> None:
        self._keeps_plans = keeps_plans
        self._desk = desk
        self._market = market
        self._plans: dict[TradeKey, TradePlan] = {}
        self._legs: dict[TradeKey, tuple[tuple[float, TradePlan, Market], tuple[Leg, ...]]] = {}

    def reset(self) -> None:
        """Forget the plans in memory: a new backtest epoch begins."""
        self._plans.clear()
        self._legs.clear()

    def plan(self, trade: HostTrade) -> TradePlan:
        """Return the trade's plan, anchored to its average fill; kept with the trade once found."""
        plan = self._plans.get(_key(trade))
        if plan is None:
            plan = self._decided(trade) or self._restored(trade) or self._remade(trade)
            if plan is None:
                # Not kept: after a restart the candles that give the plan come a moment later.
                return self._emergency(trade)
            if self._keeps_plans:
                trade.set_custom_data(PLAN_KEY, plan.to_json())
            self._plans[_key(trade)] = plan
        return plan if plan.price == trade.open_rate else plan.anchored(trade.open_rate)

    def stop(self, trade: HostTrade, now: datetime) -> float:
        """Return the stop price now in force, rounded to the tick towards the entry."""
        plan = self.plan(trade)
        filled = self._filled_tags(trade, plan)
        best = math.nan
        if stage(filled) > _BREAK_EVEN_STAGES:
            best = self._best_close(trade, now)
        settings = self._desk.settings.risk
        previous = trade.stop_loss or math.nan
        stop = current_stop(plan, filled, best, settings, previous)
        tick = self._tick(trade)
        return price_to_tick(stop, tick, plan.side, "stop")

    def stop_ratio(self, trade: HostTrade, rate: float, now: datetime) -> float | None:
        """Return the stop as the host wants it: a ratio of the rate times leverage.

        Returns
        -------
        float or None
            None while the stop stays where it is. A stop that the rate has already passed gives
            half a tick, so that the host exits at once: 0 would leave the old stop.
        """
        stop = self.stop(trade, now)
        half_tick = self._tick(trade) / 2
        if trade.stop_loss and abs(stop - trade.stop_loss) < half_tick:
            return None
        sign = sign_of(side_of_trade(trade))
        # The host rounds towards the entry: half a tick before, it lands on the tick meant.
        distance = max(sign * (rate - stop) + half_tick, half_tick)
        return distance / rate * trade.leverage

    def exit_order(
        self, trade: HostTrade, rate: float, now: datetime
    ) -> tuple[float, str] | tuple[None, str]:
        """Return the stake to take out and the tag of the next target, or no order.

        Parameters
        ----------
        trade
            The open trade.
        rate
            What an exit would get now.
        now
            The instant.

        Returns
        -------
        tuple
            A negative stake and `tp1`..`tp3`. With an order open nothing is asked for, except when
            the rate is beyond the target: the order was gapped over and is placed again.
        """
        plan = self.plan(trade)
        if trade.amount <= 0 or self.is_time_up(trade, now):
            return None, ""
        leg = next_leg(self.legs(trade, plan), self._filled_tags(trade, plan))
        if leg is None or self._must_wait(trade, plan, leg, rate):
            return None, ""
        step = self._rules(trade).step
        open_part = replace(leg, amount=leg.amount - exited(trade, leg.tag))
        fraction = exit_fraction(open_part, trade.amount, step)
        return -trade.stake_amount * fraction, leg.tag

    def target(self, trade: HostTrade, tag: str) -> float | None:
        """Return the limit price of a target's order, None for another tag."""
        if tag not in LEG_TAGS:
            return None
        plan = self.plan(trade)
        tick = self._tick(trade)
        return price_to_tick(plan.targets[LEG_TAGS.index(tag)], tick, plan.side, "target")

    def legs(self, trade: HostTrade, plan: TradePlan) -> tuple[Leg, ...]:
        """Return the trade's legs, split from what was filled at the entry; none before that."""
        entered = math.fsum(
            order.safe_filled for order in trade.orders if order.ft_order_side == trade.entry_side
        )
        amount = entered or trade.amount
        if not amount:
            return ()
        known = self._legs.get(_key(trade))
        made_of = (amount, plan, self._leg_rules(trade))
        if known is None or known[0] != made_of:
            legs = merged_legs(plan, amount, made_of[2], self._desk.settings.risk)
            known = self._legs[_key(trade)] = (made_of, legs)
        return known[1]

    def is_time_up(self, trade: HostTrade, now: datetime) -> bool:
        """Whether the trade has been held for the candles allowed, from its first candle's open."""
        opened = candle_open(trade.open_date_utc)
        return is_time_up(opened, now, CANDLE_MINUTES, self._desk.settings.risk)

    def _tick(self, trade: HostTrade) -> float:
        # A backtest's trade carries the tick of its time, read from the candles.
        if trade.price_precision and trade.precision_mode_price == TICK_SIZE_MODE:
            return trade.price_precision
        return self._rules(trade).price_tick

    def _rules(self, trade: HostTrade) -> Market:
        """Return the exchange's rules; for a pair it no longer lists those the trade carries."""
        try:
            return self._market(trade.pair, trade.open_rate)
        except Exception:  # noqa: BLE001 - whatever it is, the trade needs its stop and its legs
            return carried_rules(trade)

    def _leg_rules(self, trade: HostTrade) -> Market:
        """Return the rules that legs are cut by: the coarser step of now and of the entry.

        The host orders in steps of now, and counts what is left in those of the entry.
        """
        now = self._rules(trade)
        step = max(now.amount_step, carried_rules(trade).amount_step)
        return replace(now, amount_step=step)

    def _must_wait(self, trade: HostTrade, plan: TradePlan, leg: Leg, rate: float) -> bool:
        open_orders = [order for order in trade.orders if order.ft_is_open]
        if any(order.ft_order_side == trade.entry_side for order in open_orders):
            return True
        exits = [order for order in open_orders if order.ft_order_side == trade.exit_side]
        is_ours = all(order.ft_order_tag == leg.tag and not order.safe_filled for order in exits)
        is_beyond = sign_of(plan.side) * (rate - plan.at_r(leg.target_r)) > 0
        # Placing again cancels what is open: never somebody else's exit, never a half-filled one.
        return bool(exits) and not (is_ours and is_beyond)

    def _filled_tags(self, trade: HostTrade, plan: TradePlan) -> list[str]:
        """Tags of the legs that are out but for less than a step; one half filled is still open.

        Less than a step cannot be ordered: neither than that of now, by which the host floors, nor
        than that of the entry, by which the legs may have been cut.
        """
        if not any(order.safe_filled and order.ft_order_tag in LEG_TAGS for order in trade.orders):
            return []
        least = self._leg_rules(trade).step * _WHOLE_STEP
        return [
            leg.tag
            for leg in self.legs(trade, plan)
            if (out := exited(trade, leg.tag)) and leg.amount - out < least
        ]

    def _best_close(self, trade: HostTrade, now: datetime) -> float:
        analysed = self._desk.analysed(trade.pair)
        if analysed is None:
            return math.nan
        opened = instant_ns(candle_open(trade.open_date_utc))
        return analysed.best_close(side_of_trade(trade), opened, instant_ns(now))

    def _decided(self, trade: HostTrade) -> TradePlan | None:
        close = candle_open(trade.open_date_utc)
        decision = self._desk.approved(trade.pair, side_of_trade(trade), close)
        return decision.plan if decision else None

    def _restored(self, trade: HostTrade) -> TradePlan | None:
        try:
            text = trade.get_custom_data(PLAN_KEY)
            plan = TradePlan.from_json(text) if text is not None else None
        except (PayloadError, ValueError):
            # The host keeps the type of a key's first value; under a wrong one no plan is readable.
            trade.delete_custom_data(PLAN_KEY)
            return None
        return plan if plan and plan.side == side_of_trade(trade) else None

    def _remade(self, trade: HostTrade) -> TradePlan | None:
        analysed = self._desk.analysed(trade.pair)
        close_ns = instant_ns(candle_open(trade.open_date_utc))
        if analysed is None or not analysed.has_candle(close_ns):
            return None
        return self._planned(trade, analysed, close_ns)

    def _planned(self, trade: HostTrade, analysed: AnalysedPair, close_ns: int) -> TradePlan | None:
        plan = trade_plan(
            side_of_trade(trade),
            analysed.price_at(close_ns),
            analysed.atr_at(close_ns),
            self._desk.settings.risk,
            analysed.stop_factor_at(close_ns),
        )
        return None if isinstance(plan, Rejection) else plan

    def _emergency(self, trade: HostTrade) -> TradePlan:
        risk = self._desk.settings.risk
        distance = trade.open_rate * risk.sl_max_pct / 100.0
        return TradePlan(
            side=side_of_trade(trade),
            price=trade.open_rate,
            atr=distance / risk.atr_multiplier,
            distance=distance,
            target_r=risk.ladder.target_r,
            legs=risk.ladder.legs,
            cost_ratio=2 * risk.cost_per_side,
            is_floored=False,
        )


def _key(trade: HostTrade) -> TradeKey:
    # The host deletes a trade whose entry expired, and its database gives the number away again.
    return trade.id, trade.pair, trade.is_short, trade.open_date_utc


def carried_rules(trade: HostTrade) -> Market:
    """Return the rules that a trade was made by, as it carries them; without a minimum."""
    return Market(
        is_futures=bool(trade.is_short) or trade.leverage > 1,
        min_notional=0.0,
        amount_step=precision_step(trade.amount_precision, trade.precision_mode),
        price_tick=precision_step(trade.price_precision, trade.precision_mode_price),
        max_leverage=max(trade.leverage or 1.0, 1.0),
        contract_size=trade.contract_size or 1.0,
    )


def precision_step(precision: float | None, mode: int | None) -> float:
    """Return a precision as a step: as it is in tick-size mode, else that many decimals."""
    if precision is None:
        return _FINEST
    return float(precision) if mode == TICK_SIZE_MODE else 10.0 ** -int(precision)


def exited(trade: HostTrade, tag: str) -> float:
    """Return the amount that exit orders with this tag have taken out."""
    return math.fsum(
        order.safe_filled
        for order in trade.orders
        if order.ft_order_side == trade.exit_side and order.ft_order_tag == tag
    )
