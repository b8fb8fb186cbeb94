"""What providers answer, and what their refusals mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final

import orjson
from aiohttp import ClientConnectorError

from scalp_strategy.errors import PayloadError, RateLimited, SourceRejected, SourceUnavailable

OK: Final = 200
UNCHANGED: Final = 304
_FORBIDDEN: Final = 403
_LATER: Final = (408, 425)
_TOO_MANY: Final = 429
_BUSY: Final = 503
_MS_PER_S: Final = 1_000


class StatusRejected(SourceRejected):
    """A provider refused a request with a 4xx."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


@dataclass(slots=True)
class HttpReply:
    """An answer; `where` says to what."""

    body: bytes
    received_ms: int
    is_unchanged: bool
    where: str

    def json(self) -> Any:
        """Return the parsed body.

        Raises
        ------
        PayloadError
            When it is no JSON.
        """
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            kind = {b"": "nothing", b"<": "HTML or XML"}.get(self.body.lstrip()[:1], "no JSON")
            raise PayloadError(f"{self.where}: {kind} instead of JSON") from None


def refusal(
    text: str, status: int, headers: Mapping[str, str]
) -> RateLimited | SourceRejected | SourceUnavailable:
    """Return what a status other than 200 and 304 means.

    A 403 or 503 that says when to come back is a pause like a 429; 408 and 425 are no fault of the
    request.
    """
    asks_for_pause = status in (_FORBIDDEN, _BUSY) and "Retry-After" in headers
    if status == _TOO_MANY or asks_for_pause:
        return RateLimited(text)
    if 400 <= status < 500 and status not in _LATER:
        return StatusRejected(text, status)
    return SourceUnavailable(text)


def retry_after_s(header: str, now_ms: int) -> float | None:
    """Return the seconds that a Retry-After asks for, not negative; None when it is none.

    Examples
    --------
    >>> retry_after_s("120", 0), retry_after_s("Thu, 01 Jan 1970 00:01:00 GMT", 0)
    (120.0, 60.0)
    """
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
        instant_s = until.replace(tzinfo=until.tzinfo or UTC).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return max(0.0, instant_s - now_ms / _MS_PER_S)


def network_problem(error: Exception) -> str:
    """Return what broke; the library's own message is left out, it may quote the address."""
    if isinstance(error, ClientConnectorError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror}"
    return type(error).__name__
