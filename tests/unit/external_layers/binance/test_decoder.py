"""Frames of every channel, and everything that can be wrong with one."""

import json
from typing import Any

import pytest

from external_layers.binance.channels import MarketKind
from external_layers.binance.counters import ChannelCounts, FeedCounters
from external_layers.binance.decoder import Decoder
from external_layers.binance.messages import (
    AggTrade,
    DepthSnapshot,
    DepthUpdate,
    Kline,
    Liquidation,
    MarkPrice,
    Message,
)

NOW = 1_723_161_256_700
TRADE = {"e": "aggTrade", "E": NOW, "s": "BTCUSDT", "a": 7, "p": "61800.10", "q": "0.006"} | {
    "f": 1,
    "l": 2,
    "T": NOW - 3,
    "m": True,
}
BOOK = {"e": "depthUpdate", "E": NOW, "T": NOW, "s": "BTCUSDT", "U": 5, "u": 9, "pu": 4} | {
    "b": [["100.10", "2.5"], ["100.00", "1"]],
    "a": [["100.20", "3"], ["100.40", "4"]],
}
SPOT_BOOK = {"lastUpdateId": 9, "bids": BOOK["b"], "asks": BOOK["a"]}
CHANGE = BOOK | {"b": [["90.00", "0.000"], ["100.00", "1"]], "a": []}
CANDLE = {"t": NOW // 60_000 * 60_000, "T": NOW // 60_000 * 60_000 + 59_999, "s": "BTCUSDT"} | {
    "i": "1m",
    "f": 1,
    "L": 2,
    "o": "10.5",
    "c": "10.6",
    "h": "11",
    "l": "10",
    "v": "100",
    "n": 3,
    "x": False,
    "q": "1050",
    "V": "60",
    "Q": "630",
    "B": "0",
}
KLINE = {"e": "kline", "E": NOW, "s": "BTCUSDT", "k": CANDLE}
MARK = {"e": "markPriceUpdate", "E": NOW, "s": "BTCUSDT", "p": "11794.15", "i": "11784.6"} | {
    "P": "11784.2",
    "r": "-0.00038167",
    "T": NOW + 3_600_000,
}
ORDER = {"s": "BTCUSDT", "S": "SELL", "o": "LIMIT", "f": "IOC", "q": "0.014", "p": "9910"} | {
    "ap": "9912.5",
    "X": "FILLED",
    "l": "0.014",
    "z": "0.010",
    "T": NOW - 5,
}
FORCED = {"e": "forceOrder", "E": NOW, "o": ORDER}


class Feed:
    """A decoder and its counters; frames go in as payloads."""

    def __init__(self, kind: MarketKind = "futures") -> None:
        self.counters = FeedCounters()
        self.decoder = Decoder(kind, self.counters)

    def push(self, stream: str, payload: Any, at: int = NOW) -> Message | None:
        frame = {"stream": stream, "data": payload}
        return self.raw(json.dumps(frame, separators=(",", ":"), ensure_ascii=False), at)

    def raw(self, frame: str | bytes, at: int = NOW) -> Message | None:
        message = self.decoder.decode(frame, at)
        counters = self.counters
        assert counters.received == counters.passed + counters.dropped + counters.control
        for each in counters.channels.values():
            assert each.received == each.passed + each.control + sum(each.dropped.values())
        return message

    def counts(self, channel: str) -> ChannelCounts:
        return self.counters.channels[channel]


def reason_of(stream: str, payload: Any, kind: MarketKind = "futures") -> str | None:
    """Return why a payload is dropped, first by a new decoder, then by one that knows it."""
    feed = Feed(kind)
    assert feed.push(stream, payload) is None
    (counts,) = feed.counters.channels.values()
    first = counts.sample_reason
    assert feed.push(stream, payload) is None
    assert counts.dropped == {first: 2}
    return first


