"""Every frame reaches the pair it speaks of, and losses are noticed."""

from math import isnan

import pytest

from external_layers.binance.messages import BookSnapshot, OpenInterest
from external_layers.market_watch import MarketWatch
from scalp_strategy.contract import Component
from scalp_strategy.settings import Settings
from tests.unit.external_layers import frames
from tests.unit.external_layers.sidecar_parts import BTC, ETH, START

BIDS, ASKS = [(99.9, 30.0), (99.8, 30.0)], [(100.1, 1.0), (100.2, 1.0)]
SECOND = 1_000
ALL = {("BTCUSDT", "1m"), ("BTCUSDT", "5m"), ("BTCUSDT", "15m")}


def watching(**symbols: str) -> MarketWatch:
    watch = MarketWatch("futures", Settings())
    watch.watch(symbols or {"BTCUSDT": BTC, "ETHUSDT": ETH})
    return watch


def said(watch: MarketWatch, symbol: str, at_ms: int) -> dict[str, Component]:
    return {one.name: one for one in watch.components(symbol, at_ms) if one.is_known}


def trades(watch: MarketWatch, symbol: str, seconds: range) -> None:
    for number in seconds:
        at_ms = START + number * SECOND
        watch.on_frame("futures", frames.trade(symbol, number, at_ms), at_ms)


def book(watch: MarketWatch) -> None:
    """Bring BTC's book to update 1 of START."""
    watch.on_frame("futures", frames.change("BTCUSDT", 1, START, BIDS, ASKS), START)
    assert watch.unsynced() == ["BTCUSDT"]
    watch.on_snapshot(BookSnapshot(symbol="BTCUSDT", update_id=1, bids=BIDS, asks=ASKS))
    assert watch.unsynced() == []


def test_each_kind_of_frame_makes_its_component_known_for_its_pair_alone() -> None:
    watch = watching()
    watch.on_frame("futures", frames.best("BTCUSDT", 1, START, BIDS, ASKS), START)
    assert set(said(watch, "BTCUSDT", START)) == {"book_imbalance"}
    watch.on_frame("futures", frames.mark("BTCUSDT", START), START)
    trades(watch, "BTCUSDT", range(1, 300))
    book(watch)
    for number in range(2, 302):
        at_ms = START + number * SECOND
        update = frames.change("BTCUSDT", number, at_ms, [(99.9, 30.0 + number)], [])
        watch.on_frame("futures", update, at_ms)
    for minute in range(17):
        at_ms = START - (16 - minute) * 60_000
        polled = OpenInterest(symbol="BTCUSDT", time_ms=at_ms, quantity=1_000.0 + minute)
        watch.on_open_interest(polled)
    known = said(watch, "BTCUSDT", START + 301 * SECOND)
    assert {"book_imbalance", "funding_rate", "trade_flow", "large_orders"} <= set(known)
    assert "vanishing_liquidity" in known
    assert {one.pair for one in known.values()} == {BTC}
    assert said(watch, "ETHUSDT", START + 301 * SECOND) == {}


def test_forced_orders_are_taken_in() -> None:
    watch = watching()
    watch.on_frame("futures", frames.forced("BTCUSDT", START + 7), START + 7)
    assert watch.counters["futures"].channels["forceOrder"].passed == 1
    # They alone know nothing, but they are heard: what is said is as of then.
    assert {one.available_at_ms for one in watch.components("BTCUSDT", START)} == {START + 7}


def test_frames_of_strangers_and_garbage_change_nothing() -> None:
    watch = watching()
    for raw in (frames.trade("XRPUSDT", 1, START), b"{", b"", b'{"result":null,"id":1}'):
        watch.on_frame("futures", raw, START)
    watch.on_gap(["xrpusdt@aggTrade", "nonsense", "btcusdt@unheard"])
    watch.on_open_interest(OpenInterest(symbol="XRPUSDT", time_ms=START, quantity=1.0))
    watch.on_snapshot(BookSnapshot(symbol="XRPUSDT", update_id=1, bids=BIDS, asks=ASKS))
    watch.fill("XRPUSDT", "1m", [])
    assert watch.components("XRPUSDT", START) == []
    assert said(watch, "BTCUSDT", START) == {}


def test_a_pair_that_stays_keeps_what_is_known_and_one_that_returns_begins_anew() -> None:
    watch = watching()
    for symbol in ("BTCUSDT", "ETHUSDT"):
        watch.on_frame("futures", frames.mark(symbol, START), START)
    watch.watch({"BTCUSDT": BTC})
    assert set(watch.watches) == {BTC}
    assert not any(stream.startswith("ethusdt") for stream in watch.streams())
    assert {symbol for symbol, _ in watch.unfilled()} == {"BTCUSDT"}
    watch.watch({"BTCUSDT": BTC, "ETHUSDT": ETH})
    assert set(said(watch, "BTCUSDT", START)) == {"funding_rate"}
    assert said(watch, "ETHUSDT", START) == {}


def test_trades_after_a_gap_are_unknown_until_enough_was_heard_again() -> None:
    watch = watching()
    trades(watch, "BTCUSDT", range(1, 400))
    assert "trade_flow" in said(watch, "BTCUSDT", START + 400 * SECOND)
    watch.on_gap(["btcusdt@aggTrade", "ethusdt@depth@100ms"])
    trades(watch, "BTCUSDT", range(500, 520))
    assert "trade_flow" not in said(watch, "BTCUSDT", START + 520 * SECOND)
    trades(watch, "BTCUSDT", range(520, 900))
    assert "trade_flow" in said(watch, "BTCUSDT", START + 900 * SECOND)


