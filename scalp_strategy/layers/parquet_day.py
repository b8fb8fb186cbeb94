"""One day of the archive, as one pair's series: what is read of a Parquet file and what is not."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from scalp_strategy.contract import SCHEMA_VERSION
from scalp_strategy.contract.archive import COLUMNS
from scalp_strategy.layers.series import ComponentSeries, Floats, Ints, joined

_MAX_SCORE: Final = 100.0
_TIME: Final = pa.timestamp("ms", tz="UTC")


class PairRows(NamedTuple):
    """Series by component name, and how many rows were left out as malformed."""

    series: dict[str, ComponentSeries]
    dropped: int


def read_pair(path: Path, pair: str) -> PairRows:
    """Return a pair's rows of one file, thinned to what was known at each 15m close.

    Parameters
    ----------
    path
        A Parquet file with the columns `contract.archive.COLUMNS`.
    pair
        Freqtrade's name, or ``"*"``; groups of rows that hold other pairs only are not read.

    Raises
    ------
    OSError
        The file is not there or cannot be read.
    ArrowException
        It is no Parquet file, is damaged, or has other columns.
    ValueError, KeyError, TypeError
        The same, where Arrow leaves it to Python.
    """
    table = _table(path, pair)
    whole = _series(table)
    is_sound = _is_sound(whole, table)
    codes, names = pd.factorize(_texts(table.column("name")))
    series = {}
    for code, name in enumerate(names):
        rows = np.flatnonzero((codes == code) & is_sound)
        if len(rows):
            series[str(name)] = joined([whole.take(rows)])
    return PairRows(series, len(table) - int(is_sound.sum()))


def together(parts: Iterable[dict[str, ComponentSeries]]) -> dict[str, ComponentSeries]:
    """Return the series of several files or days, the later part winning a tie."""
    by_name: dict[str, list[ComponentSeries]] = {}
    for part in parts:
        for name, series in part.items():
            by_name.setdefault(name, []).append(series)
    return {name: joined(series) for name, series in by_name.items()}


def _table(path: Path, pair: str) -> Any:
    # Not `read_table` with a filter: its data-set machinery takes six times as long.
    with pq.ParquetFile(path) as file:
        groups = [
            group for group in range(file.metadata.num_row_groups) if _may_hold(file, group, pair)
        ]
        table = file.read_row_groups(groups, columns=list(COLUMNS), use_threads=False)
    return table.filter(pc.equal(table.column("pair"), pair))


def _may_hold(file: Any, group: int, pair: str) -> bool:
    column = file.metadata.schema.names.index("pair")
    statistics = file.metadata.row_group(group).column(column).statistics
    if statistics is None or not statistics.has_min_max:
        return True
    return bool(statistics.min <= pair <= statistics.max)


def _series(table: Any) -> ComponentSeries:
    return ComponentSeries(
        _times(table.column("available_at")),
        _times(table.column("observed_at")),
        _floats(table.column("long")),
        _floats(table.column("short")),
        _texts(table.column("flags")),
        _texts(table.column("reason")),
    )


def _is_sound(rows: ComponentSeries, table: Any) -> NDArray[np.bool_]:
    """Rows of the known schema that keep the contract of `Component`, as the live reader's do."""
    with np.errstate(invalid="ignore"):
        is_scored = (np.minimum(rows.long, rows.short) >= 0.0) & (
            np.maximum(rows.long, rows.short) <= _MAX_SCORE
        )
    is_unknown = np.isnan(rows.long) & np.isnan(rows.short)
    in_order = (rows.observed_ms >= 0) & (rows.observed_ms <= rows.available_ms)
    version = table.column("version").cast(pa.int64()).fill_null(-1).to_numpy()
    sound: NDArray[np.bool_] = (is_scored | is_unknown) & in_order & (version == SCHEMA_VERSION)
    return sound


def _times(column: Any) -> Ints:
    milliseconds = column.cast(_TIME).cast(pa.int64())
    times: Ints = pc.fill_null(milliseconds, -1).to_numpy().astype(np.int64)
    return times


def _floats(column: Any) -> Floats:
    floats: Floats = pc.fill_null(column.cast(pa.float64()), float("nan")).to_numpy()
    return floats


def _texts(column: Any) -> NDArray[np.object_]:
    texts: NDArray[np.object_] = pc.fill_null(column.cast(pa.string()), "").to_numpy()
    return texts
