"""Follows huge levels of the kept book from when they appear to when they go.

A level is *huge* while it holds more than `vanishing_ratio` mean levels as of the last look at the
book, and *near* within `vanishing_distance_pct` of the mid then. It *appears* when an update makes
a near level huge, and *goes* when an update leaves at most `vanishing_left_share` of the most it
held. It *vanished* when it went after `vanishing_min_s` at the earliest (sooner than that quotes
are merely renewed, thousands of times in a window) and `vanishing_s` at the latest, and nothing was
traded at its price or beyond meanwhile. Trades may arrive after the book's change, so the verdict
waits `vanishing_grace_ms`; where trades may have been lost there is none. Levels that were huge
when first looked at are of unknown age and never count.
"""

from collections import deque
from math import isnan, nan
from typing import NamedTuple

from external_layers.binance.messages import DepthUpdate, Level
from external_layers.orderflow.book_scan import BookScan
from external_layers.orderflow.coverage import Coverage
from external_layers.orderflow.flow_window import FlowWindow
from scalp_strategy.setting_groups.orderflow import OrderFlowSettings

_UNKNOWN_AGE = -(1 << 62)


class _Gone(NamedTuple):
    is_bid: bool
    price: float
    appeared_ms: int
    gone_ms: int


class VanishingWatch:
    """Counts the large orders that vanished in the window."""

    __slots__ = (
        "_asks",
        "_bids",
        "_flow",
        "_gone",
        "_high",
        "_huge",
        "_low",
        "_max_ms",
        "_min_ms",
        "_settings",
        "_vanished_ms",
        "coverage",
    )

    def __init__(self, settings: OrderFlowSettings, flow: FlowWindow) -> None:
        self._settings = settings
        self._flow = flow
        self._min_ms = round(settings.vanishing_min_s * 1_000)
        self._max_ms = round(settings.vanishing_s * 1_000)
        self._bids: dict[float, tuple[int, float]] = {}
        self._asks: dict[float, tuple[int, float]] = {}
        self._gone: deque[_Gone] = deque()
        self._vanished_ms: deque[int] = deque()
        self._huge = self._low = self._high = nan
        self.coverage = Coverage(settings.window_s * 1_000)

    def on_update(self, update: DepthUpdate) -> None:
        """Follow the levels that an update changed."""
        time_ms = update.event_ms
        if self._gone:
            self._judge(time_ms)
        self.coverage.hear(time_ms, time_ms)
        if not isnan(self._huge):
            self._follow(self._bids, update.bids, time_ms, True)
            self._follow(self._asks, update.asks, time_ms, False)

    def on_scan(self, seen: BookScan) -> None:
        """Take what is huge and what is near from a look at the book."""
        settings = self._settings
        self._huge = settings.vanishing_ratio * seen.mean_level
        reach = seen.mid * settings.vanishing_distance_pct / 100.0
        self._low, self._high = seen.mid - reach, seen.mid + reach
        for levels, prices in zip((self._bids, self._asks), seen.huge, strict=True):
            for price in prices:
                levels.setdefault(price, (_UNKNOWN_AGE, self._huge))

    def forget(self) -> None:
        """Forget the levels: the book is unknown until it is looked at again."""
        self._bids.clear()
        self._asks.clear()
        self._huge = nan
        self.coverage.lose()

    def count(self, at_ms: int) -> int:
        """Return how many orders vanished in the window that ends at `at_ms`."""
        self._judge(at_ms)
        start = at_ms - self._settings.window_s * 1_000
        while self._vanished_ms and self._vanished_ms[0] <= start:
            self._vanished_ms.popleft()
        return len(self._vanished_ms)

    def _follow(
        self,
        levels: dict[float, tuple[int, float]],
        changed: list[Level],
        time_ms: int,
        is_bid: bool,
    ) -> None:
        huge = self._huge
        for price, held in changed:
            if held > huge:
                self._see_huge(levels, price, held, time_ms)
            elif price in levels:
                appeared_ms, most = levels[price]
                if held <= most * self._settings.vanishing_left_share:
                    del levels[price]
                    if self._min_ms <= time_ms - appeared_ms <= self._max_ms:
                        self._gone.append(_Gone(is_bid, price, appeared_ms, time_ms))

    def _see_huge(
        self, levels: dict[float, tuple[int, float]], price: float, held: float, time_ms: int
    ) -> None:
        known = levels.get(price)
        if known is not None:
            if held > known[1]:
                levels[price] = (known[0], held)
        elif self._low <= price <= self._high:
            levels[price] = (time_ms, held)

    def _judge(self, at_ms: int) -> None:
        """Judge the levels whose trades must have come by now.

        A later trade has to be heard first: while none comes, the trades' stream may be dead.
        """
        grace_ms = self._settings.vanishing_grace_ms
        oldest_ms = at_ms - self._settings.window_s * 1_000
        heard_ms = min(at_ms, self._flow.coverage.newest_ms)
        while self._gone:
            gone = self._gone[0]
            until_ms = gone.gone_ms + grace_ms
            if until_ms > heard_ms and gone.gone_ms > oldest_ms:
                return
            self._gone.popleft()
            if until_ms <= heard_ms and not self._was_traded(gone, until_ms):
                self._vanished_ms.append(gone.gone_ms)

    def _was_traded(self, gone: _Gone, until_ms: int) -> bool:
        # What cannot be known counts as traded: a verdict needs the trades of the whole life.
        if not self._flow.coverage.is_whole(gone.appeared_ms, until_ms):
            return True
        low, high = self._flow.range_between(gone.appeared_ms, until_ms)
        return low <= gone.price if gone.is_bid else high >= gone.price
