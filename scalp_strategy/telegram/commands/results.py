"""What the bot has earned: /stats, /pnl, /winrate, /drawdown, /gate."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from scalp_strategy.telegram.commands.base import STARTING, Answer, number
from scalp_strategy.telegram.facts import Facts, Result
from scalp_strategy.telegram.html import bold, escape, italic, of_others
from scalp_strategy.validation import metrics
from scalp_strategy.validation.verdict import gate_checks

_PERIODS: Final[dict[str, float | None]] = {"7d": 7.0, "30d": 30.0, "all": None}
_DEFAULT_PERIOD: Final = "7d"
_SECONDS_PER_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Record:
    """What results come to, after fees and funding; NaN where they do not determine it."""

    trades: int
    wins: int
    profit: float
    average_r: float
    unknown_r: int
    best_r: float
    worst_r: float
    win_rate_pct: float
    profit_factor: float
    payoff: float
    max_drawdown_pct: float
    sharpe: float
    losing_run: int


def record_of(results: Sequence[Result], start_equity: float) -> Record:
    """Return what results come to.

    Parameters
    ----------
    results
        By their end.
    start_equity
        The equity before the first of them; NaN is unknown.
    """
    profit, in_r = _profit(results), _in_r(results)
    known = in_r[np.isfinite(in_r)]
    is_known = start_equity > 0
    return Record(
        trades=len(results),
        wins=int((profit > 0).sum()),
        profit=float(profit.sum()),
        average_r=metrics.mean(in_r),
        unknown_r=len(results) - int(known.size),
        best_r=float(known.max()) if known.size else math.nan,
        worst_r=float(known.min()) if known.size else math.nan,
        win_rate_pct=100 * metrics.win_rate(profit),
        profit_factor=metrics.profit_factor(profit),
        payoff=metrics.payoff_ratio(in_r),
        max_drawdown_pct=metrics.max_drawdown_pct(profit, start_equity) if is_known else math.nan,
        sharpe=_sharpe(results, start_equity) if is_known and results else math.nan,
        losing_run=metrics.longest_losing_run(profit),
    )


def _profit(results: Sequence[Result]) -> metrics.FloatArray:
    return np.array([one.profit for one in results], dtype=np.float64)


def _in_r(results: Sequence[Result]) -> metrics.FloatArray:
    return np.array([one.net_r for one in results], dtype=np.float64)


def _sharpe(results: Sequence[Result], start_equity: float) -> float:
    days = [int(one.ended_at.timestamp()) // _SECONDS_PER_DAY for one in results]
    place = np.array(days, dtype=np.int64) - min(days)
    count = int(place.max()) + 1
    return metrics.sharpe_ratio(metrics.daily_returns(_profit(results), place, count, start_equity))


def _of_what(facts: Facts) -> str:
    """Say what the results are of, and at which costs."""
    if facts.is_unordered:
        return "Signals on candles, none was traded; after assumed costs."
    if facts.config.get("dry_run", True):
        return "Paper trades; after fees and funding, without slippage."
    return "Real trades; after fees and funding."


def _nothing(facts: Facts) -> str:
    what = "signal" if facts.is_unordered else "trade"
    return f"No {what} has ended yet: there is nothing to tell."


def stats(facts: Facts, words: list[str]) -> Answer:  # noqa: ARG001
    """Answer /stats."""
    results = facts.results()
    if not results:
        return Answer(_nothing(facts))
    record = record_of(results, facts.start_equity(results))
    outcomes = Counter(one.outcome.replace("_", " ") for one in results)
    lines = [
        bold("📊 RESULTS"),
        _of_what(facts),
        f"Ended: {record.trades} ({record.wins} won, {record.trades - record.wins} lost)",
        f"Win rate: {number(record.win_rate_pct, 1, ' %')}",
        f"Total: {_money(record.profit, facts)}",
        f"Average: {number(record.average_r, 2, ' R', signed=True)}",
        (
            f"Best: {number(record.best_r, 2, ' R', signed=True)} | "
            f"Worst: {number(record.worst_r, 2, ' R', signed=True)}"
        ),
        f"Profit factor: {number(record.profit_factor)}",
        f"Average winner over loser: {number(record.payoff)}",
        f"Max drawdown: {number(record.max_drawdown_pct, 1, ' %')}",
        f"Longest losing run: {record.losing_run}",
        "Ends: "
        + ", ".join(f"{of_others(name)} {count}" for name, count in outcomes.most_common()),
    ]
    if record.unknown_r:
        lines.append(f"The risk of {record.unknown_r} is unknown: they are in no figure in R.")
    if record.profit < 0:
        lines.append(italic("It has lost money."))
    return Answer("\n".join(lines))


def _money(value: float, facts: Facts) -> str:
    return number(value, 2, f" {escape(facts.currency)}", signed=True)


def pnl(facts: Facts, words: list[str]) -> Answer:  # noqa: ARG001
    """Answer /pnl."""
    results = facts.results_today()
    lines = [
        bold(f"💰 P&L of {facts.now:%Y-%m-%d} (UTC)"),
        _of_what(facts),
        f"Realised: {_money(sum(one.profit for one in results), facts)} ({len(results)} ended)",
    ]
    if facts.is_unordered:
        return Answer("\n".join(lines))
    start, equity = facts.day_open_equity, facts.equity
    change = equity - start
    percent = number(100 * change / start, 2, " %", signed=True)
    lines += [
        f"Equity: {number(start)} → {number(equity)} {escape(facts.currency)}",
        f"With open trades: {_money(change, facts)} ({percent})",
    ]
    return Answer("\n".join(lines))


def winrate(facts: Facts, words: list[str]) -> Answer:
    """Answer /winrate [7d|30d|all]."""
    period = words[0].lower() if words else _DEFAULT_PERIOD
    if period not in _PERIODS:
        return Answer(f"/winrate takes one of: {', '.join(_PERIODS)}")
    results = facts.results(_PERIODS[period])
    if not results:
        return Answer(f"{_nothing(facts)} (Period: {period})")
    wins = int((_profit(results) > 0).sum())
    confidence = facts.settings.report.confidence
    low, high = metrics.wilson_interval(wins, len(results), confidence)
    needed = 100 * metrics.break_even_win_rate(metrics.payoff_ratio(_in_r(results)))
    lines = [
        bold(f"🎯 WIN RATE, {period}"),
        _of_what(facts),
        f"{wins} of {len(results)}: {100 * wins / len(results):.1f} %",
        f"By chance it could be {100 * low:.0f} to {100 * high:.0f} % ({confidence:.0%} interval)",
        f"Break-even: {number(needed, 1, ' %')}",
    ]
    return Answer("\n".join(lines))


def drawdown(facts: Facts, words: list[str]) -> Answer:  # noqa: ARG001
    """Answer /drawdown."""
    if facts.engine is None:
        return Answer(STARTING)
    results, state = facts.results(), facts.account
    limit = facts.settings.breakers.max_daily_drawdown_pct
    worst = state.day_worst_drawdown_pct if not math.isnan(facts.day_open_equity) else math.nan
    deepest = record_of(results, facts.start_equity(results)).max_drawdown_pct if results else None
    lines = [
        bold("📉 DRAWDOWN"),
        f"Today: {number(facts.drawdown_pct, 2, ' %')} of the {limit:g} % that pause all signals",
        f"Today's worst: {number(worst, 2, ' %')}",
        f"Deepest ever, of what has ended: {number(deepest, 2, ' %')}",
    ]
    if state.is_paused:
        lines.append(f"PAUSED: {of_others(state.pause_reason)}")
    return Answer("\n".join(lines))


def gate(facts: Facts, words: list[str]) -> Answer:  # noqa: ARG001
    """Answer /gate."""
    results = facts.results()
    if not results:
        return Answer(f"{_nothing(facts)} The go-live gate is not passed.")
    record = record_of(results, facts.start_equity(results))
    rules = facts.settings.report.gate
    checks = gate_checks(record, rules)
    lines = [bold("🚦 GO-LIVE GATE"), _of_what(facts)]
    lines += [
        f"{'✅' if check.is_passed else '❌'} {escape(check.name)}: {_short(check.value)} "
        f"(must be {escape(check.sign)} {check.threshold:g})"
        for check in checks
    ]
    if record.trades <= rules.trades_above:
        lines.append(
            f"The sample of {record.trades} is too small to conclude: the gate asks for more than "
            f"{rules.trades_above}."
        )
    failed = sum(not check.is_passed for check in checks)
    verdict = f"FAILS on {failed} of {len(checks)}: do not trade it with money."
    return Answer("\n".join([*lines, bold(verdict if failed else f"PASSES all {len(checks)}.")]))


def _short(value: float) -> str:
    """Return a number or count in as few digits as say it, two behind the point at most."""
    text = number(value)
    return text.rstrip("0").rstrip(".") if "." in text else text
