"""The archive of components as backtests read it: by pair, thinned, each day's file once."""

import contextlib
import logging
import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from scalp_strategy.contract.archive import (
    day_of,
    day_of_folder,
    day_path,
    layer_path,
    visible,
)
from scalp_strategy.layers.parquet_day import read_pair, together
from scalp_strategy.layers.series import ComponentSeries, between

logger = logging.getLogger(__name__)

MAX_CACHED_ROWS: Final = 1_000_000
_LISTINGS: Final = 3
_DAMAGED: Final = (pa.ArrowException, OSError, ValueError, KeyError, TypeError)

Day = dict[str, ComponentSeries]


class ArchiveSource:
    """Reads the folders that the sidecar writes; a `LayerSource`.

    A file that is damaged is left out with a warning: what it held is unknown, and lowers the
    reliability of its time. Nothing here fails a backtest.

    Parameters
    ----------
    root
        The archive's folder; a missing one holds nothing.
    max_cached_rows
        Rows kept for the next question, about 200 bytes each; those not asked for longest go.
    """

    def __init__(self, root: Path, max_cached_rows: int = MAX_CACHED_ROWS) -> None:
        self._root = Path(root)
        self._max_cached_rows = max_cached_rows
        self._days: OrderedDict[tuple[str, str, date], tuple[tuple[str, ...], Day]] = OrderedDict()
        self._cached_rows = 0
        self._told: set[Path] = set()

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to another process without the rows."""
        return ArchiveSource, (self._root, self._max_cached_rows)

    def series(
        self, layer: str, pair: str, since_ms: int, until_ms: int
    ) -> Mapping[str, ComponentSeries]:
        """Return what was known at the 15m closes of a span; see `LayerSource.series`."""
        first, last = day_of(since_ms), day_of(until_ms)
        days = [day for day in self._days_of(layer) if first <= day <= last]
        whole = together(self._day(layer, pair, day) for day in days)
        return between(whole, since_ms, until_ms)

    def _days_of(self, layer: str) -> list[date]:
        names = self._listing(self._root / layer_path(layer))
        return sorted(day for name in names if (day := day_of_folder(name)) is not None)

    def _day(self, layer: str, pair: str, day: date) -> Day:
        folder = self._root / day_path(layer, day)
        key = (layer, pair, day)
        for _ in range(_LISTINGS):
            files = tuple(visible(self._listing(folder)))
            held = self._days.get(key)
            if held is not None and held[0] == files:
                self._days.move_to_end(key)
                return held[1]
            # Later files last: of two rows known at one instant the one written later wins.
            with contextlib.suppress(FileNotFoundError):  # merged between the listing and now
                read = together(self._files(folder, files, pair))
                self._keep(key, files, read)
                return read
        self._tell_once(folder, "changes too fast to be read")
        return {}

    def _files(self, folder: Path, files: tuple[str, ...], pair: str) -> Iterator[Day]:
        for name in files:
            path = folder / name
            try:
                rows = read_pair(path, pair)
            except FileNotFoundError:
                raise
            except _DAMAGED as error:
                self._tell_once(path, f"is left out: {type(error).__name__}")
                continue
            if rows.dropped:
                self._tell_once(path, f"has {rows.dropped} rows of {pair} that are left out")
            yield rows.series

    def _keep(self, key: tuple[str, str, date], files: tuple[str, ...], read: Day) -> None:
        if key in self._days:
            self._cached_rows -= _rows_in(self._days.pop(key)[1])
        self._days[key] = files, read
        self._cached_rows += _rows_in(read)
        while self._cached_rows > self._max_cached_rows:
            _, (_, oldest) = self._days.popitem(last=False)
            self._cached_rows -= _rows_in(oldest)

    def _listing(self, folder: Path) -> list[str]:
        try:
            return os.listdir(folder)
        except FileNotFoundError:
            return []
        except OSError as error:
            self._tell_once(folder, f"is left out: {type(error).__name__}")
            return []

    def _tell_once(self, path: Path, what: str) -> None:
        if path not in self._told:
            self._told.add(path)
            logger.warning("Archive of the layers: %s %s.", path, what)


def _rows_in(day: Day) -> int:
    # An empty day takes some room too.
    return 1 + sum(len(series) for series in day.values())
