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
RULES = LayerRules(
    "flow",
    (ComponentRule("a", 0.75, AGES, FRESHNESS), ComponentRule("b", 0.25, AGES, FRESHNESS)),
    {"bad": 20.0},
)
NOW = 100_000


def one(name: str, long: float, short: float, **changes: Any) -> Component:
    values: dict[str, Any] = {"observed_at_ms": NOW, "available_at_ms": NOW, "pair": "X"}
    return Component("flow", name, long=long, short=short, **(values | changes))


def test_the_score_is_the_weighted_mean() -> None:
    score = combine([one("a", 80, 20), one("b", 40, 60)], RULES, NOW)
    assert (score.long, score.short, score.reliability) == (70.0, 30.0, 1.0)


def test_an_unknown_component_is_left_out_and_missing_in_the_reliability() -> None:
    score = combine([one("a", nan, nan), one("b", 40, 60)], RULES, NOW)
    assert (score.long, score.short, score.reliability) == (40.0, 60.0, 0.25)


def test_age_lowers_the_reliability_and_not_the_score() -> None:
    old = one("a", 80, 20, observed_at_ms=NOW - 10_000)
    score = combine([old, one("b", 40, 60)], RULES, NOW)
    assert (score.long, score.reliability) == (70.0, 0.75 * 0.5 + 0.25)
    assert score.ages_s == {"a": 10.0, "b": 0.0}


def test_too_old_is_unknown() -> None:
    score = combine([one("a", 80, 20, observed_at_ms=NOW - 60_000)], RULES, NOW)
    assert isnan(score.long)
    assert score.reliability == 0.0


def test_a_flag_takes_points_off_both_sides_but_never_below_zero() -> None:
    flagged = [one("a", 80, 20), one("b", 0, 0, flags=("bad", "other"))]
    score = combine(flagged, RULES, NOW)
    assert (score.long, score.short) == (40.0, 0.0)


def test_a_stale_flag_takes_nothing() -> None:
    flagged = [one("a", 80, 20), one("b", 0, 0, flags=("bad",), observed_at_ms=NOW - 60_000)]
    assert combine(flagged, RULES, NOW).long == 80.0


def test_what_is_not_known_yet_is_not_used() -> None:
    score = combine([one("a", 80, 20, available_at_ms=NOW + 1)], RULES, NOW)
    assert isnan(score.long)


def test_the_pairs_own_component_wins_over_the_markets() -> None:
    both = [one("a", 80, 20), one("a", 10, 90, pair="*", available_at_ms=NOW, observed_at_ms=0)]
    assert combine(both, RULES, NOW).long == 80.0
    assert combine(both[::-1], RULES, NOW).long == 80.0


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
        st.tuples(st.floats(0, 100), st.floats(0, 100), st.integers(0, 90_000), st.booleans()),
        min_size=1, max_size=20,
    )
)  # fmt: skip
def test_a_column_says_what_each_row_says_bit_by_bit(rows: list[Any]) -> None:
    at = np.full(len(rows), NOW, dtype=np.int64)
    columns = combine_columns(
        {
            "a": Picked(
                np.array([row[0] for row in rows]),
                np.array([row[1] for row in rows]),
                NOW - np.array([row[2] for row in rows], dtype=np.int64),
                {"bad": np.array([row[3] for row in rows])},
            ),
        },
        RULES,
        at,
    )
    for index, (long, short, age, is_bad) in enumerate(rows):
        flags = ("bad",) if is_bad else ()
        alone = combine([one("a", long, short, observed_at_ms=NOW - age, flags=flags)], RULES, NOW)
        together = [columns.long[index], columns.short[index], columns.reliability[index]]
        np.testing.assert_array_equal([alone.long, alone.short, alone.reliability], together)


def test_ages_and_reliabilities_must_fit() -> None:
    with pytest.raises(ContractViolation):
        ComponentRule("a", 1.0, (1.0, 2.0), (1.0, 0.5))


def test_the_order_flow_rules_follow_the_settings() -> None:
    settings = Settings().orderflow
    rules = orderflow_rules(settings)
    assert {rule.name: rule.weight for rule in rules.components} == {
        "book_imbalance": 0.25,
        "trade_flow": 0.30,
        "large_orders": 0.15,
        "funding_rate": 0.15,
        "open_interest": 0.10,
        "vanishing_liquidity": 0.05,
    }
    assert rules.penalties == {VANISHING: 20.0}
