"""Services that tests use for real."""

import os
import socket
from urllib.parse import urlsplit

import pytest

_DEFAULT = "redis://127.0.0.1:6379/0"


def redis_url() -> str:
    """Return the address of a Redis that answers; without one skip, or fail where CI is set."""
    url = os.environ.get("REDIS_URL", _DEFAULT)
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 6379), 1).close()
    except OSError as error:
        message = f"no Redis at {parts.hostname}:{parts.port} (REDIS_URL): {error}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return url
