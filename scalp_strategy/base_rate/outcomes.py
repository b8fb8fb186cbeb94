"""How each occurrence of a setup ended, by the ladder's own rules.

An occurrence is the candle in which a side's setup differs from that of the candle before. It is
entered at the close with the plan of the risk settings (no regime factor, so that a label never
depends on outside data), and played through the 15m candles that follow: the same trade that
`scalp_strategy.risk.replay` plays, which is the reference of the compiled loop here.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from pandas import DataFrame

from scalp_strategy.base_rate.compiled import compiled
from scalp_strategy.base_rate.setups import (
    UNKNOWN_TERCILE,
    SmallIntArray,
    group_codes,
    lookback,
    setup_keys,
    volatility_terciles,
)
from scalp_strategy.contract import SIDES, sign_of
from scalp_strategy.risk import stop_distance
from scalp_strategy.setting_groups.risk import RiskSettings
from scalp_strategy.settings import Settings
from scalp_strategy.technical.arrays import BoolArray, FloatArray, IntArray
from scalp_strategy.technical.bars import PRIMARY_NS, Bars, bars_of, stretches

NOT_RESOLVED: Final = np.iinfo(np.int32).max  # later than any candle
_SIGNS: Final = np.array([sign_of(side) for side in SIDES], dtype=np.float64)


class Occurrences(NamedTuple):
    """Occurrences of setups as arrays of one length, in order of candle, longs first.

    Attributes
    ----------
    candle : ndarray of int64
        Number of the candle since the epoch (its open over 15 minutes) at whose close it began.
    group : ndarray of int64
        Setup, side and tercile, see `group_codes`.
    resolved : ndarray of int64
        Number of the candle in which it ended; `NOT_RESOLVED` while it has not, and for ever when
        candles are missing before its end.
    gross_r, net_r : ndarray of float64
        Result in R before and after cost; NaN while it is not resolved.
    """

    candle: IntArray
    group: IntArray
    resolved: IntArray
    gross_r: FloatArray
    net_r: FloatArray

    def part(self, rows: IntArray | BoolArray | slice) -> "Occurrences":
        """Return these rows."""
        return Occurrences(
            self.candle[rows],
            self.group[rows],
            self.resolved[rows],
            self.gross_r[rows],
            self.net_r[rows],
        )


def joined(parts: Sequence[Occurrences]) -> Occurrences:
    """Return the occurrences of several, one after the other; none of none."""
    none = np.zeros(0, dtype=np.int64)
    return Occurrences(
        np.concatenate([none, *(part.candle for part in parts)]),
        np.concatenate([none, *(part.group for part in parts)]),
        np.concatenate([none, *(part.resolved for part in parts)]),
        np.concatenate([np.zeros(0), *(part.gross_r for part in parts)]),
        np.concatenate([np.zeros(0), *(part.net_r for part in parts)]),
    )


class PairSetups(NamedTuple):
    """What one pair's frame says: the group of each candle and side, and what came of them.

    Attributes
    ----------
    candle : ndarray of int64, shape (n,)
        Numbers of the candles.
    group : ndarray of int64, shape (2, n)
        For longs and shorts; -1 without a setup, in warm-up and where the volatility is unknown.
    occurrences : Occurrences
        In order of candle.
    """

    candle: IntArray
    group: IntArray
    occurrences: Occurrences


def pair_setups(frame: DataFrame, settings: Settings) -> PairSetups:
    """Find the setups of a pair's candles and label those that have ended.

    Parameters
    ----------
    frame : DataFrame, n rows
        Candles with the columns of `technical_frame`.
    settings : Settings
        Indicators, plan, ladder, cost and the tercile's window.

    Returns
    -------
    PairSetups
        Causal: cut the frame after any candle, and what begins or ends up to it is the same.

    Notes
    -----
    The first `lookback(settings)` rows have no setup. A candle whose predecessor is unknown or
    missing begins nothing, and where no valid stop exists nothing is entered.
    """
    bars = bars_of(frame, "15m candles")
    candle = bars.time_ns // PRIMARY_NS
    atr_pct = frame["atr_pct"].to_numpy(dtype=np.float64)
    terciles = volatility_terciles(atr_pct, settings.base_rate.tercile_candles)
    keys = setup_keys(frame, settings)
    group = group_codes(keys, terciles)
    # The row before the first may be compared with; a setup of its own it has not.
    begins = (group >= 0) & _differs(keys, terciles != UNKNOWN_TERCILE)
    group[:, : lookback(settings)] = -1
    begins[:, : lookback(settings)] = False
    atr = frame[f"atr_{settings.technical.atr_period}"].to_numpy(dtype=np.float64)
    return PairSetups(candle, group, _labelled(bars, atr, begins, group, settings))


def _differs(keys: SmallIntArray, is_known: BoolArray) -> BoolArray:
    # After a hole the volatility is unknown at first, so a row before is the candle before.
    differs = np.zeros(keys.shape, dtype=np.bool_)
    differs[:, 1:] = is_known[:-1] & (keys[:, 1:] != keys[:, :-1])
    return differs


def _labelled(
    bars: Bars, atr: FloatArray, begins: BoolArray, group: IntArray, settings: Settings
) -> Occurrences:
    distance = stop_distance(atr, bars.close, settings.risk)
    row, side = np.nonzero((begins & np.isfinite(distance)).T)
    ends = np.zeros(bars.close.size, dtype=np.int64)
    for rows in stretches(bars, PRIMARY_NS, settings.technical.redenomination_factor):
        ends[rows] = rows.stop
    candle = bars.time_ns // PRIMARY_NS
    entries = Entries(row, ends[row], _SIGNS[side], distance[row], atr[row])
    ended, gross, net = played(bars, entries, settings.risk)
    resolved = np.where(ended >= 0, candle[ended], NOT_RESOLVED)
    return Occurrences(candle[row], group[side, row], resolved, gross, net)


class Entries(NamedTuple):
    """Trades to be played, as arrays of one length.

    Attributes
    ----------
    row : ndarray of int64
        Row at whose close each is entered.
    end : ndarray of int64
        The row after the last that may be played: where the candles end or have a hole.
    sign : ndarray of float64
        1 for a long, -1 for a short.
    distance, atr : ndarray of float64
        Stop distance and ATR at the entry, price units.
    """

    row: IntArray
    end: IntArray
    sign: FloatArray
    distance: FloatArray
    atr: FloatArray


def played(
    bars: Bars, entries: Entries, settings: RiskSettings
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Play trades through the candles that follow them.

    Parameters
    ----------
    bars : Bars
        15m candles.
    entries : Entries
        Trades of these candles.
    settings : RiskSettings
        Targets, shares, trailing stop, time stop and cost.

    Returns
    -------
    tuple of arrays
        Row in which each ended (-1 when it has not), gross and net result in R (then NaN). Equal
        to `scalp_strategy.risk.replay` with legs that are not rounded to an amount step.
    """
    ladder = settings.ladder
    prices = np.array([bars.open, bars.high, bars.low, bars.close])
    rules = np.array([*ladder.target_r, *ladder.legs, ladder.trail_atr, settings.cost_per_side])
    rows = np.column_stack((entries.row, np.minimum(entries.end, bars.close.size)))
    levels = np.column_stack((entries.sign, entries.distance, entries.atr))
    return _play_all(prices, rows, levels, rules, ladder.max_hold_candles)


