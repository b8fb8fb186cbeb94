"""Where a price went: fixed windows of closed 15m candles. Pure.

Each number rests on the candles of its own window and on nothing before it, summed exactly. So
whoever has the window has the number, however far back its candles reach.
"""

from collections.abc import Iterable
from math import fsum, nan
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from external_layers.candles import Row
from scalp_strategy.contract import CANDLE_MS

HOUR_MS: Final = 3_600_000
ATR_PERIOD: Final = 14
_MS_PER_S: Final = 1_000
_PERCENT: Final = 100.0

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


class Candles15m(NamedTuple):
    """Closed candles, oldest first, every array of shape (n,).

    Attributes
    ----------
    close_ms
        The exclusive end of each candle, epoch milliseconds, ascending.
    high, low, close
        Prices.
    """

    close_ms: Ints
    high: Floats
    low: Floats
    close: Floats

    def count_until(self, at_ms: int) -> int:
        """Return how many of them had closed by an instant."""
        return int(np.searchsorted(self.close_ms, at_ms, side="right"))

    def window(self, at_ms: int, span_ms: int) -> slice:
        """Return the rows that closed within the span that ends at an instant, its end included."""
        return slice(self.count_until(at_ms - span_ms), self.count_until(at_ms))


def candles_of(rows: Iterable[Row]) -> Candles15m:
    """Return candles as arrays; one with a price that is not a positive number is left out."""
    told = np.array(list(rows), dtype=np.float64).reshape(-1, 6)
    prices = told[:, 1:5]
    is_sound = np.all(np.isfinite(prices) & (prices > 0.0), axis=1)
    kept = told[is_sound]
    close_ms = kept[:, 0].astype(np.int64) + CANDLE_MS
    return Candles15m(close_ms, kept[:, 2].copy(), kept[:, 3].copy(), kept[:, 4].copy())


NO_CANDLES: Final = candles_of(())


def trend_pct(candles: Candles15m, at_ms: int, spans_s: tuple[int, int], min_share: float) -> float:
    """Return by how many percent the mean close of a short span is above that of a long one.

    Parameters
    ----------
    candles
        Closed candles.
    at_ms
        Where both spans end; a candle that closed at that very instant counts.
    spans_s
        The short and the long span in seconds.
    min_share
        Share of a span's candles that must be there.

    Returns
    -------
    float
        NaN when too few candles are there.
    """
    short, long = (_mean_close(candles, at_ms, span_s, min_share) for span_s in spans_s)
    return (short - long) / long * _PERCENT


def hour_move_pct(candles: Candles15m, close_ms: int) -> float:
    """Return the change from the close an hour earlier to the close at an instant, NaN unknown."""
    return change_pct(_close_at(candles, close_ms - HOUR_MS), _close_at(candles, close_ms))


def fallen_atrs(candles: Candles15m, at_ms: int, span_s: int) -> float:
    """Return how many ATRs the newest close is below the one a span earlier.

    The ATR is the plain mean of the last 14 true ranges, so that it needs 15 candles and no more.

    Returns
    -------
    float
        Negative when the price rose; NaN when a candle is missing or nothing moved at all.
    """
    count = _fresh_count(candles, at_ms)
    if count <= ATR_PERIOD:
        return nan
    last = int(candles.close_ms[count - 1])
    if last - int(candles.close_ms[count - 1 - ATR_PERIOD]) != ATR_PERIOD * CANDLE_MS:
        return nan
    rows = slice(count - ATR_PERIOD, count)
    before = candles.close[count - 1 - ATR_PERIOD : count - 1]
    ranges = np.maximum(candles.high[rows], before) - np.minimum(candles.low[rows], before)
    atr = fsum(ranges) / ATR_PERIOD
    fall = _close_at(candles, last - span_s * _MS_PER_S) - float(candles.close[count - 1])
    return fall / atr if atr > 0.0 else nan


def below_high_pct(candles: Candles15m, at_ms: int, span_s: int, min_share: float) -> float:
    """Return by how many percent the newest close is below the highest price of a span.

    Returns
    -------
    float
        At least 0; NaN when too few candles are there.
    """
    count = _fresh_count(candles, at_ms)
    if not count:
        return nan
    rows = candles.window(int(candles.close_ms[count - 1]), span_s * _MS_PER_S)
    if _is_thin(rows, span_s, min_share):
        return nan
    highest = float(np.max(candles.high[rows]))
    return (highest - float(candles.close[count - 1])) / highest * _PERCENT


def change_pct(before: float, after: float) -> float:
    """Return the change in percent; NaN unless it starts above 0.

    Examples
    --------
    >>> change_pct(100.0, 100.5)
    0.5
    """
    return (after - before) / before * _PERCENT if before > 0.0 else nan


def _mean_close(candles: Candles15m, at_ms: int, span_s: int, min_share: float) -> float:
    rows = candles.window(at_ms, span_s * _MS_PER_S)
    if _is_thin(rows, span_s, min_share):
        return nan
    closes = candles.close[rows]
    return fsum(closes) / len(closes)


def _is_thin(rows: slice, span_s: int, min_share: float) -> bool:
    count = rows.stop - rows.start
    return not count or count * CANDLE_MS < min_share * span_s * _MS_PER_S


def _fresh_count(candles: Candles15m, at_ms: int) -> int:
    # Candles by the instant, none when the newest of them is not the last there can be, or the
    # one before, which may still be on its way.
    count = candles.count_until(at_ms)
    is_fresh = count and int(candles.close_ms[count - 1]) > at_ms - 2 * CANDLE_MS
    return count if is_fresh else 0


def _close_at(candles: Candles15m, close_ms: int) -> float:
    row = candles.count_until(close_ms) - 1
    is_there = row >= 0 and int(candles.close_ms[row]) == close_ms
    return float(candles.close[row]) if is_there else nan
