"""How components become a layer's score; expected values by hand."""

from math import isnan, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalp_strategy.contract import (
    Component,
    ComponentRule,
    LayerRules,
    Picked,
    combine,
    combine_columns,
)
from scalp_strategy.errors import ContractViolation
from scalp_strategy.setting_groups.layer_rules import VANISHING, orderflow_rules
from scalp_strategy.settings import Settings

AGES, FRESHNESS = (10.0, 60.0), (1.0, 0.5, 0.0)
MEMORY_S = 3_600.0
RULES = LayerRules(
    "flow",
    (ComponentRule("a", 0.75, AGES, FRESHNESS), ComponentRule("b", 0.25, AGES, FRESHNESS)),
    MEMORY_S,
    {"bad": 20.0},
)
NOW = 100_000_000
MEMORY_MS = int(MEMORY_S * 1_000)


def one(name: str, long: float, short: float, **changes: Any) -> Component:
    values: dict[str, Any] = {"observed_at_ms": NOW, "available_at_ms": NOW, "pair": "X"}
    if "age_ms" in changes:
        values["observed_at_ms"] = values["available_at_ms"] = NOW - changes.pop("age_ms")
    return Component("flow", name, long=long, short=short, **(values | changes))


def test_the_score_is_the_weighted_mean() -> None:
    score = combine([one("a", 80, 20), one("b", 40, 60)], RULES, NOW)
    assert (score.long, score.short, score.reliability) == (70.0, 30.0, 1.0)


def test_a_component_that_never_spoke_counts_as_neutral_with_its_full_weight() -> None:
    # 0.75 * 50 + 0.25 * 40 = 47.5, 0.75 * 50 + 0.25 * 60 = 52.5
    for unknown in ([one("a", nan, nan)], []):
        score = combine([*unknown, one("b", 40, 60)], RULES, NOW)
        assert (score.long, score.short, score.reliability) == (47.5, 52.5, 0.25)


def test_support_fades_with_its_age_and_opposition_does_not() -> None:
    old = one("a", 80, 20, observed_at_ms=NOW - 10_000)
    score = combine([old, one("b", 40, 60)], RULES, NOW)
    # long 0.75 * (50 + 0.5 * 30) + 0.25 * 40 = 58.75; short 0.75 * 20 + 0.25 * 60 = 30
    assert (score.long, score.short, score.reliability) == (58.75, 30.0, 0.75 * 0.5 + 0.25)
    assert score.ages_s == {"a": 10.0, "b": 0.0}


def test_a_silent_component_keeps_its_opposition_and_loses_its_support() -> None:
    score = combine([one("a", 80, 20, age_ms=60_000)], RULES, NOW)
    # long 0.75 * min(50, 80) + 0.25 * 50 = 50; short 0.75 * 20 + 0.25 * 50 = 27.5
    assert (score.long, score.short, score.reliability) == (50.0, 27.5, 0.0)


@pytest.mark.parametrize("lag_ms", [0, 5_000, 120_000])
def test_opposition_is_forgotten_when_it_is_too_long_ago(lag_ms: int) -> None:
    """Counted from its last word, or from when that was too old to be known, if that is earlier."""
    silent_from = NOW - max(lag_ms - 60_000, 0)
    said = one("a", 20, 80, observed_at_ms=NOW - lag_ms)
    at_last = silent_from + MEMORY_MS
    assert combine([said], RULES, at_last).long == 27.5
    gone = combine([said], RULES, at_last + 1)
    assert isnan(gone.long)
    assert gone.reliability == 0.0
    beside = combine([said, one("b", 50, 50, available_at_ms=at_last, observed_at_ms=at_last)],
                     RULES, at_last + 1)  # fmt: skip
    assert beside.long == 50.0


def test_a_row_that_says_unknown_does_not_erase_the_last_word() -> None:
    rows = [one("a", 20, 80, age_ms=30_000), one("a", nan, nan, age_ms=5_000), one("b", 90, 10)]
    # 0.75 * 20 + 0.25 * 90 = 37.5; 0.75 * min(50, 80) + 0.25 * 10 = 40
    for given_rows in (rows, rows[::-1]):
        score = combine(given_rows, RULES, NOW)
        assert (score.long, score.short, score.reliability) == (37.5, 40.0, 0.25)
        assert score.ages_s == {"b": 0.0}


def test_a_flag_takes_points_off_both_sides_but_never_below_zero() -> None:
    flagged = [one("a", 80, 20), one("b", 0, 0, flags=("bad", "other"))]
    score = combine(flagged, RULES, NOW)
    assert (score.long, score.short) == (40.0, 0.0)


