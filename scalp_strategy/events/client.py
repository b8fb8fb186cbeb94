"""The sidecar's events over HTTP."""

from collections.abc import Callable
from time import monotonic
from typing import Final

import httpx

from scalp_strategy.errors import ConfigError, PayloadError, SourceRejected, SourceUnavailable
from scalp_strategy.events.wire import Page, parse_events

_PATH: Final = "/v1/events"
_OK: Final = 200
_TOO_MANY: Final = 429
_FIRST_SERVER_ERROR: Final = 500


class EventClient:
    """Asks ``GET {url}/v1/events``; one call at a time.

    Parameters
    ----------
    url
        Where the sidecar listens, e.g. ``http://127.0.0.1:8090``.
    token
        Sent as a bearer token; empty = none.
    timeout_s
        Limit of an answer as a whole.
    max_bytes
        A longer answer is refused.
    clock
        Seconds of a clock that never goes back.

    Raises
    ------
    ConfigError
        When the URL is none, or the token cannot be sent.
    """

    def __init__(
        self,
        url: str,
        token: str,
        timeout_s: float,
        max_bytes: int,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._url = _checked_url(url)
        if not (token.isascii() and token.isprintable()):
            raise ConfigError("SCALP_LAYERS_TOKEN: must be printable ASCII")
        headers = {"Accept-Encoding": "identity"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._client = httpx.Client(headers=headers, timeout=timeout_s, trust_env=False)
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._clock = clock

    def fetch(self, after: int, limit: int) -> Page:
        """Return up to `limit` events with a number above `after`, oldest first.

        Raises
        ------
        SourceUnavailable
            No answer, none in time, or none that speaks of success.
        SourceRejected
            The token or the request was refused.
        PayloadError
            The answer is too long or not understood.
        """
        try:
            return parse_events(self._body(after, limit))
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            # The text of a client's error may quote a header.
            raise SourceUnavailable(type(error).__name__) from None

    def _body(self, after: int, limit: int) -> bytes:
        deadline = self._clock() + self._timeout_s
        query = {"after": after, "limit": limit}
        with self._client.stream("GET", self._url, params=query) as response:
            _check(response)
            body = bytearray()
            for chunk in response.iter_raw():
                body += chunk
                if len(body) > self._max_bytes:
                    raise PayloadError(f"an answer of more than {self._max_bytes} bytes")
                if self._clock() > deadline:
                    raise SourceUnavailable(f"no answer within {self._timeout_s:g} s")
        return bytes(body)


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
