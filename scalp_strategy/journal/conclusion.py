"""What a signal has come to: a function of its status, its replay and its trades (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from scalp_strategy.signals import Status

PENDING: Final = "pending"
OPEN: Final = "open"
CLOSED: Final = "closed"
CANCELLED: Final = "cancelled"
POSITION_STATUSES: Final = frozenset({PENDING, OPEN, CLOSED, CANCELLED})
TRADE: Final = "trade"
REPLAY: Final = "replay"
_MINUTE: Final = timedelta(minutes=1)
_RANKS: Final = {status: rank for rank, status in enumerate(Status)}
LATER_WORDS: Final = frozenset({Status.NOT_TAKEN, Status.TAKEN, Status.EXPIRED})


@dataclass(frozen=True, slots=True)
class Said:
    """A status, and when it was said."""

    status: Status
    at: datetime


class Trade(Protocol):
    """What is read of a row of positions."""

    @property
    def status(self) -> str:
        """One of `POSITION_STATUSES`."""

    @property
    def outcome(self) -> str | None:
        """How it ended, None while it has not."""

    @property
    def opened_at(self) -> datetime:
        """When the host made it."""

    @property
    def closed_at(self) -> datetime | None:
        """When it ended."""

    @property
    def profit_pct(self) -> float | None:
        """Result in percent of the position."""

    @property
    def net_r(self) -> float | None:
        """Result in R."""


def is_later(word: Said, held: Said) -> bool:
    """Whether a word replaces what is held.

    The first judgement of a candle stands; later words are those that rank later in `Status`. Of
    two that say the same, the newer has the better reason.
    """
    if word.status not in LATER_WORDS:
        return False
    if word.status is held.status:
        return word.at >= held.at
    return _RANKS[word.status] > _RANKS[held.status]


def conclusion(signal: Mapping[str, Any], trades: Sequence[Trade]) -> dict[str, Any]:
    """Return the columns of a signal that follow from others.

    Parameters
    ----------
    signal
        Its columns `status`, `close_time` and `replay_...`.
    trades
        All that were opened on it; mostly one at most.

    Returns
    -------
    dict
        `status`, `outcome` and the columns beside it. A trade that was filled has taken the signal
        and gives its outcome when it ends. Entries that were all cancelled let it expire. Without
        either, the replay gives the outcome of a signal that was not taken.
    """
    filled = [trade for trade in trades if trade.status in {OPEN, CLOSED}]
    if filled:
        is_over = all(trade.status == CLOSED for trade in filled)
        last = max(filled, key=lambda trade: trade.opened_at)
        return {"status": Status.TAKEN.value} | (_traded(last) if is_over else _NOTHING)
    if trades and all(trade.status == CANCELLED for trade in trades):
        last = max(trades, key=lambda trade: trade.opened_at)
        ended = _NOTHING | {"outcome": "expired", "outcome_source": TRADE}
        return ended | {"status": Status.EXPIRED.value, "closed_at": last.closed_at}
    has_replay = signal["replay_outcome"] is not None and signal["status"] != Status.TAKEN
    return {"status": signal["status"]} | (_replayed(signal) if has_replay else _NOTHING)


_NOTHING: Final[dict[str, Any]] = {
    "outcome": None,
    "outcome_source": None,
    "actual_pnl_pct": None,
    "actual_rr": None,
    "hold_duration_minutes": None,
    "closed_at": None,
}


def _traded(trade: Trade) -> dict[str, Any]:
    held = trade.closed_at - trade.opened_at if trade.closed_at is not None else None
    return {
        "outcome": trade.outcome,
        "outcome_source": TRADE,
        "actual_pnl_pct": trade.profit_pct,
        "actual_rr": trade.net_r,
        "hold_duration_minutes": None if held is None else held // _MINUTE,
        "closed_at": trade.closed_at,
    }


def _replayed(signal: Mapping[str, Any]) -> dict[str, Any]:
    minutes = signal["replay_minutes"]
    ended = None if minutes is None else signal["close_time"] + timedelta(minutes=minutes)
    return {
        "outcome": signal["replay_outcome"],
        "outcome_source": REPLAY,
        "actual_pnl_pct": signal["replay_pnl_pct"],
        "actual_rr": signal["replay_net_r"],
        "hold_duration_minutes": minutes,
        "closed_at": ended,
    }
