"""How the sidecar is, in one document; reading it changes nothing."""

import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

import orjson
import psutil

from external_layers.binance.counters import UNKNOWN, FeedCounters
from external_layers.binance.feed_state import FeedState
from external_layers.binance.rest import BinanceRest
from external_layers.scanner.pairlist import pairlist_body
from external_layers.service import Sidecar
from external_layers.source_health import source_problems, source_report

OK: Final = "ok"
STARTING: Final = "starting"
DEGRADED: Final = "degraded"
DOWN: Final = "down"
_MS_PER_S: Final = 1_000


class Report:
    """Puts a sidecar's state into words and numbers; the backend of the HTTP interface.

    Parameters
    ----------
    sidecar
        The running sidecar.
    """

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar
        self._begun_ms = sidecar.clock.monotonic_ms()
        self._process = psutil.Process(os.getpid())
        self._process.cpu_percent()

    # ---- what the HTTP interface passes on ----

    async def scores(self, pairs: list[str], at_ms: int | None, since_ms: int | None) -> bytes:
        """Return components and candles of pairs as of an instant."""
        self._sidecar.bot.asked_for_scores(at_ms)
        return await self._sidecar.answers.scores(pairs, at_ms, since_ms)

    async def history(self, layer: str, pair: str, since_ms: int, limit: int) -> bytes:
        """Return a pair's components of a layer since an instant."""
        return await self._sidecar.answers.history(layer, pair, since_ms, limit)

    def events(self, after: int, limit: int) -> bytes:
        """Return the events after a number."""
        self._sidecar.bot.asked_for_events()
        return self._sidecar.answers.events(after, limit)

    def pairlist(self) -> bytes:
        """Return the active pairs as Freqtrade's RemotePairList reads them."""
        active = list(self._sidecar.scanner.state.active) or self._sidecar.config.pairs
        return pairlist_body(active, self._sidecar.settings.scanner.refresh_s)

    def pairs(self) -> bytes:
        """Return the scanner's figures of every pair, and what the layers say of the watched."""
        sidecar = self._sidecar
        scan = sidecar.scan
        figures = {pair: asdict(each) for pair, each in scan.metrics.items()} if scan else {}
        watched = list(sidecar.watch.watches)
        for pair in watched:
            figures.setdefault(pair, {})["layers"] = sidecar.answers.layers(pair)
        return orjson.dumps(
            {
                "scanned_at_ms": scan.at_ms if scan else None,
                "active": list(sidecar.scanner.state.active),
                "watched": watched,
                "pairs": figures,
            }
        )

    # ---- health ----

    def health(self) -> dict[str, Any]:
        """Return the state of every part, and what is wrong in words."""
        sidecar = self._sidecar
        now = sidecar.clock.now_ms()
        problems = list(self._problems(now))
        return {
            "status": self._status(now, problems),
            "problems": problems,
            "started_at_ms": sidecar.started_ms,
            "now_ms": now,
            "market": sidecar.config.kind,
            "clock_offset_ms": -sidecar.clock.skew_ms() if sidecar.clock.measured_at_ms else None,
            "feeds": {kind: self._feed(kind) for kind in sidecar.feeds},
            "books": self._books(),
            "scores": self._scores(now),
            "rest": {kind: _rest(client) for kind, client in sidecar.rests.items()},
            "bot": sidecar.bot.report(),
            "jobs": self._jobs(),
            "store": self._store(),
            "scanner": self._scanner(),
            "sources": source_report(sidecar.outside.runner.states(), sidecar.settings, now),
            "process": self._usage(),
        }

    def _status(self, now: int, problems: list[str]) -> str:
        sidecar = self._sidecar
        feed = sidecar.feeds[sidecar.config.kind].state()
        is_new = (
            sidecar.clock.monotonic_ms() - self._begun_ms
            < sidecar.settings.sidecar.jobs.start_s * _MS_PER_S
        )
        if feed.streams:
            silence_ms = (
                sidecar.settings.sidecar.feed.silence_fast_s
                * sidecar.settings.sidecar.jobs.silences
                * _MS_PER_S
            )
            is_heard = _is_heard(feed, now - silence_ms)
        else:
            is_heard = sidecar.scan is not None and bool(sidecar.scan.metrics)
        if not is_heard:
            return STARTING if is_new else DOWN
        if problems or not feed.streams:
            return STARTING if is_new else DEGRADED
        return OK

    def _problems(self, now: int) -> Iterator[str]:
        sidecar = self._sidecar
        for state in sidecar.loops.states.values():
            if state.problem is not None:
                yield f"{state.name}: {state.problem}"
        for kind, feed in sidecar.feeds.items():
            yield from _feed_problems(kind, feed.state())
            yield from _channel_problems(kind, sidecar.watch.counters[kind])
        yield from source_problems(sidecar.outside.runner.states())
        if sidecar.bot.is_silent:
            yield sidecar.bot.words()
        if sidecar.bot.problem is not None:
            yield f"the chat is not told about the bot: {sidecar.bot.problem}"
        if sidecar.upkeep.refused:
            yield f"open interest refused by the exchange: {_some(sidecar.upkeep.refused)}"
        yield from self._unknown_components(now)
        unsynced = sidecar.watch.unsynced()
        if unsynced:
            yield f"books without a snapshot: {_some(sorted(unsynced))}"
        if sidecar.scan is not None and sidecar.scan.shortage:
            yield f"scanner: {sidecar.scan.shortage}"
        late_ms = (
            sidecar.settings.sidecar.publish_s
            * _MS_PER_S
            * sidecar.settings.sidecar.jobs.late_grids
        )
        published = sidecar.publisher.published_ms
        if published and now - published > late_ms:
            yield f"scores: the last are {(now - published) / _MS_PER_S:.0f} s old"

    def _unknown_components(self, now: int) -> Iterator[str]:
        """Name components that no pair knows although there was time enough to learn them."""
        sidecar = self._sidecar
        age_ms = sidecar.clock.monotonic_ms() - self._begun_ms
        if age_ms < sidecar.settings.sidecar.jobs.unknown_s * _MS_PER_S:
            return
        is_known: dict[str, bool] = {}
        for pair in sidecar.watch.watches:
            for one in sidecar.timeline.as_of(pair, now):
                is_known[one.name] = is_known.get(one.name, False) or one.is_known
        unknown = sorted(name for name, known in is_known.items() if not known)
        if unknown:
            yield f"unknown for all pairs: {', '.join(unknown)}"

    def _feed(self, kind: Any) -> dict[str, Any]:
        state = self._sidecar.feeds[kind].state()
        counters = self._sidecar.watch.counters[kind]
        channels = {
            name: {
                "received": each.received,
                "passed": each.passed,
                "dropped": each.dropped,
                "gaps": each.gaps,
                "lag_ms": each.mean_lag_ms,
                "last_dropped": each.sample,
            }
            for name, each in counters.channels.items()
        }
        return {
            "streams": {name: asdict(each) for name, each in state.streams.items()},
            "connections": [asdict(each) for each in state.connections],
            "channels": channels,
            "queued": state.queued,
            "dropped_in_queue": state.dropped,
        }

    def _books(self) -> dict[str, Any]:
        return {
            pair: {
                "is_synced": watch.keeper.is_synced,
                "update_id": watch.keeper.book.update_id,
                **watch.keeper.counts,
            }
            for pair, watch in self._sidecar.watch.watches.items()
        }

    def _scores(self, now: int) -> dict[str, Any]:
        published = self._sidecar.publisher.published_ms
        return {
            "pairs": len(self._sidecar.watch.symbols),
            "age_s": (now - published) / _MS_PER_S if published else None,
            "every_s": self._sidecar.settings.sidecar.publish_s,
            "unvalued_transfers": self._sidecar.outside.layers.onchain.unvalued,
        }

    def _jobs(self) -> dict[str, Any]:
        return {name: asdict(state) for name, state in self._sidecar.loops.states.items()}

    def _store(self) -> dict[str, Any]:
        state = self._sidecar.archive.state
        mirror = self._sidecar.mirror
        return {
            "waiting_rows": state.waiting_rows,
            "written_rows": state.written_rows,
            "dropped_rows": state.dropped_rows,
            "error": str(state.error) if state.error else None,
            "redis": None if mirror is None else not mirror.latest.is_degraded,
            "redis_configured": mirror is not None,
        }

    def _scanner(self) -> dict[str, Any]:
        scan = self._sidecar.scan
        if scan is None:
            return {"scanned_at_ms": None}
        return {
            "scanned_at_ms": scan.at_ms,
            "listed": len(scan.metrics),
            "active": len(scan.active),
            "shortage": scan.shortage,
            "failed": dict(scan.failed),
            "dropped": dict(scan.dropped),
            "samples": dict(scan.samples),
            "weight": scan.weight,
        }

    def _usage(self) -> dict[str, Any]:
        return {
            "pid": self._process.pid,
            "rss_mb": self._process.memory_info().rss / 1e6,
            "cpu_percent": self._process.cpu_percent(),
            "machine_memory_percent": psutil.virtual_memory().percent,
            "uptime_s": time.time() - self._process.create_time(),
        }


