"""The live reader against a real Redis."""

import json
import socket
import uuid
from collections.abc import Iterator

import pytest
import redis

from scalp_strategy.contract import to_wire
from scalp_strategy.errors import ConfigError
from scalp_strategy.layers import LiveSource, layer_reasons, live_source
from scalp_strategy.layers.redis_transport import RedisTransport
from scalp_strategy.settings import Settings, with_overrides
from tests.support.services import redis_url
from tests.unit.layers.evidence import BTC, CANDLE_MS, ETH, START_MS, component

CLOSE_2 = START_MS + CANDLE_MS
SETTINGS = with_overrides(
    Settings(), {"sidecar.transport": "redis", "sidecar.timeout_s": 5.0, "sidecar.candle_rows": 50}
)


@pytest.fixture
def prefix() -> Iterator[str]:
    name = f"test:{uuid.uuid4().hex}"
    yield name
    with redis.Redis.from_url(redis_url()) as client:
        for key in client.scan_iter(f"{name}:*"):
            client.delete(key)


@pytest.fixture
def store(prefix) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url()) as client:
        yield client


@pytest.fixture
def source(store, prefix) -> LiveSource:
    return LiveSource(SETTINGS, RedisTransport(redis_url(), ("orderflow",), 5.0, prefix))


def said(source: LiveSource, close_ms: int, pair: str = BTC) -> float:
    """What the trade flow says, the only component here: 0.30 of the layer, the rest is 50."""
    long = layer_reasons(source, pair, close_ms, "orderflow", SETTINGS).long
    return round(50.0 + (long - 50.0) / 0.30, 9)


def publish(store: redis.Redis, prefix: str, pair: str, *rows) -> None:
    store.hset(f"{prefix}:score:orderflow", pair, json.dumps([to_wire(one) for one in rows]))


def test_scores_and_candles_as_of_the_close(store, prefix, source) -> None:
    at_close = component(START_MS - 500, 60.0)
    publish(store, prefix, BTC, component(START_MS + 14_500, 90.0), at_close)
    publish(store, prefix, ETH, component(START_MS - 500, 30.0, pair=ETH))
    opens = (START_MS - 300_000, START_MS)
    rows = [[at, 1.0, 2.0, 0.5, 1.5, 7.0] for at in opens]
    store.hset(f"{prefix}:candles:5m", BTC, json.dumps(rows))
    report = source.refresh(START_MS, [BTC, ETH])
    assert (report.answered, report.dropped, report.problem) == (2, 0, None)
    assert (said(source, START_MS), said(source, START_MS, ETH)) == (60.0, 30.0)
    assert source.candles(BTC, "5m")["date"].iloc[-1].timestamp() * 1_000 == START_MS - 300_000
    assert source.candles(BTC, "1m") is None
    publish(store, prefix, BTC, component(CLOSE_2 - 500, 70.0))
    source.refresh(CLOSE_2, [BTC, ETH])
    assert (said(source, START_MS), said(source, CLOSE_2)) == (60.0, 70.0)


def test_garbage_in_a_field_costs_that_field_only(store, prefix, source) -> None:
    publish(store, prefix, ETH, component(START_MS, 60.0, pair=ETH))
    store.hset(f"{prefix}:score:orderflow", BTC, b"\xff[")
    store.hset(f"{prefix}:candles:1m", ETH, b'[1, [], [0, 1, 2, 3, 4, "5"], {}]')
    report = source.refresh(START_MS, [BTC, ETH])
    assert (report.dropped, report.problem) == (5, None)
    assert said(source, START_MS, ETH) == 60.0


def test_a_key_of_another_kind_is_a_failure(store, prefix, source) -> None:
    publish(store, prefix, BTC, component(START_MS, 60.0))
    source.refresh(START_MS, [BTC])
    store.delete(f"{prefix}:score:orderflow")
    store.set(f"{prefix}:score:orderflow", "x")
    assert source.refresh(CLOSE_2, [BTC]).problem
    assert len(source.series("orderflow", BTC, 0, CLOSE_2)["trade_flow"]) == 1


def test_a_redis_that_accepts_and_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"redis://:s3cret@127.0.0.1:{mute.getsockname()[1]}/0"
        source = LiveSource(SETTINGS, RedisTransport(url, ("orderflow",), 0.1))
        for _ in range(2):
            problem = source.refresh(START_MS, [BTC]).problem
            assert problem
            assert "s3cret" not in problem


def test_redis_needs_an_address() -> None:
    with pytest.raises(ConfigError, match="REDIS_URL"):
        live_source(SETTINGS, {})
    with pytest.raises(ConfigError) as caught:
        live_source(SETTINGS, {"REDIS_URL": "redys://:s3cret@host"})
    assert "s3cret" not in str(caught.value)
