"""Messages written by hand or drawn from a seed, and a book that follows them."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf, nan

from external_layers.binance.messages import (
    AggTrade,
    DepthSnapshot,
    DepthUpdate,
    Level,
    Liquidation,
    MarkPrice,
    OpenInterest,
    TakerBar,
)

SYMBOL = "SOLUSDT"
START_MS = 1_750_000_000_000
Event = (
    AggTrade | DepthSnapshot | DepthUpdate | MarkPrice | OpenInterest | Liquidation | TakerBar | str
)


def trade(time_ms: int, price: float, quantity: float, *, buy: bool = True) -> AggTrade:
    return AggTrade(
        symbol=SYMBOL,
        id=time_ms,
        price=price,
        quantity=quantity,
        time_ms=time_ms,
        is_buyer_maker=not buy,
        event_ms=time_ms,
    )


def depth(time_ms: int, bids: list[Level], asks: list[Level]) -> DepthSnapshot:
    return DepthSnapshot(symbol=SYMBOL, update_id=time_ms, event_ms=time_ms, bids=bids, asks=asks)


def update(time_ms: int, bids: list[Level], asks: list[Level]) -> DepthUpdate:
    return DepthUpdate(
        symbol=SYMBOL,
        event_ms=time_ms,
        first_id=time_ms,
        last_id=time_ms,
        previous_id=time_ms - 1,
        bids=bids,
        asks=asks,
    )


def mark(time_ms: int, rate_pct: float) -> MarkPrice:
    return MarkPrice(
        symbol=SYMBOL,
        event_ms=time_ms,
        mark=100.0,
        index=100.0,
        funding_rate=rate_pct / 100.0,
        next_funding_ms=time_ms + 1,
    )


def open_interest(time_ms: int, quantity: float) -> OpenInterest:
    return OpenInterest(symbol=SYMBOL, time_ms=time_ms, quantity=quantity)


def liquidation(time_ms: int, quantity: float, *, buy: bool, price: float = 100.0) -> Liquidation:
    return Liquidation(
        symbol=SYMBOL,
        time_ms=time_ms,
        price=price,
        quantity=quantity,
        is_buy=buy,
        event_ms=time_ms,
    )


def taker_bar(
    open_ms: int, close_ms: int, bought: float, sold: float, close: float = 100.0
) -> TakerBar:
    return TakerBar(
        symbol=SYMBOL,
        open_ms=open_ms,
        close_ms=close_ms,
        buy_quantity=bought,
        sell_quantity=sold,
        trades=50,
        close=close,
    )


@dataclass
class PlainBook:
    """A book as two dicts."""

    bids: dict[float, float] = field(default_factory=dict)
    asks: dict[float, float] = field(default_factory=dict)
    covered: tuple[float, float] = (0.0, inf)

    @property
    def best_bid(self) -> float:
        return max(self.bids, default=nan)

    @property
    def best_ask(self) -> float:
        return min(self.asks, default=nan)

    def prices_between(self, low: float, high: float) -> tuple[list[float], list[float]]:
        bids, asks = (
            [price for price in side if low <= price <= high] for side in (self.bids, self.asks)
        )
        return bids, asks

    def apply(self, change: DepthUpdate) -> None:
        for levels, changed in ((self.bids, change.bids), (self.asks, change.asks)):
            for price, quantity in changed:
                if quantity:
                    levels[price] = quantity
                else:
                    levels.pop(price, None)


def random_events(
    seed: int, count: int, *, step_ms: int = 400, volatility: float = 0.002
) -> list[Event]:
    """Return a random market: trades, books, funding, open interest, liquidations, gaps."""
    chance = random.Random(seed)
    events: list[Event] = []
    time_ms, price = START_MS, 100.0
    for _ in range(count):
        time_ms += chance.randrange(2 * step_ms)
        price *= 1.0 + chance.gauss(0.0, volatility)
        events.append(_random_event(chance, time_ms, round(price, 2)))
    return events


def _random_event(chance: random.Random, time_ms: int, price: float) -> Event:
    def quantity() -> float:
        return round(chance.paretovariate(1.1), 3)

    def some_trade() -> Event:
        late_ms = chance.choice((0, 0, 0, 0, 700, 20_000, 400_000))
        return trade(time_ms - late_ms, price, quantity(), buy=chance.random() < 0.55)

    def change() -> Event:
        bids, asks = _ladder(chance, price, 30, 0.02)
        # What the price moved through goes, so that the kept book never crosses.
        gone = [(round(price + offset * 0.01, 2), 0.0) for offset in range(-60, 61)]
        return update(time_ms, gone + bids, gone + asks)

    kinds: dict[Callable[[], Event], float] = {
        some_trade: 55.0,
        lambda: depth(time_ms, *_ladder(chance, price, 20, 0.01)): 15.0,
        change: 15.0,
        lambda: mark(time_ms, chance.gauss(0.0, 0.04)): 5.0,
        lambda: open_interest(time_ms, 1_000.0 + chance.gauss(0.0, 10.0)): 5.0,
        lambda: liquidation(time_ms, quantity(), buy=chance.random() < 0.5): 3.5,
        lambda: "gap": 1.0,
        lambda: "reset": 0.5,
    }
    return chance.choices(list(kinds), list(kinds.values()))[0]()


def _ladder(
    chance: random.Random, price: float, count: int, tick: float
) -> tuple[list[Level], list[Level]]:
    def levels(direction: int) -> list[Level]:
        return [
            (round(price + direction * tick * (each + 1), 2), round(chance.paretovariate(0.9), 3))
            for each in range(count)
        ]

    return levels(-1), levels(1)
