"""Fair value gaps: three-candle holes in price that have not been filled yet."""

from typing import NamedTuple

import numpy as np

from scalp_strategy.technical.arrays import FloatArray, IntArray, shifted, unknown
from scalp_strategy.technical.windows import event_window


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
    high, low : ndarray of float64, shape (n,)
        Candles without a hole. Negate and swap them for bearish gaps.
    min_size : ndarray of float64, shape (n,)
        Smallest height that counts; NaN where unknown, then no gap opens.
    max_age : int
        Candles that may meet a gap.

    Returns
    -------
    Gaps
        Arrays of shape (n,). Causal.
    """
    bottom = shifted(high, 2)
    height = low - bottom
    opened = np.flatnonzero((height > 0) & (height >= min_size))
    if not opened.size:
        return Gaps(unknown(low.size), unknown(low.size))
    filled = _fill_rows(opened, bottom[opened], low, max_age)
    window = event_window(opened, opened + max_age - 1, low.size)
    row = np.arange(low.size)
    unfilled = window.present & (filled.take(window.event, mode="clip") > row)
    tops = np.where(unfilled, low[opened].take(window.event, mode="clip"), -np.inf)
    highest = tops.argmax(axis=0)
    none = ~unfilled[highest, row]
    gap = opened.take(window.event[highest, row], mode="clip")
    return Gaps(np.where(none, np.nan, low[gap]), np.where(none, np.nan, bottom[gap]))


def _fill_rows(opened: IntArray, bottom: FloatArray, low: FloatArray, max_age: int) -> IntArray:
    # First later row whose low reaches the bottom; beyond the data when there is none within age.
    later = opened + np.arange(1, max_age + 1)[:, np.newaxis]
    inside = later < low.size
    reached = inside & (low[np.minimum(later, low.size - 1)] <= bottom)
    return np.where(reached.any(axis=0), opened + 1 + reached.argmax(axis=0), low.size)
