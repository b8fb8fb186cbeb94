"""The last signals: /signals."""

from typing import Any, Final

from scalp_strategy.journal.conclusion import TRADE
from scalp_strategy.journal.views import SignalRow
from scalp_strategy.telegram.commands.base import Answer, clock, number
from scalp_strategy.telegram.facts import Facts
from scalp_strategy.telegram.html import bold, of_others

_DEFAULT: Final = 10
_MOST: Final = 50
_REASON_LENGTH: Final = 160
_MARKS: Final = {
    "approved": "📨", "taken": "✅", "not_taken": "➖", "expired": "⌛", "vetoed": "🛡",
    "rejected": "🚫",
}  # fmt: skip


def signals(facts: Facts, words: list[str]) -> Answer:
    """Answer /signals [count] [sent]."""
    sent_only = "sent" in {word.lower() for word in words}
    counts = [int(word) for word in words if word.isdecimal()]
    count = min(_MOST, max(1, counts[0])) if counts else _DEFAULT
    rows = facts.signals(count, sent_only=sent_only)
    if not rows:
        return Answer("No signal was sent yet." if sent_only else "No signal was judged yet.")
    lines = [bold(f"📡 LAST {len(rows)} SIGNALS{', SENT' if sent_only else ''} (UTC)")]
    for row in rows:
        lines += _signal(row)
    return Answer("\n".join(lines))


def _signal(row: SignalRow) -> list[str]:
    head = (
        f"{_MARKS.get(row.status, '•')} {clock(row.close_time)} {of_others(row.pair)} "
        f"{row.direction.upper()} {row.confluence_score}/100 {of_others(row.signal_tier)}: "
        f"{row.status.replace('_', ' ')}"
    )
    lines = [head]
    if row.block_reason:
        lines.append(f"   {of_others(row.block_reason, _REASON_LENGTH)}")
    acting = [one for one in row.verdicts if _only_changes(one)]
    if acting:
        said = "; ".join(f"{one.get('breaker')}: {one.get('reason')}" for one in acting)
        lines.append(f"   {of_others(said, _REASON_LENGTH)}")
    return [*lines, f"   {_outcome(row)}"]


def _only_changes(verdict: dict[str, Any]) -> bool:
    """Whether a breaker made the signal smaller or its bar higher; what blocks is the reason."""
    acts = verdict.get("size_factor", 1) < 1 or verdict.get("threshold_shift", 0) > 0
    return bool(acts and not verdict.get("blocks"))


def _outcome(row: SignalRow) -> str:
    if row.outcome is None:
        return "outcome: not known yet"
    if row.outcome_source == TRADE:
        origin = "traded"
    else:
        origin = f"not traded, on {of_others(row.replay_resolution or 'unknown')} candles"
    net_r = number(row.actual_rr, 2, " R", signed=True)
    return f"outcome: {of_others(row.outcome.replace('_', ' '))}, {net_r} net ({origin})"
