"""The `scalp` command."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from scalp_strategy.demo import DemoOptions, run_demo
from scalp_strategy.errors import ScalpError
from scalp_strategy.settings import iter_keys, json_schema
from scalp_strategy.state_file import FileStore
from scalp_strategy.validation.command import report

SCHEMA_PATH = Path("config/scalp.schema.json")

app = typer.Typer(
    name="scalp",
    help="The 15-minute scalp engine. Trading itself is Freqtrade's: see the README.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(report)


@app.command(epilog="Example: scalp settings --group risk")
def settings(
    group: Annotated[str, typer.Option(help="Show only keys that begin with this.")] = "",
) -> None:
    """List every setting: its key in the config, default, bounds and meaning."""
    table = Table("key", "default", "meaning", box=None)
    for key, field in iter_keys():
        if key.startswith(group):
            table.add_row(f"scalp.{key}", repr(field.default), field.description or "")
    Console().print(table)


@app.command(epilog="Examples: scalp schema | scalp schema --check")
def schema(
    check: Annotated[bool, typer.Option("--check", help="Only compare; exit 1 on drift.")] = False,
    path: Annotated[Path, typer.Option(help="Where the schema is kept.")] = SCHEMA_PATH,
) -> None:
    """Write the JSON schema of the `scalp` section of the config."""
    text = json.dumps(json_schema(), indent=2) + "\n"
    if not check:
        path.write_text(text, encoding="utf-8")
        typer.echo(f"wrote {path}")
        return
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        typer.echo(f"{path} does not match the settings; run: scalp schema", err=True)
        raise typer.Exit(1)


@app.command(
    epilog="Example: scalp resume user_data/scalp/account-scalp-dry-run-futures.json --confirm"
)
def resume(
    state: Annotated[Path, typer.Argument(help="The bot's account state file.")],
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Resume although the pause is of this UTC day.")
    ] = False,
) -> None:
    """Ask a running bot to let signals through again after a pause."""
    if not state.is_file():
        typer.echo(f"{state}: no such file; bots keep theirs in user_data/scalp/", err=True)
        raise typer.Exit(1)
    FileStore(state).request_resume(is_confirmed=confirm)
    typer.echo("asked; the bot takes it within a few seconds and says so in its log")


@app.command(epilog="Examples: scalp demo | scalp demo --once | scalp demo --seed 11")
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End after the first signal and its paper trade.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Another seed is another market.")] = 7,
    root: Annotated[Path, typer.Option(help="The project's folder.")] = Path(),
) -> None:
    """Show the engine offline: generated market, backtest, report, then paper trading."""
    try:
        run_demo(DemoOptions(once, seed, root.resolve()), Console())
    except KeyboardInterrupt:
        typer.echo("stopped")


def main() -> None:
    """Run the command; an error of ours is one line, not a stack trace."""
    try:
        app()
    except ScalpError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
