"""The strongest candle pattern of the row.

50 plus half its confidence for the side it points to; 50 when nothing is detected, or when two
equally strong ones contradict each other.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from scalp_strategy.contract import Side, sign_of
from scalp_strategy.setting_groups.technical import TechnicalSettings
from scalp_strategy.technical.arrays import FloatArray
from scalp_strategy.technical.indicators.base import (
    FULL_SCORE,
    NEUTRAL_SCORE,
    Indicator,
    Scores,
    one_sided,
    score_text,
)
from scalp_strategy.technical.inputs import Inputs
from scalp_strategy.technical.patterns import PATTERNS


class PatternScore(Indicator):
    """Direction and confidence of the strongest pattern; known when any pattern is."""

    name: ClassVar[str] = "pattern"

    def first_known(self, settings: TechnicalSettings) -> int:
        """Return the first row in which any pattern is known."""
        return min(pattern.first_known(settings) for pattern in PATTERNS)

    def lookback(self, settings: TechnicalSettings) -> int:
        """Return the candles needed before a row."""
        return max(pattern.lookback(settings) for pattern in PATTERNS)

    def value_columns(self, settings: TechnicalSettings) -> tuple[str, ...]:
        """Return one column per pattern, then their raw values."""
        raw = (name for pattern in PATTERNS for name in pattern.value_columns(settings))
        return (*(pattern.name for pattern in PATTERNS), *raw)

    def score(self, inputs: Inputs) -> Scores:
        """Return support from the strongest pattern; its signed columns are the values."""
        signed = {pattern.name: pattern.signed(inputs) for pattern in PATTERNS}
        strongest = _strongest(list(signed.values()))
        long = NEUTRAL_SCORE + strongest * (NEUTRAL_SCORE / FULL_SCORE)
        raw = {
            name: values for pattern in PATTERNS for name, values in pattern.values(inputs).items()
        }
        return one_sided(long, signed | raw)

    def reason(self, row: Mapping[str, Any], side: Side, settings: TechnicalSettings) -> str:
        """Name the strongest pattern of the side and its confidence."""
        sign = sign_of(side)
        confidence, words = max(
            (sign * row[pattern.name], pattern.phrase(side, settings))
            for pattern in PATTERNS
            if sign * row[pattern.name] > 0
        )
        return f"{words}, confidence {confidence:.0f} {score_text(row, self.name, side)}"


def _strongest(signed: list[FloatArray]) -> FloatArray:
    # The sum of the best of either side would cancel; the weaker side is dropped instead.
    best: FloatArray = np.fmax.reduce(signed)
    worst: FloatArray = np.fmin.reduce(signed)
    up, down = np.maximum(best, 0.0), np.maximum(-worst, 0.0)
    return np.where(up > down, up, np.where(down > up, -down, up - down))
