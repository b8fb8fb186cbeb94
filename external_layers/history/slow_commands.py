"""The slow layers' part of `scalp-layers backfill`."""

import asyncio
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import aiohttp
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from external_layers.binance.messages import MarketKind
from external_layers.binance.pacing import Timing
from external_layers.history.backfill import Outcome
from external_layers.history.day import Grid
from external_layers.history.slow import SlowInputs, in_order
from external_layers.history.slow_backfill import SlowBackfill, SlowRequest, SlowResult
from external_layers.history.slow_inputs import (
    DAILY,
    Gathered,
    Span,
    btc_candles,
    gathered,
    series_of,
)
from external_layers.run_config import source_keys, sources_url
from external_layers.runner import one_client
from external_layers.sources.spec import Client, FetchContext, SourceSpec
from external_layers.store.archive import ArchiveWriter
from scalp_strategy.contract.archive import day_of
from scalp_strategy.errors import ConfigError, StoreError
from scalp_strategy.settings import Settings

_STOPPED: Final = 130  # what a shell calls ended by Ctrl-C


@dataclass(frozen=True, slots=True)
class SlowCommand:
    """One run of the backfill of slow layers."""

    settings: Settings
    kind: MarketKind
    days: tuple[date, ...]
    grid: Grid
    candles: Path
    console: Console

    def run(
        self,
        layers: tuple[str, ...],
        files: dict[str, list[Path]],
        archive: Path,
        *,
        is_plan: bool,
    ) -> bool:
        """Make the days and return whether everything that was wanted could be had.

        Raises
        ------
        ConfigError
            A file or the candles cannot be read.
        StoreError
            The archive or its ledger refuses.
        """
        candles = btc_candles(self.candles, self.kind) if "sentiment" in layers else None
        found = asyncio.run(self._gathered(files, layers))
        self.console.print(_inputs_table(found, layers), markup=False)
        if is_plan:
            return not found.missing
        inputs = SlowInputs(in_order(found.readings), candles)
        request = SlowRequest(layers, self.days, self.grid, self.kind)
        with ArchiveWriter(archive, self.settings.sidecar.archive, _wall_ms) as writer:
            backfill = SlowBackfill((archive, writer), self.settings, inputs, request)
            results = list(self._shown(backfill.run(), len(self.days) * len(layers)))
        self.console.print(_result_table(results))
        return not found.missing

    async def _gathered(self, files: dict[str, list[Path]], layers: tuple[str, ...]) -> Gathered:
        keys = source_keys(os.environ)
        async with aiohttp.ClientSession(trust_env=False) as session:

            def client(spec: SourceSpec) -> tuple[Client, FetchContext] | str:
                missing = [name for name in spec.keys if name not in keys]
                if spec.needs_key and missing:
                    return f"off: set {', '.join(missing)} in the environment"
                timing = Timing(_wall_ms, time.monotonic, asyncio.sleep, random.random)
                own = {name: keys[name] for name in spec.keys if name in keys}
                made = one_client(
                    spec, session, self.settings, timing, own, sources_url(os.environ)
                )
                return made, FetchContext(_wall_ms, self.settings, own)

            delays = self.settings.sidecar.backfill.series
            span = Span(self.days[0], self.days[-1])
            return await gathered(files, layers, span, delays, client)

    def _shown(self, results: Iterator[SlowResult], total: int) -> Iterator[SlowResult]:
        done = 0
        try:
            with _bar(self.console, total) as step:
                for result in results:
                    done += 1
                    step()
                    yield result
        except KeyboardInterrupt:
            self._say_go_on(done, total, "stopped")
            raise typer.Exit(_STOPPED) from None
        except StoreError:
            self._say_go_on(done, total, "ended early")
            raise

    def _say_go_on(self, done: int, total: int, why: str) -> None:
        self.console.print(
            f"{why} after {done} of {total} days; the same command goes on from here"
        )


def files_of(texts: Sequence[str]) -> dict[str, list[Path]]:
    """Return the files by series of texts like ``"btc_dominance=dominance.csv"``.

    Raises
    ------
    ConfigError
        When a text is none, or names a series that is not daily.
    """
    files: dict[str, list[Path]] = {}
    for text in texts:
        series, is_told, path = text.partition("=")
        known = series_of(DAILY)
        if not is_told or not path or series not in known:
            raise ConfigError(
                f"--series {text}: must be SERIES=FILE, SERIES one of {', '.join(known)}"
            )
        files.setdefault(series, []).append(Path(path))
    return files


@contextmanager
def _bar(console: Console, total: int) -> Iterator[Callable[[], None]]:
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TimeRemainingColumn(), console=console,
    ) as progress:  # fmt: skip
        task = progress.add_task("days", total=total)
        yield lambda: progress.advance(task)


def _inputs_table(found: Gathered, layers: tuple[str, ...]) -> Table:
    table = Table(title="What the slow layers' past is made from")
    for name in ("series", "values", "first day", "last day", "missing"):
        table.add_column(name)
    for series in series_of(layers):
        days = [one.observed_at_ms for one in found.readings if one.series == series]
        span = (_day_text(min(days)), _day_text(max(days))) if days else ("-", "-")
        table.add_row(series, f"{len(days):,}", *span, found.missing.get(series, ""))
    return table


def _result_table(results: list[SlowResult]) -> Table:
    table = Table(title="What was made")
    table.add_column("component, state")
    table.add_column("known, share of instants; or days", justify="right")
    records = [each.record for each in results if each.record is not None]
    for layer, name in dict.fromkeys((one.layer, name) for one in records for name in one.known):
        shares = [one.known[name] for one in records if one.layer == layer and name in one.known]
        table.add_row(f"{layer} {name}", f"{sum(shares) / len(shares):.1%}")
    for outcome in Outcome:
        count = sum(each.outcome is outcome for each in results)
        if count:
            table.add_row(f"days {outcome}", str(count))
    return table


def _day_text(at_ms: int) -> str:
    return day_of(at_ms).isoformat()


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
