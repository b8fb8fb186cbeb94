"""Nearness to the support or resistance of the last 100 candles' pivots.

Anchors: within 0.3 % above support in an uptrend 90, without a trend half of that, in a downtrend
nothing; fading to 50 at 0.6 %. Resistance mirrors it.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from scalp_strategy.contract import Side
from scalp_strategy.setting_groups.technical import TechnicalSettings
from scalp_strategy.technical import levels
from scalp_strategy.technical.arrays import FloatArray, ramp
from scalp_strategy.technical.indicators.base import (
    NEUTRAL_SCORE,
    Indicator,
    Scores,
    one_sided,
    score_text,
)
from scalp_strategy.technical.inputs import Inputs, trend_first_known, trend_lookback


class SupportResistance(Indicator):
    """Bounce at support with the trend, rejection at resistance with the trend."""

    name: ClassVar[str] = "support_resistance"

    def first_known(self, settings: TechnicalSettings) -> int:
        """Return the first row with a known score."""
        return max(levels.first_known(settings.levels), trend_first_known(settings))

    def lookback(self, settings: TechnicalSettings) -> int:
        """Return the candles needed before a row."""
        return max(levels.first_known(settings.levels), trend_lookback(settings))

    def value_columns(self, settings: TechnicalSettings) -> tuple[str, ...]:  # noqa: ARG002
        """Return the names of the raw columns."""
        return ("support", "resistance")

    def score(self, inputs: Inputs) -> Scores:
        """Return support from the nearest level on either side of price."""
        settings = inputs.settings.levels
        support, resistance, known = inputs.levels

        def nearness(distance: FloatArray) -> FloatArray:
            near = 1.0 - ramp(distance / inputs.close * 100.0, settings.near_pct, settings.far_pct)
            return np.where(np.isnan(distance), 0.0, near)

        up = inputs.uptrend_share
        bounce = nearness(inputs.close - support) * up
        rejection = nearness(resistance - inputs.close) * (1.0 - up)
        reach = settings.near_score - NEUTRAL_SCORE
        long = (NEUTRAL_SCORE + reach * (bounce - rejection)) * known
        values = {
            "support": inputs.in_price(support),
            "resistance": inputs.in_price(resistance),
        }
        return one_sided(long, values)

    def reason(self, row: Mapping[str, Any], side: Side, settings: TechnicalSettings) -> str:  # noqa: ARG002
        """Say which level price is at, and how far from it."""
        level = "support" if side == "long" else "resistance"
        distance = abs(row["close"] / row[level] - 1.0) * 100.0
        score = score_text(row, self.name, side)
        return f"Price {distance:.2f}% from {level} {row[level]:.6g} {score}"
