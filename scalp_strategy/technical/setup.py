"""The short name of the setup behind a row: what trade tags and base rates group by."""

from typing import Final

import numpy as np
from pandas import DataFrame

from scalp_strategy.contract import SIDES, sign_of
from scalp_strategy.setting_groups.technical import TechnicalSettings
from scalp_strategy.settings import Settings
from scalp_strategy.technical.arrays import FloatArray
from scalp_strategy.technical.indicators import INDICATORS
from scalp_strategy.technical.indicators.base import NEUTRAL_SCORE
from scalp_strategy.technical.patterns import PATTERNS
from scalp_strategy.technical.score import (
    INDICATOR_NAMES,
    SmallIntArray,
    both_sides,
    indicator_weights,
    taking_side,
)

NO_SETUP: Final = "none"
PATTERN_NAMES: Final = tuple(pattern.name for pattern in PATTERNS)
LEADING_NAMES: Final = tuple(
    indicator.name
    for indicator in INDICATORS
    if not indicator.direction_free and indicator.name != "pattern"
)
SETUP_COLUMNS: Final = tuple(f"setup_{side}" for side in SIDES)
SIGNS: Final = np.array([sign_of(side) for side in SIDES], dtype=np.float64)
SETUP_NAMES: Final[tuple[str, ...]] = (NO_SETUP, *PATTERN_NAMES, *LEADING_NAMES)


def top_setup(frame: DataFrame, settings: Settings | None = None) -> DataFrame:
    """Return the setup of each row and side as a code into `SETUP_NAMES`.

    The strongest detected pattern of that direction; without one the indicator that takes that
    side and contributes most, (sub-score - 50) x weight; 0 ("none") without either.

    Parameters
    ----------
    frame : DataFrame, n rows
        Has the sub-scores and the pattern columns.
    settings : Settings, optional
        Weights; defaults when None.

    Returns
    -------
    DataFrame, n rows
        `setup_long`, `setup_short` (int8).
    """
    supports = both_sides(frame, INDICATOR_NAMES)
    patterns = np.array([frame[name].to_numpy() for name in PATTERN_NAMES])
    codes = setup_codes(supports, patterns, (settings or Settings()).technical)
    return DataFrame(dict(zip(SETUP_COLUMNS, codes, strict=True)), index=frame.index, copy=False)


def setup_codes(
    supports: FloatArray, patterns: FloatArray, settings: TechnicalSettings
) -> SmallIntArray:
    """Return the codes for longs and for shorts, shape (2, n); see `top_setup`.

    Parameters
    ----------
    supports : ndarray of float64, shape (indicators, 2, n)
        Sub-scores in the order of `INDICATORS`, for longs and for shorts.
    patterns : ndarray of float64, shape (patterns, n)
        Signed confidences in the order of `PATTERNS`.
    settings : TechnicalSettings
        Weights.
    """
    contributions = (supports - NEUTRAL_SCORE) * indicator_weights(settings)[:, None, None]
    np.copyto(contributions, 0.0, where=~taking_side(supports))
    leading = contributions[[INDICATOR_NAMES.index(name) for name in LEADING_NAMES]]
    by_indicator = _place_of_largest(leading, 1 + len(PATTERN_NAMES))
    by_pattern = _place_of_largest(patterns[:, np.newaxis] * SIGNS[:, np.newaxis], 1)
    return np.where(by_pattern > 0, by_pattern, by_indicator)


def _place_of_largest(candidates: FloatArray, start: int) -> SmallIntArray:
    # The first of the largest positive candidates, counted from `start`; 0 without one.
    best = np.zeros(candidates.shape[1:])
    place = np.zeros(best.shape, dtype=np.int8)
    for number, candidate in enumerate(candidates, start=start):
        # Numbers rise, so the larger of two is the later.
        np.maximum(place, (candidate > best) * np.int8(number), out=place)
        np.fmax(best, candidate, out=best)
    return place
