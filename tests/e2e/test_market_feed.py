"""The sidecar's REST client and market feed against the replay market, a process of its own."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import httpx
import orjson
import pytest

from external_layers.binance.addresses import Addresses, addresses
from external_layers.binance.clock import ExchangeClock, measure
from external_layers.binance.messages import MarketKind
from external_layers.binance.pacing import Timing
from external_layers.binance.rest import BinanceRest
from external_layers.binance.streams import StreamManager
from scalp_strategy.errors import RateLimited, SourceRejected, SourceUnavailable
from scalp_strategy.setting_groups.sidecar import FeedSettings

DEADLINE_S = 30.0
PUBLIC = ["btcusdt@depth20@100ms", "ethusdt@depth@100ms", "btcusdt@bookTicker"]
MARKET = ["btcusdt@aggTrade", "btcusdt@markPrice@1s", "btcusdt@kline_1m", "ethusdt@aggTrade"]
SPOT = ["btcusdt@depth20@100ms", "ethusdt@depth@100ms", "btcusdt@aggTrade", "btcusdt@kline_1m"]


@pytest.fixture
def market(replay_market: str) -> Iterator[str]:
    """The shared market, without faults and counts before and after."""
    httpx.post(f"{replay_market}/control/reset")
    yield replay_market
    httpx.post(f"{replay_market}/control/reset")


class Consumer:
    """Counts frames by stream and keeps gaps; `until` waits for a state of it."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.garbage = 0
        self.gaps: list[frozenset[str]] = []
        self._news = asyncio.Event()

    def on_message(self, frame: bytes, received_ms: int) -> None:
        assert abs(received_ms - time.time() * 1_000) < 600_000
        try:
            self.counts[orjson.loads(frame)["stream"]] += 1
        except orjson.JSONDecodeError:
            self.garbage += 1
        self._news.set()

    def on_gap(self, streams: frozenset[str]) -> None:
        self.gaps.append(streams)
        self.counts.clear()
        self._news.set()

    async def until(self, is_reached: Callable[[], bool]) -> None:
        while not is_reached():
            self._news.clear()
            await self._news.wait()

    async def until_all(self, names: list[str]) -> None:
        await self.until(lambda: set(names) <= self.counts.keys())


@dataclass
class Scene:
    """The client side of a test; `ahead_s` pushes its monotonic clock forward."""

    url: str
    session: aiohttp.ClientSession
    ahead_s: float = 0.0

    def timing(self) -> Timing:
        monotonic_s = lambda: time.monotonic() + self.ahead_s  # noqa: E731
        return Timing(lambda: int(time.time() * 1_000), monotonic_s, asyncio.sleep, random.random)

    async def control(self, name: str, **body: Any) -> Any:
        async with self.session.post(f"{self.url}/control/{name}", json=body) as response:
            assert response.status == 200
            return await response.json()

    def rest(self, kind: MarketKind, **settings: Any) -> BinanceRest:
        chosen = FeedSettings(**{"retry_first_s": 0.01} | settings)
        return BinanceRest(self.session, addresses(kind, self.url), chosen, self.timing())

    def feed(self, market: Addresses, consumer: Consumer, **settings: Any) -> StreamManager:
        chosen = FeedSettings(**{"reconnect_first_s": 0.05, "subscribe_per_s": 10.0} | settings)
        return StreamManager(
            self.session, market, chosen, self.timing(), consumer.on_message, consumer.on_gap
        )


def run(url: str, test: Callable[[Scene], Awaitable[Any]]) -> Any:
    async def inside() -> Any:
        async with aiohttp.ClientSession(trust_env=False) as session:
            return await test(Scene(url, session))

    return asyncio.run(asyncio.wait_for(inside(), DEADLINE_S))


@pytest.mark.parametrize(("kind", "prefix"), [("futures", "/fapi/v1"), ("spot", "/api/v3")])
def test_rest_answers_and_refusals(market: str, kind: MarketKind, prefix: str) -> None:
    async def test(scene: Scene) -> Any:
        rest = scene.rest(kind)
        asked = {"symbol": "BTCUSDT", "limit": 20}
        book = await rest.get(f"{prefix}/depth", asked, weight=5)
        with pytest.raises(SourceRejected, match="-1121"):
            await rest.get(f"{prefix}/depth", {"symbol": "NONSENSE"}, weight=5)
        listed = await rest.get(f"{prefix}/exchangeInfo", weight=20)
        clock = ExchangeClock(500.0)
        assert await measure(clock, rest.clock_sample, 3)
        return book, listed, clock

    book, listed, clock = run(market, test)
    assert len(book["bids"]) == len(book["asks"]) == 20
    assert len(listed["symbols"]) >= 35
    assert abs(clock.skew_ms()) <= clock.error_ms + 2.0


def test_rest_faults(market: str) -> None:
    async def test(scene: Scene) -> Any:
        rest = scene.rest("futures", request_timeout_s=0.3, request_retries=2)
        path = "/fapi/v1/openInterest"

        async def ask() -> Any:
            return await rest.get(path, {"symbol": "BTCUSDT"}, weight=1)

        await scene.control("errors", path=path, status=503, count=2)
        assert "openInterest" in await ask()
        await scene.control("errors", path=path, status=500, count=3)
        with pytest.raises(SourceUnavailable, match="status 500, code -1000"):
            await ask()
        await scene.control("delay", path=path, seconds=1.0, count=1)
        assert "openInterest" in await ask()
        await scene.control("errors", path=path, status=429, count=1, retry_after=1)
        with pytest.raises(RateLimited):
            await ask()
        blocked_until_ms = rest.budget.blocked_until_ms
        assert "openInterest" in await ask()
        assert time.time() * 1_000 >= blocked_until_ms
        return rest.counters.errors

    assert run(market, test) == {"server": 5, "timeout": 1, "rate_limited": 1}


