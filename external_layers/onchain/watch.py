"""When somebody looked: nothing happened is not the same as nobody looked."""

from typing import Final, NamedTuple

from external_layers.evidence import NEVER

HOUR_MS: Final = 3_600_000


class Watch:
    """Looks at one subject, by whatever source.

    The time between two looks is watched when it is not longer than `gap_ms`: whoever looks tells
    what happened since the look before.

    Attributes
    ----------
    newest_ms
        Up to when everything is told, `NEVER` before the first look.
    hours
        Hours since the epoch of which at least `hour_share` was watched.
    revision
        Changes whenever `hours` does.
    """

    __slots__ = ("_covered_ms", "_gap_ms", "_needed_ms", "hours", "newest_ms", "revision")

    def __init__(self, gap_ms: int, hour_share: float) -> None:
        self._gap_ms = gap_ms
        self._needed_ms = hour_share * HOUR_MS
        self._covered_ms: dict[int, int] = {}
        self.newest_ms = NEVER
        self.hours: set[int] = set()
        self.revision = 0

    @property
    def covered_ms(self) -> dict[int, int]:
        """Return how much of each hour was watched, milliseconds."""
        return self._covered_ms

    def hear(self, observed_ms: int) -> None:
        """Note a look; one that tells less than the last one changes nothing."""
        since = self.newest_ms
        if observed_ms <= since:
            return
        self.newest_ms = observed_ms
        if since == NEVER or observed_ms - since > self._gap_ms:
            return
        for hour in range(since // HOUR_MS, observed_ms // HOUR_MS + 1):
            start = hour * HOUR_MS
            self.cover(hour, min(observed_ms, start + HOUR_MS) - max(since, start))

    def cover(self, hour: int, watched_ms: int) -> None:
        """Note that so much more of an hour was watched."""
        covered = self._covered_ms.get(hour, 0) + watched_ms
        self._covered_ms[hour] = covered
        if covered >= self._needed_ms and hour not in self.hours:
            self.hours.add(hour)
            self.revision += 1

    def is_fresh(self, at_ms: int) -> bool:
        """Whether the last look is not too long ago."""
        return self.newest_ms != NEVER and at_ms - self.newest_ms <= self._gap_ms

    def forget(self, before_ms: int) -> None:
        """Forget the hours that began before an instant, and the last look if it was before it."""
        first = before_ms // HOUR_MS
        if any(hour < first for hour in self._covered_ms):
            kept = {hour: ms for hour, ms in self._covered_ms.items() if hour >= first}
            self._covered_ms = kept
            self.hours &= kept.keys()
            self.revision += 1
        if self.newest_ms < before_ms:
            self.newest_ms = NEVER


class Watching(NamedTuple):
    """Looks at a subject itself, and looks at everything, which tell of it too."""

    own: Watch
    everything: Watch

    @property
    def newest_ms(self) -> int:
        """Return up to when everything is told, `NEVER` before the first look."""
        return max(self.own.newest_ms, self.everything.newest_ms)

    @property
    def hours(self) -> set[int]:
        """Return the hours that either kind of look knows."""
        return self.own.hours | self.everything.hours

    @property
    def revision(self) -> tuple[int, int]:
        """Return what changes whenever `hours` does."""
        return self.own.revision, self.everything.revision

    def is_fresh(self, at_ms: int) -> bool:
        """Whether either look is not too long ago."""
        return self.own.is_fresh(at_ms) or self.everything.is_fresh(at_ms)
