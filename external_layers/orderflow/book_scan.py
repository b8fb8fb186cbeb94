"""One look at the kept book near the middle: mean level, nearest walls, depth."""

from collections.abc import Mapping
from math import inf, nan, nextafter
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from scalp_strategy.setting_groups.orderflow import OrderFlowSettings

Floats = NDArray[np.float64]


class Book(Protocol):
    """A kept book: quantity by price on both sides, and the best prices."""

    @property
    def bids(self) -> Mapping[float, float]:
        """Return what is bid, base quantity by price."""

    @property
    def asks(self) -> Mapping[float, float]:
        """Return what is asked, base quantity by price."""

    @property
    def best_bid(self) -> float:
        """Return the highest bid."""

    @property
    def best_ask(self) -> float:
        """Return the lowest ask."""

    @property
    def covered(self) -> tuple[float, float]:
        """Return the prices between which every level is known: those of the last snapshot."""

    def prices_between(self, low: float, high: float) -> tuple[list[float], list[float]]:
        """Return the prices of bids and of asks from `low` to `high`, both included."""


class Wall(NamedTuple):
    """An abnormally large level: its price, its size in mean levels, 0 (far) .. 1 (at the mid)."""

    price: float
    ratio: float
    nearness: float


class BookScan(NamedTuple):
    """What the book near its middle was like at `event_ms`.

    Attributes
    ----------
    mid
        Middle of best bid and best ask.
    mean_level
        Mean quantity of the levels of both sides within `wall_distance_pct` of the mid.
    bid_wall, ask_wall
        The nearest level of each side above `wall_ratio` mean levels, if there is one.
    depth
        Quantity of both sides within `thin_distance_pct` of the mid; NaN where the last snapshot
        did not reach so far, for then levels are missing that nobody has changed since.
    huge
        Prices of the levels, of bids and of asks, above `vanishing_ratio` mean levels.
    """

    event_ms: int
    mid: float
    mean_level: float
    bid_wall: Wall | None
    ask_wall: Wall | None
    depth: float
    huge: tuple[list[float], list[float]]


class _Levels(NamedTuple):
    """The levels of one side within reach, and how far each is from the mid."""

    prices: Floats
    held: Floats
    distances: Floats

    def depth(self, reach: float) -> float:
        return float(self.held[self.distances <= reach].sum())

    def above(self, least: float) -> list[float]:
        found: list[float] = self.prices[self.held > least].tolist()
        return found

    def wall(self, mean: float, ratio: float, reach: float) -> Wall | None:
        large = np.flatnonzero(self.held > ratio * mean)
        if not large.size:
            return None
        nearest = large[np.argmin(self.distances[large])]
        nearness = 1.0 - float(self.distances[nearest]) / reach
        return Wall(float(self.prices[nearest]), float(self.held[nearest]) / mean, nearness)


def middle(book: Book) -> float | None:
    """Return the mid price; None while a side is empty or the book is crossed."""
    bid, ask = book.best_bid, book.best_ask
    return (bid + ask) / 2.0 if 0.0 < bid <= ask < inf else None


def scan(book: Book, event_ms: int, settings: OrderFlowSettings) -> BookScan | None:
    """Look at every level within `wall_distance_pct` of the middle.

    The mean is taken over the levels of both sides that are not empty and lie within
    `wall_distance_pct`; a wall is a level above `wall_ratio` of these means.

    Returns
    -------
    BookScan or None
        None while the book has no middle or no level near it.
    """
    mid = middle(book)
    if mid is None:
        return None
    reach = mid * settings.wall_distance_pct / 100.0
    bids, asks = _within(book, mid, reach)
    count = len(bids.held) + len(asks.held)
    if not count:
        return None
    mean = float(bids.held.sum() + asks.held.sum()) / count
    thin_reach = mid * settings.thin_distance_pct / 100.0
    lowest, highest = book.covered
    is_covered = lowest <= mid - thin_reach and mid + thin_reach <= highest
    huge = settings.vanishing_ratio * mean
    return BookScan(
        event_ms,
        mid,
        mean,
        bids.wall(mean, settings.wall_ratio, reach),
        asks.wall(mean, settings.wall_ratio, reach),
        bids.depth(thin_reach) + asks.depth(thin_reach) if is_covered else nan,
        (bids.above(huge), asks.above(huge)),
    )


def _within(book: Book, mid: float, reach: float) -> tuple[_Levels, _Levels]:
    # One step further than the bounds as rounded, so that only the exact distance decides.
    low, high = nextafter(mid - reach, -inf), nextafter(mid + reach, inf)
    bids, asks = book.prices_between(low, high)
    return _levels(book.bids, bids, mid, reach), _levels(book.asks, asks, mid, reach)


def _levels(
    quantities: Mapping[float, float], near: list[float], mid: float, reach: float
) -> _Levels:
    prices = np.array(near, dtype=np.float64)
    held = np.fromiter(map(quantities.__getitem__, near), np.float64, len(near))
    distances = np.abs(prices - mid)
    counts = (distances <= reach) & (held > 0.0)
    return _Levels(prices[counts], held[counts], distances[counts])
