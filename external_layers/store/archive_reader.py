"""The reader of the archive: what was known when, however far a writer has got beside it."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

import pyarrow as pa

from external_layers.store.archive_files import (
    days_in,
    layers_in,
    read_file,
    span_of_rows,
    visible_in,
)
from external_layers.store.archive_table import (
    FOREVER_MS,
    SCHEMA,
    components_of,
    in_time_order,
    last_words,
)
from scalp_strategy.contract.archive import day_of, day_path, day_start_ms, layer_path
from scalp_strategy.contract.component import Component
from scalp_strategy.errors import PayloadError, StoreError

ResultT = TypeVar("ResultT")
_ATTEMPTS: Final = 20
_MS_PER_DAY: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class LayerStats:
    """What the archive holds of a layer.

    Attributes
    ----------
    rows, size_bytes
        Of the files that are read.
    first_ms, last_ms
        First and last `available_at`, epoch milliseconds.
    """

    rows: int
    size_bytes: int
    first_ms: int
    last_ms: int


class ArchiveReader:
    """Read the archive under a root; a missing root is an empty archive.

    Notes
    -----
    Damaged and foreign files are left out: `skipped` says which and why. A reader may run beside a
    writer: files that are merged away while it reads are read again from where they went.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._skipped: dict[str, str] = {}
        self._dropped_rows = 0
        self._footers: dict[Path, tuple[int, int, int, int]] = {}

    @property
    def skipped(self) -> Mapping[str, str]:
        """Files that were left out, relative to the root, and why."""
        return MappingProxyType(self._skipped)

    @property
    def dropped_rows(self) -> int:
        """Rows that `components` and `as_of` left out: of another schema, or out of range."""
        return self._dropped_rows

    def layers(self) -> list[str]:
        """Return the layers that the archive has, sorted."""
        return layers_in(self._root)

    def days(self, layer: str) -> list[date]:
        """Return the UTC days that have a folder, oldest first."""
        return days_in(self._root / layer_path(layer))

    def rows(
        self,
        layer: str,
        pair: str | None = None,
        since_ms: int = 0,
        until_ms: int = FOREVER_MS,
    ) -> pa.Table:
        """Return the rows with ``since_ms <= available_at < until_ms``.

        Parameters
        ----------
        layer
            E.g. ``"orderflow"``.
        pair
            One pair, or ``"*"``; None = all of them.
        since_ms, until_ms
            Epoch milliseconds; the second is not included.

        Returns
        -------
        pyarrow.Table
            The archive's columns by (available_at, pair, name); equal ones in the order in which
            they were written, so that of those the last one counts.

        Raises
        ------
        StoreError
            When the disk refuses.
        """
        pairs = None if pair is None else (pair,)
        tables = [SCHEMA.empty_table(), *self._tables(layer, pairs, since_ms, until_ms)]
        return pa.concat_tables(tables)

    def components(
        self,
        layer: str,
        pair: str | None = None,
        since_ms: int = 0,
        until_ms: int = FOREVER_MS,
    ) -> Iterator[Component]:
        """Yield the rows of `rows` as components, reading a day at a time.

        Raises
        ------
        StoreError
            When the disk refuses.
        """
        pairs = None if pair is None else (pair,)
        for table in self._tables(layer, pairs, since_ms, until_ms):
            yield from self._components(table, layer)

    def as_of(
        self, layer: str, pairs: Collection[str] | None, at_ms: int, horizon_ms: int
    ) -> list[Component]:
        """Return of each (pair, name) the last row by an instant, and the last known one.

        Parameters
        ----------
        layer
            E.g. ``"orderflow"``.
        pairs
            The pairs asked for, ``"*"`` among them if wanted; None = all.
        at_ms, horizon_ms
            ``at_ms - horizon_ms <= available_at <= at_ms``, milliseconds.

        Raises
        ------
        StoreError
            When the disk refuses.
        """
        since_ms, until_ms = max(at_ms - horizon_ms, 0), at_ms + 1
        # Each file by itself first: of a day's million rows a few hundred are left.
        read = partial(_last_in_file, pairs=pairs, since_ms=since_ms, until_ms=until_ms)
        first, last = day_of(since_ms), day_of(max(at_ms, 0))
        days = [day for day in self.days(layer) if first <= day <= last]
        parts = [part for day in days for part in self._of_day(layer, day, read)]
        table = in_time_order(pa.concat_tables([SCHEMA.empty_table(), *parts]))
        return self._components(last_words(table), layer)

    def stats(self) -> dict[str, LayerStats]:
        """Return what the archive holds of each layer that has rows, from the files' footers.

        Raises
        ------
        StoreError
            When the disk refuses.
        """
        known = {layer: self._layer_stats(layer) for layer in self.layers()}
        return {layer: stats for layer, stats in known.items() if stats}

    def _tables(
        self, layer: str, pairs: Collection[str] | None, since_ms: int, until_ms: int
    ) -> Iterator[pa.Table]:
        if until_ms <= since_ms:
            return
        first, last = day_of(max(since_ms, 0)), day_of(min(until_ms, FOREVER_MS) - 1)
        for day in (day for day in self.days(layer) if first <= day <= last):
            start, end = day_start_ms(day), day_start_ms(day) + _MS_PER_DAY
            since, until = max(since_ms, start), min(until_ms, end)
            read = partial(read_file, pairs=pairs, since_ms=since, until_ms=until)
            parts = self._of_day(layer, day, read)
            yield in_time_order(pa.concat_tables([SCHEMA.empty_table(), *parts]))

    def _components(self, table: pa.Table, layer: str) -> list[Component]:
        components, dropped = components_of(table, layer)
        self._dropped_rows += dropped
        return components

    def _layer_stats(self, layer: str) -> LayerStats | None:
        spans = [span for day in self.days(layer) for span in self._of_day(layer, day, self._span)]
        if not spans:
            return None
        rows, sizes, firsts, lasts = zip(*spans, strict=True)
        return LayerStats(sum(rows), sum(sizes), min(firsts), max(lasts))

    def _span(self, path: Path) -> tuple[int, int, int, int]:
        if path not in self._footers:
            self._footers[path] = span_of_rows(path)
        return self._footers[path]

    def _of_day(self, layer: str, day: date, read: Callable[[Path], ResultT]) -> list[ResultT]:
        folder = self._root / day_path(layer, day)
        for _ in range(_ATTEMPTS):
            try:
                return self._of_files(folder, read)
            except FileNotFoundError:
                continue  # merged meanwhile: the merged file is there by now
        raise StoreError(f"{folder}: changes all the time")

    def _of_files(self, folder: Path, read: Callable[[Path], ResultT]) -> list[ResultT]:
        results: list[ResultT] = []
        for name in visible_in(folder):
            try:
                results.append(read(folder / name))
            except PayloadError as error:
                self._skipped[str((folder / name).relative_to(self._root))] = str(error)
        return results


def _last_in_file(
    path: Path, pairs: Collection[str] | None, since_ms: int, until_ms: int
) -> pa.Table:
    return last_words(read_file(path, pairs, since_ms, until_ms))
