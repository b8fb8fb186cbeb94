"""Websocket addresses, stream names and what streams push between two instants."""

import pytest

from external_layers.binance.messages import MarketKind
from external_layers.replay.exchange import ReplayExchange
from external_layers.replay.moves import PriceMove
from external_layers.replay.stream_names import Stream, category_of, parse_route, parse_stream
from external_layers.replay.streams import StreamEvents
from tests.unit.external_layers.replay.conftest import NOW_MS, Clock


def stream_of(name: str, kind: MarketKind = "futures") -> Stream:
    stream = parse_stream(name, kind)
    assert stream is not None
    return stream


@pytest.fixture
def events(exchange: ReplayExchange) -> StreamEvents:
    return StreamEvents(exchange)


@pytest.mark.parametrize(
    ("path", "query", "kind", "category", "is_combined", "streams"),
    [
        ("/stream/ws/0", None, "spot", "all", False, ()),
        ("/stream/ws", None, "spot", "all", False, ()),
        ("/ws/btcusdt@kline_1m", None, "spot", "all", False, ("btcusdt@kline_1m",)),
        ("/stream", "a@depth/b@depth", "spot", "all", True, ("a@depth", "b@depth")),
        ("/fstream/public/ws", None, "futures", "public", False, ()),
        ("/fstream/market/stream", "!ticker@arr", "futures", "market", True, ("!ticker@arr",)),
        ("/public/stream", "a@depth", "futures", "public", True, ("a@depth",)),
        ("/market/ws/a@aggTrade", None, "futures", "market", False, ("a@aggTrade",)),
        ("/fstream/ws/a@aggTrade", None, "futures", "none", False, ("a@aggTrade",)),
        ("/fstream/stream", "a@aggTrade", "futures", "none", True, ("a@aggTrade",)),
    ],
)
def test_addresses(path, query, kind, category, is_combined, streams) -> None:
    route = parse_route(path, query)
    assert route is not None
    assert (route.kind, route.category) == (kind, category)
    assert (route.is_combined, route.streams) == (is_combined, streams)


@pytest.mark.parametrize("path", ["/", "/nothing", "/fstream", "/public/other"])
def test_other_addresses_do_not_exist(path: str) -> None:
    assert parse_route(path, None) is None


@pytest.mark.parametrize(
    ("name", "channel", "symbol", "argument", "speed_ms", "category"),
    [
        ("btcusdt@kline_15m", "kline", "BTCUSDT", "15m", 250, "market"),
        ("btcusdt@depth", "depth", "BTCUSDT", "", 250, "public"),
        ("btcusdt@depth20@100ms", "depth", "BTCUSDT", "20", 100, "public"),
        ("1000x@bookTicker", "bookTicker", "1000X", "", 100, "public"),
        ("btcusdt@aggTrade", "aggTrade", "BTCUSDT", "", 100, "market"),
        ("btcusdt@markPrice@1s", "markPrice", "BTCUSDT", "", 1_000, "market"),
        ("!markPrice@arr", "markPrice", None, "", 3_000, "market"),
        ("!markPrice@arr@1s", "markPrice", None, "", 1_000, "market"),
        ("!forceOrder@arr", "forceOrder", None, "", 100, "market"),
        ("!miniTicker@arr", "miniTicker", None, "", 1_000, "market"),
    ],
)
def test_names(name, channel, symbol, argument, speed_ms, category) -> None:
    stream = stream_of(name)
    assert (stream.channel, stream.symbol, stream.argument) == (channel, symbol, argument)
    assert stream.speed_ms == speed_ms
    assert category_of(stream) == category


@pytest.mark.parametrize("name", ["btcusdt@kline_7m", "btcusdt@nothing", "btcusdt", "@"])
def test_unknown_names(name: str) -> None:
    assert parse_stream(name, "futures") is None


def test_futures_streams_are_unknown_on_spot() -> None:
    assert parse_stream("btcusdt@markPrice", "spot") is None


