"""Asks the exchange what the scanner needs and keeps the last good answers."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Protocol, TypeVar

from external_layers.binance.markets import parse_exchange_info
from external_layers.binance.messages import MarketKind
from external_layers.scanner.answers import Drop, book, book_tickers, closed_candles, day_tickers
from external_layers.scanner.knowledge import CandleSummary, Held, Knowledge
from external_layers.scanner.questions import (
    BOOK_LEVELS,
    Endpoint,
    WeightBucket,
    questions_to,
)
from external_layers.scanner.scores import atr_pct, depth_usdt
from scalp_strategy.contract import CANDLE_MS
from scalp_strategy.errors import PayloadError, RateLimited, ScalpError
from scalp_strategy.setting_groups.scanner import ScannerSettings

Answer = TypeVar("Answer")
Params = dict[str, str | int]


class RestClient(Protocol):
    """A REST client of one market."""

    async def get(
        self, path: str, params: Mapping[str, str | int] | None = None, *, weight: int
    ) -> Any:
        """Return the decoded JSON of a GET request.

        Raises
        ------
        SourceUnavailable, SourceRejected, PayloadError
            When there is no answer, a refusal, or garbage.
        """


class Trouble:
    """What went wrong in a scan: failed questions, dropped rows, one sample of each."""

    def __init__(self) -> None:
        self.failed: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.samples: dict[str, str] = {}
        self.is_limited = False

    def fail(self, name: str, error: Exception) -> None:
        """Count a question without an answer."""
        self.failed[name] += 1
        self.is_limited |= isinstance(error, RateLimited)
        self.samples.setdefault(name, str(error))

    def drop(self, name: str, error: PayloadError) -> None:
        """Count an unreadable row."""
        self.dropped[name] += 1
        self.samples.setdefault(name, str(error))


class MarketReader:
    """Keeps `knowledge` fresh; a failed question leaves the last good values and is counted.

    Parameters
    ----------
    rest
        The client of this market.
    kind
        Spot or futures.
    settings
        What to ask and how often.
    now_ms
        The exchange's clock, epoch milliseconds.
    """

    def __init__(
        self,
        rest: RestClient,
        kind: MarketKind,
        settings: ScannerSettings,
        now_ms: Callable[[], int],
    ) -> None:
        self.knowledge = Knowledge(settings.requests)
        self.trouble = Trouble()
        self.weight = 0
        self._rest = rest
        self._kind: MarketKind = kind
        self._settings = settings
        self._now_ms = now_ms
        self._rows = settings.min_history_candles + 1
        self._questions = questions_to(kind, self._rows)
        requests = settings.requests
        self._bucket = WeightBucket(requests.weight_per_min, settings.refresh_s, now_ms())
        self._failed_ms: dict[tuple[str, str], int] = {}

    async def read_lists(self) -> None:
        """Ask for the market list when it is due, and for all tickers."""
        self.trouble, self.weight = Trouble(), 0
        await asyncio.gather(self._read_markets(), self._read_day(), self._read_best())

    async def read_symbols(self, symbols: Iterable[str], wants_book: Callable[[str], bool]) -> None:
        """Ask for candles and books that are due, in this order, until the weight is used up.

        Parameters
        ----------
        symbols
            The most important first.
        wants_book
            Called with a symbol once its candles have been looked at.
        """
        queue = iter(symbols)
        count = self._settings.requests.concurrency
        await asyncio.gather(*(self._work(queue, wants_book) for _ in range(count)))

    async def _work(self, queue: Iterator[str], wants_book: Callable[[str], bool]) -> None:
        for symbol in queue:
            if self._are_candles_due(symbol) and not await self._read_candles(symbol):
                return
            is_wanted = self._is_depth_due(symbol) and wants_book(symbol)
            if is_wanted and not await self._read_depth(symbol):
                return

    async def _read_markets(self) -> None:
        question, now = self._questions.markets, self._now_ms()
        held = self.knowledge.markets
        every_ms = self._settings.requests.markets_every_s * 1_000
        if (held and now - held.at_ms < every_ms) or self._has_just_failed(question, ""):
            return
        drop = self._drop(question)
        found = await self._ask(question, lambda body: parse_exchange_info(body, self._kind, drop))
        if found is not None:
            self.knowledge.list_markets(found, self._now_ms())

    async def _read_day(self) -> None:
        question = self._questions.day_tickers
        drop = self._drop(question)
        found = await self._ask(question, partial(day_tickers, drop=drop)) or {}
        for symbol, row in found.items():
            self.knowledge.day_tickers[symbol] = Held(row, self._now_ms())

    async def _read_best(self) -> None:
        question = self._questions.book_tickers
        drop = self._drop(question)
        found = await self._ask(question, partial(book_tickers, drop=drop)) or {}
        for symbol, row in found.items():
            self.knowledge.book_tickers[symbol] = Held(row, self._now_ms())

    async def _read_candles(self, symbol: str) -> bool:
        """Return whether there is weight left to go on; so does `_read_depth`."""
        question = self._questions.candles
        if not self._may_ask(question):
            return False
        closed_by, drop = self._last_close_ms(), self._drop(question)
        params: Params = {"symbol": symbol, "interval": "15m", "limit": self._rows}
        found = await self._ask(
            question, lambda body: closed_candles(body, closed_by, drop), params
        )
        if found is not None:
            now = self._now_ms()
            summary = CandleSummary(
                found.open_ms.size,
                atr_pct(found, self._settings.atr_period),
                found.last_close_ms or now,
            )
            self.knowledge.candles[symbol] = Held(summary, now)
        return True

    async def _read_depth(self, symbol: str) -> bool:
        question = self._questions.depth
        if not self._may_ask(question):
            return False
        params: Params = {"symbol": symbol, "limit": BOOK_LEVELS}
        found = await self._ask(question, book, params)
        if found is not None:
            depth = depth_usdt(found, self._settings.liquidity.depth_range_pct)
            self.knowledge.depth[symbol] = Held(depth, self._now_ms())
        return True

    def _are_candles_due(self, symbol: str) -> bool:
        if self._has_just_failed(self._questions.candles, symbol):
            return False
        held = self.knowledge.candles.get(symbol)
        if held is None:
            return True
        has_waited = self._now_ms() - held.at_ms >= self._settings.requests.retry_s * 1_000
        return has_waited and held.value.last_close_ms < self._last_close_ms()

    def _is_depth_due(self, symbol: str) -> bool:
        if self._has_just_failed(self._questions.depth, symbol):
            return False
        held = self.knowledge.depth.get(symbol)
        every_ms = self._settings.requests.depth_every_s * 1_000
        return held is None or self._now_ms() - held.at_ms >= every_ms

    def _last_close_ms(self) -> int:
        """Return the last close that the exchange had time to publish."""
        settled = self._now_ms() - self._settings.requests.candle_delay_s * 1_000
        return settled // CANDLE_MS * CANDLE_MS

    def _may_ask(self, question: Endpoint) -> bool:
        has_failed = self.trouble.failed.total() >= self._settings.requests.max_failures
        if has_failed or self.trouble.is_limited:
            return False
        return self._bucket.take(question.weight, self._now_ms())

    def _has_just_failed(self, question: Endpoint, symbol: str) -> bool:
        failed_ms = self._failed_ms.get((question.name, symbol))
        retry_ms = self._settings.requests.retry_s * 1_000
        return failed_ms is not None and self._now_ms() - failed_ms < retry_ms

    async def _ask(
        self,
        question: Endpoint,
        parse: Callable[[Any], Answer],
        params: Params | None = None,
    ) -> Answer | None:
        """Return the parsed answer; None when there is none, which is counted and remembered."""
        key = (question.name, str((params or {}).get("symbol", "")))
        self.weight += question.weight
        try:
            answer = parse(await self._rest.get(question.path, params, weight=question.weight))
        except (ScalpError, OSError) as error:
            self.trouble.fail(question.name, error)
            self._failed_ms[key] = self._now_ms()
            return None
        self._failed_ms.pop(key, None)
        return answer

    def _drop(self, question: Endpoint) -> Drop:
        return partial(self.trouble.drop, question.name)
