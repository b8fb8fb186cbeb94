"""The journal of a backtest: what reached a tier, its outcome, and every trade, in an own file."""

import atexit
import contextlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol

from freqtrade.persistence import LocalTrade
from sqlalchemy.engine import URL

from scalp_strategy.base_rate_desk import downloaded_candles
from scalp_strategy.bot_files import bot_name, journal_path
from scalp_strategy.contract import Side
from scalp_strategy.decision import DecisionDesk
from scalp_strategy.errors import ScalpError
from scalp_strategy.evidence import Evidence
from scalp_strategy.exits import ExitDesk
from scalp_strategy.journal import DecisionLog
from scalp_strategy.journal.records import Record, SignalRecord
from scalp_strategy.journal.store import Journal
from scalp_strategy.journal.writer import apply
from scalp_strategy.outcomes.candles import DiskCandles
from scalp_strategy.outcomes.desk import resolve_all
from scalp_strategy.recording import breaker_records, later_word, signal_record
from scalp_strategy.settings import Settings
from scalp_strategy.signals import Decision, Status
from scalp_strategy.tracking import TradeTracker, position_record

logger = logging.getLogger(__name__)

_BATCH: Final = 2_000
_CANDLE: Final = timedelta(minutes=15)
_JUDGED: Final = frozenset({Status.APPROVED, Status.REJECTED, Status.VETOED, Status.DISCARDED})


class Rooms(Protocol):
    """The rooms of a backtest's engine."""

    log: DecisionLog

    @property
    def desk(self) -> DecisionDesk:
        """Settings and analysed candles."""

    @property
    def exits(self) -> ExitDesk:
        """Plans of the trades."""

    def evidence(
        self, pair: str, close: datetime | None = None, side: Side | None = None
    ) -> Evidence | None:
        """Return what is known of a candle."""


class BacktestJournal:
    """Writes the journal of the backtest that was run last, when the program ends.

    The host tells no strategy that a backtest is over. The file of an earlier backtest is replaced.

    Parameters
    ----------
    rooms
        The engine.
    config
        The host's configuration.
    settings
        The configured settings.
    """

    def __init__(self, rooms: Rooms, config: dict[str, Any], settings: Settings) -> None:
        self._rooms, self._config, self._settings = rooms, config, settings
        self._bot = bot_name(config)
        self._path = journal_path(config)

    def write_at_exit(self) -> None:
        """Write when the program ends, unless another backtest has begun by then."""
        if not _last:
            atexit.register(_write_last)
        _last[:] = [self]

    def write(self) -> Path:
        """Write the journal and return its file.

        Raises
        ------
        StoreError
            When the file cannot be written.
        """
        _remove(self._path)
        url = URL.create("sqlite+pysqlite", database=str(self._path))
        journal = Journal(url, self._settings.journal.database_timeout_s)
        try:
            records = self._records()
            while batch := list(islice(records, _BATCH)):
                with journal.transaction() as session:
                    apply(session, batch)
        finally:
            journal.close()
        return self._path

    def write_safely(self) -> None:
        """Write if anything was decided; a failure is logged and changes no result."""
        try:
            if any(True for _ in self._rooms.log):
                logger.info("The journal of this backtest: %s", self.write())
        except (ScalpError, OSError) as error:
            logger.warning("The journal of this backtest is not written: %s", error)
        except Exception:
            logger.exception("The journal of this backtest is not written.")

    def _records(self) -> Iterator[Record]:
        now = datetime.now(UTC)
        signals = []
        for decision in self._rooms.log:
            signal = self._signal(decision)
            signals.append(signal)
            yield signal
            yield from breaker_records(decision, self._bot, decision.candidate.close_time)
            if decision.status not in _JUDGED:
                yield later_word(decision, self._bot, decision.candidate.close_time)
        yield from self._positions(now)
        yield from self._outcomes(signals, now)

    def _signal(self, decision: Decision) -> SignalRecord:
        key = decision.candidate.key
        evidence = self._rooms.evidence(key.pair, key.close_time, key.side)
        settings = self._rooms.desk.settings
        if decision.status not in _JUDGED:
            # Only what was approved is taken, not taken or expired.
            decision = replace(decision, status=Status.APPROVED, reasons=())
        return signal_record(decision, evidence, self._bot, key.close_time, settings)

    def _outcomes(self, signals: Iterable[SignalRecord], now: datetime) -> Iterator[Record]:
        kept = list(signals)
        if not kept:
            return
        first_ms = min(record.close_ms for record in kept)
        since = datetime.fromtimestamp(first_ms / 1_000, UTC) - _CANDLE
        candles = DiskCandles(downloaded_candles(self._config), since)
        yield from resolve_all(kept, candles.histories, self._settings, now)

    def _positions(self, now: datetime) -> Iterator[Record]:
        desk = self._rooms.desk
        tracker = TradeTracker(
            self._rooms.exits, desk.mark_price, _ignore, self._bot, self._settings.journal
        )
        for trade in [*LocalTrade.bt_trades, *LocalTrade.bt_trades_open]:
            yield position_record(tracker.state(trade, now), self._bot, now)


# Only one is kept: it holds the candles of a whole backtest.
_last: Final[list[BacktestJournal]] = []


def _write_last() -> None:
    for journal in _last:
        journal.write_safely()


def _ignore(record: Record) -> None:
    """Take no record: nobody looks twice at a backtest's trade."""


def _remove(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(name).unlink()