@pytest.mark.parametrize("rows", [[], [one("b", nan, nan)]])
def test_a_penalty_that_goes_silent_stays_as_long_as_opposition(rows: list[Component]) -> None:
    flagged = one("b", 0, 0, flags=("bad",), age_ms=61_000)
    # 0.75 * 80 + 0.25 * 0 - 20 = 40
    assert combine([one("a", 80, 20), flagged, *rows], RULES, NOW).long == 40.0
    ended = one("b", 0, 0, flags=("bad",), age_ms=MEMORY_MS + 1)
    # 0.75 * 80 + 0.25 * 50 = 72.5
    assert combine([one("a", 80, 20), ended, *rows], RULES, NOW).long == 72.5


def test_a_penalty_ends_with_a_word_without_it() -> None:
    flagged = one("b", 0, 0, flags=("bad",), age_ms=10)
    assert combine([one("a", 80, 20), flagged, one("b", 50, 50)], RULES, NOW).long == 72.5


def test_what_is_not_known_yet_is_not_used() -> None:
    score = combine([one("a", 80, 20, available_at_ms=NOW + 1)], RULES, NOW)
    assert isnan(score.long)


def test_what_is_known_of_the_market_fills_no_gap_of_a_pair() -> None:
    score = combine([one("a", 80, 20, pair="*"), one("b", 40, 60)], RULES, NOW)
    assert (score.long, score.reliability) == (47.5, 0.25)


def test_of_evidence_that_is_of_the_whole_market_the_pairs_own_wins() -> None:
    rules = LayerRules(
        "flow", (ComponentRule("a", 1.0, AGES, FRESHNESS, is_market_wide=True),), MEMORY_S
    )
    market = one("a", 10, 90, pair="*", observed_at_ms=0)
    for both in ([one("a", 80, 20), market], [market, one("a", 80, 20)]):
        assert combine(both, rules, NOW).long == 80.0
    assert combine([one("a", 10, 90, pair="*")], rules, NOW).long == 10.0


def test_reasons_come_heaviest_first_and_never_from_the_unknown() -> None:
    given_ = [one("b", 90, 10, reason="b"), one("a", 70, 30, reason="a")]
    assert combine(given_, RULES, NOW).reasons == ("a", "b")
    assert combine([one("a", nan, nan, reason="?")], RULES, NOW).reasons == ()


def test_what_is_too_old_to_count_gives_no_reason() -> None:
    old = one("a", 90, 10, reason="long ago", observed_at_ms=NOW - 60_000)
    score = combine([old, one("b", 70, 30, reason="now")], RULES, NOW)
    assert score.reasons == ("now",)
    assert score.ages_s == {"b": 0.0}


def test_nothing_known_is_nan_and_no_reliability() -> None:
    score = combine([], RULES, NOW)
    assert isnan(score.long)
    assert isnan(score.short)
    assert score.reliability == 0.0


@given(
    st.lists(
        st.tuples(
            st.floats(0, 100), st.floats(0, 100), st.integers(0, 90_000),
            st.integers(0, 2 * MEMORY_MS), st.booleans(), st.booleans(),
        ),
        min_size=1, max_size=20,
    )
)  # fmt: skip
def test_a_column_says_what_each_row_says_bit_by_bit(rows: list[Any]) -> None:
    at = np.full(len(rows), NOW, dtype=np.int64)
    available = NOW - np.array([row[3] for row in rows], dtype=np.int64)
    columns = combine_columns(
        {
            "a": Picked(
                np.array([row[0] for row in rows]),
                np.array([row[1] for row in rows]),
                available - np.array([row[2] for row in rows], dtype=np.int64),
                available,
                np.array([row[5] for row in rows]),
                {"bad": np.array([row[4] for row in rows])},
            ),
        },
        RULES,
        at,
    )
    for index, (long, short, lag, ago, is_bad, is_last) in enumerate(rows):
        flags = ("bad",) if is_bad else ()
        word = one("a", long, short, flags=flags, available_at_ms=NOW - ago,
                   observed_at_ms=NOW - ago - lag)  # fmt: skip
        alone = combine([word] if is_last else [word, one("a", nan, nan)], RULES, NOW)
        together = [columns.long[index], columns.short[index], columns.reliability[index]]
        np.testing.assert_array_equal([alone.long, alone.short, alone.reliability], together)


def test_ages_and_reliabilities_must_fit() -> None:
    with pytest.raises(ContractViolation):
        ComponentRule("a", 1.0, (1.0, 2.0), (1.0, 0.5))


def test_the_order_flow_rules_follow_the_settings() -> None:
    rules = orderflow_rules(Settings())
    assert {rule.name: rule.weight for rule in rules.components} == {
        "book_imbalance": 0.25,
        "trade_flow": 0.30,
        "large_orders": 0.15,
        "funding_rate": 0.15,
        "open_interest": 0.10,
        "vanishing_liquidity": 0.05,
    }
    assert rules.penalties == {VANISHING: 20.0}
