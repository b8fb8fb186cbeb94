"""The commands `scalp-layers record` and `scalp-layers backfill`."""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Final

import aiohttp
import httpx
import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table as RichTable

from external_layers.binance.addresses import Addresses, addresses
from external_layers.binance.markets import parse_exchange_info
from external_layers.binance.messages import MarketKind
from external_layers.binance.pacing import Timing
from external_layers.binance.questions import depth_question
from external_layers.binance.rest import BinanceRest
from external_layers.binance.streams import StreamManager
from external_layers.history.backfill import Backfill, DayResult, Outcome, Request, Tally, tallied
from external_layers.history.day import Grid
from external_layers.history.dumps import Instrument, days_between, instrument_of
from external_layers.history.recorder import Recorder, RecorderState
from external_layers.history.recording_feed import BookClock, OnMessage, record
from external_layers.history.slow_backfill import SLOW_LAYERS
from external_layers.history.slow_commands import SlowCommand, files_of
from external_layers.history.source import OFFICIAL_URL, DumpSource, FolderSource, UrlSource
from external_layers.orderflow import LAYER
from external_layers.run_config import EXCHANGE_VARIABLE, run_config
from external_layers.store.archive import ArchiveWriter
from scalp_strategy.errors import ConfigError, SourceUnavailable, StoreError
from scalp_strategy.setting_groups.history import BackfillSettings
from scalp_strategy.setting_groups.sidecar import SidecarSettings
from scalp_strategy.settings import Settings, load_settings

_QUOTE: Final = "USDT"
_HOST_VARIABLES: Final = "FREQTRADE__"
_S_PER_HOUR: Final = 3_600.0
_STOPPED: Final = 130  # what a shell calls ended by Ctrl-C
_INCOMPLETE: Final = 1
_GRIDS_MS: Final = {"15s": 15_000, "1m": 60_000, "5m": 300_000, "15m": 900_000}
_HAS_ROWS: Final = (Outcome.WRITTEN, Outcome.FINISHED, Outcome.PRESENT)
_LISTING_WEIGHT: Final = 20  # of exchangeInfo on spot; futures count 1
_SAY_S: Final = 60.0  # between two words on how a recording goes
_GO_ON: Final = "the same command goes on from here"

PairsOption = Annotated[
    str, typer.Option(help="Pairs, e.g. BTC/USDT:USDT,ETH/USDT:USDT; a bare BTC is a future.")
]
ConfigOption = Annotated[
    list[Path] | None, typer.Option("--config", "-c", help="Freqtrade config; repeatable.")
]


def record_command(
    pairs: PairsOption,
    out: Annotated[Path, typer.Option(help="Folder of the recordings.")],
    hours: Annotated[float, typer.Option(min=0.0, help="How long; 0 = until stopped.")] = 0.0,
    config: ConfigOption = None,
) -> None:
    """Record the raw frames of the exchange, to be played again by `market --recording`.

    Ctrl-C ends it and loses nothing.
    """
    instruments = [instrument_of(name) for name in _pairs(pairs)]
    if len({each.market for each in instruments}) > 1:
        raise ConfigError("--pairs: record spot and futures apart")
    state = asyncio.run(_recorded(instruments, out, _settings(config or []).sidecar, hours))
    typer.echo(_recorded_text(state))
    if not state.frames:
        raise SourceUnavailable("nothing came, nothing was recorded")


