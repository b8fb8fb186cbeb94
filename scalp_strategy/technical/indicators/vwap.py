"""Distance from the VWAP of the UTC day, in ATR.

Anchors: above it 60, rising to 80 at 2 ATR; at it (within 0.1 ATR) 70 for both sides, since it
is a bounce zone that takes no side.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from scalp_strategy.contract import Side
from scalp_strategy.setting_groups.technical import TechnicalSettings
from scalp_strategy.technical.arrays import ramp, wilder_settling
from scalp_strategy.technical.bars import DAY_NS, PRIMARY_NS
from scalp_strategy.technical.indicators.base import FULL_SCORE, Indicator, Scores, score_text
from scalp_strategy.technical.inputs import Inputs


class Vwap(Indicator):
    """Price against the session's VWAP."""

    name: ClassVar[str] = "vwap"

    def first_known(self, settings: TechnicalSettings) -> int:
        """Return the first row with a known score: midnight, or the first ATR."""
        return max(DAY_NS // PRIMARY_NS - 1, settings.atr_period)

    def lookback(self, settings: TechnicalSettings) -> int:
        """Return the candles needed before a row."""
        atr = wilder_settling(settings.atr_period, settings.settle_tolerance)
        return max(DAY_NS // PRIMARY_NS, atr)

    def value_columns(self, settings: TechnicalSettings) -> tuple[str, ...]:  # noqa: ARG002
        """Return the names of the raw columns."""
        return ("vwap",)

    def score(self, inputs: Inputs) -> Scores:
        """Return support from the side of VWAP that price is on."""
        settings = inputs.settings.vwap
        distance = inputs.in_atr(inputs.close - inputs.vwap)
        reach = ramp(np.abs(distance), settings.touch_atr, settings.far_atr)
        near = settings.near_score + (settings.far_score - settings.near_score) * reach
        long = np.where(distance > 0, near, FULL_SCORE - near)
        touching = np.abs(distance) <= settings.touch_atr
        return Scores(
            np.where(touching, settings.touch_score, long),
            np.where(touching, settings.touch_score, FULL_SCORE - long),
            {"vwap": inputs.in_price(inputs.vwap)},
        )

    def reason(self, row: Mapping[str, Any], side: Side, settings: TechnicalSettings) -> str:
        """Say where price is against VWAP."""
        distance = (row["close"] / row["vwap"] - 1.0) * 100.0
        score = score_text(row, self.name, side)
        if row[f"{self.name}_long"] == row[f"{self.name}_short"]:
            return f"Price at VWAP, a bounce zone {score}"
        where = "above" if distance > 0 else "below"
        atr_count = abs(row["close"] - row["vwap"]) / row[f"atr_{settings.atr_period}"]
        return f"Price {abs(distance):.2f}% ({atr_count:.1f} ATR) {where} VWAP {score}"
