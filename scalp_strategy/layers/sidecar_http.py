"""What every question to the sidecar over HTTP has in common."""

from collections.abc import Iterator
from typing import Final

import httpx

from scalp_strategy.errors import ConfigError, PayloadError, SourceRejected, SourceUnavailable

_OK: Final = 200
_TOO_MANY: Final = 429
_FIRST_SERVER_ERROR: Final = 500


def checked_url(url: str, path: str) -> str:
    """Return the address of a path of the sidecar.

    Raises
    ------
    ConfigError
        When the URL is none.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in {"http", "https"} or not parsed.host or parsed.userinfo:
        raise ConfigError("sidecar.url: must be http://host:port, without a name or password")
    return url.rstrip("/") + path


def headers_of(token: str) -> dict[str, str]:
    """Return the headers of a question; an empty token is none.

    Raises
    ------
    ConfigError
        When the token cannot be sent.
    """
    if not (token.isascii() and token.isprintable()):
        raise ConfigError("SCALP_LAYERS_TOKEN: must be printable ASCII")
    headers = {"Accept-Encoding": "identity"}
    return headers | {"Authorization": f"Bearer {token}"} if token else headers


def chunks_of(response: httpx.Response, max_bytes: int) -> Iterator[bytes]:
    """Yield the body of an answer that speaks of success.

    Raises
    ------
    SourceUnavailable
        The sidecar has no answer for now.
    SourceRejected
        The token or the question was refused.
    PayloadError
        The answer is compressed, or longer than `max_bytes`.
    """
    status = response.status_code
    if status == _TOO_MANY or status >= _FIRST_SERVER_ERROR:
        raise SourceUnavailable(f"status {status}")
    if status != _OK:
        raise SourceRejected(f"status {status}")
    if response.headers.get("content-encoding", "identity") != "identity":
        raise PayloadError("a compressed answer, which was not asked for")
    size = 0
    for chunk in response.iter_raw():
        size += len(chunk)
        if size > max_bytes:
            raise PayloadError(f"an answer of more than {max_bytes} bytes")
        yield chunk
