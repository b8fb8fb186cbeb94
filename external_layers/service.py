"""The sidecar: its parts wired together, its jobs, its start and its end."""

import asyncio
import logging
import math
import random
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Final

import orjson
from aiohttp import ClientSession

from external_layers.backend import Answers
from external_layers.binance.addresses import Addresses
from external_layers.binance.clock import ExchangeClock, keep_clock, measure
from external_layers.binance.markets import parse_exchange_info
from external_layers.binance.messages import MarketKind
from external_layers.binance.pacing import Timing
from external_layers.binance.rest import BinanceRest
from external_layers.binance.streams import StreamManager
from external_layers.bot_watch import bot_watch
from external_layers.demand import Demand, chosen_pairs
from external_layers.loops import Loops
from external_layers.market_watch import MarketWatch
from external_layers.memory import remember
from external_layers.outside import Outside
from external_layers.publisher import Publisher, next_grid_ms
from external_layers.redis_mirror import RedisMirror
from external_layers.run_config import RunConfig
from external_layers.scanner.pairlist import PairlistFile
from external_layers.scanner.scanner import Scan, Scanner
from external_layers.scanner.selection import SelectionState, state_from_json, state_to_json
from external_layers.store.archive import ArchiveWriter
from external_layers.store.archive_reader import ArchiveReader
from external_layers.store.event import Fact
from external_layers.store.events import EventLog
from external_layers.store.redis_latest import RedisLatest
from external_layers.timeline import Timeline, floor_close
from external_layers.tokens import REFERENCE_PAIR, token_of
from external_layers.upkeep import Upkeep
from scalp_strategy.contract import MARKET_WIDE
from scalp_strategy.contract.archive import day_of
from scalp_strategy.errors import PayloadError, StoreError
from scalp_strategy.files import replace_file

logger = logging.getLogger(__name__)

_SCANNER_STATE: Final = "scanner.json"
_EVENTS: Final = "events.jsonl"
_FIRST_LOOK_S: Final = 3.0  # for the exchange's time at the start; it is asked for again
_FIRST_PAIRS_S: Final = 15.0  # for the pairs at the start; outside sources are asked without too
_TOGETHER_S: Final = 0.1
_KEPT_SCANS: Final = 60  # scans for which a pair list stays in Redis
_EVENTS_AT_ONCE: Final = 1_000
_MS_PER_S: Final = 1_000


