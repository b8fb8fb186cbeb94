"""What the decision asks of the program that trades."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from scalp_strategy.account import Position
from scalp_strategy.breakers import TradeHistory
from scalp_strategy.decision.hours import HourCloses
from scalp_strategy.risk import Market


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the host holds at an instant: the input of `Account.mark`."""

    capital: float
    free_balance: float
    positions: tuple[Position, ...]


class Host(Protocol):
    """The program that trades."""

    def holdings(self, mark_price: Callable[[str, datetime], float], now: datetime) -> Holdings:
        """Return the balance and everything open or ordered."""

    def market(self, pair: str, price: float) -> Market:
        """Return the exchange's rules for a pair at about this price."""

    def has_traded(self, pair: str, since: datetime) -> bool:
        """Return whether a trade of a pair, open or closed, was opened at or after an instant."""

    def trade_history(self) -> TradeHistory:
        """Return what the trades that have ended by now tell; asked anew in every decision."""

    def hour_closes(self, pair: str, days: int) -> HourCloses | None:
        """Return closes on the full hour that a pair's analysed candles may not reach back to.

        The same object as before while nothing is new; None where there are none.
        """
