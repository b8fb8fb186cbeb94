"""Where the archive of components keeps what, by name alone: no file is opened here.

::

    <root>/v1/layer=<layer>/day=<YYYY-MM-DD>/part-<sequence>.parquet
                                             merged-<first>-<last>.parquet

A day is the UTC day of `available_at`. A part is written once, under its final name by an atomic
rename, and never changed. Merging writes one file that names the parts it replaces; as long as
those are still there (a crash in between) they are hidden by it.
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import PurePath
from typing import Final

ARCHIVE_VERSION: Final = "v1"
# The columns of every file, in order; times are timestamp[ms, UTC].
COLUMNS: Final = (
    "name",
    "pair",
    "long",
    "short",
    "observed_at",
    "available_at",
    "reason",
    "flags",
    "version",
)
_DIGITS: Final = 20
_PART: Final = re.compile(r"part-(\d{20})\.parquet")
_MERGED: Final = re.compile(r"merged-(\d{20})-(\d{20})\.parquet")
_MS_PER_DAY: Final = 86_400_000
_EPOCH: Final = date(1970, 1, 1)


def layer_path(layer: str) -> PurePath:
    """Return the folder of a layer, relative to the root."""
    return PurePath(ARCHIVE_VERSION, f"layer={layer}")


def day_path(layer: str, day: date) -> PurePath:
    """Return the folder of a layer's day, relative to the root."""
    return layer_path(layer) / f"day={day.isoformat()}"


def day_of(available_at_ms: int) -> date:
    """Return the UTC day of an instant."""
    return _EPOCH + timedelta(days=available_at_ms // _MS_PER_DAY)


def day_start_ms(day: date) -> int:
    """Return the first millisecond of a UTC day."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000


def day_of_folder(name: str) -> date | None:
    """Return the day that a folder is named after, None for any other folder.

    Examples
    --------
    >>> day_of_folder("day=2026-02-19")
    datetime.date(2026, 2, 19)
    """
    try:
        return date.fromisoformat(name.removeprefix("day=")) if name.startswith("day=") else None
    except ValueError:
        return None


def part_name(sequence: int) -> str:
    """Return the file name of a part; sequences of one folder ascend with time."""
    return f"part-{sequence:0{_DIGITS}d}.parquet"


def merged_name(first: int, last: int) -> str:
    """Return the file name that stands for the parts `first` to `last`, both included."""
    return f"merged-{first:0{_DIGITS}d}-{last:0{_DIGITS}d}.parquet"


def span_of_file(name: str) -> tuple[int, int] | None:
    """Return first and last sequence of a file, None when it is no file of the archive."""
    if part := _PART.fullmatch(name):
        return int(part[1]), int(part[1])
    if merged := _MERGED.fullmatch(name):
        return int(merged[1]), int(merged[2])
    return None


def visible(names: Iterable[str]) -> list[str]:
    """Return the files to read, oldest first: those that no merged file stands for.

    Unknown names (a temporary file, a stranger) are left out.

    Examples
    --------
    >>> names = [part_name(1), part_name(2), part_name(3), merged_name(1, 2), "x.tmp"]
    >>> visible(names) == [merged_name(1, 2), part_name(3)]
    True
    """
    spans = {name: span for name in names if (span := span_of_file(name))}
    # The widest first: it hides what it covers, itself excepted.
    ordered = sorted(spans.items(), key=lambda item: (item[1][0], -item[1][1], item[0]))
    kept: list[str] = []
    covered = -1
    for name, (first, last) in ordered:
        if last <= covered and first <= covered:
            continue
        kept.append(name)
        covered = max(covered, last)
    return kept
