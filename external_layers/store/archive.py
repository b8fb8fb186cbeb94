"""The writer of the archive: rows wait in memory, then become files that never change.

::

    append -> buffer -> flush -> part-<sequence> -> merge -> merged-<first>-<last> -> expire
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pyarrow as pa

from external_layers.store.archive_files import (
    commit,
    days_in,
    files_in,
    fsync_folder,
    layers_in,
    write_temporary,
)
from external_layers.store.archive_table import (
    FOREVER_MS,
    conform,
    split_by_day,
    table_of,
    times_ms,
)
from external_layers.store.archive_upkeep import Merger, clean, remove_file, remove_folder
from scalp_strategy.contract.archive import (
    day_of,
    day_path,
    layer_path,
    part_name,
    span_of_file,
)
from scalp_strategy.contract.component import Component
from scalp_strategy.errors import ContractViolation, StoreError
from scalp_strategy.files import FileLock
from scalp_strategy.setting_groups.store import ArchiveSettings

_LOCK: Final = ".lock"


@dataclass(frozen=True, slots=True)
class ArchiveState:
    """How the writer fares.

    Attributes
    ----------
    waiting_rows
        Rows in memory that no file holds yet.
    dropped_rows
        Rows lost since the start because the disk refused for too long.
    written_rows
        Rows written since the start.
    error
        What the disk said at the last attempt; None when it went well.
    """

    waiting_rows: int
    dropped_rows: int
    written_rows: int
    error: StoreError | None


class ArchiveWriter:
    """Append components to the archive under a root; one writer per root, any thread.

    Parameters
    ----------
    root
        The archive's folder; it is made.
    settings
        When to merge, what to keep, how much may wait for a full disk.
    now_ms
        The clock, epoch milliseconds.

    Raises
    ------
    ConfigError
        When another process writes there; names it.
    StoreError
        When the folder cannot be made.

    Notes
    -----
    A disk that refuses is no exception: `state` tells it, the rows wait for the next `flush`.
    `append` never waits for the disk.
    """

    def __init__(self, root: Path, settings: ArchiveSettings, now_ms: Callable[[], int]) -> None:
        self._root, self._settings, self._now_ms = root, settings, now_ms
        self._lock = FileLock(root / _LOCK)
        self._buffer_guard = threading.Lock()
        self._disk_guard = threading.Lock()
        self._buffer: deque[Component] = deque()
        self._in_flight = 0
        self._dropped = self._written = 0
        self._error: StoreError | None = None
        self._last_sequence: dict[Path, int] = {}
        self._merger = Merger(settings)
        try:
            clean(root)
        except StoreError:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def state(self) -> ArchiveState:
        """How the writer fares right now."""
        with self._buffer_guard:
            waiting = len(self._buffer) + self._in_flight
            return ArchiveState(waiting, self._dropped, self._written, self._error)

    def append(self, components: Iterable[Component]) -> None:
        """Keep components in memory until the next `flush`.

        Raises
        ------
        ContractViolation
            When a layer is no folder name or a time is not in 1970..2199; none is kept then.
        """
        checked = list(components)
        for one in checked:
            _check_layer(one.layer)
            if not 0 <= one.observed_at_ms <= one.available_at_ms < FOREVER_MS:
                raise ContractViolation(
                    f"{one.layer}.{one.name} of {one.pair}: known at {one.available_at_ms}, "
                    "that is no time in milliseconds"
                )
        with self._buffer_guard:
            self._buffer.extend(checked)
            self._drop_oldest()

    def flush(self) -> int:
        """Write what waits, one file per layer and day, and return how many rows were written.

        Rows whose file could not be written wait on; a row that is counted is on the disk.
        """
        with self._disk_guard:
            rows = self._take()
            written = 0
            failed: list[Component] = []
            error: StoreError | None = None
            for (layer, day), group in _grouped(rows).items():
                try:
                    self._write(layer, {day: table_of(group)})
                    written += len(group)
                except (OSError, StoreError) as problem:
                    error = StoreError(f"{self._root}: {problem}")
                    failed += group
            self._put_back(failed, written, error)
            return written

    def append_table(self, layer: str, table: pa.Table) -> int:
        """Write many rows of a layer straight to the disk, all of them or none.

        Parameters
        ----------
        layer
            E.g. ``"orderflow"``.
        table
            The archive's columns in any order; see `conform` for the types.

        Returns
        -------
        int
            Rows written.

        Raises
        ------
        ContractViolation
            When the layer is no folder name or a time is not in 1970..2199.
        PayloadError
            When the table lacks a column or has the wrong types.
        StoreError
            When the disk refuses.
        """
        _check_layer(layer)
        rows = conform(table)
        _check_times(rows)
        with self._disk_guard:
            try:
                self._write(layer, split_by_day(rows))
            except OSError as problem:
                raise StoreError(f"{self._root}: {problem}") from problem
        with self._buffer_guard:
            self._written += len(rows)
        return len(rows)

    def merge(self, day: date) -> int:
        """Merge a day's files in every layer that has enough of them, or when it is over.

        Returns
        -------
        int
            Merged files written; 0 too when the disk refused, which `state` tells.
        """
        with self._disk_guard:
            return sum(self._merge(layer, day) for layer in layers_in(self._root))

    def merge_due(self) -> int:
        """Merge every day that has enough files or is over; return the merged files written.

        Other threads may write between two days.
        """
        merged = 0
        for layer in layers_in(self._root):
            for day in days_in(self._root / layer_path(layer)):
                with self._disk_guard:
                    merged += self._merge(layer, day)
        return merged

    def expire(self, today: date) -> int:
        """Remove the days older than `retention_days`; return how many folders went."""
        oldest = today - timedelta(days=self._settings.retention_days)
        gone = 0
        with self._disk_guard:
            for layer in layers_in(self._root):
                days = days_in(self._root / layer_path(layer))
                for folder in (self._root / day_path(layer, day) for day in days if day < oldest):
                    gone += self._remove(folder)
        return gone

    def close(self) -> None:
        """Write what waits and let others write; rows that the disk refuses are lost."""
        self.flush()
        self._lock.release()

    def _take(self) -> list[Component]:
        with self._buffer_guard:
            rows = list(self._buffer)
            self._buffer.clear()
            self._in_flight = len(rows)
            return rows

    def _put_back(self, rows: list[Component], written: int, error: StoreError | None) -> None:
        with self._buffer_guard:
            self._in_flight = 0
            self._buffer.extendleft(reversed(rows))
            self._drop_oldest()
            self._written += written
            self._error = error

    def _drop_oldest(self) -> None:
        while len(self._buffer) > self._settings.max_rows:
            self._buffer.popleft()
            self._dropped += 1

    def _write(self, layer: str, days: Mapping[date, pa.Table]) -> None:
        temporaries: list[Path] = []
        try:
            for day, table in days.items():
                folder = self._root / day_path(layer, day)
                name = part_name(self._next_sequence(folder))
                group_rows = self._settings.group_rows
                temporaries.append(write_temporary(folder, name, table, group_rows))
            while temporaries:
                commit(temporaries[0])
                self._settle(temporaries.pop(0).parent)
        finally:
            for temporary in temporaries:
                remove_file(temporary)

    def _settle(self, folder: Path) -> None:
        # The rows are visible by now: writing them again would double them.
        try:
            fsync_folder(folder)
        except OSError as problem:
            self._fail(problem)

    def _next_sequence(self, folder: Path) -> int:
        if folder not in self._last_sequence:
            spans = [span for name in files_in(folder) if (span := span_of_file(name))]
            self._last_sequence[folder] = max((last for _, last in spans), default=0)
        self._last_sequence[folder] = max(self._now_ms(), self._last_sequence[folder] + 1)
        return self._last_sequence[folder]

    def _remove(self, folder: Path) -> bool:
        try:
            remove_folder(folder)
        except OSError as problem:
            self._fail(problem)
            return False
        return True

    def _merge(self, layer: str, day: date) -> int:
        is_over = day < day_of(self._now_ms())
        try:
            return self._merger.merge(self._root / day_path(layer, day), is_over)
        except (OSError, StoreError) as problem:
            self._fail(problem)
            return 0

    def _fail(self, problem: OSError | StoreError) -> None:
        with self._buffer_guard:
            self._error = StoreError(f"{self._root}: {problem}")


def _grouped(rows: Iterable[Component]) -> dict[tuple[str, date], list[Component]]:
    groups: dict[tuple[str, date], list[Component]] = {}
    for one in rows:
        groups.setdefault((one.layer, day_of(one.available_at_ms)), []).append(one)
    return groups


def _check_layer(layer: str) -> None:
    if not layer.replace("_", "").isalnum():
        raise ContractViolation(f"no name of a layer: {layer!r}")


def _check_times(table: pa.Table) -> None:
    for name in ("observed_at", "available_at"):
        times = times_ms(table[name])
        if len(times) and not (times.min() >= 0 and times.max() < FOREVER_MS):
            raise ContractViolation(f"{name} holds a time outside 1970..2199")
