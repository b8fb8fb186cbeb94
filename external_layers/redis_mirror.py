"""What other readers find in Redis: the same scores, candles, pairs and events as over HTTP."""

from collections.abc import Collection, Iterable

from external_layers.backend import SERVED
from external_layers.candles import CandleShelf
from external_layers.market_watch import PairWatch
from external_layers.scanner.pairlist import pairlist_body
from external_layers.store.events import EventLog
from external_layers.store.redis_latest import RedisLatest
from scalp_strategy.contract import Component
from scalp_strategy.errors import StoreError

_PAIRLIST = "pairlist"


class RedisMirror:
    """Writes to Redis what changed since it was last written.

    Every method raises `StoreError` when Redis cannot be reached; what was not written is written
    at the next call.
    """

    def __init__(self, latest: RedisLatest) -> None:
        self.latest = latest
        self._written: dict[tuple[str, str], tuple[CandleShelf, int]] = {}
        self._told = 0

    async def put(self, components: Collection[Component], watches: Iterable[PairWatch]) -> None:
        """Write components, and the candles of pairs that have new ones."""
        try:
            if components:
                await self.latest.put(list(components))
            for watch in watches:
                for timeframe in SERVED:
                    await self._put_candles(watch.pair, timeframe, watch.shelves[timeframe])
        except StoreError:
            # It may come back empty: then everything has to be written again.
            self._written.clear()
            self._told = 0
            raise

    async def _put_candles(self, pair: str, timeframe: str, shelf: CandleShelf) -> None:
        state = (shelf, shelf.revision)
        if self._written.get((pair, timeframe)) != state:
            await self.latest.put_candles(pair, timeframe, shelf.last(len(shelf)))
            self._written[pair, timeframe] = state

    async def put_pairs(self, active: Iterable[str], refresh_s: int, ttl_s: int) -> None:
        """Write the pair list as Freqtrade would read it."""
        await self.latest.put_document(_PAIRLIST, pairlist_body(active, refresh_s), ttl_s)

    async def put_events(self, log: EventLog, most: int) -> None:
        """Write the events that were not written yet, at most so many at once."""
        for event in log.after(self._told, most):
            await self.latest.put_event(event)
            self._told = event.number

    async def close(self) -> None:
        """Let go of the connection."""
        await self.latest.close()
