"""A UTC day counted from the other tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from statistics import fmean
from typing import Any, Final

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from scalp_strategy.journal.conclusion import CLOSED, OPEN, REPLAY
from scalp_strategy.journal.models import BreakerEvent, DailyPerformance, PositionRow, Signal
from scalp_strategy.journal.rows import UNCOUNTED
from scalp_strategy.journal.store import insert_into
from scalp_strategy.signals import Status

SENT: Final = (Status.APPROVED, Status.NOT_TAKEN, Status.TAKEN, Status.EXPIRED)
_BLOCKED: Final = (Status.VETOED, Status.REJECTED)
_ACTIVATIONS: Final = ("blocked", "paused")  # what only makes smaller or harder stops nothing
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Result:
    """How a trade, or a signal that nobody traded, has ended.

    Attributes
    ----------
    money
        After costs, quote currency.
    pct
        The same in percent of the position, None is unknown.
    net_r
        The same in R, None is unknown.
    """

    money: float
    pct: float | None
    net_r: float | None


def count_day(session: Session, bot: str, day: date, now: datetime) -> None:
    """Count a day of a bot anew, and keep the counts in its row.

    Results are those of the positions that were closed on the day, a win is one above 0. On a day
    without any position, not even an open one, they are those of the signals that were sent and
    whose replay ended on that day, at the money they would have risked.

    Parameters
    ----------
    session
        A transaction of the journal.
    bot, day
        Whose day, UTC.
    now
        The instant of the counting.
    """
    insert = insert_into(session, DailyPerformance).values(
        bot=bot, date=day, updated_at=now, **UNCOUNTED
    )
    session.execute(insert.on_conflict_do_nothing())
    of_day = DailyPerformance.bot == bot, DailyPerformance.date == day
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    results = _results(session, bot, start)
    counts = _counts(session, bot, start) | summed(results)
    equity = session.scalar(select(DailyPerformance.start_equity).where(*of_day))
    pnl_pct = counts["total_pnl"] / equity * 100.0 if equity else None
    changed = update(DailyPerformance).where(*of_day)
    changed = changed.execution_options(synchronize_session=False)
    session.execute(changed.values(**counts, total_pnl_pct=pnl_pct, updated_at=now))


def summed(results: Sequence[Result]) -> dict[str, Any]:
    """Return the columns of a day that its results make.

    `avg_rr_achieved` is the mean winner over the mean loser, in R; None when either is missing.
    """
    wins = sum(result.money > 0 for result in results)
    percents = [result.pct for result in results if result.pct is not None]
    won = [result.net_r for result in results if result.net_r is not None and result.money > 0]
    lost = [-result.net_r for result in results if result.net_r is not None and result.money <= 0]
    mean_loss = fmean(lost) if lost else 0.0
    return {
        "wins": wins,
        "losses": len(results) - wins,
        "win_rate": 100.0 * wins / len(results) if results else None,
        "total_pnl": sum(result.money for result in results),
        "best_trade_pnl": max(percents, default=None),
        "worst_trade_pnl": min(percents, default=None),
        "avg_rr_achieved": fmean(won) / mean_loss if won and mean_loss > 0 else None,
    }


def _counts(session: Session, bot: str, start: datetime) -> dict[str, int]:
    grouped = (
        select(Signal.status, func.count())
        .where(Signal.bot == bot, Signal.close_time >= start, Signal.close_time < start + _DAY)
        .group_by(Signal.status)
    )
    by_status = {Status(status): count for status, count in session.execute(grouped)}
    acted = select(func.count()).where(
        BreakerEvent.bot == bot,
        BreakerEvent.timestamp >= start,
        BreakerEvent.timestamp < start + _DAY,
        BreakerEvent.action_taken.in_(_ACTIVATIONS),
    )
    sent, blocked = (
        sum(by_status.get(status, 0) for status in statuses) for statuses in (SENT, _BLOCKED)
    )
    return {
        "total_signals": sent + blocked,
        "signals_sent": sent,
        "signals_blocked": blocked,
        "breaker_activations": session.scalar(acted) or 0,
    }


def _results(session: Session, bot: str, start: datetime) -> list[Result]:
    table, end = PositionRow, start + _DAY
    held = session.execute(
        select(table.closed_at, table.profit, table.profit_pct, table.net_r).where(
            table.bot == bot,
            table.status.in_((OPEN, CLOSED)),
            table.opened_at < end,
            or_(table.closed_at.is_(None), table.closed_at >= start),
        )
    ).all()
    if not held:
        return _followed(session, bot, start)
    return [
        Result(row.profit, row.profit_pct, row.net_r)
        for row in held
        if row.closed_at is not None and row.closed_at < end
    ]


def _followed(session: Session, bot: str, start: datetime) -> list[Result]:
    table = Signal
    ended = session.execute(
        select(table.risk_quote, table.replay_pnl_pct, table.replay_net_r).where(
            table.bot == bot,
            table.status.in_(SENT),
            table.outcome_source == REPLAY,
            table.replay_net_r.is_not(None),
            table.risk_quote.is_not(None),
            table.closed_at >= start,
            table.closed_at < start + _DAY,
        )
    )
    return [
        Result(row.replay_net_r * row.risk_quote, row.replay_pnl_pct, row.replay_net_r)
        for row in ended
    ]
