"""What is asked of the exchange for one symbol, what it weighs, and how the answers read (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

import msgspec

from external_layers.binance.messages import BookSnapshot, Level, MarketKind, OpenInterest
from external_layers.candles import LENGTH_MS, Row
from scalp_strategy.errors import PayloadError

_SAMPLE: Final = 120
_MOST_KLINES: Final = 1_000
# (rows up to, weight): developers.binance.com, "Kline/Candlestick Data" and "Order Book".
_KLINE_WEIGHT: Final = ((99, 1), (499, 2), (_MOST_KLINES, 5))
_SPOT_KLINE_WEIGHT: Final = 2
_DEPTH_WEIGHT: Final[Mapping[MarketKind, tuple[tuple[int, int], ...]]] = {
    "futures": ((50, 2), (100, 5), (500, 10), (1_000, 20)),
    "spot": ((100, 5), (500, 25), (1_000, 50), (5_000, 250)),
}
PREFIX: Final[Mapping[MarketKind, str]] = {"futures": "/fapi/v1", "spot": "/api/v3"}


@dataclass(frozen=True, slots=True)
class Question:
    """A GET request: path, query and the weight that the exchange counts for it."""

    path: str
    params: dict[str, str | int]
    weight: int


class _Depth(msgspec.Struct):
    update_id: int = msgspec.field(name="lastUpdateId")
    bids: list[Level]
    asks: list[Level]


def depth_limit(kind: MarketKind, levels: int) -> tuple[int, int]:
    """Return the smallest limit that gives so many levels, or the largest, and its weight."""
    table = _DEPTH_WEIGHT[kind]
    return next((row for row in table if row[0] >= levels), table[-1])


def klines_weight(kind: MarketKind, rows: int) -> int:
    """Return what an answer of so many candles, at most 1,000, weighs."""
    if kind == "spot":
        return _SPOT_KLINE_WEIGHT
    return next(weight for most, weight in _KLINE_WEIGHT if most >= rows)


def depth_question(kind: MarketKind, symbol: str, levels: int) -> Question:
    """Return the question for a book of at least so many levels, or the most there are."""
    limit, weight = depth_limit(kind, levels)
    return Question(f"{PREFIX[kind]}/depth", {"symbol": symbol, "limit": limit}, weight)


def klines_question(kind: MarketKind, symbol: str, timeframe: str, rows: int) -> Question:
    """Return the question for the newest candles, the one that is forming among them."""
    limit = min(rows, _MOST_KLINES)
    params: dict[str, str | int] = {"symbol": symbol, "interval": timeframe, "limit": limit}
    return Question(f"{PREFIX[kind]}/klines", params, klines_weight(kind, limit))


def open_interest_question(symbol: str) -> Question:
    """Return the question for the open interest of a perpetual."""
    return Question("/fapi/v1/openInterest", {"symbol": symbol}, 1)


def parse_depth(payload: Any, symbol: str) -> BookSnapshot:
    """Return a book snapshot.

    Raises
    ------
    PayloadError
        When it is no book, or a price or quantity is not positive and finite.
    """
    try:
        depth = msgspec.convert(payload, _Depth, strict=False)
    except msgspec.ValidationError as error:
        raise PayloadError(f"no book of {symbol} ({error})") from error
    levels = [*depth.bids, *depth.asks]
    if not all(min(level) > 0 and isfinite(level[0] * level[1]) for level in levels):
        raise PayloadError(f"book of {symbol}: a level that cannot be")
    return BookSnapshot(symbol=symbol, update_id=depth.update_id, bids=depth.bids, asks=depth.asks)


def parse_klines(payload: Any, timeframe: str, now_ms: int) -> list[Row]:
    """Return the candles that have closed by `now_ms`, oldest first.

    Raises
    ------
    PayloadError
        When it is no list of candles in order of time.
    """
    length = LENGTH_MS[timeframe]
    try:
        rows = [_row(cells) for cells in payload]
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        raise PayloadError(f"no klines ({error}): {str(payload)[:_SAMPLE]}") from error
    opens = [row[0] for row in rows]
    if any(opened % length for opened in opens) or opens != sorted(set(opens)):
        raise PayloadError(f"{timeframe} klines: open times out of order or off the grid")
    return [row for row in rows if row[0] + length <= now_ms]


def parse_open_interest(payload: Any, symbol: str) -> OpenInterest:
    """Return an open interest.

    Raises
    ------
    PayloadError
        When it is none.
    """
    try:
        quantity, time_ms = float(payload["openInterest"]), int(payload["time"])
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise PayloadError(f"no open interest: {str(payload)[:_SAMPLE]}") from error
    if not isfinite(quantity) or quantity < 0 or time_ms <= 0:
        raise PayloadError(f"no open interest: {str(payload)[:_SAMPLE]}")
    return OpenInterest(symbol=symbol, time_ms=time_ms, quantity=quantity)


def _row(cells: Any) -> Row:
    opened, high, low, close, volume = (float(cell) for cell in cells[1:6])
    is_candle = 0 < low <= min(opened, close) and max(opened, close) <= high and isfinite(high)
    if type(cells[0]) is not int or not is_candle or not (volume >= 0 and isfinite(volume)):
        raise ValueError(f"cells {cells[:6]}")
    return (cells[0], opened, high, low, close, volume)
