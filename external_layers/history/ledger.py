"""What has been backfilled: one line of JSON for each finished day, kept in the archive.

The file is the record of coverage as well: what the day's components rest on, and what could not
be known.
"""

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec

from scalp_strategy.errors import StoreError

LEDGER_NAME: Final = "backfill.jsonl"
SLOW_LEDGER_NAME: Final = "backfill_slow.jsonl"


class FileUse(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a day rests on; `dropped` rows could not be used."""

    name: str
    sha256: str
    is_verified: bool
    rows: int
    dropped: int


class DayRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A finished day of a pair.

    Attributes
    ----------
    settings
        Names the settings and the grid with which it was made.
    files, missing
        What was read, and what the source does not have.
    known
        Component to the share of the day's instants at which it was known, 0..1.
    unknowable
        Components that these files cannot give at all.
    events, trades, gaps, rows
        Fed to the layer, of these trades, holes in the trades; rows written.
    """

    pair: str
    day: date
    settings: str
    files: list[FileUse]
    missing: list[str]
    known: dict[str, float]
    unknowable: list[str]
    events: int
    trades: int
    gaps: int
    rows: int


class SlowDay(msgspec.Struct, frozen=True, kw_only=True):
    """A finished day of a slow layer.

    Attributes
    ----------
    made_from
        Names inputs, settings and grid.
    rows
        Rows written.
    known
        Market-wide component to the share of the day's instants at which it was known, 0..1.
    """

    layer: str
    day: date
    made_from: str
    rows: int
    known: dict[str, float]


RecordT = TypeVar("RecordT", DayRecord, SlowDay)


@dataclass(slots=True)
class Ledger(Generic[RecordT]):
    """The finished days in a file, by pair or layer and day.

    Raises
    ------
    StoreError
        When the file cannot be read or written.
    """

    path: Path
    records: dict[tuple[str, date], RecordT]

    @classmethod
    def open(cls, path: Path, kind: type[RecordT]) -> "Ledger[RecordT]":
        """Read a ledger; a torn last line, after a kill, is cut off."""
        try:
            content = path.read_bytes() if path.exists() else b""
            whole = content[: content.rfind(b"\n") + 1]
            if whole != content:
                os.truncate(path, len(whole))
            found = [msgspec.json.decode(line, type=kind) for line in whole.splitlines()]
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error.strerror or error}") from error
        except msgspec.MsgspecError as error:
            raise StoreError(f"{path}: a line that is no record: {error}") from error
        return cls(path, {_key(record): record for record in found})

    def add(self, record: RecordT) -> None:
        """Note a finished day, on disk before this returns."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.write(msgspec.json.encode(record) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StoreError(f"cannot write {self.path}: {error.strerror or error}") from error
        self.records[_key(record)] = record


def _key(record: DayRecord | SlowDay) -> tuple[str, date]:
    return record.pair if isinstance(record, DayRecord) else record.layer, record.day
