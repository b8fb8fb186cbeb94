"""Trades whose result hangs on the order of two touches inside one candle, bounded both ways.

A candle that reaches both the next target and the stop does not say which came first. Either answer
ends the trade in that candle: stop first closes the rest there; target first fills every target in
reach and closes what is left at the stop it moved to. So both bounds are exact.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from scalp_strategy.errors import PayloadError
from scalp_strategy.setting_groups.risk import LadderSettings
from scalp_strategy.validation import metrics
from scalp_strategy.validation.metrics import FloatArray, IntArray
from scalp_strategy.validation.results import BacktestRun
from scalp_strategy.validation.trade_table import cost_at, net_r


@dataclass(frozen=True)
class Ambiguity:
    """How much of the mean R depends on what candles do not tell, at one cost per side.

    `checked` trades had candles and a known risk; the three means cover those alone.
    """

    timeframe: str
    checked: int
    ambiguous: int
    average_r: float
    pessimistic_r: float
    optimistic_r: float


class Bounds(NamedTuple):
    """Gross R of one trade when the stop, or when the target, was touched first."""

    stop_first: float
    target_first: float


class Touches(NamedTuple):
    """One trade's candles in R: what they reached for and against it, and the stage before each."""

    best_r: FloatArray
    worst_r: FloatArray
    stage: IntArray
    opened: IntArray


def count_ambiguous(
    run: BacktestRun,
    candles: Mapping[str, pd.DataFrame],
    ladder: LadderSettings,
    cost_per_side: float,
) -> Ambiguity:
    """Return how many trades hold a candle that touches both next target and stop, and the bounds.

    The stop before each candle follows from the targets filled before it: the initial stop, then
    the entry price, then the first target.

    Parameters
    ----------
    run : BacktestRun
        Trades with their risk.
    candles : mapping of str to DataFrame
        Pair to the candles the fills were simulated on: `date`, `open`, `high`, `low`.
    ladder : LadderSettings
        Targets in R and the share closed at each.
    cost_per_side : float
        Costs stay as recorded at this rate; only the price profit differs between the bounds.

    Notes
    -----
    A stop that trails above the first target is not rebuilt, so a candle that touches only that one
    is not counted. Trades whose legs were merged count as if the first target were still next.
    """
    table, as_run = run.trades, net_r(run.trades, cost_per_side)
    bounds = [_bounds(trade, candles, ladder) for trade in table.to_dict("records")]
    is_checked = np.array([bound is not None for bound in bounds], dtype=bool)
    is_checked &= ~np.isnan(as_run)
    gross = np.array([bound or (np.nan, np.nan) for bound in bounds]).reshape(-1, 2)
    spent = cost_at(table, cost_per_side) - table["funding"].to_numpy(np.float64)
    net = gross - (spent / table["risk"].to_numpy(np.float64))[:, None]
    is_open = is_checked & ~np.isnan(net[:, 0])
    bounded = np.where(is_open[:, None], net, as_run[:, None])[is_checked]
    return Ambiguity(
        timeframe=run.detail_timeframe,
        checked=int(is_checked.sum()),
        ambiguous=int(is_open.sum()),
        average_r=metrics.mean(as_run[is_checked]),
        pessimistic_r=metrics.mean(bounded[:, 0]),
        optimistic_r=metrics.mean(bounded[:, 1]),
    )


def _bounds(
    trade: Mapping[Any, Any], candles: Mapping[str, pd.DataFrame], ladder: LadderSettings
) -> Bounds | None:
    """Return NaN bounds for a trade without an ambiguous candle, None for one without candles."""
    frame = candles.get(trade["pair"])
    if frame is None or frame.empty or np.isnan(trade["stop_distance"]):
        return None
    touches = _touches(trade, frame)
    if not touches.opened.size:
        return None
    targets = np.array([*ladder.target_r, np.inf])
    stops = np.array([*_stops_r(ladder), np.inf])
    is_both = (touches.best_r >= targets[touches.stage]) & (touches.worst_r <= stops[touches.stage])
    if not is_both.any():
        return Bounds(np.nan, np.nan)
    at = int(is_both.argmax())
    done, rest = _filled_before(trade, int(touches.opened[at]))
    stage = int(touches.stage[at])
    stop_first = done + rest * float(stops[stage])
    return Bounds(stop_first, _target_first(done, rest, stage, float(touches.best_r[at]), ladder))


