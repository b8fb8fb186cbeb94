"""Support and resistance from pivot points."""

from typing import NamedTuple

import numpy as np
import talib

from scalp_strategy.setting_groups.technical import LevelSettings
from scalp_strategy.technical.arrays import FloatArray, IntArray, shifted, unknown
from scalp_strategy.technical.windows import event_window


class Levels(NamedTuple):
    """Nearest levels per row.

    Attributes
    ----------
    support : ndarray of float64
        Highest pivot low at or below the close; NaN where there is none.
    resistance : ndarray of float64
        Lowest pivot high at or above the close; NaN where there is none.
    known : ndarray of float64
        1 where the whole pivot window lies in the data, else NaN.
    """

    support: FloatArray
    resistance: FloatArray
    known: FloatArray


def pivot_levels(
    high: FloatArray, low: FloatArray, close: FloatArray, settings: LevelSettings
) -> Levels:
    """Return the nearest support and resistance among the pivots of the last candles.

    A pivot low is lower than the `pivot_width` candles before it and not higher than those after
    it. It is known only `pivot_width` candles later, and forgotten after `candles` candles.

    Parameters
    ----------
    high, low, close : ndarray of float64, shape (n,)
        Candles without a hole.
    settings : LevelSettings
        Window and pivot width.

    Returns
    -------
    Levels
        Arrays of shape (n,). Causal.
    """
    known = unknown(close.size)
    known[first_known(settings) :] = 1.0
    support = _nearest_below(low, close, settings)
    resistance = -_nearest_below(-high, -close, settings)
    return Levels(support, resistance, known)


def first_known(settings: LevelSettings) -> int:
    """Return the first row whose pivot window, and what its oldest pivot needs, is in the data."""
    return settings.candles - 1 + settings.pivot_width


def pivot_lows(low: FloatArray, width: int) -> IntArray:
    """Return the rows of all pivot lows, ascending; the last `width` rows can hold none yet."""
    lowest = talib.MIN(low, width)
    lowest_before = shifted(lowest)
    lowest_after = unknown(low.size)
    lowest_after[:-width] = lowest[width:]
    return np.flatnonzero((low < lowest_before) & (low <= lowest_after))


def _nearest_below(low: FloatArray, close: FloatArray, settings: LevelSettings) -> FloatArray:
    pivots = pivot_lows(low, settings.pivot_width)
    if not pivots.size:
        return unknown(close.size)
    window = event_window(pivots + settings.pivot_width, pivots + settings.candles - 1, close.size)
    prices = low[pivots].take(window.event, mode="clip")
    below = window.present & (prices <= close)
    nearest = np.where(below, prices, -np.inf).max(axis=0)
    return np.where(np.isneginf(nearest), np.nan, nearest)
