"""The journal read: every question in a short transaction of its own, beside whoever writes."""

from collections.abc import Callable, Iterable
from dataclasses import fields
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select

from scalp_strategy.journal.conclusion import OPEN, PENDING
from scalp_strategy.journal.days import SENT, count_day
from scalp_strategy.journal.instants import epoch_ms
from scalp_strategy.journal.models import (
    BreakerEvent,
    DailyPerformance,
    MessageRow,
    PositionRow,
    Signal,
)
from scalp_strategy.journal.records import MessageRecord
from scalp_strategy.journal.store import Journal
from scalp_strategy.journal.told import QUEUED
from scalp_strategy.journal.views import BreakerView, DayView, PositionView, SignalRow
from scalp_strategy.signals import SignalKey, Status

_REACHES_A_TIER = Signal.status != Status.DISCARDED


def _now() -> datetime:
    return datetime.now(UTC)


class JournalReader:
    """Reads what one bot has written; any thread.

    Every method raises `StoreError` when the database cannot be had.

    Parameters
    ----------
    journal
        The database.
    bot
        Whose rows are read.
    clock
        The present instant, UTC.
    """

    def __init__(self, journal: Journal, bot: str, clock: Callable[[], datetime] = _now) -> None:
        self._journal, self._bot, self._clock = journal, bot, clock

    # ---- signals ----

    def last_signals(self, count: int, *, sent_only: bool = False) -> list[SignalRow]:
        """Return the last signals that reached a tier, or that were sent, newest first."""
        is_meant = Signal.status.in_(SENT) if sent_only else _REACHES_A_TIER
        newest = Signal.close_time.desc(), Signal.confluence_score.desc(), Signal.id
        return self._signals(is_meant, order=newest, limit=count)

    def signal(self, key: SignalKey) -> SignalRow | None:
        """Return a signal, discarded ones too; None when it was never judged."""
        found = self._signals(
            Signal.pair == key.pair,
            Signal.close_time == key.close_time,
            Signal.direction == key.side,
        )
        return found[0] if found else None

    def signals_of(self, close: datetime) -> list[SignalRow]:
        """Return all signals of a candle, discarded ones too, the best score first."""
        best = Signal.confluence_score.desc(), Signal.id
        return self._signals(Signal.close_time == close, order=best)

    def signals_between(self, since: datetime, until: datetime) -> list[SignalRow]:
        """Return those that reached a tier and closed in [since, until), oldest first."""
        return self._signals(_REACHES_A_TIER, *_within(Signal.close_time, since, until))

    def unresolved(self, since: datetime, until: datetime, limit: int) -> list[SignalRow]:
        """Return those without a replay that closed in [since, until), oldest first."""
        within = _within(Signal.close_time, since, until)
        return self._signals(Signal.replay_outcome.is_(None), *within, limit=limit)

    # ---- trades ----

    def open_positions(self) -> list[PositionView]:
        """Return the trades that are open or wait for their fill, oldest first."""
        oldest = PositionRow.opened_at, PositionRow.id
        return self._positions(PositionRow.status.in_((PENDING, OPEN)), order=oldest)

    def closed_positions(self, since: datetime, until: datetime) -> list[PositionView]:
        """Return the trades that ended in [since, until), by their end.

        Entries that were cancelled are among them, with the status "cancelled".
        """
        by_end = PositionRow.closed_at, PositionRow.id
        return self._positions(*_within(PositionRow.closed_at, since, until), order=by_end)

    # ---- breakers and messages ----

    def breaker_events(self, since: datetime, until: datetime) -> list[BreakerView]:
        """Return what breakers and admins did in [since, until), oldest first."""
        table = BreakerEvent
        chosen = _columns(table, BreakerView).where(
            table.bot == self._bot, *_within(table.timestamp, since, until)
        )
        return [BreakerView(*row) for row in self._rows(chosen.order_by(table.timestamp, table.id))]

    def messages(self, since: datetime) -> list[MessageRecord]:
        """Return the messages that arose since then, and all that still wait, oldest first."""
        table = MessageRow
        chosen = select(*table.__table__.c).where(
            table.bot == self._bot, or_(table.created_at >= since, table.status == QUEUED)
        )
        return [_message(row) for row in self._rows(chosen.order_by(table.created_at, table.id))]

    # ---- days ----

    def day(self, day: date) -> DayView | None:
        """Return a UTC day as it was counted last; None when nothing of it was written."""
        rows = self._rows(self._day(day))
        return DayView(*rows[0]) if rows else None

    def days(self, first: date, last: date) -> list[DayView]:
        """Return the days from `first` to `last`, both included, oldest first."""
        table = DailyPerformance
        chosen = _columns(table, DayView).where(
            table.bot == self._bot, table.date >= first, table.date <= last
        )
        return [DayView(*row) for row in self._rows(chosen.order_by(table.date))]

    def make_day(self, day: date) -> DayView:
        """Count a UTC day anew from the other tables, keep it and return it; this one writes."""
        with self._journal.transaction() as session:
            count_day(session, self._bot, day, self._clock())
            return DayView(*session.execute(self._day(day)).one())

    # ---- how ----

    def _signals(
        self,
        *conditions: ColumnElement[bool],
        order: Iterable[Any] = (Signal.close_time, Signal.id),
        limit: int | None = None,
    ) -> list[SignalRow]:
        chosen = _columns(Signal, SignalRow).where(Signal.bot == self._bot, *conditions)
        return [SignalRow(*row) for row in self._rows(chosen.order_by(*order).limit(limit))]

    def _positions(
        self, *conditions: ColumnElement[bool], order: Iterable[Any]
    ) -> list[PositionView]:
        chosen = _columns(PositionRow, PositionView).where(
            PositionRow.bot == self._bot, *conditions
        )
        return [PositionView(*row) for row in self._rows(chosen.order_by(*order))]

    def _day(self, day: date) -> Select[Any]:
        table = DailyPerformance
        return _columns(table, DayView).where(table.bot == self._bot, table.date == day)

    def _rows(self, chosen: Select[Any]) -> list[Any]:
        with self._journal.reading() as session:
            return list(session.execute(chosen))


def _columns(table: Any, view: type) -> Select[Any]:
    """Return a selection of the columns that a view names, in its order."""
    return select(*(getattr(table, field.name) for field in fields(view)))


def _within(column: Any, since: datetime, until: datetime) -> tuple[ColumnElement[bool], ...]:
    return column >= since, column < until


def _message(row: Any) -> MessageRecord:
    return MessageRecord(
        bot=row.bot,
        key=row.key,
        channel=row.channel,
        kind=row.kind,
        revision=row.revision,
        at_ms=epoch_ms(row.created_at),
        status=row.status,
        html=row.html,
        shown=row.shown,
        expires_ms=_ms_or_none(row.expires_at),
        sent_ms=_ms_or_none(row.sent_at),
        chat_id=row.chat_id,
        message_ids=tuple(row.message_ids),
        attempts=row.attempts,
        problem=row.problem,
        pair=row.pair,
        side=row.direction,
        close_ms=_ms_or_none(row.close_time) or 0,
    )


def _ms_or_none(at: datetime | None) -> int | None:
    return None if at is None else epoch_ms(at)
