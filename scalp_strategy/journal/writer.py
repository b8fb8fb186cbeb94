"""Records as rows: applied as often as one likes, they say the same.

What a signal has come to is computed anew from its row and its trades whenever one of them changes,
so no order of records can leave it wrong.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Update
from sqlalchemy.orm import Session

from scalp_strategy.journal import statements
from scalp_strategy.journal.conclusion import LATER_WORDS, Said, conclusion, is_later
from scalp_strategy.journal.instants import moment
from scalp_strategy.journal.records import (
    BreakerRecord,
    DayRecord,
    MessageRecord,
    PositionRecord,
    Record,
    ReplayRecord,
    SignalRecord,
    SignalWord,
)
from scalp_strategy.journal.rows import (
    breaker_values,
    day_values,
    message_values,
    position_values,
    reason_of,
    replay_values,
    signal_values,
)
from scalp_strategy.signals import Status

_OfSignal = SignalRecord | SignalWord | ReplayRecord | PositionRecord


def apply(session: Session, records: Iterable[Record]) -> None:
    """Apply records in their order.

    Parameters
    ----------
    session
        A transaction of the journal, which is rolled back when this raises.
    records
        Of any bots.

    Raises
    ------
    ValueError, TypeError, LookupError, ArithmeticError
        When a record can be no row: a name is too long, an instant is in no calendar, or there is
        no signal that a later word or a replay is of. A row made up for it would have a score and
        a price that nobody computed.
    SQLAlchemyError
        When the database refuses.
    """
    connection = session.connection()
    for kind, alike in groupby(records, type):
        _APPLY[kind](connection, list(alike))


# ---------------------------------------------------------------------------------------- signals


def _judge(connection: Connection, records: Sequence[SignalRecord]) -> None:
    insert = statements.inserts(connection.dialect.name).signal
    connection.execute(insert, [signal_values(record) for record in records])
    _say(connection, records)


def _say(connection: Connection, records: Sequence[SignalRecord | SignalWord]) -> None:
    for record in records:
        word = Said(Status(record.status), moment(record.at_ms))
        if word.status not in LATER_WORDS:
            continue
        signal = _found(connection, record)
        if is_later(word, Said(Status(signal["status"]), signal["status_at"])):
            said = {"status": word.status.value, "status_at": word.at}
            said |= {"block_reason": reason_of(record)}
            _change(connection, statements.SAY, signal, said)


def _replay(connection: Connection, records: Sequence[ReplayRecord]) -> None:
    for record in records:
        signal = _found(connection, record)
        if signal["replay_outcome"] is None:
            _change(connection, statements.REPLAY, signal, replay_values(record))


def _found(connection: Connection, record: SignalRecord | SignalWord | ReplayRecord) -> RowMapping:
    signal = connection.execute(statements.FIND, _key(record)).mappings().one_or_none()
    if signal is None:
        raise LookupError(f"{record.pair}: its signal is not in the journal")
    return signal


def _change(
    connection: Connection, statement: Update, signal: RowMapping, values: dict[str, Any]
) -> None:
    """Set columns of a signal, and those that follow from others."""
    row = {"row_id": signal["id"]}
    trades = connection.execute(statements.TRADES, row).all()
    follows = conclusion({**signal, **values}, trades)
    connection.execute(statement, row | values | follows)


def _key(record: _OfSignal) -> dict[str, Any]:
    return {
        "bot": record.bot,
        "pair": record.pair,
        "close_time": moment(record.close_ms),
        "direction": record.side,
    }


# -------------------------------------------------------------- trades, breakers, messages, days


def _hold(connection: Connection, records: Sequence[PositionRecord]) -> None:
    insert = statements.inserts(connection.dialect.name).position
    connection.execute(insert, [position_values(record) for record in records])
    # One that was opened by hand has no signal.
    for key in dict.fromkeys(tuple(_key(record).items()) for record in records):
        signal = connection.execute(statements.FIND, dict(key)).mappings().one_or_none()
        if signal is not None:
            _change(connection, statements.CONCLUDE, signal, {})


def _act(connection: Connection, records: Sequence[BreakerRecord]) -> None:
    insert = statements.inserts(connection.dialect.name).breaker
    connection.execute(insert, [breaker_values(record) for record in records])


def _tell(connection: Connection, records: Sequence[MessageRecord]) -> None:
    insert = statements.inserts(connection.dialect.name).message
    connection.execute(insert, [message_values(record) for record in records])


def _end(connection: Connection, records: Sequence[DayRecord]) -> None:
    insert = statements.inserts(connection.dialect.name).day
    connection.execute(insert, [day_values(record) for record in records])


_APPLY: Final[dict[type[Record], Callable[[Connection, Sequence[Any]], None]]] = {
    SignalRecord: _judge,
    SignalWord: _say,
    ReplayRecord: _replay,
    PositionRecord: _hold,
    BreakerRecord: _act,
    MessageRecord: _tell,
    DayRecord: _end,
}
