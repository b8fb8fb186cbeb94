"""The running bot as the demo shows it: its REST API and its message stream."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from scalp_strategy.errors import SourceUnavailable

_TOPICS: Final = (
    "strategy_msg",
    "entry",
    "entry_fill",
    "entry_cancel",
    "exit",
    "exit_fill",
    "exit_cancel",
    "new_candle",
)
_TIMEOUT_S: Final = 60.0  # a machine that is busy with other things is slow, not broken


@dataclass(frozen=True, slots=True)
class BotAddress:
    """Where the bot's API listens, and what opens it."""

    port: int
    username: str
    password: str
    ws_token: str

    @property
    def url(self) -> str:
        """The API's base URL."""
        return f"http://127.0.0.1:{self.port}/api/v1"


class Bot:
    """Asks the bot's REST API."""

    def __init__(self, address: BotAddress) -> None:
        self._address = address
        self._client = httpx.Client(
            base_url=address.url,
            auth=(address.username, address.password),
            timeout=_TIMEOUT_S,
            trust_env=False,
        )

    def is_up(self) -> bool:
        """Whether the API answers."""
        try:
            return self._client.get("/ping").is_success
        except httpx.HTTPError:
            return False

    def start(self) -> None:
        """Let the bot trade.

        Raises
        ------
        SourceUnavailable
            When it refuses.
        """
        try:
            self._client.post("/start").raise_for_status()
        except httpx.HTTPError as error:
            raise SourceUnavailable(f"the bot does not start trading: {error}") from error

    def pairs(self) -> list[str]:
        """Return the pairs that are scanned."""
        return list(self._get("/whitelist")["whitelist"])

    def last_row(self, pair: str) -> dict[str, Any]:
        """Return the columns of a pair's last analysed candle, empty before the first."""
        query = {"pair": pair, "timeframe": "15m", "limit": 1}
        try:
            answer = self._get("/pair_candles", **query)
        except SourceUnavailable:
            return {}
        rows = answer.get("data") or []
        return dict(zip(answer["columns"], rows[-1], strict=True)) if rows else {}

    def open_trades(self) -> list[dict[str, Any]]:
        """Return the open paper trades."""
        return list(self._get("/status"))

    @contextmanager
    def listen(self) -> Iterator[ClientConnection]:
        """Open a connection to the bot's messages, subscribed.

        Raises
        ------
        SourceUnavailable
            When the bot does not take it; the address holds a token and is not told.
        """
        address = f"ws://127.0.0.1:{self._address.port}/api/v1/message/ws"
        try:
            opened = connect(
                f"{address}?token={self._address.ws_token}", proxy=None, open_timeout=_TIMEOUT_S
            )
        except (OSError, WebSocketException) as error:
            raise SourceUnavailable(f"the bot's message stream: {type(error).__name__}") from None
        with opened as socket:
            socket.send(json.dumps({"type": "subscribe", "data": list(_TOPICS)}))
            yield socket

    def _get(self, path: str, **query: Any) -> Any:
        try:
            answer = self._client.get(path, params=query)
            answer.raise_for_status()
            return answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise SourceUnavailable(f"the bot's API: {path}: {error}") from error


def messages(socket: ClientConnection, timeout_s: float) -> Iterator[dict[str, Any]]:
    """Yield the messages that have come, waiting at most `timeout_s` for the next.

    Raises
    ------
    SourceUnavailable
        When the bot closed the connection.
    """
    while True:
        try:
            text = socket.recv(timeout=timeout_s)
        except TimeoutError:
            return
        except WebSocketException as error:
            raise SourceUnavailable(f"the bot's message stream closed: {error}") from error
        message = json.loads(text)
        if isinstance(message, dict):
            yield message
