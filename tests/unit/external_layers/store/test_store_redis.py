import asyncio
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from redis import Redis as Client

from external_layers.store.event import Event
from external_layers.store.redis_latest import RedisLatest
from scalp_strategy.contract.component import to_wire
from scalp_strategy.errors import ConfigError, StoreError
from scalp_strategy.setting_groups.store import LatestSettings
from tests.support.services import redis_url
from tests.unit.external_layers.store.samples import BTC, ETH, NOON_MS, bits, component

PASSWORD = "s3cret%2Fword"  # noqa: S105 - a test's
PATIENT = LatestSettings(timeout_s=5)


@pytest.fixture
def prefix() -> Iterator[str]:
    name = f"test:{uuid.uuid4()}"
    yield name
    with Client.from_url(redis_url()) as client:
        keys = list(client.scan_iter(f"{name}:*"))
        if keys:
            client.delete(*keys)


class Server:
    """A Redis of our own, to be killed."""

    def __init__(self, folder: Path, password: str = "") -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._folder, self._password = folder, password
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        options = ["--port", str(self.port), "--save", "", "--dir", str(self._folder)]
        if self._password:
            options += ["--requirepass", self._password]
        self._process = subprocess.Popen(
            ["redis-server", *options], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if "eady to accept connections" in line:
                return
        raise RuntimeError("redis-server did not start")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server on this machine")
    own = Server(tmp_path)
    yield own
    own.kill()


def test_a_killed_redis_is_an_error_until_it_is_back(server: Server) -> None:
    async def main() -> None:
        url = f"redis://127.0.0.1:{server.port}/0"
        store = RedisLatest(url, lambda: NOON_MS, PATIENT)
        with pytest.raises(StoreError):
            await store.put([component(name="before")])
        assert store.is_degraded
        server.start()
        await store.put([component(pair=ETH)])
        assert not store.is_degraded
        assert {one.pair for one in await store.get("orderflow")} == {BTC, ETH}
        server.kill()
        lost = component(NOON_MS + 1)
        for attempt in (
            store.put([lost]),
            store.get("orderflow"),
            store.put_candles(BTC, "1m", [[0, 1.0, 1.0, 1.0, 1.0, 1.0]]),
            store.get_candles([BTC], "1m"),
            store.put_document("pairs", b"", 9),
            store.get_document("pairs"),
            store.put_event(Event(1, 0, "test", None, "")),
            store.ping(),
        ):
            with pytest.raises(StoreError):
                await attempt
        assert store.is_degraded
        server.start()
        await store.put([component(NOON_MS + 2, pair=ETH)])
        assert not store.is_degraded
        found = await store.get("orderflow", [BTC])
        assert bits([lost])[0] in bits(found)
        await store.put_candles(ETH, "1m", [[0, 1.0, 1.0, 1.0, 1.0, 1.0]])
        assert set(await store.get_candles([BTC, ETH], "1m")) == {BTC, ETH}
        await store.put_event(Event(2, 0, "test", None, ""))
        await store.close()
        with Client.from_url(url) as client:
            assert [key for key, _ in client.xrange("scalp:v1:events")] == [b"1-0", b"2-0"]

    asyncio.run(main())


def test_a_redis_that_hangs_is_an_error_in_time() -> None:
    async def main() -> None:
        async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(-1)
            writer.close()

        silent = await asyncio.start_server(swallow, "127.0.0.1", 0)
        port = silent.sockets[0].getsockname()[1]
        settings = LatestSettings(timeout_s=0.05)
        store = RedisLatest(f"redis://127.0.0.1:{port}/0", lambda: NOON_MS, settings)
        with pytest.raises(StoreError, match="Timeout"):
            await store.put([component()])
        await store.close()
        silent.close()

    asyncio.run(main())


@pytest.mark.parametrize("host", ["127.0.0.1:1", "no-such-host.invalid:6379"])
def test_the_password_is_in_no_error(host: str) -> None:
    async def main() -> None:
        store = RedisLatest(f"redis://u:{PASSWORD}@{host}/0", lambda: NOON_MS, PATIENT)
        with pytest.raises(StoreError) as caught:
            await store.ping()
        assert "s3cret" not in str(caught.value)
        assert host in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__

    asyncio.run(main())
    with pytest.raises(ConfigError) as refused:
        RedisLatest(f"http://u:{PASSWORD}@{host}/0", lambda: NOON_MS)
    assert "s3cret" not in str(refused.value)


def test_a_wrong_password_is_an_error_without_it(tmp_path: Path) -> None:
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server on this machine")
    server = Server(tmp_path, password="another")  # noqa: S106 - a test's
    server.start()

    async def main() -> None:
        store = RedisLatest(
            f"redis://:{PASSWORD}@127.0.0.1:{server.port}/0", lambda: NOON_MS, PATIENT
        )
        with pytest.raises(StoreError) as caught:
            await store.ping()
        assert "s3cret" not in str(caught.value)
        await store.close()

    try:
        asyncio.run(main())
    finally:
        server.kill()


def test_keys_and_lifetimes_are_the_documented_ones(prefix: str) -> None:
    async def main() -> None:
        store = RedisLatest(redis_url(), lambda: NOON_MS, PATIENT, prefix)
        await store.put([component(), component(name="funding")])
        await store.put_candles(BTC, "5m", [[0, 1.0, 2.0, 0.5, 1.5, 10.0]])
        await store.put_document("pairs", b"[]", 60)
        await store.close()

    asyncio.run(main())
    with Client.from_url(redis_url()) as client:
        value = client.hget(f"{prefix}:score:orderflow", BTC)
        assert orjson.loads(value) == [to_wire(component()), to_wire(component(name="funding"))]
        assert orjson.loads(client.hget(f"{prefix}:candles:5m", BTC)) == [
            [0, 1.0, 2.0, 0.5, 1.5, 10.0]
        ]
        assert 86_300 < client.ttl(f"{prefix}:score:orderflow") <= 86_400
        assert 86_300 < client.ttl(f"{prefix}:candles:5m") <= 86_400
        assert 0 < client.ttl(f"{prefix}:doc:pairs") <= 60


def test_the_value_as_of_the_last_close_stays_beside_the_latest(prefix: str) -> None:
    """A bot that asks a moment after the close sees what was known at it."""

    async def main() -> None:
        now = [NOON_MS - 500]
        store = RedisLatest(redis_url(), lambda: now[0], PATIENT, prefix)
        for available_ms in (NOON_MS - 15_500, NOON_MS - 500, NOON_MS + 14_500, NOON_MS + 29_500):
            now[0] = available_ms
            await store.put([component(available_ms)])
        latest = await store.get("orderflow")
        await store.close()
        assert [one.available_at_ms for one in latest] == [NOON_MS + 29_500]

    asyncio.run(main())
    with Client.from_url(redis_url()) as client:
        rows = orjson.loads(client.hget(f"{prefix}:score:orderflow", BTC))
    assert [row[6] for row in rows] == [NOON_MS - 500, NOON_MS + 29_500]


def test_a_restart_does_not_replace_what_is_newer(prefix: str) -> None:
    async def main() -> None:
        first = RedisLatest(redis_url(), lambda: NOON_MS, PATIENT, prefix)
        await first.put([component(NOON_MS + 5), component(pair=ETH)])
        await first.close()
        second = RedisLatest(redis_url(), lambda: NOON_MS, PATIENT, prefix)
        await second.put([component(NOON_MS + 4)])
        latest = await second.get("orderflow", [BTC])
        assert [one.available_at_ms for one in latest] == [NOON_MS + 5]
        await second.close()

    asyncio.run(main())


def test_garbage_in_redis_is_left_out_and_counted(prefix: str) -> None:
    with Client.from_url(redis_url()) as client:
        client.hset(
            f"{prefix}:score:orderflow",
            mapping={
                BTC: orjson.dumps([to_wire(component()), ["no row"], 7]),
                ETH: b"\xff not json",
                "X/USDT": b"{}",
            },
        )
        client.hset(f"{prefix}:candles:1m", BTC, b"nonsense")
        client.set(f"{prefix}:score:onchain", "of another kind")

    async def main() -> None:
        store = RedisLatest(redis_url(), lambda: NOON_MS, PATIENT, prefix)
        assert bits(await store.get("orderflow")) == bits([component()])
        assert await store.get_candles([BTC], "1m") == {}
        assert store.dropped == 5
        with pytest.raises(StoreError):
            await store.get("onchain")
        await store.close()

    asyncio.run(main())


def test_an_event_is_in_the_stream_once(prefix: str) -> None:
    events = [Event(number, NOON_MS, "pairlist", BTC, "größer", {"n": 1}) for number in (3, 4, 9)]

    async def main() -> None:
        store = RedisLatest(redis_url(), lambda: NOON_MS, PATIENT, prefix)
        for event in (*events, events[-1], events[0]):
            await store.put_event(event)
        await store.put_event(Event(2, 0, "older than the stream", None, ""))
        for lost in (Event(4, 0, "another", None, ""), Event(5, 0, "jumped over", None, "")):
            with pytest.raises(StoreError):
                await store.put_event(lost)
        await store.put_event(Event(10, 0, "later", None, ""))
        await store.close()

    asyncio.run(main())
    with Client.from_url(redis_url()) as client:
        entries = client.xrange(f"{prefix}:events")
    assert [entry[0] for entry in entries] == [b"3-0", b"4-0", b"9-0", b"10-0"]
    assert entries[0][1][b"number"] == b"3"
    assert orjson.loads(entries[0][1][b"json"]) == events[0].to_json()
