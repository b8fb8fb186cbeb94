"""What a bot has only while it trades: its journal, its messages, and who asks it for something.

All of it runs beside the decisions and none of it may stop them: what fails is logged, and the
next loop tries again.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, Protocol

import msgspec
from freqtrade.persistence import Trade
from pandas import DataFrame

from scalp_strategy.account import Account, AccountState, ResumeResult
from scalp_strategy.admin import AdminQueue
from scalp_strategy.apart import Apart
from scalp_strategy.board import Board, Message, Revision, replay_of
from scalp_strategy.bot_files import bot_name, journal_path, lock_path, spool_path, state_path
from scalp_strategy.contract import Side
from scalp_strategy.decision import DecisionDesk, FollowedSignal
from scalp_strategy.errors import StoreError
from scalp_strategy.events import EventDesk, event_desk
from scalp_strategy.exits import ExitDesk, candle_open
from scalp_strategy.files import FileLock
from scalp_strategy.journal.address import journal_url
from scalp_strategy.journal.instants import epoch_ms
from scalp_strategy.journal.keeper import Keeper
from scalp_strategy.journal.reader import JournalReader
from scalp_strategy.journal.records import (
    BreakerRecord,
    DayRecord,
    MessageRecord,
    Record,
    ReplayRecord,
)
from scalp_strategy.journal.spool import Spool
from scalp_strategy.journal.store import Journal
from scalp_strategy.journal.told import QUEUED, expired_record, message_record
from scalp_strategy.journal.views import DayView, SignalRow
from scalp_strategy.notice import Notice
from scalp_strategy.outcomes.candles import ExchangeCandles, MemoryCandles
from scalp_strategy.outcomes.desk import OutcomeDesk, Sources
from scalp_strategy.outcomes.replay import plan_of
from scalp_strategy.own_trades import OwnTrades
from scalp_strategy.settings import Settings
from scalp_strategy.signals import Decision, SignalKey, Status
from scalp_strategy.state_file import AdminRequest, FileStore
from scalp_strategy.tracking import TradeTracker, trade_of
from scalp_strategy.trade_state import TradeState

logger = logging.getLogger(__name__)

ADMIN: Final = "admin"  # as a breaker's name in the journal: who pauses by hand
_DRAWDOWN: Final = "daily_drawdown"
_BY_FILE: Final = "the command line"
_HOST: Final = "host"  # as a message's channel: webhook, Discord, console
_OWN_TEXTS: Final = 500
_ONE_BOT: Final = (
    "two bots need two names: give this one another bot_name in its config, or end that process"
)


_LOCKS: Final[dict[Path, FileLock]] = {}  # held by this process


class Courier(Protocol):
    """Who brings messages to a chat."""

    def restore(self, messages: Iterable[MessageRecord]) -> None:
        """Take over what was told before a restart."""

    def post(self, notice: Notice) -> None:
        """Bring a message, once."""

    def revise(self, key: str, html: str) -> None:
        """Edit a message."""


class Rooms(Protocol):
    """The rooms of the engine that this one looks into."""

    @property
    def desk(self) -> DecisionDesk:
        """Decisions and analysed candles."""

    @property
    def exits(self) -> ExitDesk:
        """Plans, stops and legs of the open trades."""

    @property
    def account(self) -> Account:
        """Equity and pauses."""

    @property
    def apart(self) -> Apart:
        """What failed for one trade or step alone."""

    @property
    def own_trades(self) -> OwnTrades:
        """Which trades are the strategy's own."""


