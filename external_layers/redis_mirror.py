"""What other readers find in Redis: the same scores, candles, pairs and events as over HTTP."""

from collections.abc import Collection, Iterable

from external_layers.backend import SERVED
from external_layers.market_watch import PairWatch
from external_layers.scanner.pairlist import pairlist_body
from external_layers.store.event import Event
from external_layers.store.redis_latest import RedisLatest
from scalp_strategy.contract import Component

_PAIRLIST = "pairlist"


class RedisMirror:
    """Writes to Redis what changed since it was last written.

    Every method raises `StoreError` when Redis cannot be reached; what was not written is written
    at the next call.
    """

    def __init__(self, latest: RedisLatest) -> None:
        self.latest = latest
        self._revisions: dict[tuple[str, str], int] = {}

    async def put(self, components: Collection[Component], watches: Iterable[PairWatch]) -> None:
        """Write components, and the candles of pairs that have new ones."""
        if components:
            await self.latest.put(list(components))
        for watch in watches:
            for timeframe in SERVED:
                shelf, key = watch.shelves[timeframe], (watch.pair, timeframe)
                if self._revisions.get(key) != shelf.revision:
                    revision = shelf.revision
                    rows = shelf.last(len(shelf))
                    await self.latest.put_candles(watch.pair, timeframe, rows)
                    self._revisions[key] = revision

    async def put_pairs(self, active: Iterable[str], refresh_s: int, ttl_s: int) -> None:
        """Write the pair list as Freqtrade would read it."""
        await self.latest.put_document(_PAIRLIST, pairlist_body(active, refresh_s), ttl_s)

    async def put_events(self, events: Iterable[Event]) -> int:
        """Write events and return the number of the last one written, 0 when there was none."""
        last = 0
        for event in events:
            await self.latest.put_event(event)
            last = event.number
        return last

    async def close(self) -> None:
        """Let go of the connection."""
        await self.latest.close()
