"""Recorded streams through decoder and keeper, against books rebuilt from the bare JSON."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from external_layers.binance.book import OrderBook
from external_layers.binance.book_keeper import BookKeeper
from external_layers.binance.channels import MarketKind
from external_layers.binance.counters import FeedCounters
from external_layers.binance.decoder import Decoder
from external_layers.binance.messages import BookSnapshot, DepthSnapshot, DepthUpdate
from tests.support.recorded import recorded

STREAMS: list[tuple[MarketKind, str, str]] = [
    ("futures", "usdm", "btcusdt"),
    ("futures", "usdm", "ethusdt"),
    ("spot", "spot", "btcusdt"),
    ("spot", "spot", "ethusdt"),
]
Top = tuple[list[tuple[float, float]], list[tuple[float, float]]]


def lines(*parts: str) -> Iterator[tuple[int, bytes]]:
    """Yield receipt in milliseconds and frame."""
    with gzip.open(recorded("streams", *parts)) as file:
        for line in file:
            stamp, _, frame = line.strip().partition(b" ")
            if frame:
                yield int(stamp) // 1_000_000, frame


def rest_book(symbol: str, raw: dict[str, Any]) -> BookSnapshot:
    bids, asks = ([(float(p), float(q)) for p, q in raw[side]] for side in ("bids", "asks"))
    return BookSnapshot(symbol=symbol, update_id=raw["lastUpdateId"], bids=bids, asks=asks)


class PlainBook:
    """A book as two dictionaries of the exchange's texts, built from the snapshot alone."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.last = raw["lastUpdateId"]
        self.sides = {"b": dict(raw["bids"]), "a": dict(raw["asks"])}

    def follow(self, data: dict[str, Any]) -> None:
        if data["u"] <= self.last:
            return
        for side, levels in self.sides.items():
            levels.update(data[side])
            for price, quantity in data[side]:
                if not quantity.strip("0."):
                    levels.pop(price)
        self.last = data["u"]

    def side(self, name: str) -> dict[float, float]:
        return {float(price): float(quantity) for price, quantity in self.sides[name].items()}

    def best(self) -> tuple[float, float]:
        return max(map(float, self.sides["b"])), min(map(float, self.sides["a"]))


class Recording:
    """Two keepers, one of which drops levels, and the plain book, fed with one recording."""

    def __init__(self, kind: MarketKind, symbol: str) -> None:
        self.symbol = symbol.upper()
        self.counters = FeedCounters()
        self.decoder = Decoder(kind, self.counters)
        self.keeper = BookKeeper(self.symbol, kind, book=OrderBook(max_distance_pct=1_000.0))
        self.trimmed = BookKeeper(
            self.symbol, kind, book=OrderBook(max_distance_pct=1.0, trim_every=50)
        )
        self.plain: PlainBook | None = None
        self.waiting: list[dict[str, Any]] = []
        self.tops: dict[int, Top] = {}
        self.bests: dict[int, tuple[float, float]] = {}
        self.tickers: dict[int, tuple[float, float]] = {}

    def take(self, at: int, frame: bytes) -> None:
        if not frame.startswith(b'{"stream"'):
            self._start(json.loads(frame))
            return
        message = self.decoder.decode(frame, at)
        if b"bookTicker" in frame[:40]:
            data = json.loads(frame)["data"]
            self.tickers[data["u"]] = float(data["b"]), float(data["a"])
        elif isinstance(message, DepthUpdate):
            self._change(message, json.loads(frame)["data"])

    def assert_whole_book_agrees(self) -> None:
        assert self.plain is not None
        book = self.keeper.book
        assert (book.bids, book.asks) == (self.plain.side("b"), self.plain.side("a"))
        assert (book.best_bid, book.best_ask) == self.plain.best()

    def _start(self, raw: dict[str, Any]) -> None:
        self.plain = PlainBook(raw)
        for data in self.waiting:
            self.plain.follow(data)
        for keeper in (self.keeper, self.trimmed):
            keeper.on_snapshot(rest_book(self.symbol, raw))

    def _change(self, update: DepthUpdate, data: dict[str, Any]) -> None:
        for keeper in (self.keeper, self.trimmed):
            keeper.on_update(update)
        if self.plain is None:
            self.waiting.append(data)
            return
        self.plain.follow(data)
        if self.keeper.is_synced:
            self._compare(self.plain.last)

    def _compare(self, last: int) -> None:
        book = self.keeper.book
        assert book.update_id == last
        assert book.best_bid < book.best_ask
        self.tops[last] = book.top(20)
        self.bests[last] = book.best_bid, book.best_ask
        if len(self.tops) % 100 == 0:
            assert self.trimmed.book.top(20) == self.tops[last]
            self.assert_whole_book_agrees()


