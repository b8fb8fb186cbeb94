"""The `scalp-layers` command: the companion service and its tools."""

import asyncio
import signal
import time
from pathlib import Path
from typing import Annotated

import orjson
import typer

from external_layers.replay.exchange import ReplayExchange
from external_layers.replay.feather import Alignment, RecordedMarket, ends_at_ms
from external_layers.replay.generator import GeneratedMarket
from external_layers.replay.minutes import DAY_MINUTES, MinuteSource
from external_layers.replay.overlay import overlay
from external_layers.replay.server import is_loopback, make_app, start
from external_layers.replay.symbols import QUOTE
from scalp_strategy.errors import ConfigError, ScalpError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

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
    exchange = ReplayExchange(source, wall_ms, shift)
    exchange.market.check_shift(shift)
    exchange.weights.is_enforced = enforce_weight
    asyncio.run(_serve(exchange, (host, port), (ready_file, write_config)))


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
