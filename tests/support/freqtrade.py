"""The real Freqtrade on a replay market: a user folder, its data, commands and backtests.

The generated market is a pure function of seed and time. It is shifted by whole days so that the
days before today always hold the same candles, whatever the date.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from freqtrade.configuration import Configuration
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType, RunMode
from freqtrade.optimize.backtesting import Backtesting
from pandas import DataFrame

from tests.support.market import running_market

ROOT: Final = Path(__file__).parents[2]
SEED: Final = "7"
MARKET_DAY: Final = date(2026, 2, 10)  # the market's day when it is today here
BASES: Final = ("SOL", "DOGE", "ETH", "OP")
TRADED_DAYS: Final = 3
STARTUP_DAYS: Final = 13
TIMEFRAMES: Final = ("15m", "5m", "1m")
_COMMAND_S: Final = 180


def program(name: str) -> str:
    """Return the path of a program installed beside this Python."""
    return str(Path(sys.executable).parent / name)


def pair_name(base: str, mode: str) -> str:
    """Return Freqtrade's name of a base asset's USDT pair."""
    return f"{base}/USDT:USDT" if mode == "futures" else f"{base}/USDT"


def timerange(start: datetime, end: datetime) -> str:
    """Return a range of whole seconds in the host's words."""
    return f"{int(start.timestamp())}-{int(end.timestamp())}"


@dataclass(frozen=True)
class Workspace:
    """One user folder of the host, in one trading mode, beside a running market."""

    mode: str
    folder: Path
    end: datetime
    pairs: tuple[str, ...]
    market_url: str

    @property
    def start(self) -> datetime:
        """The first candle that may be traded."""
        return self.end - timedelta(days=TRADED_DAYS)

    @property
    def datadir(self) -> Path:
        return self.folder / "data" / "binance"

    @property
    def wallet(self) -> float:
        """The balance that a backtest starts with."""
        return float(json.loads((ROOT / "config" / "base.json").read_text())["dry_run_wallet"])

    @property
    def config_files(self) -> list[Path]:
        shipped = [ROOT / "config" / f"{name}.json" for name in ("base", self.mode, "backtest")]
        return [*shipped, self.folder / "replay.json", self.folder / "pairs.json"]

    def run(
        self,
        command: str,
        *arguments: str | Path,
        overlay: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of the host in its own process, with one more config on top."""
        files = self.config_files
        if overlay is not None:
            files.append(self.folder / "overlay.json")
            files[-1].write_text(json.dumps(overlay))
        configs = [word for file in files for word in ("-c", str(file))]
        inherited = {key: value for key, value in os.environ.items() if "FREQTRADE_" not in key}
        return subprocess.run(
            [program("freqtrade"), command, "--userdir", self.folder, *configs, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=_COMMAND_S,
            env={**inherited, "COLUMNS": "400", "NO_COLOR": "1", **(environment or {})},
        )

    def config(
        self,
        overlay: Mapping[str, Any] | None = None,
        *,
        run_mode: RunMode = RunMode.BACKTEST,
        datadir: Path | None = None,
        span: tuple[datetime, datetime] | None = None,
    ) -> dict[str, Any]:
        """Return the host's own reading of the configs, as its commands get it."""
        files = self.config_files
        if overlay is not None:
            files.append(self.folder / "overlay.json")
            files[-1].write_text(json.dumps(overlay))
        arguments = {
            "config": [str(file) for file in files],
            "user_data_dir": str(self.folder),
            "datadir": str(datadir or self.datadir),
            "timerange": timerange(*(span or (self.start, self.end))),
            "timeframe_detail": "1m",
            "export": "none",
        }
        return Configuration(arguments, run_mode).get_config()

    def backtest(self, overlay: Mapping[str, Any] | None = None, **options: Any) -> "Backtest":
        """Run the host's backtester in this process, on 1-minute detail."""
        backtesting = Backtesting(self.config(overlay, **options))
        try:
            backtesting.start()
        finally:
            Backtesting.cleanup()
        (content,) = backtesting.all_bt_content.values()
        return Backtest(backtesting.strategy, content["results"])

    def candles(self, pair: str, timeframe: str) -> DataFrame:
        """Return the candles on disk."""
        return read_candles(self.datadir, pair, timeframe, self.mode)

    @property
    def parameter_file(self) -> Path:
        """Where the host keeps the parameters of an epoch that was chosen."""
        return self.folder / "strategies" / "ScalpStrategy.json"


@dataclass(frozen=True)
class Backtest:
    """A finished backtest: the strategy with its engine, and the host's table of trades."""

    strategy: Any
    trades: DataFrame


def read_candles(datadir: Path, pair: str, timeframe: str, mode: str) -> DataFrame:
    """Return candles from the host's files."""
    return get_datahandler(datadir, "feather").ohlcv_load(
        pair, timeframe, CandleType(mode), fill_missing=False, drop_incomplete=False
    )


def write_candles(
    datadir: Path, pair: str, timeframe: str, candles: DataFrame, kind: CandleType
) -> None:
    """Write candles as the host's own files."""
    (datadir / "futures").mkdir(parents=True, exist_ok=True)
    get_datahandler(datadir, "feather").ohlcv_store(pair, timeframe, candles, kind)


@contextmanager
def downloaded_workspace(
    mode: str, folder: Path, bases: tuple[str, ...] = BASES
) -> Iterator[Workspace]:
    """Start a market, download a workspace's data and yield it; stop the market at the end."""
    end = datetime.combine(datetime.now(UTC).date(), datetime.min.time(), UTC)
    shift = (MARKET_DAY - end.date()).days
    for name in ("strategies", "hyperopts"):
        shutil.copytree(ROOT / "user_data" / name, folder / name, ignore=_no_cache)
    pairs = tuple(pair_name(base, mode) for base in bases)
    (folder / "pairs.json").write_text(json.dumps({"exchange": {"pair_whitelist": pairs}}))
    options = ("--seed", SEED, "--shift-days", str(shift))
    with running_market(*options, "--write-config", folder / "replay.json") as url:
        space = Workspace(mode, folder, end, pairs, url)
        first = space.start - timedelta(days=STARTUP_DAYS)
        span = ("--timerange", f"{first:%Y%m%d}-", "--timeframes", *TIMEFRAMES)
        done = space.run("download-data", *span)
        assert done.returncode == 0, done.stderr
        yield space


def _no_cache(_folder: str, names: list[str]) -> list[str]:
    return [name for name in names if not name.endswith(".py")]
