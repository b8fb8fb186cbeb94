"""Numbers, texts and times out of whatever a payload holds."""

from math import isnan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from external_layers.sources import parties, reading
from external_layers.sources.watching import cover, untold, watched
from scalp_strategy.errors import PayloadError

NOW_MS = 1_780_000_000_000
ADDRESS = "ae2d4617c862309a3d75a0ffb358c7a5009c673f"


@pytest.mark.parametrize(
    "value",
    [True, None, "", "nan", "-inf", "1e999", 10**400, 1e19, [], {}, "1" * 41, "1_0 0", "0x10"],
)
def test_what_is_no_number(value: Any) -> None:
    assert isnan(reading.number(value))


@pytest.mark.parametrize(("value", "found"), [(5, 5.0), ("-1.5", -1.5), (" 2e3 ", 2_000.0)])
def test_numbers(value: Any, found: float) -> None:
    assert reading.number(value) == found


@given(st.text() | st.integers() | st.none(), st.integers(1, 50))
def test_texts_are_short_printable_and_one_line(value: Any, longest: int) -> None:
    found = reading.text(value, longest)
    assert len(found) <= longest
    assert found.isprintable()
    assert found == found.strip()
    found.encode()


@pytest.mark.parametrize(
    ("value", "found"),
    [("btc", "BTC"), (" 1inch ", "1INCH"), ("a b", ""), ("x" * 21, ""), ("₿", ""), (5, "")],
)
def test_tickers(value: Any, found: str) -> None:
    assert reading.ticker(value) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("2026-05-28T20:26:40Z", NOW_MS),
        ("2026-05-28 20:26:40", NOW_MS),
        ("2026-05-28T22:26:40.000+02:00", NOW_MS),
        ("0001-01-01T00:00:00+23:00", None),
        ("9999-12-31T23:59:59", None),
        ("soon", None),
        (NOW_MS, None),
    ],
)
def test_iso_times(value: Any, found: int | None) -> None:
    assert reading.ms_of_iso(value) == found


@pytest.mark.parametrize("value", [0, -5, 1e15, "x", None, float("nan")])
def test_seconds_that_are_no_time(value: Any) -> None:
    assert reading.ms_of_seconds(value) is None


def test_another_clock_may_be_a_little_ahead() -> None:
    assert reading.past_ms(NOW_MS - 5, NOW_MS) == NOW_MS - 5
    assert reading.past_ms(NOW_MS + 200_000, NOW_MS) == NOW_MS
    assert reading.past_ms(NOW_MS + 400_000, NOW_MS) is None
    assert reading.past_ms(None, NOW_MS) is None


@pytest.mark.parametrize("body", [b"", b"\xff", b"{", b"[" * 100_000, b'{"a":NaN}', b"<html>"])
def test_what_is_no_json(body: bytes) -> None:
    with pytest.raises(PayloadError):
        reading.json_of(body)


def test_rows_leave_out_what_is_no_object() -> None:
    assert reading.rows([1, {"a": 2}, None], "x") == [{"a": 2}]
    assert reading.rows([], "x") == []
    for bad in ({}, "text", None, [1, 2]):
        with pytest.raises(PayloadError):
            reading.rows(bad, "x")


def test_messages_show_the_form_of_a_payload_only() -> None:
    assert reading.sample({"key": "secret"}) == "dict"
    assert reading.sample(10**5_000) == "a huge number"
    assert len(reading.sample("x" * 1_000)) == 80


@pytest.mark.parametrize(
    ("value", "chain", "found"),
    [
        (ADDRESS, "ethereum", f"0x{ADDRESS}"),
        ("TXYZ", "tron", "TXYZ"),
        ("Multiple Addresses", "ripple", ""),
        ("bc1q", "bitcoin", ""),
        (None, "ethereum", ""),
    ],
)
def test_addresses(value: Any, chain: str, found: str) -> None:
    assert parties.address(value, chain) == found


def test_labels() -> None:
    assert parties.party("wallet", "unknown", "").label == "unknown wallet"
    assert parties.party("exchange", "binance", "").label == "Binance"
    assert parties.is_exchange_name("Coinbase Institutional")
    assert not parties.is_exchange_name("Binanceish")
    assert not parties.is_exchange_name(None)


def test_only_what_is_covered_is_watched() -> None:
    memory: dict[str, Any] = {}
    assert watched("transfers", "s", memory, ["BTC"], (1, 2)) == []
    cover(memory, ["USDT", "BTC"])
    cover(memory, ["ETH"])
    found = watched("transfers", "s", memory, ["BTC", "XRP"], (1, 2))
    assert [(each.subject, each.observed_at_ms, each.available_at_ms) for each in found] == [
        ("BTC", 1, 2),
        ("USDT", 1, 2),
    ]


@given(st.lists(st.lists(st.integers(0, 400), max_size=30), max_size=30))
def test_each_is_told_once(pages: list[list[int]]) -> None:
    memory: dict[str, Any] = {}
    told = [each for page in pages for each in untold(page, str, memory)]
    assert sorted(told) == sorted({each for page in pages for each in page})


def test_what_is_remembered_is_bounded() -> None:
    memory: dict[str, Any] = {"told": 5, "covered": "x"}
    for start in range(0, 5_000, 100):
        untold(range(start, start + 100), str, memory)
        cover(memory, (f"T{each}" for each in range(start, start + 100)))
    assert len(memory["told"]) == 1_000
    assert len(memory["covered"]) == 3_000
