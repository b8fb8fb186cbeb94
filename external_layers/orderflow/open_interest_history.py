"""Open interest of the last minutes, each sample with the price of its time."""

from collections import deque
from math import nan
from typing import NamedTuple

from external_layers.evidence import NEVER


class Changes(NamedTuple):
    """Changes in percent between two samples of open interest; NaN when unknown."""

    open_interest_pct: float
    price_pct: float


class OpenInterestHistory:
    """Samples of the window and the newest one before it, to compare with."""

    __slots__ = ("_oldest_ms", "_samples", "_window_ms", "late")

    def __init__(self, window_ms: int, slack: float) -> None:
        self._window_ms = window_ms
        self._oldest_ms = round(window_ms * (1.0 + slack))
        self._samples: deque[tuple[int, float, float]] = deque()
        self.late = 0

    @property
    def newest_ms(self) -> int:
        """Return the time of the newest sample, `NEVER` before any."""
        return self._samples[-1][0] if self._samples else NEVER

    def add(self, time_ms: int, quantity: float, price: float) -> None:
        """Keep a sample and the price of its time; one not newer than the last is ignored."""
        if time_ms <= self.newest_ms:
            self.late += 1
            return
        self._samples.append((time_ms, quantity, price))
        while len(self._samples) > 1 and self._samples[1][0] <= time_ms - self._window_ms:
            self._samples.popleft()

    def changes(self) -> Changes:
        """Return the changes from the sample one window before the newest to the newest.

        NaN while there is none at least one window old, or only one that is more than `slack`
        windows older than that.
        """
        if not self._samples:
            return Changes(nan, nan)
        (old_ms, old_quantity, old_price), (new_ms, quantity, price) = (
            self._samples[0],
            self._samples[-1],
        )
        if not self._window_ms <= new_ms - old_ms <= self._oldest_ms:
            return Changes(nan, nan)
        return Changes(_change_pct(old_quantity, quantity), _change_pct(old_price, price))


def _change_pct(before: float, after: float) -> float:
    return (after / before - 1.0) * 100.0 if before > 0 else nan
