"""Every store of latest values behaves alike."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from math import nan

import pytest
from redis.asyncio import Redis

from external_layers.store.latest import LatestStore, MemoryLatest
from external_layers.store.redis_latest import RedisLatest
from scalp_strategy.contract.component import MARKET_WIDE
from scalp_strategy.setting_groups.store import LatestSettings
from tests.support.services import redis_url
from tests.unit.external_layers.store.samples import BTC, ETH, NOON_MS, bits, component

Clock = Callable[[], int]
Opened = Callable[[Clock, LatestSettings], AbstractAsyncContextManager[LatestStore]]


@asynccontextmanager
async def memory(now_ms: Clock, settings: LatestSettings) -> AsyncIterator[LatestStore]:
    yield MemoryLatest(now_ms, settings)


@asynccontextmanager
async def redis(now_ms: Clock, settings: LatestSettings) -> AsyncIterator[LatestStore]:
    url, prefix = redis_url(), f"test:{uuid.uuid4()}"
    store = RedisLatest(url, now_ms, settings, prefix)
    try:
        yield store
    finally:
        await store.close()
        async with Redis.from_url(url) as client:
            keys = [key async for key in client.scan_iter(f"{prefix}:*")]
            if keys:
                await client.delete(*keys)


class Time:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now_ms = NOON_MS

    def __call__(self) -> int:
        return self.now_ms


Body = Callable[[LatestStore, Time], Awaitable[None]]


@pytest.fixture(params=[memory, redis])
def run(request: pytest.FixtureRequest) -> Callable[[Body], None]:
    def runner(body: Body) -> None:
        async def main() -> None:
            time = Time()
            settings = LatestSettings(candle_rows=3, layer_ttl_s={"onchain": 1_800}, timeout_s=5)
            async with request.param(time, settings) as store:
                await body(store, time)
                assert not store.is_degraded

        asyncio.run(main())

    return runner


def test_nothing_was_put(run: Callable[[Body], None]) -> None:
    async def body(store: LatestStore, time: Time) -> None:
        await store.ping()
        assert await store.get("orderflow") == []
        assert await store.get("orderflow", [BTC]) == []
        assert await store.get("orderflow", []) == []
        assert await store.get_candles([BTC], "1m") == {}
        assert await store.get_candles([], "1m") == {}
        assert await store.get_document("pairs") is None
        await store.put([])

    run(body)


def test_each_name_of_each_pair_has_its_latest(run: Callable[[Body], None]) -> None:
    async def body(store: LatestStore, time: Time) -> None:
        flow, funding = component(), component(name="funding", long=nan, short=nan)
        other = component(pair=ETH, flags=("vanishing", "regime=RISK_OFF"), reason="größer ≥ 2 🐋")
        everyone, chain = component(pair=MARKET_WIDE), component(layer="onchain", long=1 / 3)
        await store.put([flow, funding, other, everyone, chain])
        later = component(NOON_MS + 5, long=70.1)
        await store.put([later])
        assert sorted(bits(await store.get("orderflow"))) == sorted(
            bits([later, funding, other, everyone])
        )
        assert sorted(bits(await store.get("orderflow", [BTC]))) == sorted(bits([later, funding]))
        assert bits(await store.get("orderflow", [MARKET_WIDE, "X/USDT"])) == bits([everyone])
        assert bits(await store.get("onchain")) == bits([chain])

    run(body)


def test_an_older_one_never_replaces_a_newer_one(run: Callable[[Body], None]) -> None:
    async def body(store: LatestStore, time: Time) -> None:
        newer = component(NOON_MS + 9)
        await store.put([newer, component(NOON_MS + 8)])
        await store.put([component(NOON_MS + 7)])
        assert bits(await store.get("orderflow")) == bits([newer])
        corrected = component(NOON_MS + 9, long=1.0)
        await store.put([corrected])
        assert bits(await store.get("orderflow")) == bits([corrected])

    run(body)


def test_unpaired_surrogates_do_no_harm(run: Callable[[Body], None]) -> None:
    async def body(store: LatestStore, time: Time) -> None:
        await store.put([component(reason="a\ud800b"), component(pair=ETH)])
        assert {one.pair for one in await store.get("orderflow")} == {BTC, ETH}

    run(body)


def test_components_live_as_long_as_their_layer_says(run: Callable[[Body], None]) -> None:
    async def body(store: LatestStore, time: Time) -> None:
        await store.put([component(layer="onchain"), component()])
        time.now_ms += 1_800_000
        assert len(await store.get("onchain")) == 1
        time.now_ms += 1
        assert await store.get("onchain") == []
        await store.put([component(time.now_ms, layer="onchain", pair=ETH)])
        assert [one.pair for one in await store.get("onchain")] == [ETH]
        assert len(await store.get("orderflow")) == 1

    run(body)


def test_the_newest_candles_are_kept(run: Callable[[Body], None]) -> None:
    async def body(store: LatestStore, time: Time) -> None:
        rows = [[60_000 * n, 1.0, 2.0, 0.5, 1.5 + n, 10.0] for n in range(5)]
        await store.put_candles(BTC, "1m", rows[2:4])
        await store.put_candles(BTC, "1m", [rows[4], rows[1], [*rows[3][:5], 11.0]])
        await store.put_candles(ETH, "5m", rows)
        assert await store.get_candles([BTC, ETH], "1m") == {
            BTC: [rows[2], [*rows[3][:5], 11.0], rows[4]]
        }
        assert await store.get_candles([ETH], "5m") == {ETH: rows[2:]}

    run(body)


def test_documents_are_bytes(run: Callable[[Body], None]) -> None:
    async def body(store: LatestStore, time: Time) -> None:
        await store.put_document("pairs", b"\x00\xff", 60)
        await store.put_document("pairs", b"\x00\xfe", 60)
        assert await store.get_document("pairs") == b"\x00\xfe"

    run(body)


def test_many_at_once_end_with_the_last(run: Callable[[Body], None]) -> None:
    async def body(store: LatestStore, time: Time) -> None:
        await asyncio.gather(*(store.put([component(NOON_MS + n)]) for n in (3, 9, 1, 7, 5)))
        assert [one.available_at_ms for one in await store.get("orderflow")] == [NOON_MS + 9]

    run(body)
