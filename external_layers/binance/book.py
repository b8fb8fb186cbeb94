"""A whole order book, kept level by level."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from math import inf, isfinite, nan
from typing import Final

from external_layers.binance.messages import BookSnapshot, DepthUpdate, Level
from scalp_strategy.errors import PayloadError

_NOWHERE: Final = (nan, nan)
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
    covered
        The lowest bid and the highest ask of the last snapshot: between them every level is known.
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
        self.covered: tuple[float, float] = _NOWHERE
        # Ascending, asks negated: most changes are near the best, at the cheap end of both lists.
        self._bid_keys: list[float] = []
        self._ask_keys: list[float] = []
        self._max_distance = max_distance_pct / 100.0
        self._max_levels = max_levels
        self._trim_every = trim_every
        self._applied = 0

    @property
    def best_bid(self) -> float:
        """Highest bid, NaN without bids."""
        return self._bid_keys[-1] if self._bid_keys else nan

    @property
    def best_ask(self) -> float:
        """Lowest ask, NaN without asks."""
        return -self._ask_keys[-1] if self._ask_keys else nan

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
        self._bid_keys, self._ask_keys = [], []
        self.update_id = _NONE
        self.covered = _NOWHERE

    def load(self, snapshot: BookSnapshot) -> None:
        """Replace the book by a snapshot.

        Raises
        ------
        PayloadError
            If a level is not a positive price with a finite quantity; the book stays as it was.
        """
        bids, asks = _resting(snapshot.bids), _resting(snapshot.asks)
        self.bids, self.asks = bids, asks
        self._bid_keys, self._ask_keys = sorted(bids), sorted(-price for price in asks)
        self.update_id = snapshot.update_id
        self.covered = (min(bids, default=nan), max(asks, default=nan))
        self._trim()

    def apply(self, update: DepthUpdate) -> None:
        """Change the levels of an update; whether it continues the book is the caller's matter.

        Raises
        ------
        PayloadError
            As `load` does; levels before the bad one are then changed already.
        """
        _change(self.bids, self._bid_keys, update.bids, 1.0)
        _change(self.asks, self._ask_keys, update.asks, -1.0)
        self.update_id = update.last_id
        self._applied += 1
        if self._applied >= self._trim_every:
            self._trim()

    def top(self, levels: int) -> tuple[list[Level], list[Level]]:
        """Return the best levels of bids and asks, best first; fewer where there are fewer."""
        bids, asks = self.bids, self.asks
        highest = self._bid_keys[: -levels - 1 : -1]
        lowest = self._ask_keys[: -levels - 1 : -1]
        return [(price, bids[price]) for price in highest], [(-key, asks[-key]) for key in lowest]

    def prices_between(self, low: float, high: float) -> tuple[list[float], list[float]]:
        """Return the prices of bids and of asks from `low` to `high`, both included, best last.

        It costs as much as there are such levels, however many others there are.
        """
        bids, asks = self._bid_keys, self._ask_keys
        near = asks[bisect_left(asks, -high) : bisect_right(asks, -low)]
        return bids[bisect_left(bids, low) : bisect_right(bids, high)], [-key for key in near]

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
        bids, asks = self.prices_between(middle - reach, middle + reach)
        return (
            sum(price * self.bids[price] for price in bids),
            sum(price * self.asks[price] for price in asks),
        )

    def _trim(self) -> None:
        """Drop far levels, never the best."""
        self._applied = 0
        lowest = self.best_bid * (1.0 - self._max_distance)
        highest = self.best_ask * (1.0 + self._max_distance)
        for price in _far(self._bid_keys, lowest, self._max_levels):
            del self.bids[price]
        for key in _far(self._ask_keys, -highest, self._max_levels):
            del self.asks[-key]


def _far(keys: list[float], least: float, most: int) -> list[float]:
    """Take the keys below `least` and those beyond the last `most` out, and return them."""
    count = max(len(keys) - most, bisect_left(keys, least))
    far, keys[:count] = keys[:count], []
    return far


def _resting(levels: Iterable[Level]) -> dict[float, float]:
    found: dict[float, float] = {}
    _change(found, [], levels, 1.0)
    return found


def _change(
    levels: dict[float, float], keys: list[float], changes: Iterable[Level], sign: float
) -> None:
    for price, quantity in changes:
        if not (0.0 < price < inf and 0.0 <= quantity < inf):
            raise PayloadError(f"book level {price} x {quantity}")
        if quantity:
            if price not in levels:
                insort(keys, sign * price)
            levels[price] = quantity
        elif price in levels:
            del levels[price]
            del keys[bisect_left(keys, sign * price)]
