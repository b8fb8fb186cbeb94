"""The `scalp` command."""

import json
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from scalp_strategy.demo import DemoOptions, run_demo
from scalp_strategy.errors import ConfigError, ScalpError
from scalp_strategy.settings import iter_keys, json_schema
from scalp_strategy.state_file import AdminRequest, FileStore
from scalp_strategy.validation.command import report

_INTERRUPTED = 130
SCHEMA_PATH = Path("config/scalp.schema.json")

app = typer.Typer(
    name="scalp",
    help="The 15-minute scalp engine. Trading itself is Freqtrade's: see the README.",
    epilog="Examples: scalp demo --once | scalp report | scalp settings --group breakers",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command(
    epilog="Examples: scalp report | scalp report --costs 0.0007 --json report.json | "
    "scalp report user_data/backtest_results/backtest-result-NAME.zip --datadir user_data/data"
)(report)


@app.command(epilog="Examples: scalp settings | scalp settings --group risk.sizing")
def settings(
    group: Annotated[str, typer.Option(help="Show only keys that begin with this.")] = "",
) -> None:
    """List every setting: its key in the config, default, bounds and meaning."""
    rows = [(key, field) for key, field in iter_keys() if key.startswith(group)]
    if not rows:
        groups = sorted({key.split(".", maxsplit=1)[0] for key, _ in iter_keys()})
        raise ConfigError(f"--group {group}: no such setting. Groups: {', '.join(groups)}")
    table = Table("key", "default", "bounds", "meaning", box=None)
    table.columns[0].no_wrap = True
    table.columns[0].min_width = max(len(f"scalp.{key}") for key, _ in rows)
    for key, field in rows:
        bounds = " ".join(str(rule) for rule in field.metadata)
        table.add_row(f"scalp.{key}", repr(field.default), bounds, field.description or "")
    Console().print(table, markup=False)


@app.command(epilog="Examples: scalp schema | scalp schema --check")
def schema(
    check: Annotated[bool, typer.Option("--check", help="Only compare; exit 1 on drift.")] = False,
    path: Annotated[Path, typer.Option(help="Where the schema is kept.")] = SCHEMA_PATH,
) -> None:
    """Write the JSON schema of the `scalp` section of the config."""
    text = json.dumps(json_schema(), indent=2) + "\n"
    if not path.parent.is_dir():
        raise ConfigError(f"{path.parent}: no such folder; run from the project's, or say --path")
    if not check:
        path.write_text(text, encoding="utf-8")
        typer.echo(f"wrote {path}")
    elif not path.is_file():
        raise ConfigError(f"{path} is missing; run: scalp schema")
    elif path.read_text(encoding="utf-8") != text:
        raise ConfigError(f"{path} does not match the settings; run: scalp schema")


StateArgument = Annotated[
    Path, typer.Argument(help="The bot's account state file, in user_data/scalp/.")
]
_STATE = "user_data/scalp/account-scalp-dry-run-futures.json"


@app.command(epilog=f"Example: scalp pause {_STATE}")
def pause(state: StateArgument) -> None:
    """Ask a running bot to let no signals through."""
    _request(state, "pause")


@app.command(epilog=f"Example: scalp resume {_STATE} --confirm")
def resume(
    state: StateArgument,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Resume although the pause is of this UTC day.")
    ] = False,
) -> None:
    """Ask a running bot to let signals through again after a pause."""
    _request(state, "resume confirmed" if confirm else "resume")


def _request(state: Path, request: AdminRequest) -> None:
    if not state.is_file():
        raise ConfigError(f"{state}: no such file; bots keep theirs in user_data/scalp/")
    FileStore(state).request(request)
    typer.echo("asked; a running bot takes it within seconds and says so in its log")


@app.command(
    epilog="Examples: scalp demo | scalp demo --once | scalp demo --seed 11 | make demo-once"
)
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End after the first signal and its paper trade.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Another seed is another market.")] = 7,
    root: Annotated[Path, typer.Option(help="The project's folder.")] = Path(),
) -> None:
    """Show the whole engine offline: no keys, no internet, no real money.

    1. A generated market starts on this machine.
    2. Three days of it are backtested, and the report is printed.
    3. The sidecar and the real Freqtrade trade on paper, until Ctrl-C.

    A candle closes soon, with a signal that rests on all five layers: the world outside the
    market is scripted, and the clock is set to shortly before the close. So it shows that the
    machinery works, not that it earns anything. Everything is kept in user_data/demo.
    """
    # A closed terminal or a kill stops the children too, as Ctrl-C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        run_demo(DemoOptions(once, seed, root.resolve()), Console())
    except KeyboardInterrupt:
        typer.echo("stopped")
        raise typer.Exit(_INTERRUPTED if once else 0) from None


def main() -> None:
    """Run the command; an error of ours is one line, not a stack trace."""
    try:
        app()
    except ScalpError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