def backfill_command(  # noqa: PLR0913, PLR0917 - one parameter per option
    first: Annotated[str, typer.Option("--from", help="First UTC day, e.g. 2025-06-01.")],
    stop: Annotated[str, typer.Option("--to", help="The UTC day after the last.")],
    pairs: Annotated[
        str,
        typer.Option(help="Order flow: pairs, e.g. BTC/USDT:USDT; a bare BTC is a future."),
    ] = "",
    layers: Annotated[
        str, typer.Option(help="Of orderflow, onchain, sentiment; comma-separated.")
    ] = LAYER,
    archive: Annotated[Path, typer.Option(help="Folder of the archive of layers.")] = Path(
        "user_data/layers"
    ),
    source: Annotated[
        str,
        typer.Option(help="Order flow: folder in the layout of data.binance.vision, or a URL."),
    ] = OFFICIAL_URL,
    cache: Annotated[Path, typer.Option(help="Where downloads are kept.")] = Path(
        "user_data/data/binance_dumps"
    ),
    every: Annotated[str, typer.Option(help="Grid: 15m, 5m, 1m or 15s.")] = "15m",
    config: ConfigOption = None,
    book_bands: Annotated[
        bool, typer.Option("--book-bands", help="Book imbalance from bookDepth bands, flagged.")
    ] = False,
    series: Annotated[
        list[str] | None,
        typer.Option(
            help="Slow layers: a file instead of the source, e.g. btc_dominance=dominance.csv; "
            "repeatable."
        ),
    ] = None,
    candles: Annotated[
        Path, typer.Option(help="Sentiment: Freqtrade's data folder, for BTC's 15m candles.")
    ] = Path("user_data/data/binance"),
    plan: Annotated[bool, typer.Option("--plan", help="Only say what would be made.")] = False,
) -> None:
    """Make the archive of past days, so that backtests have the layers too.

    Order flow comes from the exchange's daily files. Book imbalance and vanishing liquidity cannot
    be had from them: they stay unknown, unless --book-bands lets the nearest band of bookDepth
    stand for the best levels. Funding is the last settled rate, where live it is the running
    prediction.

    Of the slow layers only what somebody keeps can be had: fear & greed, stablecoin supply, macro
    series with their vintages (FRED_API_KEY), and whatever --series gives. A daily value counts as
    known the day after at the earliest. Whales, social mentions and news have no past: they stay
    unknown.

    Days that are there already are left as they are; Ctrl-C loses the running day only.
    """
    names = _layers(layers)
    span = (_day("--from", first), _day("--to", stop))
    days = tuple(days_between(*span))
    settings = _settings(config or [])
    console = Console()
    grid = _grid(every, settings.sidecar.publish_lead_ms)
    is_whole = True
    if LAYER in names:
        request = Request(_pairs(pairs), days, grid)
        own = settings.sidecar.backfill
        options = own.model_copy(update={"book_from_bands": book_bands or own.book_from_bands})
        with _source(source, cache, options) as dumps, _writer(archive, settings) as writer:
            both = (options, settings.orderflow)
            backfill = Backfill(dumps, (archive, writer), both, request)
            is_whole = _backfilled(backfill, request, console, is_plan=plan)
    slow = tuple(name for name in names if name in SLOW_LAYERS)
    if slow:
        command = SlowCommand(settings, _kind(config or []), days, grid, candles, console)
        wanted = files_of(series or [])
        is_whole &= command.run(slow, wanted, archive, is_plan=plan)
    if not is_whole:
        raise typer.Exit(_INCOMPLETE)


def _backfilled(backfill: Backfill, request: Request, console: Console, *, is_plan: bool) -> bool:
    if is_plan:
        console.print(_plan_table(backfill.plan()))
        return True
    tally, damaged = _run(backfill, request, console)
    has_result = any(count for outcome, count in tally.outcomes.items() if outcome in _HAS_ROWS)
    return has_result and not damaged


def _run(backfill: Backfill, request: Request, console: Console) -> tuple[Tally, int]:
    total = len(request.pairs) * len(request.days)
    started = time.monotonic()
    done: list[DayResult] = []
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:,.0f} events/s"), TimeRemainingColumn(), console=console,
    ) as progress:  # fmt: skip
        task = progress.add_task("pair-days", total=total, rate=0.0)

        def see(result: DayResult, tally: Tally) -> None:
            done.append(result)
            rate = tally.events / max(time.monotonic() - started, 1e-9)
            progress.update(task, advance=1, rate=rate)
            if result.note or result.outcome is Outcome.WRITTEN:
                progress.console.print(
                    f"{result.pair} {result.day} {result.outcome}: {_told(result)}",
                    markup=False, highlight=False, soft_wrap=True,
                )  # fmt: skip

        try:
            tally = tallied(backfill.run(), see)
        except KeyboardInterrupt:
            _say_go_on(console, len(done), total, "stopped")
            raise typer.Exit(_STOPPED) from None
        except (SourceUnavailable, StoreError):
            _say_go_on(console, len(done), total, "ended early")
            raise
    console.print(_summary_table(tally, done))
    return tally, tally.outcomes[Outcome.DAMAGED]


def _say_go_on(console: Console, done: int, total: int, why: str) -> None:
    console.print(f"{why} after {done} of {total} pair-days; {_GO_ON}", markup=False)


def _told(result: DayResult) -> str:
    if result.record is None or result.outcome is not Outcome.WRITTEN:
        return result.note
    record = result.record
    missing = f", without {', '.join(record.missing)}" if record.missing else ""
    gaps = f", {record.gaps} gaps" if record.gaps else ""
    return f"{record.rows:,} rows of {record.events:,} events{gaps}{missing}"


def _summary_table(tally: Tally, done: list[DayResult]) -> RichTable:
    table = RichTable(title=f"{tally.rows:,} rows of {tally.events:,} events")
    table.add_column("component")
    table.add_column("known, share of instants", justify="right")
    records = [each.record for each in done if each.record is not None]
    names = dict.fromkeys(name for record in records for name in record.known)
    for name in names:
        shares = [record.known.get(name, 0.0) for record in records]
        table.add_row(name, f"{sum(shares) / len(shares):.1%}")
    for outcome, count in tally.outcomes.items():
        table.add_row(f"pair-days {outcome}", str(count))
    return table


