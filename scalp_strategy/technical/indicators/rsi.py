"""Relative strength index: oversold in an uptrend is the long, overbought in a downtrend the short.

Anchors: RSI <= 30 in an uptrend 90, without a trend 75, in a downtrend 60; 40 to 60 says nothing;
linear between 30 and 40. Overbought mirrors it.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import talib

from scalp_strategy.contract import Side
from scalp_strategy.setting_groups.technical import TechnicalSettings
from scalp_strategy.technical.arrays import BoolArray, FloatArray, ramp, wilder_settling
from scalp_strategy.technical.indicators.base import (
    NEUTRAL_SCORE,
    Indicator,
    Scores,
    one_sided,
    score_text,
)
from scalp_strategy.technical.inputs import Inputs, trend_first_known, trend_lookback


def is_still(close: FloatArray, period: int) -> BoolArray:
    """Return the rows whose last `period` changes are all zero: RSI is 0 / 0 there."""
    highest: FloatArray = talib.MAX(close, period + 1)
    lowest: FloatArray = talib.MIN(close, period + 1)
    still: BoolArray = highest == lowest
    return still


class Rsi(Indicator):
    """Wilder's RSI, unknown while price stands still."""

    name: ClassVar[str] = "rsi"

    def first_known(self, settings: TechnicalSettings) -> int:
        """Return the first row with a known score."""
        return max(settings.rsi.period, trend_first_known(settings))

    def lookback(self, settings: TechnicalSettings) -> int:
        """Return the candles needed before a row."""
        own = wilder_settling(settings.rsi.period, settings.settle_tolerance)
        return max(own, trend_lookback(settings))

    def value_columns(self, settings: TechnicalSettings) -> tuple[str, ...]:
        """Return the names of the raw columns."""
        return (f"rsi_{settings.rsi.period}",)

    def score(self, inputs: Inputs) -> Scores:
        """Return support from the RSI and the 15m trend."""
        settings = inputs.settings.rsi
        rsi = np.where(is_still(inputs.close, settings.period), np.nan, inputs.rsi)
        oversold = 1.0 - ramp(rsi, settings.oversold, settings.neutral_low)
        overbought = ramp(rsi, settings.neutral_high, settings.overbought)
        with_trend = settings.with_trend_score - NEUTRAL_SCORE
        against = settings.against_trend_score - NEUTRAL_SCORE
        up = inputs.uptrend_share
        long = (
            NEUTRAL_SCORE
            + oversold * (against + (with_trend - against) * up)
            - overbought * (against + (with_trend - against) * (1.0 - up))
        )
        return one_sided(long, {f"rsi_{settings.period}": rsi})

    def reason(self, row: Mapping[str, Any], side: Side, settings: TechnicalSettings) -> str:
        """Say how far RSI is from neutral."""
        words = "oversold bounce" if side == "long" else "overbought rejection"
        rsi = row[f"rsi_{settings.rsi.period}"]
        return f"RSI {words} at {rsi:.0f} {score_text(row, self.name, side)}"
