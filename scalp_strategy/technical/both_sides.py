"""The market as both sides see it, so that every pattern is written once, for longs."""

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from scalp_strategy.technical.arrays import FloatArray, mirrored, quotient, ramp, shifted
from scalp_strategy.technical.gaps import Gaps, open_gaps

if TYPE_CHECKING:
    from scalp_strategy.technical.inputs import Inputs


class BothSides:
    """Candles and shared values, shape (2, n): row 0 for longs, row 1 upside down for shorts.

    For shorts prices are negated, so highs become lows, resistance becomes support and a falling
    trend a rising one. Only differences of prices and ratios to ATR keep their meaning; quotients
    of prices do not. What takes no side (ATR, volume, time) keeps the shape (n,).

    Parameters
    ----------
    inputs : Inputs
        The stretch of candles.
    """

    def __init__(self, inputs: "Inputs") -> None:
        self._inputs = inputs
        self.settings = inputs.settings
        self.size = inputs.size
        self.time_ns = inputs.time_ns
        self.atr = inputs.atr
        self.volume = inputs.volume
        self.volume_ratio = inputs.volume_ratio
        self.open: FloatArray = mirrored(inputs.open)
        self.close: FloatArray = mirrored(inputs.close)
        self.high: FloatArray = mirrored(inputs.high, inputs.low)
        self.low: FloatArray = mirrored(inputs.low, inputs.high)

    def ema(self, period: int) -> FloatArray:
        """Return the EMA of the close."""
        return mirrored(self._inputs.ema(period))

    @cached_property
    def vwap(self) -> FloatArray:
        """VWAP of the UTC day."""
        return mirrored(self._inputs.vwap)

    @cached_property
    def trend_1h(self) -> FloatArray:
        """The 1h trend: positive with the side."""
        return mirrored(self._inputs.trend_1h)

    @cached_property
    def trend_5m(self) -> FloatArray:
        """The 5m trend: positive with the side."""
        return mirrored(self._inputs.lower.trend_5m)

    @cached_property
    def levels_known(self) -> FloatArray:
        """1 where the whole pivot window of the previous candle lies in the data, else NaN."""
        return shifted(self._inputs.levels.known)

    @cached_property
    def previous_resistance(self) -> FloatArray:
        """Nearest level ahead of the previous close, known then; NaN where there is none."""
        levels = self._inputs.levels
        return shifted(mirrored(levels.resistance, levels.support))

    @cached_property
    def previous_support(self) -> FloatArray:
        """Nearest level behind the previous close, known then; NaN where there is none."""
        levels = self._inputs.levels
        return shifted(mirrored(levels.support, levels.resistance))

    @cached_property
    def previous_close(self) -> FloatArray:
        """Close of the candle before."""
        return shifted(self.close)

    @cached_property
    def body_low(self) -> FloatArray:
        """The end of the body that is farther from the side's target."""
        return np.minimum(self.open, self.close)

    @cached_property
    def gaps(self) -> Gaps:
        """Nearest unfilled fair value gap in the side's direction."""
        patterns = self.settings.patterns
        smallest = patterns.gap_min_atr * self.atr
        return open_gaps(self.high, self.low, smallest, patterns.gap_max_age_candles)

    @cached_property
    def timeframe_bonus(self) -> FloatArray:
        """Confidence for 1h, and for 5m, agreeing; an unknown one does not agree."""
        agreeing = (self.trend_1h > 0).astype(np.float64) + (self.trend_5m > 0)
        return self.settings.patterns.timeframe_bonus * agreeing

    @cached_property
    def volume_bonus(self) -> FloatArray:
        """Confidence for volume above its average."""
        patterns = self.settings.patterns
        return patterns.volume_bonus * ramp(
            self.volume_ratio, patterns.volume_bonus_from_ratio, patterns.volume_bonus_full_ratio
        )

    @cached_property
    def rejection_bonus(self) -> FloatArray:
        """Confidence for a long wick against the side; none for a candle without a range."""
        patterns = self.settings.patterns
        wick = quotient(self.body_low - self.low, self.high - self.low)
        share = np.where(np.isnan(wick), 0.0, wick)
        return patterns.rejection_bonus * ramp(
            share, patterns.rejection_from, patterns.rejection_full
        )
