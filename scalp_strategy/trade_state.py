"""A real trade as the journal and the messages see it (pure)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from scalp_strategy.contract import Side
from scalp_strategy.signals import SignalKey

# The values of `TradeState.outcome`, and of a signal's outcome in the journal.
Outcome = Literal[
    "sl", "break_even", "trailing_stop", "tp2", "tp3", "max_hold", "expired", "liquidation", "other"
]
OUTCOME_LENGTH: Final = 16


@dataclass(frozen=True, slots=True)
class Fill:
    """A part of a position that was closed: by `tag` (`tp1`..`tp3`, or why), price and amount."""

    tag: str
    price: float
    amount: float
    at: datetime


@dataclass(frozen=True, slots=True)
class TradeState:
    """One of the host's trades at an instant, in quote currency and base amounts.

    Attributes
    ----------
    key
        The signal that the trade was opened on.
    trade_id
        The host's number; with `opened_at` it is unique.
    opened_at
        When the host made the trade (ordered the entry), UTC.
    entry_price
        Average fill; the order's price before the first.
    amount
        What was bought or sold at the entry; 0 before the first fill.
    stop
        The stop now in force.
    fills
        The exits so far, in time order.
    price
        The price now, at the end the last exit's; NaN is unknown.
    profit
        Realised so far, after fees and funding; at the end the whole result.
    unrealised
        Of what is open, before the exit's fee; 0 at the end.
    risk
        Money at risk at the entry: amount times the planned stop distance; NaN is unknown.
    outcome
        How it ended, None while it is open or waits for its fill.
    """

    key: SignalKey
    trade_id: int
    opened_at: datetime
    entry_price: float
    amount: float
    stop: float
    price: float
    profit: float
    unrealised: float
    risk: float
    stake: float
    leverage: float = 1.0
    fills: tuple[Fill, ...] = ()
    closed_at: datetime | None = None
    outcome: Outcome | None = None

    @property
    def pair(self) -> str:
        """The pair."""
        return self.key.pair

    @property
    def side(self) -> Side:
        """The side."""
        return self.key.side

    @property
    def is_filled(self) -> bool:
        """Whether the entry was filled, in part at least."""
        return self.amount > 0

    @property
    def is_over(self) -> bool:
        """Whether it has ended, a cancelled entry included."""
        return self.outcome is not None

    @property
    def net_r(self) -> float:
        """Result so far in multiples of the risk, open part included; NaN is unknown."""
        return (self.profit + self.unrealised) / self.risk if self.risk > 0 else float("nan")

    @property
    def profit_pct(self) -> float:
        """The same in percent of the position's value at the entry; NaN before the fill."""
        value = self.entry_price * self.amount
        return (self.profit + self.unrealised) / value * 100.0 if value > 0 else float("nan")
