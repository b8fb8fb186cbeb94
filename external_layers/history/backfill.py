"""Makes the order-flow archive of past days from the exchange's files, pair by pair, day by day.

A pair-day is written in one piece and then noted in the ledger. What the archive already holds,
live rows or an earlier run's, is left as it is.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from external_layers.history.day import Grid, day_components, known_shares, unknown_components
from external_layers.history.day_inputs import DAY_MS, DayInputs, DayReader
from external_layers.history.dumps import DumpKind, Instrument, instrument_of
from external_layers.history.files import DumpFiles
from external_layers.history.ledger import LEDGER_NAME, DayRecord, Ledger
from external_layers.history.source import DumpSource
from external_layers.orderflow import LAYER
from external_layers.orderflow.pair_flow import PairFlow, memory_s
from external_layers.store.archive import ArchiveWriter
from external_layers.store.archive_reader import ArchiveReader
from scalp_strategy.contract import Component
from scalp_strategy.contract.archive import day_start_ms
from scalp_strategy.errors import PayloadError, StoreError
from scalp_strategy.setting_groups.history import BackfillSettings
from scalp_strategy.setting_groups.orderflow import OrderFlowSettings

# What a day can rest on when every file is there.
_WANTED: Final = (DumpKind.AGG_TRADES, DumpKind.METRICS, DumpKind.FUNDING_RATE)


class Outcome(StrEnum):
    """What became of a pair-day."""

    PLANNED = "to be made"
    WRITTEN = "written"
    FINISHED = "finished before"
    PRESENT = "in the archive already"
    MISSING = "no files"
    DAMAGED = "damaged file"


@dataclass(frozen=True, slots=True)
class DayResult:
    """A pair-day that has been dealt with; `note` says why nothing was written."""

    pair: str
    day: date
    outcome: Outcome
    record: DayRecord | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """What to make: pairs in Freqtrade's notation, UTC days, the grid."""

    pairs: tuple[str, ...]
    days: tuple[date, ...]
    grid: Grid


class Backfill:
    """Goes through the pair-days of a request.

    Parameters
    ----------
    source
        Where files come from.
    archive
        Root of the archive, and its only writer.
    settings
        Delays and warm-up; thresholds of the order-flow layer.
    request
        What to make.

    Raises
    ------
    ConfigError
        When a pair cannot be read.
    StoreError
        When the ledger cannot be read.
    """

    def __init__(
        self,
        source: DumpSource,
        archive: tuple[Path, ArchiveWriter],
        settings: tuple[BackfillSettings, OrderFlowSettings],
        request: Request,
    ) -> None:
        self._root, self._writer = archive
        self._settings, self._orderflow = settings
        self._days = DayReader(DumpFiles(source), self._settings, memory_s(self._orderflow))
        self._instruments = [instrument_of(pair) for pair in request.pairs]
        self._request = request
        self._reader = ArchiveReader(self._root)
        self._name = settings_name(*settings, request.grid)
        self.ledger = Ledger.open(self._root / LEDGER_NAME, DayRecord)

    def run(self) -> Iterator[DayResult]:
        """Make one pair-day after another, each on disk before its result is given.

        Raises
        ------
        SourceUnavailable
            When a file cannot be had now.
        StoreError
            When the archive or the ledger refuses; the same request goes on where it stopped.
        """
        for instrument in self._instruments:
            for day in self._request.days:
                yield self._dealt_with(instrument, day)
        self._writer.merge_due()

    def plan(self) -> Iterator[DayResult]:
        """Say what a run would do, as far as can be told without reading a file.

        `PLANNED` stands for what would be made, if there are files.
        """
        hopeless = ", ".join(unknown_components(_WANTED))
        for instrument in self._instruments:
            for day in self._request.days:
                note = f"{hopeless} unknown"
                yield self._done(instrument, day) or DayResult(
                    instrument.pair, day, Outcome.PLANNED, note=note
                )

    def _dealt_with(self, instrument: Instrument, day: date) -> DayResult:
        if (done := self._done(instrument, day)) is not None:
            return done
        pair = instrument.pair
        try:
            inputs = self._days.read(instrument, day)
        except PayloadError as error:
            return DayResult(pair, day, Outcome.DAMAGED, note=str(error))
        if not inputs.has_flow:
            return DayResult(pair, day, Outcome.MISSING, note=", ".join(inputs.missing))
        return DayResult(pair, day, Outcome.WRITTEN, self._written(instrument, day, inputs))

    def _done(self, instrument: Instrument, day: date) -> DayResult | None:
        pair = instrument.pair
        if (record := self.ledger.records.get((pair, day))) is not None:
            is_same = record.settings == self._name
            note = "" if is_same else "its rows were made with other settings and stay"
            return DayResult(pair, day, Outcome.FINISHED, record, note)
        if self._has_rows(pair, day):
            return DayResult(pair, day, Outcome.PRESENT, note="its rows stay")
        return None

    def _has_rows(self, pair: str, day: date) -> bool:
        start = day_start_ms(day)
        return len(self._reader.rows(LAYER, pair, start, start + DAY_MS)) > 0

    def _written(self, instrument: Instrument, day: date, inputs: DayInputs) -> DayRecord:
        flow = PairFlow(instrument.pair, self._orderflow)
        instants = self._request.grid.instants(day)
        delay = self._settings.trade_delay_ms
        rows, fed = day_components(flow, instrument.symbol, inputs, instants, delay)
        self._write(rows)
        record = DayRecord(
            pair=instrument.pair,
            day=day,
            settings=self._name,
            files=inputs.files,
            missing=inputs.missing,
            known=known_shares(rows),
            unknowable=unknown_components(inputs.day_kinds),
            events=fed.events,
            trades=fed.trades,
            gaps=fed.gaps,
            rows=len(rows),
        )
        self.ledger.add(record)
        return record

    def _write(self, rows: list[Component]) -> None:
        self._writer.append(rows)
        if self._writer.flush() != len(rows):
            raise self._writer.state.error or StoreError(f"{self._root}: rows were not written")


def settings_name(settings: BackfillSettings, orderflow: OrderFlowSettings, grid: Grid) -> str:
    """Return twelve hexadecimal digits that name what a day's rows depend on besides its files."""
    delays = settings.model_dump(
        include={"trade_delay_ms", "open_interest_delay_s", "funding_delay_s"}
    )
    parts = [delays, orderflow.model_dump(mode="json"), grid.every_ms, grid.lead_ms]
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()[:12]


@dataclass(slots=True)
class Tally:
    """Sums over the results of a run."""

    outcomes: Counter[Outcome]
    events: int = 0
    rows: int = 0

    def add(self, result: DayResult) -> None:
        """Count a result."""
        self.outcomes[result.outcome] += 1
        if result.outcome is Outcome.WRITTEN and result.record is not None:
            self.events += result.record.events
            self.rows += result.record.rows


def tallied(results: Iterator[DayResult], see: Callable[[DayResult, Tally], None]) -> Tally:
    """Go through the results, show each and its sums so far, and return the sums."""
    tally = Tally(Counter())
    for result in results:
        tally.add(result)
        see(result, tally)
    return tally