def _plan_table(results: Iterator[DayResult]) -> RichTable:
    table = RichTable(title="What would be made")
    for name in ("pair", "day", "state", "unknown or missing"):
        table.add_column(name)
    for each in results:
        table.add_row(each.pair, each.day.isoformat(), each.outcome, each.note)
    return table


def _settings(files: list[Path]) -> Settings:
    # The host, which reads its own files and variables, takes seconds to import.
    if files or any(name.startswith(_HOST_VARIABLES) for name in os.environ):
        return run_config(files, os.environ).settings
    return load_settings({}, os.environ)


def _pairs(text: str) -> tuple[str, ...]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise ConfigError("--pairs: names no pair; give it as --pairs BTC,ETH")
    return tuple(name if "/" in name else f"{name}/{_QUOTE}:{_QUOTE}" for name in names)


def _layers(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    known = (LAYER, *SLOW_LAYERS)
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise ConfigError(f"--layers {text}: must be some of {', '.join(known)}")
    return names


def _kind(files: list[Path]) -> MarketKind:
    return run_config(files, os.environ).kind if files else "futures"


def _grid(every: str, lead_ms: int) -> Grid:
    if every not in _GRIDS_MS:
        raise ConfigError(f"--every {every}: must be one of {', '.join(_GRIDS_MS)}")
    return Grid(_GRIDS_MS[every], lead_ms)


def _day(option: str, text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise ConfigError(f"{option} {text}: must be a day, e.g. 2025-06-01") from None


@contextlib.contextmanager
def _source(where: str, cache: Path, settings: BackfillSettings) -> Iterator[DumpSource]:
    if not where.startswith(("http://", "https://")):
        yield FolderSource(Path(where))
        return
    with httpx.Client(
        base_url=where, timeout=settings.timeout_s, follow_redirects=False, trust_env=True
    ) as client:
        yield UrlSource(client, cache, settings, time.sleep)


@contextlib.contextmanager
def _writer(archive: Path, settings: Settings) -> Iterator[ArchiveWriter]:
    with ArchiveWriter(archive, settings.sidecar.archive, _wall_ms) as writer:
        yield writer


async def _recorded(
    instruments: list[Instrument], out: Path, sidecar: SidecarSettings, hours: float
) -> RecorderState:
    feed, settings = sidecar.feed, sidecar.recorder
    kind = instruments[0].market
    where = addresses(kind, os.environ.get(EXCHANGE_VARIABLE) or None)
    timing = Timing(_wall_ms, time.monotonic, asyncio.sleep, random.random)
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    recorder = Recorder(out, kind, settings)
    async with aiohttp.ClientSession(trust_env=False) as session:
        rest = BinanceRest(session, where, feed, timing)

        def feed_to(on_message: OnMessage) -> StreamManager:
            return StreamManager(session, where, feed, timing, on_message)

        async def book(symbol: str) -> bytes:
            return await _book(rest, where, symbol, feed.book_levels)

        await _check_listed(rest, where, instruments)
        clock = BookClock(settings.snapshot_minutes * 60, time.time_ns)
        symbols = [each.symbol for each in instruments]
        with recorder:
            work = asyncio.create_task(record(feed_to, book, recorder, symbols, kind, clock))
            end = asyncio.create_task(stopped.wait())
            saying = asyncio.create_task(_say(recorder))
            limit_s = hours * _S_PER_HOUR or None
            await asyncio.wait((work, end), timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
            for task in (work, end, saying):
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
    return recorder.state


async def _check_listed(rest: BinanceRest, where: Addresses, wanted: list[Instrument]) -> None:
    info = await rest.get(f"{where.prefix}/exchangeInfo", weight=_LISTING_WEIGHT)
    listed = parse_exchange_info(info, where.kind)
    unknown = [each.pair for each in wanted if each.symbol not in listed]
    if unknown:
        raise ConfigError(f"--pairs {', '.join(unknown)}: not traded on {where.rest}")


async def _say(recorder: Recorder) -> None:
    while True:
        await asyncio.sleep(_SAY_S)
        typer.echo(_recorded_text(recorder.state))


def _recorded_text(state: RecorderState) -> str:
    return f"{state.frames:,} frames in {state.files} files, {state.lost:,} lost"


async def _book(rest: BinanceRest, where: Addresses, symbol: str, levels: int) -> bytes:
    question = depth_question(where.kind, symbol, levels)
    return orjson.dumps(await rest.get(question.path, question.params, weight=question.weight))


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