@pytest.mark.parametrize("kind", ["spot", "futures"])
def test_at_the_close_comes_the_closed_candle_and_then_the_new_one(
    exchange: ReplayExchange, clock: Clock, events: StreamEvents, kind: MarketKind
) -> None:
    close = (NOW_MS // 900_000 + 1) * 900_000
    clock.ms = close + 30
    stream = stream_of("ethusdt@kline_15m", kind)
    closed, fresh = (event["k"] for event in events.between(stream, close - 70, clock.ms))
    assert (closed["x"], closed["T"], closed["t"]) == (True, close - 1, close - 900_000)
    assert (fresh["x"], fresh["t"], fresh["i"]) == (False, close, "15m")
    prefix = "/api/v3" if kind == "spot" else "/fapi/v1"
    query = {"symbol": "ETHUSDT", "interval": "15m", "limit": "2"}
    row = exchange.answer(f"{prefix}/klines", query).body[0]
    assert [closed[key] for key in "tohlcvTnV"] == [*row[:7], row[8], row[9]]
    assert closed["L"] - closed["f"] + 1 == closed["n"]


def test_inside_a_candle_only_the_forming_one_comes(clock: Clock, events: StreamEvents) -> None:
    stream = stream_of("ethusdt@kline_1m", "spot")
    pushes = []
    for _ in range(30):
        clock.ms += 100
        pushes += events.between(stream, clock.ms - 100, clock.ms)
    assert len(pushes) == 3
    assert not any(push["k"]["x"] for push in pushes)


def test_trades_come_once_each_and_without_gap(clock: Clock, events: StreamEvents) -> None:
    stream = stream_of("btcusdt@aggTrade")
    ids, before = [], clock.ms
    for pause in (100, 137, 1, 2_000, 100, 59_000):
        clock.ms += pause
        pushed = events.between(stream, before, clock.ms)
        assert all(before < event["T"] <= clock.ms for event in pushed)
        ids += [event["a"] for event in pushed]
        before = clock.ms
    assert len(ids) > 50
    assert ids == list(range(ids[0], ids[0] + len(ids)))


def test_the_book_ticker_is_the_top_of_the_book(
    exchange: ReplayExchange, clock: Clock, events: StreamEvents
) -> None:
    stream = stream_of("btcusdt@bookTicker")
    last = None
    for _ in range(100):
        clock.ms += 100
        for event in events.between(stream, clock.ms - 100, clock.ms):
            last = event
    assert last is not None
    top = exchange.answer("/fapi/v1/ticker/bookTicker", {"symbol": "BTCUSDT"}).body
    assert [last[key] for key in "bBaA"] == [
        top[key] for key in ("bidPrice", "bidQty", "askPrice", "askQty")
    ]


def test_partial_depth_is_the_top_of_the_snapshot(
    exchange: ReplayExchange, clock: Clock, events: StreamEvents
) -> None:
    clock.ms = clock.ms // 1_000 * 1_000
    (push,) = events.between(stream_of("solusdt@depth20@100ms"), clock.ms - 100, clock.ms)
    book = exchange.answer("/fapi/v1/depth", {"symbol": "SOLUSDT", "limit": "20"}).body
    assert (push["b"], push["a"]) == (book["bids"], book["asks"])
    assert push["u"] == book["lastUpdateId"]
    (spot,) = events.between(stream_of("solusdt@depth5", "spot"), clock.ms - 100, clock.ms)
    assert len(spot["bids"]) == 5


def test_a_crash_liquidates_longs(
    exchange: ReplayExchange, clock: Clock, events: StreamEvents
) -> None:
    stream = stream_of("btcusdt@forceOrder")
    calm = events.between(stream, clock.ms - 60_000, clock.ms)
    exchange.market.add_move(PriceMove("BTCUSDT", 0.93, clock.ms, 4.0))
    clock.ms += 6 * 60_000
    orders = [event["o"] for event in events.between(stream, NOW_MS, clock.ms)]
    assert len(orders) > len(calm) + 5
    assert {order["S"] for order in orders} == {"SELL"}
    seconds = [order["T"] // 1_000 for order in orders]
    assert len(seconds) == len(set(seconds))


def test_arrays_hold_all_symbols(exchange: ReplayExchange, events: StreamEvents) -> None:
    now = exchange.market.now_ms() // 3_000 * 3_000
    (marks,) = events.between(stream_of("!markPrice@arr"), now - 100, now)
    (tickers,) = events.between(stream_of("!ticker@arr"), now - 100, now)
    assert len(marks) == len(tickers) == len(list(exchange.data["futures"].names))
    assert {"e", "s", "p", "i", "r", "T"} <= marks[0].keys()


def test_unknown_symbols_stay_silent(clock: Clock, events: StreamEvents) -> None:
    assert events.between(stream_of("nopeusdt@aggTrade"), clock.ms - 5_000, clock.ms) == []
