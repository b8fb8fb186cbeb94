"""Taker volume of the last minutes, kept incrementally and exactly.

Time is cut into buckets; the window at an instant is the bucket it lies in and the ones before it,
``ceil(window / bucket)`` in all. Quantities are counted in whole units of 1e-8 of the base
currency, the finest step the exchange knows, so that running sums never drift and an empty window
is exactly zero. Memory is bounded by the number of buckets, whatever the number of trades.

A trade is *large* when it exceeds `large_ratio` times the mean of the trades that were in the
window when it came, itself left out; fewer than `min_trades` of them say nothing. What was large
when it came stays large until it leaves the window.
"""

from collections import deque
from math import inf, nan
from typing import Final

from external_layers.orderflow.coverage import Coverage

UNITS: Final = 100_000_000
_NO_BUCKET: Final = -1


def units_of(quantity: float) -> int:
    """Return a quantity, at least 0, in whole units of 1e-8."""
    return int(quantity * UNITS + 0.5)


class _Bucket:
    __slots__ = (
        "bars",
        "buy",
        "high",
        "index",
        "large_buy",
        "large_buys",
        "large_sell",
        "large_sells",
        "low",
        "sell",
        "trades",
    )

    def __init__(self, index: int) -> None:
        self.index = index
        self.buy = self.sell = self.trades = self.bars = 0
        self.large_buy = self.large_sell = self.large_buys = self.large_sells = 0
        self.low = inf
        self.high = -inf