class Live:
    """Journal, messages and admin requests of one running bot.

    Parameters
    ----------
    strategy
        The strategy, started.
    settings
        The configured settings.
    environment
        Addresses and secrets.
    """

    def __init__(self, strategy: Any, settings: Settings, environment: Mapping[str, str]) -> None:
        config = strategy.config
        self._strategy, self._settings = strategy, settings
        self.bot = bot_name(config)
        self._lock = _own_lock(lock_path(config))
        self.file = FileStore(state_path(config))
        journal = Journal(
            journal_url(environment, journal_path(config)), settings.journal.database_timeout_s
        )
        self.keeper = Keeper(journal, Spool(spool_path(config)), self.bot)
        self.reader = JournalReader(journal, self.bot)
        self.requests = AdminQueue()
        self.board = Board(settings)
        self.trades: list[TradeState] = []
        self._events: EventDesk | None = event_desk(settings, environment, journal, self.bot)
        self._own_texts: deque[str] = deque(maxlen=_OWN_TEXTS)
        self._replays: SimpleQueue[ReplayRecord] = SimpleQueue()
        self._ended: SimpleQueue[date] = SimpleQueue()
        self._counted: SimpleQueue[DayView] = SimpleQueue()
        self._recorded: set[str] = set()
        self._to_count: set[date] = set()
        self._said: list[Notice] = []
        self._revised: list[Revision] = []

    # ---- start ----

    def open(self, rooms: Rooms, now: datetime) -> None:
        """Take over what was before a restart, as far as the journal can be read."""
        self._rooms = rooms
        if (chat := getattr(self._strategy, "telegram_bot", None)) is not None:
            chat.keep_with(self.keeper.record)
        self._tracker = TradeTracker(
            rooms.exits,
            rooms.desk.mark_price,
            self.keeper.record,
            self.bot,
            self._settings.journal,
            rooms.own_trades,
        )
        self._add_outcomes()
        self.keeper.add_chore(self._count_days)
        self.keeper.drain()
        try:
            self._restore(now)
        except StoreError as error:
            # Trading goes on: what the journal knows is told and recorded twice at worst.
            logger.warning("The journal cannot be read; the start does without it: %s", error)
            self._tracker.begin(())
        except Exception:
            logger.exception("The journal is not understood; the start does without it.")
            self._tracker.begin(())
        self._said += self.board.account_changed(AccountState(), rooms.account.state, now)
        self._name_foreign_trades(now)

    def _name_foreign_trades(self, now: datetime) -> None:
        """Tell once which trades of other strategies are in the database, and left alone."""
        trades = Trade.get_trades_proxy(is_open=True)
        foreign = [
            f"#{trade.id} {trade.pair} ({trade.strategy})"
            for trade in trades
            if not self._rooms.own_trades.is_own(trade)
        ]
        if foreign:
            notices = self.board.foreign_trades(foreign, self._strategy.stoploss, now)
            logger.warning("Trades of other strategies are left alone: %s", ", ".join(foreign))
            self._said += notices

    def _restore(self, now: datetime) -> None:
        since = now - timedelta(days=self._settings.telegram.edit_days)
        messages = self.reader.messages(since)
        self.board.restore(messages)
        if self._events is not None:
            self._events.restore(messages)
        if self.courier is not None:
            self.courier.restore(messages)
        else:
            self._give_up_waiting(messages)
        first = now - timedelta(days=self._settings.journal.resolve_days)
        ended = self.reader.closed_positions(first, now + timedelta(days=1))
        self._tracker.begin([*self.reader.open_positions(), *ended])
        signals = self.reader.signals_between(since, now + timedelta(days=1))
        self._restore_signals(signals, now)
        # What a kill left untold: what is shown already is no revision.
        self._revised += self.board.traded(trade_of(one) for one in ended)
        replays = (replay_of(one) for one in signals)
        self._revised += self.board.replayed(one for one in replays if one is not None)

    def _give_up_waiting(self, messages: Iterable[MessageRecord]) -> None:
        """Record that nobody brings what waits for a chat: there is none any more."""
        for one in messages:
            if one.status == QUEUED:
                self.keeper.record(expired_record(one))

    def _restore_signals(self, signals: Iterable[SignalRow], now: datetime) -> None:
        close = candle_open(now)
        known = list(signals)
        decided = {_key(one): Status(one.status) for one in known if one.close_time == close}
        self._rooms.desk.restore(close, decided)
        if self._settings.signals_only:
            held = (_followed(one) for one in known if one.replay_outcome is None)
            self._rooms.desk.restore_followed(one for one in held if one is not None)

    def _add_outcomes(self) -> None:
        strategy = self._strategy
        sources = Sources(
            MemoryCandles(self._candles_shown),
            ExchangeCandles(strategy.config, lambda: strategy.dp._exchange.markets),
        )
        outcomes = OutcomeDesk(
            self.reader, self._keep_replay, sources, self._settings, self.bot, _now
        )
        self.keeper.add_chore(outcomes.look)

    def _candles_shown(self, pair: str, timeframe: str) -> DataFrame | None:
        shown: DataFrame | None = self._strategy.candles_shown(pair, timeframe)
        return shown

    # ---- every loop ----

    def begin(self, now: datetime) -> None:
        """Begin a loop: serve the admin, look at the trades, write what waits; each by itself."""
        steps: dict[str, Callable[[datetime], None]] = {
            "admin requests": self._serve,
            "requests by file": self._serve_file,
            "account": self._mark,
            "trades": self._look_at_trades,
            "days": self._end_days,
            "journal": self._write,
        }
        for name, do in steps.items():
            self._rooms.apart.run(f"step {name}", "it", partial(do, now), lambda: None)

    def _serve(self, now: datetime) -> None:
        self.requests.serve(lambda request, by: self._do(request, by, now))

    def _serve_file(self, now: datetime) -> None:
        request = self.file.take_request()
        if request is not None:
            logger.warning("%s: %s", _BY_FILE, self._do(request, _BY_FILE, now))

    def _write(self, _now: datetime) -> None:
        self.keeper.pump()

    def _mark(self, now: datetime) -> None:
        """Take the account's picture: a loss of the day pauses at once, not at the next close."""
        before = self._rooms.account.state
        self._rooms.desk.mark(now)
        self.account_changed(before, now)

    def _look_at_trades(self, now: datetime) -> None:
        self.trades = self._tracker.look(now)
        self._revised += self.board.traded(self.trades)
        self._revised += self.board.replayed(_taken_from(self._replays))

    def decided(self, decisions: Iterable[Decision], message: Message, now: datetime) -> None:
        """Tell of a candle's decisions."""
        self._said += self.board.decided(decisions, message, now)

    def refused(self, decision: Decision) -> None:
        """Tell that a signal was not taken, or that its order was not filled."""
        self._revised += self.board.refused([decision])

    def account_changed(self, before: AccountState, now: datetime, by: str = "") -> None:
        """Journal and tell a pause or its end."""
        after = self._rooms.account.state
        if after.is_paused and not before.is_paused:
            breaker = ADMIN if after.is_admin_pause else _DRAWDOWN
            self._acted(breaker, "paused", after.pause_reason, now)
        self._said += self.board.account_changed(before, after, now, by)

    def tell(self, now: datetime, send: Callable[[str], None]) -> None:
        """Hand over what there is to tell: to the courier, and as plain text to all others.

        Parameters
        ----------
        now
            The present instant, UTC.
        send
            The host's own way to webhooks, Discord, the console and its API's stream.
        """
        if self._events is not None:
            self._said += self._events.notices(now)
            self._said += self.board.health("sidecar", self._events.problem, now)
        self._said += self.board.health("journal", self.keeper.problem, now)
        self._said += self.board.health("account", self._rooms.account.store_problem, now)
        for name, problem in self._rooms.apart.problems().items():
            self._said += self.board.health(name, problem, now)
        courier = self.courier
        while self._said:
            notice = self._said.pop(0)
            self._own_texts.append(notice.plain)
            if courier is not None:
                courier.post(notice)
            else:
                self.keeper.record(_told(notice, self.bot, now))
            send(notice.plain)
        revised, self._revised = self._revised, []
        if courier is not None:
            for key, html in revised:
                courier.revise(key, html)

    def owns_message(self, text: str) -> bool:
        """Whether a text that the host hands on is one that the courier brings."""
        return text in self._own_texts

    @property
    def courier(self) -> Courier | None:
        """Who brings messages to Telegram, None without it."""
        bot = getattr(self._strategy, "telegram_bot", None)
        courier: Courier | None = getattr(bot, "courier", None)
        return courier

    def close(self) -> None:
        """Write what waits, for as long as the database may take."""
        limit_s = self._settings.journal.database_timeout_s
        # A writing that is under way has not seen the last records.
        if not self.keeper.wait(limit_s):
            self.keeper.pump()
        if not self.keeper.wait(limit_s):
            logger.warning("The journal is not written yet; the next start goes on.")
        self._lock.release()

    # ---- admin ----

    def _do(self, request: AdminRequest, by: str, now: datetime) -> str:
        before = self._rooms.account.state
        if request == "pause":
            is_new = self._rooms.account.pause(now, f"paused by {by}")
            said = (
                "Signal generation PAUSED." if is_new else f"Paused already: {before.pause_reason}"
            )
        else:
            said = self._resume(before, by, now, is_confirmed=request == "resume confirmed")
        self.account_changed(before, now, by)
        return said + self._unless_kept()

    def _unless_kept(self) -> str:
        """Say what a change of the account is worth that the disk did not take."""
        problem = self._rooms.account.store_problem
        if problem is None:
            return ""
        return (
            f" But this could not be kept, so it ends with a restart: {problem}. "
            "No entry is made until it can."
        )

    def _resume(self, before: AccountState, by: str, now: datetime, *, is_confirmed: bool) -> str:
        result = self._rooms.account.resume(now, is_confirmed=is_confirmed)
        if result is ResumeResult.REFUSED:
            return "Not resumed: the daily drawdown is of this UTC day. Confirm to override it."
        if result is ResumeResult.NOT_PAUSED:
            return "Signals are not paused."
        breaker = ADMIN if before.is_admin_pause else _DRAWDOWN
        self._acted(breaker, result.value, f"by {by}; paused for: {before.pause_reason}", now)
        return "Signal generation RESUMED."

    def _acted(self, breaker: str, action: str, reason: str, now: datetime) -> None:
        self.keeper.record(
            BreakerRecord(
                bot=self.bot, breaker=breaker, action=action, reason=reason, at_ms=epoch_ms(now)
            )
        )

    # ---- outcomes and days, partly in the keeper's thread ----

    def _keep_replay(self, record: Record) -> None:
        self.keeper.record(record)
        if isinstance(record, ReplayRecord):
            self._replays.put(record)

    def _end_days(self, now: datetime) -> None:
        """Record the days that have ended; tell of those that the journal has counted."""
        for ended in self._rooms.account.ended_days:
            if ended.day in self._recorded:
                continue
            self._recorded.add(ended.day)
            self.keeper.record(
                DayRecord(
                    bot=self.bot,
                    day=ended.day,
                    at_ms=epoch_ms(now),
                    start_equity=ended.start_equity,
                    end_equity=ended.end_equity,
                    max_drawdown_pct=ended.max_drawdown_pct,
                )
            )
            self._ended.put(date.fromisoformat(ended.day))
        for day in _taken_from(self._counted):
            self._said += self.board.day_ended(day, now)
            self._rooms.account.forget_day(day.date.isoformat())
            self._recorded.discard(day.date.isoformat())

    def _count_days(self) -> None:
        """Count the days that were recorded; a chore of the keeper."""
        self._to_count.update(_taken_from(self._ended))
        for day in sorted(self._to_count):
            self._counted.put(self.reader.make_day(day))
            self._to_count.discard(day)


