"""Answers of the sidecar: what is at hand, encoded; reading changes nothing but the demand."""

import asyncio
from collections.abc import Callable, Collection
from itertools import islice
from typing import Any, Final

import orjson
from fastapi import HTTPException

from external_layers.candles import LENGTH_MS, CandleShelf
from external_layers.demand import Demand
from external_layers.market_watch import MarketWatch, PairWatch
from external_layers.store.archive import ArchiveWriter
from external_layers.store.archive_reader import ArchiveReader
from external_layers.store.events import EventLog
from external_layers.timeline import Timeline, floor_close
from scalp_strategy.contract import CANDLE_MS, MARKET_WIDE, SCHEMA_VERSION, combine, to_wire
from scalp_strategy.errors import StoreError
from scalp_strategy.setting_groups.layer_rules import rules_of
from scalp_strategy.settings import Settings

SERVED: Final = ("5m", "1m")  # what the multi-timeframe check reads
_WAIT_S: Final = 0.01
_NO_FRAGMENT: Final = b'{"components":[],"candles":{}}'


class Answers:
    """Encodes what the HTTP interface and Redis give out.

    Parameters
    ----------
    settings
        The effective settings.
    watch, timeline, demand
        The watched pairs, what is at hand of them, and who was asked for.
    archive, reader
        Writer and reader of the archive.
    events
        Numbered events.
    now_ms
        The exchange's clock.
    on_new_pairs
        Called when pairs are asked for that were not wanted before.
    is_listed
        Whether the exchange trades a pair: only those can be wanted.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of the service
        self,
        settings: Settings,
        watch: MarketWatch,
        timeline: Timeline,
        demand: Demand,
        archive: ArchiveWriter,
        reader: ArchiveReader,
        events: EventLog,
        now_ms: Callable[[], int],
        on_new_pairs: Callable[[], None],
        is_listed: Callable[[str], bool],
    ) -> None:
        self._settings = settings
        self._watch = watch
        self._timeline = timeline
        self._demand = demand
        self._archive = archive
        self._reader = reader
        self._events = events
        self._now_ms = now_ms
        self._on_new_pairs = on_new_pairs
        self._is_listed = is_listed
        self._rules = rules_of(settings)

    async def scores(self, pairs: list[str], at_ms: int | None, since_ms: int | None) -> bytes:
        """Return components and candles of pairs as of an instant, and note that they are wanted.

        An answer for a close that has just been waits a moment for the candles that ended there.
        Nobody knows the future: one for an instant still to come is as of now, and says so.

        Raises
        ------
        HTTPException
            422 when the past instant is none of the closes that are at hand.
        """
        now = self._now_ms()
        at = now if at_ms is None else at_ms
        self._check_instant(at, now)
        watches = self._watch.watches
        if self._demand.ask((pair for pair in pairs if self._is_listed(pair)), now):
            self._on_new_pairs()
        await self._wait_for_candles([watches[pair] for pair in pairs if pair in watches], at, now)
        at = min(at, self._now_ms())
        span = (since_ms, at)
        parts = [self._part(pair, span, watches) for pair in dict.fromkeys([*pairs, MARKET_WIDE])]
        return b'{"schema":%d,"at_ms":%d,"pairs":{%b}}' % (SCHEMA_VERSION, at, b",".join(parts))

    def prepare(self) -> None:
        """Encode what a bot that keeps up will ask for: what the last candle brought."""
        watches = self._watch.watches
        close = floor_close(self._now_ms())
        for pair in (*watches, MARKET_WIDE):
            self._part(pair, (close - CANDLE_MS, close), watches)

    async def history(self, layer: str, pair: str, since_ms: int, limit: int) -> bytes:
        """Return a pair's components of a layer since an instant, as the archive has them."""
        try:
            rows = await asyncio.to_thread(self._read_history, layer, pair, since_ms, limit + 1)
        except StoreError as error:
            raise HTTPException(503, str(error)) from error
        return orjson.dumps(
            {
                "layer": layer,
                "pair": pair,
                "components": rows[:limit],
                "is_complete": len(rows) <= limit,
            }
        )

    def events(self, after: int, limit: int) -> bytes:
        """Return the events after a number, oldest first."""
        found = self._events.after(after, limit)
        last = found[-1].number if found else after
        return orjson.dumps({"events": [event.to_json() for event in found], "last_number": last})

    def layers(self, pair: str) -> dict[str, Any]:
        """Return what the layers say of a pair now, as the strategy would combine it."""
        now = self._now_ms()
        words = self._timeline.last_words
        known = [*words(pair, None, now), *words(MARKET_WIDE, None, now)]
        scores = ((rules.layer, combine(known, rules, now)) for rules in self._rules)
        return {
            layer: {
                "long": score.long,
                "short": score.short,
                "reliability": score.reliability,
                "reasons": score.reasons,
                "ages_s": score.ages_s,
            }
            for layer, score in scores
        }

    def _check_instant(self, at: int, now: int) -> None:
        if at % CANDLE_MS and at < floor_close(now):
            raise HTTPException(422, f"at = {at}: of the past only 15m closes are at hand")
        if at < now - self._settings.sidecar.history_s * 1_000:
            raise HTTPException(422, f"at = {at}: too long ago; ask /v1/scores/LAYER/history")

    async def _wait_for_candles(self, watches: Collection[PairWatch], at: int, now: int) -> None:
        sidecar = self._settings.sidecar
        deadline = min(now + sidecar.candle_wait_ms, at + sidecar.candle_wait_until_ms)
        while self._now_ms() < deadline and not all(_has_candles(each, at) for each in watches):
            await asyncio.sleep(_WAIT_S)

    def _part(
        self, pair: str, span: tuple[int | None, int], watches: dict[str, PairWatch]
    ) -> bytes:
        watch = watches.get(pair)
        if watch is None and pair not in self._timeline:
            return orjson.dumps(pair) + b":" + _NO_FRAGMENT
        shelves: dict[str, CandleShelf] = {}
        if watch is not None:
            shelves = {timeframe: watch.shelves[timeframe] for timeframe in SERVED}
        rows = self._settings.sidecar.candle_rows
        return orjson.dumps(pair) + b":" + self._timeline.fragment(pair, span, shelves, rows)

    def _read_history(self, layer: str, pair: str, since_ms: int, most: int) -> list[list[Any]]:
        self._archive.flush()
        found = self._reader.components(layer, pair, since_ms)
        return [to_wire(one) for one in islice(found, most)]


def _has_candles(watch: PairWatch, at: int) -> bool:
    return all(
        watch.shelves[timeframe].closed_ms >= at // LENGTH_MS[timeframe] * LENGTH_MS[timeframe]
        for timeframe in SERVED
    )
