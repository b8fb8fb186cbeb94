"""MACD (12, 26, 9): the histogram's crosses and growth.

Anchors: a fresh cross above the signal line is 75 to 90 by its strength in ATR; a histogram that
grows on its side adds 10, capped at 100. Without either it says nothing.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import talib

from scalp_strategy.contract import Side
from scalp_strategy.setting_groups.technical import MacdSettings, TechnicalSettings
from scalp_strategy.technical.arrays import (
    FloatArray,
    any_nan,
    ema_settling,
    last_true_within,
    mirrored,
    ramp,
    shifted,
    wilder_settling,
)
from scalp_strategy.technical.indicators.base import (
    FULL_SCORE,
    NEUTRAL_SCORE,
    Indicator,
    Scores,
    one_sided,
    score_text,
)
from scalp_strategy.technical.inputs import Inputs


class Macd(Indicator):
    """MACD line against its signal line."""

    name: ClassVar[str] = "macd"

    def first_known(self, settings: TechnicalSettings) -> int:
        """Return the first row in which the whole fresh window is known."""
        macd = settings.macd
        histogram = macd.slow + macd.signal - 2
        return max(histogram + macd.fresh_cross_candles, settings.atr_period)

    def lookback(self, settings: TechnicalSettings) -> int:
        """Return the candles needed before a row: slow EMA, then signal EMA, then the cross."""
        macd, tolerance = settings.macd, settings.settle_tolerance
        lines = ema_settling(macd.slow, tolerance) + ema_settling(macd.signal, tolerance)
        atr = wilder_settling(settings.atr_period, tolerance)
        return max(lines + macd.fresh_cross_candles, atr)

    def value_columns(self, settings: TechnicalSettings) -> tuple[str, ...]:  # noqa: ARG002
        """Return the names of the raw columns."""
        return ("macd", "macd_signal", "macd_hist")

    def score(self, inputs: Inputs) -> Scores:
        """Return support from fresh crosses and a growing histogram."""
        settings = inputs.settings.macd
        lines = talib.MACD(inputs.close, settings.fast, settings.slow, settings.signal)
        histogram = lines[2]
        strength = ramp(np.abs(inputs.in_atr(histogram)), 0.0, settings.cross_full_strength_atr)
        bull, bear = _support(mirrored(histogram), strength, settings)
        long = NEUTRAL_SCORE + bull - bear
        window_start = shifted(histogram, settings.fresh_cross_candles)
        np.copyto(long, np.nan, where=any_nan(window_start, strength))
        names = self.value_columns(inputs.settings)
        values = (inputs.in_price(line) for line in lines)
        return one_sided(long, dict(zip(names, values, strict=True)))

    def reason(self, row: Mapping[str, Any], side: Side, settings: TechnicalSettings) -> str:
        """Say whether it crossed or only grows."""
        turn = "above" if side == "long" else "below"
        crossed = row[f"{self.name}_{side}"] >= settings.macd.cross_weak_score
        growing = "rising" if side == "long" else "falling"
        text = f"MACD crossed {turn} its signal" if crossed else f"MACD histogram {growing}"
        return f"{text}, histogram {row['macd_hist']:.3g} {score_text(row, self.name, side)}"


def _support(histogram: FloatArray, strength: FloatArray, settings: MacdSettings) -> FloatArray:
    # Of both sides: distance above 50 where the histogram is positive; 0 on the other side.
    before = shifted(histogram)
    ahead = histogram > 0
    crossed = last_true_within((before <= 0) & ahead, settings.fresh_cross_candles) & ahead
    growing = (before > 0) & (histogram > before)
    weak, strong = settings.cross_weak_score, settings.cross_strong_score
    cross = weak + (strong - weak) * strength - NEUTRAL_SCORE
    support = np.where(crossed, cross, 0.0) + settings.growing_bonus * growing
    capped: FloatArray = np.minimum(support, FULL_SCORE - NEUTRAL_SCORE)
    return capped
