"""A whole order book, kept level by level."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from math import inf, isfinite, nan
from typing import Final

from external_layers.binance.messages import BookSnapshot, DepthUpdate, Level
from scalp_strategy.errors import PayloadError

_NONE: Final = -1


class OrderBook:
    """Bids and asks of one symbol; bounded, as levels far from the best are dropped now and then.

    Levels beyond those of the last snapshot are known only once they changed.

    Parameters
    ----------
    max_distance_pct
        Levels further from the best of their side than this, in percent of it, are dropped.
    max_levels
        Levels kept a side; beyond it the furthest are dropped.
    trim_every
        Updates after which this is done.

    Attributes
    ----------
    bids, asks
        Quantity in base currency by price in quote currency; to be read only.
    update_id
        The last update in the book, -1 before the first snapshot.
    """

    def __init__(
        self,
        *,
        max_distance_pct: float = 10.0,
        max_levels: int = 20_000,
        trim_every: int = 1_000,
    ) -> None:
        self.bids: dict[float, float] = {}
        self.asks: dict[float, float] = {}
        self.update_id = _NONE
        self._bid_prices: list[float] = []  # both ascending
        self._ask_prices: list[float] = []
        self._max_distance = max_distance_pct / 100.0
        self._max_levels = max_levels
        self._trim_every = trim_every
        self._applied = 0

    @property
    def best_bid(self) -> float:
        """Highest bid, NaN without bids."""
        return self._bid_prices[-1] if self._bid_prices else nan

    @property
    def best_ask(self) -> float:
        """Lowest ask, NaN without asks."""
        return self._ask_prices[0] if self._ask_prices else nan

    @property
    def middle(self) -> float:
        """Mean of best bid and best ask, NaN unless there are both."""
        return (self.best_bid + self.best_ask) / 2.0

    @property
    def is_crossed(self) -> bool:
        """Whether the best bid is at or above the best ask, which no true book is."""
        return self.best_bid >= self.best_ask

    def clear(self) -> None:
        """Forget everything."""
        self.bids, self.asks = {}, {}
        self._bid_prices, self._ask_prices = [], []
        self.update_id = _NONE

    def load(self, snapshot: BookSnapshot) -> None:
        """Replace the book by a snapshot.

        Raises
        ------
        PayloadError
            If a level is not a positive price with a finite quantity; the book stays as it was.
        """
        bids, asks = _resting(snapshot.bids), _resting(snapshot.asks)
        self.bids, self.asks = bids, asks
        self._bid_prices, self._ask_prices = sorted(bids), sorted(asks)
        self.update_id = snapshot.update_id
        self._trim()

    def apply(self, update: DepthUpdate) -> None:
        """Change the levels of an update; whether it continues the book is the caller's matter.

        Raises
        ------
        PayloadError
            As `load` does; levels before the bad one are then changed already.
        """
        _change(self.bids, self._bid_prices, update.bids)
        _change(self.asks, self._ask_prices, update.asks)
        self.update_id = update.last_id
        self._applied += 1
        if self._applied >= self._trim_every:
            self._trim()

    def top(self, levels: int) -> tuple[list[Level], list[Level]]:
        """Return the best levels of bids and asks, best first; fewer where there are fewer."""
        bids, asks = self.bids, self.asks
        highest = self._bid_prices[: -levels - 1 : -1]
        return [(price, bids[price]) for price in highest], [
            (price, asks[price]) for price in self._ask_prices[:levels]
        ]

    def depth_within(self, pct: float) -> tuple[float, float]:
        """Return what rests near the middle.

        Parameters
        ----------
        pct
            Largest distance from the middle, in percent of it.

        Returns
        -------
        tuple of float
            Price times quantity summed over bids and over asks, in quote currency; NaN without a
            middle. Levels that are not known count nothing, so the true sums may be larger.
        """
        middle = self.middle
        if not isfinite(middle):
            return nan, nan
        reach = middle * pct / 100.0
        bids = self._bid_prices[bisect_left(self._bid_prices, middle - reach) :]
        asks = self._ask_prices[: bisect_right(self._ask_prices, middle + reach)]
        return (
            sum(price * self.bids[price] for price in bids),
            sum(price * self.asks[price] for price in asks),
        )

    def _trim(self) -> None:
        """Drop far levels, never the best."""
        self._applied = 0
        bids, asks = self._bid_prices, self._ask_prices
        lowest = self.best_bid * (1.0 - self._max_distance)
        highest = self.best_ask * (1.0 + self._max_distance)
        far_bids = max(len(bids) - self._max_levels, bisect_left(bids, lowest), 0)
        near_asks = min(self._max_levels, bisect_right(asks, highest))
        for price in bids[:far_bids]:
            del self.bids[price]
        for price in asks[near_asks:]:
            del self.asks[price]
        del bids[:far_bids], asks[near_asks:]


def _resting(levels: Iterable[Level]) -> dict[float, float]:
    found: dict[float, float] = {}
    _change(found, [], levels)
    return found


def _change(levels: dict[float, float], prices: list[float], changes: Iterable[Level]) -> None:
    for price, quantity in changes:
        if not (0.0 < price < inf and 0.0 <= quantity < inf):
            raise PayloadError(f"book level {price} x {quantity}")
        if quantity:
            if price not in levels:
                insort(prices, price)
            levels[price] = quantity
        elif price in levels:
            del levels[price]
            del prices[bisect_left(prices, price)]