@compiled
def _play_all(
    prices: FloatArray, rows: IntArray, levels: FloatArray, rules: FloatArray, max_hold: int
) -> tuple[IntArray, FloatArray, FloatArray]:
    ended = np.full(len(rows), -1, dtype=np.int64)
    gross, net = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    for trade in range(len(rows)):
        row, end = rows[trade]
        path = prices[:, row:end]
        index, gross[trade], net[trade] = _play(path, levels[trade], rules, max_hold)
        if index >= 0:
            ended[trade] = row + index
    return ended, gross, net


@compiled
def _play(
    path: FloatArray, levels: FloatArray, rules: FloatArray, max_hold: int
) -> tuple[int, float, float]:
    # The first column is the entry's candle. Prices are mirrored by the sign, so up is good.
    sign, distance, atr = levels
    targets, shares, trail, cost = rules[:3], rules[3:6], rules[6] * atr, rules[7]
    entry = sign * path[3, 0]
    stop, best_close = entry - distance, -np.inf
    filled, left, value = 0, 1.0, 0.0
    for index in range(1, path.shape[1]):
        opened, close = sign * path[0, index], sign * path[3, index]
        best, worst = sign * path[1, index], sign * path[2, index]
        if sign < 0:
            best, worst = worst, best
        if index > max_hold:
            value, left = value + left * opened, 0.0
        elif worst <= stop:
            value, left = value + left * min(opened, stop), 0.0
        else:
            while filled < len(targets) and best >= entry + targets[filled] * distance:
                value += shares[filled] * (entry + targets[filled] * distance)
                left -= shares[filled]
                filled += 1
        if left == 0.0 or filled == len(targets):
            gross = (value - entry) / distance
            return index, gross, gross - cost * (abs(entry) + abs(value)) / distance
        best_close = max(best_close, close)
        if filled > 0:
            stop = max(stop, entry)
        if filled > 1:
            stop = max(stop, entry + targets[0] * distance, best_close - trail)
    return -1, np.nan, np.nan
