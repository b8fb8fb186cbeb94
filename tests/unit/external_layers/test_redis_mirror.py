"""A bot that reads Redis finds what was known at the close, candles included."""

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import pytest
import redis

from external_layers.market_watch import MarketWatch
from external_layers.redis_mirror import RedisMirror
from external_layers.store.redis_latest import RedisLatest
from scalp_strategy.contract import CANDLE_MS, Component
from scalp_strategy.layers.answer import Ask
from scalp_strategy.layers.redis_transport import RedisTransport
from scalp_strategy.setting_groups.store import LatestSettings
from scalp_strategy.settings import Settings
from tests.support.services import redis_url
from tests.unit.external_layers.sidecar_parts import BTC, START


@pytest.fixture
def prefix() -> Iterator[str]:
    name = f"scalp-test:{uuid4()}"
    yield name
    with redis.Redis.from_url(redis_url()) as client:
        for key in client.scan_iter(f"{name}*"):
            client.delete(key)


def known(at_ms: int, long: float) -> Component:
    return Component("orderflow", "trade_flow", BTC, long, 100 - long, at_ms, at_ms)


def candle(open_ms: int) -> tuple[int, float, float, float, float, float]:
    return (open_ms, 1.0, 2.0, 0.5, 1.5, 10.0)


def test_scores_and_candles_of_the_close_are_there_a_moment_after_it(prefix: str) -> None:
    close = START + CANDLE_MS
    watch = MarketWatch("futures", Settings())
    watch.watch({"BTCUSDT": BTC})
    shelves = watch.watches[BTC].shelves

    async def mirrored() -> None:
        latest = RedisLatest(redis_url(), lambda: close + 15_000, LatestSettings(), prefix)
        mirror = RedisMirror(latest)
        shelves["1m"].add(candle(close - 120_000))
        await mirror.put([known(close - 500, 71.0)], watch.watches.values())
        shelves["1m"].add(candle(close - 60_000))
        await mirror.put([], watch.watches.values())
        # The scores after the close must not hide those of the close.
        await mirror.put([known(close - 500, 71.0), known(close + 14_500, 29.0)], [])
        await mirror.close()

    asyncio.run(mirrored())
    transport = RedisTransport(redis_url(), ("orderflow",), 5.0, prefix)
    answer = transport.fetch(Ask((BTC,), close))
    transport.drop()
    assert [one.long for one in answer.components] == [71.0]
    opens = [row[0] for row in answer.candles[BTC, "1m"]]
    assert opens == [close - 120_000, close - 60_000]


def test_a_pair_watched_anew_is_written_anew(prefix: str) -> None:
    watch = MarketWatch("futures", Settings())

    async def rows_after(*opens: int) -> list[float]:
        watch.watch({})
        watch.watch({"BTCUSDT": BTC})
        for opened in opens:
            watch.watches[BTC].shelves["5m"].add(candle(opened))
        await mirror.put([], watch.watches.values())
        found = await mirror.latest.get_candles([BTC], "5m")
        return [row[0] for row in found[BTC]]

    async def story() -> tuple[list[float], list[float]]:
        first = await rows_after(START)
        second = await rows_after(START + 300_000)
        await mirror.close()
        return first, second

    mirror = RedisMirror(RedisLatest(redis_url(), lambda: START, LatestSettings(), prefix))
    first, second = asyncio.run(story())
    assert first == [START]
    assert second == [START, START + 300_000]
