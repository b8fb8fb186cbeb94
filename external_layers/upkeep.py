"""What the streams cannot give: book snapshots, candles of the past, open interest."""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from typing import Any, Final, Protocol

from external_layers.binance.messages import MarketKind
from external_layers.binance.questions import (
    Question,
    depth_question,
    klines_question,
    open_interest_question,
    parse_depth,
    parse_klines,
    parse_open_interest,
)
from external_layers.market_watch import MarketWatch
from scalp_strategy.errors import ScalpError, SourceRejected
from scalp_strategy.settings import Settings

_MS_PER_S: Final = 1_000


class Rest(Protocol):
    """The exchange's REST interface under its budget."""

    async def get(
        self, path: str, params: dict[str, str | int] | None = None, *, weight: int
    ) -> Any:
        """Return the parsed answer."""


class Upkeep:
    """Asks for what the watched pairs lack, one question after the other.

    Parameters
    ----------
    rest, derivatives_rest
        The traded market's interface, and the futures' (the same when futures are traded).
    watch
        The watched pairs.
    settings
        The effective settings.
    now_ms
        The exchange's clock.
    """

    def __init__(
        self,
        rest: Rest,
        derivatives_rest: Rest,
        watch: MarketWatch,
        settings: Settings,
        now_ms: Callable[[], int],
    ) -> None:
        self._rest = rest
        self._derivatives = derivatives_rest
        self._watch = watch
        self._settings = settings
        self._now_ms = now_ms
        self._not_before: dict[str, int] = {}
        self._polled_ms: dict[str, int] = {}
        self._without_open_interest: set[str] = set()

    @property
    def kind(self) -> MarketKind:
        """The traded market."""
        return self._watch.kind

    async def fill_candles(self) -> None:
        """Ask for the candles that are missing, the shortest timeframe first.

        Raises
        ------
        ScalpError
            The first of the errors, after every question was asked.
        """
        rows = self._settings.sidecar.candle_rows
        await _all(
            [
                self._fill(symbol, timeframe, rows)
                for symbol, timeframe in sorted(self._watch.unfilled(), key=lambda each: each[1])
            ]
        )

    async def sync_books(self) -> None:
        """Ask for the snapshots that books wait for, each symbol's at most so often.

        Raises
        ------
        ScalpError
            The first of the errors, after every question was asked.
        """
        now = self._now_ms()
        due = [name for name in self._watch.unsynced() if self._not_before.get(name, 0) <= now]
        await _all([self._sync(symbol) for symbol in due])

    async def poll_open_interest(self, perpetuals: Collection[str]) -> None:
        """Ask for the open interest of the watched perpetuals that are due; new ones are at once.

        Raises
        ------
        ScalpError
            The first of the errors, after every question was asked.
        """
        now, watched = self._now_ms(), self._watch.symbols
        self._polled_ms = {name: at for name, at in self._polled_ms.items() if name in watched}
        every_ms = self._settings.sidecar.feed.open_interest_poll_s * _MS_PER_S
        wanted = set(perpetuals) - self._without_open_interest
        due = [
            symbol
            for symbol in watched
            if symbol in wanted and now - self._polled_ms.get(symbol, -every_ms) >= every_ms
        ]
        self._polled_ms |= dict.fromkeys(due, now)
        await _all([self._poll(symbol) for symbol in due])

    async def _fill(self, symbol: str, timeframe: str, rows: int) -> None:
        payload = await self._ask(self._rest, klines_question(self.kind, symbol, timeframe, rows))
        self._watch.fill(symbol, timeframe, parse_klines(payload, timeframe, self._now_ms()))

    async def _sync(self, symbol: str) -> None:
        feed = self._settings.sidecar.feed
        self._not_before[symbol] = self._now_ms() + round(feed.snapshot_every_s * _MS_PER_S)
        question = depth_question(self.kind, symbol, feed.book_levels)
        self._watch.on_snapshot(parse_depth(await self._ask(self._rest, question), symbol))

    async def _poll(self, symbol: str) -> None:
        try:
            payload = await self._ask(self._derivatives, open_interest_question(symbol))
        except SourceRejected:
            self._without_open_interest.add(symbol)
            raise
        self._watch.on_open_interest(parse_open_interest(payload, symbol))

    async def _ask(self, rest: Rest, question: Question) -> Any:
        return await rest.get(question.path, question.params, weight=question.weight)


async def _all(questions: list[Coroutine[Any, Any, None]]) -> None:
    """Ask everything at once (the interface queues it) and raise the first error of all."""
    answers = await asyncio.gather(*questions, return_exceptions=True)
    errors = [answer for answer in answers if isinstance(answer, BaseException)]
    bugs = [error for error in errors if not isinstance(error, ScalpError)]
    for error in (*bugs, *errors):
        raise error
