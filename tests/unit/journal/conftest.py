import socket
from collections.abc import Iterator

import pytest
from sqlalchemy.engine import URL

from scalp_strategy.journal.store import Journal
from tests.unit.journal.databases import KINDS, empty_database, journal_at


@pytest.fixture(params=KINDS)
def url(request, tmp_path) -> Iterator[URL]:
    """An empty database, of each kind in turn."""
    with empty_database(request.param, tmp_path) as address:
        yield address


@pytest.fixture
def journal(url) -> Iterator[Journal]:
    one = journal_at(url)
    yield one
    one.close()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine at which nobody answers, and nobody else can."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
