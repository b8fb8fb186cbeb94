"""The latest values in Redis, where the strategy can read them without asking this process.

::

    scalp:v1:score:<layer>       hash, field = pair, value = JSON array of wire rows
    scalp:v1:candles:<timeframe> hash, field = pair, value = JSON array of candles
    scalp:v1:doc:<name>          string
    scalp:v1:events              stream, id = <number>-0, fields number and json
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import orjson
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from external_layers.store.archive_table import valid_text
from external_layers.store.event import Event
from external_layers.store.latest import LatestStore, MemoryLatest
from external_layers.store.latest_rows import Candle, newest_of_each
from scalp_strategy.contract.component import Component, from_wire, to_wire
from scalp_strategy.errors import ConfigError, PayloadError, StoreError
from scalp_strategy.setting_groups.store import LatestSettings

PREFIX: Final = "scalp:v1"
Value = bytes | str | None
_TOO_SMALL: Final = "equal or smaller"
_SHOWN: Final = 160


class RedisLatest(LatestStore):
    """Keeps latest values in a Redis that one process writes to.

    Parameters
    ----------
    url
        E.g. ``"redis://:password@host:6379/0"``; its password never shows in an error.
    now_ms
        The clock, epoch milliseconds.
    settings
        How long values live, how long a call may take.
    prefix
        Of every key.

    Raises
    ------
    ConfigError
        When the URL is none of Redis.

    Notes
    -----
    A copy of what was put stays in memory. So a put is one round trip, and what a dead Redis did
    not take is written with the next put that it takes. Connections are made anew by themselves.
    The lifetime is that of the component: Redis drops a layer's whole hash when nothing was put
    for that long, single pairs leave with the next put.
    """

    def __init__(
        self,
        url: str,
        now_ms: Callable[[], int],
        settings: LatestSettings | None = None,
        prefix: str = PREFIX,
    ) -> None:
        self._settings = settings or LatestSettings()
        self._prefix = prefix
        self._copy = MemoryLatest(now_ms, self._settings)
        self._redis, self._address, self._secret = _connect(url, self._settings.timeout_s)
        self._turn = asyncio.Lock()
        self._is_degraded = False
        self._dropped = 0
        self._loaded: set[str] = set()
        self._unwritten: set[tuple[str, str]] = set()
        self._unwritten_candles: set[tuple[str, str]] = set()
        self._events: deque[Event] = deque(maxlen=self._settings.events_kept)

    @property
    def is_degraded(self) -> bool:
        """Whether the last call failed."""
        return self._is_degraded

    @property
    def dropped(self) -> int:
        """Values found in Redis that were no components or no candles."""
        return self._dropped

    async def put(self, components: Sequence[Component]) -> None:
        """Keep components; one never replaces another that was known later."""
        async with self._turn:
            self._unwritten |= self._copy.merge(components)
            async with self._guarded():
                await self._load({layer for layer, _ in self._unwritten} - self._loaded)
                await self._write_components()

    async def get(self, layer: str, pairs: Collection[str] | None = None) -> list[Component]:
        """Return the latest component of each (pair, name) of a layer."""
        key = self._key("score", layer)
        async with self._guarded():
            values = await self._values(key, pairs)
        oldest_ms = self._copy.oldest_ms(layer)
        return [one for value in values for one in newest_of_each(self._rows(value), oldest_ms)]

    async def put_candles(self, pair: str, timeframe: str, rows: Sequence[Candle]) -> None:
        """Add candles, or replace those of the same open time; the newest are kept."""
        async with self._turn:
            self._copy.merge_candles(pair, timeframe, rows)
            self._unwritten_candles.add((timeframe, pair))
            async with self._guarded(), self._redis.pipeline(transaction=False) as pipe:
                for frame, one in self._unwritten_candles:
                    key = self._key("candles", frame)
                    pipe.hset(key, one, orjson.dumps(self._copy.candles_of(one, frame)))
                    pipe.expire(key, self._settings.candle_ttl_s)
                await pipe.execute()
            self._unwritten_candles.clear()

    async def get_candles(
        self, pairs: Collection[str], timeframe: str
    ) -> dict[str, list[list[float]]]:
        """Return the candles of those pairs that have any, oldest first."""
        if not pairs:
            return {}
        async with self._guarded():
            values = await self._redis.hmget(self._key("candles", timeframe), list(pairs))
        found = zip(pairs, map(self._array, values), strict=True)
        return {pair: rows for pair, rows in found if rows}

    async def put_document(self, name: str, body: bytes, ttl_s: int) -> None:
        """Keep a document for `ttl_s` seconds."""
        async with self._guarded():
            await self._redis.set(self._key("doc", name), body, ex=ttl_s)

    async def get_document(self, name: str) -> bytes | None:
        """Return a document, None when there is none any more."""
        async with self._guarded():
            body = await self._redis.get(self._key("doc", name))
        return body.encode() if isinstance(body, str) else body

    async def put_event(self, event: Event) -> None:
        """Add an event to the stream, after those that a dead Redis did not take.

        An event that the stream has already is not added again: its number is its id.

        Raises
        ------
        StoreError
            When Redis cannot be reached, or its stream is ahead of the event's number.
        """
        async with self._turn:
            self._events.append(event)
            async with self._guarded():
                while self._events:
                    await self._add_event(self._events[0])
                    self._events.popleft()

    async def ping(self) -> None:
        """Do nothing, if Redis can be reached."""
        async with self._guarded():
            await self._redis.ping()

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    @asynccontextmanager
    async def _guarded(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                yield
        except (RedisError, OSError, TimeoutError) as error:
            self._is_degraded = True
            text = f"{type(error).__name__} {error}".replace("\n", " ")[:_SHOWN]
            for secret in self._secret:
                text = text.replace(secret, "***")
            raise StoreError(f"Redis at {self._address}: {text.strip()}") from None
        self._is_degraded = False

    async def _values(self, key: str, pairs: Collection[str] | None) -> list[Value]:
        if pairs is None:
            return list((await self._redis.hgetall(key)).values())
        return list(await self._redis.hmget(key, list(pairs))) if pairs else []

    async def _load(self, layers: Iterable[str]) -> None:
        # What an earlier run of this process left must not lose to something older.
        for layer in layers:
            values = (await self._redis.hgetall(self._key("score", layer))).values()
            mine = [one for rows in self._copy.rows_of(layer).values() for one in rows]
            self._copy.merge(one for value in values for one in self._rows(value))
            self._copy.merge(mine)
            self._loaded.add(layer)

    async def _write_components(self) -> None:
        async with self._redis.pipeline(transaction=False) as pipe:
            for layer in {layer for layer, _ in self._unwritten}:
                self._queue_layer(pipe, layer)
            await pipe.execute()
        self._unwritten.clear()

    def _queue_layer(self, pipe: Pipeline, layer: str) -> None:
        key, old = self._key("score", layer), self._copy.forget_old(layer)
        rows = self._copy.rows_of(layer)
        asked = {pair for one, pair in self._unwritten if one == layer} & rows.keys()
        if asked:
            pipe.hset(key, mapping={pair: _wire(rows[pair]) for pair in asked})
        if old:
            pipe.hdel(key, *old)
        pipe.expire(key, self._settings.ttl_s(layer))

    async def _add_event(self, event: Event) -> None:
        key, body = f"{self._prefix}:events", orjson.dumps(event.to_json())
        fields: dict[Any, Any] = {"number": event.number, "json": body}
        name = f"{event.number}-0"
        try:
            await self._redis.xadd(key, fields, id=name, maxlen=self._settings.events_kept)
        except ResponseError as error:
            if _TOO_SMALL not in str(error):
                raise
            if not await self._has_event(key, name, body):
                self._events.clear()
                raise

    async def _has_event(self, key: str, name: str, body: bytes) -> bool:
        # Either it is there, or it was, and made room for newer ones.
        there = await self._redis.xrange(key, name, name) or []
        if there:
            return (there[0][1] or {}).get(b"json") == body
        before = await self._redis.xrange(key, "-", name, count=1)
        return not before

    def _key(self, kind: str, name: str) -> str:
        return f"{self._prefix}:{kind}:{name}"

    def _rows(self, value: Value) -> list[Component]:
        components: list[Component] = []
        for row in self._array(value):
            try:
                components.append(from_wire(row))
            except PayloadError:
                self._dropped += 1
        return components

    def _array(self, value: Value) -> list[Any]:
        if value is None:
            return []
        try:
            rows = orjson.loads(value)
        except orjson.JSONDecodeError:
            rows = None
        if isinstance(rows, list):
            return rows
        self._dropped += 1
        return []


def _connect(url: str, timeout_s: float) -> tuple[Redis, str, tuple[str, ...]]:
    try:
        parts = urlsplit(url)
        address = f"{parts.hostname or 'localhost'}:{parts.port or 6379}"
        redis = Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 1),
            retry_on_error=[RedisConnectionError],
        )
    except ValueError:
        raise ConfigError(
            "REDIS_URL: no address of a Redis; allowed is redis://[:password@]host:port/database"
        ) from None
    password = parts.password or ""
    return redis, address, tuple(filter(None, (password, unquote(password))))


def _wire(rows: Sequence[Component]) -> bytes:
    wire = [to_wire(one) for one in rows]
    try:
        return orjson.dumps(wire)
    except TypeError:
        return orjson.dumps(
            [[valid_text(one) if isinstance(one, str) else one for one in row] for row in wire]
        )
