"""The statements that write the journal: made once, as making one costs more than running it."""

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import and_, bindparam, case, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from scalp_strategy.journal.models import (
    BreakerEvent,
    DailyPerformance,
    MessageRow,
    PositionRow,
    Signal,
)

Insert = postgresql.Insert | sqlite.Insert

_SIGNALS: Final[Any] = Signal.__table__
_POSITIONS: Final[Any] = PositionRow.__table__
_BREAKERS: Final[Any] = BreakerEvent.__table__
_MESSAGES: Final[Any] = MessageRow.__table__
_DAYS: Final[Any] = DailyPerformance.__table__
_SIGNAL: Final = _SIGNALS.c
_POSITION: Final = _POSITIONS.c
_ROW: Final = "row_id"  # a name of its own: columns are set beside it
# A trade is known by these; all else of it may change.
_TRADE: Final = frozenset(
    {"id", "bot", "trade_id", "opened_at", "pair", "direction", "close_time", "signal_id"}
)
_MESSAGE: Final = frozenset({"id", "bot", "channel", "key", "created_at"})
_EQUITY: Final = ("start_equity", "end_equity", "equity_at")


def _of_signal() -> tuple[Any, ...]:
    names = ("bot", "pair", "close_time", "direction")
    return tuple(_SIGNAL[name] == bindparam(name) for name in names)


def _change(*names: str) -> Any:
    values: dict[str, Any] = {name: bindparam(name) for name in names}
    return update(_SIGNALS).where(_SIGNAL.id == bindparam(_ROW)).values(values)


# By bot, pair, close_time and direction; locked, so that of several programs one goes on.
FIND: Final = (
    select(
        _SIGNAL.id,
        _SIGNAL.status,
        _SIGNAL.status_at,
        _SIGNAL.close_time,
        _SIGNAL.replay_outcome,
        _SIGNAL.replay_pnl_pct,
        _SIGNAL.replay_net_r,
        _SIGNAL.replay_minutes,
    )
    .where(*_of_signal())
    .with_for_update()
)
# By `row_id`.
TRADES: Final = select(
    _POSITION.status,
    _POSITION.outcome,
    _POSITION.opened_at,
    _POSITION.closed_at,
    _POSITION.profit_pct,
    _POSITION.net_r,
).where(_POSITION.signal_id == bindparam(_ROW))
_CONCLUSION: Final = (
    "status",
    "outcome",
    "outcome_source",
    "actual_pnl_pct",
    "actual_rr",
    "hold_duration_minutes",
    "closed_at",
)
CONCLUDE: Final = _change(*_CONCLUSION)
SAY: Final = _change(*_CONCLUSION, "status_at", "block_reason")
REPLAY: Final = _change(
    *_CONCLUSION,
    "replay_outcome",
    "replay_gross_r",
    "replay_net_r",
    "replay_pnl_pct",
    "replay_minutes",
    "replay_resolution",
    "replay_is_ambiguous",
)


@dataclass(frozen=True, slots=True)
class Inserts:
    """What makes rows, or changes those that are there already, of the tables' own accord."""

    signal: Insert
    breaker: Insert
    position: Insert
    message: Insert
    day: Insert


@cache
def inserts(dialect: str) -> Inserts:
    """Return the inserts of a database."""
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return Inserts(
        # The first judgement of a candle stands.
        signal=insert(_SIGNALS).on_conflict_do_nothing(),
        breaker=insert(_BREAKERS).on_conflict_do_nothing(),
        position=_position(insert(_POSITIONS)),
        message=_message(insert(_MESSAGES)),
        day=_day(insert(_DAYS)),
    )


def _position(insert: Insert) -> Insert:
    signal_id = select(_SIGNAL.id).where(*_of_signal()).scalar_subquery()
    names = [name for name in _POSITION.keys() if name not in ("id", "signal_id")]  # noqa: SIM118
    given = insert.values({name: bindparam(name) for name in names} | {"signal_id": signal_id})
    new, now = given.excluded, _POSITION
    is_newer = and_(
        new.outcome.is_(None) == now.outcome.is_(None), new.updated_at >= now.updated_at
    )
    # A clock that was set back must neither reopen a trade nor keep it open.
    has_ended = and_(new.outcome.is_not(None), now.outcome.is_(None))
    changed: dict[str, Any] = {name: new[name] for name in names if name not in _TRADE}
    changed["signal_id"] = func.coalesce(new.signal_id, now.signal_id)
    return given.on_conflict_do_update(
        index_elements=["bot", "trade_id", "opened_at"],
        set_=changed,
        where=or_(is_newer, has_ended),
    )


def _message(insert: Insert) -> Insert:
    new = insert.excluded
    return insert.on_conflict_do_update(
        index_elements=["bot", "channel", "key"],
        set_={name: column for name, column in new.items() if name not in _MESSAGE},
        where=new.revision >= _MESSAGES.c.revision,
    )


def _day(insert: Insert) -> Insert:
    new, now = insert.excluded, _DAYS.c
    is_newer = or_(now.equity_at.is_(None), new.equity_at >= now.equity_at)
    worst = now.max_drawdown_pct
    is_worse = or_(worst.is_(None), new.max_drawdown_pct > worst)
    changed: dict[str, Any] = {
        name: case((is_newer, new[name]), else_=now[name]) for name in _EQUITY
    }
    changed["max_drawdown_pct"] = case((is_worse, new.max_drawdown_pct), else_=worst)
    return insert.on_conflict_do_update(index_elements=["bot", "date"], set_=changed)
