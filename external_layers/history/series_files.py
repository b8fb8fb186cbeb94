"""Files of daily series for backfills: CSV or JSON into readings.

Understood are CSV files with a date in the first column (as_of, date, timestamp) and a column
`value`; the Fear & Greed API's answer; and a JSON list of ``{"date": ..., "value": ...}``.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any, Final

from external_layers.sources.facts import SERIES, Reading
from external_layers.sources.reading import json_of, ms_of_iso, ms_of_seconds, number
from scalp_strategy.errors import ConfigError, PayloadError

_DATE_COLUMNS: Final = ("as_of", "date", "timestamp")
_VALUE: Final = "value"
_STATUS: Final = "status"
_GOOD: Final = "ok"
_MISSING: Final = ("", ".")
_DAY_MS: Final = 86_400_000
_MS_PER_S: Final = 1_000
_SHOWN: Final = 40  # characters of a bad cell


@dataclass(frozen=True, slots=True)
class _Row:
    """A row as it is written; `place` is for messages."""

    place: str
    day: Any
    value: Any
    status: Any


def read_series(path: Path, series: str, subject: str, delay_s: int) -> list[Reading]:
    """Return the days of a file, the oldest first, each known some time after its start.

    Rows without a value ("" or "."), and rows whose `status` is not "ok", are skipped.

    Parameters
    ----------
    path
        The file.
    series, subject
        What it is, as `Reading` has it, e.g. ``"sp500"`` and ``"fred"``.
    delay_s
        Seconds from a day's start until its value counts as known; a day at least is honest.

    Raises
    ------
    ConfigError
        When it cannot be read: names the file, the line and what is expected.
    """
    if series not in SERIES:
        raise ConfigError(f"no series {series!r}; there are {', '.join(SERIES)}")
    if delay_s < 0:
        raise ConfigError(f"{path}: a delay of {delay_s} s would know values before their day")
    days: dict[int, float] = {}
    for row in _rows(path):
        if _is_told(row):
            day_ms, value = _day(path, row)
            if day_ms in days:
                raise ConfigError(f"{path}, {row.place}: {_shown(row.day)} is there twice")
            days[day_ms] = value
    return [
        Reading(series, subject, value, day_ms, day_ms + delay_s * _MS_PER_S)
        for day_ms, value in sorted(days.items())
    ]


def _rows(path: Path) -> Iterator[_Row]:
    try:
        content = path.read_bytes()
        written = content.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is no UTF-8 text") from error
    is_json = written.lstrip()[:1] in ("[", "{")
    return _json_rows(path, written) if is_json else _csv_rows(path, written)


def _csv_rows(path: Path, written: str) -> Iterator[_Row]:
    reader = csv.reader(io.StringIO(written))
    header = [cell.strip().lower() for cell in next(reader, [])]
    if not header or header[0] not in _DATE_COLUMNS or _VALUE not in header:
        raise ConfigError(
            f"{path}, line 1: expected a header with {', '.join(_DATE_COLUMNS)} first "
            f"and a column {_VALUE}, not {_shown(','.join(header))}"
        )
    at = {name: place for place, name in enumerate(header)}
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            place = f"line {reader.line_num}"
            if len(cells) != len(header):
                raise ConfigError(
                    f"{path}, {place}: {len(cells)} cells, {len(header)} are expected"
                )
            status = cells[at[_STATUS]] if _STATUS in at else None
            yield _Row(place, cells[0].strip(), cells[at[_VALUE]].strip(), status)
    except csv.Error as error:
        raise ConfigError(f"{path}, line {reader.line_num}: no CSV: {error}") from error


def _json_rows(path: Path, written: str) -> Iterator[_Row]:
    try:
        payload = json_of(written.encode())
    except PayloadError as error:
        raise ConfigError(f"{path}: neither CSV nor JSON") from error
    listed = payload.get("data") if isinstance(payload, Mapping) else payload
    if not isinstance(listed, list):
        raise ConfigError(f'{path}: expected a list of rows, or one under "data"')
    for count, row in enumerate(listed, 1):
        place = f"row {count}"
        if not isinstance(row, Mapping) or _VALUE not in row:
            raise ConfigError(f'{path}, {place}: expected "date" or "timestamp", and "value"')
        day = row.get("date", row.get("timestamp"))
        yield _Row(place, day, row[_VALUE], row.get(_STATUS))


def _is_told(row: _Row) -> bool:
    is_good = row.status is None or str(row.status).strip().lower() == _GOOD
    return is_good and row.value is not None and row.value not in _MISSING


def _day(path: Path, row: _Row) -> tuple[int, float]:
    instant_ms = ms_of_iso(row.day) if isinstance(row.day, str) else None
    instant_ms = instant_ms if instant_ms is not None else ms_of_seconds(row.day)
    if instant_ms is None:
        raise ConfigError(
            f"{path}, {row.place}: expected a date like 2026-05-28 or epoch seconds, "
            f"not {_shown(row.day)}"
        )
    value = number(row.value)
    if isnan(value):
        raise ConfigError(f"{path}, {row.place}: expected a number, not {_shown(row.value)}")
    return instant_ms // _DAY_MS * _DAY_MS, value


def _shown(value: Any) -> str:
    return repr(value)[:_SHOWN] if isinstance(value, str) else type(value).__name__
