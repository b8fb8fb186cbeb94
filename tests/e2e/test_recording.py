"""The feed of a market is recorded, played by another market and received again."""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from external_layers.binance.addresses import addresses
from external_layers.binance.pacing import Timing
from external_layers.binance.streams import StreamManager
from external_layers.history.raw import RawReader, recorded_files
from external_layers.history.recorder import Recorder
from external_layers.history.recording_feed import BookClock, record
from external_layers.replay.exchange import ReplayExchange
from external_layers.replay.generator import GeneratedMarket
from external_layers.replay.recording import Recording, moved
from external_layers.replay.server import make_app, start
from scalp_strategy.setting_groups.history import RecorderSettings
from scalp_strategy.setting_groups.sidecar import FeedSettings

SYMBOLS = ["BTCUSDT", "ETHUSDT"]
STREAMS = {"public": "btcusdt@depth@100ms", "market": "btcusdt@aggTrade"}
DEADLINE_S = 30.0


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


class HeldClock:
    """Stands still a little before an instant until it is let go; then it runs as the wall's."""

    def __init__(self, before_ms: int) -> None:
        self._from_ms = before_ms - 1_000
        self._let_go_s: float | None = None

    def __call__(self) -> int:
        if self._let_go_s is None:
            return self._from_ms
        return self._from_ms + round((time.monotonic() - self._let_go_s) * 1_000)

    def let_go(self) -> None:
        self._let_go_s = time.monotonic()


@asynccontextmanager
async def serving(
    clock: Callable[[], int], recording: Recording | None = None
) -> AsyncIterator[str]:
    exchange = ReplayExchange(GeneratedMarket(7, SYMBOLS), clock, 0, recording)
    runner, port = await start(make_app(exchange), "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def recorded_from(url: str, folder: Path) -> None:
    """Record until every stream of one symbol has brought enough."""
    where = addresses("futures", url)
    timing = Timing(wall_ms, time.monotonic, asyncio.sleep, random.random)
    has_enough = asyncio.Event()
    seen: dict[bytes, int] = defaultdict(int)

    async with aiohttp.ClientSession() as session:

        async def book(symbol: str) -> bytes:
            params = {"symbol": symbol, "limit": "50"}
            async with session.get(f"{where.rest}/fapi/v1/depth", params=params) as answer:
                return await answer.read()

        def feed_to(keep: Any) -> StreamManager:
            def see(frame: bytes, received_ms: int) -> None:
                keep(frame, received_ms)
                seen[frame[: frame.find(b",")]] += 1
                if min(seen[f'{{"stream":"{n}"'.encode()] for n in STREAMS.values()) >= 6:
                    has_enough.set()

            return StreamManager(session, where, FeedSettings(), timing, see)

        with Recorder(folder, "futures", RecorderSettings(flush_s=0.1)) as recorder:
            clock = BookClock(60.0, time.time_ns)
            work = asyncio.create_task(
                record(feed_to, book, recorder, ["BTCUSDT"], "futures", clock)
            )
            await asyncio.wait_for(has_enough.wait(), DEADLINE_S)
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


@asynccontextmanager
async def listening(
    session: aiohttp.ClientSession, url: str, category: str
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    address = url.replace("http", "ws", 1) + f"/{category}/stream?streams={STREAMS[category]}"
    async with session.ws_connect(address) as socket:
        yield socket


async def received(socket: aiohttp.ClientWebSocketResponse, count: int) -> list[Any]:
    return [orjson.loads((await socket.receive()).data)["data"] for _ in range(count)]


async def played_again(folder: Path, hours: int, counts: dict[str, int]) -> dict[str, Any]:
    """Everything that clients receive of a recording, and the book at its end."""
    first_ns, _ = next(iter(RawReader(recorded_files(folder))))
    clock = HeldClock(first_ns // 1_000_000 + hours * 3_600_000)
    recording = Recording(folder, clock)
    async with (
        serving(clock, recording) as url,
        aiohttp.ClientSession() as session,
        listening(session, url, "public") as public,
        listening(session, url, "market") as market,
    ):
        clock.let_go()
        depth, trades = await asyncio.gather(
            received(public, counts["public"]), received(market, counts["market"])
        )
        async with session.get(f"{url}/fapi/v1/depth?symbol=BTCUSDT&limit=5") as answer:
            return {"public": depth, "market": trades, "book": await answer.json()}


def payloads(folder: Path, stream: str) -> list[Any]:
    frames = [orjson.loads(frame) for _, frame in RawReader(recorded_files(folder))]
    return [frame["data"] for frame in frames if frame.get("stream") == stream]


def test_a_recording_of_a_market_is_received_again(tmp_path: Path) -> None:
    hours = 30

    async def recorded_and_played() -> dict[str, Any]:
        async with serving(wall_ms) as live:
            await recorded_from(live, tmp_path)
        counts = {category: len(payloads(tmp_path, name)) for category, name in STREAMS.items()}
        return await asyncio.wait_for(played_again(tmp_path, hours, counts), DEADLINE_S)

    again = asyncio.run(recorded_and_played())
    for category, name in STREAMS.items():
        kept = payloads(tmp_path, name)
        assert len(kept) >= 6
        assert again[category] == [moved(one, hours * 3_600_000) for one in kept]
    assert again["book"]["lastUpdateId"] == again["public"][-1]["u"]
    assert float(again["book"]["bids"][0][0]) < float(again["book"]["asks"][0][0])
