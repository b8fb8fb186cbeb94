"""Closed candles at hand: what the multi-timeframe check needs, by pair and timeframe."""

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Final

from external_layers.binance.messages import Kline

LENGTH_MS: Final = {"1m": 60_000, "5m": 300_000, "15m": 900_000}
Row = tuple[int, float, float, float, float, float]  # open_ms, open, high, low, close, volume


class CandleShelf:
    """The last closed candles of one pair and timeframe, without duplicates, in order.

    Parameters
    ----------
    timeframe
        ``"1m"``, ``"5m"`` or ``"15m"``.
    rows
        Candles kept.
    """

    def __init__(self, timeframe: str, rows: int) -> None:
        self.length_ms = LENGTH_MS[timeframe]
        self.revision = 0
        self._rows: deque[Row] = deque(maxlen=rows)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def closed_ms(self) -> int:
        """When the newest candle closed (exclusive end), 0 before the first."""
        return self._rows[-1][0] + self.length_ms if self._rows else 0

    def add(self, row: Row) -> bool:
        """Take a closed candle; return whether it joins the last one without a hole.

        One that is older is left out, and does not open a hole; one of the same time wins, since
        a stream says when a candle is closed and an answer does not.
        """
        if self._rows and row[0] <= self._rows[-1][0]:
            if row[0] == self._rows[-1][0] and row != self._rows[-1]:
                self._rows[-1] = row
                self.revision += 1
            return True
        joins = not self._rows or row[0] == self.closed_ms
        self._rows.append(row)
        self.revision += 1
        return joins

    def fill(self, rows: Iterable[Row]) -> None:
        """Lay closed candles from another source under what is here; what is here wins."""
        merged = {row[0]: row for row in rows} | {row[0]: row for row in self._rows}
        kept = [merged[open_ms] for open_ms in sorted(merged)]
        if kept != list(self._rows):
            self._rows.clear()
            self._rows.extend(kept)
            self.revision += 1

    def closed_between(self, since_ms: int, at_ms: int) -> list[Row]:
        """Return the candles that closed after `since_ms` and not after `at_ms`, in order."""
        newest_first = (row for row in reversed(self._rows) if row[0] + self.length_ms <= at_ms)
        found: list[Row] = []
        for row in newest_first:
            if row[0] + self.length_ms <= since_ms:
                break
            found.append(row)
        return found[::-1]

    def last(self, count: int) -> list[Row]:
        """Return the newest candles, at most `count`, in order."""
        return list(islice(self._rows, max(0, len(self._rows) - count), None))


def row_of(kline: Kline) -> Row:
    """Return the candle of a closed kline."""
    return (kline.open_ms, kline.open, kline.high, kline.low, kline.close, kline.volume)
