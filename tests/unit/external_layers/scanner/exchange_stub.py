"""A made-up exchange that answers the scanner on a clock that the test owns."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scalp_strategy.contract import CANDLE_MS

START_MS = 2_000_000 * CANDLE_MS + 60_000
MINUTE_MS = 60_000


@dataclass
class Coin:
    """What the exchange says of one symbol."""

    volume: float = 10_000_000.0
    spread: float = 0.02
    change: float = 2.0
    half_range: float = 0.003
    history: int = 5_000
    depth: float = 200_000.0
    status: str = "TRADING"


@dataclass
class ExchangeStub:
    """Answers of the futures market; `errors` by the end of a path, `answers` replace bodies."""

    coins: dict[str, Coin]
    now_ms: int = START_MS
    errors: dict[str, Exception] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    symbols_asked: list[tuple[str, str]] = field(default_factory=list)
    weights: Counter[int] = field(default_factory=Counter)
    under_way: int = 0
    most_under_way: int = 0

    def clock(self) -> int:
        return self.now_ms

    async def get(
        self, path: str, params: Mapping[str, str | int] | None = None, *, weight: int
    ) -> Any:
        self.weights[self.now_ms // MINUTE_MS] += weight
        name = path.removeprefix("/fapi/v1/")
        self.asked[name] += 1
        if params:
            self.symbols_asked.append((name, str(params["symbol"])))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        if name in self.errors:
            raise self.errors[name]
        if name in self.answers:
            return self.answers[name]
        return self._answer(name, dict(params or {}))

    def _answer(self, name: str, params: dict[str, Any]) -> Any:
        if name == "exchangeInfo":
            return {"symbols": [_listing(base, coin) for base, coin in self.coins.items()]}
        if name == "ticker/24hr":
            return [self.day_ticker(base) for base in self.coins]
        if name == "ticker/bookTicker":
            return [
                {"symbol": f"{base}USDT", "bidPrice": str(100 - coin.spread), "askPrice": "100"}
                for base, coin in self.coins.items()
            ]
        coin = self.coins[params["symbol"].removesuffix("USDT")]
        if name == "klines":
            return self._candles(coin, params["limit"])
        side = str(coin.depth / 100)
        return {"lastUpdateId": 1, "bids": [["99.99", side]], "asks": [["100", side]]}

    def day_ticker(self, base: str) -> dict[str, str]:
        coin = self.coins[base]
        return {"symbol": f"{base}USDT", "lastPrice": "100", "quoteVolume": str(coin.volume)} | {
            "priceChangePercent": str(coin.change)
        }

    def _candles(self, coin: Coin, limit: int) -> list[list[Any]]:
        forming = self.now_ms // CANDLE_MS * CANDLE_MS
        half = 100 * coin.half_range
        count = min(limit, coin.history + 1)
        opens = [forming - back * CANDLE_MS for back in reversed(range(count))]
        # the forming one is wild: whoever uses it sees another ATR
        return [
            _candle(opened, 100 + half * (50 if opened == forming else 1), 100 - half)
            for opened in opens
        ]


def _candle(opened: int, high: float, low: float) -> list[Any]:
    last = opened + CANDLE_MS - 1
    return [opened, "100", str(high), str(low), "100", "1", last, "100", 1, "1", "1", "0"]


def _listing(base: str, coin: Coin) -> dict[str, Any]:
    return {
        "symbol": f"{base}USDT", "status": coin.status, "baseAsset": base, "quoteAsset": "USDT",
        "marginAsset": "USDT", "contractType": "PERPETUAL", "onboardDate": 1_600_000_000_000,
        "filters": [{"filterType": "PRICE_FILTER", "tickSize": "0.01"},
                    {"filterType": "LOT_SIZE", "stepSize": "0.1"}],
    }  # fmt: skip
