"""Array helpers of the technical layer: same length out, unknown is NaN, nothing is mutated."""

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
IntArray: TypeAlias = npt.NDArray[np.int64]


def shifted(values: FloatArray, by: int = 1) -> FloatArray:
    """Return the values `by` candles earlier (`by >= 1`); the first `by` are NaN.

    Candles run along the last axis, as in all helpers that take more than one line of them.

    Examples
    --------
    >>> shifted(np.array([1.0, 2.0, 3.0]))
    array([nan,  1.,  2.])
    """
    out = np.empty_like(values)
    out[..., :by] = np.nan
    out[..., by:] = values[..., :-by]
    return out


def mirrored(for_longs: FloatArray, for_shorts: FloatArray | None = None) -> FloatArray:
    """Return two lines: `for_longs`, and what shorts read in its place (the same), negated.

    Examples
    --------
    >>> mirrored(np.array([1.0, 2.0]))
    array([[ 1.,  2.],
           [-1., -2.]])
    """
    out = np.empty((2, for_longs.size))
    out[0] = for_longs
    np.negative(for_longs if for_shorts is None else for_shorts, out=out[1])
    return out


def unknown(size: int) -> FloatArray:
    """Return `size` NaN."""
    return np.full(size, np.nan)


def rolling_sum(values: FloatArray, window: int) -> FloatArray:
    """Return the sum of the last `window` values, each window summed on its own.

    Unlike a running sum it leaves no residue: a NaN or a huge value is forgotten as soon as it
    leaves the window, and the result does not depend on where the array starts.

    Examples
    --------
    >>> rolling_sum(np.array([1.0, np.nan, 2.0, 3.0]), 2)
    array([nan, nan, nan,  5.])
    """
    out = np.full(values.shape, np.nan)
    count = values.shape[-1] - window + 1
    if count > 0:
        out[..., window - 1 :] = _window_totals(values, window, count)
    return out


def _window_totals(values: FloatArray, window: int, count: int) -> FloatArray:
    # The window as blocks of 1, 2, 4, ... values, one for each bit of its length.
    total = np.zeros((*values.shape[:-1], count))
    block, width, offset = values, 1, 0
    while True:
        if window & width:
            total += block[..., offset : offset + count]
            offset += width
        if 2 * width > window:
            return total
        block = block[..., :-width] + block[..., width:]
        width *= 2


def quotient(
    numerator: FloatArray, denominator: FloatArray, floor: FloatArray | float = 0.0
) -> FloatArray:
    """Return numerator / denominator; NaN where the denominator is not above `floor`."""
    out = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=out, where=denominator > floor)
    return out


def ramp(values: FloatArray, start: float, stop: float | FloatArray) -> FloatArray:
    """Return 0 up to `start`, 1 from `stop` on, linear between; NaN stays NaN.

    Examples
    --------
    >>> ramp(np.array([0.0, 1.5, 9.0]), 1.0, 2.0)
    array([0. , 0.5, 1. ])
    """
    return np.minimum(np.maximum((values - start) / (stop - start), 0.0), 1.0)


def any_nan(*arrays: FloatArray) -> BoolArray:
    """Return the rows in which at least one of the arrays is NaN."""
    missing = np.isnan(arrays[0])
    for array in arrays[1:]:
        missing = missing | np.isnan(array)
    return missing


def last_true_within(flags: BoolArray, candles: int) -> BoolArray:
    """Return the rows in which a flag was raised during the last `candles` rows, this one too.

    Examples
    --------
    >>> last_true_within(np.array([True, False, False, False]), 2)
    array([ True,  True, False, False])
    """
    out = flags.copy()
    for offset in range(1, candles):
        out[..., offset:] |= flags[..., :-offset]
    return out


def last_true(flags: BoolArray) -> IntArray:
    """Return the latest candle, up to each, whose flag is raised; -1 before the first.

    Examples
    --------
    >>> last_true(np.array([False, True, False]))
    array([-1,  1,  1])
    """
    latest = np.where(flags, np.arange(flags.shape[-1]), -1)
    return np.maximum.accumulate(latest, axis=-1)


def previous_true(flags: BoolArray) -> IntArray:
    """Return the same up to the candle before each."""
    out = np.full(flags.shape, -1)
    out[..., 1:] = last_true(flags)[..., :-1]
    return out


def ema_settling(period: int, tolerance: float) -> int:
    """Return how many candles an EMA needs until its seed weighs less than `tolerance`.

    The seed is the mean of the first `period` values; k candles later its weight is
    (1 - 2 / (period + 1)) ** k.

    Examples
    --------
    >>> ema_settling(9, 1e-4)
    50
    """
    return period - 1 + _decay(2.0 / (period + 1), tolerance)


def wilder_settling(period: int, tolerance: float) -> int:
    """Return the same for Wilder's average (alpha = 1 / period), which starts one candle later."""
    return period + _decay(1.0 / period, tolerance)


def _decay(alpha: float, tolerance: float) -> int:
    return math.ceil(math.log(tolerance) / math.log1p(-alpha))
