"""What is compared with its own past: the setup of each candle and side, in its volatility.

Neither a setup nor a tercile depends on a weight that hyperopt changes, so every epoch asks the
same question of the same past.
"""

from itertools import combinations
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from pandas import DataFrame

from scalp_strategy.contract import SIDES, sign_of
from scalp_strategy.settings import Settings
from scalp_strategy.technical.arrays import BoolArray, FloatArray, wilder_settling
from scalp_strategy.technical.frame import lookback as technical_lookback
from scalp_strategy.technical.score import both_sides, taking_side
from scalp_strategy.technical.setup import LEADING_NAMES, NO_SETUP, PATTERN_NAMES

SmallIntArray = NDArray[np.int8]

TERCILES: Final = 3
UNKNOWN_TERCILE: Final = -1
_PAIRS: Final = tuple(combinations(range(len(LEADING_NAMES)), 2))
SETUP_LABELS: Final = (
    NO_SETUP,
    *PATTERN_NAMES,
    *LEADING_NAMES,
    *(f"{LEADING_NAMES[one]} + {LEADING_NAMES[other]}" for one, other in _PAIRS),
)
GROUPS: Final = len(SETUP_LABELS) * len(SIDES) * TERCILES
_FIRST_SINGLE: Final = 1 + len(PATTERN_NAMES)
_FIRST_PAIR: Final = _FIRST_SINGLE + len(LEADING_NAMES)
_SIGNS: Final = np.array([sign_of(side) for side in SIDES], dtype=np.float64)


def _combination_codes() -> SmallIntArray:
    # Row and column are two leading indicators in either order; the diagonal is one alone.
    codes = np.zeros((len(LEADING_NAMES), len(LEADING_NAMES)), dtype=np.int8)
    np.fill_diagonal(codes, np.arange(_FIRST_SINGLE, _FIRST_PAIR))
    for code, (one, other) in enumerate(_PAIRS, start=_FIRST_PAIR):
        codes[one, other] = codes[other, one] = code
    return codes


_COMBINATIONS: Final = _combination_codes()


def lookback(settings: Settings | None = None) -> int:
    """Return the 15m candles of history needed before the first row that has a setup.

    Those of the technical layer, or the settled ATR and the window of its tercile.
    """
    settings = settings or Settings()
    technical = settings.technical
    atr = wilder_settling(technical.atr_period, technical.settle_tolerance)
    return max(technical_lookback(settings), atr + settings.base_rate.tercile_candles - 1)


def setup_keys(frame: DataFrame, settings: Settings) -> SmallIntArray:
    """Return the setup of each side and row as a code into `SETUP_LABELS`.

    The strongest pattern detected for the side; without one, the two leading indicators with the
    highest sub-scores among those that take the side and reach `agreeing_min_score`, in either
    order; the one when there is only one; 0 ("none") without any. Of equals the first listed.

    Parameters
    ----------
    frame : DataFrame, n rows
        Has the sub-scores and the pattern columns of `technical_frame`.
    settings : Settings
        `technical.agreeing_min_score`.

    Returns
    -------
    ndarray of int8, shape (2, n)
        Longs, then shorts. Row by row: causal, no look-back of its own.
    """
    patterns = np.array([frame[name].to_numpy(dtype=np.float64) for name in PATTERN_NAMES])
    sided = np.nan_to_num(patterns)[:, np.newaxis] * _SIGNS[:, np.newaxis]
    by_pattern = np.where(sided.max(axis=0) > 0, 1 + sided.argmax(axis=0), 0)
    supports = both_sides(frame, LEADING_NAMES)
    is_leading = taking_side(supports) & (supports >= settings.technical.agreeing_min_score)
    codes = np.where(by_pattern > 0, by_pattern, _leading_codes(supports, is_leading))
    return codes.astype(np.int8)


def _leading_codes(supports: FloatArray, is_leading: BoolArray) -> SmallIntArray:
    score = np.where(is_leading, supports, -np.inf)
    first = score.argmax(axis=0)
    np.put_along_axis(score, first[np.newaxis], -np.inf, axis=0)
    second = np.where(np.isfinite(score.max(axis=0)), score.argmax(axis=0), first)
    return np.where(is_leading.any(axis=0), _COMBINATIONS[first, second], np.int8(0))


def volatility_terciles(atr_pct: FloatArray, candles: int) -> SmallIntArray:
    """Return whether each ATR is among the lowest (0), middle (1) or highest (2) of its window.

    Parameters
    ----------
    atr_pct : ndarray of float64, shape (n,)
        ATR in percent of price; NaN unknown.
    candles : int
        Length of the window, the row itself included. It is fixed, so that a short live frame
        and a long backtest agree.

    Returns
    -------
    ndarray of int8, shape (n,)
        -1 where any value of the window is unknown. Of equals half count as lower.

    Examples
    --------
    >>> volatility_terciles(np.array([5.0, 4.0, 6.0, 1.0]), 3)
    array([-1, -1,  2,  0], dtype=int8)
    """
    terciles = np.full(atr_pct.size, UNKNOWN_TERCILE, dtype=np.int8)
    if atr_pct.size < candles:
        return terciles
    windows = sliding_window_view(atr_pct, candles)
    own = windows[:, -1:]
    lower = np.count_nonzero(windows < own, axis=1)
    not_higher = np.count_nonzero(windows <= own, axis=1)
    share = (lower + not_higher) / (2 * candles)
    unknown_so_far = np.concatenate(([0], np.cumsum(np.isnan(atr_pct))))
    is_known = unknown_so_far[candles:] == unknown_so_far[:-candles]
    places = np.minimum((share * TERCILES).astype(np.int8), np.int8(TERCILES - 1))
    terciles[candles - 1 :] = np.where(is_known, places, np.int8(UNKNOWN_TERCILE))
    return terciles


def group_codes(keys: SmallIntArray, terciles: SmallIntArray) -> NDArray[np.int64]:
    """Return setup, side and tercile as one number below `GROUPS`, -1 where there is none.

    Parameters
    ----------
    keys : ndarray of int8, shape (2, n)
        From `setup_keys`.
    terciles : ndarray of int8, shape (n,)
        From `volatility_terciles`.

    Returns
    -------
    ndarray of int64, shape (2, n)
        (setup * 2 + side) * 3 + tercile.
    """
    sides = np.arange(len(SIDES))[:, np.newaxis]
    codes = (keys.astype(np.int64) * len(SIDES) + sides) * TERCILES + terciles
    return np.where((keys > 0) & (terciles != UNKNOWN_TERCILE), codes, -1)


def side_places(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return 0 for groups of longs, 1 for those of shorts."""
    places: NDArray[np.int64] = groups // TERCILES % len(SIDES)
    return places


def setup_codes(groups: NDArray[np.int64]) -> SmallIntArray:
    """Return the codes into `SETUP_LABELS` of groups; 0 ("none") for -1."""
    return (np.maximum(groups, 0) // (TERCILES * len(SIDES))).astype(np.int8)
