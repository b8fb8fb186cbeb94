"""VWAP reclaim: price dips below the day's VWAP, then closes back above it on volume."""

from typing import ClassVar

import numpy as np

from scalp_strategy.contract import Side
from scalp_strategy.setting_groups.technical import TechnicalSettings
from scalp_strategy.technical.arrays import FloatArray, any_nan, last_true, previous_true
from scalp_strategy.technical.bars import DAY_NS, PRIMARY_NS
from scalp_strategy.technical.both_sides import BothSides
from scalp_strategy.technical.patterns.base import Pattern, where_detected


class VwapReclaim(Pattern):
    """Confidence: 60, up to 15 for volume, 10 each for 1h and 5m agreeing.

    The dip and the reclaim belong to the same UTC day, since VWAP starts anew at midnight.
    """

    name: ClassVar[str] = "vwap_reclaim"
    words: ClassVar[dict[Side, str]] = {
        "long": "VWAP reclaimed",
        "short": "VWAP lost again",
    }

    def first_known(self, settings: TechnicalSettings) -> int:
        """Return the first row in which VWAP and volume are known."""
        return max(DAY_NS // PRIMARY_NS - 1, settings.volume.period - 1)

    def lookback(self, settings: TechnicalSettings) -> int:
        """Return the candles needed before a row: the day, and the dip before its last candle."""
        return max(DAY_NS // PRIMARY_NS, settings.volume.period - 1)

    def confidence(self, view: BothSides) -> FloatArray:
        """Return the confidence of a long back above VWAP."""
        patterns = view.settings.patterns
        dip = patterns.reclaim_dip_candles
        above = view.close > view.vwap
        midnight = last_true(view.time_ns % DAY_NS == 0)
        row = np.arange(view.size)
        was_below = np.zeros_like(above)
        was_below[:, 1:] = (view.close < view.vwap)[:, :-1]
        was_above = previous_true(above) >= np.maximum(row - 1 - dip, midnight)
        loud = view.volume_ratio >= patterns.reclaim_volume_ratio
        detected = above & was_below & was_above & loud
        confidence = patterns.reclaim_confidence + view.volume_bonus + view.timeframe_bonus
        return where_detected(detected, confidence, any_nan(view.vwap, view.volume_ratio))
