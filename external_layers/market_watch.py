"""A market's messages, led to the pairs they speak of (no I/O: frames in, components out)."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from external_layers.binance.book import OrderBook
from external_layers.binance.book_keeper import BookKeeper
from external_layers.binance.counters import FeedCounters
from external_layers.binance.decoder import Decoder
from external_layers.binance.messages import (
    AggTrade,
    BookSnapshot,
    DepthSnapshot,
    DepthUpdate,
    Kline,
    Liquidation,
    MarketKind,
    MarkPrice,
    OpenInterest,
)
from external_layers.candles import LENGTH_MS, CandleShelf, Row, row_of
from external_layers.orderflow.pair_flow import PairFlow
from scalp_strategy.contract import Component
from scalp_strategy.settings import Settings

TIMEFRAMES: Final = tuple(LENGTH_MS)
_CANDLES: Final = tuple(f"kline_{timeframe}" for timeframe in TIMEFRAMES)
_TRADED: Final = ("aggTrade", "depth20@100ms", "depth@100ms", *_CANDLES)
_NO_TRADE: Final = -1
_DERIVED: Final = ("markPrice@1s", "forceOrder")


@dataclass(slots=True, eq=False)
class PairWatch:
    """Everything that is kept of one pair."""

    symbol: str
    pair: str
    flow: PairFlow
    keeper: BookKeeper
    shelves: dict[str, CandleShelf]
    last_trade_id: int = _NO_TRADE


class MarketWatch:
    """Order flow, books and candles of the watched pairs.

    Parameters
    ----------
    kind
        The market that is traded. On spot, funding, open interest and liquidations are those of
        the perpetual of the same name, where there is one.
    settings
        The effective settings.
    on_candle
        Called when a candle has closed.
    """

    def __init__(
        self,
        kind: MarketKind,
        settings: Settings,
        on_candle: Callable[[], None] = lambda: None,
    ) -> None:
        self.kind = kind
        self._on_candle = on_candle
        self.counters: dict[MarketKind, FeedCounters] = {kind: FeedCounters()}
        self.counters.setdefault("futures", FeedCounters())
        feed = settings.sidecar.feed
        self._decoders = {
            each: Decoder(
                each, count, max_ahead_ms=feed.max_ahead_ms, max_behind_ms=feed.max_behind_ms
            )
            for each, count in self.counters.items()
        }
        self._settings = settings
        self._by_symbol: dict[str, PairWatch] = {}
        self._unfilled: set[tuple[str, str]] = set()
        self._handlers: dict[type, Callable[[PairWatch, Any], None]] = {
            AggTrade: _on_trade,
            DepthSnapshot: lambda watch, message: watch.flow.on_depth(message),
            MarkPrice: lambda watch, message: watch.flow.on_mark_price(message),
            Liquidation: lambda watch, message: watch.flow.on_liquidation(message),
            DepthUpdate: self._on_update,
            Kline: self._on_kline,
        }

    @property
    def watches(self) -> dict[str, PairWatch]:
        """The watched pairs by Freqtrade's name."""
        return {watch.pair: watch for watch in self._by_symbol.values()}

    @property
    def symbols(self) -> tuple[str, ...]:
        """The watched symbols."""
        return tuple(self._by_symbol)

    def watch(self, pairs: Mapping[str, str]) -> None:
        """Watch these pairs, by symbol, and no others; what is known of those that stay is kept."""
        for symbol in self._by_symbol.keys() - pairs.keys():
            del self._by_symbol[symbol]
            self._unfilled -= {(symbol, timeframe) for timeframe in TIMEFRAMES}
        for symbol in pairs.keys() - self._by_symbol.keys():
            self._by_symbol[symbol] = self._new(symbol, pairs[symbol])
            self._unfilled |= {(symbol, timeframe) for timeframe in TIMEFRAMES}

    def streams(self) -> set[str]:
        """Return the stream names of the traded market."""
        channels = _TRADED + (_DERIVED if self.kind == "futures" else ())
        return {f"{name.lower()}@{channel}" for name in self._by_symbol for channel in channels}

    def derived_streams(self, perpetuals: Collection[str]) -> set[str]:
        """Return the futures' streams that spot pairs need, for symbols that have a perpetual."""
        shared = self._by_symbol.keys() & set(perpetuals)
        return {f"{name.lower()}@{channel}" for name in shared for channel in _DERIVED}

    def on_frame(self, kind: MarketKind, frame: bytes, received_ms: int) -> None:
        """Take a frame of a market's streams."""
        message = self._decoders[kind].decode(frame, received_ms)
        if message is None:
            return
        watch = self._by_symbol.get(message.symbol)
        if watch is not None:
            self._handlers[type(message)](watch, message)

    def on_gap(self, streams: Iterable[str]) -> None:
        """Take that messages of these streams may have been lost."""
        interrupted = []
        for name in streams:
            symbol, _, channel = name.partition("@")
            watch = self._by_symbol.get(symbol.upper())
            if watch is None:
                continue
            if channel == "aggTrade":
                watch.flow.on_gap()
                interrupted.append(watch.symbol)
            elif channel == "depth@100ms":
                watch.keeper.reset()
                watch.flow.on_book_reset()
            elif channel.startswith("kline_"):
                self._unfilled.add((watch.symbol, channel.removeprefix("kline_")))
        if interrupted:
            self._decoders[self.kind].reset(interrupted)

    def unsynced(self) -> list[str]:
        """Return the symbols whose book waits for a snapshot."""
        return [name for name, watch in self._by_symbol.items() if watch.keeper.needs_snapshot]

    def on_snapshot(self, snapshot: BookSnapshot) -> None:
        """Take a book from REST."""
        watch = self._by_symbol.get(snapshot.symbol)
        if watch is not None:
            watch.keeper.on_snapshot(snapshot)

    def unfilled(self) -> list[tuple[str, str]]:
        """Return (symbol, timeframe) of the candles that have to be asked for."""
        return sorted(self._unfilled)

    def fill(self, symbol: str, timeframe: str, rows: Iterable[Row]) -> None:
        """Take closed candles from REST."""
        watch = self._by_symbol.get(symbol)
        if watch is not None:
            watch.shelves[timeframe].fill(rows)
        self._unfilled.discard((symbol, timeframe))

    def on_open_interest(self, open_interest: OpenInterest) -> None:
        """Take a polled open interest."""
        watch = self._by_symbol.get(open_interest.symbol)
        if watch is not None:
            watch.flow.on_open_interest(open_interest)

    def components(self, symbol: str, now_ms: int) -> list[Component]:
        """Return what order flow says of a watched symbol, as known now."""
        watch = self._by_symbol.get(symbol)
        return watch.flow.components(now_ms) if watch else []

    def _new(self, symbol: str, pair: str) -> PairWatch:
        rows = self._settings.sidecar.candle_rows
        return PairWatch(
            symbol,
            pair,
            PairFlow(pair, self._settings.orderflow),
            self._keeper(symbol),
            {timeframe: CandleShelf(timeframe, rows) for timeframe in TIMEFRAMES},
        )

    def _keeper(self, symbol: str) -> BookKeeper:
        feed = self._settings.sidecar.feed
        return BookKeeper(
            symbol,
            self.kind,
            book=OrderBook(
                max_distance_pct=feed.book_distance_pct,
                max_levels=feed.book_max_levels,
                trim_every=feed.book_trim_every,
            ),
            max_waiting=feed.book_max_waiting,
            max_stale=feed.book_max_stale,
        )

    def _on_update(self, watch: PairWatch, update: DepthUpdate) -> None:
        keeper = watch.keeper
        was_synced, applied = keeper.is_synced, keeper.counts["applied"]
        keeper.on_update(update)
        if keeper.counts["applied"] > applied:
            watch.flow.on_book(keeper.book, update)
        elif was_synced and not keeper.is_synced:
            watch.flow.on_book_reset()

    def _on_kline(self, watch: PairWatch, kline: Kline) -> None:
        shelf = watch.shelves.get(kline.interval)
        if shelf is None or not kline.is_closed:
            return
        if not shelf.add(row_of(kline)):
            self._unfilled.add((watch.symbol, kline.interval))
        self._on_candle()


def _on_trade(watch: PairWatch, trade: AggTrade) -> None:
    if trade.id != watch.last_trade_id + 1 and watch.last_trade_id != _NO_TRADE:
        watch.flow.on_gap()
    watch.last_trade_id = trade.id
    watch.flow.on_trade(trade)
