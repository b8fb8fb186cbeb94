"""Resolves the journal's signals: while trading in the keeper's thread, or a whole backtest's."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from scalp_strategy.contract import Side
from scalp_strategy.errors import RateLimited, SourceUnavailable, StoreError
from scalp_strategy.exits import candle_open
from scalp_strategy.journal.days import SENT
from scalp_strategy.journal.instants import epoch_ms, moment
from scalp_strategy.journal.records import Record, ReplayRecord, SignalRecord
from scalp_strategy.journal.views import SignalRow
from scalp_strategy.outcomes.candles import MemoryCandles, Timeframe
from scalp_strategy.outcomes.replay import (
    UNKNOWN,
    Asked,
    History,
    Resolved,
    end_of,
    plan_of,
    resolved,
)
from scalp_strategy.settings import Settings
from scalp_strategy.signals import SignalKey

logger = logging.getLogger(__name__)

_REST: Final = timedelta(seconds=60)  # between two looks when nothing waits to be asked for
_FIRST_WAIT: Final = timedelta(seconds=60)  # of a pair after a failure; each doubles it
_LONGEST_WAIT: Final = timedelta(hours=1)
_PAGE: Final = 1_000  # signals read at a time; more than one candle ever has
_MOST_PAGES: Final = 10
_FINE: Final[Timeframe] = "1m"
_COARSE: Final[Timeframe] = "15m"


class Reader(Protocol):
    """Gives the signals that have no replayed outcome yet."""

    def unresolved(self, since: datetime, until: datetime, limit: int) -> Sequence[SignalRow]:
        """Return those that closed in [since, until), oldest first."""


class PastCandles(Protocol):
    """Gives candles of the past; see `ExchangeCandles.history`."""

    def history(self, pair: str, timeframe: Timeframe, since: datetime, until: datetime) -> History:
        """Return the candles that opened from one instant on and had closed by another."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where candles come from: memory first, then the exchange."""

    memory: MemoryCandles
    exchange: PastCandles


@dataclass(slots=True)
class _Wait:
    """Until when a pair is left alone, and how long the next time."""

    until: datetime
    next: timedelta