def test_trade_is_read() -> None:
    message = Feed().push("btcusdt@aggTrade", TRADE)
    assert message == AggTrade(
        symbol="BTCUSDT",
        id=7,
        price=61800.1,
        quantity=0.006,
        time_ms=NOW - 3,
        is_buyer_maker=True,
        event_ms=NOW,
    )


def test_partial_books_of_both_markets_are_read() -> None:
    expected = DepthSnapshot(
        symbol="BTCUSDT",
        update_id=9,
        event_ms=NOW,
        bids=[(100.1, 2.5), (100.0, 1.0)],
        asks=[(100.2, 3.0), (100.4, 4.0)],
    )
    assert Feed().push("btcusdt@depth20@100ms", BOOK) == expected
    spot = Feed("spot")
    assert spot.push("btcusdt@depth20@100ms", SPOT_BOOK) == expected
    assert spot.counts("depth20").lag_ms is None


@pytest.mark.parametrize("stream", ["btcusdt@depth", "btcusdt@depth@100ms", "btcusdt@depth@0ms"])
def test_changes_are_read(stream: str) -> None:
    message = Feed().push(stream, CHANGE)
    assert isinstance(message, DepthUpdate)
    assert (message.first_id, message.last_id, message.previous_id) == (5, 9, 4)
    assert (message.bids, message.asks) == ([(90.0, 0.0), (100.0, 1.0)], [])
    spot = Feed("spot").push(stream, CHANGE)
    assert isinstance(spot, DepthUpdate)
    assert spot.previous_id is None


def test_candle_is_read() -> None:
    message = Feed().push("btcusdt@kline_1m", KLINE)
    assert isinstance(message, Kline)
    assert (message.open, message.high, message.low, message.close) == (10.5, 11.0, 10.0, 10.6)
    assert (message.volume, message.quote_volume, message.taker_buy_volume) == (100, 1050, 60)
    assert (message.interval, message.trades, message.is_closed) == ("1m", 3, False)
    assert (message.open_ms, message.close_ms) == (CANDLE["t"], CANDLE["T"])


def test_mark_price_is_read() -> None:
    assert Feed().push("btcusdt@markPrice@1s", MARK) == MarkPrice(
        symbol="BTCUSDT",
        event_ms=NOW,
        mark=11794.15,
        index=11784.6,
        funding_rate=-0.00038167,
        next_funding_ms=NOW + 3_600_000,
    )


@pytest.mark.parametrize("stream", ["btcusdt@forceOrder", "!forceOrder@arr"])
def test_liquidation_is_what_was_filled(stream: str) -> None:
    feed = Feed()
    message = feed.push(stream, FORCED)
    assert message == Liquidation(
        symbol="BTCUSDT",
        time_ms=NOW - 5,
        price=9912.5,
        quantity=0.01,
        is_buy=False,
        event_ms=NOW,
    )
    assert feed.push(stream, FORCED) is None
    assert feed.counts("forceOrder").dropped == {"duplicate": 1}


def test_liquidation_that_is_not_filled_is_what_was_asked() -> None:
    order = ORDER | {"ap": "0", "z": "0", "S": "BUY"}
    message = Feed().push("btcusdt@forceOrder", FORCED | {"o": order})
    assert isinstance(message, Liquidation)
    assert (message.price, message.quantity, message.is_buy) == (9910.0, 0.014, True)


@pytest.mark.parametrize("symbol", ["1000SHIBUSDT", "BTCUSDT_260327", "币安人生USDT"])
def test_symbols_of_all_kinds(symbol: str) -> None:
    feed = Feed()
    for number in (1, 2):
        message = feed.push(f"{symbol.lower()}@aggTrade", TRADE | {"s": symbol, "a": number})
        assert isinstance(message, AggTrade)
        assert message.symbol == symbol


