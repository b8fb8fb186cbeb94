"""Components as Arrow tables: the archive's columns, their order, and the way back (no I/O)."""

from collections.abc import Callable, Collection, Sequence
from datetime import date
from math import isnan, nan
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from scalp_strategy.contract.archive import COLUMNS, day_of
from scalp_strategy.contract.component import SCHEMA_VERSION, Component
from scalp_strategy.errors import ContractViolation, PayloadError

TIME_TYPE: Final = pa.timestamp("ms", tz="UTC")
SCHEMA: Final = pa.schema(
    [
        ("name", pa.string()),
        ("pair", pa.string()),
        ("long", pa.float64()),
        ("short", pa.float64()),
        ("observed_at", TIME_TYPE),
        ("available_at", TIME_TYPE),
        ("reason", pa.string()),
        ("flags", pa.string()),
        ("version", pa.int16()),
    ]
)
TEXT_COLUMNS: Final = ("name", "pair", "reason", "flags")
FOREVER_MS: Final = 7_258_118_400_000  # 2200-01-01: a later time is a mistake of units
_SCORES: Final = ("long", "short")
_MS_PER_DAY: Final = 86_400_000
_BATCH_ROWS: Final = 65_536
_FIELD_OF: Final[dict[str, Callable[[Component], Any]]] = {
    "name": lambda one: one.name,
    "pair": lambda one: one.pair,
    "long": lambda one: one.long,
    "short": lambda one: one.short,
    "observed_at": lambda one: one.observed_at_ms,
    "available_at": lambda one: one.available_at_ms,
    "reason": lambda one: one.reason,
    "flags": lambda one: ",".join(one.flags),
    "version": lambda one: one.version,
}


def table_of(components: Sequence[Component]) -> pa.Table:
    """Return components as a table of `SCHEMA`, in the order given; the layer is left out.

    Notes
    -----
    Scores keep every bit; unknown is NaN, never null. Text that is no valid Unicode (a lone
    surrogate from a JSON escape) has its bad characters replaced.
    """
    return pa.table(
        [_column(field, [_FIELD_OF[field.name](one) for one in components]) for field in SCHEMA],
        schema=SCHEMA,
    )


def conform(table: pa.Table) -> pa.Table:
    """Return the columns of `SCHEMA` of a table, cast to its types; others are left out.

    Parameters
    ----------
    table
        Texts may be dictionaries, times any timestamp or integer milliseconds, scores may be null.

    Raises
    ------
    PayloadError
        When a column is missing, cannot be cast, or holds nulls where none may be.
    """
    try:
        cast = table.select(list(COLUMNS)).cast(SCHEMA)
    except (KeyError, pa.ArrowException) as error:
        raise PayloadError(f"no table of components: {error}") from error
    for name in _SCORES:
        if cast[name].null_count:
            index = cast.schema.get_field_index(name)
            cast = cast.set_column(index, SCHEMA.field(name), pc.fill_null(cast[name], nan))
    empty = [name for name in COLUMNS if cast[name].null_count]
    if empty:
        raise PayloadError(f"no table of components: nulls in {', '.join(empty)}")
    return cast


def in_file_order(table: pa.Table) -> pa.Table:
    """Return the rows by (pair, name, available_at); equal ones keep their order."""
    names, pairs = _ranks(table["name"]), _ranks(table["pair"])
    return _taken(table, (times_ms(table["available_at"]), names, pairs))


def in_time_order(table: pa.Table) -> pa.Table:
    """Return the rows by (available_at, pair, name); equal ones keep their order."""
    names, pairs = _ranks(table["name"]), _ranks(table["pair"])
    return _taken(table, (names, pairs, times_ms(table["available_at"])))


def split_by_day(table: pa.Table) -> dict[date, pa.Table]:
    """Return the rows of each UTC day of `available_at`, in their order."""
    days = times_ms(table["available_at"]) // _MS_PER_DAY
    distinct = np.unique(days)
    return {
        day_of(int(day) * _MS_PER_DAY): (
            table if len(distinct) == 1 else table.filter(pa.array(days == day))
        )
        for day in distinct
    }


