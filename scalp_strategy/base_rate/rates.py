"""What the past of a setup says at each candle: decayed, shrunk, and only what had ended by then.

For a setup with its side and its volatility tercile (a group), over all pairs and over the pair
itself, with weights w:

- An occurrence counts from the candle *after* the one it ended in: live, the pairs of one candle
  are analysed one after another, and so no result depends on their order.
- ``w = 2 ** (-age / half_life) / overlap``, its age counted from its end. ``overlap`` is how many
  occurrences of the same group began within one holding time up to its own beginning, itself
  included: ten coins that break out together, or one that flickers, are one observation and not
  ten. So ``n = sum(w)`` counts separate episodes. That is the cautious end: they are treated as
  if they were the same trade.
- ``rate_all = (n * mean + prior_all * overall) / (n + prior_all)``, ``overall`` being that of all
  occurrences of the side; and ``rate_pair = (n_pair * mean_pair + prior_pair * rate_all) /
  (n_pair + prior_pair)``. Many groups are looked at, so that the best of them is good by chance:
  shrinking them all is what keeps the layer silent on noise. The pair's own occurrences are
  part of both means; with many pairs that is little.
- ``score = 50 + points_per_r * (rate_pair - overall)`` of the result *before* cost. A cost is
  known at the entry and needs no statistics; it is shown, and `risk.min_net_rr` judges it. In net
  R a quiet pair, whose stop is narrow, would score badly with every setup, and all of the layer
  would say what its cost says. Win rate and mean R are told net of cost, as they were.
- ``reliability = n / (n + prior_all)``.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from pandas import DataFrame, Index

from scalp_strategy.base_rate.compiled import compiled
from scalp_strategy.base_rate.outcomes import NOT_RESOLVED, Occurrences, PairSetups
from scalp_strategy.base_rate.setups import setup_codes, side_places
from scalp_strategy.contract import SIDES, Side, layer_column
from scalp_strategy.setting_groups.base_rate import BaseRateSettings
from scalp_strategy.settings import Settings
from scalp_strategy.technical.arrays import FloatArray, IntArray

LAYER: Final = "base_rate"
NEUTRAL_SCORE: Final = 50.0
FULL_SCORE: Final = 100.0
CANDLES_PER_DAY: Final = 96
_CODE_SHIFT: Final = 32  # a code and a candle number as one sortable number


class Tally(NamedTuple):
    """Decayed sums after each occurrence of a code, in order of code and candle of its end.

    Attributes
    ----------
    place : ndarray of int64, shape (n,)
        Code and candle of the end as one number, ascending.
    sums : ndarray of float64, shape (n, 4)
        As of that end: weight; weight times gross R, net R, 1 if won.
    """

    place: IntArray
    sums: FloatArray


class Opening(NamedTuple):
    """What had ended up to a candle, already added up: one row for each code."""

    candle: int
    known: Tally


NOTHING: Final = Opening(-1, Tally(np.zeros(0, dtype=np.int64), np.zeros((0, 4))))


class Past(NamedTuple):
    """The past of all pairs together, ready to be asked about any candle."""

    by_group: Tally
    by_side: Tally


def past_of(
    occurrences: Occurrences,
    settings: Settings,
    openings: tuple[Opening, Opening] = (NOTHING, NOTHING),
) -> Past:
    """Return the past that these occurrences, of all pairs, make; see `tally`."""
    by_group, by_side = openings
    return Past(
        tally(occurrences, occurrences.group, settings, by_group),
        tally(occurrences, side_places(occurrences.group), settings, by_side),
    )


def tally(
    occurrences: Occurrences, code: IntArray, settings: Settings, opening: Opening = NOTHING
) -> Tally:
    """Add up occurrences by code.

    Parameters
    ----------
    occurrences : Occurrences
        In any order, those that have not ended included: they overlap with others.
    code : ndarray of int64, shape (n,)
        What is added up together, not negative.
    settings : Settings
        Half-life, and the holding time within which occurrences overlap.
    opening : Opening
        From `settled`: what ended up to its candle is in there, and not added again. Then
        occurrences that began more than two holding times before that candle may be missing.

    Returns
    -------
    Tally
        Cut off the occurrences after any candle, and the sums up to it are the same to the bit.
    """
    hold = settings.risk.ladder.max_hold_candles
    weight = 1.0 / overlaps(occurrences.candle, code, hold)
    resolved = occurrences.resolved
    rows = np.flatnonzero((resolved != NOT_RESOLVED) & (resolved > opening.candle))
    gross, net = occurrences.gross_r[rows], occurrences.net_r[rows]
    values: FloatArray = np.column_stack((np.ones(rows.size), gross, net, net > 0))
    values *= weight[rows, np.newaxis]
    place = np.concatenate((opening.known.place, _places(code[rows], resolved[rows])))
    order = np.argsort(place, kind="stable")
    sums = np.concatenate((opening.known.sums, values))[order]
    _accumulate(place[order], sums, _half_life(settings.base_rate))
    return Tally(place[order], sums)


def settled(known: Tally, candle: int) -> Opening:
    """Return what had ended up to a candle, for all who will only be asked about later ones."""
    code = known.place >> _CODE_SHIFT
    is_early = known.place - (code << _CODE_SHIFT) <= candle
    is_last = is_early.copy()
    is_last[:-1] &= ~is_early[1:] | (code[1:] != code[:-1])
    return Opening(candle, Tally(known.place[is_last], known.sums[is_last]))


def overlaps(candle: IntArray, code: IntArray, candles: int) -> IntArray:
    """Return how many of the same code began within `candles` candles up to each, itself included.

    Examples
    --------
    >>> overlaps(np.array([7, 7, 8, 16]), np.array([0, 0, 0, 0]), 8).tolist()
    [2, 2, 3, 1]
    """
    place = _places(code, candle)
    ordered = np.sort(place)
    up_to = np.searchsorted(ordered, place, side="right")
    before = np.searchsorted(ordered, _places(code, candle - candles), side="right")
    count: IntArray = up_to - before
    return count


@compiled
def _accumulate(place: IntArray, sums: FloatArray, half_life: float) -> None:
    # In place: each row becomes the decayed sum of the rows of its code up to it.
    for row in range(1, len(place)):
        if place[row] >> _CODE_SHIFT == place[row - 1] >> _CODE_SHIFT:
            decay = 2.0 ** ((place[row - 1] - place[row]) / half_life)
            for column in range(sums.shape[1]):
                sums[row, column] += decay * sums[row - 1, column]


def sums_at(known: Tally, code: IntArray, candle: IntArray, half_life: float) -> FloatArray:
    """Return the decayed sums of a code over what had ended before a candle.

    Parameters
    ----------
    known : Tally
        The sums.
    code, candle : ndarray of int64, shape (n,)
        What is asked, and at which candle.
    half_life : float
        Candles after which an occurrence counts half.

    Returns
    -------
    ndarray of float64, shape (n, 4)
        Columns as in `Tally`; zeros where nothing had ended, or the code is negative.
    """
    place = _places(code, candle - 1)
    row = np.searchsorted(known.place, place, side="right") - 1
    if not known.place.size:
        return np.zeros((code.size, known.sums.shape[1]))
    found = known.place[np.maximum(row, 0)]
    is_same = (row >= 0) & (found >> _CODE_SHIFT == code)
    decay = np.where(is_same, 2.0 ** (np.where(is_same, found - place, 0) / half_life), 0.0)
    return known.sums[np.maximum(row, 0)] * decay[:, np.newaxis]


def base_rate_columns(
    setups: PairSetups, past: Past, own: Tally, settings: Settings, index: "Index[Any]"
) -> DataFrame:
    """Return what the past says at each candle of a pair.

    Parameters
    ----------
    setups : PairSetups
        The pair's setups, n candles.
    past : Past
        The past of all pairs.
    own : Tally
        The pair's own occurrences by group.
    settings : Settings
        Half-life, priors, points, and the samples below which nothing is said.
    index : Index
        Labels of the rows.

    Returns
    -------
    DataFrame, n rows
        `base_rate_long`, `base_rate_short` (0..100; 50 = no better than any entry of the side),
        `base_rate_reliability` (0..1), and for each side `base_rate_win_rate_<side>` (0..1) and
        `base_rate_mean_r_<side>` (R), both net of cost, `base_rate_samples_<side>` (n over all
        pairs) and `base_rate_setup_<side>` (int8, a code into `SETUP_LABELS`).

    Notes
    -----
    A side without a setup or with too few samples has NaN in its own columns. Its score is 50
    while the other side's is known, since a layer speaks for both at once; when neither is known
    both scores are NaN and the reliability is 0. Of two reliabilities the lower one counts.
    """
    sides = [_side(setups, place, past, own, settings.base_rate) for place in range(len(SIDES))]
    score = np.array([one.score for one in sides])
    reliability = np.fmin.reduce([one.reliability for one in sides])
    is_known = np.isfinite(score).any(axis=0)
    score[np.isnan(score) & is_known] = NEUTRAL_SCORE
    columns: dict[str, Any] = {
        layer_column(LAYER, side): row for side, row in zip(SIDES, score, strict=True)
    }
    columns[layer_column(LAYER, "reliability")] = np.where(is_known, reliability, 0.0)
    for place, (side, rates) in enumerate(zip(SIDES, sides, strict=True)):
        columns[side_column("win_rate", side)] = rates.win_rate
        columns[side_column("mean_r", side)] = rates.mean_r
        columns[side_column("samples", side)] = rates.samples
        columns[side_column("setup", side)] = setup_codes(setups.group[place])
    return DataFrame(columns, index=index)


def side_column(name: str, side: Side) -> str:
    """Return the name of one of a side's own columns, e.g. ``base_rate_samples_long``."""
    return f"{LAYER}_{name}_{side}"


