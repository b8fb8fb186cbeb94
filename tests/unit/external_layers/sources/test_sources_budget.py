"""Budgets of calls: no window ever holds more than allowed, over restarts too."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from external_layers.binance.pacing import Backoff
from external_layers.sources.budget import AgedCalls, CallBudget, CallUse
from external_layers.sources.gate import Circuit, Gate
from external_layers.sources.memory_file import KeptProvider
from external_layers.sources.spec import CallRate
from scalp_strategy.errors import ContractViolation
from scalp_strategy.setting_groups.sources import SourcesSettings
from tests.support.simulated_time import START_MS, SimulatedClock, simulate
from tests.unit.external_layers.sources.runner_house import provider

RATES = (CallRate(3, 1.0), CallRate(10, 60.0), CallRate(25, 3_600.0))


def most_in(calls: list[int], span_ms: int) -> int:
    """The calls of the fullest window, counted one by one."""
    return max(sum(end - span_ms < at <= end for at in calls) for end in calls)


def assert_kept(calls: list[int]) -> None:
    for rate in RATES:
        assert most_in(calls, round(rate.span_s * 1_000)) <= rate.count


@given(st.lists(st.integers(0, 90_000), min_size=1, max_size=120))
def test_no_window_holds_more_than_allowed(gaps: list[int]) -> None:
    budget, now, made = CallBudget(RATES), 0, []
    for gap in gaps:
        now += gap
        wait = budget.wait_ms(now)
        assert (budget.take(now) == 0) is (wait == 0)
        if wait == 0:
            made.append(now)
    assert_kept(made)


def test_the_wait_is_as_long_as_it_has_to_be_and_no_longer() -> None:
    budget, now, made = CallBudget(RATES), 0, []
    while len(made) < 60:
        wait = budget.take(now)
        assert wait == 0 or budget.take(now + wait - 1) > 0
        now += wait
        if wait == 0:
            made.append(now)
    assert_kept(made)
    assert made[:12] == [0, 0, 0, *[1_001] * 3, *[2_002] * 3, 3_003, 60_001, 60_001]
    assert made[25] == 3_600_001


@given(
    st.lists(st.tuples(st.integers(0, 90_000), st.booleans()), min_size=1, max_size=120),
    st.integers(0, 3_700_000),
)
def test_restarts_forget_no_call(steps: list[tuple[int, bool]], pause: int) -> None:
    """Each restart begins another monotonic clock, so only ages go over."""
    budget, now, shift, made = CallBudget(RATES), 0, 0, []
    for gap, is_restart in steps:
        now += gap
        if is_restart:
            aged = budget.aged(now + shift)
            now, shift = now + pause, shift - 5_000
            budget = CallBudget(RATES)
            budget.restore([AgedCalls(age + pause, count) for age, count in aged], now + shift)
        if budget.take(now + shift) == 0:
            made.append(now)
    assert all(before <= after for before, after in pairwise(made))
    if made:
        assert_kept(made)


def test_what_is_remembered_is_small_and_expires() -> None:
    budget = CallBudget([CallRate(50_000, 86_400.0)])
    for n in range(40_000):
        assert budget.take(n * 2_000) == 0
    now = 40_000 * 2_000
    assert len(budget.aged(now)) <= 1_001
    assert sum(calls for _, calls in budget.aged(now)) == 40_000
    other = CallBudget([CallRate(50_000, 86_400.0)])
    other.restore(budget.aged(now), now)
    assert other.uses(now) == (CallUse(40_000, 50_000, 86_400.0),)
    assert other.uses(now + 86_400_001) == (CallUse(0, 50_000, 86_400.0),)
    assert other.aged(now + 86_400_001) == []


@pytest.mark.parametrize("calls", [[AgedCalls(-(10**15), 10**9)], [AgedCalls(0, -5)], []])
def test_absurd_memories_do_no_harm(calls: list[AgedCalls]) -> None:
    budget = CallBudget(RATES)
    budget.restore(calls, 0)
    assert budget.uses(0)[-1].used in (0, 25)
    assert budget.take(3_600_001) == 0


def test_reserved_calls_count_as_made_now() -> None:
    budget = CallBudget(RATES)
    assert budget.take(0) == 0
    assert budget.aged(500_000, reserved=2) == [AgedCalls(500_000 // 3_600 * 3_600, 1), (0, 2)]


@pytest.mark.parametrize("rates", [[], [(5, 60.0), (5, 3_600.0)], [(1, 60.0), (100, 61.0)]])
def test_rates_that_do_not_fit_together(rates: list[tuple[int, float]]) -> None:
    made = provider("index", *rates)
    if not rates:
        made = type(made)("index", "https://a", (), "free", "https://docs")
    with pytest.raises(ContractViolation, match="index"):
        Gate(made, SourcesSettings(), SimulatedClock().timing())


# ---- circuits ----


def test_a_circuit_opens_after_failures_in_a_row_and_for_twice_as_long_each_time() -> None:
    circuit = Circuit(3, Backoff(300.0, 1_000.0, 0.0))
    for now in (0, 1):
        circuit.failed(now)
    circuit.worked()
    waits = []
    for now in (10, 11, 12):
        assert circuit.wait_s(now) == 0
        circuit.failed(now)
    now = 12.0
    for _ in range(4):
        waits.append(circuit.wait_s(now))
        circuit.failed(now + 1.0)  # had begun before it opened
        now += waits[-1]
        assert circuit.wait_s(now) == 0
        assert circuit.is_on_trial
        circuit.failed(now)
    assert waits == [300.0, 600.0, 1_000.0, 1_000.0]
    circuit.worked()
    assert not circuit.is_on_trial
    circuit.failed(now + 2_000)
    assert circuit.wait_s(now + 2_000) == 0


@pytest.mark.parametrize("ahead_ms", [0, 400_000, 10**12, -(10**12)])
def test_waits_survive_a_restart_and_are_never_longer_than_they_could_have_been(
    ahead_ms: int,
) -> None:
    """`ahead_ms`: how far the clock was set forward (or back) between the two processes."""

    async def story() -> None:
        settings = SourcesSettings(circuit_failures=1, max_pause_s=1_000.0)
        before, after = (
            Gate(provider(), settings, SimulatedClock(start).timing())
            for start in (START_MS, START_MS + ahead_ms)
        )
        before.pause(500.0)
        before.pause(700.0, "a.invalid")
        before.leave(None, has_worked=False)
        kept = before.kept(START_MS, 0)
        assert kept == KeptProvider(
            [], {"": START_MS + 500_000, "a.invalid": START_MS + 700_000}, 1, 1, START_MS + 300_000
        )
        after.restore(kept, START_MS + ahead_ms)
        expected = {0: (500.0, 700.0, 300.0), 400_000: (100.0, 300.0, 0.0), 10**12: (0, 0, 0)}
        circuit_s = after.circuit.wait_s(0.0)
        got = (after.pause_s(), after.pause_s("a.invalid"), circuit_s)
        assert got == expected.get(ahead_ms, (1_000.0, 1_000.0, 3_600.0))
        assert after.circuit.is_on_trial

    simulate(story())
