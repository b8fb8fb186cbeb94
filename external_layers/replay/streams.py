"""What the streams push between two instants: a pure function of the market and the instants."""

from collections.abc import Callable
from typing import Any, Final

from external_layers.replay.book import BUCKET_MS, Book
from external_layers.replay.book_changes import book_change
from external_layers.replay.candles import INTERVALS
from external_layers.replay.exchange import ReplayExchange
from external_layers.replay.liquidations import liquidations
from external_layers.replay.minutes import MINUTE_MS
from external_layers.replay.rest_market import (
    amount_text,
    kline_rows,
    level_rows,
    price_text,
    trade_rows,
)
from external_layers.replay.stream_names import Stream

Event = dict[str, Any]
_QUOTE_DECIMALS: Final = 4
_OFF_GRID: Final = ("aggTrade", "trade", "forceOrder")
_NOT_BEST: Final = ("u", "s", "E", "T", "e")


class StreamEvents:
    """Events of any stream; all times wall-clock milliseconds."""

    def __init__(self, exchange: ReplayExchange) -> None:
        self._exchange = exchange
        self._market = exchange.market
        self._books = exchange.books
        self._makers: dict[str, Callable[[Stream, str, int, int], list[Event]]] = {
            "aggTrade": self._aggregate_trades,
            "trade": self._single_trades,
            "forceOrder": self._liquidations,
            "kline": self._klines,
            "depth": self._depth,
            "bookTicker": self._book_ticker,
            "markPrice": self._mark_price,
            "ticker": self._ticker,
            "miniTicker": self._ticker,
        }

    def between(self, stream: Stream, after_ms: int, now_ms: int) -> list[Any]:
        """Return the payloads that are due in (after, now], in order.

        Streams of all symbols give one array a turn where the exchange sends arrays.
        """
        names = [stream.symbol] if stream.symbol else list(self._exchange.data[stream.kind].names)
        make = self._makers[stream.channel]
        if stream.channel not in _OFF_GRID and not _is_due(stream, after_ms, now_ms):
            return []
        events = [
            event
            for name in names
            if self._market.is_listed(stream.kind, name)
            for event in make(stream, name, after_ms, now_ms)
        ]
        is_array = stream.symbol is None and stream.channel in ("ticker", "miniTicker", "markPrice")
        return [events] if is_array and events else events

    def _klines(self, stream: Stream, name: str, after_ms: int, now_ms: int) -> list[Event]:
        """Return the forming candle; at a change first the closed one with ``x: true``."""
        length = INTERVALS[stream.argument] * MINUTE_MS
        first = max(after_ms - length, now_ms - 2 * length)
        span = (first, now_ms + 1)
        candles = self._market.candles(stream.kind, name, stream.argument, span)
        spec = self._market.spec(stream.kind, name)
        rows = kline_rows(candles, spec, _QUOTE_DECIMALS)
        firsts = self._first_ids(stream, name, candles.open_ms.tolist())
        events = []
        for row, first_id in zip(rows, firsts, strict=True):
            is_closed = row[6] < now_ms
            if is_closed and row[6] < after_ms:
                continue
            events.append(_kline_event(stream, name, row, (first_id, is_closed, now_ms)))
        return events

    def _first_ids(self, stream: Stream, name: str, opens: list[int]) -> list[int]:
        found = []
        for open_ms in opens:
            minute = open_ms // MINUTE_MS
            rows = self._market.minutes(stream.kind, name, minute, minute + 1)
            found.append(int(rows.first_id[0]) if len(rows) else -1)
        return found

    def _aggregate_trades(
        self, stream: Stream, name: str, after_ms: int, now_ms: int
    ) -> list[Event]:
        spec = self._market.spec(stream.kind, name)
        return [
            {"e": "aggTrade", "E": max(now_ms, row["T"]), "s": name} | row
            for part in self._market.trades(stream.kind, name, after_ms + 1, now_ms + 1)
            for row in trade_rows(part, spec, is_spot=stream.kind == "spot")
        ]

    def _single_trades(self, stream: Stream, name: str, after_ms: int, now_ms: int) -> list[Event]:
        return [
            {"e": "trade", "E": row["E"], "s": name, "t": row["a"], "p": row["p"]}
            | {"q": row["q"], "T": row["T"], "m": row["m"], "M": True}
            for row in self._aggregate_trades(stream, name, after_ms, now_ms)
        ]

    def _liquidations(self, stream: Stream, name: str, after_ms: int, now_ms: int) -> list[Event]:
        spec = self._market.spec(stream.kind, name)
        events = []
        for each in liquidations(self._market, name, (after_ms, now_ms)):
            price, amount = price_text(each.price, spec), amount_text(each.amount, spec)
            order = {"s": name, "S": "BUY" if each.is_buy else "SELL", "o": "LIMIT", "f": "IOC"}
            order |= {"q": amount, "p": price, "ap": price, "X": "FILLED", "l": amount}
            events.append(
                {"e": "forceOrder", "E": now_ms, "o": order | {"z": amount, "T": each.time_ms}}
            )
        return events

    def _depth(self, stream: Stream, name: str, after_ms: int, now_ms: int) -> list[Event]:
        spec = self._market.spec(stream.kind, name)
        at = now_ms // stream.speed_ms * stream.speed_ms
        if stream.argument:
            book = self._books.at(stream.kind, name, at, int(stream.argument))
            return [self._partial(stream, name, book)]
        before_ms = after_ms // stream.speed_ms * stream.speed_ms
        change = book_change(self._books, stream.kind, name, (before_ms, at))
        event: Event = {"e": "depthUpdate", "E": now_ms, "s": name, "U": change.before_id + 1}
        if stream.kind == "futures":
            event |= {"T": at, "pu": change.before_id}
        sides = {
            key: level_rows(prices.tolist(), amounts.tolist(), spec)
            for key, (prices, amounts) in (("b", change.bids), ("a", change.asks))
        }
        return [event | {"u": change.last_id, **sides}]

    def _partial(self, stream: Stream, name: str, book: Book) -> Event:
        spec = self._market.spec(stream.kind, name)
        bids = level_rows(book.bid_price.tolist(), book.bid_amount.tolist(), spec)
        asks = level_rows(book.ask_price.tolist(), book.ask_amount.tolist(), spec)
        if stream.kind == "spot":
            return {"lastUpdateId": book.update_id, "bids": bids, "asks": asks}
        speed = stream.speed_ms // BUCKET_MS
        event: Event = {"e": "depthUpdate", "E": book.time_ms, "T": book.time_ms, "s": name}
        ids = {"U": book.update_id - speed + 1, "u": book.update_id, "pu": book.update_id - speed}
        return event | ids | {"b": bids, "a": asks}

    def _book_ticker(self, stream: Stream, name: str, after_ms: int, now_ms: int) -> list[Event]:
        """Best bid and ask when they changed since the turn before."""
        before = self._best(stream, name, after_ms)
        after = self._best(stream, name, now_ms)
        changed = any(before[key] != after[key] for key in after if key not in _NOT_BEST)
        return [after] if changed else []

    def _best(self, stream: Stream, name: str, at_ms: int) -> Event:
        spec = self._market.spec(stream.kind, name)
        book = self._books.at(stream.kind, name, at_ms, 1)
        event: Event = {"e": "bookTicker"} if stream.kind == "futures" else {}
        event |= {"u": book.update_id, "s": name}
        event |= {"b": price_text(int(book.bid_price[0]), spec)}
        event |= {"B": amount_text(int(book.bid_amount[0]), spec)}
        event |= {"a": price_text(int(book.ask_price[0]), spec)}
        event |= {"A": amount_text(int(book.ask_amount[0]), spec)}
        times = {"T": book.time_ms, "E": book.time_ms} if stream.kind == "futures" else {}
        return event | times

    def _mark_price(self, _: Stream, name: str, __: int, now_ms: int) -> list[Event]:
        price = self._exchange.futures.premium_of(name)
        return [
            {"e": "markPriceUpdate", "E": now_ms, "s": name, "p": price["markPrice"]}
            | {"i": price["indexPrice"], "P": price["estimatedSettlePrice"]}
            | {"r": price["lastFundingRate"], "T": price["nextFundingTime"]}
        ]

    def _ticker(self, stream: Stream, name: str, _: int, now_ms: int) -> list[Event]:
        day = self._exchange.data[stream.kind].day_ticker(name)
        short: Event = {"e": "24hrMiniTicker", "E": now_ms, "s": name, "c": day["lastPrice"]}
        short |= {"o": day["openPrice"], "h": day["highPrice"], "l": day["lowPrice"]}
        short |= {"v": day["volume"], "q": day["quoteVolume"]}
        if stream.channel == "miniTicker":
            return [short]
        best = self._best(stream, name, now_ms)
        book = {key: best[key] for key in ("b", "B", "a", "A")} if stream.kind == "spot" else {}
        return [
            short
            | {"e": "24hrTicker", "p": day["priceChange"], "P": day["priceChangePercent"]}
            | {"w": day["weightedAvgPrice"], "Q": day["lastQty"], "O": day["openTime"]}
            | {"C": day["closeTime"], "F": day["firstId"], "L": day["lastId"], "n": day["count"]}
            | book
        ]


def _is_due(stream: Stream, after_ms: int, now_ms: int) -> bool:
    return now_ms // stream.speed_ms > after_ms // stream.speed_ms


def _kline_event(stream: Stream, name: str, row: list[Any], extra: tuple[int, bool, int]) -> Event:
    first_id, is_closed, now_ms = extra
    last_id = first_id + row[8] - 1 if row[8] else first_id
    kline: Event = {"t": row[0], "T": row[6], "s": name, "i": stream.argument}
    kline |= {"f": first_id, "L": last_id, "o": row[1], "c": row[4], "h": row[2], "l": row[3]}
    kline |= {"v": row[5], "n": row[8], "x": is_closed, "q": row[7], "V": row[9], "Q": row[10]}
    return {"e": "kline", "E": now_ms, "s": name, "k": kline | {"B": "0"}}
