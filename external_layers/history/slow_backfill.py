"""Makes the archive of the slow layers' past days, day by day, each on disk before the next."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import msgspec

from external_layers.binance.messages import MarketKind
from external_layers.history.backfill import Outcome
from external_layers.history.day import Grid
from external_layers.history.ledger import SLOW_LEDGER_NAME, Ledger, SlowDay
from external_layers.history.slow import SlowInputs, slow_days
from external_layers.store.archive import ArchiveWriter
from external_layers.store.archive_reader import ArchiveReader
from scalp_strategy.contract import MARKET_WIDE, Component
from scalp_strategy.contract.archive import day_start_ms
from scalp_strategy.settings import Settings

SLOW_LAYERS: Final = ("onchain", "sentiment")
_MS_PER_DAY: Final = 86_400_000
_BEGUN: Final = "begun"


@dataclass(frozen=True, slots=True)
class SlowResult:
    """A day of a layer that has been dealt with."""

    layer: str
    day: date
    outcome: Outcome
    record: SlowDay | None = None


@dataclass(frozen=True, slots=True)
class SlowRequest:
    """What to make: layers, UTC days without a hole, the grid, the market."""

    layers: tuple[str, ...]
    days: tuple[date, ...]
    grid: Grid
    kind: MarketKind


class SlowBackfill:
    """Goes through the days of a request.

    A day that live rows are in is left as it is; one that an earlier run made from other inputs or
    settings is made anew, row by row in place of the old ones.

    Parameters
    ----------
    archive
        Root of the archive, and its only writer.
    settings
        The effective settings.
    inputs
        Readings and candles.
    request
        What to make.

    Raises
    ------
    StoreError
        When the ledger cannot be read.
    """

    def __init__(
        self,
        archive: tuple[Path, ArchiveWriter],
        settings: Settings,
        inputs: SlowInputs,
        request: SlowRequest,
    ) -> None:
        root, self._writer = archive
        self._settings, self._inputs, self._request = settings, inputs, request
        self._reader = ArchiveReader(root)
        self._ledger = Ledger.open(root / SLOW_LEDGER_NAME, SlowDay)
        self._made_from = f"{inputs.name}-{_rules_name(settings, request.grid)}"

    def run(self) -> Iterator[SlowResult]:
        """Make one day after another.

        Raises
        ------
        StoreError
            When the archive or the ledger refuses; the same request goes on where it stopped.
        """
        request = self._request
        made = slow_days(self._settings, self._inputs, request.days, request.grid, request.kind)
        for day, components in made:
            for layer in request.layers:
                rows = [one for one in components if one.layer == layer]
                yield self._dealt_with(layer, day, rows)
        self._writer.merge_due()

    def _dealt_with(self, layer: str, day: date, rows: list[Component]) -> SlowResult:
        record = self._ledger.records.get((layer, day))
        if record is not None and record.made_from == self._made_from:
            return SlowResult(layer, day, Outcome.FINISHED, record)
        if record is None and self._has_rows(layer, day):
            return SlowResult(layer, day, Outcome.PRESENT)
        # A day that is killed half-way is known to be ours, and made anew.
        self._ledger.add(SlowDay(layer=layer, day=day, made_from=_BEGUN, rows=0, known={}))
        self._writer.append(rows)
        self._writer.flush()
        if (error := self._writer.state.error) is not None:
            raise error
        record = SlowDay(
            layer=layer,
            day=day,
            made_from=self._made_from,
            rows=len(rows),
            known=known_shares(rows),
        )
        self._ledger.add(record)
        return SlowResult(layer, day, Outcome.WRITTEN, record)

    def _has_rows(self, layer: str, day: date) -> bool:
        start = day_start_ms(day)
        return len(self._reader.rows(layer, MARKET_WIDE, start, start + _MS_PER_DAY)) > 0


def known_shares(rows: Sequence[Component]) -> dict[str, float]:
    """Return at which share of the instants each market-wide component is known."""
    market = [one for one in rows if one.pair == MARKET_WIDE]
    names = dict.fromkeys(one.name for one in market)
    return {name: _share([one.is_known for one in market if one.name == name]) for name in names}


def _share(known: Sequence[bool]) -> float:
    return sum(known) / len(known)


def _rules_name(settings: Settings, grid: Grid) -> str:
    parts = [
        settings.onchain.model_dump(mode="json"),
        settings.sentiment.model_dump(mode="json"),
        settings.breakers.model_dump(mode="json"),
        grid.every_ms,
        grid.lead_ms,
    ]
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()[:12]
