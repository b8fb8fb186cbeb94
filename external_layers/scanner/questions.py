"""What the scanner asks the exchange, what each question weighs, and how much it may ask."""

from dataclasses import dataclass
from typing import Final

from external_layers.binance.messages import MarketKind
from external_layers.binance.questions import PREFIX, depth_limit, klines_weight

BOOK_LEVELS: Final = 100
_MINUTE_S: Final = 60.0
_LEAST_CAPACITY: Final = 10.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and its request weight."""

    name: str
    path: str
    weight: int


@dataclass(frozen=True, slots=True)
class Questions:
    """The five questions to one market: three about all symbols, two about a single one."""

    markets: Endpoint
    day_tickers: Endpoint
    book_tickers: Endpoint
    candles: Endpoint
    depth: Endpoint


def questions_to(kind: MarketKind, candle_rows: int) -> Questions:
    """Return the questions with the exchange's official weights (the `symbol` left out for all).

    Parameters
    ----------
    kind
        The market.
    candle_rows
        Rows of a candle answer, 1..1000.
    """
    # https://developers.binance.com/docs: derivatives/usds-margined-futures/market-data, and
    # binance-spot-api-docs/rest-api
    weights = (1, 40, 5) if kind == "futures" else (20, 80, 4)
    root = PREFIX[kind]
    return Questions(
        Endpoint("markets", f"{root}/exchangeInfo", weights[0]),
        Endpoint("day_ticker", f"{root}/ticker/24hr", weights[1]),
        Endpoint("book_ticker", f"{root}/ticker/bookTicker", weights[2]),
        Endpoint("candles", f"{root}/klines", klines_weight(kind, candle_rows)),
        Endpoint("depth", f"{root}/depth", depth_limit(kind, BOOK_LEVELS)[1]),
    )


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