def test_the_budget_keeps_below_an_enforced_limit(market: str) -> None:
    """Another client behind the same address spends 1,400 of the minute's 2,400."""
    path, asked = "/fapi/v1/depth", {"symbol": "NONSENSE", "limit": 1_000}  # refused, but counted

    async def test(scene: Scene) -> Any:
        await scene.control("weights", enforce=True)
        for _ in range(70):
            async with scene.session.get(scene.url + path, params=asked) as answer:
                assert answer.status == 400
        rest = scene.rest("futures", weight_share=1.0, request_wait_s=0.001)
        asking = [rest.get(path, asked, weight=20) for _ in range(60)]
        answers = await asyncio.gather(*asking, return_exceptions=True)
        return rest, Counter(type(each) for each in answers)

    rest, kinds = run(market, test)
    assert kinds.keys() <= {SourceRejected, RateLimited}
    assert kinds[SourceRejected] >= 30
    assert "rate_limited" not in rest.counters.errors
    assert rest.budget.total <= rest.budget.ceiling


@pytest.mark.parametrize(
    ("kind", "names"), [("futures", PUBLIC + MARKET), ("spot", SPOT)]
)  # fmt: skip
def test_all_kinds_of_streams_arrive(market: str, kind: MarketKind, names: list[str]) -> None:
    async def test(scene: Scene) -> Any:
        consumer = Consumer()
        feed = scene.feed(addresses(kind, scene.url), consumer)
        await feed.set_streams(names)
        await feed.settled()
        await consumer.until_all(names)
        state = feed.state()
        await feed.close()
        return consumer, state

    consumer, state = run(market, test)
    assert set(consumer.counts) == set(names)
    assert consumer.gaps == []
    assert all(stream.messages and stream.last_ms for stream in state.streams.values())
    split = Counter(each.category for each in state.connections)
    assert split == ({"public": 1, "market": 1} if kind == "futures" else {"all": 1})


def test_the_old_address_connects_and_the_alarm_goes_off(market: str) -> None:
    async def test(scene: Scene) -> Any:
        consumer = Consumer()
        old = scene.url.replace("http", "ws", 1) + "/fstream/stream"
        feed = scene.feed(Addresses("futures", scene.url, {"public": old, "market": old}), consumer)
        await feed.set_streams(["btcusdt@depth20@100ms", "btcusdt@aggTrade"])
        await feed.settled()
        scene.ahead_s = 301.0
        feed.check()
        state = feed.state()
        await feed.close()
        return state, consumer.counts

    state, counts = run(market, test)
    assert counts == {}
    assert all(stream.is_silent for stream in state.streams.values())


def test_a_disconnect_is_a_gap_and_the_streams_come_back(market: str) -> None:
    names = ["btcusdt@aggTrade", "btcusdt@depth20@100ms"]

    async def test(scene: Scene) -> Any:
        consumer = Consumer()
        feed = scene.feed(addresses("futures", scene.url), consumer)
        await feed.set_streams(names)
        await consumer.until_all(names)
        assert (await scene.control("disconnect"))["disconnected"] >= 2
        await consumer.until(lambda: len(consumer.gaps) == 2)
        await consumer.until_all(names)
        await feed.settled()
        state = feed.state()
        await feed.close()
        return consumer.gaps, state

    gaps, state = run(market, test)
    assert {name for gap in gaps for name in gap} == set(names)
    assert [each.reconnects for each in state.connections] == [1, 1]


def test_a_silent_stream_is_noticed_and_speaks_again(market: str) -> None:
    loud, quiet = "ethusdt@depth20@100ms", "btcusdt@depth20@100ms"

    async def test(scene: Scene) -> Any:
        consumer = Consumer()
        feed = scene.feed(addresses("futures", scene.url), consumer)
        await feed.set_streams([loud, quiet])
        await feed.settled()
        await consumer.until_all([loud, quiet])
        feed.check()
        await scene.control("silence", stream=quiet, seconds=1.5)
        before = dict(consumer.counts)
        await consumer.until(lambda: consumer.counts[loud] > before[loud] + 3)
        feed.check()
        scene.ahead_s = 31.0
        await consumer.until(lambda: consumer.counts[loud] > before[loud] + 4)
        feed.check()
        silent = [name for name, each in feed.state().streams.items() if each.is_silent]
        await consumer.until(lambda: frozenset({quiet}) in consumer.gaps)
        spoke = feed.state().streams[quiet]
        await feed.close()
        return silent, spoke

    silent, spoke = run(market, test)
    assert silent == [quiet]
    assert (spoke.is_silent, spoke.alarms) == (False, 1)


def test_garbled_frames_pass_and_do_no_harm(market: str) -> None:
    name = "btcusdt@depth20@100ms"

    async def test(scene: Scene) -> Any:
        consumer = Consumer()
        feed = scene.feed(addresses("futures", scene.url), consumer)
        await feed.set_streams([name])
        await consumer.until_all([name])
        await scene.control("malformed", stream=name, count=3)
        await consumer.until(lambda: consumer.garbage == 3)
        consumer.counts.clear()
        await consumer.until_all([name])
        state = feed.state()
        await feed.close()
        return state

    state = run(market, test)
    assert state.consumer_errors == 0
    assert state.connections[0].reconnects == 0
