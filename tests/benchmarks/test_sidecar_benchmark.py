"""What the sidecar costs: a message on one core, and forty pairs over a real websocket.

Run with `pytest tests/benchmarks/test_sidecar_benchmark.py -o addopts= -s`. Costs are processor
time of this process, which another process on the machine changes little; of a repeated
measurement the least is taken. Frames are drawn by `wire_market` in another process.
"""

import asyncio
import gc
import json
import multiprocessing
import random
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvloop
from aiohttp import web

from external_layers.binance.addresses import Addresses
from external_layers.binance.messages import AggTrade, OpenInterest
from external_layers.binance.pacing import Timing
from external_layers.binance.streams import StreamManager
from external_layers.market_watch import MarketWatch
from external_layers.publisher import Publisher
from external_layers.store.archive import ArchiveWriter
from external_layers.timeline import Timeline
from scalp_strategy.setting_groups.sidecar import FeedSettings
from scalp_strategy.settings import Settings
from tests.benchmarks.wire_market import (
    MARKET_CHANNELS,
    STEP_MS,
    TRADES_A_SECOND,
    DrawnMarket,
    DrawnPair,
    symbols,
)

SETTINGS = Settings()
WINDOW_MS = SETTINGS.orderflow.window_s * 1_000
START_MS = 1_750_000_000_000
ROUNDS = 5

MESSAGES = 60_000
LEAST_A_SECOND = 100_000
MOST_P99_US = 100.0
LEAST_RATIO = 20.0

SPANS = 6
SPAN_S = 2.5
BOOK_LEVELS = 5_000
MOST_SHARE = 0.15

Frames = list[tuple[bytes, int]]


def tell(line: str) -> None:
    sys.stdout.write(f"\n{line}")


# ---- one message ----


def trades_and_books() -> Frames:
    """Return two trades to one partial book of four pairs: long enough for full windows."""
    chance, frames = random.Random(7), []
    pairs = [DrawnPair(name, each) for each, name in enumerate(symbols(4))]
    for number in range(MESSAGES):
        pair, at_ms = chance.choice(pairs), START_MS + number * 8
        if number % 3 == 0:
            pair.change(at_ms)  # so that the next partial book is a new one
        draw = pair.partial_book if number % 3 == 0 else pair.trade
        frames.append((draw(at_ms), at_ms))
    return frames


def watch_of(pairs: int) -> MarketWatch:
    watch = MarketWatch("futures", SETTINGS)
    watch.watch(symbols(pairs))
    return watch


