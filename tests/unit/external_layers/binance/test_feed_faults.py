"""The market feed against a scripted websocket server: what a well-behaved exchange never does."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
from aiohttp import web

from external_layers.binance.addresses import Addresses
from external_layers.binance.streams import StreamManager
from scalp_strategy.setting_groups.sidecar import FeedSettings
from tests.unit.external_layers.binance.fake_time import ShiftedTime

DEADLINE_S = 10.0
FAST = {"reconnect_first_s": 0.01, "subscribe_per_s": 10.0}
NAMES = [f"coin{number}@depth" for number in range(6)]
RARE = "coin@forceOrder"  # may be silent for as long as it likes
Script = Callable[["Server", web.WebSocketResponse], Awaitable[None]]


def push(name: str, number: int = 0) -> str:
    return f'{{"stream":"{name}","data":{{"u":{number}}}}}'


@dataclass
class Server:
    """Plays one script per connection; the last one repeats."""

    scripts: list[Script]
    requests: list[dict[str, Any]] = field(default_factory=list)
    connects: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    ended: list[asyncio.Event] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(**self.options)
        await socket.prepare(request)
        script = self.scripts[min(self.connects, len(self.scripts) - 1)]
        self.connects += 1
        ended = asyncio.Event()
        self.ended.append(ended)
        with contextlib.suppress(ConnectionError):
            await script(self, socket)
        ended.set()
        return socket

    async def next_request(self, socket: web.WebSocketResponse) -> dict[str, Any]:
        message = await socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise ConnectionResetError
        self.requests.append(orjson.loads(message.data))
        return self.requests[-1]

    async def serve(self, socket: web.WebSocketResponse) -> None:
        """Accept every request and push one frame of each new stream."""
        while True:
            request = await self.next_request(socket)
            await socket.send_str(f'{{"result":null,"id":{request["id"]}}}')
            if request["method"] == "SUBSCRIBE":
                for name in request["params"]:
                    await socket.send_str(push(name))


class Consumer:
    """Keeps frames and gaps; `until` waits for a state of it."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.gaps: list[frozenset[str]] = []
        self._news = asyncio.Event()

    def on_message(self, frame: bytes, _: int) -> None:
        self.frames.append(frame)
        self._news.set()

    def on_gap(self, streams: frozenset[str]) -> None:
        self.gaps.append(streams)
        self._news.set()

    def count(self, name: str) -> int:
        return sum(frame == push(name).encode() for frame in self.frames)

    async def until(self, is_reached: Callable[[], bool]) -> None:
        while not is_reached():
            self._news.clear()
            await self._news.wait()


@dataclass
class Scene:
    manager: StreamManager
    consumer: Consumer
    clock: ShiftedTime
    server: Server


