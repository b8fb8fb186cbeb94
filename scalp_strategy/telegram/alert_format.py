"""Messages about the market, the circuit breakers and the bot's own health (pure).

Each stays below 4,096 characters, whatever others wrote.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

from scalp_strategy.journal.outside import Direction, StateChange, WhaleMovement, one_line
from scalp_strategy.signals import Candidate, Verdict
from scalp_strategy.telegram.html import Text, bold, escape, message, of_others

RULE: Final = "━━━━━━━━━━━━━━━━━━━"
_LONGEST_NAME: Final = 64
_DIRECTIONS: Final[dict[Direction, tuple[str, str]]] = {
    "deposit": ("deposit to an exchange", "deposits"),
    "withdrawal": ("withdrawal from an exchange", "withdrawals"),
    "between_exchanges": ("moved between exchanges", "between exchanges"),
    "between_wallets": ("moved between wallets", "between wallets"),
}
_UNITS: Final = ((1e9, "B"), (1e6, "M"), (1e3, "K"))
# What is silent, and what that means; every other name is that of a source of the sidecar.
_FAILURES: Final = {
    "journal": (
        "JOURNAL NOT WRITTEN",
        "Trading goes on; records wait on disk and are written later",
    ),
    "account": (
        "ACCOUNT STATE NOT KEPT",
        "No entry is made until it is kept; open trades go on",
    ),
    "sidecar": (
        "SIDECAR SILENT",
        "What it told last fades to unknown; scores fall, open trades are kept as planned",
    ),
}
# The same for what is named by its number.
_FAILURES_OF: Final = {
    "trade": "It keeps its stop and its slot; all other trades go on",
    "step": "The other steps of the loop go on; it is tried again in the next",
}
_MOST_NAMED: Final = 10
_RECOVERIES: Final = {
    "journal": "The journal is written again",
    "account": "The account's state is kept again",
    "sidecar": "The sidecar answers again",
}


def money(usd: float) -> str:
    """Return US dollars in a few characters.

    Examples
    --------
    >>> money(12_345_678.0), money(1_999_999_999.0), money(950.0)
    ('$12.3M', '$2.0B', '$950')
    """
    for unit, letter in _UNITS:
        # What would be rounded up to a thousand of a unit is one of the next.
        if usd >= unit * 0.99995:
            return f"${usd / unit:.1f}{letter}"
    return f"${usd:.0f}"


# ------------------------------------------------------------------------------------- the market


def whale_alert(whale: WhaleMovement) -> Text:
    """Return the message of one large transfer (specification 10.4)."""
    token = one_line(whale.token, _LONGEST_NAME)
    tokens = "" if whale.amount is None else f" ({whale.amount:,.6g} {token})"
    worth = "of unknown worth" if whale.amount_usd is None else money(whale.amount_usd)
    return message(
        [
            bold(f"🐋 WHALE ALERT — {token}"),
            RULE,
            f"{worth}{escape(tokens)} {_DIRECTIONS[whale.direction][0]}",
            f"From: {of_others(whale.from_label)}",
            f"To: {of_others(whale.to_label)}",
            f"Potential Impact: {whale.impact}",
        ]
    )


def whale_summary(whales: Sequence[WhaleMovement]) -> Text:
    """Return one line for the transfers that were too many to be told one by one."""
    counts = Counter(whale.direction for whale in whales)
    sums: defaultdict[Direction, float] = defaultdict(float)
    for whale in whales:
        sums[whale.direction] += whale.amount_usd or 0.0
    parts = [
        f"{words} {counts[name]} ({money(sums[name])})"
        for name, (_, words) in _DIRECTIONS.items()
        if counts[name]
    ]
    return message([f"🐋 {len(whales)} more large transfers: {', '.join(parts)}"])


def macro_alert(change: StateChange, text: str) -> Text:
    """Return the message when the macro state becomes EXTREME."""
    was = of_others(change.old or "unknown", _LONGEST_NAME)
    return message(
        [
            bold("🚨 MACRO DANGER"),
            RULE,
            f"Reason: {of_others(text)}",
            f"Action: new signals PAUSED (the state was {was})",
            "Resume: by itself, when the state is no longer EXTREME",
        ]
    )


def macro_relief(change: StateChange, text: str) -> Text:
    """Return the message when the macro state is EXTREME no longer."""
    now = of_others(change.new or "unknown", _LONGEST_NAME)
    return message([f"✅ MACRO: no longer EXTREME, now {now}. {of_others(text)}".strip()])


# ------------------------------------------------------------------------------------ the breakers


def breaker_alert(reason: str, resume: str) -> Text:
    """Return the message when a breaker pauses all signals (specification 10.4).

    Parameters
    ----------
    reason
        What tripped it.
    resume
        How signals come back.
    """
    return message(_paused("🚨 CIRCUIT BREAKER ACTIVATED", reason, resume))


def admin_pause(by: str, reason: str) -> Text:
    """Return the message when an admin has paused all signals."""
    who = f"⏸ SIGNALS PAUSED BY {one_line(by, _LONGEST_NAME) or 'THE ADMIN'}"
    return message(_paused(who, reason, "Use /resume command"))


def _paused(headline: str, reason: str, resume: str) -> list[str]:
    return [
        bold(headline),
        RULE,
        f"Reason: {of_others(reason)}",
        "Action: Signals PAUSED",
        f"Resume: {of_others(resume)}",
    ]


def veto_line(candidate: Candidate, verdict: Verdict) -> Text:
    """Return one line for a signal that a breaker has vetoed."""
    breaker = one_line(verdict.breaker, _LONGEST_NAME).replace("_", " ")
    pair = of_others(candidate.pair, _LONGEST_NAME)
    reason = of_others(verdict.reason) or "no reason given"
    return message(
        [f"🛡 {bold(breaker)}: {pair} {candidate.side} not sent ({candidate.score}/100): {reason}"]
    )


def foreign_trades(named: Sequence[str], stop_ratio: float) -> Text:
    """Return the message at a start that finds open trades of other strategies."""
    left = len(named) - _MOST_NAMED
    return message(
        [
            bold("⚠️ TRADES OF OTHER STRATEGIES"),
            RULE,
            *(of_others(name) for name in named[:_MOST_NAMED]),
            *([f"and {left} more"] if left > 0 else []),
            "They are left alone: no target, stop or time limit of this engine applies to them.",
            f"Freqtrade's own stop of {stop_ratio:.0%} is all that guards them.",
        ]
    )


def resumed(by: str, reason: str) -> Text:
    """Return the message when signals are let through again; `reason` is that of the pause."""
    return message(
        [
            bold(f"✅ SIGNALS RESUMED{_by(by)}"),
            RULE,
            f"They were paused: {of_others(reason)}",
        ]
    )


def overridden(by: str, reason: str) -> Text:
    """Return the message when a drawdown's pause was ended on its own day."""
    return message(
        [
            bold(f"⚠️ DAILY DRAWDOWN OVERRIDDEN{_by(by)}"),
            RULE,
            f"Signals were paused: {of_others(reason)}",
            "Action: Signals RESUMED; the day's loss is counted anew from the equity now",
        ]
    )


def _by(who: str) -> str:
    name = one_line(who, _LONGEST_NAME)
    return f" by {name}" if name else ""


# ---------------------------------------------------------------------------------------- health


def failure(name: str, problem: str) -> Text:
    """Return the message when something has stopped working.

    Parameters
    ----------
    name
        "journal", "sidecar", or the name of one of the sidecar's sources.
    problem
        Why, in words.
    """
    kind = name.partition(" ")[0]
    of_kind = f"{kind.upper() if kind in _FAILURES_OF else 'SOURCE'} FAILED"
    headline, effect = _FAILURES.get(
        name,
        (
            f"{of_kind} — {one_line(name, _LONGEST_NAME)}",
            _FAILURES_OF.get(kind, "What only it can tell is unknown until it works again"),
        ),
    )
    return message(
        [
            bold(f"⚠️ {headline}"),
            RULE,
            f"Reason: {of_others(problem) or 'unknown'}",
            f"Effect: {effect}",
        ]
    )


def recovery(name: str) -> Text:
    """Return the line when it works again."""
    source = f"Source {of_others(name, _LONGEST_NAME)} works again"
    return message([f"✅ {_RECOVERIES.get(name, source)}"])
