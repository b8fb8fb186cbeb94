"""What the sidecar has at hand: as of now and of every close, and the body of an answer."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from external_layers.candles import CandleShelf
from external_layers.timeline import Timeline, floor_close
from scalp_strategy.contract import CANDLE_MS, Component, from_wire

HISTORY_S = 4 * 3_600
START = 1_000 * CANDLE_MS


def known(at_ms: int, name: str = "a", pair: str = "X", long: float = 60.0) -> Component:
    return Component("orderflow", name, pair, long, 100 - long, at_ms, at_ms)


def brute_force(rows: list[Component], at_ms: int) -> set[tuple[str, int]]:
    latest: dict[str, Component] = {}
    for row in sorted(rows, key=lambda one: one.available_at_ms):
        if row.available_at_ms <= at_ms:
            latest[row.name] = row
    return {(name, row.available_at_ms) for name, row in latest.items()}


def said(rows: list[Component]) -> set[tuple[str, int]]:
    return {(row.name, row.available_at_ms) for row in rows}


@given(
    steps=st.lists(
        st.tuples(st.integers(1, 2_000_000), st.sampled_from("ab"), st.booleans()), max_size=60
    )
)
def test_every_close_of_the_history_is_answered_as_if_nothing_had_been_forgotten(
    steps: list[Any],
) -> None:
    timeline, rows, now = Timeline(HISTORY_S), [], START
    for step, name, is_pruned in steps:
        now += step
        rows.append(known(now, name))
        timeline.add(rows[-1:])
        if is_pruned:
            timeline.prune(now)
    for close in range(max(START, floor_close(now) - HISTORY_S * 1_000), now + 1, CANDLE_MS):
        assert said(timeline.as_of("X", close)) == brute_force(rows, close)
    assert said(timeline.as_of("X", now)) == brute_force(rows, now)


def test_memory_stays_bounded() -> None:
    timeline = Timeline(HISTORY_S)
    for second in range(0, 24 * 3_600, 15):
        timeline.add([known(START + second * 1_000)])
        if second % 900 == 0:
            timeline.prune(START + second * 1_000)
    kept = timeline.last_words("X", START, START + 24 * 3_600_000)
    assert len(kept) <= HISTORY_S // 900 + 1


def test_a_span_holds_what_was_known_at_each_of_its_closes_once() -> None:
    timeline = Timeline(HISTORY_S)
    timeline.add([known(START - 5), known(START + 7), known(START + CANDLE_MS - 3)])
    span = timeline.last_words("X", START - CANDLE_MS, START + CANDLE_MS)
    assert said(span) == {("a", START - 5), ("a", START + CANDLE_MS - 3)}
    assert said(timeline.last_words("X", None, START + 10)) == {("a", START + 7)}


def test_a_late_older_row_does_not_hide_a_newer_one() -> None:
    timeline = Timeline(HISTORY_S)
    timeline.add([known(START + 100), known(START + 50)])
    assert said(timeline.as_of("X", START + 200)) == {("a", START + 100)}
    assert said(timeline.as_of("X", START + 60)) == {("a", START + 50)}


def candle(open_ms: int) -> tuple[int, float, float, float, float, float]:
    return (open_ms, 1.0, 2.0, 0.5, 1.5, 10.0)


def test_an_answer_holds_candles_that_closed_in_its_span_and_follows_new_ones() -> None:
    timeline, shelf = Timeline(HISTORY_S), CandleShelf("5m", 500)
    for index in range(6):
        shelf.add(candle(START + index * 300_000))
    span = (START + CANDLE_MS, START + 2 * CANDLE_MS)
    body = orjson.loads(timeline.fragment("X", span, {"5m": shelf}, 500))
    assert [row[0] - START for row in body["candles"]["5m"]] == [900_000, 1_200_000, 1_500_000]
    timeline.add([known(START + CANDLE_MS + 1)])
    body = orjson.loads(timeline.fragment("X", span, {"5m": shelf}, 500))
    assert said([from_wire(row) for row in body["components"]]) == {("a", START + CANDLE_MS + 1)}


def test_candles_stay_ordered_unique_and_tell_of_holes() -> None:
    shelf = CandleShelf("1m", 3)
    assert shelf.add(candle(0))
    assert shelf.add(candle(60_000))
    assert shelf.add(candle(60_000))
    assert not shelf.add(candle(240_000))
    shelf.fill([candle(60_000), candle(120_000), candle(180_000)])
    assert [row[0] for row in shelf.last(10)] == [120_000, 180_000, 240_000]
    assert shelf.closed_ms == 300_000
    assert [row[0] for row in shelf.closed_between(180_000, 299_999)] == [180_000]


def test_what_a_stream_says_is_closed_wins_over_an_answer() -> None:
    shelf = CandleShelf("1m", 3)
    shelf.fill([candle(0)])
    before = shelf.revision
    closed = (0, 1.0, 9.0, 0.5, 9.0, 500.0)
    assert shelf.add(closed)
    assert shelf.last(1) == [closed]
    assert shelf.revision > before
