"""The `scalp-layers` command: the companion service and its tools."""

import asyncio
import logging
import os
import signal
import time
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
import uvloop

from external_layers.doctor import findings_of, running_health, trial
from external_layers.health import DOWN
from external_layers.history.commands import backfill_command, record_command
from external_layers.loopback import is_loopback
from external_layers.replay.exchange import ReplayExchange
from external_layers.replay.feather import Alignment, RecordedMarket, ends_at_ms
from external_layers.replay.generator import GeneratedMarket
from external_layers.replay.minutes import DAY_MINUTES, MinuteSource
from external_layers.replay.overlay import overlay
from external_layers.replay.recording import Recording
from external_layers.replay.server import make_app, start
from external_layers.replay.symbols import QUOTE
from external_layers.run import run_sidecar
from external_layers.run_config import RunConfig, run_config
from external_layers.scanner.pairlist import PairlistFile
from external_layers.service import seed_pairlist
from scalp_strategy.errors import ConfigError, ScalpError, SourceUnavailable

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

app.command(
    "record", epilog="Example: scalp-layers record --pairs BTC,ETH --out recordings --hours 6"
)(record_command)
app.command(
    "backfill",
    epilog="Example: scalp-layers backfill --pairs BTC,ETH --from 2025-06-01 --to 2025-07-01",
)(backfill_command)

_MARKET_EXAMPLES = """\b
Examples:
  scalp-layers market
  scalp-layers market --port 0 --write-config /tmp/replay.json
  scalp-layers market --seed 11 --symbols BTC,ETH,SOL --shift-days -30
  scalp-layers market --data user_data/data/binance --ends-at 2026-02-19T12:00
"""


@app.callback()
def layers() -> None:
    """Companion service of the scalp engine."""


@app.command(epilog=_MARKET_EXAMPLES)
def market(  # noqa: PLR0913, PLR0917 - one parameter per option
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 takes a free one.")] = 18080,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    seed: Annotated[int, typer.Option(help="Another seed is another market.")] = 7,
    data: Annotated[
        Path | None, typer.Option(help="Folder of Freqtrade feather files to replay.")
    ] = None,
    ends_at: Annotated[
        str, typer.Option(help="With --data: when the recording ends; ISO time or 'now'.")
    ] = "now",
    align: Annotated[
        Alignment, typer.Option(help="With --data: shift by whole days or whole hours.")
    ] = Alignment.DAY,
    symbols: Annotated[str, typer.Option(help="Base assets, e.g. BTC,ETH; empty = all.")] = "",
    shift_days: Annotated[int, typer.Option(help="Market time minus wall time, days.")] = 0,
    shift_minutes: Annotated[int, typer.Option(help="The same, minutes on top.")] = 0,
    ready_file: Annotated[Path | None, typer.Option(help="Write the URL here when ready.")] = None,
    write_config: Annotated[
        Path | None, typer.Option(help="Write the Freqtrade overlay for this port here.")
    ] = None,
    recording: Annotated[
        Path | None, typer.Option(help="Folder of raw frames to play on the websockets.")
    ] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Play --recording again and again.")] = False,
    enforce_weight: Annotated[bool, typer.Option(help="Answer 429 above the limits.")] = False,
    allow_remote: Annotated[bool, typer.Option(help="Allow other than loopback hosts.")] = False,
) -> None:
    """Run a Binance-compatible market (REST and websockets) on this machine.

    Prices come from a seeded generator, or from recorded candles with --data.
    """
    if not is_loopback(host) and not allow_remote:
        raise ConfigError(f"--host {host} is not a loopback address; --allow-remote permits it")
    names = symbol_names(symbols)
    shift = shift_days * DAY_MINUTES + shift_minutes
    source: MinuteSource
    if data is None:
        source = GeneratedMarket(seed, names)
    else:
        source = RecordedMarket(data, seed, names)
        shift += source.shift_to_end_at(ends_at_ms(ends_at, wall_ms()), align)
    played = Recording(recording, wall_ms, is_looped=loop) if recording is not None else None
    exchange = ReplayExchange(source, wall_ms, shift, played)
    exchange.market.check_shift(shift)
    exchange.weights.is_enforced = enforce_weight
    asyncio.run(_serve(exchange, (host, port), (ready_file, write_config)))


ConfigFiles = Annotated[
    list[Path], typer.Option("--config", "-c", help="The bot's config files, in its order.")
]
DataDir = Annotated[
    Path | None, typer.Option(help="Folder of archive and memory; default: from the config.")
]

