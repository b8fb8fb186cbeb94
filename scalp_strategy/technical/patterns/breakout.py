"""Breakout: a close above the resistance that was known before, on more than twice the volume."""

from typing import ClassVar

from scalp_strategy.contract import Side
from scalp_strategy.setting_groups.technical import TechnicalSettings
from scalp_strategy.technical import levels
from scalp_strategy.technical.arrays import FloatArray, any_nan
from scalp_strategy.technical.both_sides import BothSides
from scalp_strategy.technical.patterns.base import Pattern, where_detected


class Breakout(Pattern):
    """Confidence: 55, up to 15 for more volume, 10 each for 1h and 5m agreeing."""

    name: ClassVar[str] = "breakout"
    words: ClassVar[dict[Side, str]] = {
        "long": "Breakout above resistance",
        "short": "Breakdown below support",
    }

    def first_known(self, settings: TechnicalSettings) -> int:
        """Return the first row in which the levels before it and the volume are known."""
        return max(levels.first_known(settings.levels) + 1, settings.volume.period - 1)

    def lookback(self, settings: TechnicalSettings) -> int:
        """Return the candles needed before a row."""
        return self.first_known(settings)

    def confidence(self, view: BothSides) -> FloatArray:
        """Return the confidence of a long breakout."""
        patterns = view.settings.patterns
        loud = view.volume_ratio > patterns.breakout_volume_ratio
        detected = (view.close > view.previous_resistance) & loud
        confidence = patterns.breakout_confidence + view.volume_bonus + view.timeframe_bonus
        return where_detected(detected, confidence, any_nan(view.volume_ratio, view.levels_known))
