"""What a candle pattern is."""

from abc import ABC, abstractmethod
from typing import ClassVar, Final

import numpy as np

from scalp_strategy.contract import Side
from scalp_strategy.setting_groups.technical import TechnicalSettings
from scalp_strategy.technical.arrays import BoolArray, FloatArray
from scalp_strategy.technical.both_sides import BothSides
from scalp_strategy.technical.inputs import Inputs

FULL_CONFIDENCE: Final = 100.0


class Pattern(ABC):
    """One pattern, written for longs; the mirrored row makes it one for shorts."""

    name: ClassVar[str]
    words: ClassVar[dict[Side, str]]

    @abstractmethod
    def first_known(self, settings: TechnicalSettings) -> int:
        """Return the first row in which it is known whether the pattern is there.

        Where it depends on the time of day, that of data starting with the 00:15 UTC candle,
        which is the latest.
        """

    @abstractmethod
    def lookback(self, settings: TechnicalSettings) -> int:
        """Return the candles needed before a row until its recursions have settled."""

    @abstractmethod
    def confidence(self, view: BothSides) -> FloatArray:
        """Return 0 (not detected) to 100 for each side, NaN where unknown, shape (2, n)."""

    def phrase(self, side: Side, settings: TechnicalSettings) -> str:  # noqa: ARG002
        """Return the pattern in words, for reasons."""
        return self.words[side]

    def value_columns(self, settings: TechnicalSettings) -> tuple[str, ...]:  # noqa: ARG002
        """Return the names of the raw columns, in the order of `values`."""
        return ()

    def values(self, inputs: Inputs) -> dict[str, FloatArray]:  # noqa: ARG002
        """Return the raw columns."""
        return {}

    def signed(self, inputs: Inputs) -> FloatArray:
        """Return confidence times direction, -100..100, NaN unknown; a tie says nothing."""
        long, short = self.confidence(inputs.both_sides)
        signed: FloatArray = np.where(
            long > short, long, np.where(short > long, -short, long - short)
        )
        return signed


def where_detected(detected: BoolArray, confidence: FloatArray, missing: BoolArray) -> FloatArray:
    """Return the confidence where detected, capped at 100, 0 elsewhere, NaN where unknown."""
    found = np.where(detected, np.minimum(confidence, FULL_CONFIDENCE), 0.0)
    return np.where(missing, np.nan, found)
