"""Takers on demand: for a while trades of a symbol are bought or sold as asked for."""

from dataclasses import dataclass, replace

import numpy as np

from external_layers.replay.intraminute import Trades
from external_layers.replay.minutes import MINUTE_MS, Ints
from external_layers.replay.randomness import uniforms


@dataclass(frozen=True, slots=True)
class FlowPressure:
    """Trades of a symbol (spot and futures) are taker buys with the chance `buy_share`, 0..1.

    It lasts `minutes` from `at_ms` on, and changes neither prices nor amounts.
    """

    symbol: str
    buy_share: float
    at_ms: int
    minutes: float

    @property
    def end_ms(self) -> int:
        """The first instant at which it is over."""
        return self.at_ms + round(self.minutes * MINUTE_MS)


def pressed(trades: Trades, pressures: list[FlowPressure], salt: np.uint64) -> Trades:
    """Return the trades with their taker sides as the pressures want them.

    Whether a trade is bought depends on `salt` and its id alone; where pressures overlap, the one
    added last counts.
    """
    is_buy = trades.is_buy
    for pressure in pressures:
        is_within = (trades.time_ms >= pressure.at_ms) & (trades.time_ms < pressure.end_ms)
        is_buy = np.where(is_within, uniforms(salt, trades.id) < pressure.buy_share, is_buy)
    return replace(trades, is_buy=is_buy)


def is_pressed(pressures: list[FlowPressure], minutes: Ints) -> np.ndarray:
    """Return in which minutes a pressure is on, where candles must be made from trades."""
    inside = np.zeros(len(minutes), dtype=bool)
    for pressure in pressures:
        start = minutes * MINUTE_MS
        inside |= (start + MINUTE_MS > pressure.at_ms) & (start < pressure.end_ms)
    return inside
