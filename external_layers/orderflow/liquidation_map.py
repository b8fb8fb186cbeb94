"""Where leveraged positions would be liquidated, estimated from where trade happened.

Every traded quantity is taken to have opened a long and a short at its price, spread evenly over
the leverages of `liquidation_leverages`. With leverage L and a maintenance margin of m a long is
liquidated at ``entry * (1 - 1/L + m)`` and a short at ``entry * (1 + 1/L - m)``. Liquidation
prices are counted in buckets of `liquidation_bucket_pct` on a log scale; a bucket that the price
reaches is emptied. Entries are kept in slices of time and weigh linearly less with every slice,
down to nothing after `liquidation_memory_s`: whole numbers throughout, so nothing drifts.
"""

from collections import deque
from math import exp, floor, inf, log, log1p
from typing import NamedTuple

from scalp_strategy.contract import Side
from scalp_strategy.setting_groups.orderflow import OrderFlowSettings


class Zone(NamedTuple):
    """The nearest large cluster of liquidations of one side.

    Attributes
    ----------
    side
        Whose positions would be liquidated: longs below the price, shorts above it.
    price
        Middle of its bucket.
    nearness
        1 at the price, 0 at the end of the search.
    share
        Its share 0..1 of all estimated positions of that side.
    """

    side: Side
    price: float
    nearness: float
    share: float


class _Slice:
    __slots__ = ("index", "longs", "shorts")

    def __init__(self, index: int) -> None:
        self.index = index
        self.longs: dict[int, int] = {}
        self.shorts: dict[int, int] = {}


class LiquidationMap:
    """Estimated liquidation prices, kept incrementally."""

    __slots__ = (
        "_bucket",
        "_high",
        "_long_offsets",
        "_low",
        "_pending",
        "_settings",
        "_short_offsets",
        "_slice_end_ms",
        "_slice_ms",
        "_slices",
        "_step",
        "_weights",
    )

    def __init__(self, settings: OrderFlowSettings) -> None:
        self._settings = settings
        self._step = log1p(settings.liquidation_bucket_pct / 100.0)
        self._slice_ms = settings.liquidation_slice_s * 1_000
        self._weights = -(-settings.liquidation_memory_s // settings.liquidation_slice_s)
        moves = liquidation_moves(settings)
        self._long_offsets = tuple(round(log1p(-move) / self._step) for move in moves)
        self._short_offsets = tuple(round(log1p(move) / self._step) for move in moves)
        self._slices: deque[_Slice] = deque()
        self._bucket = 0
        self._low, self._high = inf, -inf
        self._slice_end_ms = -1
        self._pending = 0

    def add(self, time_ms: int, price: float, units: int) -> None:
        """Count entries at a price, newest trade last; nothing is entered at a price of 0."""
        if not self._low <= price < self._high or time_ms >= self._slice_end_ms:
            if price <= 0.0:
                return
            self._move(time_ms, price)
        self._pending += units

    def zones(self, at_ms: int) -> list[Zone]:
        """Return the nearest large cluster of each side that has one, the nearer one first."""
        if not self._slices:
            return []
        self._settle()
        found = [self._zone("long", -1, at_ms), self._zone("short", 1, at_ms)]
        return sorted((zone for zone in found if zone), key=lambda zone: -zone.nearness)

    def _move(self, time_ms: int, price: float) -> None:
        self._settle()
        index = time_ms // self._slice_ms
        if not self._slices or index > self._slices[-1].index:
            self._slices.append(_Slice(index))
            self._slice_end_ms = (index + 1) * self._slice_ms
            while self._slices[0].index <= index - self._weights:
                self._slices.popleft()
        bucket = floor(log(price) / self._step)
        if bucket != self._bucket:
            self._empty_reached(bucket)
        self._bucket = bucket
        self._low, self._high = exp(bucket * self._step), exp((bucket + 1) * self._step)

    def _settle(self) -> None:
        if not self._pending:
            return
        newest = self._slices[-1]
        for offset in self._long_offsets:
            bucket = self._bucket + offset
            newest.longs[bucket] = newest.longs.get(bucket, 0) + self._pending
        for offset in self._short_offsets:
            bucket = self._bucket + offset
            newest.shorts[bucket] = newest.shorts.get(bucket, 0) + self._pending
        self._pending = 0

    def _empty_reached(self, bucket: int) -> None:
        for held in self._slices:
            if bucket < self._bucket:
                held.longs = {each: units for each, units in held.longs.items() if each < bucket}
            else:
                held.shorts = {each: units for each, units in held.shorts.items() if each > bucket}

    def _zone(self, side: Side, direction: int, at_ms: int) -> Zone | None:
        newest = at_ms // self._slice_ms
        held = [
            (self._weights - max(newest - each.index, 0), getattr(each, f"{side}s"))
            for each in self._slices
        ]
        held = [(weight, units) for weight, units in held if weight > 0]
        total = sum(weight * sum(units.values()) for weight, units in held)
        reach = log1p(self._settings.liquidation_near_pct / 100.0) / self._step
        for distance in range(floor(reach) + 1):
            bucket = self._bucket + direction * distance
            units = sum(weight * each.get(bucket, 0) for weight, each in held)
            if total and units / total >= self._settings.liquidation_cluster_share:
                price = exp((bucket + 0.5) * self._step)
                return Zone(side, price, 1.0 - distance / reach, units / total)
        return None


def liquidation_moves(settings: OrderFlowSettings) -> tuple[float, ...]:
    """Return how far, as a share of entry, price moves to liquidate each leverage.

    ``1/L - m``; leverages whose margin is all maintenance are left out.
    """
    margin = settings.liquidation_margin_pct / 100.0
    return tuple(
        1.0 / leverage - margin
        for leverage in settings.liquidation_leverages
        if 1.0 / leverage > margin
    )
