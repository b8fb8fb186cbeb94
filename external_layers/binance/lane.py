"""A group of streams that share a connection, kept up over reconnects and renewals."""

import asyncio
import logging
from collections.abc import Callable, Collection

from external_layers.binance.addresses import Category
from external_layers.binance.connection import Connection, Wire, open_connection
from external_layers.binance.pacing import Backoff
from scalp_strategy.errors import SourceUnavailable

logger = logging.getLogger(__name__)

OnUp = Callable[[frozenset[str], bool], None]
OnDown = Callable[[frozenset[str]], None]


class Lane:
    """Keeps a connection with the streams it was given.

    A lost connection is opened again after waits that double; they start anew once a connection
    lasted `stable_after_s`. A renewal opens the next connection and subscribes everything there
    before the old one is closed, so no message is missed; some come twice.

    Parameters
    ----------
    category, url
        Which streams the address carries, and the address.
    wire
        What all connections share.
    on_up
        Called before the first frame of a new connection with the lane's streams and whether
        data may have been lost before.
    on_down
        Called with the lane's streams when the connection in use is lost: from then on nothing is
        heard of them.
    """

    def __init__(
        self, category: Category, url: str, wire: Wire, on_up: OnUp, on_down: OnDown
    ) -> None:
        self.category: Category = category
        self.streams: set[str] = set()
        self.reconnects = 0
        self.renewals = 0
        self.failures = 0
        self.reply_errors = 0
        self.reply_timeouts = 0
        self._url = url
        self._wire = wire
        self._on_up = on_up
        self._on_down = on_down
        settings = wire.settings
        self._backoff = Backoff(
            settings.reconnect_first_s, settings.reconnect_max_s, settings.reconnect_jitter
        )
        self._current: Connection | None = None
        self._beside: set[Connection] = set()  # being made ready, or being closed
        self._renew = asyncio.Event()
        self._no_renewal_before_s = 0.0
        self._was_up = False
        self._has_failed = False
        self._task: asyncio.Task[None] | None = None

    @property
    def connection(self) -> Connection | None:
        """The connection in use, None while there is none."""
        return self._current

    @property
    def is_settled(self) -> bool:
        """Whether a connection is up and everything is subscribed."""
        return self._current is not None and self._current.is_settled

    @property
    def refused(self) -> frozenset[str]:
        """Streams that the exchange does not know."""
        return frozenset(self._current.subscriptions.refused if self._current else ())

    def start(self) -> None:
        """Begin to connect."""
        self._task = asyncio.create_task(self._run())

    def carry(self, streams: Collection[str]) -> None:
        """Set the streams of the lane."""
        self.streams = set(streams)
        for connection in self._open():
            connection.want(self.streams)

    def subscribe_again(self, streams: Collection[str]) -> None:
        """Leave streams and subscribe them anew on the connection in use."""
        if self._current is not None:
            self._current.again(streams)

    def renew(self) -> None:
        """Ask for a new connection in place of the one in use, unless that just failed."""
        if self._wire.timing.monotonic_s() >= self._no_renewal_before_s:
            self._renew.set()

    def check(self, now_s: float) -> None:
        """Look after late replies and the age of the connection."""
        for connection in self._open():
            connection.check(now_s)
        if self.age_s(now_s) > self._wire.settings.renew_after_h * 3_600:
            self.renew()

    def age_s(self, now_s: float) -> float:
        """Return the age of the connection in use in seconds, 0 without one."""
        return now_s - self._current.opened_s if self._current else 0.0

    async def close(self) -> None:
        """End the lane and its connections."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        open_ = self._open()
        self._current = None
        await asyncio.gather(*(self._leave(connection) for connection in open_))

    async def _run(self) -> None:
        attempt = 0
        while True:
            try:
                self._adopt(await open_connection(self._url, self._wire, self.streams))
            except SourceUnavailable as error:
                self._note_failure(str(error))
            else:
                opened_s = self._wire.timing.monotonic_s()
                await self._serve()
                if self._wire.timing.monotonic_s() - opened_s > self._wire.settings.stable_after_s:
                    attempt = 0
            attempt += 1
            chance = self._wire.timing.random()
            await self._wire.timing.sleep(self._backoff.wait_s(attempt, chance))

    def _adopt(self, connection: Connection) -> None:
        """Put a new connection to use after a loss, or as the first one."""
        connection.want(self.streams)
        self._current = connection
        self._renew.clear()
        self.reconnects += self._was_up
        self._on_up(frozenset(self.streams), self._was_up)
        self._was_up = True
        if self._has_failed:
            self._has_failed = False
            logger.info("%s: connected again", self._url)

    async def _serve(self) -> None:
        """Stay until the connection in use has ended, renewing it when asked to."""
        while (current := self._current) is not None:
            asked = asyncio.create_task(self._renew.wait())
            try:
                await asyncio.wait({asked, current.ended}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                asked.cancel()
            if current.ended.done():
                self._note_failure(current.ended.result())
                self._current = None
                self._on_down(frozenset(self.streams))
                await self._leave(current)
            else:
                await self._renewed(current)

    async def _renewed(self, old: Connection) -> None:
        """Replace the connection in use; when that fails the old one stays for another while."""
        fresh = await self._made_ready()
        self._renew.clear()
        if fresh is None:
            self.failures += 1
            self._no_renewal_before_s = self._wire.timing.monotonic_s() + self._backoff.max_s
            return
        self._beside.add(old)
        self._beside.discard(fresh)
        self._current = fresh
        self.renewals += 1
        self._wire.on_change()
        if old.ended.done():
            self._on_up(frozenset(self.streams), True)
        await self._leave(old)

    async def _made_ready(self) -> Connection | None:
        """Return another connection with everything subscribed, None when that failed."""
        try:
            fresh = await open_connection(self._url, self._wire, self.streams)
        except SourceUnavailable as error:
            logger.debug("no renewal: %s", error)
            return None
        self._beside.add(fresh)
        fresh.want(self.streams)
        if await fresh.settled():
            return fresh
        await self._leave(fresh)
        return None

    async def _leave(self, connection: Connection) -> None:
        self._beside.add(connection)
        await connection.close()
        self._beside.discard(connection)
        self.reply_errors += connection.subscriptions.errors
        self.reply_timeouts += connection.subscriptions.timeouts

    def _open(self) -> list[Connection]:
        return [*self._beside, self._current] if self._current else list(self._beside)

    def _note_failure(self, text: str) -> None:
        self.failures += 1
        self._wire.on_change()
        if not self._has_failed:
            self._has_failed = True
            logger.warning("%s: connection lost or refused (%s); trying again", self._url, text)
