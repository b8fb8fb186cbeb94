"""The market feed: any set of streams over as few connections as allowed, kept alive."""

import asyncio
import logging
from collections.abc import Collection
from typing import Final

from aiohttp import ClientSession

from external_layers.binance.addresses import Addresses, Category, category_of
from external_layers.binance.connection import Wire
from external_layers.binance.feed_state import ConnectionState, FeedState, StreamState
from external_layers.binance.inbox import PREFIX, Inbox, OnGap, OnMessage, stream_key, stream_of
from external_layers.binance.lane import Lane
from external_layers.binance.pacing import RateWindow, Timing
from external_layers.binance.silence import StreamStatus, silence_limit_s
from scalp_strategy.setting_groups.sidecar import FeedSettings

logger = logging.getLogger(__name__)

_WATCH_S: Final = 1.0
_CONNECT_SPAN_S: Final = 300.0


class StreamManager:
    """Subscribes what is wanted and hands every frame to one synchronous consumer.

    Parameters
    ----------
    session
        The one client session; it is neither made nor closed here.
    addresses
        The market.
    settings
        Limits and waits.
    timing
        Clocks, waiting and chance.
    on_message
        Gets each frame as it came and the epoch milliseconds of its coming. Frames of a stream
        keep their order; around a renewal some come twice.
    on_gap
        Gets streams whose data may have been lost: when a connection is lost, after a reconnect,
        after frames were dropped and when a silent stream speaks again. It is called in the order
        of events: the frames handed on after it came after the gap.

    Notes
    -----
    Neither callback may block; what they raise is counted. `check` runs every second by itself.
    """

    def __init__(
        self,
        session: ClientSession,
        addresses: Addresses,
        settings: FeedSettings,
        timing: Timing,
        on_message: OnMessage,
        on_gap: OnGap = lambda _: None,
    ) -> None:
        self._addresses = addresses
        self._settings = settings
        self._timing = timing
        self._inbox = Inbox(settings.queue_size, on_message, on_gap)
        self._changed = asyncio.Event()
        connects = RateWindow(settings.connects_per_5min, _CONNECT_SPAN_S)
        self._wire = Wire(session, settings, timing, connects, self._take, self._changed.set)
        self._lanes: list[Lane] = []
        self._statuses: dict[bytes, StreamStatus] = {}
        self._watch: asyncio.Task[None] | None = None

    async def set_streams(self, wanted: Collection[str]) -> None:
        """Subscribe these streams and no others, e.g. ``btcusdt@depth20@100ms``.

        Returns once the work is under way; `settled` waits for it.
        """
        names = set(wanted)
        now_s = self._timing.monotonic_s()
        kept = {name.encode(): name for name in names}
        self._statuses = {
            key: self._statuses.get(key)
            or StreamStatus(name, silence_limit_s(name, self._settings), now_s)
            for key, name in kept.items()
        }
        left = self._reassign(names)
        if self._watch is None:
            self._watch = asyncio.create_task(self._watching())
        await asyncio.gather(*(lane.close() for lane in left))

    async def settled(self) -> None:
        """Wait until every stream is subscribed or refused."""
        while not all(lane.is_settled for lane in self._lanes):
            self._changed.clear()
            await self._changed.wait()

    def check(self) -> None:
        """Look for silent streams, late replies and old connections, and act."""
        now_s = self._timing.monotonic_s()
        for lane in self._lanes:
            lane.check(now_s)
            if lane.is_settled:
                self._check_silence(lane, now_s)

    def state(self) -> FeedState:
        """Return a snapshot of streams, connections and the queue."""
        streams: dict[str, StreamState] = {}
        for number, lane in enumerate(self._lanes):
            refused = lane.refused
            for name in sorted(lane.streams):
                streams[name] = self._stream_state(name, number, is_refused=name in refused)
        return FeedState(
            streams=streams,
            connections=[_connection_state(*each) for each in enumerate(self._lanes)],
            queued=len(self._inbox),
            delivered=self._inbox.delivered,
            dropped=self._inbox.dropped.total(),
            consumer_errors=self._inbox.consumer_errors,
        )

    async def close(self) -> None:
        """End everything; nothing is handed on after it."""
        self._inbox.close()
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        lanes, self._lanes = self._lanes, []
        await asyncio.gather(*(lane.close() for lane in lanes))

    def _take(self, frame: bytes) -> None:
        """Count a frame for its stream and queue it: once for every message of the market."""
        received_ms = self._timing.now_ms()
        status = self._statuses.get(stream_key(frame)) if frame.startswith(PREFIX) else None
        if status is None:
            status = self._statuses.get((stream_of(frame) or "").encode())
        if status is not None:
            status.messages += 1
            status.last_ms = received_ms
            if status.is_silent:
                self._speaks_again(status)
        self._inbox.put(frame, received_ms)

    def _speaks_again(self, status: StreamStatus) -> None:
        status.is_silent = False
        self._inbox.put_gap(frozenset((status.name,)))
        logger.info("%s: speaks again", status.name)

    def _reassign(self, names: set[str]) -> list[Lane]:
        """Give every stream a lane; return the lanes that have none left."""
        new = names.difference(*(lane.streams for lane in self._lanes))
        for lane in self._lanes:
            if not lane.streams <= names:
                lane.carry(lane.streams & names)
        for category, url in self._addresses.sockets.items():
            kind = self._addresses.kind
            chosen = sorted(name for name in new if category_of(name, kind) == category)
            self._fill(category, url, chosen)
        left = [lane for lane in self._lanes if not lane.streams]
        self._lanes = [lane for lane in self._lanes if lane.streams]
        return left

    def _fill(self, category: Category, url: str, names: list[str]) -> None:
        """Spread streams over the lanes of a category, first where there is room."""
        most = self._settings.max_streams
        lanes = [lane for lane in self._lanes if lane.category == category]
        while names:
            lane = next((each for each in lanes if len(each.streams) < most), None)
            is_new = lane is None
            if lane is None:
                lane = Lane(category, url, self._wire, self._on_up, self._inbox.put_gap)
                lanes.append(lane)
                self._lanes.append(lane)
            room = most - len(lane.streams)
            lane.carry(lane.streams.union(names[:room]))
            names = names[room:]
            if is_new:
                lane.start()

    def _on_up(self, streams: frozenset[str], is_gap: bool) -> None:
        now_s = self._timing.monotonic_s()
        for name in streams:
            status = self._statuses.get(name.encode())
            if status is not None:
                status.restart(now_s)
        if is_gap:
            self._inbox.put_gap(streams)

    def _check_silence(self, lane: Lane, now_s: float) -> None:
        again = []
        for name in lane.streams:
            status = self._statuses[name.encode()]
            was_silent = status.is_silent
            step = status.look(now_s)
            if step is not None and not was_silent:
                logger.warning("%s: silent for more than %g s", name, status.limit_s)
            if step == "resubscribe":
                again.append(name)
            elif step == "renew" and lane.age_s(now_s) > (status.limit_s or 0.0):
                lane.renew()
        if again:
            lane.subscribe_again(again)

    def _stream_state(self, name: str, number: int, *, is_refused: bool) -> StreamState:
        status = self._statuses[name.encode()]
        return StreamState(
            connection=number,
            messages=status.messages,
            dropped=self._inbox.dropped[name],
            last_ms=status.last_ms,
            is_silent=status.is_silent,
            alarms=status.alarms,
            is_refused=is_refused,
        )

    async def _watching(self) -> None:
        while True:
            await self._timing.sleep(_WATCH_S)
            self.check()


def _connection_state(number: int, lane: Lane) -> ConnectionState:
    connection = lane.connection
    subscriptions = connection.subscriptions if connection else None
    return ConnectionState(
        number=number,
        category=lane.category,
        streams=len(lane.streams),
        since_ms=connection.opened_ms if connection else None,
        is_settled=lane.is_settled,
        reconnects=lane.reconnects,
        renewals=lane.renewals,
        failures=lane.failures,
        reply_errors=lane.reply_errors + (subscriptions.errors if subscriptions else 0),
        reply_timeouts=lane.reply_timeouts + (subscriptions.timeouts if subscriptions else 0),
    )
