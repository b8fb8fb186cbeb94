"""The exchange's clock: estimate, jumps of the machine's clock, the loop around them."""

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from external_layers.binance.clock import (
    ClockEstimate,
    ClockSample,
    ExchangeClock,
    estimate_offset,
    keep_clock,
)
from scalp_strategy.errors import PayloadError, SourceUnavailable
from scalp_strategy.setting_groups.sidecar import FeedSettings


@dataclass
class Machine:
    """A monotonic clock and a settable wall clock, in milliseconds."""

    ms: float = 5_000.0
    wall_offset_ms: float = 1_790_000_000_000.0
    waits: list[float] = field(default_factory=list)

    def clock(self) -> ExchangeClock:
        return ExchangeClock(500.0, lambda: self.ms + self.wall_offset_ms, lambda: self.ms)


@given(
    st.floats(-1e7, 1e7),
    st.lists(st.tuples(st.floats(0, 500), st.floats(0, 500)), min_size=1, max_size=8),
)
def test_the_error_bound_holds(offset: float, legs: list[tuple[float, float]]) -> None:
    samples, now = [], 2e12
    for there, back in legs:
        server = int(now + there + offset)
        samples.append(ClockSample(now, now + there + back, server))
        now += 1_000
    estimate = estimate_offset(samples)
    assert abs(estimate.offset_ms - offset) <= estimate.error_ms + 1e-2
    assert estimate.error_ms == pytest.approx(min(a + b for a, b in legs) / 2 + 0.5, abs=1e-2)


@pytest.mark.parametrize("samples", [[], [ClockSample(10.0, 9.0, 5)], [ClockSample(1.0, 2.0, 0)]])
def test_nothing_usable(samples: list[ClockSample]) -> None:
    with pytest.raises(PayloadError):
        estimate_offset(samples)


def test_a_step_of_the_machines_clock_moves_nothing() -> None:
    machine = Machine()
    clock = machine.clock()
    assert clock.now_ms() == 1_790_000_005_000
    clock.adopt(ClockEstimate(1_790_000_001_000.0, 3.0))
    assert (clock.now_ms(), clock.skew_ms()) == (1_790_000_006_000, -1_000.0)
    machine.wall_offset_ms += 3_600_000
    assert clock.now_ms() == 1_790_000_006_000
    assert [clock.has_jumped(), clock.has_jumped()] == [True, False]
    assert clock.jumps == 1


def test_the_loop_measures_on_time_after_a_jump_and_again_after_a_failure() -> None:
    machine = Machine()
    clock = machine.clock()
    asked: list[float] = []
    is_down = False

    async def ask() -> ClockSample:
        asked.append(machine.ms)
        if is_down:
            raise SourceUnavailable("down")
        return ClockSample(machine.ms, machine.ms, round(machine.ms) + 1_790_000_000_700)

    async def sleep(seconds: float) -> None:
        nonlocal is_down
        machine.ms += seconds * 1_000
        step = round(machine.ms) // 5_000
        if step == 10:
            machine.wall_offset_ms -= 700.0
        is_down = step in (20, 21)
        if step == 30:
            raise asyncio.CancelledError

    settings = FeedSettings(clock_poll_s=50.0, clock_samples=1)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(keep_clock(clock, ask, settings, sleep))
    start, jump, fails, fails_again, works = 5_000, 50_000, 100_000, 105_000, 110_000
    assert asked == [start, jump, fails, fails_again, works]
    assert clock.now_ms() == round(machine.ms) + 1_790_000_000_700
