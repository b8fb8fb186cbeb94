"""The command as its user meets it, mounted the way the main command mounts it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from host_results import candles, loser, winner
from typer.testing import CliRunner, Result

from scalp_strategy.validation.command import report

Store = Callable[..., Path]


def _invoke(*arguments: str | Path) -> Result:
    main = typer.Typer()
    main.command()(report)
    main.command("other")(lambda: None)
    return CliRunner().invoke(main, ["report", *map(str, arguments)], env={"COLUMNS": "200"})


def test_newest_result_of_the_user_directory(store: Store, tmp_path: Path) -> None:
    store([winner(), loser()])
    result = _invoke("--userdir", tmp_path / "user_data")
    assert result.exit_code == 0, result.output
    assert "FAILS the go-live gate on 2 of 7" in result.output


def test_files_hold_the_report(store: Store, tmp_path: Path) -> None:
    path, target, text = store([winner(), loser()]), tmp_path / "r.json", tmp_path / "r.md"
    result = _invoke(path, "--json", target, "--markdown", text, "--costs", "0.001,0")
    assert result.exit_code == 0, result.output
    document = json.loads(target.read_text())
    assert [level["cost_per_side"] for level in document["costs"]] == [0.0015, 0.001, 0.0]
    assert document["costs"][2]["average_r"] == pytest.approx((2.4 - 1) / 2)
    assert document["verdict"] in text.read_text()


def test_no_trades_is_no_error(store: Store) -> None:
    result = _invoke(store([]))
    assert result.exit_code == 0, result.output
    assert "No trades" in result.output


@pytest.mark.parametrize("costs", ["", "a", "0.0015,", "0.2", "-0.1", "nan"])
def test_costs_that_are_none_are_refused(store: Store, costs: str) -> None:
    result = _invoke(store([winner()]), "--costs", costs)
    assert result.exit_code == 2
    assert "--costs" in result.output


@pytest.mark.parametrize(
    ("export", "arguments", "expected"),
    [
        ("signals", ("{folder}/none.zip",), "There is no file"),
        ("signals", ("--userdir", "{folder}/empty"), "No backtest result"),
        ("trades", ("{result}",), "--export signals"),
        ("signals", ("{result}", "--json", "{folder}"), "directory"),
        ("signals", ("{result}", "--datadir", "{folder}"), "No candles of 15m"),
    ],
)
def test_errors_are_one_message_and_exit_code_1(
    store: Store, tmp_path: Path, export: str, arguments: tuple[str, ...], expected: str
) -> None:
    names = {"result": store([winner()], export=export), "folder": tmp_path}
    result = _invoke(*(argument.format(**names) for argument in arguments))
    assert result.exit_code == 1, result.output
    assert expected in result.output
    assert "FAILS" not in result.output


def test_settings_come_from_the_run(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    scalp = {"report": {"gate_cost": 0.0005, "gate": {"trades_above": 1}}}
    _invoke(store([winner(), loser()], scalp=scalp), "--json", target)
    document = json.loads(target.read_text())
    assert document["gate_cost"] == 0.0005
    assert document["gate"][-1]["is_passed"] is True


def test_an_unknown_setting_is_named(store: Store) -> None:
    result = _invoke(store([winner()], scalp={"report": {"gate": {"win_rate": 1}}}))
    assert result.exit_code == 1
    assert "scalp.report" in result.output
    assert "win_rate" in result.output


def test_datadir_bounds_what_candles_leave_open(store: Store, tmp_path: Path) -> None:
    (tmp_path / "futures").mkdir()
    frame = candles().assign(volume=1.0)
    frame.loc[11, ["low", "high"]] = [99.0, 101.5]
    frame.to_feather(tmp_path / "futures" / "BTC_USDT_USDT-15m-futures.feather")
    target = tmp_path / "report.json"
    result = _invoke(store([winner(), loser()]), "--datadir", tmp_path, "--json", target)
    assert result.exit_code == 0, result.output
    found = json.loads(target.read_text())["ambiguity"]
    assert (found["checked"], found["ambiguous"]) == (2, 1)
    assert found["pessimistic_r"] < found["average_r"]
    assert "stop and target in one 15m candle" in result.output
