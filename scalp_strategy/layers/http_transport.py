"""The sidecar over HTTP: one kept connection."""

import contextlib
import socket
from typing import Any, Final

import httpx

from scalp_strategy.errors import ConfigError, PayloadError, SourceRejected, SourceUnavailable
from scalp_strategy.layers.answer import Answer, Ask, parse_answer

MAX_BODY_BYTES: Final = 64 * 2**20
_PATH: Final = "/v1/scores"
_OK: Final = 200
_FIRST_SERVER_ERROR: Final = 500
_TOO_MANY: Final = 429


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
        self._url = _checked_url(url)
        if not (token.isascii() and token.isprintable()):
            raise ConfigError("SCALP_LAYERS_TOKEN: must be printable ASCII")
        self._headers = {"Accept-Encoding": "identity"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
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
            _check(response)
            body = bytearray()
            for chunk in response.iter_raw():
                body += chunk
                if len(body) > self._max_body_bytes:
                    raise PayloadError(f"an answer of more than {self._max_body_bytes} bytes")
        return bytes(body)


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


def _check(response: httpx.Response) -> None:
    status = response.status_code
    if status == _TOO_MANY or status >= _FIRST_SERVER_ERROR:
        raise SourceUnavailable(f"status {status}")
    if status != _OK:
        raise SourceRejected(f"status {status}")
    if response.headers.get("content-encoding", "identity") != "identity":
        raise PayloadError("a compressed answer, which was not asked for")


def _checked_url(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in {"http", "https"} or not parsed.host or parsed.userinfo:
        raise ConfigError("sidecar.url: must be http://host:port, without a name or password")
    return url.rstrip("/") + _PATH
