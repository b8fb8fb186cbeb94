"""From sub-scores to the technical score: cheap, so that weights can be tried again and again."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from pandas import DataFrame

from scalp_strategy.contract import LONG, NEUTRAL, SHORT, SIDES
from scalp_strategy.setting_groups.technical import TechnicalSettings
from scalp_strategy.settings import Settings
from scalp_strategy.technical.arrays import BoolArray, FloatArray
from scalp_strategy.technical.frame import TRADED_SHARE
from scalp_strategy.technical.indicators import INDICATORS
from scalp_strategy.technical.indicators.base import FULL_SCORE, NEUTRAL_SCORE
from scalp_strategy.technical.silence import last_known, memory_candles

SmallIntArray = npt.NDArray[np.int8]

INDICATOR_NAMES: Final = tuple(indicator.name for indicator in INDICATORS)
SCORE_COLUMNS: Final = ("ta_long", "ta_short", "technical_reliability")
COUNT_COLUMNS: Final = ("ta_direction", "ta_agreeing_long", "ta_agreeing_short")


class TechnicalScore(NamedTuple):
    """The combined score of n rows; first axis long, short where there are two."""

    score: FloatArray
    reliability: FloatArray
    direction: SmallIntArray
    agreeing: SmallIntArray


def technical_score(frame: DataFrame, settings: Settings | None = None) -> DataFrame:
    """Return the technical score of a frame that already has the sub-scores.

    Parameters
    ----------
    frame : DataFrame, n rows
        Has `<indicator>_long/_short` of every indicator, `mtf_long/_short`, and `traded_share`
        where candles without a trade may be among them.
    settings : Settings, optional
        Weights, multi-timeframe mode and direction thresholds; defaults when None.

    Returns
    -------
    DataFrame, n rows
        `ta_long`, `ta_short` (0..100, NaN where no sub-score is known), `technical_reliability`
        (share of the weight that is known, times that of the last candles that traded, 0..1),
        `ta_direction` (int8: 1, 0, -1), `ta_agreeing_long`, `ta_agreeing_short` (int8).

    Notes
    -----
    Score = weighted mean of the sub-scores times the multiplier, capped at 100 (`level`), or
    50 + (mean - 50) times the multiplier, clipped to 0..100 (`centred`). A sub-score that is not
    known counts with its full weight: as min(50, its last value) for `opposition_max_age_s`, then
    as 50, so that losing one never raises the score.
    """
    supports = both_sides(frame, INDICATOR_NAMES)
    (factors,) = both_sides(frame, ("mtf",))
    settings = settings or Settings()
    traded = frame[TRADED_SHARE].to_numpy() if TRADED_SHARE in frame else np.ones(len(frame))
    result = combined_score(supports, factors, traded, settings.technical, memory_candles(settings))
    columns = (*result.score, result.reliability, result.direction, *result.agreeing)
    return DataFrame(
        dict(zip((*SCORE_COLUMNS, *COUNT_COLUMNS), columns, strict=True)),
        index=frame.index,
        copy=False,
    )


def both_sides(frame: DataFrame, names: tuple[str, ...]) -> FloatArray:
    """Return `<name>_long` and `<name>_short` of each name, shape (names, 2, n)."""
    columns = [frame[f"{name}_{side}"].to_numpy() for name in names for side in SIDES]
    return np.array(columns).reshape(len(names), len(SIDES), len(frame))


def combined_score(
    supports: FloatArray,
    factors: FloatArray,
    traded: FloatArray,
    settings: TechnicalSettings,
    memory: int,
) -> TechnicalScore:
    """Return the technical score of sub-scores given as arrays; see `technical_score`.

    Parameters
    ----------
    supports : ndarray of float64, shape (indicators, 2, n)
        Sub-scores in the order of `INDICATORS`, for longs and for shorts.
    factors : ndarray of float64, shape (2, n)
        Multi-timeframe multipliers.
    traded : ndarray of float64, shape (n,)
        `traded_share`.
    settings : TechnicalSettings
        Weights and thresholds.
    memory : int
        `memory_candles`.
    """
    weights = indicator_weights(settings)
    unknown = np.isnan(supports)
    known = _known_share(~unknown[:, 0], weights)
    counted = _counted(supports, unknown, memory) if unknown.any() else supports
    total = _sum_in_order(counted * weights[:, np.newaxis, np.newaxis])
    mean = np.where(known > 0.0, total / float(sum(weights)), np.nan)
    score = _side_scores(mean, factors, settings)
    agreeing = _agreeing(supports, settings)
    direction = _direction(score, agreeing, settings)
    reliability = known * np.where(known > 0.0, traded, 0.0)
    return TechnicalScore(score, reliability, direction, agreeing)


def indicator_weights(settings: TechnicalSettings) -> FloatArray:
    """Return the weights in the order of `INDICATORS`."""
    return np.array([getattr(settings.weights, name) for name in INDICATOR_NAMES])


def taking_side(supports: FloatArray) -> BoolArray:
    """Return where support is known and above that of the other side, shape (indicators, 2, n)."""
    taking: BoolArray = supports > supports[:, ::-1]
    return taking


def _known_share(known: BoolArray, weights: FloatArray) -> FloatArray:
    # Both sums run in the same order, so that a row with nothing unknown is exactly 1.
    return _sum_in_order(known * weights[:, np.newaxis]) / float(sum(weights))


def _counted(supports: FloatArray, unknown: BoolArray, memory: int) -> FloatArray:
    """Return what each sub-score counts as: where unknown, its last opposition or 50.

    A row of which nothing is known begins a stretch anew: what was before it says nothing.
    """
    rows = np.arange(supports.shape[-1])
    begun = np.maximum.accumulate(np.where(unknown.all(axis=(0, 1)), rows, -1))
    remembered = last_known(supports, np.minimum(memory, rows - begun - 1))
    silent = np.where(np.isnan(remembered), NEUTRAL_SCORE, np.minimum(NEUTRAL_SCORE, remembered))
    return np.where(unknown, silent, supports)


def _sum_in_order(terms: FloatArray) -> FloatArray:
    # NumPy's own sum changes its order, and so the last digit, with the number of rows.
    total = np.zeros(terms.shape[1:])
    for term in terms:
        total += term
    return total


def _side_scores(mean: FloatArray, factors: FloatArray, settings: TechnicalSettings) -> FloatArray:
    if settings.mtf_mode == "level":
        score: FloatArray = mean * factors
    else:
        score = NEUTRAL_SCORE + (mean - NEUTRAL_SCORE) * factors
    return np.clip(score, 0.0, FULL_SCORE)


def _agreeing(supports: FloatArray, settings: TechnicalSettings) -> SmallIntArray:
    # Support that takes no side is equal for both, so "more than the other side" leaves it out.
    agrees = (supports >= settings.agreeing_min_score) & taking_side(supports)
    count: SmallIntArray = agrees.sum(axis=0, dtype=np.int8)
    return count


def _direction(
    score: FloatArray, agreeing: SmallIntArray, settings: TechnicalSettings
) -> SmallIntArray:
    enough = (agreeing >= settings.direction_min_agreeing) & (score > settings.direction_min_score)
    long, short = (score > score[::-1]) & enough
    direction = np.full(long.size, NEUTRAL, dtype=np.int8)
    direction[long] = LONG
    direction[short] = SHORT
    return direction
