"""The report's assembly: gate, verdict, breakdowns, rendering."""

import dataclasses
import json
import math
from collections.abc import Callable
from io import StringIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from host_results import PAIR, at, candles, host_trade, loser, winner
from pydantic import ValidationError
from rich.console import Console

from scalp_strategy.setting_groups.report import GateSettings, ReportSettings
from scalp_strategy.validation.breakdown import by_coverage
from scalp_strategy.validation.performance import Performance, performance
from scalp_strategy.validation.render import print_report, report_tables, to_markdown
from scalp_strategy.validation.report import build_report
from scalp_strategy.validation.results import BacktestRun, read_run
from scalp_strategy.validation.verdict import cautions, gate_checks, verdict

Store = Callable[..., Path]
SETTINGS = ReportSettings()
PASSING = {
    "win_rate_pct": 55.1, "profit_factor": 1.51, "max_drawdown_pct": 14.9, "sharpe": 1.21,
    "payoff": 1.51, "losing_run": 7, "trades": 201, "average_r": 0.21,
    "win_rate_low_pct": 50.0, "win_rate_high_pct": 60.0, "break_even_win_rate_pct": 39.8,
    "average_r_low": 0.1, "average_r_high": 0.3, "unknown_r": 0,
}  # fmt: skip


@pytest.fixture
def run(store: Store) -> BacktestRun:
    return read_run(store([winner(10), loser(20), winner(120), loser(130), loser(220)]))


@pytest.fixture
def passing(run: BacktestRun) -> Performance:
    return dataclasses.replace(performance(run, 0.0015, SETTINGS), **PASSING)


def test_all_seven_just_inside_pass(passing: Performance) -> None:
    checks = gate_checks(passing, GateSettings())
    assert len(checks) == 7
    assert all(check.is_passed for check in checks)
    assert verdict(passing, checks) == (
        "PASSES the go-live gate on all 7: it earns 0.21 R a trade at 0.15 % a side; "
        "paper-trade it next."
    )
    assert cautions(passing, GateSettings()) == ()


@pytest.mark.parametrize(
    ("field", "threshold", "failing"),
    [
        ("win_rate_pct", 55.0, 0),
        ("profit_factor", 1.5, 1),
        ("max_drawdown_pct", 15.0, 2),
        ("sharpe", 1.2, 3),
        ("payoff", 1.5, 4),
        ("losing_run", 8, 5),
        ("trades", 200, 6),
    ],
)
def test_equal_or_unknown_does_not_pass(
    passing: Performance, field: str, threshold: float, failing: int
) -> None:
    for value in (threshold, math.nan):
        changed = dataclasses.replace(passing, **{field: value})
        checks = gate_checks(changed, GateSettings())
        assert [check.is_passed for check in checks].index(False) == failing
        assert sum(not check.is_passed for check in checks) == 1
        assert verdict(changed, checks).startswith("FAILS the go-live gate on 1 of 7")


def test_thresholds_are_settings(passing: Performance) -> None:
    strict = GateSettings(win_rate_above_pct=60.0)
    assert not gate_checks(passing, strict)[0].is_passed


def test_a_losing_run_is_told_plainly(passing: Performance) -> None:
    losing = dataclasses.replace(passing, average_r=-0.39, win_rate_pct=36.0)
    text = verdict(losing, gate_checks(losing, GateSettings()))
    assert text.endswith("it loses 0.39 R a trade at 0.15 % a side; do not trade it with money.")


def test_unknown_mean_r_is_not_called_a_loss(passing: Performance) -> None:
    unknown = dataclasses.replace(passing, average_r=math.nan)
    assert "unknown" in verdict(unknown, gate_checks(unknown, GateSettings()))


def test_cautions_name_sample_chance_and_unknown_risk(passing: Performance) -> None:
    doubtful = dataclasses.replace(
        passing, trades=200, unknown_r=3, win_rate_low_pct=39.8, average_r_low=-0.01
    )
    small, chance, zero, unknown = cautions(doubtful, GateSettings())
    assert "sample of 200 is too small" in small
    assert "includes the break-even win rate of 39.8 %" in chance
    assert "-0.01 to 0.30 R, includes 0" in zero
    assert unknown.startswith("3 of 200 trades")


