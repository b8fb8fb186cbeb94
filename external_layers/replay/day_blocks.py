"""Sources that make their candles a UTC day at a time and remember the last days made."""

from abc import ABC, abstractmethod
from collections import OrderedDict

import numpy as np

from external_layers.binance.messages import MarketKind
from external_layers.replay.minutes import (
    DAY_MINUTES,
    MIN_TRADES,
    Floats,
    Ints,
    Minutes,
    joined,
)
from external_layers.replay.symbols import SymbolSpec


class DayBlocks(ABC):
    """A `MinuteSource` of day blocks.

    The number of trades of a whole day is fixed per symbol and shared out by volume, so trade
    ids are known without the days before: ``id // trades_per_day`` is the day.
    """

    def __init__(
        self, seed: int, symbols: dict[str, dict[MarketKind, SymbolSpec]], cached_days: int
    ) -> None:
        self.seed = seed
        self.symbols = symbols
        self.synthetic_below: dict[str, str] = {}
        self._cached_days = cached_days
        self._blocks: OrderedDict[tuple[MarketKind, str, int], Minutes] = OrderedDict()

    @abstractmethod
    def first_minute(self, kind: MarketKind, name: str) -> int:
        """Return the minute of the first candle."""

    @abstractmethod
    def last_minute(self, kind: MarketKind, name: str) -> int:
        """Return the first minute for which there is no content any more."""

    @abstractmethod
    def make_block(self, kind: MarketKind, name: str, day: int) -> Minutes:
        """Return the candles of a UTC day (days since 1970-01-01), a pure function."""

    def minutes(self, kind: MarketKind, name: str, start: int, stop: int) -> Minutes:
        """Return the candles with ``start <= minute < stop`` that exist."""
        start = max(start, self.first_minute(kind, name))
        stop = min(stop, self.last_minute(kind, name))
        if stop <= start:
            return joined([])
        days = range(start // DAY_MINUTES, (stop - 1) // DAY_MINUTES + 1)
        blocks = [self._block(kind, name, day) for day in days]
        blocks[-1] = blocks[-1].between(start, stop)
        blocks[0] = blocks[0].between(start, stop)
        return joined(blocks)

    def minute_of_trade(self, kind: MarketKind, name: str, trade_id: int) -> int:
        """Return the minute in which a trade happened, clipped to the content."""
        first_day = self.first_minute(kind, name) // DAY_MINUTES
        last_day = (self.last_minute(kind, name) - 1) // DAY_MINUTES
        day = min(max(trade_id // self.trades_per_day(kind, name), first_day), last_day)
        block = self._block(kind, name, day)
        place = int(np.searchsorted(block.first_id, trade_id, side="right")) - 1
        return int(block.minute[max(place, 0)])

    def funding_rates(self, name: str) -> tuple[Ints, Floats] | None:  # noqa: ARG002
        """Return None: funding is derived from the candles."""
        return None

    def trades_per_day(self, kind: MarketKind, name: str) -> int:
        """Return the fixed number of trades of a whole day."""
        return self.symbols[name][kind].trades_per_minute * DAY_MINUTES

    def _block(self, kind: MarketKind, name: str, day: int) -> Minutes:
        key = (kind, name, day)
        block = self._blocks.get(key)
        if block is None:
            block = self.make_block(kind, name, day)
            self._blocks[key] = block
            if len(self._blocks) > self._cached_days:
                self._blocks.popitem(last=False)
        else:
            self._blocks.move_to_end(key)
        return block


def shared_out(weights: Floats, total: int) -> Ints:
    """Split trades over minutes in proportion to the weights.

    A minute of weight 0 gets none, any other at least four; the sum is `total` when some weight
    is positive and `total` allows four each.
    """
    is_live = weights > 0
    if not is_live.any():
        return np.zeros(len(weights), dtype=np.int64)
    free = total - MIN_TRADES * int(is_live.sum())
    edges = np.rint(np.cumsum(weights) / weights.sum() * free).astype(np.int64)
    shares: Ints = np.diff(edges, prepend=0)
    return shares + MIN_TRADES * is_live
