"""What is remembered of an input that is lost: its last value, for as long as opposition counts."""

from typing import Final

import numpy as np

from scalp_strategy.contract import CANDLE_MS
from scalp_strategy.settings import Settings
from scalp_strategy.technical.arrays import FloatArray, IntArray

_MS_PER_S: Final = 1_000


def memory_candles(settings: Settings) -> int:
    """Return for how many candles the last value of what is lost is remembered."""
    return settings.confluence.opposition_max_age_s * _MS_PER_S // CANDLE_MS


def last_known(values: FloatArray, memory: int | IntArray) -> FloatArray:
    """Return the last value at or before each row that is not NaN.

    Parameters
    ----------
    values : ndarray of float64, shape (..., n)
        Rows in the last axis.
    memory : int, or ndarray of int64, shape (n,)
        Rows for which a value is remembered, at each row.

    Returns
    -------
    ndarray of float64, of that shape
        NaN where nothing was known, or too long ago. Causal.

    Examples
    --------
    >>> last_known(np.array([np.nan, 7.0, np.nan, np.nan]), memory=1).tolist()
    [nan, 7.0, 7.0, nan]
    """
    rows = np.arange(values.shape[-1])
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, rows), axis=-1)
    is_remembered = (last >= 0) & (rows - last <= memory)
    return np.where(is_remembered, np.take_along_axis(values, np.maximum(last, 0), axis=-1), np.nan)
