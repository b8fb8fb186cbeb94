"""A recording played on a clock that the test owns."""

import gzip
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from external_layers.binance.book_keeper import BookKeeper
from external_layers.binance.decoder import Decoder, FeedCounters
from external_layers.binance.messages import BookSnapshot, DepthUpdate, MarketKind
from external_layers.history.raw import line_of, snapshot_frame
from external_layers.replay.exchange import ReplayExchange
from external_layers.replay.generator import GeneratedMarket
from external_layers.replay.recording import Recording, moved
from external_layers.replay.stream_names import Stream, parse_stream
from scalp_strategy.errors import ConfigError
from tests.support.recorded import recorded

NOW_MS = 1_790_000_130_250
THEN_MS = 1_723_161_255_000


@dataclass
class Clock:
    ms: int = NOW_MS

    def __call__(self) -> int:
        return self.ms


def stream_of(name: str, kind: MarketKind = "futures") -> Stream:
    stream = parse_stream(name, kind)
    assert stream is not None
    return stream


def frame(name: str, at_ms: int, **data: Any) -> tuple[int, bytes]:
    payload = {"stream": name, "data": {"E": THEN_MS + at_ms, **data}}
    return (THEN_MS + at_ms) * 1_000_000, orjson.dumps(payload)


def diff(at_ms: int, first: int, last: int, previous: int, bid: str = "100") -> tuple[int, bytes]:
    ids = {"U": first, "u": last, "pu": previous, "s": "BTCUSDT", "e": "depthUpdate"}
    return frame("btcusdt@depth@100ms", at_ms, **ids, b=[[bid, "1"]], a=[])


def write(folder: Path, *lines: tuple[int, bytes], name: str = "futures-x.jsonl.gz") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(gzip.compress(b"".join(line_of(*line) for line in lines)))
    return folder


BOOK = snapshot_frame(
    "BTCUSDT",
    orjson.dumps({"lastUpdateId": 15, "bids": [["99", "2"], ["98", "1"]], "asks": [["101", "3"]]}),
)
LINES = (
    diff(0, 1, 10, 0, "90"),
    frame("btcusdt@aggTrade", 50, T=THEN_MS + 49, a=7, s="BTCUSDT", p="100", q="1", m=True),
    diff(100, 11, 20, 10, "100"),
    ((THEN_MS + 150) * 1_000_000, BOOK),
    diff(200, 21, 30, 20, "0.5"),
)


def test_frames_come_at_their_distances_with_their_times_moved(tmp_path: Path) -> None:
    clock = Clock()
    recording = Recording(write(tmp_path / "r", *LINES), clock)
    assert recording.due() == []  # the first frame was before anyone could listen
    clock.ms += 49
    assert recording.due() == []
    clock.ms += 1
    (trade,) = recording.due()
    assert trade.key == ("futures", "BTCUSDT", "aggTrade", "")
    assert (trade.payload["E"], trade.payload["T"]) == (NOW_MS + 50, NOW_MS + 49)
    assert (trade.payload["a"], trade.payload["p"]) == (7, "100")
    clock.ms += 10_000
    assert [played.payload["u"] for played in recording.due()] == [20, 30]
    clock.ms += 10_000
    assert recording.due() == []


def test_the_book_of_now_is_the_snapshot_and_newer_diffs(tmp_path: Path) -> None:
    clock = Clock()
    recording = Recording(write(tmp_path / "r", *LINES), clock)
    early = recording.depth("futures", "BTCUSDT", 5)
    assert early is not None
    assert (early["lastUpdateId"], early["bids"][0]) == (15, ["99", "2"])
    clock.ms += 150
    book = recording.depth("futures", "BTCUSDT", 2)
    assert book == {
        "lastUpdateId": 20, "bids": [["100", "1"], ["99", "2"]], "asks": [["101", "3"]],
    }  # fmt: skip
    clock.ms += 50
    book = recording.depth("futures", "BTCUSDT", 9)
    assert book is not None
    assert book["lastUpdateId"] == 30
    assert ["90", "1"] not in book["bids"]
    assert recording.depth("futures", "ETHUSDT", 5) is None
    # what came due through a request is still pushed
    assert [played.payload.get("u") for played in recording.due()] == [None, 20, 30]


def test_a_loop_begins_again_with_its_first_ids(tmp_path: Path) -> None:
    clock = Clock()
    recording = Recording(write(tmp_path / "r", *LINES), clock, is_looped=True)
    clock.ms += 200
    recording.due()
    clock.ms += 1_000
    (first,) = recording.due()
    assert (first.payload["u"], first.payload["E"]) == (10, NOW_MS + 1_200)
    clock.ms += 10 * 1_200
    ids = [played.payload.get("u") for played in recording.due()]
    assert ids == [None, 20, 30, 10] * 10
    assert recording.depth("futures", "BTCUSDT", 1) is not None


def test_no_time_lies_in_the_future_of_a_slow_clock(tmp_path: Path) -> None:
    late = [(ns - 1_270_000_000, text) for ns, text in LINES]
    clock = Clock()
    recording = Recording(write(tmp_path / "r", *late), clock)
    for _ in range(50):
        clock.ms += 10
        assert all(played.payload["E"] <= clock.ms for played in recording.due())


def candle(at_ms: int, interval: str) -> tuple[int, bytes]:
    opened = (THEN_MS + at_ms) // 60_000 * 60_000
    inner = {"t": opened, "T": opened + 59_999, "i": interval, "o": "1"}
    return frame(f"btcusdt@kline_{interval}", at_ms, k=inner)


