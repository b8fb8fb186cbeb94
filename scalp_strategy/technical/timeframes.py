"""Agreement of the other timeframes with the 15m signal, without a look into the future.

1h is resampled from the 15m candles, complete hours only, known at the hour's close. 5m and 1m
candles are joined as of the 15m close: the last one closed at or before it.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import talib
from pandas import DataFrame

from scalp_strategy.setting_groups.technical import TechnicalSettings, TimeframeSettings
from scalp_strategy.technical.arrays import (
    BoolArray,
    FloatArray,
    IntArray,
    ema_settling,
    shifted,
    unknown,
)
from scalp_strategy.technical.bars import (
    HOUR_NS,
    MINUTE_NS,
    PRIMARY_NS,
    Bars,
    bars_of,
    bridged,
    stretches,
)
from scalp_strategy.technical.silence import last_known

CANDLES_PER_HOUR: Final = HOUR_NS // PRIMARY_NS
STRONG: Final = 2.0


class LowerTimeframes(NamedTuple):
    """What 5m and 1m say at each 15m close, shape (n,), NaN where unknown.

    Attributes
    ----------
    trend_5m : ndarray of float64
        `stack_trend` of the 5m candles, -2..2.
    momentum_1m : ndarray of float64
        Change of the 1m close over `momentum_candles`, in percent.
    stand_in : ndarray of float64
        1 where the last 5m bar stands in for the 1m momentum, 0 where 1m itself speaks.
    """

    trend_5m: FloatArray
    momentum_1m: FloatArray
    stand_in: FloatArray

    def part(self, rows: slice) -> "LowerTimeframes":
        """Return these rows as views."""
        return LowerTimeframes(*(column[rows] for column in self))


def stack_trend(close: FloatArray, settings: TimeframeSettings) -> FloatArray:
    """Return the direction of the EMA stack: -2, -1, 0, 1 or 2.

    The sign is that of fast against medium EMA. It counts twice (strong) when medium against slow
    and price against slow both confirm it, once when one does, not at all when neither does.

    Parameters
    ----------
    close : ndarray of float64, shape (n,)
        Closes without a hole.
    settings : TimeframeSettings
        The three periods (9, 21, 50).

    Returns
    -------
    ndarray of float64, shape (n,)
        NaN before row `slow - 1`.
    """
    fast, medium, slow = (
        talib.EMA(close, period) for period in (settings.fast, settings.medium, settings.slow)
    )
    direction = np.sign(fast - medium)
    confirmations = (np.sign(medium - slow) == direction).astype(np.float64)
    confirmations += np.sign(close - slow) == direction
    trend: FloatArray = np.where(np.isnan(slow), np.nan, direction * confirmations)
    return trend


def hourly_trend(time_ns: IntArray, close: FloatArray, settings: TimeframeSettings) -> FloatArray:
    """Return the trend of the last complete hour at each 15m close.

    An hour is complete when its four candles are there; its last candle already knows it.

    Parameters
    ----------
    time_ns : ndarray of int64, shape (n,)
        15m candle opens without a hole.
    close : ndarray of float64, shape (n,)
        15m closes.
    settings : TimeframeSettings
        EMA periods.

    Returns
    -------
    ndarray of float64, shape (n,)
        `stack_trend` of the hourly closes, -2..2.
    """
    closes_hour = time_ns % HOUR_NS == HOUR_NS - PRIMARY_NS
    closes_hour[: CANDLES_PER_HOUR - 1] = False
    rows = np.flatnonzero(closes_hour)
    if not rows.size:
        return unknown(close.size)
    trend: FloatArray = np.concatenate(([np.nan], stack_trend(close[rows], settings)))
    known: FloatArray = trend[np.cumsum(closes_hour)]
    return known


def hourly_first_known(settings: TimeframeSettings) -> int:
    """Return the latest first row with a known 1h trend (data starting a candle into an hour)."""
    return CANDLES_PER_HOUR * (settings.slow + 1) - 2


def hourly_lookback(settings: TechnicalSettings) -> int:
    """Return the 15m candles before a row from which on the 1h trend has settled."""
    hours = 1 + ema_settling(settings.timeframes.slow, settings.settle_tolerance)
    return CANDLES_PER_HOUR * (hours + 1) - 2


def lower_timeframes(
    time_ns: IntArray,
    candles: tuple[DataFrame | None, DataFrame | None],
    settings: TechnicalSettings,
    memory: int,
) -> LowerTimeframes:
    """Return what 5m and 1m candles say at each 15m close.

    Parameters
    ----------
    time_ns : ndarray of int64, shape (n,)
        15m candle opens, ascending; holes are allowed.
    candles : tuple of DataFrame or None
        Freqtrade candle frames of 5m and of 1m; absent, empty, late and patchy ones leave NaN.
    settings : TechnicalSettings
        EMA periods, momentum window, largest age, which holes are bridged.
    memory : int
        15m candles for which the last momentum is remembered when the 1m candles are lost.

    Returns
    -------
    LowerTimeframes
        Where 1m is unknown the last 5m bar (close against open) stands in for its momentum; it
        says nothing (0) where it is of another sign than the momentum that is remembered, so that
        losing the 1m candles confirms nothing.

    Raises
    ------
    ContractViolation
        A frame has duplicate or unsorted dates, no time zone, or misses a column.
    """
    candles_5m, candles_1m = candles
    trend_5m, bar_5m = _joined(time_ns, candles_5m, 5, settings, (_trend_of, _bar_of))
    (momentum,) = _joined(time_ns, candles_1m, 1, settings, (_momentum_of,))
    stand_in = np.where(np.isnan(momentum), 1.0, 0.0)
    remembered = last_known(momentum, memory)
    contradicts = ~np.isnan(remembered) & (np.sign(remembered) != np.sign(bar_5m))
    substitute = np.where(contradicts & ~np.isnan(bar_5m), 0.0, bar_5m)
    momentum = np.where(np.isnan(momentum), substitute, momentum)
    stand_in[np.isnan(momentum)] = np.nan
    return LowerTimeframes(trend_5m, momentum, stand_in)


def multiplier(
    trend_1h: FloatArray,
    trend_5m: FloatArray,
    momentum_1m: FloatArray,
    settings: TimeframeSettings,
) -> FloatArray:
    """Return the multi-timeframe multiplier for longs; negate the three inputs for shorts.

    Parameters
    ----------
    trend_1h, trend_5m, momentum_1m : ndarray of float64, one shape
        Positive agrees, negative disagrees, 0 and NaN do neither; a 1h trend of -2 disagrees
        strongly.
    settings : TimeframeSettings
        The multipliers.

    Returns
    -------
    ndarray of float64, of that shape
        1.5 all agree, 1.2 1h agrees, 1.0 15m alone, 0.7 1h disagrees, 0.5 strongly.
    """
    with_hour = trend_1h > 0
    with_all = with_hour & (trend_5m > 0) & (momentum_1m > 0)
    out = np.ones(trend_1h.shape)
    out[with_hour] = settings.hour
    out[with_all] = settings.all
    out[trend_1h < 0] = settings.against
    out[trend_1h <= -STRONG] = settings.strongly_against
    return out


_Reading = Callable[[Bars, TimeframeSettings], FloatArray]


def _trend_of(bars: Bars, settings: TimeframeSettings) -> FloatArray:
    # A power of two near the first close keeps TA-Lib's absolute tolerances out of play.
    unit = np.exp2(np.frexp(bars.close[0])[1])
    return stack_trend(bars.close / unit, settings)


def _bar_of(bars: Bars, _settings: TimeframeSettings) -> FloatArray:
    return (bars.close / bars.open - 1.0) * 100.0


def _momentum_of(bars: Bars, settings: TimeframeSettings) -> FloatArray:
    return (bars.close / shifted(bars.close, settings.momentum_candles) - 1.0) * 100.0


def _joined(
    time_ns: IntArray,
    candles: DataFrame | None,
    minutes: int,
    settings: TechnicalSettings,
    readings: tuple[_Reading, ...],
) -> list[FloatArray]:
    if candles is None or candles.empty:
        return [unknown(time_ns.size) for _ in readings]
    bars = bars_of(candles, f"{minutes}m candles")
    step = minutes * MINUTE_NS
    max_age = settings.timeframes.max_age_candles * step
    row, fresh = _as_of(time_ns + PRIMARY_NS, bars.time_ns + step, max_age)
    # Only given candles are joined: within a hole nobody knows yet that it will be a short one.
    whole, given = bridged(bars, step, settings.max_bridged_candles)
    parts = stretches(whole, step, settings.redenomination_factor)
    return [
        np.where(fresh, _by_stretch(whole, parts, reading, settings)[given][row], np.nan)
        for reading in readings
    ]


def _as_of(at: IntArray, closed: IntArray, max_age: int) -> tuple[IntArray, BoolArray]:
    row = np.searchsorted(closed, at, side="right") - 1
    fresh = (row >= 0) & (at - closed[row] <= max_age)
    return np.maximum(row, 0), fresh


def _by_stretch(
    bars: Bars, parts: list[slice], reading: _Reading, settings: TechnicalSettings
) -> FloatArray:
    out = unknown(bars.time_ns.size)
    for rows in parts:
        out[rows] = reading(bars.part(rows), settings.timeframes)
    return out
