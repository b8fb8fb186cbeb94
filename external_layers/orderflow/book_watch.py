"""The kept book as it was last looked at, and its slow mean depth."""

from math import isnan

from external_layers.orderflow.book_scan import Book, BookScan, scan
from external_layers.orderflow.slow_mean import SlowMean
from scalp_strategy.setting_groups.orderflow import OrderFlowSettings


class BookWatch:
    """Looks at the book at most every `book_interval_ms` of exchange time."""

    __slots__ = ("_mean", "_seen", "_settings", "_wait_ms")

    def __init__(self, settings: OrderFlowSettings) -> None:
        self._settings = settings
        self._wait_ms = settings.book_interval_ms
        self._seen: BookScan | None = None
        self._mean = SlowMean(settings.thin_mean_s, settings.thin_warmup_s)

    @property
    def seen(self) -> BookScan | None:
        """Return the last look, None while the book is unknown."""
        return self._seen

    @property
    def mean_depth(self) -> float:
        """Return the slow mean of the depth near the mid, NaN while it is not warm."""
        return self._mean.value

    def look(self, book: Book, event_ms: int) -> BookScan | None:
        """Look if it is time to; return the new look, None if there was none."""
        if self._seen is not None and event_ms - self._seen.event_ms < self._wait_ms:
            return None
        self._seen = scan(book, event_ms, self._settings)
        if self._seen is None or isnan(self._seen.depth):
            self._mean.interrupt()
        else:
            self._mean.add(event_ms, self._seen.depth)
        return self._seen

    def forget(self) -> None:
        """Forget the book, but not its mean depth."""
        self._seen = None
        self._mean.interrupt()

    def recent(self, at_ms: int) -> BookScan | None:
        """Return the last look unless it is older than `modifier_max_age_s`."""
        seen = self._seen
        if seen is None or at_ms - seen.event_ms > self._settings.modifier_max_age_s * 1_000:
            return None
        return seen
