"""The sidecar's events in the journal: rows and cursor in one transaction, each event once.

Each bot has a cursor of its own and is told every event; the rows are shared.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from scalp_strategy.errors import ContractViolation
from scalp_strategy.journal.instants import epoch_ms, moment
from scalp_strategy.journal.models import (
    HASH_LENGTH,
    LABEL_LENGTH,
    NAME_LENGTH,
    STATE_LENGTH,
    Base,
    EventCursor,
    SentimentSnapshot,
    ToldEvent,
    WhaleEvent,
)
from scalp_strategy.journal.outside import (
    KIND_LENGTH,
    MACRO,
    REGIME,
    WHALE,
    Cursor,
    Direction,
    OutsideEvent,
    StateChange,
    WhaleMovement,
    one_line,
)
from scalp_strategy.journal.outside import SentimentSnapshot as Snapshot
from scalp_strategy.journal.store import Journal, insert_into

SOURCE: Final = "sidecar"  # also the cursor that all bots shared before each had its own
_TEXT_LENGTH: Final = 2_000


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
    bot
        Whose cursor it is. A bot's first one stands where the one shared by all bots stood.
    """

    def __init__(self, journal: Journal, bot: str = "") -> None:
        self._journal = journal
        self._source = f"{SOURCE}:{bot}" if bot else SOURCE

    def cursor(self) -> Cursor:
        """Return the last event that was taken.

        Raises
        ------
        StoreError
            When the database cannot be had.
        """
        with self._journal.transaction() as session:
            return _held(session, self._source)

    def begin_anew(self, cursor: Cursor) -> Cursor:
        """Note that what follows is another stream, read from its start; return the new cursor.

        Raises
        ------
        StoreError
            When the database cannot be had.
        """
        with self._journal.transaction() as session:
            held = _held(session, self._source)
            if held != cursor:
                return held
            return _moved(session, self._source, Cursor(cursor.stream + 1))

    def recent(self, since: datetime) -> list[OutsideEvent]:
        """Return the transfers and macro changes that happened since then, oldest first.

        As they are kept: what was too long is cut. A change whose predecessor is not kept has no
        `old`.

        Raises
        ------
        StoreError
            When the database cannot be had.
        """
        with self._journal.reading() as session:
            found = [*_whales_since(session, since), *_macro_since(session, since)]
        return sorted(found, key=lambda event: event.at_ms)

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
            held = _held(session, self._source)
            if held != cursor:
                return Taken(held)
            fresh = _kept(session, self._source, cursor.stream, events)
            last = events[-1]
            moved = Cursor(cursor.stream, last.number, last.at_ms, last.kind)
            return Taken(_moved(session, self._source, moved), tuple(fresh))


# ------------------------------------------------------------------------------------- the cursor


def _held(session: Session, source: str) -> Cursor:
    """Return the cursor and lock it: of several programs one at a time goes on."""
    found = select(EventCursor).where(EventCursor.source == source).with_for_update()
    row = session.scalar(found)
    if row is None:
        _insert_first(session, source)
        row = session.scalars(found).one()
    return _cursor(row)


def _insert_first(session: Session, source: str) -> None:
    shared = session.get(EventCursor, SOURCE)
    first = Cursor() if shared is None else _cursor(shared)
    values = {"source": source, **_cursor_values(first)}
    # Another program may be doing the same at this moment.
    session.execute(insert_into(session, EventCursor).values(values).on_conflict_do_nothing())


def _moved(session: Session, source: str, cursor: Cursor) -> Cursor:
    chosen = update(EventCursor).where(EventCursor.source == source)
    session.execute(chosen.values(_cursor_values(cursor)))
    return cursor


def _cursor(row: EventCursor) -> Cursor:
    return Cursor(row.stream, row.number, row.at_ms, row.kind)


def _cursor_values(cursor: Cursor) -> dict[str, Any]:
    return {
        "stream": cursor.stream,
        "number": cursor.number,
        "at_ms": cursor.at_ms,
        "kind": cursor.kind,
    }


# --------------------------------------------------------------------------------------- the rows


def _kept(
    session: Session, source: str, stream: int, events: Sequence[OutsideEvent]
) -> list[OutsideEvent]:
    """Keep events; return those that the bot was not told of in an earlier stream.

    Within a stream a number says that it is another event, however alike two may be: the n-th of a
    content is its part n, for every bot.
    """
    keys = {event.number: content_key(event) for event in events if event.content is not None}
    earlier, counts = _told(session, source, stream, set(keys.values()))
    fresh = [event for event in events if keys.get(event.number) not in earlier]
    before = Counter(counts)
    rows: dict[type[Base], list[dict[str, Any]]] = {}
    for event in fresh:
        if event.content is None:
            continue
        key = keys[event.number]
        counts[key] += 1
        table, values = _values(event)
        identity = {"content_key": key, "part": counts[key], "stream": stream}
        rows.setdefault(table, []).append(identity | values)
    for table, theirs in rows.items():
        session.execute(insert_into(session, table).on_conflict_do_nothing(), theirs)
    _remember(session, source, stream, counts - before)
    return fresh