def test_candles_keep_their_grid(tmp_path: Path) -> None:
    lines = [candle(second * 1_000, "1m") for second in range(300)]
    clock = Clock()
    recording = Recording(write(tmp_path / "r", *lines), clock)
    clock.ms += 120_000
    played = recording.due()
    assert 120 <= len(played) <= 121
    assert all(each.payload["k"]["t"] % 60_000 == 0 for each in played)
    assert all(each.payload["E"] <= clock.ms for each in played)


def test_a_short_recording_of_long_candles_waits_for_its_time(tmp_path: Path) -> None:
    lines = [candle(second * 1_000, "15m") for second in range(60)]
    clock = Clock()
    recording = Recording(write(tmp_path / "r", *lines), clock)
    clock.ms += 900_000 + 60_000
    assert 59 <= len(recording.due()) <= 60


def test_times_move_in_every_kind_of_message() -> None:
    liquidation = {"e": "forceOrder", "E": 10, "o": {"s": "BTCUSDT", "T": 9, "p": "1"}}
    assert moved(liquidation, 5) == {
        "e": "forceOrder", "E": 15, "o": {"s": "BTCUSDT", "T": 14, "p": "1"},
    }  # fmt: skip
    assert moved([{"e": "markPriceUpdate", "E": 1, "T": 2}], 5) == [
        {"e": "markPriceUpdate", "E": 6, "T": 7}
    ]
    assert moved({"e": "24hrTicker", "E": 1, "O": 2, "C": 3, "o": "0.5", "c": "1"}, 5) == {
        "e": "24hrTicker", "E": 6, "O": 7, "C": 8, "o": "0.5", "c": "1",
    }  # fmt: skip


def test_recorded_symbols_are_silent_where_nothing_was_recorded(tmp_path: Path) -> None:
    recording = Recording(write(tmp_path / "r", *LINES), Clock())
    assert recording.carries(stream_of("btcusdt@depth"))
    assert recording.carries(stream_of("btcusdt@bookTicker"))
    assert not recording.carries(stream_of("btcusdt@kline_1m"))
    assert not recording.carries(stream_of("ethusdt@depth"))
    assert not recording.carries(stream_of("btcusdt@aggTrade", "spot"))


def test_rest_answers_with_the_recorded_book(tmp_path: Path) -> None:
    clock = Clock()
    recording = Recording(write(tmp_path / "r", *LINES, name="spot-x.jsonl.gz"), clock)
    exchange = ReplayExchange(GeneratedMarket(7, ["BTCUSDT", "ETHUSDT"]), clock, 0, recording)
    clock.ms += 200
    query = {"symbol": "BTCUSDT", "limit": "5"}
    assert exchange.answer("/api/v3/depth", query).body["lastUpdateId"] == 30
    assert exchange.answer("/fapi/v1/depth", query).body["lastUpdateId"] > 10**9
    assert exchange.answer("/api/v3/depth", query | {"symbol": "ETHUSDT"}).body["bids"]
    without = Recording(write(tmp_path / "w", LINES[0]), clock)
    exchange = ReplayExchange(GeneratedMarket(7, ["BTCUSDT"]), clock, 0, without)
    answer = exchange.answer("/fapi/v1/depth", query)
    assert (answer.status, answer.body["msg"]) == (400, "The recording has no book of BTCUSDT.")


def test_nothing_to_play_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no frames"):
        Recording(write(tmp_path / "r", (1, b'{"stream":"x@nothing","data":{}}')), Clock())


@pytest.mark.parametrize(
    ("file", "kind", "symbol"),
    [
        ("usdm_ethusdt_20240808.gz", "futures", "ETHUSDT"),
        ("spot_btcusdt_20240808.gz", "spot", "BTCUSDT"),
    ],
)
def test_a_client_keeps_a_book_of_a_real_recording(
    tmp_path: Path, file: str, kind: MarketKind, symbol: str
) -> None:
    shutil.copy(recorded("streams", "raw", file), tmp_path / file)
    clock = Clock()
    recording = Recording(tmp_path, clock)
    decoder, keeper = Decoder(kind, FeedCounters()), BookKeeper(symbol, kind)
    name = f"{symbol.lower()}@depth@100ms".encode()
    for turn in range(2_000):
        clock.ms += 100
        for played in recording.due():
            if played.key[2] != "depth":
                continue
            text = b'{"stream":"' + name + b'","data":' + orjson.dumps(played.payload) + b"}"
            update = decoder.decode(text, clock.ms)
            assert isinstance(update, DepthUpdate)
            keeper.on_update(update)
        if turn > 30 and turn % 10 == 0 and not keeper.is_synced:
            keeper.on_snapshot(snapshot_of(recording, kind, symbol))
    assert keeper.is_synced
    assert keeper.counts["crossed"] == keeper.counts["gap"] == 0
    assert keeper.counts["applied"] > 1_500
    last = snapshot_of(recording, kind, symbol)
    assert last.update_id == keeper.book.update_id
    assert (list(last.bids[:20]), list(last.asks[:20])) == keeper.book.top(20)


def snapshot_of(recording: Recording, kind: MarketKind, symbol: str) -> BookSnapshot:
    body = recording.depth(kind, symbol, 1_000)
    assert body is not None

    def levels(rows: list[list[str]]) -> list[tuple[float, float]]:
        return [(float(price), float(quantity)) for price, quantity in rows]

    return BookSnapshot(
        symbol=symbol,
        update_id=body["lastUpdateId"],
        bids=levels(body["bids"]),
        asks=levels(body["asks"]),
    )
