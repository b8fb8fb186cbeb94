"""Components on the wire and in the archive's names."""

from datetime import date
from math import nan
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalp_strategy.contract import Component, from_wire, to_wire
from scalp_strategy.contract.archive import (
    day_of,
    day_of_folder,
    day_start_ms,
    merged_name,
    part_name,
    visible,
)
from scalp_strategy.errors import ContractViolation, PayloadError

ROW = ["orderflow", "trade_flow", "BTC/USDT:USDT", 71.5, 28.5, 1_000, 1_001, "why", "a,b=c", 1]


def component(**changes: Any) -> Component:
    values: dict[str, Any] = {
        "layer": "orderflow",
        "name": "trade_flow",
        "pair": "BTC/USDT:USDT",
        "long": 71.5,
        "short": 28.5,
        "observed_at_ms": 1_000,
        "available_at_ms": 1_001,
    }
    return Component(**(values | changes))


scores = st.floats(0, 100)


@given(long=scores, short=scores, reason=st.text(), observed=st.integers(0, 2**53))
def test_a_component_survives_the_wire_bit_by_bit(
    long: float, short: float, reason: str, observed: int
) -> None:
    sent = component(
        long=long, short=short, reason=reason.encode("utf-8", "ignore").decode(),
        observed_at_ms=observed, available_at_ms=observed + 5, flags=("vanishing", "regime=CHOPPY"),
    )  # fmt: skip
    assert from_wire(orjson.loads(orjson.dumps(to_wire(sent)))) == sent


def test_unknown_is_null_on_the_wire_and_nan_after_it() -> None:
    row = to_wire(component(long=nan, short=nan))
    assert row[3:5] == [None, None]
    assert not from_wire(row).is_known


@pytest.mark.parametrize(
    "changes",
    [
        {"long": 100.1},
        {"short": -0.1},
        {"long": nan},
        {"short": float("inf")},
        {"available_at_ms": 999},
        {"flags": ("one,two",)},
    ],
)
def test_a_broken_component_cannot_be_made(changes: dict[str, Any]) -> None:
    with pytest.raises(ContractViolation):
        component(**changes)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, 7),
        (3, "many"),
        (3, 101),
        (4, None),
        (5, 1.5),
        (5, True),
        (6, 0),
        (7, None),
        (9, 2),
        (3, "71"),
        (4, True),
        (5, -1),
    ],
)
def test_a_broken_row_is_a_payload_error(place: int, value: Any) -> None:
    row = [*ROW]
    row[place] = value
    with pytest.raises(PayloadError):
        from_wire(row)


@given(st.recursive(st.none() | st.integers() | st.floats() | st.text(), st.lists))
def test_no_other_error_leaves_from_wire(row: Any) -> None:
    with pytest.raises(PayloadError):
        from_wire(row)


def test_merged_files_hide_the_parts_they_stand_for() -> None:
    names = [part_name(number) for number in range(1, 6)]
    merged = [merged_name(1, 2), merged_name(1, 4)]
    assert visible([*names, *merged, "part-1.parquet", "x.tmp"]) == [merged[1], names[4]]


def test_a_day_begins_at_midnight_utc() -> None:
    start = day_start_ms(date(2026, 2, 19))
    assert day_of(start) == date(2026, 2, 19)
    assert day_of(start - 1) == date(2026, 2, 18)
    assert day_of_folder("day=2026-02-19") == date(2026, 2, 19)
    assert day_of_folder("day=yesterday") is None
