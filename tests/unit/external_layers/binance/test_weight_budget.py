"""The weight budget: our share, what others spend, blocks and the turn of the minute."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from external_layers.binance.budget import WeightBudget

MINUTE = 29_833_335 * 60_000
LIMIT = 2_400


def budget(share: float = 0.4, reserve: float = 0.1) -> WeightBudget:
    return WeightBudget(LIMIT, share, reserve)


def spend_all(spent: WeightBudget, weight: int, now_ms: int) -> int:
    """Spend until a wait is due and return how much that was."""
    total = 0
    while spent.wait_s(weight, now_ms) == 0:
        spent.spend(weight, now_ms)
        spent.settle(weight, None, now_ms, now_ms)
        total += weight
    return total


def test_our_share_and_no_more() -> None:
    ours = budget()
    assert spend_all(ours, 20, MINUTE + 1_000) == 960
    assert ours.wait_s(1, MINUTE + 1_000) == pytest.approx(59.1)
    assert spend_all(ours, 20, MINUTE + 60_100) == 960


def test_what_others_spend_shrinks_it() -> None:
    ours = budget()
    ours.spend(100, MINUTE)
    ours.settle(100, 2_000, MINUTE, MINUTE + 50)
    assert spend_all(ours, 20, MINUTE + 100) == 160
    ours.spend(20, MINUTE + 60_000)
    ours.settle(20, 150, MINUTE + 60_000, MINUTE + 60_050)
    assert spend_all(ours, 20, MINUTE + 60_100) == 940


def test_what_is_under_way_may_not_be_in_the_sum_yet() -> None:
    ours = budget(share=1.0)
    for _ in range(5):
        ours.spend(100, MINUTE)
    ours.settle(100, 1_700, MINUTE, MINUTE)
    assert ours.total == 2_100
    assert ours.wait_s(100, MINUTE) > 0
    ours.settle(100, 1_700, MINUTE, MINUTE)
    assert ours.wait_s(100, MINUTE) == 0


def test_a_sum_of_the_minute_before_says_nothing() -> None:
    ours = budget()
    ours.spend(20, MINUTE + 59_990)
    ours.settle(20, 2_390, MINUTE + 59_990, MINUTE + 60_010)
    assert ours.total == 20
    assert ours.wait_s(20, MINUTE + 60_010) == 0


def test_a_request_larger_than_the_share_goes_first_in_a_minute() -> None:
    ours = budget(share=0.01)
    assert ours.wait_s(40, MINUTE) == 0
    ours.spend(40, MINUTE)
    assert ours.wait_s(1, MINUTE) > 0
    assert ours.wait_s(40, MINUTE + 60_100) == 0


def test_blocks() -> None:
    ours = budget()
    ours.block(150, MINUTE)
    assert ours.wait_s(1, MINUTE + 30_000) == 120
    ours.block(3, MINUTE + 30_000)
    assert ours.wait_s(1, MINUTE + 30_000) == 120
    assert ours.wait_s(1, MINUTE + 150_000) == 0
    ours.block(None, MINUTE + 150_000)
    assert ours.wait_s(1, MINUTE + 150_000) == pytest.approx(30.1)


steps = st.tuples(
    st.sampled_from(["get", "get", "others", "block", "answer", "fail"]),
    st.integers(1, 500),
    st.integers(0, 20_000),
)


@given(st.lists(steps, max_size=80), st.floats(0.01, 1.0), st.floats(0.0, 0.5))
def test_the_exchange_never_sees_too_much(
    history: list[tuple[str, int, int]], share: float, reserve: float
) -> None:
    """Against a model of the exchange that counts on arrival and tells its sum in the answer."""
    ours = WeightBudget(LIMIT, share, reserve)
    now, minute, own, everybody = MINUTE, MINUTE // 60_000, 0, 0
    under_way: list[tuple[int, int]] = []
    last_told = 0
    for what, amount, pause in history:
        now += pause
        if now // 60_000 != minute:
            minute, own, everybody, last_told = now // 60_000, 0, 0, 0
        others = everybody - own
        if what == "others":
            everybody += amount
        elif what == "block":
            ours.block(amount / 10, now)
        elif what in ("answer", "fail") and under_way:
            weight, sent = under_way.pop(0)
            ours.settle(weight, everybody if what == "answer" else None, sent, now)
            if what == "answer" and sent // 60_000 == minute:
                last_told = others
        elif what == "get" and ours.wait_s(amount, now) == 0:
            ours.spend(amount, now)
            under_way.append((amount, now))
            is_first, own, everybody = own == 0, own + amount, everybody + amount
            assert is_first or own <= ours.allowance
            assert is_first or own + last_told <= ours.ceiling
        elif what == "get":
            assert 0 < ours.wait_s(amount, now) <= 61
        assert ours.total >= own + last_told
