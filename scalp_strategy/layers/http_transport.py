"""The sidecar over HTTP: one kept connection."""

import contextlib
import socket
from typing import Any, Final

import httpx

from scalp_strategy.errors import SourceUnavailable
from scalp_strategy.layers.answer import Answer, Ask, parse_answer
from scalp_strategy.layers.sidecar_http import checked_url, chunks_of, headers_of

MAX_BODY_BYTES: Final = 64 * 2**20
_PATH: Final = "/v1/scores"


class HttpTransport:
    """Asks ``GET {url}/v1/scores``.

    Parameters
    ----------
    url
        Where the sidecar listens, e.g. ``http://127.0.0.1:8090``.
    token
        Sent as a bearer token; empty = none.
    timeout_s
        Limit of each step of a call; the limit of the whole is the caller's.
    max_body_bytes
        A longer answer is refused.

    Raises
    ------
    ConfigError
        When the URL is none, or the token cannot be sent.
    """

    has_history = True

    def __init__(
        self, url: str, token: str, timeout_s: float, max_body_bytes: int = MAX_BODY_BYTES
    ) -> None:
        self._url = checked_url(url, _PATH)
        self._headers = headers_of(token)
        self._timeout_s = timeout_s
        self._max_body_bytes = max_body_bytes
        self._line: _Line | None = None

    def fetch(self, ask: Ask) -> Answer:
        """Return the answer; see `Transport.fetch`."""
        line = self._line = self._line or _Line(self._timeout_s, self._headers)
        try:
            return parse_answer(self._body(line, ask), ask)
        except Exception as error:
            # Whatever it was: what is left of the answer must not be read as the next one.
            line.client.close()
            if self._line is line:
                self._line = None
            if isinstance(error, httpx.HTTPError | httpx.StreamError | OSError):
                # The text of a client's error may quote a header.
                raise SourceUnavailable(type(error).__name__) from None
            raise

    def drop(self) -> None:
        """Cut the connection; a call that hangs in it ends at once, and the next one connects."""
        line, self._line = self._line, None
        if line is not None:
            line.cut()

    def _body(self, line: "_Line", ask: Ask) -> bytes:
        query = {"pairs": ",".join(ask.pairs), "at": str(ask.close_ms)}
        if ask.since_ms is not None:
            query["since"] = str(ask.since_ms)
        with line.client.stream(
            "GET", self._url, params=query, extensions={"trace": line.trace}
        ) as response:
            return b"".join(chunks_of(response, self._max_body_bytes))


class _Line:
    """A client with one connection, which another thread can cut."""

    def __init__(self, timeout_s: float, headers: dict[str, str]) -> None:
        self.client = httpx.Client(
            headers=headers,
            timeout=timeout_s,
            limits=httpx.Limits(max_connections=1, keepalive_expiry=None),
            trust_env=False,
        )
        self._socket: socket.socket | None = None
        self._is_cut = False

    def trace(self, event: str, details: dict[str, Any]) -> None:
        """Note the socket of the connection; called by the client as it goes along."""
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            self._socket = details["return_value"].get_extra_info("socket")
            if self._is_cut:
                self.cut()

    def cut(self) -> None:
        # Shut down, not closed: a closed socket's number may be another's when it is read again.
        self._is_cut = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
