"""A report as tables, and tables as Markdown or on a console."""

import math
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table as RichTable

from scalp_strategy.validation.ambiguity import Ambiguity
from scalp_strategy.validation.breakdown import Segment
from scalp_strategy.validation.performance import Performance, TradeLine
from scalp_strategy.validation.report import Report
from scalp_strategy.validation.verdict import cost_text

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Table:
    """A titled table of texts; the first column is a name, the others are numbers."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def report_tables(report: Report) -> tuple[Table, ...]:
    """Return a report's tables in reading order; none without trades."""
    if report.costs[0].trades == 0:
        return ()
    tables = [_gate_table(report), _cost_table(report), _stage_table(report)]
    tables += [_segment_table(title, rows) for title, rows in report.breakdowns.items()]
    if report.ambiguity is not None:
        tables.append(_ambiguity_table(report.ambiguity))
    return tuple(tables)


def headline(report: Report) -> str:
    """Return what was tested, in one line."""
    run = report.run
    return (
        f"{run['strategy']} ({run['result']}): {run['from']} to {run['to']} UTC, "
        f"{run['timeframe']} candles, fills on {run['detail_timeframe']}, "
        f"{run['starting_balance']:g} {run['currency']}"
        f", settings {run['preset']} {run['settings']}, code {run['code']}"
        f", archive {run['archive']}"
        + (f", run at {cost_text(run['cost_of_run'])} a side" if report.costs[0].trades else "")
    )


def to_markdown(report: Report) -> str:
    """Return the whole report as Markdown that reads well as plain text."""
    parts = ["# Backtest report", headline(report), f"**{report.verdict}**"]
    parts += [_bullets(report.cautions)] if report.cautions else []
    parts += [_markdown_table(table) for table in report_tables(report)]
    if report.unknown_r_trades:
        parts.append("## trades of unknown risk\n\n" + _bullets(report.unknown_r_trades))
    return "\n\n".join([*parts, "## notes\n\n" + _bullets(report.notes)]) + "\n"


def print_report(report: Report, console: Console) -> None:
    """Print the whole report on a console, the verdict first and again at the end."""
    style = "bold green" if report.is_passed else "bold red"
    console.print(headline(report), markup=False)
    console.print(report.verdict, style=style, markup=False)
    for table in report_tables(report):
        console.print(_rich_table(table))
    for caution in report.cautions:
        console.print(f"! {caution}", style="yellow", markup=False)
    for trade in report.unknown_r_trades:
        console.print(f"  unknown risk: {trade}", markup=False)
    for note in report.notes:
        console.print(f"- {note}", style="dim", markup=False)
    console.print(report.verdict, style=style, markup=False)


def number(value: float, digits: int = 2) -> str:
    """Return a count as it is, another number with fixed digits; ``unknown`` for NaN."""
    if isinstance(value, int):
        return str(value)
    return UNKNOWN if math.isnan(value) else f"{value:.{digits}f}"


def _gate_table(report: Report) -> Table:
    rows = tuple(
        (
            check.name,
            number(check.value),
            f"{check.sign} {check.threshold:g}",
            "pass" if check.is_passed else "FAIL",
        )
        for check in report.gate
    )
    title = f"go-live gate at {cost_text(report.gate_cost)} a side"
    return Table(title, ("measure", "reached", "needed", "result"), rows)


def _cost_table(report: Report) -> Table:
    columns = [_cost_column(performance) for performance in report.costs]
    rows = tuple((name, *(column[name] for column in columns)) for name in columns[0])
    headers = tuple(f"at {cost_text(performance.cost_per_side)}" for performance in report.costs)
    return Table("performance by cost per side", ("measure", *headers), rows)


def _cost_column(p: Performance) -> dict[str, str]:
    return {
        "trades": str(p.trades),
        "win rate % (interval)": _interval(p.win_rate_pct, p.win_rate_low_pct, p.win_rate_high_pct),
        "break-even win rate %": number(p.break_even_win_rate_pct),
        "profit factor": number(p.profit_factor),
        "average R (interval)": _interval(p.average_r, p.average_r_low, p.average_r_high),
        "average winner R": number(p.average_winner_r),
        "average loser R": number(p.average_loser_r),
        "average R:R achieved": number(p.payoff),
        "max drawdown %": number(p.max_drawdown_pct),
        "Sharpe ratio": number(p.sharpe),
        "consecutive losses": str(p.losing_run),
        "cost per trade R": number(p.cost_per_trade_r),
        "cost / gross movement %": number(p.cost_share_pct),
        "total profit %": number(p.total_profit_pct),
        "average hold minutes": number(p.average_hold_minutes, 0),
        "best trade": _trade(p.best_trade),
        "worst trade": _trade(p.worst_trade),
    }


def _interval(value: float, low: float, high: float) -> str:
    if math.isnan(low):
        return number(value)
    return f"{number(value)} ({number(low)} to {number(high)})"


def _trade(trade: TradeLine | None) -> str:
    if trade is None:
        return "none"
    return f"{number(trade.net_r)} R, {number(trade.profit)}, {trade.pair}, {trade.opened}"


def _stage_table(report: Report) -> Table:
    total = report.costs[0].trades
    rows = tuple(
        (target, str(count), number(100 * count / total)) for target, count in report.stages.items()
    )
    return Table("targets filled", ("target", "trades", "share %"), rows)


def _segment_table(title: str, segments: tuple[Segment, ...]) -> Table:
    columns = (title, "trades", "share %", "win rate %", "average R", "sum R", "profit %")
    rows = tuple(
        (
            segment.name,
            str(segment.trades),
            number(segment.share_pct),
            number(segment.win_rate_pct),
            number(segment.average_r),
            number(segment.sum_r),
            number(segment.profit_pct),
        )
        for segment in segments
    )
    return Table(f"by {title}", columns, rows)


def _ambiguity_table(found: Ambiguity) -> Table:
    rows = (
        ("trades checked", str(found.checked)),
        ("ambiguous", str(found.ambiguous)),
        ("average R, stop first", number(found.pessimistic_r)),
        ("average R as backtested", number(found.average_r)),
        ("average R, target first", number(found.optimistic_r)),
    )
    return Table(f"stop and target in one {found.timeframe} candle", ("measure", "value"), rows)


def _bullets(lines: tuple[str, ...]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _markdown_table(table: Table) -> str:
    rows = [table.columns, ("---", *("---:" for _ in table.columns[1:])), *table.rows]
    body = "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)
    return f"## {table.title}\n\n{body}"


def _rich_table(table: Table) -> RichTable:
    rich = RichTable(title=table.title, title_justify="left", title_style="bold")
    for position, column in enumerate(table.columns):
        rich.add_column(column, justify="left" if position == 0 else "right")
    for row in table.rows:
        rich.add_row(*(cell.replace("[", r"\[") for cell in row))
    return rich