def row_groups(table: pa.Table, least_rows: int, most_rows: int) -> list[tuple[int, int]]:
    """Return (start, stop) of the row groups of a table in file order.

    A group ends where a pair ends, as soon as it has `least_rows`; it never has more than
    `most_rows`. So a reader that looks for one pair can leave the others' groups unread.
    """
    pairs = _ranks(table["pair"])
    ends = [*(np.flatnonzero(np.diff(pairs)) + 1).tolist(), len(pairs)]
    groups: list[tuple[int, int]] = []
    start = 0
    for end in ends:
        while end - start > most_rows:
            groups.append((start, start + most_rows))
            start += most_rows
        if end - start >= least_rows or (end == ends[-1] and end > start):
            groups.append((start, end))
            start = end
    return groups


def between(
    table: pa.Table, pairs: Collection[str] | None, since_ms: int, until_ms: int
) -> pa.Table:
    """Return the rows of some pairs (None = all) with ``since_ms <= available_at < until_ms``."""
    times = times_ms(table["available_at"])
    mask = (times >= since_ms) & (times < until_ms)
    if pairs is not None:
        is_asked = pc.is_in(table["pair"], value_set=pa.array(sorted(pairs), pa.string()))
        mask &= is_asked.to_numpy(zero_copy_only=False).astype(bool)
    return table if mask.all() else table.filter(pa.array(mask))


def last_words(table: pa.Table) -> pa.Table:
    """Return the last row of each (pair, name), and the last that is known, in their order."""
    is_known = np.isfinite(table["long"].to_numpy()) & np.isfinite(table["short"].to_numpy())
    numbered = table.select(["pair", "name"]).append_column("row", pa.array(np.arange(len(table))))
    rows = np.union1d(_last_of_each(numbered), _last_of_each(numbered.filter(pa.array(is_known))))
    return table.take(pa.array(rows))


def _last_of_each(numbered: pa.Table) -> NDArray[np.int64]:
    last = numbered.group_by(["pair", "name"]).aggregate([("row", "max")])["row_max"]
    rows: NDArray[np.int64] = last.to_numpy().astype(np.int64)
    return rows


def components_of(table: pa.Table, layer: str) -> tuple[list[Component], int]:
    """Return the components of a table of `SCHEMA`, and how many rows were no component.

    Rows of another schema version or with scores out of range are left out and counted.
    """
    kept: list[Component] = []
    for batch in table.to_batches(max_chunksize=_BATCH_ROWS):
        columns = [_plain(batch.column(index)) for index in range(len(COLUMNS))]
        made = (_component(layer, row) for row in zip(*columns, strict=True))
        kept.extend(one for one in made if one is not None)
    return kept, table.num_rows - len(kept)


def times_ms(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return a time column as epoch milliseconds, shape (n,)."""
    times: NDArray[np.int64] = column.cast(pa.int64()).to_numpy()
    return times


def _column(field: pa.Field, values: list[Any]) -> pa.Array:
    try:
        return pa.array(values, field.type, from_pandas=False)
    except UnicodeEncodeError:
        return pa.array([valid_text(value) for value in values], field.type)


def valid_text(text: str) -> str:
    """Return a text without lone surrogates, which no UTF-8 can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _ranks(column: pa.ChunkedArray) -> NDArray[np.int64]:
    encoded = pa.chunked_array(column).combine_chunks().dictionary_encode()
    ranks = pc.rank(encoded.dictionary, tiebreaker="dense").to_numpy().astype(np.int64)
    codes: NDArray[np.int64] = ranks[encoded.indices.to_numpy()]
    return codes


def _taken(table: pa.Table, keys: tuple[NDArray[np.int64], ...]) -> pa.Table:
    order = np.lexsort(keys)
    if np.array_equal(order, np.arange(len(order))):
        return table
    return table.take(pa.array(order))


def _plain(column: pa.Array) -> list[Any]:
    is_time = pa.types.is_timestamp(column.type)
    plain: list[Any] = (column.cast(pa.int64()) if is_time else column).to_pylist()
    return plain


def _component(layer: str, row: tuple[Any, ...]) -> Component | None:
    name, pair, long, short, observed, available, reason, flags, version = row
    if version != SCHEMA_VERSION or isnan(long) != isnan(short):
        return None
    split = tuple(flags.split(",")) if flags else ()
    try:
        return Component(layer, name, pair, long, short, observed, available, reason, split)
    except ContractViolation:
        return None
