"""From sub-scores to the technical score: cheap, so that weights can be tried again and again."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from pandas import DataFrame

from scalp_strategy.contract import LONG, NEUTRAL, SHORT, SIDES, Side
from scalp_strategy.setting_groups.technical import TechnicalSettings
from scalp_strategy.settings import Settings
from scalp_strategy.technical.arrays import BoolArray, FloatArray, quotient
from scalp_strategy.technical.indicators import INDICATORS
from scalp_strategy.technical.indicators.base import FULL_SCORE, NEUTRAL_SCORE

SmallIntArray = npt.NDArray[np.int8]

SCORE_COLUMNS: Final = ("ta_long", "ta_short", "technical_reliability")
COUNT_COLUMNS: Final = ("ta_direction", "ta_agreeing_long", "ta_agreeing_short")


class TechnicalScore(NamedTuple):
    """The combined score, shape (n,) each; the first three float64, the others int8."""

    long: FloatArray
    short: FloatArray
    reliability: FloatArray
    direction: SmallIntArray
    agreeing_long: SmallIntArray
    agreeing_short: SmallIntArray


def technical_score(frame: DataFrame, settings: Settings | None = None) -> DataFrame:
    """Return the technical score of a frame that already has the sub-scores.

    Parameters
    ----------
    frame : DataFrame, n rows
        Has `<indicator>_long/_short` of every indicator and `mtf_long/_short`.
    settings : Settings, optional
        Weights, multi-timeframe mode and direction thresholds; defaults when None.

    Returns
    -------
    DataFrame, n rows
        `ta_long`, `ta_short` (0..100, NaN where no sub-score is known), `technical_reliability`
        (share of the weight that is known, 0..1), `ta_direction` (int8: 1, 0, -1),
        `ta_agreeing_long`, `ta_agreeing_short` (int8).

    Notes
    -----
    Score = weighted mean of the known sub-scores times the multiplier, capped at 100 (`level`),
    or 50 + (mean - 50) times the multiplier, clipped to 0..100 (`centred`).
    """
    columns = {name: frame[name].to_numpy() for name in score_inputs()}
    score = combined_score(columns, (settings or Settings()).technical)
    return DataFrame(
        dict(zip((*SCORE_COLUMNS, *COUNT_COLUMNS), score, strict=True)),
        index=frame.index,
        copy=False,
    )


def score_inputs() -> tuple[str, ...]:
    """Return the columns that `technical_score` reads."""
    names = (*(indicator.name for indicator in INDICATORS), "mtf")
    return tuple(f"{name}_{side}" for name in names for side in SIDES)


def combined_score(columns: Mapping[str, Any], settings: TechnicalSettings) -> TechnicalScore:
    """Return the technical score of columns given as arrays; see `technical_score`."""
    reliability = _known_share(columns, settings)
    long, short = (_side_score(columns, side, reliability, settings) for side in SIDES)
    agreeing_long, agreeing_short = (_agreeing(columns, side, settings) for side in SIDES)
    direction = np.full(long.size, NEUTRAL, dtype=np.int8)
    direction[(long > short) & _qualifies(long, agreeing_long, settings)] = LONG
    direction[(short > long) & _qualifies(short, agreeing_short, settings)] = SHORT
    return TechnicalScore(long, short, reliability, direction, agreeing_long, agreeing_short)


def _known_share(columns: Mapping[str, Any], settings: TechnicalSettings) -> FloatArray:
    # Both sums run in the same order, so that a row with nothing unknown is exactly 1.
    known = np.zeros(columns["mtf_long"].size)
    whole = 0.0
    for indicator in INDICATORS:
        weight = getattr(settings.weights, indicator.name)
        known += weight * ~np.isnan(columns[f"{indicator.name}_long"])
        whole += weight
    return known / whole


def _side_score(
    columns: Mapping[str, Any], side: Side, known: FloatArray, settings: TechnicalSettings
) -> FloatArray:
    total = np.zeros(known.size)
    for indicator in INDICATORS:
        weight = getattr(settings.weights, indicator.name)
        support = columns[f"{indicator.name}_{side}"]
        total += weight * np.where(np.isnan(support), 0.0, support)
    mean = quotient(total, known)
    factor = columns[f"mtf_{side}"]
    if settings.mtf_mode == "level":
        score: FloatArray = mean * factor
    else:
        score = NEUTRAL_SCORE + (mean - NEUTRAL_SCORE) * factor
    return np.clip(score, 0.0, FULL_SCORE)


def _agreeing(columns: Mapping[str, Any], side: Side, settings: TechnicalSettings) -> SmallIntArray:
    # Support that takes no side is equal for both, so "more than the other side" leaves it out.
    other = "short" if side == "long" else "long"
    count = np.zeros(columns[f"mtf_{side}"].size, dtype=np.int8)
    for indicator in INDICATORS:
        support = columns[f"{indicator.name}_{side}"]
        against = columns[f"{indicator.name}_{other}"]
        count += (support >= settings.agreeing_min_score) & (support > against)
    return count


def _qualifies(
    score: FloatArray, agreeing: SmallIntArray, settings: TechnicalSettings
) -> BoolArray:
    enough: BoolArray = agreeing >= settings.direction_min_agreeing
    return enough & (score > settings.direction_min_score)
