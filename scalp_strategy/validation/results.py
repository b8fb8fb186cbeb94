"""Backtest results of the host: which file, what is in it, and clear words when it is unusable.

A result is a zip written by `freqtrade backtesting`. With `--export signals` it holds
`<name>.json` (statistics and trades of every strategy), `<name>_config.json`, and
`<name>_signals.pkl`: strategy -> pair -> frame of the candles before each entry, with the columns
of `populate_indicators`. The last one is a pickle, and a pickle can run code: open your own
results only.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib  # type: ignore[import-untyped]
import pandas as pd

from scalp_strategy.errors import PayloadError
from scalp_strategy.validation.trade_table import trade_table, with_signals

HOW_TO_MAKE_ONE = "freqtrade backtesting --config CONFIG.json --export signals"


@dataclass(frozen=True)
class BacktestRun:
    """One strategy's part of a backtest result.

    Attributes
    ----------
    name : str
        The file's name without suffix.
    strategy : str
        Class name of the strategy.
    timeframe : str
        Candle length of the signals, such as ``15m``.
    detail_timeframe : str
        Candle length the fills were simulated on.
    start_ms, end_ms : int
        Open time of the first and of the last candle, Unix milliseconds.
    starting_balance : float
        Equity before the first trade, quote currency.
    currency : str
        The quote currency.
    is_futures : bool
        Whether perpetuals were traded.
    config : mapping
        The configuration of the run, secrets removed by the host.
    trades : DataFrame
        See `trade_table.trade_table` and `trade_table.with_signals`.
    """

    name: str
    strategy: str
    timeframe: str
    detail_timeframe: str
    start_ms: int
    end_ms: int
    starting_balance: float
    currency: str
    is_futures: bool
    config: Mapping[str, Any]
    trades: pd.DataFrame


def newest_result(userdir: Path) -> Path:
    """Return the result in `userdir/backtest_results` that was written last.

    Raises
    ------
    PayloadError
        When there is none; says where it looked and which command makes one.
    """
    folder = userdir / "backtest_results"
    found = sorted(folder.glob("*.zip"), key=lambda path: (path.stat().st_mtime_ns, path.name))
    if not found:
        raise PayloadError(
            f"No backtest result (*.zip) in {folder}. Make one with: {HOW_TO_MAKE_ONE}"
        )
    return found[-1]


def read_run(path: Path, strategy: str | None = None) -> BacktestRun:
    """Read one strategy's trades, with their risk, from a result.

    Parameters
    ----------
    path : Path
        The zip.
    strategy : str, optional
        Needed only when the result holds several strategies.

    Raises
    ------
    PayloadError
        When the file is missing or is no backtest result, when the strategy is not in it, or when
        it has trades but no signal candles.
    """
    content = _members(path)
    statistics = _json(content, f"{path.stem}.json", path).get("strategy", {})
    name = _chosen(statistics, strategy, path)
    try:
        return _run(path, name, statistics[name], content)
    except KeyError as error:
        raise PayloadError(f"{path} lacks {error}: written by another version?") from error


def _run(
    path: Path, name: str, statistics: Mapping[str, Any], content: Mapping[str, bytes]
) -> BacktestRun:
    timeframe = str(statistics["timeframe"])
    trades = trade_table(statistics["trades"])
    signals = _signals(content, path, name) if len(trades) else {}
    return BacktestRun(
        name=path.stem,
        strategy=name,
        timeframe=timeframe,
        detail_timeframe=str(statistics.get("timeframe_detail") or timeframe),
        start_ms=int(statistics["backtest_start_ts"]),
        end_ms=int(statistics["backtest_end_ts"]),
        starting_balance=float(statistics["starting_balance"]),
        currency=str(statistics["stake_currency"]),
        is_futures=str(statistics["trading_mode"]) == "futures",
        config=_json(content, f"{path.stem}_config.json", path),
        trades=with_signals(trades, signals, timeframe_ms(timeframe)),
    )


def _members(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                name: archive.read(name)
                for name in archive.namelist()
                if name.endswith((".json", "_signals.pkl"))
            }
    except FileNotFoundError as error:
        raise PayloadError(
            f"There is no file {path}. Make a result with: {HOW_TO_MAKE_ONE}"
        ) from error
    except (zipfile.BadZipFile, OSError) as error:
        raise PayloadError(f"{path} is not a readable zip: {error}") from error


def _json(content: Mapping[str, bytes], name: str, path: Path) -> dict[str, Any]:
    try:
        document = json.loads(content[name])
    except KeyError as error:
        raise PayloadError(f"{path} is not a backtest result: {name} is not in it.") from error
    except ValueError as error:
        raise PayloadError(f"{name} in {path} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise PayloadError(f"{name} in {path} is a {type(document).__name__}, not an object.")
    return document


def _chosen(statistics: Mapping[str, Any], strategy: str | None, path: Path) -> str:
    names = ", ".join(statistics) or "none"
    if strategy is None and len(statistics) != 1:
        raise PayloadError(f"{path} holds these strategies: {names}. Choose one with --strategy.")
    chosen = strategy if strategy is not None else next(iter(statistics))
    if chosen not in statistics:
        raise PayloadError(f"Strategy {chosen} is not in {path}. It holds: {names}.")
    return chosen


def _signals(content: Mapping[str, bytes], path: Path, strategy: str) -> dict[str, pd.DataFrame]:
    pickled = content.get(f"{path.stem}_signals.pkl")
    if pickled is None:
        raise PayloadError(
            f"{path} has trades but no signal candles, so no trade's risk is known. Run the "
            "backtest again and add: --export signals"
        )
    try:
        frames = joblib.load(io.BytesIO(pickled))[strategy]
    except Exception as error:
        raise PayloadError(f"The signal candles in {path} cannot be read: {error!r}") from error
    return {str(pair): frame for pair, frame in frames.items()}


def timeframe_ms(timeframe: str) -> int:
    """Return the length of a candle in milliseconds.

    Examples
    --------
    >>> timeframe_ms("15m")
    900000
    """
    try:
        return int(pd.Timedelta(timeframe) / pd.Timedelta(milliseconds=1))
    except ValueError as error:
        raise PayloadError(f"Timeframe {timeframe!r} is not a number of m, h or d.") from error