_RUN_EXAMPLES = """\b
Examples:
  scalp-layers run -c config/base.json -c config/futures.json
  REDIS_URL=redis://127.0.0.1:6379/0 scalp-layers run -c config/base.json -c config/spot.json
  SCALP_LAYERS_EXCHANGE_URL=http://127.0.0.1:18080 scalp-layers run -c config/base.json ...
"""


@app.command(epilog=_RUN_EXAMPLES)
def run(
    config: ConfigFiles,
    data_dir: DataDir = None,
    ready_file: Annotated[Path | None, typer.Option(help="Write the URL here when ready.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log details too.")] = False,
) -> None:
    """Run the sidecar: watch the market, score order flow, choose pairs, serve it over HTTP.

    Ctrl-C or SIGTERM ends it; what was given out is on the disk then.
    """
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    for name in ("aiohttp", "httpx", "asyncio", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.WARNING)
    settings = _run_config(config, data_dir)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run_sidecar(settings, ready_file, typer.echo))


@app.command(epilog="Example: scalp-layers doctor -c config/base.json -c config/futures.json")
def doctor(
    config: Annotated[
        list[Path] | None, typer.Option("--config", "-c", help="The bot's config files.")
    ] = None,
    data_dir: DataDir = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only whether the sidecar runs and is well: status 0.")
    ] = False,
) -> None:
    """Say what works, what does not, and what to do about it.

    Asks the running sidecar; when none runs, tries out the exchange, Redis and the data folder.
    Ends with status 1 when nothing comes from the exchange, or when a trial failed.
    """
    settings = _run_config(config or [], data_dir)
    health = running_health(settings)
    if quick:
        _say_status(health)
        return
    found = findings_of(health) if health else asyncio.run(trial(settings))
    if health is None:
        typer.echo("No sidecar runs here; tried out what it would need:")
    for finding in found:
        mark = "ok  " if finding.is_well else "FAIL"
        typer.echo(f"{mark}  {finding.name:<28} {finding.text}")
    is_bad = health["status"] == DOWN if health else not all(each.is_well for each in found)
    raise typer.Exit(1 if is_bad else 0)


def _say_status(health: dict[str, Any] | None) -> None:
    if health is None:
        raise SourceUnavailable("no sidecar answers")
    typer.echo(f"{health['status']}, {len(health['problems'])} problems")
    if health["status"] == DOWN:
        raise typer.Exit(1)


@app.command(epilog="Example: scalp-layers pairlist -c config/base.json -c config/futures.json")
def pairlist(config: ConfigFiles, data_dir: DataDir = None) -> None:
    """Make sure that the bot finds a pair list when it starts, sidecar or not.

    Keeps the last known list of this market; without one, writes the config's own pairs.
    """
    settings = _run_config(config, data_dir)
    file = PairlistFile(settings.data_dir)
    pairs = seed_pairlist(file, settings.pairs, settings.kind, settings.settings.scanner.refresh_s)
    if not pairs:
        raise ConfigError("exchange.pair_whitelist is empty: there is no list to begin with")
    typer.echo(f"{file.path}: {len(pairs)} pairs")


def _run_config(files: list[Path], data_dir: Path | None) -> RunConfig:
    return run_config(files, os.environ, data_dir)


def symbol_names(symbols: str) -> list[str] | None:
    """Return exchange names from a comma-separated list of base assets; None when empty.

    Raises
    ------
    ConfigError
        When a name is not known.
    """
    bases = [base.strip().upper().removesuffix(QUOTE) for base in symbols.split(",")]
    return [base + QUOTE for base in bases if base] or None


def wall_ms() -> int:
    """Return the wall clock in milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


def main() -> None:
    """Run the command line; an expected error ends it with one line and status 2."""
    try:
        app()
    except ScalpError as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(2) from None


async def _serve(
    exchange: ReplayExchange, address: tuple[str, int], files: tuple[Path | None, Path | None]
) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    runner, port = await start(make_app(exchange), *address)
    url = f"http://{address[0]}:{port}"
    ready_file, config_file = files
    if config_file is not None:
        _write(config_file, orjson.dumps(overlay(url), option=orjson.OPT_INDENT_2))
    if ready_file is not None:
        _write(ready_file, url.encode())
    count = len(exchange.market.source.symbols)
    typer.echo(f"replay market on {url} seed {exchange.market.source.seed}, {count} symbols")
    try:
        await stopped.wait()
    finally:
        await runner.cleanup()


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content + b"\n")
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror or error}") from error


if __name__ == "__main__":
    main()
