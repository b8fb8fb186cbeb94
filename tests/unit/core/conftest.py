from collections.abc import Iterator

import pytest

from tests.support.host_stub import without_database


@pytest.fixture
def trades_in_memory() -> Iterator[None]:
    with without_database():
        yield
