"""Why Telegram did not take a message, and what that asks for."""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Final

from telegram.error import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    InvalidToken,
    RetryAfter,
    TelegramError,
)

from scalp_strategy.telegram.secrecy import without_secrets

_WORDS_LENGTH: Final = 200
# Bot API descriptions, in lower case.
_DONE_ALREADY: Final = ("message is not modified",)
_GONE: Final = ("message to edit not found", "message can't be edited", "message_id_invalid")
_OF_CHAT: Final = (
    "chat not found",
    "message thread not found",
    "not enough rights",
    "have no rights",
    "need administrator rights",
    "topic_closed",
    "chat_write_forbidden",
    "group chat was deactivated",
)
# Some proxy's page in place of Telegram's answer.
_NOT_TELEGRAM: Final = "parsing the server response"


class Remedy(Enum):
    """What to do about it."""

    DONE = "nothing: it is as wanted"
    GIVE_UP = "the message cannot be edited any more"
    CHANGE = "this message is refused as it is"
    WAIT = "wait as long as Telegram asks"
    RETRY = "try again soon"
    PAUSE = "try again rarely: no message would be taken"
    MOVE = "the chat has another number now"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A failed call: the remedy, and words without any secret.

    Attributes
    ----------
    wait_s
        How long Telegram wants to be left alone.
    chat_id
        The chat's new number.
    """

    remedy: Remedy
    words: str
    wait_s: float = 0.0
    chat_id: str = ""


def trouble_of(error: TelegramError) -> Trouble:
    """Return what a failed call asks for."""
    if isinstance(error, RetryAfter):
        return Trouble(Remedy.WAIT, "too many requests", _seconds(error))
    if isinstance(error, ChatMigrated):
        return Trouble(Remedy.MOVE, "the group has become another", chat_id=str(error.new_chat_id))
    if isinstance(error, BadRequest):
        return _refusal(without_secrets(error.message)[:_WORDS_LENGTH])
    if isinstance(error, InvalidToken):
        return Trouble(Remedy.PAUSE, "the bot's token is not valid")
    if isinstance(error, Forbidden):
        return Trouble(Remedy.PAUSE, without_secrets(error.message)[:_WORDS_LENGTH])
    # The texts of network errors hold addresses, and those the token.
    return Trouble(Remedy.RETRY, type(error).__name__)


def _refusal(words: str) -> Trouble:
    said = words.lower()
    remedies = (
        (_DONE_ALREADY, Remedy.DONE),
        (_GONE, Remedy.GIVE_UP),
        (_OF_CHAT, Remedy.PAUSE),
        ((_NOT_TELEGRAM,), Remedy.RETRY),
    )
    for phrases, remedy in remedies:
        if any(phrase in said for phrase in phrases):
            return Trouble(remedy, words)
    return Trouble(Remedy.CHANGE, words)


def _seconds(error: RetryAfter) -> float:
    wait = error.retry_after
    return wait.total_seconds() if isinstance(wait, timedelta) else float(wait)