class OutcomeDesk:
    """Gives every signal of the journal its outcome once the candles tell it.

    A signal is due when its time is up at the latest. In a service without orders, signals that
    were sent are also due when the candles in memory show that they have ended, so that the chat
    is told. A signal without a plan has the outcome "other" and no numbers, and so has one in
    whose candles the exchange has a hole. Signals older than `journal.resolve_days` stay as they
    are.

    Parameters
    ----------
    reader
        Gives the signals.
    keep
        Takes the records.
    sources
        Give the candles.
    settings
        Plan, ladder and costs; how many pairs a look asks for, how far back it goes.
    bot
        Whose signals they are.
    clock
        The present instant, UTC.
    """

    def __init__(
        self,
        reader: Reader,
        keep: Callable[[Record], None],
        sources: Sources,
        settings: Settings,
        bot: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._reader, self._keep, self._sources = reader, keep, sources
        self._settings, self._bot, self._clock = settings, bot, clock
        self._rests_since: datetime | None = None
        self._pause: _Wait | None = None
        self._waits: dict[str, _Wait] = {}
        self._asked: set[str] = set()
        self._settled: set[SignalKey] = set()
        self._tried: dict[SignalKey, datetime] = {}

    def look(self, now: datetime | None = None) -> None:
        """Resolve what can be resolved; a chore of the keeper. Never raises on purpose.

        The exchange is asked for `journal.resolve_pairs` pairs at most. While it has more to
        answer, each call looks; else one a minute.
        """
        now = now or self._clock()
        if self._rests_since is not None and timedelta(0) <= now - self._rests_since < _REST:
            return
        self._asked.clear()
        self._forget(now)
        try:
            for signals in self._pages(now):
                for pair, theirs in _by_pair(signals).items():
                    self._resolve(pair, theirs, now)
        except StoreError:
            return  # who writes the journal says so
        is_done = len(self._asked) < self._settings.journal.resolve_pairs
        self._rests_since = now if is_done else None

    # ---- which signals ----

    def _forget(self, now: datetime) -> None:
        since = self._since(now)
        self._settled = {key for key in self._settled if key.close_time >= since}
        self._tried = {key: at for key, at in self._tried.items() if key.close_time >= since}

    def _since(self, now: datetime) -> datetime:
        return now - timedelta(days=self._settings.journal.resolve_days)

    def _pages(self, now: datetime) -> Iterator[Sequence[SignalRow]]:
        since = self._since(now)
        until = now if self._settings.signals_only else now - self._span(now)
        for _ in range(_MOST_PAGES):
            page = self._reader.unresolved(since, until, _PAGE)
            yield page
            if len(page) < _PAGE or page[-1].close_time == since:
                return
            since = page[-1].close_time  # of which there may be more; those seen are passed over

    def _span(self, now: datetime) -> timedelta:
        return end_of(now, self._settings.risk) - now

    def _resolve(self, pair: str, signals: list[SignalRow], now: datetime) -> None:
        waiting = []
        for signal in signals:
            key = SignalKey(pair, _side(signal.direction), signal.close_time)
            plan = plan_of(signal.plan, key.side)
            if key in self._settled or self._is_early(signal, now):
                continue
            if plan is None:
                self._settle(key, UNKNOWN, now)
            else:
                waiting.append(Asked(key, plan, signal.valid_until))
        left = self._left(waiting, self._remembered(pair, _FINE, now), now)
        due = self._due(pair, left, now)
        if due and self._may_ask(pair, now):
            self._ask(pair, due, now)

    def _is_early(self, signal: SignalRow, now: datetime) -> bool:
        """Whether it waits for its end, and nobody was told of it."""
        is_over = signal.close_time + self._span(now) <= now
        return not is_over and signal.status not in SENT

    def _due(self, pair: str, waiting: list[Asked], now: datetime) -> list[Asked]:
        span = self._span(now)
        young = [one for one in waiting if one.key.close_time + span > now]
        if not young:
            return waiting
        coarse = self._remembered(pair, _COARSE, now)
        candle, risk = candle_open(now), self._settings.risk
        # Asked for once a candle at most: the long candles say no more before the next.
        known = {key for key, tried in self._tried.items() if tried >= candle}
        ended = {
            one.key
            for one in young
            if one.key not in known and resolved(one, coarse, risk) is not None
        }
        return [one for one in waiting if one not in young or one.key in ended]

    # ---- candles ----

    def _remembered(self, pair: str, timeframe: Timeframe, now: datetime) -> list[History]:
        history = self._sources.memory.history(pair, timeframe, now)
        return [] if history is None else [history]

    def _may_ask(self, pair: str, now: datetime) -> bool:
        waits = [wait for wait in (self._pause, self._waits.get(pair)) if wait is not None]
        # A clock that was set back must not make a wait longer than it was meant to be.
        is_waiting = any(timedelta(0) < wait.until - now <= _LONGEST_WAIT for wait in waits)
        is_new = pair not in self._asked
        return not is_waiting and is_new and len(self._asked) < self._settings.journal.resolve_pairs

    def _ask(self, pair: str, due: list[Asked], now: datetime) -> None:
        self._asked.add(pair)
        self._tried |= {one.key: now for one in due}
        try:
            left = self._answered(pair, due, _FINE, now)
            left = self._answered(pair, left, _COARSE, now)
        except RateLimited as error:
            self._pause = self._failed(self._pause, "all pairs", error, now)
        except SourceUnavailable as error:
            self._waits[pair] = self._failed(self._waits.get(pair), pair, error, now)
        else:
            self._pause = None
            if self._waits.pop(pair, None) is not None:
                logger.info("%s: the exchange gives past candles again.", pair)
            for one in left:
                self._settle(one.key, UNKNOWN, now)

    def _answered(
        self, pair: str, due: list[Asked], timeframe: Timeframe, now: datetime
    ) -> list[Asked]:
        """Ask for candles; return the signals that they reach the end of and do not resolve."""
        if not due:
            return []
        ends = [end_of(one.key.close_time, self._settings.risk) for one in due]
        since = min(one.key.close_time for one in due)
        history = self._sources.exchange.history(pair, timeframe, since, min(max(ends), now))
        left = self._left(due, [history], now)
        risk = self._settings.risk
        return [
            one for one in left if epoch_ms(end_of(one.key.close_time, risk)) <= history.until_ms
        ]

    def _failed(
        self, before: _Wait | None, what: str, error: SourceUnavailable, now: datetime
    ) -> _Wait:
        wait = before.next if before is not None else _FIRST_WAIT
        if before is None:
            logger.warning("%s: outcomes of signals wait for candles: %s", what, error)
        return _Wait(now + wait, min(2 * wait, _LONGEST_WAIT))

    # ---- outcomes ----

    def _left(
        self, waiting: list[Asked], histories: Sequence[History], now: datetime
    ) -> list[Asked]:
        """Settle what these candles resolve; return the rest."""
        left = []
        for one in waiting:
            found = resolved(one, histories, self._settings.risk)
            if found is None:
                left.append(one)
            else:
                self._settle(one.key, found, now)
        return left

    def _settle(self, key: SignalKey, found: Resolved, now: datetime) -> None:
        # Until the database has it, the reader gives the signal again.
        self._settled.add(key)
        self._keep(replay_record(key, found, self._bot, now))


def replay_record(key: SignalKey, found: Resolved, bot: str, at: datetime) -> ReplayRecord:
    """Return the record of a signal's outcome."""
    return ReplayRecord(
        bot=bot,
        pair=key.pair,
        side=key.side,
        close_ms=epoch_ms(key.close_time),
        at_ms=epoch_ms(at),
        outcome=found.outcome,
        gross_r=found.gross_r,
        net_r=found.net_r,
        pnl_pct=found.pnl_pct,
        minutes=found.minutes,
        resolution=found.resolution,
        is_ambiguous=found.is_ambiguous,
    )


def resolve_all(
    records: Iterable[SignalRecord],
    candles: Callable[[str], Sequence[History]],
    settings: Settings,
    at: datetime,
) -> list[ReplayRecord]:
    """Return the outcomes of a backtest's signals, pair by pair.

    Parameters
    ----------
    records
        The signals; of those of one pair, side and close the first counts.
    candles
        Gives a pair's candles, the finest first; asked once a pair.
    settings
        Ladder and costs.
    at
        The instant of the records.

    Returns
    -------
    list of ReplayRecord
        Without those whose end the candles do not reach.
    """
    by_pair: dict[str, dict[SignalKey, SignalRecord]] = {}
    for record in records:
        by_pair.setdefault(record.pair, {}).setdefault(_key_of(record), record)
    found = []
    for pair, theirs in by_pair.items():
        histories = candles(pair)
        for key, record in theirs.items():
            outcome = _outcome(key, record, histories, settings)
            if outcome is not None:
                found.append(replay_record(key, outcome, record.bot, at))
    return found


def _outcome(
    key: SignalKey, record: SignalRecord, histories: Sequence[History], settings: Settings
) -> Resolved | None:
    plan = plan_of(record.plan, key.side)
    if plan is None:
        return UNKNOWN
    valid = timedelta(minutes=settings.entry.signal_expiry_minutes)
    return resolved(Asked(key, plan, key.close_time + valid), histories, settings.risk)


def _key_of(record: SignalRecord) -> SignalKey:
    close_time = moment(record.close_ms)
    return SignalKey(record.pair, _side(record.side), close_time)


def _side(name: str) -> Side:
    return "short" if name == "short" else "long"


def _by_pair(signals: Iterable[SignalRow]) -> dict[str, list[SignalRow]]:
    """Return signals by pair, the pair with the oldest first."""
    by_pair: dict[str, list[SignalRow]] = {}
    for signal in signals:
        by_pair.setdefault(signal.pair, []).append(signal)
    return by_pair
