"""How the bot is: /start, /open, /heat, /sources."""

from collections.abc import Iterable, Mapping
from typing import Any

from scalp_strategy.telegram.commands.base import Answer, clock, number, price
from scalp_strategy.telegram.courier import ChannelStatus
from scalp_strategy.telegram.facts import RUNNING, Facts
from scalp_strategy.telegram.html import bold, escape, of_others
from scalp_strategy.trade_state import TradeState


def start(facts: Facts, words: list[str]) -> Answer:  # noqa: ARG001
    """Answer /start."""
    config, state = facts.config, facts.account
    lines = [
        bold("Scalp Engine Active. Use /help for commands."),
        f"Trading: {_mode(facts)}, {escape(str(config.get('trading_mode', 'spot')))}",
    ]
    if facts.engine is None:
        lines.append("Signals: not yet, the bot is starting")
    elif state.is_paused:
        lines.append(f"Signals: PAUSED, {of_others(state.pause_reason)}")
    else:
        lines.append("Signals: on")
    if facts.host_state != RUNNING:
        lines.append(f"Freqtrade: {escape(facts.host_state)}, /ft_start starts it (admins)")
    lines.append(f"Settings: {escape(facts.settings_name)}")
    return Answer("\n".join(lines))


def _mode(facts: Facts) -> str:
    if facts.is_unordered:
        return "none, signals only"
    return "on paper" if facts.config.get("dry_run", True) else "LIVE, with real money"


def open_trades(facts: Facts, words: list[str]) -> Answer:  # noqa: ARG001
    """Answer /open."""
    if facts.engine is None:
        return Answer("Unknown yet: the bot is starting.")
    trades = facts.trades()
    if not trades:
        return Answer("No open trades.")
    lines = [bold(f"📂 OPEN TRADES: {len(trades)}")]
    for trade in trades:
        lines += _trade(trade)
    return Answer("\n".join(lines))


def _trade(trade: TradeState) -> list[str]:
    head = f"{escape(trade.pair)} {trade.side.upper()} since {clock(trade.opened_at)} UTC"
    if not trade.is_filled:
        return [f"⏳ {head}: the entry at {price(trade.entry_price)} is not filled yet"]
    targets = ", ".join(dict.fromkeys(escape(fill.tag.upper()) for fill in trade.fills))
    return [
        f"{'🟢' if trade.side == 'long' else '🔴'} {head}",
        (
            f"   entry {price(trade.entry_price)} | now {price(trade.price)} | "
            f"stop {price(trade.stop)}"
        ),
        (
            f"   {number(trade.net_r, 2, ' R', signed=True)} | "
            f"{targets or 'no target yet'} | {trade.leverage:g}x"
        ),
    ]


def heat(facts: Facts, words: list[str]) -> Answer:  # noqa: ARG001
    """Answer /heat."""
    now, limit = facts.heat()
    is_risk = facts.settings.risk.sizing.heat_basis == "risk"
    what = "Money at risk at the present stops" if is_risk else "The positions' value"
    return Answer(f"Portfolio Heat: {number(now, 1, '%')} / {limit:g}%\n{what}, of equity.")


def sources(facts: Facts, words: list[str]) -> Answer:  # noqa: ARG001
    """Answer /sources."""
    health, why_not = facts.health()
    lines = [bold("🩺 HEALTH")]
    lines += [f"Sidecar: unknown, {escape(why_not)}"] if health is None else _sidecar(health)
    problem = facts.journal_problem()
    if problem is None:
        lines.append("Journal: written")
    else:
        why = of_others(problem) if problem else "unknown, the bot is starting"
        lines.append(f"Journal: {why}")
    lines += _delivery(facts.delivery())
    return Answer("\n".join(lines))


def _sidecar(health: Mapping[str, Any]) -> list[str]:
    lines = [f"Sidecar: {of_others(str(health['status']))}"]
    lines += [f"  ⚠️ {of_others(str(problem))}" for problem in health.get("problems") or ()]
    known = health.get("sources") or {}
    lines += [_source(name, known[name]) for name in sorted(known)]
    return lines


def _source(name: str, source: Mapping[str, Any]) -> str:
    title = of_others(str(name))
    if not source.get("is_on", True):
        return f"⚪ {title}: off, {of_others(str(source.get('why_off') or 'unknown why'))}"
    problem, age = source.get("problem"), source.get("age_s")
    if problem:
        return f"🔴 {title}: {of_others(str(problem))}"
    if not isinstance(age, int | float):
        return f"🟡 {title}: nothing yet"
    return f"🟢 {title}: {age:.0f} s old"


def _delivery(channels: Iterable[ChannelStatus]) -> list[str]:
    return [
        f"Telegram ({escape(one.name)}): {of_others(one.problem) or 'well'}, {one.waiting} waiting"
        for one in channels
    ]