def test_gate_cost_cannot_be_left_out(run: BacktestRun) -> None:
    report = build_report(run, SETTINGS, costs=(0.0002, 0.0015))
    assert [level.cost_per_side for level in report.costs] == [0.0015, 0.0002]
    assert report.gate[0].value == report.costs[0].win_rate_pct


def test_higher_cost_earns_less_and_is_a_larger_share(run: BacktestRun) -> None:
    levels = build_report(run, SETTINGS, costs=(0.0, 0.0007, 0.0015, 0.005)).costs
    by_cost = sorted(levels, key=lambda level: level.cost_per_side)
    for cheap, dear in pairwise(by_cost):
        assert dear.average_r < cheap.average_r
        assert dear.total_profit < cheap.total_profit
        assert dear.cost_share_pct > cheap.cost_share_pct
    assert by_cost[0].cost_per_trade_r == 0


def test_breakdowns_add_up_to_the_whole(run: BacktestRun) -> None:
    report = build_report(run, SETTINGS)
    whole = report.costs[0]
    assert set(report.breakdowns) == {"exit reason", "month", "side", "tier", "pair"}
    for segments in report.breakdowns.values():
        assert sum(segment.trades for segment in segments) == whole.trades
        assert sum(segment.share_pct for segment in segments) == pytest.approx(100)
        assert sum(s.sum_r for s in segments) == pytest.approx(whole.average_r * whole.trades)
        assert sum(s.profit_pct for s in segments) == pytest.approx(whole.total_profit_pct)


def test_breakdown_names(run: BacktestRun) -> None:
    names = {
        title: [segment.name for segment in segments]
        for title, segments in build_report(run, SETTINGS).breakdowns.items()
    }
    assert names["exit reason"] == ["stop_loss", "tp3"]
    assert names["side"] == ["long", "short"]
    assert names["tier"] == ["HIGH", "MEDIUM"]
    assert names["month"] == ["2026-01"]


def test_stages_count_trades_not_orders(store: Store) -> None:
    twice = [(at(31), 101.5, 2.0, "tp1"), (at(32), 101.5, 2.0, "tp1"), (at(33), 100.0, 6.0, "be")]
    trades = [winner(10), host_trade((at(30), 100.0, 10.0, "HIGH"), twice), loser(50)]
    report = build_report(read_run(store(trades)), SETTINGS)
    assert report.stages == {"tp1": 2, "tp2": 1, "tp3": 1}


def test_a_tag_without_tier_is_unknown(store: Store) -> None:
    entries = [("", 30), ("force_entry", 40), ("HIGHER 3", 50)]
    trades = [
        host_trade((at(candle), 100.0, 1.0, tag), [(at(candle + 1), 101.0, 1.0, "x")])
        for tag, candle in entries
    ]
    report = build_report(read_run(store(trades)), SETTINGS)
    assert [(s.name, s.trades) for s in report.breakdowns["tier"]] == [("unknown", 3)]


def test_regime_and_coverage_split_where_signals_have_them(store: Store) -> None:
    frame = candles()
    frame["regime"] = np.where(frame.index < 15, "RISK_ON", None)
    frame["coverage"] = np.where(frame.index < 15, 0.6, np.nan)
    report = build_report(read_run(store([winner(10), loser(20)], {PAIR: frame})), SETTINGS)
    assert [s.name for s in report.breakdowns["regime"]] == ["RISK_ON", "unknown"]
    assert [s.name for s in report.breakdowns["coverage"]] == ["0.60-0.80", "unknown"]


def test_coverage_bands_hold_their_lower_bound_and_the_whole_range(run: BacktestRun) -> None:
    table = run.trades.assign(coverage=[0.0, 0.29, 0.3, 0.8, 1.0])
    expected = ["0.00-0.30", "0.00-0.30", "0.30-0.60", "0.80-1.00", "0.80-1.00"]
    assert by_coverage(table, SETTINGS.coverage_edges) == expected


