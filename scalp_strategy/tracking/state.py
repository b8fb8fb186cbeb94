"""A trade as it stands, from the host's orders (pure)."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from freqtrade.enums import ExitType

from scalp_strategy.exits import TIME_STOP, HostTrade, candle_open, exited, side_of_trade
from scalp_strategy.risk import Leg, TradePlan
from scalp_strategy.signals import SignalKey
from scalp_strategy.trade_state import Fill, Outcome, TradeState

_STOPLOSS: Final = "stoploss"  # the host's name for the side of a stop on the exchange
_STOPS: Final = frozenset(
    {
        ExitType.STOP_LOSS.value,
        ExitType.TRAILING_STOP_LOSS.value,
        ExitType.STOPLOSS_ON_EXCHANGE.value,
    }
)
# By how many legs were filled before: a stop was at the plan's, at the entry, or trailing.
_STOP_OUTCOMES: Final[tuple[Outcome, ...]] = ("sl", "break_even", "trailing_stop")
_OUTCOMES: Final[dict[str, Outcome]] = {
    "tp2": "tp2",
    "tp3": "tp3",
    TIME_STOP: "max_hold",
    ExitType.LIQUIDATION.value: "liquidation",
}
_FILLED_TOLERANCE: Final = 1e-9  # of a leg: what sums of floats may differ by


class TrackedTrade(HostTrade, Protocol):
    """What more is read of one of the host's trades."""

    is_open: bool
    realized_profit: float
    close_profit_abs: float | None
    close_date_utc: datetime | None
    exit_reason: str | None
    max_stake_amount: float | None
    fee_close: float | None

    def calculate_profit(self, rate: float) -> Any:
        """Return what closing at a rate gives, fees and funding included."""


def trade_state(
    trade: TrackedTrade, plan: TradePlan, stop: float, price: float, legs: Sequence[Leg]
) -> TradeState:
    """Return a trade as it stands, from the host's orders.

    Parameters
    ----------
    trade
        The host's trade, of its database or of a backtest.
    plan
        The trade's plan.
    stop
        The stop now in force; at the end the last one.
    price
        The price now, NaN is unknown; at the end the last exit's is taken instead.
    legs
        As the position was split; none before the first fill.

    Returns
    -------
    TradeState
        `fills` are exits that the host has booked: not what an order that still rests has filled.
    """
    entered = _entered(trade)
    fills = _fills(trade)
    last = fills[-1].price if fills else math.nan
    price = price if trade.is_open else last
    return TradeState(
        key=signal_key(trade),
        trade_id=trade.id,
        opened_at=trade.open_date_utc,
        entry_price=_entry_price(trade),
        amount=entered,
        stop=stop,
        price=price,
        profit=_profit(trade),
        unrealised=_unrealised(trade, price),
        risk=entered * plan.distance if entered else math.nan,
        stake=trade.max_stake_amount or trade.stake_amount,
        leverage=trade.leverage,
        fills=fills,
        closed_at=None if trade.is_open else trade.close_date_utc,
        outcome=None if trade.is_open else _outcome(trade, legs),
    )


def signal_key(trade: HostTrade) -> SignalKey:
    """Return the key of the signal that a trade was opened on."""
    return SignalKey(trade.pair, side_of_trade(trade), candle_open(trade.open_date_utc))


def _entries(trade: HostTrade) -> list[Any]:
    return [
        order
        for order in trade.orders
        if order.ft_order_side == trade.entry_side and order.safe_filled > 0
    ]


def _booked_exits(trade: HostTrade) -> list[Any]:
    """Return the exits with a fill whose order is closed, in time order."""
    exits = [
        order
        for order in trade.orders
        if order.ft_order_side != trade.entry_side
        and order.safe_filled > 0
        and not order.ft_is_open
    ]
    return sorted(exits, key=_filled_at)


def _filled_at(order: Any) -> datetime:
    filled: datetime = order.order_filled_utc or order.order_date_utc
    return filled


def _entered(trade: HostTrade) -> float:
    return math.fsum(order.safe_filled for order in _entries(trade))


def _entry_price(trade: HostTrade) -> float:
    entries = _entries(trade)
    if not entries or not all(order.ft_is_open for order in entries):
        return trade.open_rate
    # The host books an entry when its order is closed: until then its rate is the one asked.
    amount = math.fsum(order.safe_filled for order in entries)
    return math.fsum(order.safe_filled * order.safe_price for order in entries) / amount


def _fills(trade: HostTrade) -> tuple[Fill, ...]:
    return tuple(
        Fill(_tag(order), order.safe_price, order.safe_filled, _filled_at(order))
        for order in _booked_exits(trade)
    )


def _tag(order: Any) -> str:
    is_on_exchange = order.ft_order_side == _STOPLOSS
    tag = ExitType.STOPLOSS_ON_EXCHANGE.value if is_on_exchange else order.ft_order_tag
    return str(tag or "")


def _profit(trade: TrackedTrade) -> float:
    if not trade.is_open and trade.close_profit_abs is not None:
        return trade.close_profit_abs
    return trade.realized_profit or 0.0


def _unrealised(trade: TrackedTrade, price: float) -> float:
    """Return what is open at a price, entry's fee and running funding included, no exit's fee."""
    if not trade.is_open or not trade.amount:
        return 0.0
    if math.isnan(price):
        return math.nan
    exit_fee = price * trade.amount * (trade.fee_close or 0.0)
    whole: float = trade.calculate_profit(price).profit_abs
    return whole + exit_fee - _funding_realised(trade)


def _funding_realised(trade: TrackedTrade) -> float:
    """Return the funding that is part of exits' results, which the host counts once more."""
    orders = [order for order in trade.orders if order.safe_filled > 0 and not order.ft_is_open]
    exits = [place for place, order in enumerate(orders) if order.ft_order_side != trade.entry_side]
    counted = orders[: exits[-1] + 1] if exits else []
    return math.fsum(order.funding_fee or 0.0 for order in counted)


def _outcome(trade: TrackedTrade, legs: Sequence[Leg]) -> Outcome:
    exits = _booked_exits(trade)
    if not exits:
        return "other" if _entries(trade) else "expired"
    tag = _tag(exits[-1]) or trade.exit_reason or ""
    if tag in _STOPS:
        return _STOP_OUTCOMES[min(_filled_legs(trade, legs), len(_STOP_OUTCOMES) - 1)]
    return _OUTCOMES.get(tag, "other")


def _filled_legs(trade: TrackedTrade, legs: Sequence[Leg]) -> int:
    """Return how many legs are out as a whole; one half filled has not moved the stop."""
    return sum(exited(trade, leg.tag) >= leg.amount * (1 - _FILLED_TOLERANCE) for leg in legs)
