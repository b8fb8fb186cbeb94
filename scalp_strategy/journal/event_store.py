"""The sidecar's events in the journal: rows and cursor in one transaction, each event once."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import insert, select, union_all, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from scalp_strategy.errors import ContractViolation
from scalp_strategy.journal.models import (
    HASH_LENGTH,
    LABEL_LENGTH,
    NAME_LENGTH,
    STATE_LENGTH,
    Base,
    EventCursor,
    SentimentSnapshot,
    WhaleEvent,
)
from scalp_strategy.journal.outside import (
    KIND_LENGTH,
    REGIME,
    Cursor,
    OutsideEvent,
    StateChange,
    WhaleMovement,
    one_line,
)
from scalp_strategy.journal.outside import SentimentSnapshot as Snapshot
from scalp_strategy.journal.store import Journal

SOURCE: Final = "sidecar"
_TEXT_LENGTH: Final = 2_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a take did: where the cursor stands now, and the events that were new."""

    cursor: Cursor
    fresh: tuple[OutsideEvent, ...] = ()


class EventStore:
    """Keeps events of the sidecar and remembers how far they were taken.

    Parameters
    ----------
    journal
        The database.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def cursor(self) -> Cursor:
        """Return the last event that was taken.

        Raises
        ------
        StoreError
            When the database cannot be had.
        """
        with self._journal.transaction() as session:
            return _held(session)

    def begin_anew(self, cursor: Cursor) -> Cursor:
        """Note that what follows is another stream, read from its start; return the new cursor.

        Raises
        ------
        StoreError
            When the database cannot be had.
        """
        with self._journal.transaction() as session:
            held = _held(session)
            return held if held != cursor else _moved(session, Cursor(cursor.stream + 1))

    def take(self, cursor: Cursor, events: Sequence[OutsideEvent]) -> Taken:
        """Keep events and move the cursor to the last of them, all or nothing.

        Parameters
        ----------
        cursor
            Where the caller believes the cursor to be; when another program has moved it, nothing
            is kept and its place is returned.
        events
            At least one, ascending, all behind the cursor.

        Returns
        -------
        Taken
            Without the events that an earlier folder of the sidecar had told already.

        Raises
        ------
        StoreError
            When the database refuses; nothing is kept.
        """
        with self._journal.transaction() as session:
            held = _held(session)
            if held != cursor:
                return Taken(held)
            fresh = _unknown(session, cursor.stream, events)
            for table, rows in _rows(cursor.stream, fresh).items():
                session.execute(insert(table), rows)
            last = events[-1]
            moved = Cursor(cursor.stream, last.number, last.at_ms, last.kind)
            return Taken(_moved(session, moved), tuple(fresh))


# ------------------------------------------------------------------------------------- the cursor


def _held(session: Session) -> Cursor:
    """Return the cursor and lock it: of several programs one at a time goes on."""
    found = select(EventCursor).where(EventCursor.source == SOURCE).with_for_update()
    row = session.scalar(found)
    if row is None:
        _insert_first(session)
        row = session.scalars(found).one()
    return Cursor(row.stream, row.number, row.at_ms, row.kind)


def _insert_first(session: Session) -> None:
    # Another program may be doing the same at this moment.
    is_server = session.get_bind().dialect.name == "postgresql"
    first = (postgresql.insert if is_server else sqlite.insert)(EventCursor)
    values = {"source": SOURCE, **_cursor_values(Cursor())}
    session.execute(first.values(values).on_conflict_do_nothing())


def _moved(session: Session, cursor: Cursor) -> Cursor:
    chosen = update(EventCursor).where(EventCursor.source == SOURCE)
    session.execute(chosen.values(_cursor_values(cursor)))
    return cursor


def _cursor_values(cursor: Cursor) -> dict[str, Any]:
    return {
        "stream": cursor.stream,
        "number": cursor.number,
        "at_ms": cursor.at_ms,
        "kind": cursor.kind,
    }


# --------------------------------------------------------------------------------------- the rows


def _unknown(session: Session, stream: int, events: Sequence[OutsideEvent]) -> list[OutsideEvent]:
    """Leave out what an earlier stream told; within one a number says that it is another event."""
    keys = {event.number: content_key(event) for event in events if event.content is not None}
    tables = (WhaleEvent, SentimentSnapshot)
    told = union_all(
        *(
            select(table.content_key).where(
                table.stream != stream, table.content_key.in_(set(keys.values()))
            )
            for table in tables
        )
    )
    known = set(session.scalars(told)) if stream > 1 and keys else set()
    return [event for event in events if keys.get(event.number) not in known]


def content_key(event: OutsideEvent) -> str:
    """Return what an event is known by, whatever its number: 64 hexadecimal digits."""
    content = event.content
    if isinstance(content, WhaleMovement):
        tx_hash = content.tx_hash.lower().removeprefix("0x")
        parts: list[Any] = [content.blockchain, tx_hash, content.token, content.direction]
    else:
        parts = [event.kind, event.at_ms, repr(content)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _rows(stream: int, events: Sequence[OutsideEvent]) -> dict[type[Base], list[dict[str, Any]]]:
    rows: dict[type[Base], list[dict[str, Any]]] = {}
    for event in events:
        if event.content is None:
            continue
        table, values = _values(event)
        identity = {
            "stream": stream,
            "event_number": event.number,
            "content_key": content_key(event),
            "text": one_line(event.text, _TEXT_LENGTH),
        }
        rows.setdefault(table, []).append(identity | values)
    return rows


def _values(event: OutsideEvent) -> tuple[type[Base], dict[str, Any]]:
    content = event.content
    if isinstance(content, WhaleMovement):
        return WhaleEvent, _whale_values(content, event)
    if isinstance(content, StateChange):
        is_regime = event.kind == REGIME
        content = Snapshot(regime=content.new) if is_regime else Snapshot(macro=content.new)
    if content is None:
        raise ContractViolation(f"an event without content has no table: {event}")
    return SentimentSnapshot, _mood_values(content, event)


def _whale_values(whale: WhaleMovement, event: OutsideEvent) -> dict[str, Any]:
    return {
        "token": one_line(whale.token, NAME_LENGTH),
        "pair": _or_none(event.pair, NAME_LENGTH),
        "amount": whale.amount,
        "amount_usd": whale.amount_usd,
        "direction": whale.direction,
        "from_label": one_line(whale.from_label, LABEL_LENGTH),
        "to_label": one_line(whale.to_label, LABEL_LENGTH),
        "blockchain": one_line(whale.blockchain, KIND_LENGTH),
        "tx_hash": one_line(whale.tx_hash, HASH_LENGTH),
        "impact": whale.impact,
        "timestamp": _moment(whale.observed_at_ms),
        "told_at": _moment(event.at_ms),
    }


def _mood_values(mood: Snapshot, event: OutsideEvent) -> dict[str, Any]:
    return {
        "kind": event.kind,
        "fear_greed_index": _whole(mood.fear_greed),
        "market_regime": _or_none(mood.regime, STATE_LENGTH),
        "btc_dominance": mood.btc_dominance,
        "social_volume_score": _whole(mood.social),
        "macro_status": _or_none(mood.macro, STATE_LENGTH),
        "timestamp": _moment(event.at_ms),
    }


def _or_none(text: str | None, length: int) -> str | None:
    return None if text is None else one_line(text, length)


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _moment(at_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=at_ms)
