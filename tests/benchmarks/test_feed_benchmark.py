"""What the market feed costs: the share of a core at 2,400 frames a second, by reader and loop.

Run with `pytest tests/benchmarks/test_feed_benchmark.py -s`. A process of its own pushes, every
10 ms, the frames of 40 pairs: depth20 of 1.2 kB and trades of 150 B, one to two. Measured is the
processor time of this process from the first frame to the last, with a consumer that only counts.
`manager` is the feed as it is used; `aiohttp` and `websockets` are bare readers of one connection.
"""

import asyncio
import multiprocessing
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
import pytest
import uvloop
import websockets
from aiohttp import web

from external_layers.binance.addresses import Addresses
from external_layers.binance.pacing import Timing
from external_layers.binance.streams import StreamManager
from scalp_strategy.setting_groups.sidecar import FeedSettings

PAIRS = 40
TURN_S = 0.01
FRAMES_A_TURN = 24
TURNS = 500
FRAMES = FRAMES_A_TURN * TURNS

Read = Callable[[str], Awaitable[tuple[int, float, float]]]


def names(channel: str) -> list[str]:
    return [f"coin{number}usdt@{channel}" for number in range(PAIRS)]


def depth_frame(name: str) -> str:
    levels = [[f"{61_800 + 0.1 * step:.2f}", f"{step * 1.37:.3f}"] for step in range(20)]
    data = {"e": "depthUpdate", "E": 1_700_000_000_000, "T": 1_700_000_000_000, "s": "COIN"}
    data |= {"U": 5_000_000_000, "u": 5_000_000_100, "pu": 4_999_999_999, "b": levels, "a": levels}
    return orjson.dumps({"stream": name, "data": data}).decode()


def trade_frame(name: str) -> str:
    data = {"e": "aggTrade", "E": 1_700_000_000_000, "s": "COIN", "a": 123_456_789, "p": "61800.10"}
    data |= {"q": "0.005", "f": 1, "l": 2, "T": 1_700_000_000_000, "m": True}
    return orjson.dumps({"stream": name, "data": data}).decode()


def serve(port: Any) -> None:
    """Answer every request, then push all frames once a client has subscribed."""

    async def push(socket: web.WebSocketResponse) -> None:
        depth, trades = map(depth_frame, names("depth20")), map(trade_frame, names("aggTrade"))
        frames = [*depth, *trades, *map(trade_frame, names("aggTrade"))]
        random.Random(3).shuffle(frames)
        start, sent = time.monotonic(), 0
        for turn in range(TURNS):
            for _ in range(FRAMES_A_TURN):
                await socket.send_str(frames[sent % len(frames)])
                sent += 1
            await asyncio.sleep(max(0.0, start + turn * TURN_S - time.monotonic()))

    async def handle(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        request_ = orjson.loads((await socket.receive()).data)
        await socket.send_str(orjson.dumps({"result": None, "id": request_["id"]}).decode())
        await push(socket)
        await socket.receive()
        return socket

    async def run() -> None:
        app = web.Application()
        app.router.add_get("/stream", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(run())


@pytest.fixture(scope="module")
def url() -> Any:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=serve, args=(there,), daemon=True)
    server.start()
    yield f"ws://127.0.0.1:{here.recv()}/stream"
    server.terminate()
    server.join()


class Counter:
    """Counts frames and takes the times of the first and the last."""

    def __init__(self) -> None:
        self.count = 0
        self.done = asyncio.Event()
        self.cpu = self.start = 0.0

    def __call__(self, frame: bytes, received_ms: int) -> None:
        if self.count == 0:
            self.cpu, self.start = time.process_time(), time.perf_counter()
        self.count += 1
        if self.count == FRAMES:
            self.cpu = time.process_time() - self.cpu
            self.start = time.perf_counter() - self.start
            self.done.set()

    def result(self) -> tuple[int, float, float]:
        return self.count, self.cpu, self.start


@asynccontextmanager
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(trust_env=False) as made:
        yield made


async def with_manager(url: str) -> tuple[int, float, float]:
    counter = Counter()
    timing = Timing(lambda: int(time.time() * 1_000), time.monotonic, asyncio.sleep, random.random)
    async with session() as made:
        market = Addresses("spot", "", {"all": url})
        manager = StreamManager(made, market, FeedSettings(), timing, counter)
        await manager.set_streams(names("depth20") + names("aggTrade"))
        await counter.done.wait()
        await manager.close()
    return counter.result()


async def with_aiohttp(url: str) -> tuple[int, float, float]:
    counter = Counter()
    async with session() as made, made.ws_connect(url, decode_text=False) as socket:
        await socket.send_str('{"id":1}')
        await socket.receive()
        while not counter.done.is_set():
            counter((await socket.receive()).data, 0)
    return counter.result()


async def with_websockets(url: str) -> tuple[int, float, float]:
    counter = Counter()
    async with websockets.connect(url, compression=None, proxy=None) as socket:
        await socket.send('{"id":1}')
        await socket.recv()
        while not counter.done.is_set():
            counter(await socket.recv(decode=False), 0)
    return counter.result()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("read", [with_manager, with_aiohttp, with_websockets])
def test_share_of_a_core(url: str, read: Read, loop: str) -> None:
    factory = uvloop.new_event_loop if loop == "uvloop" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        count, cpu_s, wall_s = runner.run(read(url))
    assert count == FRAMES
    share = cpu_s / wall_s
    line = f"{read.__name__} on {loop}: {share:.1%} of a core at {FRAMES / wall_s:,.0f} frames/s"
    sys.stdout.write(f"\n{line}, {cpu_s / FRAMES * 1e6:.1f} us a frame\n")
