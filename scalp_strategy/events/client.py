"""The sidecar's events over HTTP."""

from collections.abc import Callable
from time import monotonic
from typing import Final

import httpx

from scalp_strategy.errors import SourceUnavailable
from scalp_strategy.events.wire import Page, parse_events
from scalp_strategy.layers.sidecar_http import checked_url, chunks_of, headers_of

_PATH: Final = "/v1/events"


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
        self._url = checked_url(url, _PATH)
        self._client = httpx.Client(headers=headers_of(token), timeout=timeout_s, trust_env=False)
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
            body = bytearray()
            for chunk in chunks_of(response, self._max_bytes):
                body += chunk
                if self._clock() > deadline:
                    raise SourceUnavailable(f"no answer within {self._timeout_s:g} s")
        return bytes(body)
