"""Volume against its 20-candle average: participation, which takes no side.

Anchors: at least twice the average 85, the average 50, at most half 20; linear between.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from scalp_strategy.contract import Side
from scalp_strategy.setting_groups.technical import TechnicalSettings
from scalp_strategy.technical.indicators.base import (
    NEUTRAL_SCORE,
    Indicator,
    Scores,
    score_text,
)
from scalp_strategy.technical.inputs import Inputs


class Volume(Indicator):
    """The volume ratio, for both sides alike."""

    name: ClassVar[str] = "volume"
    direction_free: ClassVar[bool] = True

    def first_known(self, settings: TechnicalSettings) -> int:
        """Return the first row with a known score."""
        return settings.volume.period - 1

    def lookback(self, settings: TechnicalSettings) -> int:
        """Return the candles needed before a row."""
        return settings.volume.period - 1

    def value_columns(self, settings: TechnicalSettings) -> tuple[str, ...]:  # noqa: ARG002
        """Return the names of the raw columns."""
        return ("volume_ratio",)

    def score(self, inputs: Inputs) -> Scores:
        """Return the same support for both sides."""
        settings = inputs.settings.volume
        support = np.interp(
            inputs.volume_ratio,
            (settings.quiet_ratio, settings.normal_ratio, settings.spike_ratio),
            (settings.quiet_score, NEUTRAL_SCORE, settings.spike_score),
        )
        return Scores(support, support, {"volume_ratio": inputs.volume_ratio})

    def reason(self, row: Mapping[str, Any], side: Side, settings: TechnicalSettings) -> str:
        """Say how the volume compares with its average."""
        word = "spike" if row["volume_ratio"] >= settings.volume.spike_ratio else "at"
        return (
            f"Volume {word} {row['volume_ratio']:.1f}x average {score_text(row, self.name, side)}"
        )
