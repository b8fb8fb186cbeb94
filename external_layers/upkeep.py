"""What the streams cannot give: book snapshots, candles of the past, open interest."""

from collections.abc import Callable, Collection
from functools import partial
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
from external_layers.rounds import Rounds
from scalp_strategy.errors import PayloadError, SourceRejected
from scalp_strategy.settings import Settings

_MS_PER_S: Final = 1_000


class Rest(Protocol):
    """The exchange's REST interface under its budget."""

    async def get(
        self, path: str, params: dict[str, str | int] | None = None, *, weight: int
    ) -> Any:
        """Return the parsed answer."""


class Upkeep:
    """Asks for what the watched pairs lack: all that is due at once, one failure harming no other.

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
        feed = settings.sidecar.feed
        self._candles = Rounds[tuple[str, str]](now_ms, 0.0, feed.snapshot_every_s)
        self._books = Rounds[str](now_ms, feed.snapshot_every_s, feed.snapshot_every_s)
        poll_s = feed.open_interest_poll_s
        self._open_interest = Rounds[str](now_ms, poll_s, poll_s)
        self._refused_ms: dict[str, int] = {}

    @property
    def kind(self) -> MarketKind:
        """The traded market."""
        return self._watch.kind

    @property
    def refused(self) -> list[str]:
        """The symbols whose open interest the exchange refused lately."""
        return sorted(self._refused_ms)

    async def fill_candles(self) -> None:
        """Ask for the candles that are missing, the shortest timeframe first.

        Raises
        ------
        ScalpError
            The first of the errors, after every question was asked.
        """
        missing = sorted(self._watch.unfilled(), key=lambda each: each[1])
        await self._candles.put({key: partial(self._fill, *key) for key in missing})

    async def sync_books(self) -> None:
        """Ask for the snapshots that books wait for, each symbol's at most so often.

        Raises
        ------
        ScalpError
            The first of the errors, after every question was asked.
        """
        unsynced = self._watch.unsynced()
        await self._books.put({symbol: partial(self._sync, symbol) for symbol in unsynced})

    async def poll_open_interest(self, perpetuals: Collection[str]) -> None:
        """Ask for the open interest of the watched perpetuals that are due; new ones are at once.

        One that the exchange refused is left alone for a while; `refused` names it.

        Raises
        ------
        ScalpError
            The first of the errors, after every question was asked.
        """
        now, wanted = self._now_ms(), set(perpetuals)
        wait_ms = self._settings.sidecar.jobs.rejected_s * _MS_PER_S
        self._refused_ms = {
            symbol: at
            for symbol, at in self._refused_ms.items()
            if symbol in self._watch.symbols and 0 <= now - at < wait_ms
        }
        watched = [
            symbol
            for symbol in self._watch.symbols
            if symbol in wanted and symbol not in self._refused_ms
        ]
        await self._open_interest.put({symbol: partial(self._poll, symbol) for symbol in watched})

    async def _fill(self, symbol: str, timeframe: str) -> None:
        rows, asked_ms = self._settings.sidecar.candle_rows, self._now_ms()
        payload = await self._ask(self._rest, klines_question(self.kind, symbol, timeframe, rows))
        # What closed while the answer was on its way may be in it as it was before.
        self._watch.fill(symbol, timeframe, parse_klines(payload, timeframe, asked_ms))

    async def _sync(self, symbol: str) -> None:
        question = depth_question(self.kind, symbol, self._settings.sidecar.feed.book_levels)
        self._watch.on_snapshot(parse_depth(await self._ask(self._rest, question), symbol))

    async def _poll(self, symbol: str) -> None:
        try:
            payload = await self._ask(self._derivatives, open_interest_question(symbol))
        except SourceRejected:
            self._refused_ms[symbol] = self._now_ms()
            raise
        polled = parse_open_interest(payload, symbol)
        if polled.time_ms > self._now_ms() + self._settings.sidecar.feed.max_ahead_ms:
            raise PayloadError(f"open interest of {symbol} at {polled.time_ms}: in the future")
        self._watch.on_open_interest(polled)

    async def _ask(self, rest: Rest, question: Question) -> Any:
        return await rest.get(question.path, question.params, weight=question.weight)