def test_numbers_missing_over_a_reconnect_are_an_outage_and_no_gap() -> None:
    watch = watching()
    trades(watch, "BTCUSDT", range(1, 10))
    watch.on_gap(["btcusdt@aggTrade"])
    trades(watch, "BTCUSDT", range(20, 30))
    trades(watch, "BTCUSDT", range(40, 50))
    counts = watch.counters["futures"].channels["aggTrade"]
    assert (counts.outages, counts.gaps) == (1, 1)


@pytest.mark.parametrize("lost", ["reconnect", "hole", "crossed"])
def test_a_book_that_lost_the_thread_is_unknown_and_asked_for_anew(lost: str) -> None:
    watch = watching()
    book(watch)
    later = START + SECOND
    watch.on_frame("futures", frames.change("BTCUSDT", 2, later, [(99.9, 31.0)], []), later)
    flow = watch.watches[BTC].flow
    assert flow._state.book.seen is not None
    if lost == "reconnect":
        watch.on_gap(["btcusdt@depth@100ms"])
        assert watch.unsynced() == []  # not before the stream speaks
        watch.on_frame("futures", frames.change("BTCUSDT", 9, later, BIDS, ASKS), later)
    elif lost == "hole":
        watch.on_frame("futures", frames.change("BTCUSDT", 4, later, BIDS, ASKS), later)
    else:
        watch.on_frame("futures", frames.change("BTCUSDT", 3, later, [(100.5, 9.0)], []), later)
        watch.on_frame("futures", frames.change("BTCUSDT", 4, later, [], []), later)
    assert flow._state.book.seen is None
    assert watch.unsynced() == ["BTCUSDT"]


def test_changes_that_come_twice_do_not_turn_the_book_back() -> None:
    """A renewal overlaps two connections: an old change must not look like a new one."""
    watch = watching()
    book(watch)
    flow = watch.watches[BTC].flow
    seen: list[int] = []
    flow_book = type(flow).on_book

    class Recording:
        def __getattr__(self, name: str):
            return getattr(flow, name)

        def on_book(self, kept, update) -> None:
            seen.append(update.last_id)
            flow_book(flow, kept, update)

    watch.watches[BTC].flow = Recording()  # type: ignore[assignment]
    for number in (2, 3, 4, 2, 3, 4, 5):
        at_ms = START + number * 100
        watch.on_frame("futures", frames.change("BTCUSDT", number, at_ms, [], []), at_ms)
    assert seen == [2, 3, 4, 5]


def test_a_missing_candle_is_asked_for_and_a_repeated_one_is_not() -> None:
    watch = watching()
    for symbol, timeframe in watch.unfilled():
        watch.fill(symbol, timeframe, [])
    for index in (0, 1, 1):
        opened = START + index * 60_000
        watch.on_frame("futures", frames.kline("BTCUSDT", "1m", opened), opened + 60_001)
    forming = frames.kline("BTCUSDT", "1m", START + 120_000, closed=False)
    watch.on_frame("futures", forming, START + 180_000)
    assert watch.unfilled() == []
    opened = START + 300_000
    watch.on_frame("futures", frames.kline("BTCUSDT", "1m", opened), opened + 60_001)
    assert watch.unfilled() == [("BTCUSDT", "1m")]
    watch.fill("BTCUSDT", "1m", [(START + each * 60_000, 10, 11, 9, 10, 1) for each in range(5)])
    assert watch.unfilled() == []
    rows = watch.watches[BTC].shelves["1m"].last(10)
    assert [(row[0] - START) // 60_000 for row in rows] == [0, 1, 2, 3, 4, 5]


def test_candles_are_asked_for_after_a_reconnect() -> None:
    watch = watching(BTCUSDT=BTC)
    assert set(watch.unfilled()) == ALL
    for each in ALL:
        watch.fill(*each, [])
    watch.on_gap(["btcusdt@kline_5m", "btcusdt@aggTrade"])
    assert watch.unfilled() == [("BTCUSDT", "5m")]


def test_spot_takes_funding_from_the_perpetual_of_the_same_name() -> None:
    watch = MarketWatch("spot", Settings())
    watch.watch({"BTCUSDT": "BTC/USDT", "PEPEUSDT": "PEPE/USDT"})
    assert not any("markPrice" in name or "forceOrder" in name for name in watch.streams())
    derived = watch.derived_streams({"BTCUSDT", "ETHUSDT"})
    assert derived == {"btcusdt@markPrice@1s", "btcusdt@forceOrder"}
    watch.on_frame("futures", frames.mark("BTCUSDT", START), START)
    watch.on_frame("spot", frames.spot_best("BTCUSDT", 1, BIDS, ASKS), START)
    known = said(watch, "BTCUSDT", START)
    assert set(known) == {"funding_rate", "book_imbalance"}
    assert {one.pair for one in known.values()} == {"BTC/USDT"}


def test_nothing_known_is_nan() -> None:
    assert all(isnan(one.long) for one in watching().components("BTCUSDT", START))


def test_a_jump_in_trade_ids_is_a_gap() -> None:
    watch = watching()
    trades(watch, "BTCUSDT", range(1, 302))
    assert "trade_flow" in said(watch, "BTCUSDT", START + 301 * SECOND)
    later = START + 480 * SECOND
    watch.on_frame("futures", frames.trade("BTCUSDT", 480, later), later)
    assert "trade_flow" not in said(watch, "BTCUSDT", later)


def test_a_closed_candle_is_news() -> None:
    told = []
    watch = MarketWatch("futures", Settings(), lambda: told.append(1))
    watch.watch({"BTCUSDT": BTC})
    minute = START // 60_000 * 60_000
    watch.on_frame("futures", frames.kline("BTCUSDT", "1m", minute, closed=False), START)
    assert told == []
    watch.on_frame("futures", frames.kline("BTCUSDT", "1m", minute), START + 60_000)
    assert told == [1]
