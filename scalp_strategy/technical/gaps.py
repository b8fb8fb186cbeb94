"""Fair value gaps: three-candle holes in price that have not been filled yet."""

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from scalp_strategy.technical.arrays import FloatArray, IntArray, shifted


class Gaps(NamedTuple):
    """The nearest unfilled bullish gap after each candle, its own included; NaN if none."""

    top: FloatArray
    bottom: FloatArray


def open_gaps(high: FloatArray, low: FloatArray, min_size: FloatArray, max_age: int) -> Gaps:
    """Return the nearest (highest) unfilled bullish gap after each candle.

    A gap opens at row i when high[i - 2] < low[i]; it spans these two prices. It is filled when
    a later low reaches its bottom, and the `max_age`-th candle after it is the last to meet it.

    Parameters
    ----------
    high, low : ndarray of float64, shape (lines, n)
        Lines of candles without a hole. Negate and swap them for bearish gaps.
    min_size : ndarray of float64, shape (n,)
        Smallest height that counts; NaN where unknown, then no gap opens.
    max_age : int
        Candles that may meet a gap.

    Returns
    -------
    Gaps
        Arrays of shape (lines, n). Causal. Of gaps equally high the oldest.
    """
    bottom = shifted(high, 2)
    height = low - bottom
    newest_first = np.flatnonzero((height > 0) & (height >= min_size))[::-1]
    opened = newest_first[low.take(newest_first).argsort(kind="stable")]
    tops, bottoms = low.take(opened), bottom.take(opened)
    # The gaps are in order of height, so the largest place among the open ones is the nearest.
    nearest = _largest_place(opened, _candles_open(opened, bottoms, low, max_age), low.size)
    nearest = nearest.reshape(low.shape)
    return Gaps(_with_none(tops)[nearest], _with_none(bottoms)[nearest])


def _candles_open(opened: IntArray, bottom: FloatArray, low: FloatArray, max_age: int) -> IntArray:
    # Rows in which each gap is open, its own included: until filled, too old, or the data ends.
    lines, size = low.shape
    padded = np.full((lines, size + max_age), -np.inf)
    padded[:, :size] = low
    later = sliding_window_view(padded.ravel(), max_age)[opened + opened // size * max_age + 1]
    closing = later <= bottom[:, np.newaxis]
    closing[:, -1] = True
    count: IntArray = closing.argmax(axis=1) + 1
    return count


def _largest_place(first: IntArray, count: IntArray, size: int) -> IntArray:
    # Each span covers `count` rows from `first` on; 0 for a row in none, else 1 + its number.
    begin = count.cumsum() - count
    rows = np.repeat(first - begin, count) + np.arange(count.sum())
    largest = np.zeros(size, dtype=np.int64)
    np.maximum.at(largest, rows, np.repeat(np.arange(1, first.size + 1), count))
    return largest


def _with_none(values: FloatArray) -> FloatArray:
    return np.concatenate(([np.nan], values))
