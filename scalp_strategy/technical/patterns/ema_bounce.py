"""EMA bounce: a pullback's wick touches the 21 EMA, its body holds, 1h agrees, volume rises."""

from typing import ClassVar

from scalp_strategy.contract import Side
from scalp_strategy.setting_groups.technical import TechnicalSettings
from scalp_strategy.technical.arrays import (
    FloatArray,
    any_nan,
    ema_settling,
    shifted,
    wilder_settling,
)
from scalp_strategy.technical.both_sides import BothSides
from scalp_strategy.technical.patterns.base import Pattern, where_detected
from scalp_strategy.technical.timeframes import hourly_first_known, hourly_lookback


class EmaBounce(Pattern):
    """Confidence: 60, up to 15 each for volume and rejection, 10 each for 1h and 5m agreeing."""

    name: ClassVar[str] = "ema_bounce"
    words: ClassVar[dict[Side, str]] = {
        "long": "Price touching {} EMA support",
        "short": "Price touching {} EMA resistance",
    }

    def first_known(self, settings: TechnicalSettings) -> int:
        """Return the first row in which EMA, ATR, volume and the 1h trend are known."""
        own = max(settings.ema.medium, settings.atr_period, settings.volume.period - 1)
        return max(own, hourly_first_known(settings.timeframes))

    def lookback(self, settings: TechnicalSettings) -> int:
        """Return the candles needed before a row."""
        tolerance = settings.settle_tolerance
        ema = ema_settling(settings.ema.medium, tolerance) + 1
        atr = wilder_settling(settings.atr_period, tolerance)
        return max(ema, atr, settings.volume.period - 1, hourly_lookback(settings))

    def phrase(self, side: Side, settings: TechnicalSettings) -> str:
        """Return the pattern in words, with the EMA's period."""
        return self.words[side].format(settings.ema.medium)

    def confidence(self, view: BothSides) -> FloatArray:
        """Return the confidence of a long at the EMA."""
        patterns = view.settings.patterns
        ema = view.ema(view.settings.ema.medium)
        touched = view.low <= ema + patterns.bounce_touch_atr * view.atr
        held = (view.body_low > ema) & (view.previous_close > shifted(ema))
        rising_volume = view.volume > shifted(view.volume)
        detected = touched & held & rising_volume & (view.trend_1h > 0)
        confidence = (
            patterns.bounce_confidence
            + view.volume_bonus
            + view.rejection_bonus
            + view.timeframe_bonus
        )
        missing = any_nan(shifted(ema), view.atr, view.trend_1h, view.volume_ratio)
        return where_detected(detected, confidence, missing)