def _own_lock(path: Path) -> FileLock:
    """Take a bot's lock, over from an earlier bot of this process: the host builds anew."""
    if (earlier := _LOCKS.pop(path, None)) is not None:
        earlier.release()
    _LOCKS[path] = FileLock(path, _ONE_BOT)
    return _LOCKS[path]


def _told(notice: Notice, bot: str, now: datetime) -> MessageRecord:
    """Return the record of a notice that only the host's own ways bring: it is not repeated."""
    record = message_record(notice, bot, _HOST)
    return msgspec.structs.replace(
        record, status="sent", shown=notice.html, sent_ms=epoch_ms(now), expires_ms=None
    )


def _now() -> datetime:
    return datetime.now(UTC)


def _taken_from(queue: "SimpleQueue[Any]") -> Iterable[Any]:
    while True:
        try:
            yield queue.get_nowait()
        except Empty:
            return


def _key(row: SignalRow) -> SignalKey:
    side: Side = "short" if row.direction == "short" else "long"
    return SignalKey(row.pair, side, row.close_time)


def _followed(row: SignalRow) -> FollowedSignal | None:
    """Return a signal that was sent as the position that it makes, None for any other."""
    key = _key(row)
    plan = plan_of(row.plan, key.side)
    is_sent = row.status in {Status.APPROVED, Status.NOT_TAKEN}
    if plan is None or row.amount is None or not is_sent:
        return None
    return FollowedSignal(key, plan, row.amount, row.leverage or 1.0)
