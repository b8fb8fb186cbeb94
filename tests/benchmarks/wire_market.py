"""Forty pairs in the exchange's own writing: frames drawn from a seed whose books never break.

A pair's touch moves a tick at a time and every change of the book follows it, so a kept book stays
whole and uncrossed. A second of a pair is 27 trades, 10 partial books, 10 changes of about 50
levels, 12 states of candles (three lengths) and one mark price: 60 frames, 2,400 of forty pairs.
"""

import random
from collections.abc import Iterator
from typing import Final

from external_layers.binance.messages import BookSnapshot, Level
from external_layers.candles import LENGTH_MS

PAIRS: Final = 40
STEP_MS: Final = 10
TRADES_A_SECOND: Final = 27
FIRST_ID: Final = 5_000_000_000
MARKET_CHANNELS: Final = ("aggTrade", "kline", "markPrice")

_FAST_MS: Final = 100
_CANDLE_MS: Final = 250
_SECOND_MS: Final = 1_000
_HUGE_SHARE: Final = 0.003
_REMOVED: Final = 0.3  # of the changed levels
_FUNDING_MS: Final = 28_800_000
_TICKS: Final = ((618_000, 0.1), (31_000, 0.1), (150_000, 0.001), (20_000, 0.0001))


def symbols(pairs: int = PAIRS) -> dict[str, str]:
    """Return the exchange's names of the pairs and Freqtrade's."""
    return {f"COIN{each}USDT": f"COIN{each}/USDT:USDT" for each in range(pairs)}


