"""Who was asked for stays watched for its time, and no more than so many are."""

from hypothesis import given
from hypothesis import strategies as st

from external_layers.demand import Demand, chosen_pairs

PAIRS = st.sampled_from("ABCDEF")


def test_only_pairs_that_were_not_wanted_are_new() -> None:
    demand = Demand(60, 10)
    assert demand.ask(["A", "B"], 0) == ["A", "B"]
    assert demand.ask(["B", "C"], 1) == ["C"]
    assert demand.wanted(60_000) == ["C", "B", "A"]
    assert demand.wanted(60_001) == ["C", "B"]
    assert demand.ask(["A"], 60_001) == ["A"]


def test_a_clock_set_back_drops_nobody() -> None:
    demand = Demand(60, 10)
    demand.ask(["A"], 10_000_000)
    assert demand.wanted(5) == ["A"]


@given(
    asked=st.lists(st.tuples(st.integers(0, 90_000), st.lists(PAIRS, max_size=4)), max_size=30),
    most=st.integers(1, 6),
)
def test_the_latest_asked_for_are_wanted(asked: list[tuple[int, list[str]]], most: int) -> None:
    demand, now = Demand(60, most), 0
    last: dict[str, int] = {}
    for step, pairs in asked:
        now += step
        demand.ask(pairs, now)
        for pair in pairs:
            last.pop(pair, None)
            last[pair] = now
    latest = list(reversed(last))[:most]
    assert demand.wanted(now) == [pair for pair in latest if now - last[pair] <= 60_000]


@given(st.lists(PAIRS), st.lists(PAIRS), st.integers(1, 6))
def test_pairs_asked_for_never_displace_the_scanners(
    active: list[str], asked: list[str], most: int
) -> None:
    chosen = chosen_pairs(active, asked, most)
    assert len(chosen) == len(set(chosen)) == min(most, len({*active, *asked}))
    assert set(active) <= set(chosen) or set(chosen) <= set(active)
