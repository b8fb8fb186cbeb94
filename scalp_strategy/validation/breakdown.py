"""The trades of a run, split: by exit, stage, month, side, tier, pair, regime and coverage."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scalp_strategy.contract import TIER_NAMES
from scalp_strategy.risk import LEG_TAGS, stage
from scalp_strategy.validation import metrics
from scalp_strategy.validation.results import BacktestRun
from scalp_strategy.validation.trade_table import net_profit, net_r

UNKNOWN = "unknown"
HOST_STOPS = ("stop_loss", "trailing_stop_loss")
STOPS_BY_STAGE = ("stop_loss", "break_even", "trailing_stop")


@dataclass(frozen=True)
class Segment:
    """Trades that have something in common, at the gate's cost.

    `sum_r` and `average_r` cover the trades whose risk is known; `profit_pct` is in % of the
    starting balance.
    """

    name: str
    trades: int
    share_pct: float
    win_rate_pct: float
    average_r: float
    sum_r: float
    profit_pct: float


Segments = tuple[Segment, ...]
Labels = Sequence[str]


def segments(run: BacktestRun, labels: Labels, cost_per_side: float) -> Segments:
    """Return one segment per label, in the labels' alphabetical order.

    Parameters
    ----------
    run : BacktestRun
        The trades.
    labels : sequence of str
        One per trade.
    cost_per_side : float
        At which net profit and net R are taken.
    """
    profit, earned_r = net_profit(run.trades, cost_per_side), net_r(run.trades, cost_per_side)
    label = np.asarray(labels, dtype=object)
    return tuple(
        _segment(name, label == name, profit, earned_r, run.starting_balance)
        for name in sorted(set(labels))
    )


def _segment(
    name: str,
    mask: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]",
    profit: metrics.FloatArray,
    earned_r: metrics.FloatArray,
    starting_balance: float,
) -> Segment:
    chosen_r = metrics.known(earned_r[mask])
    return Segment(
        name=name,
        trades=int(mask.sum()),
        share_pct=100 * float(mask.mean()),
        win_rate_pct=100 * metrics.win_rate(profit[mask]),
        average_r=metrics.mean(chosen_r),
        sum_r=float(chosen_r.sum()) if chosen_r.size else np.nan,
        profit_pct=100 * float(profit[mask].sum()) / starting_balance,
    )


def by_exit(table: pd.DataFrame) -> Labels:
    """Return each trade's exit reason; a stop behind filled targets is named by where it stood."""
    pairs = zip(table["exit_reason"], table["exits"], strict=True)
    return [_exit_name(str(reason), exits) or UNKNOWN for reason, exits in pairs]


def _exit_name(reason: str, exits: tuple[tuple[Any, ...], ...]) -> str:
    # The host calls a stop moved to break-even by a fill the same as the initial one.
    if reason not in HOST_STOPS:
        return reason
    return STOPS_BY_STAGE[min(stage(tag for *_, tag in exits), len(STOPS_BY_STAGE) - 1)]


def by_month(table: pd.DataFrame) -> Labels:
    """Return the UTC month of closing, such as ``2026-01``."""
    closed = pd.to_datetime(table["closed_ms"].astype("int64"), unit="ms")
    return [str(month) for month in closed.dt.strftime("%Y-%m")]


def by_side(table: pd.DataFrame) -> Labels:
    """Return ``long`` or ``short``."""
    return ["short" if is_short else "long" for is_short in table["is_short"]]


def by_tier(table: pd.DataFrame) -> Labels:
    """Return the tier, the first word of the entry tag; ``unknown`` when it names none."""
    first = [str(tag).split(maxsplit=1)[:1] for tag in table["enter_tag"]]
    return [word[0] if word and word[0] in TIER_NAMES.values() else UNKNOWN for word in first]


def by_pair(table: pd.DataFrame) -> Labels:
    """Return the pair."""
    return [str(pair) for pair in table["pair"]]


def by_regime(table: pd.DataFrame) -> Labels:
    """Return the regime the signal candle named."""
    return [UNKNOWN if pd.isna(value) else str(value) for value in table["regime"]]


def by_coverage(table: pd.DataFrame, edges: Sequence[float]) -> Labels:
    """Return the band of the signal's coverage, lower bound included."""
    bounds = (0.0, *edges, 1.0)
    coverage = table["coverage"].to_numpy(np.float64)
    band = np.digitize(coverage, edges)
    return [
        UNKNOWN if np.isnan(value) else f"{bounds[at]:.2f}-{bounds[at + 1]:.2f}"
        for value, at in zip(coverage, band, strict=True)
    ]


def stages(table: pd.DataFrame) -> dict[str, int]:
    """Return how many trades filled each target, counted by the tags of their exit orders."""
    tags = [{str(tag).lower() for _, _, _, tag in exits} for exits in table["exits"]]
    return {target: sum(target in filled for filled in tags) for target in LEG_TAGS}


def breakdowns(
    run: BacktestRun, cost_per_side: float, coverage_edges: Sequence[float]
) -> dict[str, Segments]:
    """Return every split of the run by its title; regime and coverage only where signals had them.

    Parameters
    ----------
    run : BacktestRun
        The trades.
    cost_per_side : float
        At which net profit and net R are taken.
    coverage_edges : sequence of float
        Inner bounds of the coverage bands, ascending.
    """
    splits: dict[str, Callable[[pd.DataFrame], Labels]] = {
        "exit reason": by_exit,
        "month": by_month,
        "side": by_side,
        "tier": by_tier,
        "pair": by_pair,
    }
    if "regime" in run.trades:
        splits["regime"] = by_regime
    if "coverage" in run.trades:
        splits["coverage"] = lambda table: by_coverage(table, coverage_edges)
    return {
        title: segments(run, label(run.trades), cost_per_side) for title, label in splits.items()
    }