class DrawnPair:
    """One pair's market.

    Parameters
    ----------
    symbol
        The exchange's name.
    number
        Which of the pairs: it decides the seed and how fine its ticks are.
    """

    def __init__(self, symbol: str, number: int) -> None:
        self._symbol = symbol
        self._chance = random.Random(number)
        self._touch, self._tick = _TICKS[number % len(_TICKS)]
        self._told = self._touch
        self._before = self._update = FIRST_ID
        self._trade = 0

    def snapshot(self, levels: int) -> BookSnapshot:
        """Return the whole book before the first change, this many levels a side."""

        def side(direction: int) -> list[Level]:
            ticks = (self._touch + direction * each for each in range(1, levels + 1))
            return [(round(tick * self._tick, 4), self._size()) for tick in ticks]

        return BookSnapshot(symbol=self._symbol, update_id=FIRST_ID, bids=side(-1), asks=side(1))

    def trade(self, at_ms: int) -> bytes:
        """Return a trade at the touch, which may move by a tick."""
        chance = self._chance
        if chance.random() < 0.1:
            self._touch += chance.choice((-1, 1))
        self._trade += 1
        seller = "true" if chance.random() < 0.5 else "false"
        return self._frame(
            "aggTrade",
            f'{{"e":"aggTrade","E":{at_ms},"a":{self._trade},"s":"{self._symbol}",'
            f'"p":"{self._price(self._touch)}","q":"{self._size():.3f}","f":{self._trade * 2},'
            f'"l":{self._trade * 2 + 1},"T":{at_ms},"m":{seller}}}',
        )

    def partial_book(self, at_ms: int) -> bytes:
        """Return the best 20 levels."""
        bids, asks = (self._side(direction, range(1, 21), 0.0) for direction in (-1, 1))
        return self._frame("depth20@100ms", self._book(at_ms, bids, asks))

    def change(self, at_ms: int) -> bytes:
        """Return a change of the book: what the touch passed, and levels near it."""
        self._before, self._update = self._update, self._update + 8
        bids, asks = (self._side(direction, self._near(), _REMOVED) for direction in (-1, 1))
        # What the touch passed is cleared on both sides, for it may have come and gone.
        low, high = sorted((self._told, self._touch))
        passed = [f'["{self._price(tick)}","0.000"]' for tick in range(low, high + 1)]
        self._told = self._touch
        return self._frame("depth@100ms", self._book(at_ms, passed + bids, passed + asks))

    def candle(self, at_ms: int, timeframe: str) -> bytes:
        """Return the forming candle of a timeframe."""
        open_ms = at_ms // LENGTH_MS[timeframe] * LENGTH_MS[timeframe]
        price = self._price(self._touch)
        return self._frame(
            f"kline_{timeframe}",
            f'{{"e":"kline","E":{at_ms},"s":"{self._symbol}","k":{{"t":{open_ms},'
            f'"T":{open_ms + LENGTH_MS[timeframe] - 1},"s":"{self._symbol}","i":"{timeframe}",'
            f'"f":1,"L":{self._trade},"o":"{price}","c":"{price}","h":"{price}","l":"{price}",'
            f'"v":"{self._trade}.5","n":{self._trade},"x":false,"q":"1234567.89",'
            f'"V":"{self._trade // 2}.2","Q":"617283.9","B":"0"}}}}',
        )

    def mark_price(self, at_ms: int) -> bytes:
        """Return mark price, index price and funding rate."""
        price, funding_ms = self._price(self._touch), (at_ms // _FUNDING_MS + 1) * _FUNDING_MS
        return self._frame(
            "markPrice@1s",
            f'{{"e":"markPriceUpdate","E":{at_ms},"s":"{self._symbol}","p":"{price}",'
            f'"P":"{price}","i":"{price}","r":"0.00010000","T":{funding_ms}}}',
        )

    def _near(self) -> list[int]:
        count = self._chance.randrange(10, 41)
        return sorted({1 + int(self._chance.expovariate(1 / 60)) for _ in range(count)})

    def _side(self, direction: int, offsets: range | list[int], removed: float) -> list[str]:
        chance = self._chance
        return [
            f'["{self._price(self._touch + direction * offset)}",'
            f'"{0.0 if chance.random() < removed else self._size():.3f}"]'
            for offset in offsets
        ]

    def _book(self, at_ms: int, bids: list[str], asks: list[str]) -> str:
        ids = f'"U":{self._before + 1},"u":{self._update},"pu":{self._before}'
        head = f'{{"e":"depthUpdate","E":{at_ms},"T":{at_ms},"s":"{self._symbol}",{ids}'
        return f'{head},"b":[{",".join(bids)}],"a":[{",".join(asks)}]}}'

    def _size(self) -> float:
        size = self._chance.lognormvariate(0.0, 1.0) + 0.001
        return size * (100.0 if self._chance.random() < _HUGE_SHARE else 1.0)

    def _price(self, tick: int) -> str:
        return f"{tick * self._tick:.4f}"

    def _frame(self, channel: str, data: str) -> bytes:
        return f'{{"stream":"{self._symbol.lower()}@{channel}","data":{data}}}'.encode()


class DrawnMarket:
    """All pairs, step by step."""

    def __init__(self, pairs: int = PAIRS) -> None:
        self.pairs = [DrawnPair(name, each) for each, name in enumerate(symbols(pairs))]
        self._trades_due = [0.0] * pairs

    def step(self, at_ms: int) -> Iterator[bytes]:
        """Yield the frames of the step of `STEP_MS` that begins at a multiple of it."""
        for number, pair in enumerate(self.pairs):
            # Pairs take turns within each interval, as the exchange's pushes are spread.
            shifted = at_ms + number * STEP_MS
            yield from self._trades(number, pair, at_ms)
            if shifted % _FAST_MS < STEP_MS:
                yield pair.partial_book(at_ms)
                yield pair.change(at_ms)
            if shifted % _CANDLE_MS < STEP_MS:
                yield from (pair.candle(at_ms, timeframe) for timeframe in LENGTH_MS)
            if shifted % _SECOND_MS < STEP_MS:
                yield pair.mark_price(at_ms)

    def _trades(self, number: int, pair: DrawnPair, at_ms: int) -> Iterator[bytes]:
        self._trades_due[number] += TRADES_A_SECOND * STEP_MS / _SECOND_MS
        while self._trades_due[number] >= 1.0:
            self._trades_due[number] -= 1.0
            yield pair.trade(at_ms)
