"""Real streams through the pair's flow: everything known, in range, and equal to batch."""

import gzip
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from external_layers.binance.book import OrderBook
from external_layers.binance.messages import (
    AggTrade,
    BookSnapshot,
    DepthSnapshot,
    DepthUpdate,
    Level,
)
from external_layers.orderflow.pair_flow import PairFlow
from scalp_strategy.setting_groups.orderflow import OrderFlowSettings
from tests.support.recorded import recorded
from tests.unit.external_layers.orderflow.reference import Reference

COMPARED = 4_000  # messages; the reference is quadratic
QUICK = OrderFlowSettings(window_s=20, book_interval_ms=1_000, thin_warmup_s=5.0, thin_mean_s=20.0)
STREAMS = [("usdm", "btcusdt"), ("spot", "ethusdt")]

Timed = tuple[int, Any]


def lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with gzip.open(path) as file:
        for line in file:
            stamp, _, text = line.partition(b" ")
            yield int(stamp), orjson.loads(text)


def levels(rows: list[list[str]]) -> list[Level]:
    return [(float(price), float(quantity)) for price, quantity in rows]


def trades(market: str, symbol: str) -> Iterator[Timed]:
    path = recorded("streams", "binance_format", f"{market}_{symbol}_aggTrade.jsonl.gz")
    for stamp, line in lines(path):
        data = line["data"]
        yield (
            stamp,
            AggTrade(
                symbol=data["s"],
                id=data["a"],
                price=float(data["p"]),
                quantity=float(data["q"]),
                time_ms=data["T"],
                is_buyer_maker=data["m"],
                event_ms=data["E"],
            ),
        )


def snapshots(market: str, symbol: str) -> Iterator[Timed]:
    path = recorded("streams", "binance_format", f"{market}_{symbol}_depth20_100ms.jsonl.gz")
    for stamp, line in lines(path):
        data = line["data"]
        bids, asks = data.get("b", data.get("bids")), data.get("a", data.get("asks"))
        yield (
            stamp,
            DepthSnapshot(
                symbol=symbol.upper(),
                update_id=data.get("u", data.get("lastUpdateId")),
                event_ms=data.get("E", stamp // 1_000_000),
                bids=levels(bids),
                asks=levels(asks),
            ),
        )


def changes(market: str, symbol: str) -> Iterator[Timed]:
    for stamp, line in lines(recorded("streams", "raw", f"{market}_{symbol}_20240808.gz")):
        data = line.get("data", line)
        if "stream" not in line:
            book = BookSnapshot(
                symbol=symbol.upper(),
                update_id=data["lastUpdateId"],
                bids=levels(data["bids"]),
                asks=levels(data["asks"]),
            )
            yield stamp, book
        elif "@depth" in line["stream"]:
            yield (
                stamp,
                DepthUpdate(
                    symbol=data["s"],
                    event_ms=data["E"],
                    first_id=data["U"],
                    last_id=data["u"],
                    previous_id=data.get("pu"),
                    bids=levels(data["b"]),
                    asks=levels(data["a"]),
                ),
            )


def stream(market: str, symbol: str) -> list[Any]:
    """Return all messages in the order in which they came."""
    parts = (trades, snapshots, changes)
    timed = [one for part in parts for one in part(market, symbol)]
    return [message for _, message in sorted(timed, key=lambda one: one[0])]


class Feeder:
    """Gives messages to a pair's flow, the book kept beside it."""

    def __init__(self, settings: OrderFlowSettings) -> None:
        self.flow = PairFlow("BTC/USDT:USDT", settings)
        self.book = OrderBook()
        self.now_ms = 0

    def take(self, message: Any) -> bool:
        """Return whether the flow took it: changes before the snapshot only build the book."""
        if isinstance(message, BookSnapshot):
            self.book.load(message)
            return False
        self.now_ms = max(self.now_ms, getattr(message, "time_ms", message.event_ms))
        if isinstance(message, AggTrade):
            self.flow.on_trade(message)
        elif isinstance(message, DepthSnapshot):
            self.flow.on_depth(message)
        elif not 0 <= self.book.update_id < message.last_id:
            return False
        else:
            self.book.apply(message)
            self.flow.on_book(self.book, message)
        return True


@pytest.mark.parametrize(("market", "symbol"), STREAMS)
def test_a_recording_is_understood_to_its_end(market: str, symbol: str) -> None:
    feeder = Feeder(OrderFlowSettings())
    reasons: set[str] = set()
    asked_ms = 0
    for message in stream(market, symbol):
        feeder.take(message)
        if feeder.now_ms >= asked_ms + 5_000:
            asked_ms = feeder.now_ms
            reasons |= {one.reason for one in feeder.flow.components(asked_ms)}
    found = {one.name: one for one in feeder.flow.components(feeder.now_ms)}
    known = {name for name, one in found.items() if one.is_known}
    assert known == {"book_imbalance", "trade_flow", "large_orders", "vanishing_liquidity"}
    assert all(math.isclose(one.long + one.short, 100.0) for one in found.values() if one.is_known)
    assert len(reasons) > 1
    assert feeder.flow.late == 0


@pytest.mark.parametrize(("market", "symbol"), STREAMS)
def test_a_recording_equals_batch(market: str, symbol: str) -> None:
    feeder, reference = Feeder(QUICK), Reference(QUICK)
    reference.book = feeder.book  # type: ignore[assignment]
    known = 0
    for count, message in enumerate(stream(market, symbol)[:COMPARED]):
        if feeder.take(message):
            reference.take(message)
        if count % 50 == 0:
            found = {one.name: one for one in feeder.flow.components(feeder.now_ms)}
            for name, pair in reference.scores(feeder.now_ms).items():
                one = found[name]
                assert (one.long, one.short) == pytest.approx(pair, rel=1e-9, nan_ok=True), name
                known += one.is_known
    assert known > 100
