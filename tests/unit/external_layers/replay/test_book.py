"""The order book: never crossed, around the last trade, and kept exactly by its diffs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from external_layers.replay.book import Books
from external_layers.replay.book_changes import changed_side
from external_layers.replay.exchange import ReplayExchange
from external_layers.replay.generator import GeneratedMarket
from external_layers.replay.market import ReplayMarket
from external_layers.replay.moves import PriceMove
from external_layers.replay.stream_names import parse_stream
from external_layers.replay.streams import StreamEvents
from tests.unit.external_layers.replay.conftest import NOW_MS, Clock

SOURCE = GeneratedMarket(7)


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(SOURCE.symbols)),
    kind=st.sampled_from(["spot", "futures"]),
    offset=st.integers(-(10**9), 10**9),
    levels=st.integers(1, 1_000),
)
def test_a_book_is_sound_at_any_instant(name: str, kind: str, offset: int, levels: int) -> None:
    at = NOW_MS + offset
    market = ReplayMarket(SOURCE, lambda: at)
    if not market.is_listed(kind, name):
        return
    book = Books(market).at(kind, name, at, levels)
    assert book.bid_price[0] < book.ask_price[0]
    assert (np.diff(book.bid_price) < 0).all()
    assert (np.diff(book.ask_price) > 0).all()
    assert (book.bid_amount >= 1).all()
    assert (book.ask_amount >= 1).all()
    assert len(book.ask_price) == levels
    last, is_buy = market.last_trade(kind, name, book.time_ms)
    assert last == (book.ask_price[0] if is_buy else book.bid_price[0]) or last == 1


def test_a_book_is_a_function_of_time_alone(exchange: ReplayExchange) -> None:
    other = ReplayExchange(GeneratedMarket(7), exchange.market.now_ms)
    for back in (0, 5_000, 100):
        one = exchange.books.at("futures", "ETHUSDT", NOW_MS - back)
        two = other.books.at("futures", "ETHUSDT", NOW_MS - back)
        assert one.bid_amount.tolist() == two.bid_amount.tolist()


def test_few_levels_are_the_top_of_many(exchange: ReplayExchange) -> None:
    deep = exchange.books.at("spot", "BTCUSDT", NOW_MS, 1_000)
    top = exchange.books.at("spot", "BTCUSDT", NOW_MS, 20)
    assert deep.ask_amount[:20].tolist() == top.ask_amount.tolist()
    assert deep.bid_price[:20].tolist() == top.bid_price.tolist()


def test_sizes_fall_with_distance_and_change_slowly(exchange: ReplayExchange) -> None:
    now = exchange.books.at("futures", "DOGEUSDT", NOW_MS)
    soon = exchange.books.at("futures", "DOGEUSDT", NOW_MS + 300)
    assert now.bid_amount[:100].sum() > 2 * now.bid_amount[-100:].sum()
    prices, _ = changed_side((now.bid_price, now.bid_amount), (soon.bid_price, soon.bid_amount), [])
    assert len(prices) < 300


def test_a_move_moves_the_book(exchange: ReplayExchange) -> None:
    before = exchange.books.at("futures", "ETHUSDT", NOW_MS)
    exchange.market.add_move(PriceMove("ETHUSDT", 1.1, NOW_MS - 60_000, 0.0))
    after = exchange.books.at("futures", "ETHUSDT", NOW_MS)
    assert abs(after.bid_price[0] / before.bid_price[0] - 1.1) < 1e-3


def kept(side: dict[str, str], rows: list[list[str]]) -> None:
    for price, amount in rows:
        if float(amount) == 0:
            side.pop(price, None)
        else:
            side[price] = amount


@pytest.mark.parametrize("speed", ["@100ms", "", "@500ms"])
@pytest.mark.parametrize("start", range(0, 1_000, 125))
def test_a_book_kept_from_diffs_equals_the_snapshot(
    exchange: ReplayExchange, clock: Clock, speed: str, start: int
) -> None:
    clock.ms += start
    events, stream = StreamEvents(exchange), parse_stream(f"btcusdt@depth{speed}", "futures")
    assert stream is not None
    params = {"symbol": "BTCUSDT", "limit": "1000"}
    snapshot = exchange.answer("/fapi/v1/depth", params).body
    bids, asks = dict(snapshot["bids"]), dict(snapshot["asks"])
    last, before = snapshot["lastUpdateId"], clock.ms - 350
    for pause in (100, 250, 30, 700, 1_000, 9_000, 1_000 - start % 500):
        clock.ms += pause
        for event in events.between(stream, before, clock.ms):
            if event["u"] < last:
                continue
            assert event["U"] <= last + 1
            assert event["pu"] <= last
            kept(bids, event["b"])
            kept(asks, event["a"])
            last = event["u"]
        before = clock.ms
    clock.ms = last * 100
    fresh = exchange.answer("/fapi/v1/depth", params).body
    assert fresh["lastUpdateId"] == last
    assert bids == dict(fresh["bids"])
    assert asks == dict(fresh["asks"])
