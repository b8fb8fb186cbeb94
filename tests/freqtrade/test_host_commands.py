"""Every command of the host that the project promises, as a user runs it, on a replay market."""

import csv
import io
import json
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
import pandas as pd
import pytest
from pandas import DataFrame, Timedelta, Timestamp

from scalp_strategy.fingerprint import code_fingerprint
from scalp_strategy.risk import LEG_TAGS, price_to_tick
from scalp_strategy.settings import Settings, settings_hash, with_overrides
from scalp_strategy.technical import lookback
from scalp_strategy.validation.results import newest_result, read_run
from tests.support.freqtrade import TIMEFRAMES, Workspace, timerange

CANDLE: Final = Timedelta(minutes=15)
MINUTE: Final = Timedelta(minutes=1)
TARGETS_R: Final = (1.5, 2.5, 4.0)
LIMIT: Final = 2  # positions at once, so that four pairs reach it
STOPS: Final = ("stop_loss", "trailing_stop_loss")


def last_days(space: Workspace, days: float) -> tuple[str, str]:
    return ("--timerange", timerange(space.end - Timedelta(days=days), space.end))


def test_the_strategy_is_listed_as_sound(space):
    done = space.run("list-strategies")
    assert done.returncode == 0, done.stderr
    (row,) = (line for line in done.stdout.splitlines() if "ScalpStrategy" in line)
    cells = [cell.strip() for cell in row.split("│")]
    assert "OK" in cells
    assert any("weights: 5" in cell for cell in cells)


def test_downloaded_candles_cover_start_up_and_trading(space):
    for pair in space.pairs:
        for timeframe in TIMEFRAMES:
            dates = space.candles(pair, timeframe)["date"]
            step = Timedelta(timeframe)
            assert dates.iloc[0] <= space.start - lookback(Settings()) * CANDLE
            assert dates.iloc[-1] >= space.end - step
            assert (dates.diff().dropna() == step).all()


# ----------------------------------------------------------------------------------- backtesting


