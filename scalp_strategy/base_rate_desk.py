"""What was before the candles that are shown: a bot's memory, a backtest's candles on disk."""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType
from freqtrade.exceptions import OperationalException
from pandas import DataFrame, concat

from scalp_strategy.base_rate import Memory, Occurrences, lookback, remembered_rates
from scalp_strategy.base_rate.outcomes import pair_setups
from scalp_strategy.base_rate_file import MemoryFile, fingerprint
from scalp_strategy.errors import StoreError
from scalp_strategy.settings import Settings
from scalp_strategy.technical import technical_frame
from scalp_strategy.technical.arrays import IntArray
from scalp_strategy.technical.bars import PRIMARY_NS

logger = logging.getLogger(__name__)

_PRIMARY: Final = "15m"
_CANDLE: Final = timedelta(minutes=15)
_UNREADABLE: Final = (pa.ArrowException, OSError, ValueError, KeyError, OperationalException)

# Candles of a pair and timeframe; None when there are none.
Shown = Callable[[str, str], DataFrame | None]
Downloaded = Callable[[str, str, datetime], DataFrame | None]


class BaseRateDesk:
    """Answers for every analysed pair, and remembers over restarts.

    Parameters
    ----------
    settings
        The configured settings.
    file
        Where the memory is kept.
    downloaded
        The candles that the host has on disk, since an instant.
    shown
        The candles that the host shows the strategy now.
    """

    def __init__(
        self, settings: Settings, file: MemoryFile, downloaded: Downloaded, shown: Shown
    ) -> None:
        self._settings = settings
        self._file = file
        self._downloaded = downloaded
        self._shown = shown
        self._memory = Memory(settings)
        self._seen_until: dict[str, int] = {}
        self._saved_at: datetime | None = None
        self._problem: str | None = None
        for pair, occurrences in file.load().items():
            self._memory.add(pair, occurrences)

    def columns(self, pair: str, frame: DataFrame) -> DataFrame:
        """Return the base-rate columns of a pair's candles, and remember what they show."""
        self._see(pair, frame)
        return remembered_rates(self._memory, pair, frame, self._settings)

    def begin(self, now: datetime, pairs: Iterable[str]) -> None:
        """Catch up with the pairs that were not analysed at the last candle, and save when due.

        A pair that is new is read from disk as well. So when the pairs of a candle are analysed
        one after another, the first knows as much of the others as the last.
        """
        before_last = _candle(now) - 2
        late = [pair for pair in pairs if self._seen_until.get(pair, -1) < before_last]
        for pair in dict.fromkeys(late):
            try:
                self._catch_up(pair, now)
            finally:
                # A pair whose candles do not come, or cannot be analysed, is not asked for again
                # before the next candle: the next loop goes on with the others.
                self._seen_until[pair] = max(self._seen_until[pair], before_last)
        self._save_when_due(now)

    def _catch_up(self, pair: str, now: datetime) -> None:
        if pair not in self._seen_until:
            self._seen_until[pair] = -1
            since = now - _reach(self._settings)
            self._learn(pair, lambda name, frame: self._downloaded(name, frame, since))
            count = self._memory.pairs[pair].candle.size if pair in self._memory.pairs else 0
            logger.info("%s: %d past occurrences of setups are known.", pair, count)
        self._learn(pair, self._shown)

    def _learn(self, pair: str, source: Shown) -> None:
        candles = source(pair, _PRIMARY)
        if candles is None or candles.empty:
            return
        self._memory.add(pair, _occurrences(pair, candles, source, self._settings))
        self._see(pair, candles)

    def _see(self, pair: str, candles: DataFrame) -> None:
        if not candles.empty:
            opens_ns: IntArray = candles["date"].dt.as_unit("ns").array.asi8
            self._seen_until[pair] = int(opens_ns[-1] // PRIMARY_NS)

    def _save_when_due(self, now: datetime) -> None:
        wait = timedelta(minutes=self._settings.base_rate.save_minutes)
        if self._saved_at is not None and now - self._saved_at < wait:
            return
        self._saved_at = now
        problem = None
        try:
            self._file.save(self._memory.pairs)
        except StoreError as error:
            problem = str(error)
        if (problem is None) != (self._problem is None):
            said = "is kept again" if problem is None else f"is not kept: {problem}"
            logger.warning("The memory of base rates %s.", said)
        self._problem = problem


def past_occurrences(
    first: Mapping[str, datetime], settings: Settings, downloaded: Downloaded
) -> dict[str, Occurrences]:
    """Return what the candles on disk show of the time before a backtest's, as a bot would know it.

    Parameters
    ----------
    first
        By pair, the open of the first candle of the backtest's frame.
    settings
        What is remembered how long, indicators, plan.
    downloaded
        The candles on disk.

    Returns
    -------
    dict
        Occurrences of `base_rate.memory_days` before, and of the frame's own start-up, in which
        it finds none itself; nothing for a pair without such candles.
    """
    found = {}
    for pair, opened in first.items():
        # In the start-up of the frame nothing is found, and its trades have to end.
        until = opened + (lookback(settings) + settings.risk.ladder.max_hold_candles + 1) * _CANDLE

        def before(
            name: str, timeframe: str, since: datetime = opened, until: datetime = until
        ) -> DataFrame | None:
            candles = downloaded(name, timeframe, since - _reach(settings))
            return None if candles is None else candles[candles["date"] < until]

        candles = before(pair, _PRIMARY)
        if candles is not None and not candles.empty and candles["date"].iloc[0] < opened:
            found[pair] = _occurrences(pair, candles, before, settings)
    return found


def _reach(settings: Settings) -> timedelta:
    return timedelta(days=settings.base_rate.memory_days) + lookback(settings) * _CANDLE


def _occurrences(pair: str, candles: DataFrame, source: Shown, settings: Settings) -> Occurrences:
    # Only patterns look below 15 minutes, and only at 5m: the 1m candles change no setup.
    medium = source(pair, "5m") if "5m" in settings.lower_timeframes else None
    columns = technical_frame(candles, medium, None, settings)
    return pair_setups(concat([candles, columns], axis=1), settings).occurrences


def _candle(moment: datetime) -> int:
    """Return the number of the candle that is open at a moment, as `Occurrences` counts them."""
    return int(moment.timestamp() // _CANDLE.total_seconds())


def base_rate_desk(config: dict[str, Any], settings: Settings, shown: Shown) -> BaseRateDesk:
    """Return the desk of a bot: with its market's file and the candles downloaded for it."""
    file = MemoryFile(memory_path(config), fingerprint(settings))
    return BaseRateDesk(settings, file, downloaded_candles(config), shown)


def memory_path(config: dict[str, Any]) -> Path:
    """Return where the outcomes of a market are remembered.

    Each exchange has a file of its own, and so has a market that stands in for one: what was
    played there is no past of the real one.
    """
    exchange = config.get("exchange", {})
    parts = ["base_rate", exchange.get("name", "exchange"), config.get("trading_mode", "spot")]
    if exchange.get("ccxt_config", {}).get("urls"):
        parts.append("replaced")
    return Path(config["user_data_dir"]) / "scalp" / f"{'-'.join(parts)}.parquet"


def downloaded_candles(config: dict[str, Any]) -> Downloaded:
    """Return what reads the candles that the host has on disk, with its own reader."""
    kind = config.get("candle_type_def", CandleType.SPOT)

    def read(pair: str, timeframe: str, since: datetime) -> DataFrame | None:
        try:
            reader = get_datahandler(Path(config["datadir"]), config["dataformat_ohlcv"])
            candles: DataFrame = reader.ohlcv_load(
                pair, timeframe, kind, drop_incomplete=True, warn_no_data=False
            )
        except _UNREADABLE as error:
            logger.warning("%s: the downloaded %s candles are left out: %r", pair, timeframe, error)
            return None
        if candles.empty:
            return None
        recent = candles[candles["date"] >= since].reset_index(drop=True)
        return None if recent.empty else recent

    return read