def _told(
    session: Session, source: str, stream: int, keys: Iterable[str]
) -> tuple[set[str], Counter[str]]:
    """Return which contents the bot was told of in earlier streams, and how often in this one."""
    chosen = select(ToldEvent).where(
        ToldEvent.source.in_({source, SOURCE}), ToldEvent.content_key.in_(keys)
    )
    earlier: set[str] = set()
    counts: Counter[str] = Counter()
    for row in session.scalars(chosen):
        if row.stream == stream:
            counts[row.content_key] += row.count
        else:
            earlier.add(row.content_key)
    return earlier, counts


def _remember(session: Session, source: str, stream: int, new: Counter[str]) -> None:
    if not new:
        return
    told = insert_into(session, ToldEvent)
    more = told.on_conflict_do_update(
        index_elements=["source", "content_key", "stream"],
        set_={"count": ToldEvent.count + told.excluded.count},
    )
    values = [
        {"source": source, "content_key": key, "stream": stream, "count": count}
        for key, count in sorted(new.items())
    ]
    session.execute(more, values)


def content_key(event: OutsideEvent) -> str:
    """Return what an event is known by, whatever its number: 64 hexadecimal digits."""
    content = event.content
    if isinstance(content, WhaleMovement):
        tx_hash = content.tx_hash.lower().removeprefix("0x")
        parts: list[Any] = [content.blockchain, tx_hash, content.token, content.direction]
    else:
        parts = [event.kind, event.at_ms, repr(content)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _whales_since(session: Session, since: datetime) -> list[OutsideEvent]:
    kept = select(WhaleEvent).where(WhaleEvent.timestamp >= since)
    return [_whale(row) for row in session.scalars(kept)]


def _whale(row: WhaleEvent) -> OutsideEvent:
    at_ms = epoch_ms(row.told_at)
    return OutsideEvent(row.event_number, at_ms, WHALE, row.pair, row.text, _movement(row))


def _movement(row: WhaleEvent) -> WhaleMovement:
    return WhaleMovement(
        token=row.token,
        direction=cast(Direction, row.direction),
        from_label=row.from_label,
        to_label=row.to_label,
        blockchain=row.blockchain,
        tx_hash=row.tx_hash,
        observed_at_ms=epoch_ms(row.timestamp),
        amount=row.amount,
        amount_usd=row.amount_usd,
    )


def _macro_since(session: Session, since: datetime) -> list[OutsideEvent]:
    table = SentimentSnapshot
    changes = select(table).where(table.kind == MACRO)
    newest_first = table.timestamp.desc(), table.id.desc()
    before = changes.where(table.timestamp < since).order_by(*newest_first).limit(1)
    after = changes.where(table.timestamp >= since).order_by(table.timestamp, table.id)
    found, old = [], session.scalar(before)
    for row in session.scalars(after):
        change = StateChange(old.macro_status if old else None, row.macro_status)
        at_ms = epoch_ms(row.timestamp)
        found.append(OutsideEvent(row.event_number, at_ms, MACRO, None, row.text, change))
        old = row
    return found


def _values(event: OutsideEvent) -> tuple[type[Base], dict[str, Any]]:
    content = event.content
    told = {"event_number": event.number, "text": one_line(event.text, _TEXT_LENGTH)}
    if isinstance(content, WhaleMovement):
        return WhaleEvent, told | _whale_values(content, event)
    if isinstance(content, StateChange):
        is_regime = event.kind == REGIME
        content = Snapshot(regime=content.new) if is_regime else Snapshot(macro=content.new)
    if content is None:
        raise ContractViolation(f"an event without content has no table: {event}")
    return SentimentSnapshot, told | _mood_values(content, event)


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
        "timestamp": moment(whale.observed_at_ms),
        "told_at": moment(event.at_ms),
    }


def _mood_values(mood: Snapshot, event: OutsideEvent) -> dict[str, Any]:
    return {
        "kind": event.kind,
        "fear_greed_index": _whole(mood.fear_greed),
        "market_regime": _or_none(mood.regime, STATE_LENGTH),
        "btc_dominance": mood.btc_dominance,
        "social_volume_score": _whole(mood.social),
        "macro_status": _or_none(mood.macro, STATE_LENGTH),
        "timestamp": moment(event.at_ms),
    }


def _or_none(text: str | None, length: int) -> str | None:
    return None if text is None else one_line(text, length)


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