def _stops_r(ladder: LadderSettings) -> tuple[float, float, float]:
    return (-1.0, 0.0, ladder.target_r[0])


def _target_first(
    done: float, rest: float, stage: int, best_r: float, ladder: LadderSettings
) -> float:
    last = len(ladder.target_r) - 1
    while stage <= last and best_r >= ladder.target_r[stage]:
        leg = rest if stage == last else min(ladder.legs[stage], rest)
        done, rest, stage = done + leg * ladder.target_r[stage], rest - leg, stage + 1
    return done if stage > last else done + rest * _stops_r(ladder)[stage]


def _touches(trade: Mapping[Any, Any], frame: pd.DataFrame) -> Touches:
    opened = frame["date"].dt.as_unit("ms").astype("int64").to_numpy()
    start = max(0, int(np.searchsorted(opened, trade["opened_ms"], side="right")) - 1)
    stop = int(np.searchsorted(opened, trade["closed_ms"], side="right"))
    if stop > start and frame["open"].iloc[stop - 1] == trade["exits"][-1][1]:
        stop -= 1  # closed at that candle's open: what it did afterwards is not the trade's
    rows = frame.iloc[start:stop]
    against, towards = ("high", "low") if trade["is_short"] else ("low", "high")
    return Touches(
        best_r=_in_r(trade, rows[towards].to_numpy(np.float64)),
        worst_r=_in_r(trade, rows[against].to_numpy(np.float64)),
        stage=_stages(trade, opened[start:stop]),
        opened=opened[start:stop],
    )


def _in_r(trade: Mapping[Any, Any], price: FloatArray) -> FloatArray:
    sign = -1 if trade["is_short"] else 1
    in_r: FloatArray = sign * (price - trade["entry_price"]) / trade["stop_distance"]
    return in_r


def _stages(trade: Mapping[Any, Any], opened: IntArray) -> IntArray:
    fills = [(at, int(tag[2:])) for at, _, _, tag in trade["exits"] if tag in ("tp1", "tp2", "tp3")]
    reached = np.array([0, *accumulate((target for _, target in fills), max)], dtype=np.int64)
    before = np.searchsorted(np.array([at for at, _ in fills], dtype=np.int64), opened, side="left")
    return reached[before]


def _filled_before(trade: Mapping[Any, Any], opened_ms: int) -> tuple[float, float]:
    """Return the gross R banked before a candle, and the share of the position still open."""
    fills = [(price, amount) for at, price, amount, _ in trade["exits"] if at < opened_ms]
    shares = np.array([amount / trade["amount"] for _, amount in fills])
    in_r = _in_r(trade, np.array([price for price, _ in fills]))
    return float((shares * in_r).sum()), 1 - float(shares.sum())


def load_candles(datadir: Path, run: BacktestRun) -> dict[str, pd.DataFrame]:
    """Return the candles a run's fills were simulated on, as the host stores them (feather).

    Parameters
    ----------
    datadir : Path
        The host's data directory of one exchange, such as `user_data/data/binance`.
    run : BacktestRun
        Names pairs, timeframe and trading mode.

    Returns
    -------
    dict of str to DataFrame
        Pairs without a file are absent.

    Raises
    ------
    PayloadError
        When there are trades, but no candle file for any of their pairs.
    """
    pairs = sorted({str(pair) for pair in run.trades["pair"]})
    files = {pair: _candle_file(datadir, pair, run) for pair in pairs}
    found = {pair: pd.read_feather(path) for pair, path in files.items() if path.is_file()}
    if pairs and not found:
        raise PayloadError(
            f"No candles of {run.detail_timeframe} in {datadir}: looked for {files[pairs[0]].name} "
            f"and {len(pairs) - 1} more."
        )
    return found


def _candle_file(datadir: Path, pair: str, run: BacktestRun) -> Path:
    stem = re.sub(r"[/ .@$+:]", "_", pair)
    if run.is_futures:
        return datadir / "futures" / f"{stem}-{run.detail_timeframe}-futures.feather"
    return datadir / f"{stem}-{run.detail_timeframe}.feather"