def test_trades_of_unknown_risk_are_listed_and_counted_in_money(store: Store) -> None:
    frame = candles()
    frame.loc[frame.index == 9, "sl_pct"] = np.nan
    report = build_report(read_run(store([winner(10), loser(20)], {PAIR: frame})), SETTINGS)
    whole = report.costs[0]
    assert report.unknown_r_trades == (f"{PAIR} 2026-01-01 02:30",)
    assert (whole.trades, whole.unknown_r) == (2, 1)
    assert whole.win_rate_pct == 50
    assert whole.average_r == pytest.approx(-1.3015)
    assert "1 of 2 trades have no signal candle" in to_markdown(report)
    assert f"- {PAIR} 2026-01-01 02:30" in to_markdown(report)


def test_a_gap_to_the_host_is_noted(run: BacktestRun) -> None:
    before = build_report(run, SETTINGS).notes
    run.trades.loc[0, "host_profit"] += 1.0
    after = build_report(run, SETTINGS).notes
    assert len(after) == len(before) + 1
    assert "0.1000 %" in after[-1]


def test_a_gate_that_is_not_the_specifications_says_so(run: BacktestRun) -> None:
    loose = ReportSettings(gate_cost=0.0005, gate=GateSettings(trades_above=3))
    (note,) = set(build_report(run, loose).notes) - set(build_report(run, SETTINGS).notes)
    assert "trades_above is 3 instead of 200, gate_cost is 0.0005 instead of 0.0015" in note


def test_report_is_json_with_unknown_as_null(run: BacktestRun) -> None:
    document = json.loads(json.dumps(build_report(run, SETTINGS).to_dict(), allow_nan=False))
    assert document["is_passed"] is False
    # 2 of 5 won; 2 * 20.964 / (3 * 13.015) = 1.07; 0.9 % at most; payoff 2.0964 / 1.3015 = 1.61
    passed = [check["is_passed"] for check in document["gate"]]
    assert passed == [False, False, True, True, True, True, False]
    assert document["costs"][0]["trades"] == 5
    assert document["breakdowns"]["side"][0]["name"] == "long"
    assert document["ambiguity"] is None


def test_no_trades_is_said_and_nothing_is_made_up(store: Store) -> None:
    report = build_report(read_run(store([])), SETTINGS)
    assert report.verdict.startswith("No trades")
    assert not report.is_passed
    assert report_tables(report) == ()
    assert "No trades" in to_markdown(report)
    document = report.to_dict()
    assert document["costs"][0]["average_r"] is None
    assert document["run"]["cost_of_run"] is None
    assert document["breakdowns"]["pair"] == []


def test_same_result_gives_the_same_report(run: BacktestRun) -> None:
    first, second = (to_markdown(build_report(run, SETTINGS)) for _ in range(2))
    assert first == second


def test_console_and_markdown_show_the_same_cells(run: BacktestRun) -> None:
    report = build_report(run, SETTINGS)
    console = Console(width=400, record=True, file=StringIO())
    print_report(report, console)
    shown, markdown = console.export_text(), to_markdown(report)
    for table in report_tables(report):
        for cell in {cell for row in table.rows for cell in row}:
            assert cell in shown
            assert cell in markdown
    assert shown.count(report.verdict) == 2


def test_brackets_in_names_survive_the_console(store: Store) -> None:
    trade = host_trade((at(10), 100.0, 1.0, "HIGH"), [(at(11), 101.0, 1.0, "[bold]time[/bold]")])
    report = build_report(read_run(store([trade])), SETTINGS)
    console = Console(width=400, record=True, file=StringIO())
    print_report(report, console)
    assert "[bold]time[/bold]" in console.export_text()


@pytest.mark.parametrize("edges", [(0.6, 0.3), (0.3, 0.3), (0.3, 1.1)])
def test_coverage_edges_that_do_not_ascend_are_refused(edges: tuple[float, float]) -> None:
    with pytest.raises(ValidationError, match="coverage_edges"):
        ReportSettings(coverage_edges=edges)
