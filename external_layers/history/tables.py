"""CSV files into columns, whatever header they have; rows that are none are counted.

Pure. Columns are named as the exchange's own headers name them; a file without a header (spot, and
futures before 2022) has them in the same order.
"""

import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

from scalp_strategy.errors import PayloadError

_NUMBER: Final = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_INTEGER: Final = r"^\d{1,18}$"
_TRUE: Final = ("true", "True", "TRUE")
_FALSE: Final = ("false", "False", "FALSE")
_TIME: Final = "%Y-%m-%d %H:%M:%S"
_MICROSECONDS_FROM: Final = 10**14  # milliseconds reach it in the year 5138

_UNREADABLE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
)

# How a column is read: a type of pyarrow, or a time in words.
INTEGER: Final = pa.int64()
NUMBER: Final = pa.float64()
FLAG: Final = pa.bool_()
TIME_TEXT: Final = pa.timestamp("s")


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Columns of equal length, and how many rows had to be dropped."""

    columns: dict[str, NDArray[Any]]
    dropped: int

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def part(self, chosen: NDArray[Any]) -> "Table":
        """Return the chosen rows; those left out are not counted as dropped."""
        return Table({name: one[chosen] for name, one in self.columns.items()}, self.dropped)


def unzipped(content: bytes, name: str) -> bytes:
    """Return the one CSV file in an archive.

    Raises
    ------
    PayloadError
        When it is cut off, damaged, or holds anything but one file.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.namelist()
            if len(members) != 1:
                raise PayloadError(f"{name}: holds {len(members)} files, one is expected")
            return archive.read(members[0])
    except _UNREADABLE as error:
        raise PayloadError(f"{name}: no whole zip file: {error}") from error


def read_table(
    content: bytes, header: tuple[str, ...], wanted: Mapping[str, Any], name: str
) -> Table:
    """Return the wanted columns of a CSV file.

    Parameters
    ----------
    content
        The file, with or without a header line.
    header
        Names of its columns in order, for when there is no header line.
    wanted
        Column to type: `INTEGER`, `NUMBER`, `FLAG` or `TIME_TEXT` (which gives milliseconds).
    name
        The file, for messages.

    Returns
    -------
    Table
        A row with too few or too many cells, or with a cell that is not of its type, is dropped.

    Raises
    ------
    PayloadError
        When a wanted column is missing or nothing can be read at all.
    """
    if not content.strip():
        return Table({one: _empty(kind) for one, kind in wanted.items()}, 0)
    skipped: list[Any] = []

    def skip(row: Any) -> str:
        skipped.append(row)
        return "skip"

    names = _names(content, header, wanted, name)
    reading = csv.ReadOptions(column_names=names[0], skip_rows=names[1])
    parsing = csv.ParseOptions(invalid_row_handler=skip)
    types = {one: pa.string() if kind == TIME_TEXT else kind for one, kind in wanted.items()}
    try:
        table = csv.read_csv(io.BytesIO(content), reading, parsing, _conversion(types))
    except pa.ArrowInvalid:
        skipped.clear()
        table = _read_as_text(content, (reading, parsing), list(wanted), name)
    columns = {one: _converted(table[one], kind) for one, kind in wanted.items()}
    return _without_bad_rows(columns, len(skipped))


def milliseconds(times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return times in milliseconds, of whichever unit they were (spot has microseconds of late)."""
    return np.where(times >= _MICROSECONDS_FROM, times // 1_000, times)


def _names(
    content: bytes, header: tuple[str, ...], wanted: Mapping[str, Any], name: str
) -> tuple[list[str], int]:
    first = content.split(b"\n", 1)[0].strip().decode("utf-8", "replace").split(",")
    if header[0] != first[0].strip('"'):
        return list(header)[: len(first)] if len(first) < len(header) else list(header), 0
    names = [cell.strip().strip('"') for cell in first]
    if missing := [one for one in wanted if one not in names]:
        raise PayloadError(f"{name}: has no column {missing[0]!r}, only {', '.join(names)}")
    return names, 1


def _conversion(types: Mapping[str, Any]) -> Any:
    return csv.ConvertOptions(
        column_types=types,
        include_columns=list(types),
        true_values=list(_TRUE),
        false_values=list(_FALSE),
        null_values=[""],
        strings_can_be_null=True,
    )


def _read_as_text(content: bytes, options: tuple[Any, Any], wanted: list[str], name: str) -> Any:
    """Read a file with a cell of the wrong type: every cell as text, judged one by one."""
    try:
        texts = _conversion(dict.fromkeys(wanted, pa.string()))
        return csv.read_csv(io.BytesIO(content), *options, texts)
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise PayloadError(f"{name}: no CSV file: {error}") from error


def _converted(column: Any, kind: Any) -> Any:
    """Return a column in its type, null where a cell is not of it."""
    if kind == TIME_TEXT:
        seconds = pc.strptime(column, format=_TIME, unit="s", error_is_null=True)
        return pc.multiply(pc.cast(seconds, pa.int64()), 1_000)
    if not pa.types.is_string(column.type):
        return column
    if kind == FLAG:
        known = pc.is_in(column, pa.array([*_TRUE, *_FALSE]))
        return pc.if_else(known, pc.is_in(column, pa.array(_TRUE)), None)
    pattern = _INTEGER if kind == INTEGER else _NUMBER
    is_good = pc.match_substring_regex(column, pattern)
    return pc.cast(pc.if_else(is_good, column, None), kind)


def _without_bad_rows(columns: dict[str, Any], skipped: int) -> Table:
    table = pa.table(columns)
    good = table.drop_null()
    arrays = {name: good[name].to_numpy() for name in columns}
    is_finite = np.ones(len(good), dtype=np.bool_)
    for one in arrays.values():
        is_finite &= np.isfinite(one)
    kept = {name: one[is_finite] for name, one in arrays.items()}
    return Table(kept, skipped + len(table) - int(is_finite.sum()))


def _empty(kind: Any) -> NDArray[Any]:
    dtype = {NUMBER: np.float64, FLAG: np.bool_}.get(kind, np.int64)
    return np.empty(0, dtype=dtype)
