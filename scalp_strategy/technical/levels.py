"""Support and resistance from pivot points."""

from typing import NamedTuple

import numpy as np
import talib

from scalp_strategy.setting_groups.technical import LevelSettings
from scalp_strategy.technical.arrays import FloatArray, IntArray, mirrored, shifted, unknown


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
    support, resistance = _nearest_below(mirrored(low, high), mirrored(close), settings)
    return Levels(support, -resistance, known)


def first_known(settings: LevelSettings) -> int:
    """Return the first row whose pivot window, and what its oldest pivot needs, is in the data."""
    return settings.candles - 1 + settings.pivot_width


def _nearest_below(low: FloatArray, close: FloatArray, settings: LevelSettings) -> FloatArray:
    # The highest pivot low at or below the close, of lines of candles, shape (lines, n).
    pivots = _pivot_lows(low, settings.pivot_width)
    if not pivots.size:
        return np.full(close.shape, np.nan)
    prices = _known_prices(low, pivots, settings)
    nearest: FloatArray = prices.max(axis=0, initial=-np.inf, where=prices <= close)
    nearest[nearest == -np.inf] = np.nan
    return nearest


def _pivot_lows(low: FloatArray, width: int) -> IntArray:
    # Flat places of all pivot lows, ascending; the last `width` candles can hold none yet.
    lowest = np.stack([talib.MIN(line, width) for line in low])
    lowest_after = np.full(low.shape, np.nan)
    lowest_after[:, :-width] = lowest[:, width:]
    return np.flatnonzero((low < shifted(lowest)) & (low <= lowest_after))


def _known_prices(low: FloatArray, pivots: IntArray, settings: LevelSettings) -> FloatArray:
    # The prices of the pivots known in each row, shape (most at once, lines, n), else infinite.
    # Every line is followed by room for its last pivots' rows; pivots take turns in the depth.
    lines, size = low.shape
    rows = max(settings.candles - settings.pivot_width, 0)
    line_size = size + settings.candles
    first = pivots + pivots // size * settings.candles + settings.pivot_width
    number = np.arange(pivots.size)
    depth = int((number - first.searchsorted(first - rows, side="right")).max()) + 1
    prices = np.full((depth, lines * line_size), np.inf)
    known = (number % depth * prices.shape[1] + first)[:, np.newaxis] + np.arange(rows)
    prices.reshape(-1)[known] = low.take(pivots)[:, np.newaxis]
    return prices.reshape(depth, lines, line_size)[:, :, :size]