@pytest.mark.parametrize(("kind", "prefix", "symbol"), STREAMS)
def test_kept_book_is_the_recorded_one(kind: MarketKind, prefix: str, symbol: str) -> None:
    recording = Recording(kind, symbol)
    for at, frame in lines("raw", f"{prefix}_{symbol}_20240808.gz"):
        recording.take(at, frame)
    recording.assert_whole_book_agrees()
    assert len(recording.trimmed.book.bids) < len(recording.keeper.book.bids)
    assert set(recording.keeper.counts) <= {"received", "snapshots", "applied", "stale"}
    counts = recording.counters.channels
    assert counts["depth"].dropped == {}
    assert counts["unknown"].dropped == {"unknown_channel": counts["unknown"].received}
    tickers, bests = recording.tickers, recording.bests
    shared = tickers.keys() & bests.keys()
    assert len(shared) > 50
    assert {each: tickers[each] for each in shared} == {each: bests[each] for each in shared}
    _assert_partial_books_agree(kind, f"{prefix}_{symbol}", recording.tops)


def _assert_partial_books_agree(kind: MarketKind, name: str, tops: dict[int, Top]) -> None:
    """Compare the twenty best levels at every partial book of the same update."""
    counters = FeedCounters()
    decoder = Decoder(kind, counters)
    agreeing = 0
    for at, frame in lines("binance_format", f"{name}_depth20_100ms.jsonl.gz"):
        message = decoder.decode(frame, at)
        if isinstance(message, DepthSnapshot) and message.update_id in tops:
            assert (message.bids, message.asks) == tops[message.update_id]
            agreeing += 1
    counts = counters.channels["depth20"]
    assert agreeing > 2_000
    assert set(counts.dropped) <= {"duplicate"}
    assert counts.received == counts.passed + sum(counts.dropped.values())


@pytest.mark.parametrize(("kind", "prefix", "symbol"), STREAMS)
def test_every_recorded_trade_passes(kind: MarketKind, prefix: str, symbol: str) -> None:
    counters = FeedCounters()
    decoder = Decoder(kind, counters)
    for at, frame in lines("binance_format", f"{prefix}_{symbol}_aggTrade.jsonl.gz"):
        decoder.decode(frame, at)
    counts = counters.channels["aggTrade"]
    assert counts.passed == counts.received == counters.received
    assert counts.gaps == 0


@pytest.mark.parametrize(("kind", "name"), [("futures", "BINANCE_FUTURES"), ("spot", "BINANCE")])
def test_captures_of_small_symbols(kind: MarketKind, name: str) -> None:
    counters = FeedCounters()
    decoder = Decoder(kind, counters)
    keepers = {book.symbol: (BookKeeper(book.symbol, kind), book) for book in _captured_books(name)}
    sent = 0
    for line in recorded("streams", "captures", f"{name}.ws.1.0").read_text().splitlines():
        stamp, _, frame = line.partition(": ")
        if not frame.startswith("{"):
            continue
        sent += 1
        message = decoder.decode(frame, round(float(stamp) * 1_000))
        if isinstance(message, DepthUpdate):
            keeper, book = keepers[message.symbol]
            if keeper.on_update(message).value == "waiting" and message.last_id >= book.update_id:
                keeper.on_snapshot(book)
    assert counters.received == sent == counters.passed + counters.dropped
    unknown = counters.channels.pop("unknown")
    assert unknown.dropped == {"unknown_channel": unknown.received}
    assert {each for each, counts in counters.channels.items() if counts.dropped} <= {"kline"}
    for keeper, _ in keepers.values():
        assert keeper.is_synced
        assert not keeper.counts["gap"] + keeper.counts["crossed"]


def _captured_books(name: str) -> Iterator[BookSnapshot]:
    for line in recorded("streams", "captures", f"{name}.http.0.0").read_text().splitlines():
        address, _, body = line.partition(" -> ")
        if "/depth?symbol=" in address:
            symbol = address.partition("symbol=")[2].partition("&")[0]
            yield rest_book(symbol, json.loads(body.partition(": ")[2]))
