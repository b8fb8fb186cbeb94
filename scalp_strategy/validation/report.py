"""The honest backtest report: one run at several costs, judged at the specification's cost."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from scalp_strategy.setting_groups.report import GateSettings, ReportSettings
from scalp_strategy.validation.ambiguity import Ambiguity
from scalp_strategy.validation.breakdown import Segments, breakdowns, stages
from scalp_strategy.validation.performance import Performance, performance
from scalp_strategy.validation.results import BacktestRun
from scalp_strategy.validation.trade_table import host_gap
from scalp_strategy.validation.verdict import Check, cautions, gate_checks, verdict

SIZES_NOTE = (
    "Other costs price the same trades with the same sizes: sizes, entries and breakers were "
    "decided at the cost of the run and are not recomputed."
)
DRAWDOWN_NOTE = (
    "Drawdown and Sharpe come from closed trades; what open positions lost in between is not in "
    "them."
)


@dataclass(frozen=True)
class Report:
    """All that is said about one run.

    Attributes
    ----------
    run : dict
        What was tested: file, strategy, timeframes, period, balance, fee of the run.
    verdict : str
        The gate's outcome in one sentence.
    cautions : tuple of str
        What forbids a firm conclusion.
    gate_cost : float
        Cost per side at which gate and breakdowns are made.
    gate : tuple of Check
        The thresholds, each with the value reached.
    costs : tuple of Performance
        All measures, one entry per cost per side, the gate's cost first.
    stages : dict
        Trades that filled tp1, tp2, tp3.
    breakdowns : dict
        Title to segments.
    unknown_r_trades : tuple of str
        Trades whose risk is unknown, by pair and opening time.
    ambiguity : Ambiguity or None
        Present when candles were given.
    notes : tuple of str
        How to read the numbers.
    """

    run: dict[str, Any]
    verdict: str
    cautions: tuple[str, ...]
    gate_cost: float
    gate: tuple[Check, ...]
    costs: tuple[Performance, ...]
    stages: dict[str, int]
    breakdowns: dict[str, Segments]
    unknown_r_trades: tuple[str, ...]
    ambiguity: Ambiguity | None
    notes: tuple[str, ...]

    @property
    def is_passed(self) -> bool:
        """Whether every check of the gate is passed."""
        return all(check.is_passed for check in self.gate)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON; an unknown number is None."""
        document: dict[str, Any] = _plain(dataclasses.asdict(self))
        for plain, check in zip(document["gate"], self.gate, strict=True):
            plain["is_passed"] = check.is_passed
        return {"is_passed": self.is_passed, **document}


def build_report(
    run: BacktestRun,
    settings: ReportSettings,
    costs: Sequence[float] | None = None,
    ambiguity: Ambiguity | None = None,
) -> Report:
    """Return the report of a run.

    Parameters
    ----------
    run : BacktestRun
        Trades with their risk; none at all is a legitimate result.
    settings : ReportSettings
        Gate, costs, intervals.
    costs : sequence of float, optional
        Costs per side instead of the settings'. The gate's cost is always reported, and first.
    ambiguity : Ambiguity, optional
        From `ambiguity.count_ambiguous`.
    """
    levels = dict.fromkeys((settings.gate_cost, *(settings.costs if costs is None else costs)))
    performances = tuple(performance(run, cost, settings) for cost in levels)
    checks = gate_checks(performances[0], settings.gate)
    return Report(
        run=_run_facts(run),
        verdict=verdict(performances[0], checks),
        cautions=cautions(performances[0], settings.gate),
        gate_cost=settings.gate_cost,
        gate=checks,
        costs=performances,
        stages=stages(run.trades),
        breakdowns=breakdowns(run, settings.gate_cost, settings.coverage_edges),
        unknown_r_trades=_unknown_r_trades(run),
        ambiguity=ambiguity,
        notes=_notes(run, settings),
    )


def _run_facts(run: BacktestRun) -> dict[str, Any]:
    turnover = float((run.trades["entry_notional"] + run.trades["exit_notional"]).sum())
    return {
        "result": run.name,
        "strategy": run.strategy,
        "timeframe": run.timeframe,
        "detail_timeframe": run.detail_timeframe,
        "from": _minute(run.start_ms),
        "to": _minute(run.end_ms),
        "starting_balance": run.starting_balance,
        "currency": run.currency,
        "preset": (run.config.get("scalp") or {}).get("preset", "specification"),
        "settings": run.config.get("scalp_settings", "unknown"),
        "code": run.config.get("scalp_code", "unknown"),
        "archive": run.config.get("scalp_archive", "unknown"),
        "cost_of_run": float(run.trades["host_cost"].sum()) / turnover if turnover else math.nan,
    }


def _unknown_r_trades(run: BacktestRun) -> tuple[str, ...]:
    unknown = run.trades[run.trades["risk"].isna()]
    return tuple(
        f"{pair} {_minute(opened)}"
        for pair, opened in zip(unknown["pair"], unknown["opened_ms"], strict=True)
    )


def _notes(run: BacktestRun, settings: ReportSettings) -> tuple[str, ...]:
    interval_note = (
        f"Intervals are at {100 * settings.confidence:g} %. The win rate's (Wilson) takes trades "
        "as independent; the mean R's (bootstrap) resamples whole days, since trades of one day "
        "move together."
    )
    notes = [SIZES_NOTE, DRAWDOWN_NOTE, interval_note]
    if changed := _changed_thresholds(settings):
        notes.append(f"The gate is not the specification's: {', '.join(changed)}.")
    gap = host_gap(run.trades)
    if gap > settings.reconciliation_tolerance:
        notes.append(
            f"The orders' profit differs from the host's by up to {100 * gap:.4f} % of a trade's "
            "notional: the host counted something that the orders do not show."
        )
    return tuple(notes)


def _changed_thresholds(settings: ReportSettings) -> list[str]:
    used = settings.gate.model_dump() | {"gate_cost": settings.gate_cost}
    written = GateSettings().model_dump() | {"gate_cost": ReportSettings().gate_cost}
    return [
        f"{name} is {used[name]:g} instead of {written[name]:g}"
        for name in used
        if used[name] != written[name]
    ]


def _minute(time_ms: int) -> str:
    return f"{pd.Timestamp(int(time_ms), unit='ms'):%Y-%m-%d %H:%M}"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
