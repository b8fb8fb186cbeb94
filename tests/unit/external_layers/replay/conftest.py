"""A generated market on a clock that the test owns."""

from dataclasses import dataclass

import pytest

from external_layers.replay.exchange import ReplayExchange
from external_layers.replay.generator import GeneratedMarket
from external_layers.replay.market import ReplayMarket

NOW_MS = 1_790_000_130_250  # 2026-09-21 14:15:30.250 UTC, in the middle of a minute


@dataclass
class Clock:
    """Wall time in milliseconds, moved by hand."""

    ms: int = NOW_MS

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def source() -> GeneratedMarket:
    return GeneratedMarket(seed=7)


@pytest.fixture
def exchange(source: GeneratedMarket, clock: Clock) -> ReplayExchange:
    return ReplayExchange(source, clock)


@pytest.fixture
def market(exchange: ReplayExchange) -> ReplayMarket:
    return exchange.market
