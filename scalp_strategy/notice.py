"""What is told to the trader, whichever way it goes (pure)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from scalp_strategy.signals import SignalKey

NoticeKind = Literal["signal", "trade", "whale", "breaker", "macro", "health", "daily", "admin"]
NOTICE_KEY_LENGTH: Final = 160


@dataclass(frozen=True, slots=True)
class Notice:
    """One message: told once under its key, on every way that is open.

    Attributes
    ----------
    key
        At most `NOTICE_KEY_LENGTH` characters. A key that was told is never told again, over
        restarts too.
    html
        For Telegram, in its HTML; every line is balanced by itself, so that it can be split.
    plain
        The same without markup: for the console, webhooks and Discord.
    at
        When it arose, UTC.
    expires_at
        When it is no longer worth sending; None is never.
    signal
        The signal that it tells of; its message is edited as the trade goes on.
    """

    key: str
    kind: NoticeKind
    html: str
    plain: str
    at: datetime
    expires_at: datetime | None = None
    signal: SignalKey | None = None
