"""Questions weigh what the exchange counts, and no answer breaks a parser."""

import contextlib
from math import isfinite
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from external_layers.binance.questions import (
    depth_question,
    klines_question,
    open_interest_question,
    parse_depth,
    parse_klines,
    parse_open_interest,
)
from external_layers.replay.exchange import ReplayExchange
from external_layers.replay.generator import GeneratedMarket
from scalp_strategy.errors import PayloadError
from scalp_strategy.setting_groups.sidecar import SidecarSettings
from tests.unit.external_layers.sidecar_parts import START

MINUTE = 60_000
ROW = [START, "10", "12", "9", "11", "5", START + MINUTE - 1, "50", 3, "2", "20", "0"]
TEXTS = st.sampled_from(["1", "-1", "0", "nan", "inf", "1e400", "9.5", "", "x", "1e-300"])
LEAVES = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.just(START),
)
NAMES = st.sampled_from(["bids", "asks", "lastUpdateId", "openInterest", "time", "code", "0"])
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=30,
)
CELLS = st.lists(LEAVES, max_size=8) | JSON


# developers.binance.com: "Order Book" and "Kline/Candlestick Data" of each market.
@pytest.mark.parametrize(
    ("kind", "levels", "limit", "weight"),
    [
        ("futures", 5, 50, 2),
        ("futures", 51, 100, 5),
        ("futures", 500, 500, 10),
        ("futures", 1_000, 1_000, 20),
        ("futures", 5_000, 1_000, 20),
        ("spot", 100, 100, 5),
        ("spot", 500, 500, 25),
        ("spot", 1_000, 1_000, 50),
        ("spot", 5_000, 5_000, 250),
    ],
)
def test_a_books_weight(kind: Any, levels: int, limit: int, weight: int) -> None:
    question = depth_question(kind, "BTCUSDT", levels)
    assert (question.params["limit"], question.weight) == (limit, weight)


@pytest.mark.parametrize(
    ("rows", "futures", "spot"),
    [(50, 1, 2), (99, 1, 2), (100, 2, 2), (499, 2, 2), (500, 5, 2), (1_000, 5, 2)],
)
def test_candles_weight(rows: int, futures: int, spot: int) -> None:
    assert klines_question("futures", "BTCUSDT", "1m", rows).weight == futures
    assert klines_question("spot", "BTCUSDT", "1m", rows).weight == spot


def test_the_usual_number_of_candles_stays_in_the_cheap_bracket() -> None:
    rows = SidecarSettings().candle_rows
    assert klines_question("futures", "BTCUSDT", "1m", rows).weight == 2


@pytest.mark.parametrize("kind", ["futures", "spot"])
def test_the_replay_market_answers_and_counts_the_same(kind: Any) -> None:
    exchange = ReplayExchange(GeneratedMarket(7, ["BTCUSDT"]), lambda: START)
    questions = [depth_question(kind, "BTCUSDT", 1_000), klines_question(kind, "BTCUSDT", "5m", 99)]
    questions += [open_interest_question("BTCUSDT")] if kind == "futures" else []
    answers = []
    for question in questions:
        params = {name: str(value) for name, value in question.params.items()}
        answer = exchange.answer(question.path, params)
        assert answer.status == 200
        assert exchange.used_weight[question.path] == question.weight
        answers.append(answer.body)
    assert len(parse_depth(answers[0], "BTCUSDT").bids) > 500
    rows = parse_klines(answers[1], "5m", START)
    assert rows[-1][0] == START - 300_000
    if kind == "futures":
        assert parse_open_interest(answers[2], "BTCUSDT").time_ms == START


def test_candles_that_have_closed_are_read_and_the_forming_one_is_not() -> None:
    forming = [START + MINUTE, *ROW[1:]]
    assert parse_klines([ROW, forming], "1m", START + MINUTE) == [(START, 10, 12, 9, 11, 5)]
    assert len(parse_klines([ROW, forming], "1m", START + 2 * MINUTE)) == 2


@pytest.mark.parametrize(
    "spoilt",
    [
        [ROW[0] + 1, *ROW[1:]],
        [str(START), *ROW[1:]],
        [True, *ROW[1:]],
        [START, "10", "9", "9", "11", "5"],
        [START, "nan", "12", "9", "11", "5"],
        [START, "10", "inf", "9", "11", "5"],
        [START, "10", "12", "0", "11", "5"],
        [START, "10", "12", "9", "11", "-5"],
        [START, "10", "12"],
    ],
)
def test_a_spoilt_candle_is_refused(spoilt: list[Any]) -> None:
    with pytest.raises(PayloadError):
        parse_klines([spoilt], "1m", START + 9 * MINUTE)


def test_candles_out_of_order_or_doubled_are_refused() -> None:
    later = [START + MINUTE, *ROW[1:]]
    for rows in ([later, ROW], [ROW, ROW]):
        with pytest.raises(PayloadError):
            parse_klines(rows, "1m", START + 9 * MINUTE)


@pytest.mark.parametrize("level", [["0", "1"], ["1", "0"], ["-1", "1"], ["nan", "1"], ["1", "inf"]])
def test_a_level_that_cannot_be_is_refused(level: list[str]) -> None:
    with pytest.raises(PayloadError):
        parse_depth({"lastUpdateId": 1, "bids": [level], "asks": []}, "BTCUSDT")


@settings(max_examples=300, deadline=None)
@given(JSON | st.lists(CELLS, max_size=4))
def test_whatever_comes_is_read_or_refused(payload: Any) -> None:
    try:
        for row in parse_klines(payload, "1m", START):
            assert all(map(isfinite, row))
    except PayloadError:
        pass
    try:
        book = parse_depth(payload, "BTCUSDT")
        assert all(price > 0 and held > 0 for price, held in (*book.bids, *book.asks))
    except PayloadError:
        pass
    try:
        polled = parse_open_interest(payload, "BTCUSDT")
        assert polled.time_ms > 0
        assert isfinite(polled.quantity)
    except PayloadError:
        pass


@settings(max_examples=200, deadline=None)
@given(
    st.fixed_dictionaries({"openInterest": LEAVES, "time": LEAVES}),
    st.fixed_dictionaries(
        {"lastUpdateId": LEAVES, "bids": st.lists(CELLS, max_size=2), "asks": st.just([])}
    ),
)
def test_wrong_values_in_the_right_place_are_refused(polled: Any, book: Any) -> None:
    for parse, payload in ((parse_open_interest, polled), (parse_depth, book)):
        with contextlib.suppress(PayloadError):
            parse(payload, "BTCUSDT")