def play(server: Server, test: Callable[[Scene], Awaitable[Any]], **settings: Any) -> Any:
    async def inside() -> Any:
        app = web.Application()
        app.router.add_get("/stream", server.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"ws://127.0.0.1:{runner.addresses[0][1]}/stream"
        consumer, clock = Consumer(), ShiftedTime()
        async with aiohttp.ClientSession(trust_env=False) as session:
            manager = StreamManager(
                session, Addresses("spot", "", {"all": url}), FeedSettings(**FAST | settings),
                clock.timing(), consumer.on_message, consumer.on_gap,
            )  # fmt: skip
            try:
                return await test(Scene(manager, consumer, clock, server))
            finally:
                before = asyncio.all_tasks()
                await manager.close()
                await runner.cleanup()
                left = [str(task) for task in before & asyncio.all_tasks()]
                assert not [task for task in left if "external_layers" in task.split("tests/")[0]]

    return asyncio.run(asyncio.wait_for(inside(), DEADLINE_S))


def test_error_replies_single_out_the_unknown_stream() -> None:
    async def refuse_one(server: Server, socket: web.WebSocketResponse) -> None:
        while True:
            request = await server.next_request(socket)
            is_bad = NAMES[2] in request["params"]
            error = {"error": {"code": 2, "msg": "Invalid request"}, "id": request["id"]}
            reply = error if is_bad else {"result": None, "id": request["id"]}
            await socket.send_str(orjson.dumps(reply).decode())
            for name in [] if is_bad else request["params"]:
                await socket.send_str(push(name))

    async def test(scene: Scene) -> Any:
        await scene.manager.set_streams(NAMES)
        await scene.manager.settled()
        await scene.consumer.until(lambda: len(scene.consumer.frames) == 5)
        return scene.manager.state()

    state = play(Server([refuse_one]), test)
    assert [name for name, each in state.streams.items() if each.is_refused] == [NAMES[2]]
    assert sum(each.messages for each in state.streams.values()) == 5
    assert state.connections[0].reply_errors == 4


def test_a_lost_reply_is_asked_for_again() -> None:
    async def deaf_once(server: Server, socket: web.WebSocketResponse) -> None:
        await server.next_request(socket)
        await socket.send_str(push("nobody@asked"))
        await server.serve(socket)

    async def test(scene: Scene) -> Any:
        await scene.manager.set_streams(NAMES)
        await scene.consumer.until(lambda: bool(scene.consumer.frames))
        scene.clock.ahead_s += 11.0
        scene.manager.check()
        await scene.manager.settled()
        return scene.manager.state().connections[0]

    server = Server([deaf_once])
    connection = play(server, test)
    assert (connection.reply_timeouts, connection.reconnects) == (1, 0)
    methods = [request["method"] for request in server.requests]
    assert methods == ["SUBSCRIBE", "UNSUBSCRIBE", "SUBSCRIBE"]


def test_an_exchange_that_never_replies_is_left() -> None:
    async def deaf(server: Server, socket: web.WebSocketResponse) -> None:
        while True:
            await server.next_request(socket)
            await socket.send_str(push("nobody@asked"))

    async def test(scene: Scene) -> Any:
        await scene.manager.set_streams(NAMES)
        for count in (1, 2, 3):
            await scene.consumer.until(lambda count=count: len(scene.consumer.frames) == count)
            scene.clock.ahead_s += 11.0
            scene.manager.check()
        await scene.consumer.until(lambda: bool(scene.consumer.gaps))
        await scene.manager.settled()
        return scene.manager.state().connections[0]

    connection = play(Server([deaf, Server.serve]), test)
    assert (connection.reconnects, connection.reply_timeouts) == (1, 3)


def test_a_policy_close_and_refused_handshakes_lead_to_a_reconnect_with_a_gap() -> None:
    async def close(server: Server, socket: web.WebSocketResponse) -> None:
        await server.next_request(socket)
        await socket.close(code=1008, message=b"Too many requests")

    async def test(scene: Scene) -> Any:
        await scene.manager.set_streams(NAMES)
        await scene.consumer.until(lambda: len(scene.consumer.frames) == len(NAMES))
        waits = [wait for wait in scene.clock.waits if wait < 0.05]
        return scene.manager.state().connections[0], scene.consumer.gaps, waits

    connection, gaps, waits = play(Server([close, close, Server.serve]), test)
    assert (connection.reconnects, connection.failures) == (2, 2)
    assert waits == [0.01, 0.02]
    assert gaps == [frozenset(NAMES)] * 4  # at each loss and at each return


def test_a_peer_without_pongs_is_noticed() -> None:
    async def dead(server: Server, socket: web.WebSocketResponse) -> None:
        await server.next_request(socket)
        await asyncio.Event().wait()

    async def test(scene: Scene) -> Any:
        await scene.manager.set_streams(NAMES)
        await scene.consumer.until(lambda: len(scene.consumer.frames) == len(NAMES))
        return scene.manager.state().connections[0].reconnects

    assert play(Server([dead, Server.serve]), test, heartbeat_s=0.1) == 1


def test_the_exchanges_pings_are_answered() -> None:
    async def pinging(server: Server, socket: web.WebSocketResponse) -> None:
        await server.next_request(socket)
        await socket.ping(b"1790000000000")
        message = await socket.receive()
        assert message.type is aiohttp.WSMsgType.PONG
        await socket.send_str(push(NAMES[0]))
        await asyncio.Event().wait()

    async def test(scene: Scene) -> None:
        await scene.manager.set_streams(NAMES)
        await scene.consumer.until(lambda: scene.consumer.count(NAMES[0]) == 1)

    play(Server([pinging], options={"autoping": False}), test)


def test_renewal_subscribes_before_it_leaves() -> None:
    async def test(scene: Scene) -> Any:
        await scene.manager.set_streams(NAMES)
        await scene.manager.settled()
        scene.clock.ahead_s += 23.5 * 3_600
        scene.manager.check()
        await scene.consumer.until(lambda: scene.consumer.count(NAMES[0]) == 2)
        await scene.server.ended[0].wait()
        assert not scene.server.ended[1].is_set()
        return scene.manager.state().connections[0], scene.consumer.gaps

    connection, gaps = play(Server([Server.serve]), test)
    assert (connection.renewals, connection.reconnects) == (1, 0)
    assert gaps == []


def test_a_renewal_that_fails_keeps_the_old_connection() -> None:
    async def closing(_: Server, socket: web.WebSocketResponse) -> None:
        await socket.close()

    async def test(scene: Scene) -> Any:
        await scene.manager.set_streams([RARE])
        await scene.manager.settled()
        scene.clock.ahead_s += 23.5 * 3_600
        scene.manager.check()
        while scene.manager.state().connections[0].failures == 0:
            await asyncio.sleep(0)
        assert not scene.server.ended[0].is_set()
        scene.clock.ahead_s += 31.0
        scene.manager.check()
        await scene.consumer.until(lambda: scene.consumer.count(RARE) == 2)
        return scene.manager.state().connections[0], scene.consumer.gaps

    connection, gaps = play(Server([Server.serve, closing, Server.serve]), test)
    assert (connection.failures, connection.reconnects) == (1, 0)
    assert gaps == []


def test_silence_is_met_step_by_step_and_ends_with_a_gap() -> None:
    async def mute(server: Server, socket: web.WebSocketResponse) -> None:
        while True:
            request = await server.next_request(socket)
            await socket.send_str(f'{{"result":null,"id":{request["id"]}}}')
            await socket.send_str(push("nobody@asked"))

    async def test(scene: Scene) -> Any:
        heard = scene.consumer.frames
        await scene.manager.set_streams(NAMES[:1])
        await scene.manager.settled()
        scene.clock.ahead_s += 31.0
        scene.manager.check()
        assert scene.manager.state().streams[NAMES[0]].is_silent
        await scene.consumer.until(lambda: len(heard) >= 3)
        await scene.manager.settled()
        scene.clock.ahead_s += 31.0
        scene.manager.check()
        await scene.consumer.until(lambda: bool(scene.consumer.gaps))
        return scene.manager.state().streams[NAMES[0]], scene.consumer.gaps

    server = Server([mute, Server.serve])
    stream, gaps = play(server, test)
    assert (stream.is_silent, stream.alarms, stream.messages) == (False, 1, 1)
    assert gaps == [frozenset(NAMES[:1])]
    methods = [request["method"] for request in server.requests]
    assert methods == ["SUBSCRIBE", "UNSUBSCRIBE", "SUBSCRIBE", "SUBSCRIBE"]


def test_any_frame_reaches_the_consumer_and_none_does_harm() -> None:
    odd = ["", "null", "[1]", '{"result"', '{"stream":"', '{"e":"x"}', '{"stream":"\\ud800"}']
    replies = ['{"result":null}', '{"error":{"code":3},"id":null}', '{"result":[],"id":"7"}']

    async def babble(server: Server, socket: web.WebSocketResponse) -> None:
        for text in odd + replies:
            await socket.send_str(text)
        await socket.send_bytes(b"\xff\xfe")
        await server.serve(socket)

    async def test(scene: Scene) -> Any:
        await scene.manager.set_streams(NAMES)
        await scene.consumer.until(lambda: len(scene.consumer.frames) == 8 + len(NAMES))
        return scene.consumer.frames, scene.manager.state()

    frames, state = play(Server([babble]), test)
    assert frames[:8] == [*(text.encode() for text in odd), b"\xff\xfe"]
    assert (state.connections[0].reconnects, state.consumer_errors) == (0, 0)


def test_streams_come_and_go_over_as_few_connections_as_allowed() -> None:
    async def test(scene: Scene) -> Any:
        manager = scene.manager
        await manager.set_streams(NAMES)
        await manager.settled()
        first = [each.streams for each in manager.state().connections]
        await manager.set_streams([NAMES[0], NAMES[5], "new@depth"])
        await manager.settled()
        second = {name: each.connection for name, each in manager.state().streams.items()}
        await manager.set_streams([])
        return first, second, manager.state()

    first, second, last = play(Server([Server.serve]), test, max_streams=2)
    assert first == [2, 2, 2]
    assert second == {NAMES[0]: 0, "new@depth": 0, NAMES[5]: 1}
    assert (last.streams, last.connections) == ({}, [])


def test_connects_are_rationed() -> None:
    async def test(scene: Scene) -> Any:
        await scene.manager.set_streams(NAMES)
        while scene.server.connects < 2:
            await asyncio.sleep(0)
        await scene.consumer.until(lambda: len(scene.consumer.frames) == 2)
        before = scene.server.connects
        scene.clock.ahead_s += 301.0
        await scene.consumer.until(lambda: len(scene.consumer.frames) == 4)
        return before, scene.server.connects

    server = Server([Server.serve])
    assert play(server, test, max_streams=1, connects_per_5min=2) == (2, 4)


def test_many_streams_take_several_connections() -> None:
    names = [f"coin{number}@kline_1m" for number in range(1_100)]

    async def test(scene: Scene) -> Any:
        await scene.manager.set_streams(names)
        await scene.manager.settled()
        await scene.consumer.until(lambda: len(scene.consumer.frames) == len(names))
        return scene.manager.state()

    server = Server([Server.serve])
    state = play(server, test)
    assert [each.streams for each in state.connections] == [200] * 5 + [100]
    assert all(each.messages == 1 for each in state.streams.values())
    assert max(len(request["params"]) for request in server.requests) == 100


def test_a_lagging_consumer_gets_the_newest() -> None:
    async def flood(server: Server, socket: web.WebSocketResponse) -> None:
        await server.next_request(socket)
        for number in range(3_000):
            await socket.send_str(push(NAMES[0], number))
        await asyncio.Event().wait()

    async def test(scene: Scene) -> Any:
        await scene.manager.set_streams(NAMES[:1])
        await scene.consumer.until(lambda: push(NAMES[0], 2_999).encode() in scene.consumer.frames)
        return scene.manager.state()

    server = Server([flood])
    state = play(server, test, queue_size=16)
    assert state.dropped > 0
    assert state.delivered + state.dropped == 3_000 == state.streams[NAMES[0]].messages
    assert state.streams[NAMES[0]].dropped == state.dropped
