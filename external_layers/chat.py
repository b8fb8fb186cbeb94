"""The bot's own chat, as the sidecar writes to it; its token is in every address, never in a text.

Only one thing is ever said here, see `bot_watch`: all else is told by the bot.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout

from external_layers.loopback import is_loopback
from external_layers.sources.answers import OK, network_problem, refusal
from external_layers.sources.scrub import Secrets
from scalp_strategy.errors import ConfigError, RateLimited, ScalpError, SourceUnavailable

logger = logging.getLogger(__name__)

ENABLED_VARIABLE: Final = "FREQTRADE__TELEGRAM__ENABLED"
KEY_VARIABLE: Final = "FREQTRADE__TELEGRAM__TOKEN"
CHAT_VARIABLE: Final = "FREQTRADE__TELEGRAM__CHAT_ID"
TOPIC_VARIABLE: Final = "FREQTRADE__TELEGRAM__TOPIC_ID"
URL_VARIABLE: Final = "SCALP_TELEGRAM_URL"
_URL: Final = "https://api.telegram.org"
_KEY: Final = re.compile(r"[A-Za-z0-9_:-]+")
_ON: Final = ("", "true", "t", "1", "yes")
_ANSWER_BYTES: Final = 65_536
_PAUSE_S: Final = 5.0  # where the server names none


@dataclass(frozen=True, slots=True)
class ChatAddress:
    """Where the chat is; everything but the server is secret.

    Attributes
    ----------
    url
        The Bot API server.
    key
        The bot's token.
    chat, topic
        The chat's id, and the topic's where a group has topics.
    """

    url: str
    key: str = field(repr=False)
    chat: str = field(repr=False)
    topic: str = field(default="", repr=False)


class ChatPause(RateLimited):
    """The server asks to be left alone for `wait_s` seconds."""

    def __init__(self, text: str, wait_s: float) -> None:
        super().__init__(text)
        self.wait_s = wait_s


def chat_address(environment: Mapping[str, str]) -> ChatAddress | None:
    """Return the chat that the bot's own variables name; None = none, or Telegram is off.

    Raises
    ------
    ConfigError
        When the address or the token cannot be one; the token is not quoted.
    """
    url = _server(environment.get(URL_VARIABLE) or _URL)
    key, chat = (environment.get(name, "").strip() for name in (KEY_VARIABLE, CHAT_VARIABLE))
    if environment.get(ENABLED_VARIABLE, "").strip().lower() not in _ON:
        return None
    if not (key and chat):
        if key or chat:
            missing = CHAT_VARIABLE if key else KEY_VARIABLE
            logger.warning("%s is not set: a silent bot is not told in the chat", missing)
        return None
    if not _KEY.fullmatch(key):
        raise ConfigError(f"{KEY_VARIABLE}: must be letters, digits, ':', '_' and '-'")
    return ChatAddress(url, key, chat, environment.get(TOPIC_VARIABLE, "").strip())


class Chat:
    """Writes to the chat.

    Parameters
    ----------
    session
        The one client session; it is neither made nor closed here.
    address
        Where the chat is.
    timeout_s
        Limit of a call.
    """

    def __init__(self, session: ClientSession, address: ChatAddress, timeout_s: float) -> None:
        self._session = session
        self._address = address
        self._timeout = ClientTimeout(total=timeout_s)
        self._secrets = Secrets([address.key, address.chat])

    async def send(self, text: str) -> None:
        """Send a plain text, once.

        Raises
        ------
        ChatPause
            The server asks for a pause.
        SourceRejected
            It refuses the token or the chat.
        SourceUnavailable
            It could not be reached, or did not answer.
        """
        address = self._address
        body = {"chat_id": address.chat, "text": text}
        body |= {"message_thread_id": address.topic} if address.topic else {}
        try:
            async with self._session.post(
                f"{address.url}/bot{address.key}/sendMessage",
                json=body,
                allow_redirects=False,
                timeout=self._timeout,
            ) as response:
                said = await _said(response)
        except (ClientError, OSError) as error:
            raise SourceUnavailable(f"Telegram: {network_problem(error)}") from None
        if response.status != OK:
            raise self._refused(response, said)
        if said.get("ok") is not True:  # the page of a network that wants a login, say
            raise SourceUnavailable("Telegram: no answer of a Bot API server")

    def _refused(self, response: ClientResponse, said: Mapping[str, Any]) -> ScalpError:
        words = f"Telegram: status {response.status}: {said.get('description', 'no reason given')}"
        text = self._secrets.shown(words)
        error = refusal(text, response.status, response.headers)
        if not isinstance(error, RateLimited):
            return error
        asked = said.get("parameters")
        wait_s = asked.get("retry_after") if isinstance(asked, dict) else None
        return ChatPause(text, float(wait_s) if isinstance(wait_s, int | float) else _PAUSE_S)


async def _said(response: ClientResponse) -> dict[str, Any]:
    body = await response.content.read(_ANSWER_BYTES)
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def _server(url: str) -> str:
    try:
        parts = urlsplit(url)
        scheme, host = parts.scheme, parts.hostname or ""
    except ValueError:
        scheme = host = ""
    is_safe = scheme == "https" or (scheme == "http" and is_loopback(host))
    if not (is_safe and host) or any(mark in url for mark in "@?#"):
        raise ConfigError(f"{URL_VARIABLE}: must be https://host, or http:// on this machine")
    return url.rstrip("/")
