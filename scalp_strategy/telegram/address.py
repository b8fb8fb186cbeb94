"""Where Telegram's Bot API is, and the optional second bot for signals."""

from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from scalp_strategy.errors import ConfigError

TOKEN_VARIABLE: Final = "SCALP_SIGNALS_TOKEN"  # noqa: S105 - a name, no secret
CHAT_VARIABLE: Final = "SCALP_SIGNALS_CHAT_ID"
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class SecondBot(NamedTuple):
    """A bot of its own for signals, and the chat it writes to."""

    token: str
    chat_id: str


def checked_base_url(url: object) -> str:
    """Return another address of the Bot API, empty for Telegram's own.

    Parameters
    ----------
    url
        The host's `telegram.base_url`, with or without the `/bot` at its end.

    Raises
    ------
    ConfigError
        When the token would travel unencrypted over a network.

    Examples
    --------
    >>> checked_base_url("https://bots.example/bot"), checked_base_url(None)
    ('https://bots.example', '')
    """
    text = str(url or "").strip()
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        raise ConfigError("telegram.base_url: is no address") from None
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    if not host or not is_safe:
        raise ConfigError(
            f"telegram.base_url = '{parts.scheme}://{host}': must begin with https://, or with "
            "http:// on this machine: the bot's token is part of every address, and nobody may "
            "read it on the way"
        )
    return text.rstrip("/").removesuffix("/bot")


def second_bot(environment: Mapping[str, str]) -> SecondBot | None:
    """Return the bot for signals, None without one.

    Raises
    ------
    ConfigError
        When only one of its two variables is set.
    """
    token, chat_id = (environment.get(name, "").strip() for name in (TOKEN_VARIABLE, CHAT_VARIABLE))
    if bool(token) != bool(chat_id):
        missing = TOKEN_VARIABLE if chat_id else CHAT_VARIABLE
        raise ConfigError(f"{missing} is missing: a bot for signals needs its token and its chat")
    return SecondBot(token, chat_id) if token else None
