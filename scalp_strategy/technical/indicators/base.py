"""What an indicator is."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np

from scalp_strategy.contract import Side
from scalp_strategy.setting_groups.technical import TechnicalSettings
from scalp_strategy.technical.arrays import FloatArray
from scalp_strategy.technical.inputs import Inputs

NEUTRAL_SCORE: Final = 50.0
FULL_SCORE: Final = 100.0


class Scores(NamedTuple):
    """Support for each side, shape (n,), 0..100, 50 says nothing, NaN unknown.

    Attributes
    ----------
    long, short : ndarray of float64
        They add up to 100 where the indicator takes a side, and are equal where it does not.
    raw : dict of str to ndarray of float64
        The raw columns behind the scores, in the price unit of the candles.
    """

    long: FloatArray
    short: FloatArray
    raw: dict[str, FloatArray]


def one_sided(long: FloatArray, raw: dict[str, FloatArray]) -> Scores:
    """Return scores whose short support is the mirror of the long one."""
    return Scores(long, FULL_SCORE - long, raw)


def score_text(row: Mapping[str, Any], name: str, side: Side) -> str:
    """Return "(score: 88)" for an indicator of a row, halves rounded up."""
    return f"(score: {int(np.floor(row[f'{name}_{side}'] + 0.5))})"


class Indicator(ABC):
    """One indicator: a stateless object that declares its history and scores a stretch."""

    name: ClassVar[str]
    direction_free: ClassVar[bool] = False

    @abstractmethod
    def first_known(self, settings: TechnicalSettings) -> int:
        """Return the first row with a known score.

        Where it depends on the time of day, that of data starting with the 00:15 UTC candle,
        which is the latest.
        """

    @abstractmethod
    def lookback(self, settings: TechnicalSettings) -> int:
        """Return the candles needed before a row until its recursions have settled."""

    @abstractmethod
    def value_columns(self, settings: TechnicalSettings) -> tuple[str, ...]:
        """Return the names of the raw columns, in the order of `Scores.raw`."""

    @abstractmethod
    def score(self, inputs: Inputs) -> Scores:
        """Return the support for each side and the raw values."""

    @abstractmethod
    def reason(self, row: Mapping[str, Any], side: Side, settings: TechnicalSettings) -> str:
        """Say in words, with its numbers, why the indicator supports this side in this row."""
