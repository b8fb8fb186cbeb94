"""Wall time of a backtest: the engine beside a plain strategy with twenty TA-Lib columns, and the
engine beside itself without breakers and journal.

All run as a user runs them, `freqtrade backtesting` in a process of its own, over the same
generated candles: ten pairs, ninety days of 15m. Printed as ratios of one run.
"""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from freqtrade.data.btanalysis import load_backtest_stats

from scalp_strategy.validation.results import newest_result
from tests.support.market import running_market

ROOT = Path(__file__).parents[2]
DAYS = 90

PLAIN = """
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class Plain(IStrategy):
    timeframe = "15m"
    can_short = True
    stoploss = -0.02
    minimal_roi = {"0": 0.02}
    startup_candle_count = 200

    def populate_indicators(self, df, metadata):
        for period in (5, 9, 14, 21, 34, 50, 100, 200):
            df[f"ema_{period}"] = ta.EMA(df, timeperiod=period)
        for period in (7, 14, 21):
            df[f"rsi_{period}"] = ta.RSI(df, timeperiod=period)
            df[f"atr_{period}"] = ta.ATR(df, timeperiod=period)
            df[f"adx_{period}"] = ta.ADX(df, timeperiod=period)
        df["obv"] = ta.OBV(df)
        df["cci"] = ta.CCI(df)
        df["mfi"] = ta.MFI(df)
        return df

    def populate_entry_trend(self, df, metadata):
        above = df["ema_9"] > df["ema_21"]
        df.loc[above & ~above.shift(1, fill_value=True), "enter_long"] = 1
        df.loc[~above & above.shift(1, fill_value=False), "enter_short"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[df["rsi_14"] > 60, "exit_long"] = 1
        df.loc[df["rsi_14"] < 40, "exit_short"] = 1
        return df
"""

BARE = """
from scalp_strategy.strategy import ScalpStrategy


class Bare(ScalpStrategy):
    def bot_start(self, **kwargs):
        super().bot_start(**kwargs)
        self.engine.desk._breakers = ()
"""
NO_JOURNAL = {"FREQTRADE__SCALP__JOURNAL__IN_BACKTESTS": "false"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a user directory with the strategies and their candles."""
    path = tmp_path_factory.mktemp("benchmark")
    (path / "strategies").mkdir()
    shutil.copy(ROOT / "user_data" / "strategies" / "ScalpStrategy.py", path / "strategies")
    (path / "strategies" / "Plain.py").write_text(PLAIN)
    (path / "strategies" / "Bare.py").write_text(BARE)
    with running_market("--write-config", path / "replay.json"):
        freqtrade(
            path, "download-data", "--timeframes", "15m", "5m", "--timerange", "20260720-20261101"
        )
        yield path


def freqtrade(
    folder: Path, command: str, *arguments: str, environment: dict[str, str] | None = None
) -> float:
    configs = (ROOT / "config" / "base.json", ROOT / "config" / "futures.json")
    files = [word for path in (*configs, folder / "replay.json") for word in ("-c", str(path))]
    program = [sys.executable, "-m", "freqtrade", command, "--userdir", str(folder), *files]
    began = time.perf_counter()
    done = subprocess.run(
        [*program, *arguments],
        capture_output=True, text=True, check=False, env=os.environ | (environment or {}),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return time.perf_counter() - began


def backtest(folder: Path, name: str, environment: dict[str, str] | None = None) -> float:
    return freqtrade(
        folder, "backtesting", "--strategy", name, "--timerange", "20260803-20261101",
        environment=environment,
    )  # fmt: skip


def trades_of_last(folder: Path, name: str) -> int:
    stats = load_backtest_stats(newest_result(folder))
    return int(stats["strategy"][name]["total_trades"])


def test_backtest_beside_a_plain_strategy(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seconds, trades = {}, {}
    for name in ("Plain", "ScalpStrategy"):
        seconds[name] = backtest(folder, name)
        trades[name] = trades_of_last(folder, name)
    ratio = seconds["ScalpStrategy"] / seconds["Plain"]
    with capsys.disabled():
        print(f"\n10 pairs x 90 days: seconds {seconds}, trades {trades}, ratio {ratio:.2f}")
    assert min(trades.values()) > DAYS


def test_what_breakers_and_journal_cost(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare = backtest(folder, "Bare", NO_JOURNAL)
    without = trades_of_last(folder, "Bare")
    whole = backtest(folder, "ScalpStrategy")
    trades = trades_of_last(folder, "ScalpStrategy")
    with capsys.disabled():
        print(
            f"\nwithout breakers and journal {bare:.1f} s, {without} trades; with them "
            f"{whole:.1f} s, {trades} trades: ratio {whole / bare:.2f}"
        )
    assert without > trades > DAYS
    (journal,) = (folder / "scalp").glob("journal-*-backtest-*.sqlite")
    with contextlib.closing(sqlite3.connect(journal)) as database:
        (positions,) = database.execute("SELECT count(*) FROM positions").fetchone()
    assert positions == trades
