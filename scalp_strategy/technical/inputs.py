"""What one unbroken stretch of candles offers its indicators; shared values are computed once.

Prices are held divided by a power of two near the first close: older TA-Lib releases take any
variance below 1e-14 for zero, which would flatten the bands of coins priced at 1e-6. The division
is exact, so no digit of the result changes. `in_price` scales back what leaves the layer.
"""

import math
from functools import cached_property
from typing import Final

import numpy as np
import talib

from scalp_strategy.setting_groups.technical import TechnicalSettings
from scalp_strategy.technical.arrays import (
    FloatArray,
    IntArray,
    ema_settling,
    quotient,
    rolling_sum,
)
from scalp_strategy.technical.bars import DAY_NS, PRIMARY_NS, Bars
from scalp_strategy.technical.both_sides import BothSides
from scalp_strategy.technical.levels import Levels, pivot_levels
from scalp_strategy.technical.timeframes import LowerTimeframes, hourly_trend

# A range below this share of price is rounding noise, not volatility.
NEGLIGIBLE: Final = 1e-9
CANDLES_PER_DAY: Final = DAY_NS // PRIMARY_NS


class Inputs:
    """The candles of one stretch as arrays, and the values several indicators share.

    Parameters
    ----------
    bars : Bars
        Usable candles without a hole, at least one.
    lower : LowerTimeframes
        5m trend and 1m momentum on the same rows.
    settings : TechnicalSettings
        Periods and thresholds.
    """

    def __init__(self, bars: Bars, lower: LowerTimeframes, settings: TechnicalSettings) -> None:
        self.settings = settings
        self.lower = lower
        self.time_ns: IntArray = bars.time_ns
        self.size = bars.time_ns.size
        self._unit = math.ldexp(1.0, math.frexp(float(bars.close[0]))[1])
        self.open: FloatArray = bars.open / self._unit
        self.high: FloatArray = bars.high / self._unit
        self.low: FloatArray = bars.low / self._unit
        self.close: FloatArray = bars.close / self._unit
        self.volume: FloatArray = np.array(bars.volume)
        self._emas: dict[int, FloatArray] = {}
        self._volume_sums: dict[int, FloatArray] = {}

    def in_price(self, values: FloatArray) -> FloatArray:
        """Return values in the price unit of the candles."""
        return values * self._unit

    def in_atr(self, distance: FloatArray) -> FloatArray:
        """Return a price distance in ATR; NaN where price does not move at all."""
        return quotient(distance, self.atr, NEGLIGIBLE * self.close)

    def ema(self, period: int) -> FloatArray:
        """Return the EMA of the close; first known at row `period - 1`."""
        if period not in self._emas:
            self._emas[period] = talib.EMA(self.close, period)
        return self._emas[period]

    def volume_sum(self, candles: int) -> FloatArray:
        """Return the volume of the last `candles` candles."""
        if candles not in self._volume_sums:
            self._volume_sums[candles] = rolling_sum(self.volume, candles)
        return self._volume_sums[candles]

    @cached_property
    def both_sides(self) -> BothSides:
        """The same candles as longs and as shorts see them, for patterns."""
        return BothSides(self)

    @cached_property
    def atr(self) -> FloatArray:
        """Wilder's average true range; first known at row `atr_period`."""
        atr: FloatArray = talib.ATR(self.high, self.low, self.close, self.settings.atr_period)
        return atr

    @cached_property
    def rsi(self) -> FloatArray:
        """Wilder's RSI as TA-Lib gives it: 0 where nothing has moved, see `is_still`."""
        rsi: FloatArray = talib.RSI(self.close, self.settings.rsi.period)
        return rsi

    @cached_property
    def volume_ratio(self) -> FloatArray:
        """Volume over its average, the current candle included; NaN where nothing was traded."""
        period = self.settings.volume.period
        return quotient(self.volume, self.volume_sum(period) / period)

    @cached_property
    def vwap(self) -> FloatArray:
        """VWAP of the UTC day, see `session_vwap`."""
        typical = (self.high + self.low + self.close) / 3.0
        return session_vwap(self.time_ns, typical, self.volume)

    @cached_property
    def levels(self) -> Levels:
        """Nearest support and resistance."""
        return pivot_levels(self.high, self.low, self.close, self.settings.levels)

    @cached_property
    def trend(self) -> FloatArray:
        """The 15m trend that every indicator means: 1 up, -1 down, 0 none, NaN unknown.

        Up where the slow EMA (50) is above the long one (200) by more than the dead zone in ATR.
        """
        ema = self.settings.ema
        gap = self.ema(ema.slow) - self.ema(ema.long)
        zone = ema.trend_dead_zone_atr * self.atr
        trend = (gap > zone).astype(np.float64) - (gap < -zone)
        np.copyto(trend, np.nan, where=np.isnan(gap) | np.isnan(zone))
        return trend

    @cached_property
    def uptrend_share(self) -> FloatArray:
        """The 15m trend as 1 (up), 0.5 (none) or 0 (down): how much a long goes with it."""
        return (self.trend + 1.0) / 2.0

    @cached_property
    def trend_1h(self) -> FloatArray:
        """Trend of the last complete hour, see `timeframes.stack_trend`."""
        return hourly_trend(self.time_ns, self.close, self.settings.timeframes)


def session_vwap(time_ns: IntArray, typical: FloatArray, volume: FloatArray) -> FloatArray:
    """Return the volume-weighted average price since 00:00 UTC.

    Parameters
    ----------
    time_ns : ndarray of int64
        15m candle opens without a hole, at least one.
    typical : ndarray of float64
        (high + low + close) / 3.
    volume : ndarray of float64
        Traded amount, not negative.

    Returns
    -------
    ndarray of float64
        NaN until the first midnight in the data, so that a known value never depends on where
        the data starts (95 candles at most), and while the day has traded nothing.
    """
    slot = int(time_ns[0] % DAY_NS // PRIMARY_NS)
    days = -(-(slot + time_ns.size) // CANDLES_PER_DAY)
    sums = np.zeros((2, days * CANDLES_PER_DAY))
    rows = slice(slot, slot + time_ns.size)
    np.multiply(typical, volume, out=sums[0, rows])
    sums[1, rows] = volume
    by_day = sums.reshape(2, days, CANDLES_PER_DAY)
    by_day.cumsum(axis=2, out=by_day)
    if time_ns[0] % DAY_NS:
        by_day[:, 0] = 0.0
    return quotient(sums[0, rows], sums[1, rows])


def traded_share(volume: FloatArray, candles: int) -> FloatArray:
    """Return the share of the last candles, or of as many as there are, that had a trade.

    Examples
    --------
    >>> traded_share(np.array([5.0, 0.0, 0.0, 7.0]), 2).tolist()
    [1.0, 0.5, 0.0, 0.5]
    """
    traded = np.cumsum(volume > 0.0)
    before = np.concatenate((np.zeros(candles, dtype=traded.dtype), traded))[: volume.size]
    count = np.minimum(np.arange(1, volume.size + 1), candles)
    share: FloatArray = (traded - before) / count
    return share


def trend_first_known(settings: TechnicalSettings) -> int:
    """Return the first row in which the 15m trend can be known."""
    return max(settings.ema.long - 1, settings.atr_period)


def trend_lookback(settings: TechnicalSettings) -> int:
    """Return the candles before a row from which on the 15m trend has settled."""
    return ema_settling(settings.ema.long, settings.settle_tolerance)
