"""Looks at the whole market once a minute and keeps the list of the pairs worth trading.

Each scan asks for all 24-hour and all book tickers, once an hour for the market list. Candles are
asked for once per closed 15m candle, only of pairs that volume, spread and change let through;
books every few minutes, only of pairs that miss nothing else. Active pairs come first, then the
best by the score they could reach, as far as `weight_per_min` reaches: that spreads the rest over
the next scans.

Request weight a minute at the defaults, 500 symbols of which 300 pass the ticker filters and 120
are asked for their book (official weights; the exchange allows 2,400 on futures, 6,000 on spot):

=====================  =======  =====
question               futures  spot
=====================  =======  =====
ticker/24hr, all       40       80
ticker/bookTicker, all 5        4
klines, 300 in 15 min  40       40
depth, 120 in 5 min    120      120
together               205      244
most, any minute       570      668
=====================  =======  =====

The last line is two scans in one minute of the clock, each with its whole `weight_per_min`.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import isnan
from typing import Final

from external_layers.binance.messages import MarketKind
from external_layers.scanner.metrics import (
    PairMetrics,
    deserves_book,
    measured,
    passes_ticker_filters,
)
from external_layers.scanner.reader import MarketReader, RestClient
from external_layers.scanner.scores import potential
from external_layers.scanner.selection import (
    PairEvent,
    Selection,
    SelectionState,
    select,
)
from scalp_strategy.setting_groups.scanner import ScannerSettings

_PAIRS_AT_ONCE: Final = 50
_LISTING_UNKNOWN: Final = "listing is unknown: the market list is too old"


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scan found.

    Attributes
    ----------
    at_ms
        When it ended, epoch milliseconds.
    metrics
        Of every listed pair, by pair.
    active
        Active pairs, best first.
    changes
        Who joined and who left.
    shortage
        In words, when fewer pairs are active than are aimed for; else None.
    failed, dropped
        Questions without an answer and unreadable rows in this scan, by question.
    samples
        One error message of each question that had any.
    weight
        Request weight it asked for.
    """

    at_ms: int
    metrics: Mapping[str, PairMetrics]
    active: tuple[str, ...]
    changes: tuple[PairEvent, ...]
    shortage: str | None
    failed: Mapping[str, int]
    dropped: Mapping[str, int]
    samples: Mapping[str, str]
    weight: int


class Scanner:
    """Scans one market; call `scan` every `refresh_s` seconds.

    Parameters
    ----------
    rest
        The client of this market; its errors are those of the error tree.
    kind
        Spot or futures.
    settings
        Filters, scores, hysteresis, requests.
    now_ms
        The exchange's clock, epoch milliseconds.
    state
        Of an earlier run, see `selection.state_from_json`; its pairs stay active until a scan
        says otherwise.
    """

    def __init__(
        self,
        rest: RestClient,
        kind: MarketKind,
        settings: ScannerSettings,
        now_ms: Callable[[], int],
        state: SelectionState | None = None,
    ) -> None:
        self.state = state or SelectionState()
        self._settings = settings
        self._now_ms = now_ms
        self._reader = MarketReader(rest, kind, settings, now_ms)

    async def scan(self) -> Scan:
        """Look at the market once and return what was found; failures are counted, not raised."""
        await self._reader.read_lists()
        await self._reader.read_symbols(self._worth_a_look(), self._wants_book)
        now = self._now_ms()
        metrics = await self._metrics(now)
        selection = self._selection(metrics, now)
        self.state = selection.state
        trouble = self._reader.trouble
        return Scan(
            at_ms=now,
            metrics=metrics,
            active=selection.active,
            changes=selection.changes,
            shortage=selection.shortage,
            failed=dict(trouble.failed),
            dropped=dict(trouble.dropped),
            samples=dict(trouble.samples),
            weight=self._reader.weight,
        )

    def _worth_a_look(self) -> list[str]:
        """Return the symbols whose candles matter, the most important first."""
        now, knowledge, settings = self._now_ms(), self._reader.knowledge, self._settings
        ranks: dict[str, tuple[bool, float, str]] = {}
        for symbol, market in knowledge.listed.items():
            readings = knowledge.readings(symbol, now)
            is_active = market.pair in self.state.active
            if is_active or passes_ticker_filters(readings, settings):
                best = potential(readings, settings)
                ranks[symbol] = (not is_active, 0.0 if isnan(best) else -best, symbol)
        return sorted(ranks, key=lambda symbol: ranks[symbol])

    def _wants_book(self, symbol: str) -> bool:
        knowledge = self._reader.knowledge
        if knowledge.listed[symbol].pair in self.state.active:
            return True
        return deserves_book(knowledge.readings(symbol, self._now_ms()), self._settings)

    async def _metrics(self, now: int) -> dict[str, PairMetrics]:
        knowledge = self._reader.knowledge
        has_listing = knowledge.has_listing(now)
        found: dict[str, PairMetrics] = {}
        for count, (symbol, market) in enumerate(knowledge.listed.items()):
            if count % _PAIRS_AT_ONCE == 0:
                await asyncio.sleep(0)  # the streams of the same loop go first
            times = (knowledge.observed_at_ms(symbol, now), knowledge.ages_s(symbol, now))
            names = (market.pair, symbol)
            metrics = measured(names, knowledge.readings(symbol, now), self._settings, times)
            found[market.pair] = metrics if has_listing else _without_listing(metrics)
        return found

    def _selection(self, metrics: Mapping[str, PairMetrics], now: int) -> Selection:
        if metrics:
            return select(self.state, metrics, self._settings, now)
        shortage = "the market list is not known yet"
        return Selection(self.state, tuple(self.state.active), (), shortage)


def _without_listing(metrics: PairMetrics) -> PairMetrics:
    reasons = (*metrics.reasons, _LISTING_UNKNOWN)
    return replace(metrics, qualified=False, reasons=reasons)
