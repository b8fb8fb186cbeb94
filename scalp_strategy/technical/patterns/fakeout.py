"""Fakeout (liquidity grab): a wick pierces the level, the body stays inside; trade the reversal."""

from typing import ClassVar

from scalp_strategy.contract import Side
from scalp_strategy.setting_groups.technical import TechnicalSettings
from scalp_strategy.technical import levels
from scalp_strategy.technical.arrays import FloatArray, any_nan, wilder_settling
from scalp_strategy.technical.both_sides import BothSides
from scalp_strategy.technical.patterns.base import Pattern, where_detected


class Fakeout(Pattern):
    """Confidence: 55, up to 15 for volume on the wick, up to 15 for a quick rejection."""

    name: ClassVar[str] = "fakeout"
    words: ClassVar[dict[Side, str]] = {
        "long": "Fakeout below support",
        "short": "Fakeout above resistance",
    }

    def first_known(self, settings: TechnicalSettings) -> int:
        """Return the first row in which the levels before it, volume and ATR are known."""
        volume, atr = settings.volume.period - 1, settings.atr_period
        return max(levels.first_known(settings.levels) + 1, volume, atr)

    def lookback(self, settings: TechnicalSettings) -> int:
        """Return the candles needed before a row."""
        atr = wilder_settling(settings.atr_period, settings.settle_tolerance)
        return max(self.first_known(settings), atr)

    def confidence(self, view: BothSides) -> FloatArray:
        """Return the confidence of a long after stops below support were taken."""
        patterns = view.settings.patterns
        level = view.previous_support
        pierced = view.low < level - patterns.fakeout_min_pierce_atr * view.atr
        detected = pierced & (view.body_low > level)
        confidence = patterns.fakeout_confidence + view.volume_bonus + view.rejection_bonus
        missing = any_nan(view.volume_ratio, view.levels_known, view.atr)
        return where_detected(detected, confidence, missing)
