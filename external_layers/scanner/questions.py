"""What the scanner asks the exchange, what each question weighs, and how much it may ask."""

from dataclasses import dataclass
from typing import Final

from external_layers.binance.messages import MarketKind

BOOK_LEVELS: Final = 100
_MINUTE_S: Final = 60.0
_LEAST_CAPACITY: Final = 10.0


@dataclass(frozen=True, slots=True)
class Question:
    """An address and its request weight."""

    name: str
    path: str
    weight: int


@dataclass(frozen=True, slots=True)
class Questions:
    """The five questions to one market: three about all symbols, two about a single one."""

    markets: Question
    day_tickers: Question
    book_tickers: Question
    candles: Question
    depth: Question


def questions_to(kind: MarketKind, candle_rows: int) -> Questions:
    """Return the questions with the exchange's official weights (the `symbol` left out for all).

    Parameters
    ----------
    kind
        The market.
    candle_rows
        Rows of a candle answer, 1..1000.
    """
    if kind == "futures":
        # https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data
        root, weights = "/fapi/v1", (1, 40, 5, _futures_candle_weight(candle_rows), 5)
    else:
        # https://developers.binance.com/docs/binance-spot-api-docs/rest-api
        root, weights = "/api/v3", (20, 80, 4, 2, 5)
    return Questions(
        Question("markets", f"{root}/exchangeInfo", weights[0]),
        Question("day_ticker", f"{root}/ticker/24hr", weights[1]),
        Question("book_ticker", f"{root}/ticker/bookTicker", weights[2]),
        Question("candles", f"{root}/klines", weights[3]),
        Question("depth", f"{root}/depth", weights[4]),
    )


def _futures_candle_weight(rows: int) -> int:
    if rows < 100:
        return 1
    return 2 if rows < 500 else 5


class WeightBucket:
    """Request weight that fills up with time and is taken by questions.

    It starts full and holds what one scan may ask: a minute's weight at most.

    Parameters
    ----------
    per_min
        Weight a minute.
    refresh_s
        Seconds between two scans.
    now_ms
        Now, epoch milliseconds.
    """

    def __init__(self, per_min: int, refresh_s: int, now_ms: int) -> None:
        self._per_ms = per_min / (_MINUTE_S * 1_000)
        self._capacity = max(per_min * min(refresh_s / _MINUTE_S, 1.0), _LEAST_CAPACITY)
        self._left = self._capacity
        self._at_ms = now_ms

    def take(self, weight: int, now_ms: int) -> bool:
        """Take a weight and return True, or leave the bucket as it is and return False."""
        filled = self._left + max(now_ms - self._at_ms, 0) * self._per_ms
        self._left, self._at_ms = min(filled, self._capacity), now_ms
        if self._left < weight:
            return False
        self._left -= weight
        return True