def test_any_way_of_writing_a_frame_is_read() -> None:
    feed = Feed()
    frames = [
        json.dumps({"stream": "btcusdt@aggTrade", "data": TRADE | {"a": 1}}, indent=1),
        json.dumps({"data": TRADE | {"a": 2}, "stream": "btcusdt@aggTrade"}),
        json.dumps({"stream": "btcusdt@aggTrade", "data": TRADE | {"a": 3}, "more": [1]}),
        json.dumps({"stream": "btcusdt@aggTrade", "data": TRADE | {"a": 4}}, separators=(",", ":")),
        '{"stream":"btcusdt\\u0040aggTrade","data":' + json.dumps(TRADE | {"a": 5}) + "} \n",
        json.dumps({"stream": "btcusdt@aggTrade", "data": TRADE | {"a": 6}}).encode(),
    ]
    for number, frame in enumerate(frames, 1):
        message = feed.raw(frame)
        assert isinstance(message, AggTrade)
        assert message.id == number


@pytest.mark.parametrize(
    "frame",
    ['{"result":null,"id":1}', '{"error":{"code":2,"msg":"bad"},"id":1}', '{"id":3,"result":[]}'],
)
def test_replies_are_no_drops(frame: str) -> None:
    feed = Feed()
    assert feed.raw(frame) is None
    assert (feed.counters.control, feed.counters.dropped) == (1, 0)


@pytest.mark.parametrize(
    "frame",
    [
        *(b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"stream":"btcusdt@aggTrade"}', b"{}"),
        *("[" * 100_000, "\ud800", '{"e":"aggTrade"}', '{"stream":5,"data":{}}', '{"stream":'),
    ],
)
def test_garbage_is_counted(frame: bytes | str) -> None:
    feed = Feed()
    assert feed.raw(frame) is None
    assert (feed.counters.dropped, feed.counters.control) == (1, 0)


@pytest.mark.parametrize(
    ("stream", "kind"),
    [
        ("btcusdt@bookTicker", "futures"),
        ("btcusdt@depth7", "futures"),
        ("@aggTrade", "futures"),
        ("btcusdt@kline_1x", "futures"),
        ("!markPrice@arr@1s", "futures"),
        ("btcusdt@markPrice@1s", "spot"),
        ("!forceOrder@arr", "spot"),
    ],
)
def test_unknown_channels_are_counted(stream: str, kind: MarketKind) -> None:
    assert reason_of(stream, TRADE, kind) == "unknown_channel"


WRONG = ["nan", "inf", "-inf", "1e400", "1e30", "-1", "", "abc", None, True, [], {}, float("nan")]


@pytest.mark.parametrize("value", [*WRONG, "0", 0, "-0.0"])
@pytest.mark.parametrize(
    ("stream", "payload", "key"),
    [
        ("btcusdt@aggTrade", TRADE, "p"),
        ("btcusdt@aggTrade", TRADE, "q"),
        ("btcusdt@markPrice@1s", MARK, "p"),
        ("btcusdt@kline_1m", CANDLE, "c"),
        ("btcusdt@forceOrder", ORDER, "p"),
        ("btcusdt@depth20@100ms", BOOK, "b"),
        ("btcusdt@depth", CHANGE, "a"),
    ],
)
def test_no_wrong_price_passes(stream: str, payload: dict[str, Any], key: str, value: Any) -> None:
    changed = payload | {key: [[value, "1"]] if key in "ab" else value}
    if payload is CANDLE:
        changed = KLINE | {"k": changed}
    if payload is ORDER:
        changed = FORCED | {"o": changed}
    assert reason_of(stream, changed) in ("invalid", "malformed")


@pytest.mark.parametrize("value", WRONG)
def test_no_wrong_quantity_passes(value: Any) -> None:
    for stream, payload in (("btcusdt@depth20", BOOK), ("btcusdt@depth", CHANGE)):
        changed = payload | {"b": [["99", value]]}
        assert reason_of(stream, changed) in ("invalid", "malformed")


@pytest.mark.parametrize("stream", ["btcusdt@aggTrade", "btcusdt@depth20", "btcusdt@depth"])
@pytest.mark.parametrize("value", [0, -5, NOW + 60_001, NOW - 3_600_001, 2**70, NOW * 1_000])
def test_no_absurd_time_passes(stream: str, value: int) -> None:
    payload = TRADE | BOOK | {"a": 7 if "agg" in stream else BOOK["a"], "E": value}
    assert reason_of(stream, payload) in ("time", "invalid")


