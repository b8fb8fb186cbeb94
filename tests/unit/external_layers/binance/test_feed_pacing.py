"""Back-off and rate limits."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from external_layers.binance.pacing import Backoff, RateWindow
from tests.unit.external_layers.binance.fake_time import FakeTime


def test_waits_double_up_to_the_longest() -> None:
    waits = [Backoff(1.0, 30.0, 0.2).wait_s(attempt, 0.5) for attempt in range(1, 8)]
    assert waits == [1, 2, 4, 8, 16, 30, 30]


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True), st.floats(0, 1))
def test_waits_stay_within_the_jitter(attempt: int, chance: float, jitter: float) -> None:
    wait = Backoff(1.0, 30.0, jitter).wait_s(attempt, chance)
    plain = Backoff(1.0, 30.0, 0.0).wait_s(attempt, chance)
    assert plain * (1 - jitter) - 1e-9 <= wait <= plain * (1 + jitter) + 1e-9


@given(st.integers(1, 5), st.lists(st.floats(0, 20), max_size=40))
def test_never_more_than_the_window_allows(count: int, pauses: list[float]) -> None:
    async def run() -> list[float]:
        clock, window, taken = FakeTime(), RateWindow(count, 10.0), []
        for pause in pauses:
            clock.s += pause
            await window.wait_and_take(clock.timing())
            taken.append(clock.s)
        return taken

    taken = asyncio.run(run())
    for early, late in zip(taken, taken[count:], strict=False):
        assert late - early >= 10.0 - 1e-6
