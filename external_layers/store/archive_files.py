"""The archive's files: written whole or not at all, read with a reason when that fails."""

import contextlib
import os
from collections.abc import Collection, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from external_layers.store.archive_table import (
    SCHEMA,
    TEXT_COLUMNS,
    between,
    conform,
    in_file_order,
    row_groups,
)
from scalp_strategy.contract.archive import (
    ARCHIVE_VERSION,
    day_of_folder,
    span_of_file,
    visible,
)
from scalp_strategy.errors import PayloadError, StoreError

TEMPORARY: Final = ".tmp"
_LAYER: Final = "layer="
_STATISTICS: Final = ["name", "pair", "available_at"]
_DELTAS: Final = {"observed_at": "DELTA_BINARY_PACKED", "available_at": "DELTA_BINARY_PACKED"}
_MOST_GROUP_ROWS: Final = 262_144
_LISTINGS: Final = 20


def layers_in(root: Path) -> list[str]:
    """Return the layers that have a folder, sorted."""
    return sorted(
        name.removeprefix(_LAYER)
        for name in _names(root / ARCHIVE_VERSION)
        if name.startswith(_LAYER)
    )


def days_in(layer_folder: Path) -> list[date]:
    """Return the days that have a folder, oldest first."""
    days = (day_of_folder(name) for name in _names(layer_folder))
    return sorted(day for day in days if day is not None)


def files_in(folder: Path) -> list[str]:
    """Return the names of the archive's files in a day's folder, hidden ones too.

    A folder that changes while it is listed is listed again: one listing can miss both the merged
    file, made too late for it, and the parts, deleted too early.

    Raises
    ------
    StoreError
        When the folder cannot be listed.
    """
    names = _names(folder)
    for _ in range(_LISTINGS):
        again = _names(folder)
        if again == names:
            return sorted(name for name in names if span_of_file(name))
        names = again
    raise StoreError(f"{folder}: changes all the time")


def visible_in(folder: Path) -> list[str]:
    """Return the names of the files to read in a day's folder, oldest first."""
    return visible(files_in(folder))


def write_temporary(folder: Path, name: str, table: pa.Table, group_rows: int) -> Path:
    """Write a table, in file order, beside its final place and flush it to the disk.

    Parameters
    ----------
    folder
        The day's folder; it is made.
    name
        The final name.
    table
        Of `SCHEMA`, any order; equal (pair, name, available_at) keep theirs.
    group_rows
        Rows from which a row group ends with its pair.

    Returns
    -------
    Path
        The temporary file: `commit` puts it in place.

    Raises
    ------
    OSError
        When the disk refuses; nothing is left behind.
    """
    _make_folder(folder)
    temporary = folder / f"{name}{TEMPORARY}"
    try:
        _write(temporary, in_file_order(table), group_rows)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    return temporary


def commit(temporary: Path) -> None:
    """Put a temporary file in its final place, by an atomic rename.

    Raises
    ------
    OSError
        When the disk refuses; the temporary file is gone then.
    """
    try:
        temporary.replace(temporary.with_suffix(""))
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def read_file(path: Path, pairs: Collection[str] | None, since_ms: int, until_ms: int) -> pa.Table:
    """Return the rows of one file with ``since_ms <= available_at < until_ms``, in file order.

    Raises
    ------
    PayloadError
        When it is no file of the archive, or damaged: every page carries a checksum.
    FileNotFoundError
        When it is gone: merged, or expired.
    StoreError
        When the disk refuses.
    """
    with _explained(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        groups = _groups_with(file.metadata, pairs, since_ms, until_ms)
        table = file.read_row_groups(groups) if groups else file.schema_arrow.empty_table()
        return between(conform(table), pairs, since_ms, until_ms)


def span_of_rows(path: Path) -> tuple[int, int, int, int]:
    """Return rows, bytes, first and last `available_at` in epoch milliseconds of a file.

    Only its footer is read.

    Raises
    ------
    PayloadError, FileNotFoundError, StoreError
        As `read_file`.
    """
    with _explained(path), pq.ParquetFile(path) as file:
        ends = [
            _range(file.metadata.row_group(group), "available_at")
            for group in range(file.metadata.num_row_groups)
        ]
        known = [(_ms(end[0]), _ms(end[1])) for end in ends if end]
        if not known:
            raise PayloadError(f"{path.name}: tells no times")
        firsts, lasts = zip(*known, strict=True)
        return file.metadata.num_rows, path.stat().st_size, min(firsts), max(lasts)


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StoreError(f"{folder}: {error}") from error


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    fsync_folder(folder.parent)


def _write(path: Path, table: pa.Table, group_rows: int) -> None:
    with path.open("wb") as file:
        with pq.ParquetWriter(
            file,
            SCHEMA,
            compression="zstd",
            use_dictionary=list(TEXT_COLUMNS),
            column_encoding=_DELTAS,
            write_statistics=_STATISTICS,
            write_page_checksum=True,
        ) as writer:
            for start, stop in row_groups(table, group_rows, _MOST_GROUP_ROWS):
                writer.write_table(table.slice(start, stop - start), row_group_size=stop - start)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    # The library reports damage as an OSError too, but only the system's own carry a number.
    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise StoreError(f"{path}: {error}") from error
        raise PayloadError(f"{path.name}: {error}") from error


def _groups_with(
    metadata: pq.FileMetaData, pairs: Collection[str] | None, since_ms: int, until_ms: int
) -> list[int]:
    return [
        group
        for group in range(metadata.num_row_groups)
        if _may_hold(metadata.row_group(group), pairs, since_ms, until_ms)
    ]


def _may_hold(
    group: pq.RowGroupMetaData, pairs: Collection[str] | None, since_ms: int, until_ms: int
) -> bool:
    times, names = _range(group, "available_at"), _range(group, "pair")
    if times and (_ms(times[1]) < since_ms or _ms(times[0]) >= until_ms):
        return False
    if pairs is None or not names:
        return True
    return any(names[0] <= pair <= names[1] for pair in pairs)


def _range(group: pq.RowGroupMetaData, column: str) -> tuple[Any, Any] | None:
    # By name: a foreign file may have other columns, in another order.
    for index in range(group.num_columns):
        chunk = group.column(index)
        if chunk.path_in_schema == column:
            statistics = chunk.statistics
            has_range = statistics is not None and statistics.has_min_max
            return (statistics.min, statistics.max) if has_range else None
    return None


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000)
