"""Series of readings as they were known at any instant: late, revised, of many sources. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from math import inf, isfinite
from typing import Any, Final, NamedTuple

from external_layers.sources.facts import Reading

_ALWAYS: Final = 1 << 62


class Known(NamedTuple):
    """A value, or a change, and when it was true."""

    observed_ms: int
    value: float


class History:
    """The values that one source told of one series.

    A value may be told again for the same time: the later one replaces it from then on.
    """

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, float]] = []  # observed, available, value; ascending

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> Sequence[tuple[int, int, float]]:
        """When each was true, when it could be known, and the value; in that order."""
        return self._rows

    def add(self, observed_ms: int, available_ms: int, value: float) -> None:
        """Take a value, unless it only repeats what is known."""
        place = bisect_right(self._rows, (observed_ms, available_ms, inf))
        if place and self._rows[place - 1][0] == observed_ms and self._rows[place - 1][2] == value:
            return
        # Of two values known at the same instant the one given last stands.
        self._rows.insert(place, (observed_ms, available_ms, value))

    def newest(self, at_ms: int, until_ms: int = _ALWAYS) -> Known | None:
        """Return the newest value known at `at_ms`, of those true by `until_ms`."""
        return next(self.backwards(at_ms, until_ms), None)

    def backwards(self, at_ms: int, until_ms: int = _ALWAYS) -> Iterator[Known]:
        """Yield the values known at `at_ms` and true by `until_ms`, newest first, one a time."""
        told: int | None = None
        for row in range(bisect_right(self._rows, (until_ms, _ALWAYS, inf)) - 1, -1, -1):
            observed, available, value = self._rows[row]
            if available <= at_ms and observed != told:
                told = observed
                yield Known(observed, value)

    def news(self, after_ms: int, at_ms: int) -> list[int]:
        """Return the instants in (after, at] at which something became known, ascending."""
        instants = {available for _, available, _ in self._rows if after_ms < available <= at_ms}
        return sorted(instants)

    def prune(self, before_ms: int) -> None:
        """Forget what was true before an instant, but for the newest time that was told of.

        A value that was replaced before that instant goes too: nobody asks for it any more.
        """
        if self._rows:
            kept_ms = min(before_ms, self._rows[-1][0])
            rows = self._rows[bisect_left(self._rows, (kept_ms,)) :]
            self._rows = [
                row
                for row, later in zip(rows, [*rows[1:], None], strict=True)
                if later is None or later[0] != row[0] or later[1] > before_ms
            ]


class Readings:
    """Histories of all series by series and subject.

    Parameters
    ----------
    order
        Subjects, the one that wins among equally new ones first; others come after, by name.
    """

    __slots__ = ("_by_series", "_rank")

    def __init__(self, order: Sequence[str] = ()) -> None:
        self._rank = {subject: rank for rank, subject in enumerate(order)}
        self._by_series: dict[str, dict[str, History]] = {}

    def add(self, reading: Reading) -> None:
        """Take a reading; one that is no number is left out."""
        if isfinite(reading.value):
            observed_ms = min(reading.observed_at_ms, reading.available_at_ms)
            self.history(reading.series, reading.subject).add(
                observed_ms, reading.available_at_ms, reading.value
            )

    def history(self, series: str, subject: str) -> History:
        """Return the history of a series and subject, an empty new one when there is none."""
        return self._by_series.setdefault(series, {}).setdefault(subject, History())

    def histories(self, series: str) -> list[History]:
        """Return the histories of a series, the subjects that win first."""
        by_subject = self._by_series.get(series, {})
        ranked = sorted(by_subject, key=lambda name: (self._rank.get(name, len(self._rank)), name))
        return [by_subject[name] for name in ranked]

    def freshest(self, series: str, measure: Callable[[History], Known | None]) -> Known | None:
        """Return what a measure gives of a series: each subject by itself, the newest wins."""
        found = [known for known in map(measure, self.histories(series)) if known is not None]
        # max() returns the first of equals, and the histories come in order.
        return max(found, key=lambda known: known.observed_ms, default=None)

    def prune(self, series: str, before_ms: int) -> None:
        """Forget what was true of a series before an instant, but for each newest value."""
        for history in self._by_series.get(series, {}).values():
            history.prune(before_ms)

    def to_json(self) -> list[Any]:
        """Return everything as JSON values."""
        return [
            [series, subject, [list(row) for row in history.rows]]
            for series, by_subject in self._by_series.items()
            for subject, history in by_subject.items()
        ]

    def load(self, document: list[Any]) -> None:
        """Take what `to_json` gave; TypeError or ValueError when it is something else."""
        for series, subject, rows in document:
            history = self.history(str(series), str(subject))
            for observed, available, value in rows:
                history.add(int(observed), int(available), float(value))
