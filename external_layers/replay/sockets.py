"""Websocket connections: subscriptions, the 100 ms pump, fan-out to slow and fast readers."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiohttp import WSMsgType, web

from external_layers.replay.exchange import ReplayExchange
from external_layers.replay.recording import Key, key_of
from external_layers.replay.stream_names import (
    Route,
    Stream,
    category_of,
    parse_route,
    parse_stream,
)
from external_layers.replay.streams import StreamEvents

MAX_STREAMS: Final = 1_024
_TURN_MS: Final = 100
_QUEUE: Final = 8_192  # frames a slow reader may lag behind before it is dropped
_HEARTBEAT_S: Final = 180.0
_GARBAGE: Final = b'{"e":"garbage","E":'
_POLICY: Final = 1008
_INVALID_REQUEST: Final = 2
_INVALID_JSON: Final = 3


@dataclass(eq=False, slots=True)
class Connection:
    """One client: its address, what it subscribed to and what waits to be sent."""

    route: Route
    socket: web.WebSocketResponse
    transport: asyncio.Transport | None = None
    streams: dict[str, Stream] = field(default_factory=dict)
    since_ms: dict[str, int] = field(default_factory=dict)
    queue: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(_QUEUE))

    def subscribe(self, names: list[str], now_ms: int) -> str | None:
        """Add streams from now on; return the reason if the exchange refuses one of them."""
        if len(self.streams.keys() | set(names)) > MAX_STREAMS:
            return f"Invalid request: more than {MAX_STREAMS} streams"
        for name in names:
            stream = parse_stream(name, self.route.kind)
            if stream is None:
                return f"Invalid request: unknown stream {name}"
            self.streams[name] = stream
            # the first diff reaches back a turn, so that it overlaps any snapshot asked for now
            reach = stream.speed_ms if stream.channel == "depth" else 0
            self.since_ms.setdefault(name, now_ms - reach)
        return None

    def unsubscribe(self, names: list[str]) -> None:
        """Remove streams; unknown ones are no error."""
        for name in names:
            self.streams.pop(name, None)
            self.since_ms.pop(name, None)

    def carries(self, stream: Stream) -> bool:
        """Return whether the address carries a stream (futures splits them)."""
        return self.route.category in ("all", category_of(stream))


class Hub:
    """All connections of a replay exchange."""

    def __init__(self, exchange: ReplayExchange) -> None:
        self._exchange = exchange
        self._events = StreamEvents(exchange)
        self._connections: set[Connection] = set()
        self._seen_ms: dict[tuple[str, str], int] = {}

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one websocket until it closes."""
        route = parse_route(request.path, request.query.get("streams"))
        if route is None:
            return web.json_response({"code": -5000, "msg": "no such stream address"}, status=404)
        socket = web.WebSocketResponse(heartbeat=_HEARTBEAT_S)
        await socket.prepare(request)
        connection = Connection(route, socket, request.transport)
        if reason := connection.subscribe(list(route.streams), self._exchange.market.now_ms()):
            await socket.close(code=_POLICY, message=reason.encode())
            return socket
        self._connections.add(connection)
        writer = asyncio.create_task(_write(connection))
        try:
            await self._read(connection)
        finally:
            self._connections.discard(connection)
            writer.cancel()
        return socket

    async def run(self) -> None:
        """Push what is due, every 100 ms of the wall clock, until cancelled."""
        while True:
            now = self._exchange.market.now_ms()
            self.turn(now)
            late = self._exchange.market.now_ms() - now
            await asyncio.sleep(max(_TURN_MS - now % _TURN_MS - late, 1) / 1_000)

    def turn(self, now_ms: int) -> None:
        """Queue everything that became due since the last turn."""
        readers: dict[tuple[str, str], list[Connection]] = defaultdict(list)
        for connection in self._connections:
            for name, stream in connection.streams.items():
                if connection.carries(stream):
                    readers[connection.route.kind, name].append(connection)
        self._seen_ms = {
            key: self._seen_ms.get(key, min(each.since_ms[key[1]] for each in connections))
            for key, connections in readers.items()
        }
        played = self._played()
        for key, connections in readers.items():
            stream = connections[0].streams[key[1]]
            after, self._seen_ms[key] = self._seen_ms[key], now_ms
            if self._exchange.recording is not None and self._exchange.recording.carries(stream):
                self._push(key[1], connections, played[key_of(stream)])
            elif now_ms > after:
                self._push(key[1], connections, self._events.between(stream, after, now_ms))

    def _played(self) -> dict[Key, list[Any]]:
        """Return what the recording sends in this turn, by stream."""
        found: dict[Key, list[Any]] = defaultdict(list)
        if self._exchange.recording is not None:
            for frame in self._exchange.recording.due():
                found[frame.key].append(frame.payload)
        return found

    def disconnect(self) -> int:
        """Drop every connection without a closing handshake; return how many there were."""
        dropped = list(self._connections)
        for connection in dropped:
            _drop(connection)
        return len(dropped)

    def state(self) -> dict[str, Any]:
        """Return connections and subscriptions, for `/control/state`."""
        return {
            "connections": len(self._connections),
            "streams": sorted({name for each in self._connections for name in each.streams}),
        }

    async def _read(self, connection: Connection) -> None:
        async for message in connection.socket:
            if message.type is WSMsgType.TEXT:
                reply = answered(connection, message.data, self._exchange.market.now_ms())
                await connection.queue.put(orjson.dumps(reply))

    def _push(self, name: str, connections: list[Connection], events: list[Any]) -> None:
        faults = self._exchange.faults
        if not events or faults.is_silent(name, self._exchange.market.now_ms()):
            return
        for event in events:
            raw = _GARBAGE if faults.is_garbled(name) else orjson.dumps(event)
            wrapped = b'{"stream":"' + name.encode() + b'","data":' + raw + b"}"
            for connection in connections:
                frame = wrapped if connection.route.is_combined else raw
                try:
                    connection.queue.put_nowait(frame)
                except asyncio.QueueFull:
                    _drop(connection)


async def _write(connection: Connection) -> None:
    try:
        while True:
            frame = await connection.queue.get()
            await connection.socket.send_str(frame.decode())
    except (ConnectionError, RuntimeError):
        _drop(connection)


def answered(connection: Connection, text: str, now_ms: int) -> dict[str, Any]:
    """Carry out a request of the client (SUBSCRIBE and the like) and return the reply."""
    try:
        request = orjson.loads(text)
        method, id_ = request["method"], request.get("id")
        names = [str(name) for name in request.get("params") or []]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return {"error": {"code": _INVALID_JSON, "msg": "Invalid JSON: no request"}, "id": None}
    reason = None
    result: list[str] | None = None
    if method == "SUBSCRIBE":
        reason = connection.subscribe(names, now_ms)
    elif method == "UNSUBSCRIBE":
        connection.unsubscribe(names)
    elif method == "LIST_SUBSCRIPTIONS":
        result = list(connection.streams)
    else:
        reason = f"Invalid request: unknown method {method}"
    if reason:
        return {"error": {"code": _INVALID_REQUEST, "msg": reason}, "id": id_}
    return {"result": result, "id": id_}


def _drop(connection: Connection) -> None:
    if connection.transport is not None:
        connection.transport.abort()
