"""One replay market for all end-to-end tests."""

from collections.abc import Iterator

import pytest

from tests.support.market import running_market


@pytest.fixture(scope="session")
def replay_market() -> Iterator[str]:
    """Yield the base URL of a running market; tests that inject faults reset them."""
    with running_market("--seed", "7") as url:
        yield url