class FlowWindow:
    """Sums over the window, in units, and the last price.

    Attributes
    ----------
    buy, sell
        What takers bought and sold, units.
    trades, bars
        Number of trades, and of bars that stand for many of them.
    large_buy, large_sell, large_buys, large_sells
        Units and numbers of large trades.
    price, price_ms
        Of the newest trade or bar; NaN and `NEVER` before any.
    late
        Trades ignored since they came after their window had passed.
    coverage
        What of the window was listened to.
    """

    __slots__ = (
        "_bucket_ms",
        "_buckets",
        "_count",
        "_floor",
        "_large_ratio",
        "_min_trades",
        "_newest",
        "bars",
        "buy",
        "coverage",
        "large_buy",
        "large_buys",
        "large_sell",
        "large_sells",
        "late",
        "price",
        "price_ms",
        "sell",
        "trades",
    )

    def __init__(
        self, window_ms: int, bucket_ms: int, large_ratio: float = inf, min_trades: int = 1
    ) -> None:
        self._bucket_ms = bucket_ms
        self._count = -(-window_ms // bucket_ms)
        self._large_ratio = large_ratio
        self._min_trades = min_trades
        self._buckets: deque[_Bucket] = deque()
        self._newest = _Bucket(_NO_BUCKET)
        self._floor = _NO_BUCKET
        self.buy = self.sell = self.trades = self.bars = 0
        self.large_buy = self.large_sell = self.large_buys = self.large_sells = 0
        self.price = nan
        self.coverage = Coverage(window_ms)
        self.price_ms = self.coverage.newest_ms
        self.late = 0

    def add_trade(self, time_ms: int, price: float, units: int, is_buy: bool) -> bool:
        """Count one trade; return whether it was the newest so far.

        A trade older than the window is ignored and counted as late; an older one that still
        belongs to the window is counted at its own time.
        """
        bucket = self._newest
        if time_ms // self._bucket_ms != bucket.index:
            found = self._bucket_at(time_ms // self._bucket_ms)
            if found is None:
                self.late += 1
                return False
            bucket = found
        trades = self.trades
        is_large = trades >= self._min_trades and (
            units * trades > self._large_ratio * (self.buy + self.sell)
        )
        self.trades = trades + 1
        bucket.trades += 1
        if is_buy:
            bucket.buy += units
            self.buy += units
        else:
            bucket.sell += units
            self.sell += units
        if is_large:
            self._count_large(bucket, units, is_buy)
        if price < bucket.low:  # noqa: PLR1730 - a call of min() costs a tenth of the whole
            bucket.low = price
        if price > bucket.high:  # noqa: PLR1730
            bucket.high = price
        if time_ms < self.price_ms:
            return False
        self.price_ms = time_ms
        self.price = price
        self.coverage.hear(time_ms, time_ms)
        return True

    def add_bar(self, open_ms: int, close_ms: int, bought: int, sold: int, trades: int) -> bool:
        """Count a stretch of trades at its last millisecond, `close_ms` (exclusive) less one.

        Single trades are not known from it: `bars` says that some are in the window.
        """
        bucket = self._bucket_at((close_ms - 1) // self._bucket_ms)
        if bucket is None:
            self.late += 1
            return False
        bucket.bars += 1
        bucket.buy += bought
        bucket.sell += sold
        bucket.trades += trades
        self.bars += 1
        self.buy += bought
        self.sell += sold
        self.trades += trades
        self.coverage.hear(open_ms, close_ms - 1)
        return True

    def price_at(self, time_ms: int, price: float) -> None:
        """Take over a price unless a newer one is known."""
        if time_ms >= self.price_ms:
            self.price_ms = time_ms
            self.price = price

    def expire(self, at_ms: int) -> None:
        """Forget what left the window that ends at `at_ms`; an earlier instant changes nothing."""
        self._expire(at_ms // self._bucket_ms)

    def trades_since(self, at_ms: int, span_ms: int) -> int:
        """Return the number of trades in the last `span_ms` (whole buckets) up to `at_ms`."""
        floor = at_ms // self._bucket_ms - -(-span_ms // self._bucket_ms)
        count = 0
        for bucket in reversed(self._buckets):
            if bucket.index <= floor:
                break
            count += bucket.trades
        return count

    def range_between(self, from_ms: int, to_ms: int) -> tuple[float, float]:
        """Return lowest and highest price traded in the buckets of `from_ms..to_ms`.

        ``(inf, -inf)`` when there was no trade.
        """
        first, last = from_ms // self._bucket_ms, to_ms // self._bucket_ms
        low, high = inf, -inf
        for bucket in reversed(self._buckets):
            if bucket.index < first:
                break
            if bucket.index <= last:
                low, high = min(low, bucket.low), max(high, bucket.high)
        return low, high

    def _count_large(self, bucket: _Bucket, units: int, is_buy: bool) -> None:
        if is_buy:
            bucket.large_buy += units
            bucket.large_buys += 1
            self.large_buy += units
            self.large_buys += 1
        else:
            bucket.large_sell += units
            bucket.large_sells += 1
            self.large_sell += units
            self.large_sells += 1

    def _bucket_at(self, index: int) -> _Bucket | None:
        if index <= self._floor:
            return None
        if index > self._newest.index:
            self._expire(index)
            self._newest = _Bucket(index)
            self._buckets.append(self._newest)
            return self._newest
        return self._older_bucket(index)

    def _older_bucket(self, index: int) -> _Bucket:
        position = len(self._buckets)
        for bucket in reversed(self._buckets):
            if bucket.index == index:
                return bucket
            if bucket.index < index:
                break
            position -= 1
        bucket = _Bucket(index)
        self._buckets.insert(position, bucket)
        return bucket

    def _expire(self, index: int) -> None:
        floor = index - self._count
        if floor <= self._floor:
            return
        self._floor = floor
        while self._buckets and self._buckets[0].index <= floor:
            self._forget(self._buckets.popleft())
        if not self._buckets:
            self._newest = _Bucket(_NO_BUCKET)

    def _forget(self, old: _Bucket) -> None:
        self.buy -= old.buy
        self.sell -= old.sell
        self.trades -= old.trades
        self.bars -= old.bars
        self.large_buy -= old.large_buy
        self.large_sell -= old.large_sell
        self.large_buys -= old.large_buys
        self.large_sells -= old.large_sells
