"""One websocket to the exchange and its subscriptions."""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

import orjson
from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, ClientWSTimeout, WSMsgType

from external_layers.binance.inbox import PREFIX
from external_layers.binance.pacing import RateWindow, Timing
from external_layers.binance.subscriptions import Subscriptions
from scalp_strategy.errors import SourceUnavailable
from scalp_strategy.setting_groups.sidecar import FeedSettings

logger = logging.getLogger(__name__)

_CLOSE_S: Final = 0.5  # what a closing handshake may take
_DATA: Final = (WSMsgType.TEXT, WSMsgType.BINARY)
_NO_ID: Final = -1


@dataclass(frozen=True, slots=True)
class Wire:
    """What all connections of a feed share.

    Attributes
    ----------
    session, settings, timing
        The client session, the feed's settings, clocks and chance.
    connects
        The limit of new connections.
    on_frame
        Gets every frame that is no reply, as it comes.
    on_change
        Called when a connection opened, closed or was answered.
    """

    session: ClientSession
    settings: FeedSettings
    timing: Timing
    connects: RateWindow
    on_frame: Callable[[bytes], None]
    on_change: Callable[[], None]


async def open_connection(url: str, wire: Wire, streams: Collection[str]) -> "Connection":
    """Connect, within the limit of new connections, and begin to read and to subscribe.

    Raises
    ------
    SourceUnavailable
        When the exchange cannot be reached or refuses.
    """
    settings = wire.settings
    await wire.connects.wait_and_take(wire.timing)
    try:
        async with asyncio.timeout(settings.connect_timeout_s):
            socket = await wire.session.ws_connect(
                url,
                heartbeat=settings.heartbeat_s,
                max_msg_size=round(settings.max_frame_mb * 1e6),
                timeout=ClientWSTimeout(ws_close=_CLOSE_S),
                decode_text=False,
            )
    except (ClientError, OSError, TimeoutError) as error:
        raise SourceUnavailable(f"{url}: {type(error).__name__}: {error}") from error
    return Connection(socket, wire, streams)


class Connection:
    """An open websocket: reads until it ends and keeps its subscriptions as wanted.

    The exchange's pings are answered by the library, which also pings after `heartbeat_s` without
    data and ends the connection when no answer comes.

    Attributes
    ----------
    ended
        Done once the connection is over; its result says why.
    opened_s, opened_ms
        When it was opened: monotonic seconds, epoch milliseconds.
    """

    def __init__(
        self, socket: ClientWebSocketResponse[bool], wire: Wire, streams: Collection[str]
    ) -> None:
        self._socket = socket
        self._wire = wire
        self._settled = asyncio.Event()
        self._wake = asyncio.Event()
        settings = wire.settings
        self.subscriptions = Subscriptions(settings.subscribe_chunk, settings.reply_timeout_s)
        self.subscriptions.want(streams)
        self.opened_s = wire.timing.monotonic_s()
        self.opened_ms = wire.timing.now_ms()
        self._closing: asyncio.Task[bool] | None = None
        self.ended = asyncio.create_task(self._read())
        self._writer = asyncio.create_task(self._write())

    def want(self, streams: Collection[str]) -> None:
        """Set which streams the connection should carry."""
        self._settled.clear()
        self.subscriptions.want(streams)
        self._wake.set()

    def again(self, streams: Collection[str]) -> None:
        """Leave streams and subscribe them anew."""
        self._settled.clear()
        self.subscriptions.again(streams)
        self._wake.set()

    def check(self, now_s: float) -> None:
        """Give up late replies; a connection without replies is closed."""
        self.subscriptions.expire(now_s)
        if self.subscriptions.is_broken:
            self._abort()
        self._wake.set()

    @property
    def is_settled(self) -> bool:
        """Whether everything wanted is subscribed or refused."""
        return self._settled.is_set()

    async def settled(self) -> bool:
        """Wait until everything is subscribed (True) or the connection has ended (False)."""
        waiting = asyncio.create_task(self._settled.wait())
        try:
            await asyncio.wait({waiting, self.ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        return not self.ended.done()

    async def close(self) -> None:
        """Close with a short handshake; no task is left."""
        self._writer.cancel()
        self._abort()
        tasks = [task for task in (self.ended, self._writer, self._closing) if task]
        _, late = await asyncio.wait(tasks, timeout=_CLOSE_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _read(self) -> str:
        receive, on_frame = self._socket.receive, self._wire.on_frame
        message = await receive()
        while message.type in _DATA:
            frame = message.data
            if frame.startswith(PREFIX) or not self._is_reply(frame):
                on_frame(frame)
            message = await receive()
        self._writer.cancel()
        self._wire.on_change()
        return f"{message.type.name}, code {self._socket.close_code}"

    def _is_reply(self, frame: bytes) -> bool:
        """Take a reply to one of our requests; False when the frame is none."""
        try:
            body = orjson.loads(frame)
        except orjson.JSONDecodeError:
            return False
        if not isinstance(body, dict) or not ({"result", "error"} & body.keys()):
            return False
        id_, is_error = body.get("id"), "error" in body
        if is_error:
            logger.debug("the exchange refused a request: %s", body["error"])
        self.subscriptions.on_reply(id_ if isinstance(id_, int) else _NO_ID, is_error=is_error)
        self._wake.set()
        return True

    async def _write(self) -> None:
        timing = self._wire.timing
        spacing_s = 1.0 / self._wire.settings.subscribe_per_s
        while True:
            self._wake.clear()
            request = self.subscriptions.next_request(timing.monotonic_s())
            if request is None:
                self._note_settled()
                await self._wake.wait()
                continue
            try:
                await self._socket.send_str(request.text())
            except (ClientError, OSError):
                self._abort()
                return
            await timing.sleep(spacing_s)

    def _note_settled(self) -> None:
        if self.subscriptions.is_settled:
            self._settled.set()
        self._wire.on_change()

    def _abort(self) -> None:
        """End from within: the reader stops at once, the handshake goes on beside it."""
        self._closing = self._closing or asyncio.create_task(self._socket.close())
