"""Services that tests use for real."""

import os
import socket
from urllib.parse import urlsplit

import pytest

_REDIS = "redis://127.0.0.1:6379/0"
_POSTGRES = "postgresql://postgres@127.0.0.1:5432/test"


def redis_url() -> str:
    """Return the address of a Redis that answers; without one skip, or fail where CI is set."""
    return _answering("Redis", "REDIS_URL", _REDIS, 6379)


def postgres_url() -> str:
    """Return the address of a PostgreSQL that answers; without one as for Redis."""
    return _answering("PostgreSQL", "SCALP_TEST_POSTGRES_URL", _POSTGRES, 5432)


def _answering(service: str, variable: str, default: str, default_port: int) -> str:
    url = os.environ.get(variable, default)
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or default_port
    try:
        socket.create_connection((host, port), 1).close()
    except OSError as error:
        message = f"no {service} at {host}:{port} ({variable}): {error}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return url
