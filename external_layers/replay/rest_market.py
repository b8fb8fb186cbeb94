"""What spot and futures answer alike: candles, book, trades, tickers."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np

from external_layers.binance.messages import MarketKind
from external_layers.replay.book import MAX_LEVELS, Books
from external_layers.replay.candles import INTERVALS, Candles
from external_layers.replay.intraminute import Trades
from external_layers.replay.market import ReplayMarket
from external_layers.replay.minutes import DAY_MINUTES, MINUTE_MS
from external_layers.replay.recording import Recording
from external_layers.replay.requests import (
    Params,
    RequestError,
    integer_of,
    interval_of,
    limit_of,
    names_of,
    span_of,
    symbol_of,
)
from external_layers.replay.symbols import SymbolSpec

Row = list[Any]
DAY_MS: Final = DAY_MINUTES * MINUTE_MS
DEFAULT_ROWS: Final = 500
MOST_TRADES: Final = 1_000
_TRADE_WINDOW_MS: Final = 3_600_000  # aggTrades with both times cover an hour at most
_QUOTE_DECIMALS: Final[dict[MarketKind, int]] = {"spot": 8, "futures": 5}
_TOO_LONG: Final = -1127
_NOT_RECORDED: Final = -1000


class MarketData:
    """Answers of one market (spot or futures) in the exchange's JSON shapes."""

    def __init__(
        self,
        market: ReplayMarket,
        books: Books,
        kind: MarketKind,
        recording: Recording | None = None,
    ) -> None:
        self.market = market
        self.books = books
        self.kind: MarketKind = kind
        self._recording = recording

    @property
    def names(self) -> Iterable[str]:
        """Symbols that are listed by now."""
        symbols = self.market.source.symbols
        return [name for name in symbols if self.market.is_listed(self.kind, name)]

    def each(self, params: Params, answer: Callable[[str], Any]) -> Any:
        """Return one answer for `symbol`, a list for `symbols` (JSON) or for all."""
        if params.get("symbol"):
            return answer(symbol_of(params, self.market, self.kind)[0])
        if not params.get("symbols"):
            return [answer(name) for name in self.names]
        wanted = [{"symbol": name} for name in names_of(params)]
        return [answer(symbol_of(one, self.market, self.kind)[0]) for one in wanted]

    def klines(self, params: Params, most: int) -> list[Row]:
        """Return candles, twelve columns, the forming one last."""
        name, spec = symbol_of(params, self.market, self.kind)
        candles = self.candles(name, params, most)
        return kline_rows(candles, spec, _QUOTE_DECIMALS[self.kind])

    def candles(self, name: str, params: Params, most: int) -> Candles:
        """Return the candles that a request asks for."""
        interval = interval_of(params)
        limit = limit_of(params, DEFAULT_ROWS, most)
        span = self.candle_span(name, params, (interval, limit))
        candles = self.market.candles(self.kind, name, interval, span[:2])
        return _kept(candles, limit, from_start=span[2])

    def candle_span(
        self, name: str, params: Params, rows: tuple[str, int]
    ) -> tuple[int, int, bool]:
        """Return the time span of so many candles; what lies before the listing is skipped."""
        interval, limit = rows
        length = INTERVALS[interval] * MINUTE_MS
        first = max(self.market.listed_ms(self.kind, name) // length * length, 0)
        start = integer_of(params, "startTime")
        if start is not None:
            params = {**params, "startTime": str(max(start, first))}
        return span_of(params, self.market.now_ms(), length * limit)

    def depth(self, params: Params, limit: int) -> dict[str, Any]:
        """Return a book snapshot: the recording's where it has the symbol."""
        name, spec = symbol_of(params, self.market, self.kind)
        if self._recording is not None and self._recording.prices(self.kind, name):
            recorded = self._recording.depth(self.kind, name, limit)
            if recorded is None:
                raise RequestError(_NOT_RECORDED, f"The recording has no book of {name}.")
            return recorded
        levels = min(limit, MAX_LEVELS)
        book = self.books.at(self.kind, name, self.market.now_ms(), levels)
        return {
            "lastUpdateId": book.update_id,
            "bids": level_rows(book.bid_price.tolist(), book.bid_amount.tolist(), spec),
            "asks": level_rows(book.ask_price.tolist(), book.ask_amount.tolist(), spec),
        }

    def aggregate_trades(self, params: Params) -> list[dict[str, Any]]:
        """Return aggregate trades by time, by id, or the latest."""
        name, spec = symbol_of(params, self.market, self.kind)
        limit = limit_of(params, DEFAULT_ROWS, MOST_TRADES)
        is_spot = self.kind == "spot"
        trades = self._trades(name, params, limit)
        return [row for part in trades for row in trade_rows(part, spec, is_spot=is_spot)]

    def recent_trades(self, params: Params) -> list[dict[str, Any]]:
        """Return the latest single trades."""
        name, spec = symbol_of(params, self.market, self.kind)
        limit = limit_of(params, DEFAULT_ROWS, MOST_TRADES)
        rows: list[dict[str, Any]] = []
        for part in self._latest(name, self.market.now_ms() + 1, limit):
            for row in trade_rows(part, spec, is_spot=self.kind == "spot"):
                quote = f"{float(row['p']) * float(row['q']):.8f}"
                rows.append(
                    {"id": row["a"], "price": row["p"], "qty": row["q"], "quoteQty": quote}
                    | {"time": row["T"], "isBuyerMaker": row["m"], "isBestMatch": True}
                )
        return rows

    def day_ticker(self, name: str) -> dict[str, Any]:
        """Return the rolling 24-hour statistics of a symbol."""
        spec = self.market.spec(self.kind, name)
        now = self.market.now_ms()
        minute = now // MINUTE_MS
        rows = self.market.minutes(self.kind, name, minute - DAY_MINUTES + 1, minute + 1)
        tick, step = float(spec.tick), float(spec.step)
        last, opened = int(rows.close[-1]), int(rows.open[0])
        volume = float(rows.volume.sum()) * step
        mean_price = (rows.open + rows.high + rows.low + rows.close) / 4.0
        quote = float((rows.volume * mean_price).sum()) * tick * step
        average = quote / volume if volume else last * tick
        final = int(rows.first_id[-1] + max(int(rows.trades[-1]) - 1, 0))
        return {
            "symbol": name,
            "priceChange": price_text(last - opened, spec),
            "priceChangePercent": f"{100.0 * (last / opened - 1.0):.3f}",
            "weightedAvgPrice": f"{average:.{spec.price_decimals}f}",
            "lastPrice": price_text(last, spec),
            "lastQty": amount_text(self._last_amount(name), spec),
            "openPrice": price_text(opened, spec),
            "highPrice": price_text(int(rows.high.max()), spec),
            "lowPrice": price_text(int(rows.low.min()), spec),
            "volume": f"{volume:.{spec.amount_decimals}f}",
            "quoteVolume": f"{quote:.2f}",
            "openTime": int(rows.minute[0]) * MINUTE_MS,
            "closeTime": now,
            "firstId": int(rows.first_id[0]),
            "lastId": final,
            "count": int(rows.trades.sum()),
        }

    def book_ticker(self, name: str) -> dict[str, Any]:
        """Return the best bid and ask of a symbol."""
        spec = self.market.spec(self.kind, name)
        book = self.books.at(self.kind, name, self.market.now_ms(), 1)
        return {
            "symbol": name,
            "bidPrice": price_text(int(book.bid_price[0]), spec),
            "bidQty": amount_text(int(book.bid_amount[0]), spec),
            "askPrice": price_text(int(book.ask_price[0]), spec),
            "askQty": amount_text(int(book.ask_amount[0]), spec),
        }

    def _last_amount(self, name: str) -> int:
        trades = self._latest(name, self.market.now_ms() + 1, 1)
        return int(trades[-1].amount[-1]) if trades else 0

    def _trades(self, name: str, params: Params, limit: int) -> list[Trades]:
        first_id = integer_of(params, "fromId")
        start, end = integer_of(params, "startTime"), integer_of(params, "endTime")
        now = self.market.now_ms()
        if first_id is not None:
            minute = self.market.minute_of_trade(self.kind, name, first_id)
            return self._onward(name, minute * MINUTE_MS, (now + 1, first_id, limit))
        if start is None:
            return self._latest(name, min(now, now if end is None else end) + 1, limit)
        if end is not None and end - start > _TRADE_WINDOW_MS:
            raise RequestError(_TOO_LONG, "More than 1 hours between startTime and endTime.")
        stop = min(now, now if end is None else end) + 1
        return self._onward(name, start, (stop, 0, limit))

    def _onward(self, name: str, start_ms: int, bounds: tuple[int, int, int]) -> list[Trades]:
        """Trades from an instant on: until `stop`, from `first_id`, at most `limit`."""
        stop_ms, first_id, limit = bounds
        start_ms = max(start_ms, self.market.listed_ms(self.kind, name))
        found: list[Trades] = []
        while start_ms < stop_ms and limit > 0:
            until = min((start_ms // MINUTE_MS + 1) * MINUTE_MS, stop_ms)
            for part in self.market.trades(self.kind, name, start_ms, until):
                kept = part.part(part.id >= first_id).part(slice(0, limit))
                found.append(kept)
                limit -= len(kept)
            start_ms = until
        return found

    def _latest(self, name: str, stop_ms: int, limit: int) -> list[Trades]:
        found: list[Trades] = []
        earliest = max(self.market.listed_ms(self.kind, name), stop_ms - DAY_MS)
        while stop_ms > earliest and limit > 0:
            start_ms = max((stop_ms - 1) // MINUTE_MS * MINUTE_MS, earliest)
            for part in self.market.trades(self.kind, name, start_ms, stop_ms):
                kept = part.part(slice(max(len(part) - limit, 0), None))
                found.insert(0, kept)
                limit -= len(kept)
            stop_ms = start_ms
        return found


def price_text(ticks: int, spec: SymbolSpec) -> str:
    """Return a price in ticks as the exchange writes it."""
    return f"{ticks * float(spec.tick):.{spec.price_decimals}f}"


def amount_text(steps: int, spec: SymbolSpec) -> str:
    """Return an amount in steps as the exchange writes it."""
    return f"{steps * float(spec.step):.{spec.amount_decimals}f}"


def level_rows(prices: list[int], amounts: list[int], spec: SymbolSpec) -> list[list[str]]:
    """Return book levels as pairs of texts."""
    tick, step = float(spec.tick), float(spec.step)
    price_format, amount_format = f".{spec.price_decimals}f", f".{spec.amount_decimals}f"
    return [
        [format(price * tick, price_format), format(amount * step, amount_format)]
        for price, amount in zip(prices, amounts, strict=True)
    ]


def trade_rows(trades: Trades, spec: SymbolSpec, *, is_spot: bool) -> list[dict[str, Any]]:
    """Return aggregate trades in the exchange's short keys; ``m`` = the buyer was the maker."""
    prices = level_rows(trades.price.tolist(), trades.amount.tolist(), spec)
    extra = {"M": True} if is_spot else {}
    columns = zip(
        trades.id.tolist(), prices, trades.time_ms.tolist(), trades.is_buy.tolist(), strict=True
    )
    return [
        {"a": id_, "p": price, "q": amount, "f": id_, "l": id_, "T": time_ms, "m": not is_buy}
        | extra
        for id_, (price, amount), time_ms, is_buy in columns
    ]


def kline_rows(candles: Candles, spec: SymbolSpec, quote_decimals: int) -> list[Row]:
    """Return candles as the exchange's twelve columns."""
    tick, step = float(spec.tick), float(spec.step)
    price_format, amount_format = f".{spec.price_decimals}f", f".{spec.amount_decimals}f"
    quote_format, value = f".{quote_decimals}f", tick * step

    def texts(values: np.ndarray, scale: float, form: str) -> list[str]:
        return [format(number, form) for number in (values * scale).tolist()]

    columns = (
        candles.open_ms.tolist(),
        texts(candles.open, tick, price_format),
        texts(candles.high, tick, price_format),
        texts(candles.low, tick, price_format),
        texts(candles.close, tick, price_format),
        texts(candles.volume, step, amount_format),
        candles.close_ms.tolist(),
        texts(candles.notional, value, quote_format),
        candles.trades.tolist(),
        texts(candles.taker_buy, step, amount_format),
        texts(candles.taker_notional, value, quote_format),
    )
    return [[*row, "0"] for row in zip(*columns, strict=True)]


def _kept(candles: Candles, limit: int, *, from_start: bool) -> Candles:
    chosen = slice(0, limit) if from_start else slice(max(len(candles) - limit, 0), None)
    return Candles(*(getattr(candles, column)[chosen] for column in Candles.__slots__))
