"""Messages about the market: whale movements and macro danger (pure).

They go through the host as Telegram's first Markdown, where one character of markup without its
partner loses the message: so none is left in them, wherever a text comes from.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

from scalp_strategy.journal.outside import Direction, StateChange, WhaleMovement, one_line

RULE: Final = "━━━━━━━━━━━━━━━━━━━"
_LONGEST_PART: Final = 300  # of what others wrote; a message may have 4,096 characters
_MARKUP: Final = str.maketrans({"_": " ", "*": " ", "`": "'", "[": "(", "]": ")", "\\": "/"})
_DIRECTIONS: Final[dict[Direction, tuple[str, str]]] = {
    "deposit": ("deposit to an exchange", "deposits"),
    "withdrawal": ("withdrawal from an exchange", "withdrawals"),
    "between_exchanges": ("moved between exchanges", "between exchanges"),
    "between_wallets": ("moved between wallets", "between wallets"),
}
_UNITS: Final = ((1e9, "B"), (1e6, "M"), (1e3, "K"))


def without_markup(text: str) -> str:
    """Return a text, lines and all, in which Telegram finds no Markdown."""
    return text.translate(_MARKUP)


def plain(text: str) -> str:
    """Return a text of others as one line without markup.

    Examples
    --------
    >>> plain("hot_wallet *7*  [Binance] 14")
    'hot wallet 7 (Binance) 14'
    """
    return one_line(without_markup(text), _LONGEST_PART)


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


def whale_alert(whale: WhaleMovement) -> str:
    """Return the message of one large transfer (specification 10.4)."""
    token = plain(whale.token)
    tokens = "" if whale.amount is None else f" ({whale.amount:,.6g} {token})"
    worth = "of unknown worth" if whale.amount_usd is None else money(whale.amount_usd)
    return "\n".join(
        [
            f"🐋 WHALE ALERT — {token}",
            RULE,
            f"{worth}{tokens} {_DIRECTIONS[whale.direction][0]}",
            f"From: {plain(whale.from_label)}",
            f"To: {plain(whale.to_label)}",
            f"Potential Impact: {whale.impact}",
        ]
    )


def whale_summary(whales: Sequence[WhaleMovement]) -> str:
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
    return f"🐋 {len(whales)} more large transfers: {', '.join(parts)}"


def macro_alert(change: StateChange, text: str) -> str:
    """Return the message when the macro state becomes EXTREME."""
    was = plain(change.old or "unknown")
    return "\n".join(
        [
            "🚨 MACRO DANGER",
            RULE,
            f"Reason: {plain(text)}",
            f"Action: new signals PAUSED (the state was {was})",
            "Resume: by itself, when the state is no longer EXTREME",
        ]
    )


def macro_relief(change: StateChange, text: str) -> str:
    """Return the message when the macro state is EXTREME no longer."""
    return (
        f"✅ MACRO: no longer EXTREME, now {plain(change.new or 'unknown')}. {plain(text)}".strip()
    )