def _rest(client: BinanceRest) -> dict[str, Any]:
    counters, budget = client.counters, client.budget
    return {
        "requests": counters.requests,
        "retries": counters.retries,
        "weight": counters.weight,
        "weight_this_minute": budget.total,
        "blocked_until_ms": budget.blocked_until_ms,
        "waited_s": counters.waited_s,
        "errors": dict(counters.errors),
    }


def _is_heard(feed: FeedState, since_ms: float) -> bool:
    is_up = any(each.is_settled for each in feed.connections)
    return is_up and any((each.last_ms or 0) >= since_ms for each in feed.streams.values())


def _feed_problems(kind: str, state: FeedState) -> Iterator[str]:
    down = sum(each.since_ms is None for each in state.connections)
    silent = sorted(name for name, each in state.streams.items() if each.is_silent)
    refused = sorted(name for name, each in state.streams.items() if each.is_refused)
    if down:
        yield f"{kind}: {down} of {len(state.connections)} connections are down"
    if silent:
        yield f"{kind}: silent: {_some(silent)}"
    if refused:
        yield f"{kind}: refused by the exchange: {_some(refused)}"
    if state.consumer_errors:
        yield f"{kind}: {state.consumer_errors} messages could not be handled (a bug)"


def _channel_problems(kind: str, counters: FeedCounters) -> Iterator[str]:
    for name, each in counters.channels.items():
        dropped = sum(each.dropped.values())
        if name != UNKNOWN and dropped and not each.passed:
            yield f"{kind}: no message of {name} is understood ({dropped} dropped: {each.sample})"


def _some(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
