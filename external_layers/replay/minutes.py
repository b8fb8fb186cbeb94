"""One-minute candles in integers: the one form in which the replay market keeps its content."""

from dataclasses import dataclass, fields
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from external_layers.binance.messages import MarketKind
from external_layers.replay.symbols import SymbolSpec

MINUTE_MS: Final = 60_000
DAY_MINUTES: Final = 1_440
MIN_TRADES: Final = 4  # open, high, low and close need up to four trades

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Minutes:
    """Consecutive one-minute candles, columns of equal length.

    Attributes
    ----------
    minute
        Minutes since 1970-01-01 UTC (market time) of the open.
    open, high, low, close
        Prices in ticks of the symbol.
    volume, taker_buy
        Amounts in steps of the symbol; `taker_buy` is the part bought by takers.
    trades
        Number of trades; 0 or at least four.
    first_id
        Identifier of the minute's first trade; ids are contiguous over minutes.
    """

    minute: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    taker_buy: Ints
    trades: Ints
    first_id: Ints

    def __len__(self) -> int:
        return len(self.minute)

    def between(self, start: int, stop: int) -> "Minutes":
        """Return the candles with ``start <= minute < stop`` as views."""
        first, last = np.searchsorted(self.minute, (start, stop))
        return Minutes(*(getattr(self, field.name)[first:last] for field in fields(Minutes)))


def joined(parts: list[Minutes]) -> Minutes:
    """Return the parts one after the other; no parts give an empty table."""
    if not parts:
        return Minutes(*(np.empty(0, dtype=np.int64) for _ in fields(Minutes)))
    if len(parts) == 1:
        return parts[0]
    columns = ([getattr(part, field.name) for part in parts] for field in fields(Minutes))
    return Minutes(*(np.concatenate(column) for column in columns))


class MinuteSource(Protocol):
    """Where candles come from: the generator or a folder of recordings. Market time only."""

    @property
    def seed(self) -> int:
        """The seed of everything that is drawn around the candles."""

    @property
    def symbols(self) -> dict[str, dict[MarketKind, SymbolSpec]]:
        """The symbols on offer, by name and market."""

    @property
    def synthetic_below(self) -> dict[str, str]:
        """The coarsest recorded timeframe in use per symbol: finer candles are made up there."""

    def first_minute(self, kind: MarketKind, name: str) -> int:
        """Return the minute of the first candle."""

    def last_minute(self, kind: MarketKind, name: str) -> int:
        """Return the first minute for which there is no content any more."""

    def minutes(self, kind: MarketKind, name: str, start: int, stop: int) -> Minutes:
        """Return the candles with ``start <= minute < stop`` that exist."""

    def minute_of_trade(self, kind: MarketKind, name: str, trade_id: int) -> int:
        """Return the minute in which a trade happened, clipped to the content."""

    def funding_rates(self, name: str) -> tuple[Ints, Floats] | None:
        """Return recorded funding (time in ms, rate), or None when it must be derived."""