class _SideRates(NamedTuple):
    score: FloatArray
    reliability: FloatArray
    win_rate: FloatArray
    mean_r: FloatArray
    samples: FloatArray


def _side(
    setups: PairSetups, place: int, past: Past, own: Tally, settings: BaseRateSettings
) -> _SideRates:
    group, candle = setups.group[place], setups.candle
    side = np.full(candle.size, place, dtype=np.int64)
    half_life = _half_life(settings)
    overall_n, overall = _means(sums_at(past.by_side, side, candle, half_life))
    samples, mean = _means(sums_at(past.by_group, group, candle, half_life))
    rate = _shrunk(samples, mean, settings.prior_all, overall)
    rate = _shrunk(*_means(sums_at(own, group, candle, half_life)), settings.prior_pair, rate)
    is_known = (group >= 0) & (samples >= settings.min_samples) & (overall_n > 0)
    points = NEUTRAL_SCORE + settings.points_per_r * (rate[0] - overall[0])
    columns = (
        np.clip(points, 0.0, FULL_SCORE),
        samples / (samples + settings.prior_all),
        rate[2],
        rate[1],
        samples,
    )
    return _SideRates(*(np.where(is_known, values, np.nan) for values in columns))


def _means(sums: FloatArray) -> tuple[FloatArray, FloatArray]:
    # Weight, and the means of gross R, net R and won, shape (3, n); 0 where there is no weight.
    weight = sums[:, 0]
    return weight, sums[:, 1:].T / np.where(weight > 0, weight, 1.0)


def _shrunk(n: FloatArray, mean: FloatArray, prior: float, towards: FloatArray) -> FloatArray:
    return (n * mean + prior * towards) / (n + prior)


def _places(code: IntArray, candle: IntArray) -> IntArray:
    return (code << _CODE_SHIFT) + candle


def _half_life(settings: BaseRateSettings) -> float:
    return settings.half_life_days * CANDLES_PER_DAY
