"""What the scanner reads out of the exchange's answers (pure).

A list answer is read row by row: an unreadable row goes to `drop` and the others are kept.
"""

from collections.abc import Callable, Iterator
from math import isfinite
from typing import Annotated, Any, Final, TypeVar

import msgspec
import numpy as np

from scalp_strategy.contract import CANDLE_MS
from scalp_strategy.errors import PayloadError
from scalp_strategy.technical.arrays import FloatArray, IntArray

Drop = Callable[[PayloadError], None]
_SAMPLE_LENGTH: Final = 120
_PRICE_COLUMNS: Final = 5

NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Positive = Annotated[float, msgspec.Meta(gt=0)]


class DayTicker(msgspec.Struct, frozen=True):
    """24 hours of a symbol: quote volume, change in percent, last price."""

    symbol: str
    quote_volume: NotNegative = msgspec.field(name="quoteVolume")
    change_pct: float = msgspec.field(name="priceChangePercent")
    price: Positive = msgspec.field(name="lastPrice")


class BookTicker(msgspec.Struct, frozen=True):
    """Best bid and ask of a symbol; 0 where a side is empty."""

    symbol: str
    bid: NotNegative = msgspec.field(name="bidPrice")
    ask: NotNegative = msgspec.field(name="askPrice")


class Candles(msgspec.Struct, frozen=True, eq=False):
    """Candles that have closed, oldest first: opens in epoch milliseconds and their prices."""

    open_ms: IntArray
    high: FloatArray
    low: FloatArray
    close: FloatArray

    @property
    def last_close_ms(self) -> int:
        """When the newest of them closed; 0 when there is none."""
        return int(self.open_ms[-1]) + CANDLE_MS if self.open_ms.size else 0


class Book(msgspec.Struct, frozen=True):
    """The best levels of a book as (price, quantity), best first."""

    bids: list[tuple[Positive, NotNegative]]
    asks: list[tuple[Positive, NotNegative]]


_Row = TypeVar("_Row", DayTicker, BookTicker, Book)


def day_tickers(payload: Any, drop: Drop) -> dict[str, DayTicker]:
    """Return the rows of a `ticker/24hr` answer by symbol.

    Raises
    ------
    PayloadError
        When it is no list, or no row of it is readable.
    """
    rows = {
        row.symbol: row
        for row in _converted(payload, DayTicker, drop)
        if _is_finite(row, row.quote_volume, row.change_pct, row.price, drop=drop)
    }
    return _some(rows, "ticker/24hr")


def book_tickers(payload: Any, drop: Drop) -> dict[str, BookTicker]:
    """Return the rows of a `ticker/bookTicker` answer by symbol; a crossed book is garbage.

    Raises
    ------
    PayloadError
        When it is no list, or no row of it is readable.
    """
    rows: dict[str, BookTicker] = {}
    for row in _converted(payload, BookTicker, drop):
        if not _is_finite(row, row.bid, row.ask, drop=drop):
            continue
        if row.bid > row.ask > 0:
            drop(PayloadError(f"crossed: {row}"))
            continue
        rows[row.symbol] = row
    return _some(rows, "ticker/bookTicker")


def closed_candles(payload: Any, closed_by_ms: int, drop: Drop) -> Candles:
    """Return the candles of a `klines` answer that had closed by an instant.

    Parameters
    ----------
    payload
        Rows of 12 cells, oldest first; the last one is still forming and never counts.
    closed_by_ms
        Candles that close later are left out as well.
    drop
        Gets the error of each unreadable row.

    Raises
    ------
    PayloadError
        When it is no list, no row is readable, or they are not in order of time.
    """
    rows = list(_candle_rows(payload, drop))
    if not rows:
        raise PayloadError("klines: no readable row")
    opens = np.array([row[0] for row in rows], dtype=np.int64)
    if (np.diff(opens) <= 0).any():
        raise PayloadError("klines: not in order of time")
    keep = opens + CANDLE_MS <= closed_by_ms
    keep[-1] = False  # whatever a clock that is ahead says
    prices = np.array([row[1:] for row in rows], dtype=np.float64)[keep]
    return Candles(opens[keep], prices[:, 0], prices[:, 1], prices[:, 2])


def book(payload: Any) -> Book:
    """Return a `depth` answer.

    Raises
    ------
    PayloadError
        When it is no book, or a side is out of order.
    """
    found = _convert(payload, Book)
    bids, asks = ([price for price, _ in side] for side in (found.bids, found.asks))
    numbers = [number for level in (*found.bids, *found.asks) for number in level]
    if not all(map(isfinite, numbers)):
        raise PayloadError(f"depth: not finite: {str(payload)[:_SAMPLE_LENGTH]}")
    if bids != sorted(bids, reverse=True) or asks != sorted(asks):
        raise PayloadError(f"depth: out of order: {str(payload)[:_SAMPLE_LENGTH]}")
    return found


def _candle_rows(payload: Any, drop: Drop) -> Iterator[tuple[int, float, float, float]]:
    for row in _listed(payload):
        try:
            yield _candle(row)
        except (PayloadError, TypeError, ValueError, OverflowError) as error:
            drop(PayloadError(f"no candle ({error}): {str(row)[:_SAMPLE_LENGTH]}"))


def _candle(row: Any) -> tuple[int, float, float, float]:
    """Return open time, high, low and close of a row that holds together."""
    if not isinstance(row, list) or len(row) <= _PRICE_COLUMNS or type(row[0]) is not int:
        raise PayloadError("cells")
    opened, high, low, close, volume = map(float, row[1 : _PRICE_COLUMNS + 1])
    is_ordered = 0 < low <= min(opened, close) and max(opened, close) <= high
    if not (is_ordered and volume >= 0 and all(map(isfinite, (opened, high, close, volume)))):
        raise PayloadError("prices")
    if not 0 <= row[0] < 2**53 or row[0] % CANDLE_MS:
        raise PayloadError("time")
    return row[0], high, low, close


def _listed(payload: Any) -> list[Any]:
    if not isinstance(payload, list):
        raise PayloadError(f"no list: {str(payload)[:_SAMPLE_LENGTH]}")
    return payload


def _converted(payload: Any, kind: type[_Row], drop: Drop) -> Iterator[_Row]:
    for row in _listed(payload):
        try:
            yield _convert(row, kind)
        except PayloadError as error:
            drop(error)


def _convert(row: Any, kind: type[_Row]) -> _Row:
    try:
        return msgspec.convert(row, kind, strict=False)
    except msgspec.ValidationError as error:
        raise PayloadError(f"no {kind.__name__} ({error}): {str(row)[:_SAMPLE_LENGTH]}") from error


def _is_finite(row: DayTicker | BookTicker, *numbers: float, drop: Drop) -> bool:
    if all(map(isfinite, numbers)):
        return True
    drop(PayloadError(f"not finite: {row}"))
    return False


_Rows = TypeVar("_Rows", dict[str, DayTicker], dict[str, BookTicker])


def _some(rows: _Rows, what: str) -> _Rows:
    if not rows:
        raise PayloadError(f"{what}: no readable row")
    return rows
