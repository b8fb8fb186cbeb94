"""The `scalp report` command."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from scalp_strategy.errors import ConfigError, PayloadError
from scalp_strategy.setting_groups.report import MAX_COST_PER_SIDE, ReportSettings
from scalp_strategy.setting_groups.risk import LadderSettings
from scalp_strategy.validation.ambiguity import Ambiguity, count_ambiguous, load_candles
from scalp_strategy.validation.render import print_report, to_markdown
from scalp_strategy.validation.report import build_report
from scalp_strategy.validation.results import BacktestRun, newest_result, read_run
from scalp_strategy.validation.section import section


def report(  # noqa: PLR0913 - a command's parameters are its options
    result: Annotated[
        Path | None, typer.Argument(help="Backtest result (zip); default: the newest one.")
    ] = None,
    *,
    userdir: Annotated[Path, typer.Option(help="The host's user directory.")] = Path("user_data"),
    strategy: Annotated[
        str | None, typer.Option(help="Which strategy, if the result holds several.")
    ] = None,
    costs: Annotated[
        str | None, typer.Option(help="Costs per side as ratios: 0.0015,0.0007")
    ] = None,
    datadir: Annotated[
        Path | None, typer.Option(help="Candles of the run: bound what candles leave open.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the report as JSON.")
    ] = None,
    markdown_file: Annotated[
        Path | None, typer.Option("--markdown", help="Write the report as Markdown.")
    ] = None,
) -> None:
    """Say honestly what a backtest earned after cost, and whether it passes the go-live gate.

    Exit code 0 whatever the verdict; 1 when the result cannot be read.
    """
    try:
        run = read_run(result or newest_result(userdir), strategy)
        settings = section(run.config, ReportSettings, "report")
        ambiguity = _ambiguity(run, datadir, settings.gate_cost) if datadir else None
        built = build_report(run, settings, _costs(costs), ambiguity)
        _write(json_file, json.dumps(built.to_dict(), indent=2, allow_nan=False) + "\n")
        _write(markdown_file, to_markdown(built))
    except (PayloadError, ConfigError, OSError) as error:
        Console(stderr=True).print(str(error), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from error
    print_report(built, Console())


def _costs(text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        costs = tuple(float(part) for part in text.split(","))
    except ValueError:
        costs = ()
    if not costs or not all(0 <= cost <= MAX_COST_PER_SIDE for cost in costs):
        raise typer.BadParameter(
            f"{text!r}: costs per side are ratios, 0 to {MAX_COST_PER_SIDE}, such as 0.0015,0.0007",
            param_hint="--costs",
        )
    return costs


def _ambiguity(run: BacktestRun, datadir: Path, cost_per_side: float) -> Ambiguity:
    ladder = section(run.config, LadderSettings, "risk", "ladder")
    return count_ambiguous(run, load_candles(datadir, run), ladder, cost_per_side)


def _write(path: Path | None, text: str) -> None:
    if path is not None:
        path.write_text(text, encoding="utf-8")
