"""How much of a sliding window was listened to."""

from collections import deque
from typing import Final

from external_layers.evidence import NEVER

_FOREVER_AGO: Final = -(1 << 62)


class Coverage:
    """Holes in what was heard, in exchange time.

    A hole reaches from the last event before a loss to the first one after it, so the time before
    the first event of all is one hole. Silence without a loss is no hole.
    """

    __slots__ = ("_hole_start", "_holes", "_window_ms", "newest_ms")

    def __init__(self, window_ms: int) -> None:
        self._window_ms = window_ms
        self._holes: deque[tuple[int, int]] = deque()
        self._hole_start: int | None = _FOREVER_AGO
        self.newest_ms = NEVER

    def hear(self, from_ms: int, to_ms: int) -> None:
        """Note an event that tells of `from_ms..to_ms`; a single instant has both alike."""
        if self._hole_start is not None:
            if from_ms > self._hole_start:
                self._holes.append((self._hole_start, from_ms))
            self._hole_start = None
            self._forget(to_ms - self._window_ms)
        if to_ms > self.newest_ms:  # noqa: PLR1730 - on every trade, and max() is a call
            self.newest_ms = to_ms

    def lose(self) -> None:
        """Note that events after the newest one may have been lost."""
        if self._hole_start is None:
            self._hole_start = self.newest_ms

    def share(self, at_ms: int) -> float:
        """Return the share 0..1 of the window that ends at `at_ms` that was heard."""
        start = at_ms - self._window_ms
        self._forget(start)
        lost = sum(min(to, at_ms) - max(since, start) for since, to in self._holes if since < at_ms)
        if self._hole_start is not None:
            lost += max(0, at_ms - max(self._hole_start, start))
        return 1.0 - min(lost / self._window_ms, 1.0)

    def is_whole(self, from_ms: int, to_ms: int) -> bool:
        """Whether nothing was lost between the two instants."""
        if self._hole_start is not None and self._hole_start < to_ms:
            return False
        return all(end <= from_ms or start >= to_ms for start, end in self._holes)

    def _forget(self, before_ms: int) -> None:
        while self._holes and self._holes[0][1] <= before_ms:
            self._holes.popleft()