@pytest.mark.parametrize(
    ("stream", "payload", "reason"),
    [
        ("ethusdt@aggTrade", TRADE, "symbol"),
        ("ethusdt@forceOrder", FORCED, "symbol"),
        ("btcusdt@kline_5m", KLINE, "interval"),
        ("btcusdt@kline_1m", KLINE | {"k": CANDLE | {"s": "ETHUSDT"}}, "invalid"),
        ("btcusdt@kline_1m", KLINE | {"k": CANDLE | {"h": "10.55"}}, "inconsistent"),
        ("btcusdt@kline_1m", KLINE | {"k": CANDLE | {"l": "10.55"}}, "inconsistent"),
        ("btcusdt@kline_1m", KLINE | {"k": CANDLE | {"V": "101"}}, "inconsistent"),
        ("btcusdt@kline_1m", KLINE | {"k": CANDLE | {"T": NOW}}, "inconsistent"),
        ("btcusdt@aggTrade", TRADE | {"T": NOW + 1_001}, "time"),
        ("btcusdt@aggTrade", TRADE | {"a": -1}, "invalid"),
        ("btcusdt@forceOrder", FORCED | {"o": ORDER | {"T": 1}}, "time"),
        ("btcusdt@forceOrder", FORCED | {"o": ORDER | {"S": "HOLD"}}, "invalid"),
        ("btcusdt@markPrice", MARK | {"r": "1.5"}, "invalid"),
        ("btcusdt@depth", CHANGE | {"U": 10}, "inconsistent"),
        ("btcusdt@depth", CHANGE | {"pu": 5}, "inconsistent"),
        ("btcusdt@depth20", BOOK | {"b": [["100.2", "1"]]}, "crossed"),
        ("btcusdt@depth20", BOOK | {"b": [["100.3", "1"]]}, "crossed"),
        ("btcusdt@depth20", BOOK | {"b": BOOK["b"][::-1]}, "unsorted"),
        ("btcusdt@depth20", BOOK | {"a": BOOK["a"][::-1]}, "unsorted"),
    ],
)
def test_contradictions_are_dropped(stream: str, payload: dict[str, Any], reason: str) -> None:
    assert reason_of(stream, payload) == reason


def test_one_sided_and_empty_books_pass() -> None:
    feed = Feed()
    for number, sides in enumerate([{"b": []}, {"a": []}, {"a": [], "b": []}], 10):
        assert feed.push("btcusdt@depth20", BOOK | {"u": number} | sides) is not None


def test_trades_come_once_and_in_order_and_gaps_are_counted() -> None:
    feed = Feed()
    passed = [
        number
        for number in (5, 6, 6, 5, 9, 8, 10)
        if feed.push("btcusdt@aggTrade", TRADE | {"a": number})
    ]
    counts = feed.counts("aggTrade")
    assert passed == [5, 6, 9, 10]
    assert counts.dropped == {"duplicate": 1, "old": 2}
    assert (counts.gaps, counts.outages) == (1, 0)


def test_symbols_have_sequences_of_their_own() -> None:
    feed = Feed()
    assert feed.push("btcusdt@aggTrade", TRADE | {"a": 500})
    assert feed.push("ethusdt@aggTrade", TRADE | {"a": 3, "s": "ETHUSDT"})
    assert feed.counts("aggTrade").gaps == 0


def test_a_reconnect_keeps_ids_and_its_jump_is_no_gap() -> None:
    feed = Feed()
    for symbol in ("btcusdt", "ethusdt"):
        feed.push(f"{symbol}@aggTrade", TRADE | {"a": 5, "s": symbol.upper()})
    feed.decoder.reset(["BTCUSDT"])
    counts = feed.counts("aggTrade")
    assert counts.mean_lag_ms is None
    assert feed.push("btcusdt@aggTrade", TRADE | {"a": 5}) is None
    assert feed.push("btcusdt@aggTrade", TRADE | {"a": 50})
    assert (counts.gaps, counts.outages) == (0, 1)
    assert feed.push("ethusdt@aggTrade", TRADE | {"a": 50, "s": "ETHUSDT"})
    assert feed.push("btcusdt@aggTrade", TRADE | {"a": 60})
    assert (counts.gaps, counts.outages) == (2, 1)