class Result:
    """What a backtest exported: its trades and the candles that they were signalled on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with zipfile.ZipFile(path) as archive:
            content = json.loads(archive.read(f"{path.stem}.json"))
            signals = joblib.load(io.BytesIO(archive.read(f"{path.stem}_signals.pkl")))
        self.trades: list[dict[str, Any]] = content["strategy"]["ScalpStrategy"]["trades"]
        self.signals: dict[str, DataFrame] = signals["ScalpStrategy"]

    def signal(self, trade: dict[str, Any]) -> pd.Series:
        """Return the candle that closed last when the trade was opened."""
        opened = Timestamp(trade["open_date"]).floor("15min") - CANDLE
        frame = self.signals[trade["pair"]]
        return frame[frame["date"] == opened].iloc[0]


@pytest.fixture(scope="session")
def results(workspaces) -> Callable[[str], Result]:
    @cache
    def result(mode: str) -> Result:
        space = workspaces(mode)
        done = space.run(
            "backtesting",
            *("--timeframe-detail", "1m"),
            *("--timerange", timerange(space.start, space.end)),
            overlay={"scalp": {"breakers": {"max_concurrent_positions": LIMIT}}},
        )
        assert done.returncode == 0, done.stderr
        return Result(newest_result(space.folder))

    return result


@pytest.fixture
def result(space, results) -> Result:
    return results(space.mode)


def exits_of(trade: dict[str, Any]) -> list[dict[str, Any]]:
    return [order for order in trade["orders"] if not order["ft_is_entry"]]


def sign_of_trade(trade: dict[str, Any]) -> int:
    return -1 if trade["is_short"] else 1


def distance_of(result: Result, trade: dict[str, Any]) -> float:
    signal = result.signal(trade)
    return float(signal["sl_pct"] / 100 * signal["close"])


def minute_of(space: Workspace, trade: dict[str, Any], order: dict[str, Any]) -> pd.Series:
    candles = space.candles(trade["pair"], "1m").set_index("date")
    return candles.loc[Timestamp(order["order_filled_timestamp"], unit="ms", tz="UTC")]


def tick_of(space: Workspace, pair: str) -> float:
    """Return the price step: the fewest decimals in which all closes are whole."""
    closes = space.candles(pair, "15m")["close"].to_numpy()
    return next(
        10.0**-n for n in range(9) if np.allclose(closes, closes.round(n), rtol=0, atol=1e-9)
    )


def test_a_result_names_the_settings_and_the_code_that_made_it(result):
    made = with_overrides(Settings(), {"breakers.max_concurrent_positions": LIMIT})
    config = read_run(result.path, None).config
    assert config["scalp_settings"] == settings_hash(made)
    assert config["scalp_code"] == code_fingerprint()


def test_a_backtest_trades_and_explains_itself(space, result):
    assert len(result.trades) >= 5
    for trade in result.trades:
        signal = result.signal(trade)
        direction = -1 if trade["is_short"] else 1
        assert signal[["sl_pct", "atr_14", "confluence"]].notna().all()
        assert signal["direction"] == direction
        assert trade["enter_tag"].split()[0] in {"MEDIUM", "HIGH"}
    shorts = sum(trade["is_short"] for trade in result.trades)
    assert shorts > 0 if space.mode == "futures" else shorts == 0


def test_targets_fill_at_their_price_to_the_tick(space, result):
    seen = set()
    for trade in result.trades:
        distance, sign = distance_of(result, trade), sign_of_trade(trade)
        tick = tick_of(space, trade["pair"])
        side = "short" if trade["is_short"] else "long"
        for order in exits_of(trade):
            if order["ft_order_tag"] not in LEG_TAGS:
                continue
            index = LEG_TAGS.index(order["ft_order_tag"])
            exact = trade["open_rate"] + sign * TARGETS_R[index] * distance
            target = price_to_tick(exact, tick, side, "target")
            minute = minute_of(space, trade, order)
            assert order["safe_price"] == pytest.approx(target, rel=1e-9), trade
            assert minute["low"] - tick / 2 <= target <= minute["high"] + tick / 2
            seen.add(order["ft_order_tag"])
    assert "tp1" in seen


def test_every_exit_is_the_ladders(result):
    tags = {order["ft_order_tag"] for trade in result.trades for order in exits_of(trade)}
    assert tags <= {*LEG_TAGS, *STOPS, "time_stop"}
    for trade in result.trades:
        held = Timestamp(trade["close_date"]) - Timestamp(trade["open_date"]).floor("15min")
        assert held <= 8 * CANDLE
        order = [o["ft_order_tag"] for o in exits_of(trade) if o["ft_order_tag"] in LEG_TAGS]
        assert order == sorted(set(order))


def test_no_trade_loses_more_than_its_stop(space, result):
    stopped = 0
    for trade in result.trades:
        distance, sign = distance_of(result, trade), sign_of_trade(trade)
        tick = tick_of(space, trade["pair"])
        for order in exits_of(trade):
            loss = sign * (trade["open_rate"] - order["safe_price"])
            gapped = sign * (trade["open_rate"] - minute_of(space, trade, order)["open"])
            assert loss <= max(distance + tick / 2, gapped), trade
            stopped += loss > distance - 2 * tick
    assert stopped > 0


def test_the_breakers_limit_of_positions_is_kept_and_reached(result):
    opened = [(Timestamp(trade["open_date"]), 1) for trade in result.trades]
    closed = [(Timestamp(trade["close_date"]), -1) for trade in result.trades]
    count = most = 0
    for _, change in sorted([*opened, *closed]):
        count += change
        most = max(most, count)
    assert most == LIMIT


# -------------------------------------------------------------------------- hyperopt, parameters


@pytest.fixture
def no_parameters(space):
    space.parameter_file.unlink(missing_ok=True)
    yield
    space.parameter_file.unlink(missing_ok=True)


@pytest.mark.usefixtures("no_parameters")
def test_hyperopt_searches_and_its_epoch_is_used(space):
    done = space.run(
        "hyperopt",
        *("--hyperopt-loss", "ScalpHyperOptLoss", "--spaces", "weights", "indicators"),
        *("thresholds", "--epochs", "2", "-j", "1", "--random-state", "3", "--min-trades", "1"),
        *last_days(space, 1),
    )
    assert done.returncode == 0, done.stderr
    (file,) = (space.folder / "hyperopt_results").glob("strategy_*.fthypt")
    epochs = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(epochs) == 2
    assert epochs[0]["params_dict"] != epochs[1]["params_dict"]
    assert all(np.isfinite(epoch["loss"]) for epoch in epochs)

    shown = space.run("hyperopt-show", "-n", "2", "--print-json", "--no-header")
    assert shown.returncode == 0, shown.stderr
    assert space.parameter_file.is_file()
    chosen = json.loads(space.parameter_file.read_text())["params"]
    for group in ("weights", "indicators", "thresholds"):
        searched = {name: epochs[1]["params_dict"][name] for name in chosen[group]}
        assert chosen[group] == pytest.approx(searched)

    settings = space.backtest(span=(space.end - 2 * CANDLE, space.end)).strategy.settings
    thresholds = chosen["thresholds"]
    assert settings.confluence.medium_threshold == thresholds["medium_threshold"]
    assert settings.entry.min_atr_pct == thresholds["min_atr_pct"]
    total = sum(chosen["weights"].values())
    assert settings.confluence.weights.technical == pytest.approx(
        chosen["weights"]["weight_technical"] / total
    )


@pytest.mark.usefixtures("no_parameters")
def test_default_config_environment_and_parameter_file_rule_in_this_order(space, monkeypatch):
    used = []
    config = {"scalp": {"entry": {"min_atr_pct": 0.41}}}
    file = {"strategy_name": "ScalpStrategy", "params": {"thresholds": {"min_atr_pct": 0.43}}}

    def run(overlay: dict[str, Any] | None) -> None:
        backtest = space.backtest(overlay, span=(space.end - Timedelta(hours=9), space.end))
        used.append(backtest.strategy.settings.entry.min_atr_pct)
        engine = backtest.strategy.engine
        assert engine.desk.settings.entry.min_atr_pct == used[-1]
        for decision in engine.log:
            close_ns = int(Timestamp(decision.candidate.close_time).value)
            atr_pct = engine.desk.analysed(decision.candidate.pair).row(close_ns)["atr_pct"]
            assert (decision.candidate.gate or "").startswith("ATR") == (atr_pct < used[-1])

    run(None)
    run(config)
    monkeypatch.setenv("FREQTRADE__SCALP__ENTRY__MIN_ATR_PCT", "0.42")
    run(config)
    space.parameter_file.write_text(json.dumps(file))
    run(config)
    assert used == [0.3, 0.41, 0.42, 0.43]


# -------------------------------------------------------------------------------- bias analyses


def lookahead_report(space: Workspace, overlay: dict[str, Any] | None) -> dict[str, str]:
    file = space.folder / "lookahead.csv"
    file.unlink(missing_ok=True)
    done = space.run(
        "lookahead-analysis",
        *("--minimum-trade-amount", "1", "--targeted-trade-amount", "2", *last_days(space, 2)),
        *("--lookahead-analysis-exportfilename", file),
        overlay=overlay,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    (row,) = csv.DictReader(io.StringIO(file.read_text()))
    assert int(row["total_signals"]) >= 2
    return row


def test_lookahead_analysis_reports_no_bias(space):
    # Everything but the 5m and 1m candles, which the host cuts earlier than the 15m ones.
    more_weight = {"medium_threshold": 65, "weights": {"technical": 0.45, "orderflow": 0.15}}
    row = lookahead_report(space, {"scalp": {"lower_timeframes": [], "confluence": more_weight}})
    assert row["has_bias"] == "False", row


def test_lookahead_analysis_finds_no_biased_trade_with_all_timeframes(space):
    # Of the last candle that it keeps the host has cut off the minutes, all but the first. So it
    # calls the columns made from them biased; that they are not is what test_causality proves.
    row = lookahead_report(space, None)
    assert (row["biased_entry_signals"], row["biased_exit_signals"]) == ("0", "0"), row


def test_recursive_analysis_finds_nothing_at_the_derived_start_up_length(space):
    done = space.run("recursive-analysis", "-p", space.pairs[0], *last_days(space, 1))
    assert done.returncode == 0, done.stderr
    lines = [[cell.strip() for cell in line.split("│")] for line in done.stdout.splitlines()]
    (header,) = (line for line in done.stdout.splitlines() if "(from strategy)" in line)
    names = [cell.strip() for cell in header.split("┃")]
    column = names.index(f"{lookback(Settings())} (from strategy)")
    table = {cells[1]: cells[column] for cells in lines if len(cells) == len(names)}
    assert "ema_200" in table
    for name, cell in table.items():
        assert cell == "-" or abs(float(cell.removesuffix("%"))) <= 0.1, (name, cell)


def test_plot_dataframe_writes_a_chart(space):
    done = space.run("plot-dataframe", "--no-trades", "-p", space.pairs[0], *last_days(space, 1))
    assert done.returncode == 0, done.stderr[-3_000:]
    (chart,) = (space.folder / "plot").glob("*.html")
    text = chart.read_text()
    for column in ("confluence_long", "ta_short", "coverage", "sl_pct", "ema_200", "vwap"):
        assert column in text


# --------------------------------------------------------------------------------- config errors


@pytest.mark.xdist_group("freqtrade-spot")
@pytest.mark.parametrize(
    ("overlay", "environment", "words"),
    [
        (
            {"scalp": {"risk": {"atr_multiplyer": 2}}},
            {},
            ("scalp.risk.atr_multiplyer", "unknown key", "atr_multiplier"),
        ),
        (
            None,
            {"FREQTRADE__SCALP__RISK__SL_MAX_PCT": "99"},
            ("scalp.risk.sl_max_pct = 99", "20", "FREQTRADE__SCALP__RISK__SL_MAX_PCT"),
        ),
        ({"stoploss": -0.1}, {}, ("stoploss = -0.1", "must be -0.99")),
    ],
    ids=["unknown key", "bad variable", "overridden stop-loss"],
)
def test_a_wrong_config_stops_the_start_and_says_why(workspaces, overlay, environment, words):
    space = workspaces("spot")
    done = space.run(
        "backtesting", *last_days(space, 0.1), overlay=overlay, environment=environment
    )
    assert done.returncode != 0
    message = done.stderr + done.stdout
    for word in words:
        assert word in message