def cpu_s(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def taken(frames: Frames, pairs: int) -> MarketWatch:
    watch = watch_of(pairs)
    for frame, at_ms in frames:
        watch.on_frame("futures", frame, at_ms)
    return watch


def each_us(make: Callable[[], MarketWatch], frames: Frames) -> list[float]:
    """Return each message's microseconds, ascending: of three runs over the same ones the least.

    What the machine does meanwhile strikes another message each time, what a message costs by
    itself strikes the same one.
    """
    runs = []
    for _ in range(3):
        on_frame, times = make().on_frame, []
        for frame, at_ms in frames:
            start = time.perf_counter()
            on_frame("futures", frame, at_ms)
            times.append((time.perf_counter() - start) * 1e6)
        runs.append(times)
    return sorted(map(min, *runs))


class Naive:
    """The plain way: read the JSON, keep the window's trades, sum them anew for each message."""

    def __init__(self) -> None:
        self._windows: dict[str, deque[tuple[int, float, bool]]] = {}
        self.bought = self.sold = 0.0

    def take(self, frame: bytes, *, is_summed: bool) -> None:
        data = json.loads(frame)["data"]
        window = self._windows.setdefault(data["s"], deque())
        if data["e"] == "aggTrade":
            window.append((data["T"], float(data["q"]), data["m"]))
        while window and window[0][0] <= data["E"] - WINDOW_MS:
            window.popleft()
        if is_summed:
            self.bought = sum(quantity for _, quantity, is_sale in window if not is_sale)
            self.sold = sum(quantity for _, quantity, is_sale in window if is_sale)


def naive_us(frames: Frames, last: int = 1_000) -> float:
    naive = Naive()
    for frame, _ in frames[:-last]:
        naive.take(frame, is_summed=False)
    start = time.process_time()
    for frame, _ in frames[-last:]:
        naive.take(frame, is_summed=True)
    return (time.process_time() - start) / last * 1e6


def test_decode_and_state_of_a_message(benchmark: Any) -> None:
    frames = trades_and_books()
    watch = benchmark.pedantic(taken, args=(frames, 4), rounds=1, warmup_rounds=1)
    counts = watch.counters["futures"]
    assert (counts.passed, counts.dropped) == (MESSAGES, 0)
    assert_state_is_right(watch, frames)
    mean_us = min(cpu_s(lambda: taken(frames, 4)) for _ in range(ROUNDS)) / MESSAGES * 1e6
    times_us = each_us(lambda: watch_of(4), frames)
    p99_us, slowest_us = times_us[MESSAGES * 99 // 100], times_us[-1]
    plain_us = naive_us(frames)
    tell(
        f"{1e6 / mean_us:,.0f} trades and books a second of one core ({mean_us:.2f} us), "
        f"p99 {p99_us:.1f} us, slowest {slowest_us:.0f} us; naive {1e6 / plain_us:,.0f} a second, "
        f"ratio {plain_us / mean_us:.0f}"
    )
    assert mean_us <= 1e6 / LEAST_A_SECOND
    assert p99_us < MOST_P99_US
    assert plain_us / mean_us > LEAST_RATIO


def assert_state_is_right(watch: MarketWatch, frames: Frames) -> None:
    """Compare a pair's taker volume with sums over the very text of its trades."""
    at_ms = frames[-1][1]
    bucket_ms = SETTINGS.orderflow.bucket_ms
    first = (at_ms // bucket_ms - WINDOW_MS // bucket_ms + 1) * bucket_ms
    found = {False: 0.0, True: 0.0}
    for frame, _ in frames:
        data = json.loads(frame)["data"]
        if data["e"] == "aggTrade" and data["s"] == "COIN0USDT" and data["T"] >= first:
            found[data["m"]] += float(data["q"])
    share = max(found.values()) / sum(found.values())
    flow = watch.components("COIN0USDT", at_ms)[1]
    assert flow.is_known
    assert share >= 0.5
    assert (flow.long > 50.0) == (found[False] > found[True])


# ---- forty pairs over a websocket ----


def serve(port: Any) -> None:
    """Push the drawn market, as fast as it is, once both addresses have a subscriber."""
    sockets: dict[str, web.WebSocketResponse] = {}

    async def push() -> None:
        market = DrawnMarket()
        now_ms = int(time.time() * 1_000) // STEP_MS * STEP_MS
        while not any(socket.closed for socket in sockets.values()):
            for frame in list(market.step(now_ms)):  # drawn first, then pushed at once
                channel = frame.partition(b"@")[2].decode()
                kind = "market" if channel.startswith(MARKET_CHANNELS) else "public"
                await sockets[kind].send_bytes(frame)
            now_ms += STEP_MS
            await asyncio.sleep(max(0.0, now_ms / 1_000 - time.time()))

    async def handle(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        wanted = 0
        async for message in socket:
            body = json.loads(message.data)
            wanted += len(body["params"])
            await socket.send_str(json.dumps({"result": None, "id": body["id"]}))
            kind = request.match_info["kind"]
            if wanted >= 2 * len(symbols()) and kind not in sockets:
                sockets[kind] = socket
                if len(sockets) == 2:
                    request.app["push"] = asyncio.create_task(push())
        return socket

    async def run() -> None:
        app = web.Application()
        app.router.add_get("/{kind}/stream", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(run())


@pytest.fixture
def address() -> Iterator[str]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=serve, args=(there,), daemon=True)
    server.start()
    yield f"ws://127.0.0.1:{here.recv()}"
    server.terminate()
    server.join()


def ready_watch(now_ms: int) -> MarketWatch:
    """Return forty pairs with whole books and five minutes of trades."""
    watch, chance = watch_of(len(symbols())), random.Random(11)
    for number, pair in enumerate(symbols().values()):
        each = watch.watches[pair]
        drawn = DrawnPair(each.symbol, number)
        watch.on_snapshot(drawn.snapshot(BOOK_LEVELS))
        price = drawn.snapshot(1).bids[0][0]
        count = TRADES_A_SECOND * WINDOW_MS // 1_000
        for past in range(count):
            at_ms = now_ms - WINDOW_MS + past * WINDOW_MS // count
            each.flow.on_trade(_trade(each.symbol, at_ms, price, chance))
        for minutes in range(-30, 0):
            at_ms, held = now_ms + minutes * 60_000, 1e6 + chance.random() * 1e4
            watch.on_open_interest(OpenInterest(symbol=each.symbol, time_ms=at_ms, quantity=held))
    return watch


def _trade(symbol: str, at_ms: int, price: float, chance: random.Random) -> AggTrade:
    return AggTrade(
        symbol=symbol,
        id=0,
        price=price,
        quantity=chance.lognormvariate(0.0, 1.0),
        time_ms=at_ms,
        is_buyer_maker=chance.random() < 0.5,
        event_ms=at_ms,
    )


class Live:
    """A market watch behind a real feed, and what its parts took."""

    def __init__(self, folder: Path) -> None:
        self.start_ms = _now_ms()
        self.watch = ready_watch(self.start_ms)
        self.archive = ArchiveWriter(folder, SETTINGS.sidecar.archive, _now_ms)
        timeline = Timeline(SETTINGS.sidecar.history_s)
        self.publisher = Publisher(self.watch, timeline, self.archive, _now_ms)
        self.frames: Frames = []
        self.known = 0
        self.spans: list[tuple[float, float]] = []  # share of a core, messages a second

    def take(self, frame: bytes, received_ms: int) -> None:
        self.frames.append((frame, received_ms))
        self.watch.on_frame("futures", frame, received_ms)

    async def run(self, address: str) -> None:
        """Publish once, then measure one span after the other."""
        timing = Timing(_now_ms, time.monotonic, asyncio.sleep, random.random)
        paths = {kind: f"{address}/{kind}/stream" for kind in ("public", "market")}
        market = Addresses("futures", "", paths)  # type: ignore[arg-type]
        async with aiohttp.ClientSession(trust_env=False) as session:
            manager = StreamManager(
                session, market, FeedSettings(), timing, self.take, self.watch.on_gap
            )
            streams = [each for each in self.watch.streams() if "forceOrder" not in each]
            await manager.set_streams(streams)
            await manager.settled()
            await self._publish()  # once before, which reads the libraries in
            gc.collect()
            gc.freeze()  # the tests' process holds far more objects than the service's
            for _ in range(SPANS):
                self.spans.append(await self._span())
            state = manager.state()
            gc.unfreeze()
            await manager.close()
        assert (state.dropped, state.consumer_errors) == (0, 0)

    async def _span(self) -> tuple[float, float]:
        before, start, cpu = len(self.frames), time.perf_counter(), time.process_time()
        await asyncio.sleep(SPAN_S)
        wall = time.perf_counter() - start
        return (time.process_time() - cpu) / wall, (len(self.frames) - before) / wall

    async def _publish(self) -> None:
        made = await self.publisher.publish()
        await asyncio.to_thread(self.archive.flush)
        self.known = sum(one.is_known for one in made)

    def publish_s(self) -> float:
        """Return what publishing takes, measured by itself."""
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return min(cpu_s(lambda: runner.run(self._publish())) for _ in range(3))


def _now_ms() -> int:
    return int(time.time() * 1_000)


def decode_s(frames: Frames) -> float:
    decode = watch_of(len(symbols()))._decoders["futures"].decode

    def run() -> None:
        for frame, at_ms in frames:
            decode(frame, at_ms)

    return cpu_s(run)


def state_s(frames: Frames, start_ms: int) -> float:
    watch = ready_watch(start_ms)

    def run() -> None:
        for frame, at_ms in frames:
            watch.on_frame("futures", frame, at_ms)

    return cpu_s(run)


def test_forty_pairs_over_a_websocket(address: str, tmp_path: Path) -> None:
    live = Live(tmp_path)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(live.run(address))
    publishing = live.publish_s() / SETTINGS.sidecar.publish_s
    live.archive.close()
    assert live.watch.counters["futures"].dropped == 0
    assert live.watch.counters["futures"].passed == len(live.frames)
    assert all(each.keeper.is_synced for each in live.watch.watches.values())
    assert live.known == 5 * len(symbols())  # the book was watched for seconds only
    listening, rate = min(live.spans)
    decoding = min(decode_s(live.frames) for _ in range(3)) / len(live.frames) * rate
    both = min(state_s(live.frames, live.start_ms) for _ in range(3)) / len(live.frames) * rate
    parts = {
        "reading and waking": listening - both,
        "decoding": decoding,
        "books and flow": both - decoding,
        "publishing": publishing,
    }
    shares = ", ".join(f"{name} {share:.1%}" for name, share in parts.items())
    all_spans = ", ".join(f"{share:.1%}" for share, _ in live.spans)
    times_us = each_us(lambda: ready_watch(live.start_ms), live.frames)
    tell(
        f"forty pairs, {rate:,.0f} messages a second: {listening + publishing:.1%} of a core "
        f"({shares}; all spans {all_spans}); a message p50 {times_us[len(times_us) // 2]:.1f} us, "
        f"p99 {times_us[len(times_us) * 99 // 100]:.0f} us, p99.9 "
        f"{times_us[len(times_us) * 999 // 1000]:.0f} us, slowest {times_us[-1]:.0f} us"
    )
    assert rate > 2_000
    assert listening + publishing < MOST_SHARE