def test_one_id_that_is_far_too_high_does_not_stop_the_stream() -> None:
    feed = Feed()
    results = []
    for second, number in enumerate([5, 10**15, 7, 8, 9, 10, 11, 12, 13, 14]):
        at = NOW + second * 1_000
        trade = TRADE | {"a": number, "E": at, "T": at}
        results.append(feed.push("btcusdt@aggTrade", trade, at) is not None)
    assert results == [True, True, *[False] * 5, True, True, True]
    assert feed.counts("aggTrade").restarts == 1


@pytest.mark.parametrize("kind", ["spot", "futures"])
def test_old_partial_books_are_dropped(kind: MarketKind) -> None:
    feed = Feed(kind)
    payload: dict[str, Any] = BOOK if kind == "futures" else SPOT_BOOK
    key = "u" if kind == "futures" else "lastUpdateId"
    passed = [
        number
        for number in (9, 9, 8, 30, 29)
        if feed.push("btcusdt@depth20@100ms", payload | {key: number})
    ]
    assert passed == [9, 30]
    assert feed.counts("depth20").dropped == {"duplicate": 1, "old": 2}
    assert feed.counts("depth20").gaps == 0


def test_candles_go_forward() -> None:
    feed = Feed()

    def push(minute: int, event: int, is_closed: bool) -> bool:
        times = {"t": CANDLE["t"] + minute * 60_000, "T": CANDLE["T"] + minute * 60_000}
        payload = KLINE | {"E": NOW + event, "k": CANDLE | times | {"x": is_closed}}
        return feed.push("btcusdt@kline_1m", payload, NOW + event) is not None

    steps = [(0, 0, False), (0, 250, False), (0, 250, False), (0, 100, False), (0, 60_000, True)]
    steps += [(0, 60_001, True), (0, 60_500, False), (1, 60_500, False), (0, 61_000, True)]
    assert [push(*step) for step in steps] == [
        *(True, True, False, False, True),
        *(False, False, True, False),
    ]
    assert feed.counts("kline").dropped == {"duplicate": 2, "old": 3}


def test_mark_prices_go_forward() -> None:
    feed = Feed()
    times = (NOW, NOW, NOW - 1_000, NOW + 1_000)
    passed = [feed.push("btcusdt@markPrice@1s", MARK | {"E": each}) is not None for each in times]
    assert passed == [True, False, False, True]


def test_lag_is_from_event_to_receipt() -> None:
    feed = Feed()
    feed.push("btcusdt@aggTrade", TRADE | {"a": 1}, NOW + 100)
    feed.push("btcusdt@aggTrade", TRADE | {"a": 2}, NOW + 200)
    counts = feed.counts("aggTrade")
    assert counts.lag_ms == 200
    assert counts.mean_lag_ms == pytest.approx(105.0)


def test_the_sample_is_short_and_tells_why() -> None:
    feed = Feed()
    feed.raw('{"stream":"btcusdt@bookTicker","data":{"s":"' + "x" * 5_000 + '"}}')
    counts = feed.counts("unknown")
    assert counts.sample is not None
    assert len(counts.sample) == 200
    assert counts.sample_reason == "unknown_channel"


def test_numbers_are_rounded_as_python_rounds_them() -> None:
    feed = Feed()
    for number, text in enumerate(["0.1", "61837.63000000", "0.00000001", "123456789.12345678"]):
        message = feed.push("btcusdt@aggTrade", TRADE | {"a": number, "p": text})
        assert isinstance(message, AggTrade)
        assert message.price == float(text)
