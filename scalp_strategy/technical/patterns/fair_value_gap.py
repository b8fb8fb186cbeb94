"""Fair value gap: price trades back into the nearest unfilled gap, and holds it."""

from typing import ClassVar

import numpy as np

from scalp_strategy.contract import Side
from scalp_strategy.setting_groups.technical import TechnicalSettings
from scalp_strategy.technical.arrays import FloatArray, any_nan, shifted, wilder_settling
from scalp_strategy.technical.both_sides import BothSides
from scalp_strategy.technical.inputs import Inputs
from scalp_strategy.technical.patterns.base import Pattern, where_detected


class FairValueGap(Pattern):
    """Confidence: 60, up to 15 for rejection, 10 each for 1h and 5m agreeing.

    The opening of a gap shows in `fvg_top` and `fvg_bottom`; the signal is the retest.
    """

    name: ClassVar[str] = "fair_value_gap"
    words: ClassVar[dict[Side, str]] = {
        "long": "Bullish fair value gap retest",
        "short": "Bearish fair value gap retest",
    }

    def first_known(self, settings: TechnicalSettings) -> int:
        """Return the first row before which every gap that may still be open was seen opening."""
        return settings.patterns.gap_max_age_candles + settings.atr_period

    def lookback(self, settings: TechnicalSettings) -> int:
        """Return the candles needed before a row: gaps are measured in ATR when they open."""
        atr = wilder_settling(settings.atr_period, settings.settle_tolerance)
        return settings.patterns.gap_max_age_candles + atr

    def confidence(self, view: BothSides) -> FloatArray:
        """Return the confidence of a long from a gap below."""
        top, bottom = (shifted(edge) for edge in view.gaps)
        entering = (view.previous_close >= top) & (view.low <= top)
        detected = entering & (view.close > bottom)
        confidence = (
            view.settings.patterns.gap_confidence + view.rejection_bonus + view.timeframe_bonus
        )
        seen = shifted(view.atr, view.settings.patterns.gap_max_age_candles)
        return where_detected(detected, confidence, any_nan(seen))

    def value_columns(self, settings: TechnicalSettings) -> tuple[str, ...]:  # noqa: ARG002
        """Return the names of the raw columns."""
        return ("fvg_top", "fvg_bottom")

    def values(self, inputs: Inputs) -> dict[str, FloatArray]:
        """Return the unfilled gap nearest to the close, of either direction; NaN if none."""
        sides = inputs.both_sides
        near, far = sides.gaps
        distance = np.where(np.isnan(near), np.inf, sides.close - near)
        is_bull = distance[0] <= distance[1]
        return {
            "fvg_top": inputs.in_price(np.where(is_bull, near[0], -far[1])),
            "fvg_bottom": inputs.in_price(np.where(is_bull, far[0], -near[1])),
        }