class Sidecar:
    """Everything that runs in the service's process, apart from its HTTP server.

    Parameters
    ----------
    config
        How it is to run.
    session
        The one client session; it is neither made nor closed here.

    Raises
    ------
    ConfigError
        When another sidecar keeps the same data folder.
    StoreError
        When the data folder cannot be used.
    """

    def __init__(self, config: RunConfig, session: ClientSession) -> None:
        self.config = config
        settings = self.settings = config.settings
        sidecar = settings.sidecar
        self.clock = ExchangeClock(sidecar.feed.clock_jump_ms)
        now = self.clock.now_ms
        self._timing = Timing(now, time.monotonic, asyncio.sleep, random.random)
        self.started_ms = now()
        self.archive = ArchiveWriter(config.data_dir, sidecar.archive, now)
        self.events = EventLog(config.data_dir / _EVENTS, sidecar.events, now)
        self.rest = self._rest(session, config.exchange)
        is_spot = config.kind == "spot"
        self.derivatives_rest = self._rest(session, config.derivatives) if is_spot else self.rest
        self.rests = {"futures": self.derivatives_rest, config.kind: self.rest}
        self._beginning: asyncio.Task[None] | None = None
        self._has_pairs = asyncio.Event()
        self._wanted_changed = asyncio.Event()
        self._has_news = asyncio.Event()
        self._is_stale = asyncio.Event()
        self.watch = MarketWatch(config.kind, settings, self._note_news)
        self.timeline = Timeline(sidecar.history_s)
        self.demand = Demand(sidecar.keep_subscribed_s, sidecar.max_watched)
        self.pairlist = PairlistFile(config.data_dir)
        self.scanner = Scanner(
            self.rest, config.kind, settings.scanner, now, self._remembered_selection()
        )
        self.feeds = {config.kind: self._feed(session, config.exchange)}
        if is_spot:
            self.feeds["futures"] = self._feed(session, config.derivatives)
        self.upkeep = Upkeep(self.rest, self.derivatives_rest, self.watch, settings, now)
        self.outside = Outside(
            config, session, self._timing, self.watch, self._listed_price, self._tell
        )
        self.bot = bot_watch(config, session, self._timing, self._tell)
        past = self.events.after(0, sidecar.events.kept)
        self.outside.resume(past)
        self.bot.resume(past)
        self.publisher = Publisher(
            self.watch, self.timeline, self.archive, now, self.outside.publish
        )
        self.mirror = self._mirror(config.redis_url)
        self.loops = Loops(now, on_change=self._tell_job)
        self.reader = ArchiveReader(config.data_dir)
        self.answers = Answers(
            settings,
            self.watch,
            self.timeline,
            self.demand,
            self.archive,
            self.reader,
            self.events,
            now,
            self._wanted_changed.set,
            self._may_be_wanted,
        )
        self.scan: Scan | None = None
        self._symbols: dict[str, str] = {}
        self._perpetuals: set[str] = set()

    async def start(self) -> None:
        """Set the clock, remember the last hours and begin all jobs."""
        feed = self.settings.sidecar.feed
        with suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_LOOK_S):
                await measure(self.clock, self.rest.clock_sample, feed.clock_samples)
        await asyncio.to_thread(
            remember, self.timeline, self.reader, self.settings, self.clock.now_ms()
        )
        self.outside.check_memory()
        self._seed_pairlist()
        settings = self.settings.sidecar
        loops, jobs = self.loops, settings.jobs
        loops.every(
            jobs.upkeep_s,
            "clock",
            partial(keep_clock, self.clock, self.rest.clock_sample, settings.feed),
        )
        loops.every(self.settings.scanner.refresh_s, "scanner", self._scan)
        loops.whenever(self._until_wanted_changes, "pairs", self._watch_pairs)
        loops.every(jobs.upkeep_s, "candles", self.upkeep.fill_candles)
        loops.every(jobs.books_s, "books", self.upkeep.sync_books)
        loops.every(jobs.upkeep_s, "open interest", self._poll_open_interest)
        loops.whenever(self._until_grid, "scores", self._publish)
        loops.whenever(self._until_ready, "answers", self._prepare)
        loops.every(settings.archive.flush_s, "archive", self._flush)
        loops.every(jobs.merge_s, "merging", self._merge)
        loops.whenever(self.outside.until_waiting, "events", self.outside.tell_waiting)
        loops.every(self.settings.sources.save_s, "slow layers", self.outside.save)
        loops.every(self.bot.look_s, "bot", self.bot.look)
        loops.whenever(self.bot.until_untold, "chat", self.bot.tell_chat)
        if self.mirror is not None:
            loops.whenever(self._until_news, "redis", self._mirror_all)
        if self.config.kind == "spot":
            loops.whenever(self._until_perpetuals_are_due, "perpetuals", self._list_perpetuals)
        self._beginning = asyncio.create_task(self._begin_outside())

    async def stop(self) -> None:
        """End everything; what was given out is on the disk then."""
        if self._beginning is not None:
            self._beginning.cancel()
            await asyncio.wait([self._beginning])
        await self.loops.stop()
        await self.bot.stop()
        await self.outside.stop()
        await asyncio.gather(*(feed.close() for feed in self.feeds.values()))
        if self.mirror is not None:
            await self.mirror.close()
        await asyncio.to_thread(self.archive.close)
        self.events.close()

    def _may_be_wanted(self, pair: str) -> bool:
        # Before the first scan nobody knows what is listed; what is not is left out after it.
        return pair in self._symbols or not self._symbols

    async def _begin_outside(self) -> None:
        """Ask the outside sources once pairs are known: what to ask about, and what it is worth.

        A transfer that nobody can value is lost, and a source that knows no tokens to ask about
        has to wait for its next turn, which may be in a quarter of an hour.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_PAIRS_S):
                await self._has_pairs.wait()
        await self.outside.start()

    # ---- jobs ----

    async def _scan(self) -> None:
        self.scan = scan = await self.scanner.scan()
        self._symbols = {each.pair: each.symbol for each in scan.metrics.values()}
        self._wanted_changed.set()
        for change in scan.changes:
            logger.info("%s %s: %s", change.pair, change.kind.replace("_", " "), change.reason)
            # Each waits for the disk.
            await asyncio.to_thread(self._tell, change.kind, change.reason, change.pair)
        refresh_s = self.settings.scanner.refresh_s
        await asyncio.to_thread(self.pairlist.save, scan.active, refresh_s)
        state = orjson.dumps(state_to_json(self.scanner.state))
        await asyncio.to_thread(replace_file, self.config.data_dir / _SCANNER_STATE, state)

    async def _watch_pairs(self) -> None:
        asked = [pair for pair in self.demand.wanted(self.clock.now_ms()) if pair in self._symbols]
        active = [pair for pair in self.scanner.state.active if pair in self._symbols]
        always = [pair for pair in (REFERENCE_PAIR[self.config.kind],) if pair in self._symbols]
        chosen = chosen_pairs([*always, *active], asked, self.settings.sidecar.max_watched)
        self.watch.watch({self._symbols[pair]: pair for pair in chosen})
        if chosen:
            self._has_pairs.set()
        await self.feeds[self.config.kind].set_streams(self.watch.streams())
        if self.config.kind == "spot":
            await self.feeds["futures"].set_streams(self.watch.derived_streams(self._perpetuals))

    async def _poll_open_interest(self) -> None:
        is_spot = self.config.kind == "spot"
        await self.upkeep.poll_open_interest(self._perpetuals if is_spot else self.watch.symbols)

    async def _list_perpetuals(self) -> None:
        info = await self.derivatives_rest.get("/fapi/v1/exchangeInfo", weight=1)
        self._perpetuals = set(parse_exchange_info(info, "futures"))
        self._wanted_changed.set()

    async def _until_perpetuals_are_due(self) -> None:
        jobs = self.settings.sidecar.jobs
        await asyncio.sleep(jobs.perpetuals_s if self._perpetuals else jobs.retry_s)

    async def _publish(self) -> None:
        await self.publisher.publish()
        self._note_news()

    def _note_news(self) -> None:
        self._has_news.set()
        self._is_stale.set()

    async def _prepare(self) -> None:
        self.answers.prepare()

    async def _until_ready(self) -> None:
        """Wait for news and a moment more: at a close the candles of all pairs come together."""
        await self._is_stale.wait()
        await asyncio.sleep(_TOGETHER_S)
        self._is_stale.clear()

    async def _mirror_all(self) -> None:
        if self.mirror is None:
            return
        now, watches = self.clock.now_ms(), self.watch.watches
        # At a close too: whoever reads a moment after it must find what was known by then.
        pairs = [MARKET_WIDE, *watches]
        known = [
            one
            for pair in pairs
            for at in (floor_close(now), now)
            for one in self.timeline.last_words(pair, None, at)
        ]
        await self.mirror.put(known, watches.values())
        refresh_s = self.settings.scanner.refresh_s
        await self.mirror.put_pairs(self.scanner.state.active, refresh_s, refresh_s * _KEPT_SCANS)
        await self.mirror.put_events(self.events, _EVENTS_AT_ONCE)

    async def _until_news(self) -> None:
        await self._has_news.wait()
        self._has_news.clear()

    async def _flush(self) -> None:
        await asyncio.to_thread(self.archive.flush)
        if (error := self.archive.state.error) is not None:
            raise error

    async def _merge(self) -> None:
        await asyncio.to_thread(self.archive.merge_due)
        await asyncio.to_thread(self.archive.expire, day_of(self.clock.now_ms()))

    async def _until_grid(self) -> None:
        now = self.clock.now_ms()
        await asyncio.sleep((next_grid_ms(now, self.settings) - now) / _MS_PER_S)

    async def _until_wanted_changes(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wanted_changed.wait(), self.settings.sidecar.jobs.pairs_s)
        self._wanted_changed.clear()

    # ---- parts ----

    def _rest(self, session: ClientSession, addresses: Addresses) -> BinanceRest:
        return BinanceRest(session, addresses, self.settings.sidecar.feed, self._timing)

    def _feed(self, session: ClientSession, addresses: Addresses) -> StreamManager:
        kind: MarketKind = addresses.kind
        return StreamManager(
            session,
            addresses,
            self.settings.sidecar.feed,
            self._timing,
            partial(self.watch.on_frame, kind),
            self.watch.on_gap,
        )

    def _mirror(self, url: str | None) -> RedisMirror | None:
        if url is None:
            return None
        latest = RedisLatest(url, self.clock.now_ms, self.settings.sidecar.latest)
        return RedisMirror(latest)

    def _listed_price(self, token: str) -> float:
        metrics = self.scan.metrics.values() if self.scan else ()
        named = ((token_of(each.pair), each.price) for each in metrics)
        return next((price / one.bundle for one, price in named if one.ticker == token), math.nan)

    def _tell_job(self, job: str, problem: str | None) -> None:
        kind = "source_failed" if problem else "source_recovered"
        self._tell(kind, f"{job}: {problem or 'works again'}", None)

    def _tell(
        self, kind: str, text: str, pair: str | None, data: Mapping[str, Fact] | None = None
    ) -> None:
        try:
            self.events.append(kind, text, pair, data)
        except StoreError as error:
            logger.error("event lost: %s: %s", text, error)  # noqa: TRY400 - no bug, no trace

    # ---- memory over a restart ----

    def _remembered_selection(self) -> SelectionState | None:
        path = self.config.data_dir / _SCANNER_STATE
        try:
            state = state_from_json(orjson.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, orjson.JSONDecodeError, PayloadError) as error:
            logger.warning("%s is not used: %s", path, error)
            return None
        is_own = all(is_of_market(pair, self.config.kind) for pair in state.active)
        return state if is_own else None

    def _seed_pairlist(self) -> None:
        seed_pairlist(
            self.pairlist, self.config.pairs, self.config.kind, self.settings.scanner.refresh_s
        )


def is_of_market(pair: str, kind: MarketKind) -> bool:
    """Return whether Freqtrade's name of a pair is one of that market.

    Examples
    --------
    >>> is_of_market("BTC/USDT:USDT", "futures"), is_of_market("BTC/USDT:USDT", "spot")
    (True, False)
    """
    return (":" in pair) == (kind == "futures")


def seed_pairlist(
    file: PairlistFile, pairs: Iterable[str], kind: MarketKind, refresh_s: int
) -> list[str]:
    """Make sure that the bot finds a pair list: the last known of this market, else the config's.

    Returns
    -------
    list of str
        The pairs that the file holds now.

    Raises
    ------
    StoreError
        When the file cannot be written.
    """
    try:
        known = file.load()
    except StoreError as error:
        logger.warning("the pair list is made anew: %s", error)
        known = []
    if known and all(is_of_market(pair, kind) for pair in known):
        return known
    wanted = list(pairs)
    file.save(wanted, refresh_s)
    return wanted
