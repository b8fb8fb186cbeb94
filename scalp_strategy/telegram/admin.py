"""Who may do what in the chat (pure).

Everything that is not known to be read-only changes something: so a new command of the host's is
for admins until somebody has looked at it.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

# Commands that change nothing: ours, and the host's own under our names for them.
OUR_READ_ONLY: Final = frozenset(
    {
        "start", "help", "stats", "pnl", "winrate", "drawdown", "open", "heat", "signals", "why",
        "sources", "gate", "ft_help", "ft_stats",
    }
)  # fmt: skip
# The host's; none of them is changed by an argument.
HOST_READ_ONLY: Final = frozenset(
    {
        "status", "profit", "profit_long", "profit_short", "balance", "trades", "performance",
        "buys", "entries", "sells", "exits", "mix_tags", "daily", "weekly", "monthly", "count",
        "locks", "show_config", "show_conf", "whitelist", "logs", "health", "version", "order",
        "list_custom_data", "tg_info",
    }
)  # fmt: skip
READ_ONLY: Final = OUR_READ_ONLY | HOST_READ_ONLY
# Commands that change something only when they are given an argument.
READ_ONLY_BARE: Final = frozenset({"blacklist", "marketdir"})
# What the buttons of the host's read-only answers send: they show the answer anew.
READ_ONLY_BUTTON: Final = "update_"

_NOTED_FOR_S: Final = 3_600.0
_MOST_NOTED: Final = 50
_REFUSED_AGAIN_S: Final = 10.0
_NONCE_BYTES: Final = 6


def is_read_only(text: str) -> bool:
    """Return whether a message changes nothing, whoever sends it.

    Examples
    --------
    >>> is_read_only("/why SOL"), is_read_only("/pause"), is_read_only("/blacklist DOGE/USDT")
    (True, False, False)
    """
    words = text.split()
    if not words or not words[0].startswith("/"):
        return True  # no command: nothing listens to it
    command = words[0].removeprefix("/").partition("@")[0].lower()
    if command in READ_ONLY_BARE:
        return len(words) == 1
    return command in READ_ONLY


def admins_of(chat_id: str, admin_ids: Iterable[int]) -> frozenset[int]:
    """Return who may change something: those named, else the user of a private chat.

    Examples
    --------
    >>> admins_of("42", ()), admins_of("-100", ()), admins_of("-100", (7,))
    (frozenset({42}), frozenset(), frozenset({7}))
    """
    named = frozenset(admin_ids)
    if named or not chat_id.isdigit():
        return named
    return frozenset({int(chat_id)})


class Pass(Enum):
    """What becomes of something that was asked."""

    YES = "it is done"
    REFUSED = "whoever asks is told that only an admin may"
    SILENT = "nobody is told anything"


@dataclass(frozen=True, slots=True)
class Asked:
    """A command or a pressed button.

    Attributes
    ----------
    user_id
        None for who speaks in the name of a group or channel.
    text
        A message's text, None for a button.
    button
        What a button sends, None for a message.
    """

    chat_id: int
    topic_id: int | None
    user_id: int | None
    text: str | None = None
    button: str | None = None

    @property
    def is_read_only(self) -> bool:
        """Whether it changes nothing."""
        if self.button is not None:
            return self.button.startswith(READ_ONLY_BUTTON)
        return is_read_only(self.text or "")


class Gate:
    """Lets commands through, or not.

    Parameters
    ----------
    config
        The host's `telegram` section: chat, topic and authorised users.
    admin_ids
        `telegram.admin_ids`.
    clock
        Seconds of a clock that never goes back.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        admin_ids: Iterable[int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._chat_id = str(config["chat_id"])
        self._topic_id = config.get("topic_id")
        self._authorized = config.get("authorized_users")
        self._admins = admins_of(self._chat_id, admin_ids)
        self._strangers = _Noted(clock, _NOTED_FOR_S)
        self._refused = _Noted(clock, _REFUSED_AGAIN_S)

    def judge(self, asked: Asked) -> Pass:
        """Return what becomes of something that was asked."""
        if not self._knows(asked):
            return Pass.SILENT
        is_admin = asked.user_id is not None and asked.user_id in self._admins
        return Pass.YES if is_admin or asked.is_read_only else Pass.REFUSED

    def is_new_stranger(self, asked: Asked) -> bool:
        """Return whether a stranger is worth a line in the log: once an hour, and few in all."""
        return self._strangers.is_new(asked.user_id or asked.chat_id)

    def is_new_refusal(self, asked: Asked) -> bool:
        """Return whether a refusal is worth a message: who asks without end gets few."""
        return self._refused.is_new(asked.user_id or asked.chat_id)

    def _knows(self, asked: Asked) -> bool:
        if str(asked.chat_id) != self._chat_id:
            return False
        if self._topic_id is not None and str(asked.topic_id) != str(self._topic_id):
            return False
        known = self._authorized
        return known is None or str(asked.user_id) in {str(one) for one in known}


class Questions:
    """Buttons that one admin may press, once, and not for long.

    Parameters
    ----------
    limit_s
        How long.
    clock
        Seconds of a clock that never goes back.
    """

    def __init__(self, limit_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit_s, self._clock = limit_s, clock
        self._open: dict[str, tuple[int, float]] = {}

    def ask(self, user_id: int) -> str:
        """Return what the button of a new question sends."""
        now = self._clock()
        self._open = {
            name: (user, asked_s)
            for name, (user, asked_s) in self._open.items()
            if now - asked_s <= self._limit_s
        }
        name = secrets.token_hex(_NONCE_BYTES)
        self._open[name] = (user_id, now)
        return name

    def take(self, name: str, user_id: int | None) -> bool:
        """Return whether a press counts; another's press leaves the question as it is."""
        user, asked_s = self._open.get(name, (None, 0.0))
        if user is None or user != user_id:
            return False
        del self._open[name]
        return self._clock() - asked_s <= self._limit_s


class _Noted:
    """Remembers who was noted lately, a few at most."""

    def __init__(self, clock: Callable[[], float], for_s: float) -> None:
        self._clock, self._for_s = clock, for_s
        self._seen_s: dict[int, float] = {}

    def is_new(self, one: int) -> bool:
        now = self._clock()
        self._seen_s = {
            key: seen_s for key, seen_s in self._seen_s.items() if now - seen_s < self._for_s
        }
        if one in self._seen_s or len(self._seen_s) >= _MOST_NOTED:
            return False
        self._seen_s[one] = now
        return True
