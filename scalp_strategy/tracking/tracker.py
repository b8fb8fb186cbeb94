"""Follows the trades of a running bot, loop by loop, over restarts."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

from freqtrade.persistence import Trade
from sqlalchemy import or_

from scalp_strategy.exits import HostTrade, candle_open
from scalp_strategy.journal.records import Record
from scalp_strategy.journal.views import PositionView
from scalp_strategy.own_trades import OwnTrades
from scalp_strategy.risk import Leg, TradePlan
from scalp_strategy.setting_groups.journal import JournalSettings
from scalp_strategy.tracking.record import position_record, trade_of
from scalp_strategy.tracking.state import trade_state
from scalp_strategy.trade_state import Outcome, TradeState

_US_PER_MS: Final = 1_000


class Exits(Protocol):
    """What `ExitDesk` says of a trade."""

    def plan(self, trade: HostTrade) -> TradePlan:
        """Return the trade's plan."""

    def stop(self, trade: HostTrade, now: datetime) -> float:
        """Return the stop in force."""

    def legs(self, trade: HostTrade, plan: TradePlan) -> tuple[Leg, ...]:
        """Return its legs, none before the entry's fill."""


class TrackedKey(NamedTuple):
    """What a trade is known by: the host's database gives the number of a deleted one again."""

    trade_id: int
    opened_at: datetime


@dataclass(slots=True)
class _Seen:
    """A trade as it was last seen, and when it was last recorded."""

    state: TradeState
    recorded_at: datetime | None = None


class TradeTracker:
    """Follows the trades of a running bot, and writes them into the journal.

    Parameters
    ----------
    exits
        Gives plan, stop and legs of a trade.
    price
        Gives the last known price of a pair, NaN where it is unknown.
    keep
        Takes the records.
    bot
        Whose trades they are.
    settings
        How often an unchanged position is recorded, and how far back a start looks.
    trades
        Tells the strategy's own trades: others are not followed. One that cannot be read stays as
        it was last seen.

    Notes
    -----
    For the trading loop's thread: the host's sessions are bound to it. A look costs the query for
    open trades and one by number, that finds nothing while nothing has happened.
    """

    def __init__(
        self,
        exits: Exits,
        price: Callable[[str, datetime], float],
        keep: Callable[[Record], None],
        bot: str,
        settings: JournalSettings,
        trades: OwnTrades | None = None,
    ) -> None:
        self._trades = trades or OwnTrades()
        self._exits, self._price, self._keep = exits, price, keep
        self._bot, self._settings = bot, settings
        self._seen: dict[TrackedKey, _Seen] = {}
        self._ended: set[TrackedKey] = set()
        self._newest: int | None = None

    def begin(self, known: Iterable[PositionView]) -> None:
        """Take over what the journal knows, before the first look after a start.

        Parameters
        ----------
        known
            The positions that it holds for open, and those that ended in the last
            `journal.resolve_days`.
        """
        for view in known:
            key = TrackedKey(view.trade_id, _as_kept(view.opened_at))
            if view.outcome is None:
                self._seen[key] = _Seen(replace(trade_of(view), price=math.nan, unrealised=0.0))
            else:
                self._ended.add(key)

    def look(self, now: datetime) -> list[TradeState]:
        """Return the trades that are open, and those that have ended since the last look.

        The first look finds what ended while the bot was down, also what the journal never heard
        of. Each is recorded when it has changed, else every `journal.position_s`.
        """
        trades: dict[TrackedKey, Any] = {
            _key(trade): trade for trade in Trade.get_open_trades() if self._trades.is_own(trade)
        }
        gone = [key for key in self._seen if key not in trades]
        ended = self._ended_trades(gone, now)
        deleted = [key for key in gone if key not in ended]
        self._newest = self._newest_of([key.trade_id for key in trades], deleted)
        found = [self._state_apart(trade, now) for trade in [*trades.values(), *ended.values()]]
        states = [state for state in found if state is not None]
        states += [_deleted(self._seen[key].state, now) for key in deleted]
        for state in states:
            self._note(state, now)
        return states

    def _state_apart(self, trade: Any, now: datetime) -> TradeState | None:
        """Return a trade as it stands, as it was last seen when that fails."""
        seen = self._seen.get(_key(trade))
        return self._trades.run(
            trade,
            "its record",
            partial(self.state, trade, now),
            lambda: seen.state if seen is not None else None,
        )

    def state(self, trade: Any, now: datetime) -> TradeState:
        """Return one of the host's trades as it stands; in backtests too."""
        plan = self._exits.plan(trade)
        legs = self._exits.legs(trade, plan)
        if not trade.is_open:
            stop = trade.stop_loss or plan.stop
            return trade_state(trade, plan, stop, math.nan, legs)
        stop = self._exits.stop(trade, now)
        return trade_state(trade, plan, stop, self._price_of(trade, now), legs)

    def _price_of(self, trade: Any, now: datetime) -> float:
        # Until a candle has closed after the entry, the last close is older than the position.
        if candle_open(now) <= trade.open_date_utc:
            opened: float = trade.open_rate
            return opened
        return self._price(trade.pair, now)

    def _ended_trades(self, gone: list[TrackedKey], now: datetime) -> dict[TrackedKey, Any]:
        """Return the host's closed trades of which nobody has told yet."""
        if self._newest is None:
            is_news = Trade.close_date > now - timedelta(days=self._settings.resolve_days)
        else:
            is_news = Trade.id > self._newest
        if gone:
            is_news = or_(is_news, Trade.id.in_([key.trade_id for key in gone]))
        closed = Trade.get_trades([Trade.is_open.is_(False), is_news]).all()
        self._newest = max([self._newest or 0, *(trade.id for trade in closed)])
        return {
            _key(trade): trade
            for trade in closed
            if _key(trade) not in self._ended and self._trades.is_own(trade)
        }

    def _newest_of(self, open_ids: list[int], deleted: list[TrackedKey]) -> int:
        """Return the number from which on a closed trade is one that was never seen."""
        newest = max([self._newest or 0, *open_ids])
        # The database gives the numbers of deleted trades away again.
        return min([newest, *(key.trade_id - 1 for key in deleted)])

    def _note(self, state: TradeState, now: datetime) -> None:
        """Record a trade when it has changed or was not recorded for long."""
        key = TrackedKey(state.trade_id, _as_kept(state.opened_at))
        seen = self._seen.get(key)
        recorded_at = seen.recorded_at if seen is not None else None
        if seen is None or _facts(seen.state) != _facts(state) or self._is_due(recorded_at, now):
            self._keep(position_record(state, self._bot, now))
            recorded_at = now
        if state.is_over:
            self._seen.pop(key, None)
            self._ended.add(key)
        else:
            self._seen[key] = _Seen(state, recorded_at)

    def _is_due(self, recorded_at: datetime | None, now: datetime) -> bool:
        if recorded_at is None:
            return True
        # A clock that was set back must not silence it.
        return not 0 <= (now - recorded_at).total_seconds() < self._settings.position_s


def _key(trade: HostTrade) -> TrackedKey:
    return TrackedKey(trade.id, _as_kept(trade.open_date_utc))


def _as_kept(moment: datetime) -> datetime:
    """Return a moment as the journal keeps it: in whole milliseconds."""
    return moment.replace(microsecond=moment.microsecond // _US_PER_MS * _US_PER_MS)


def _facts(state: TradeState) -> tuple[Any, ...]:
    """Return what makes another state of a trade: not what the market does with it."""
    return state.entry_price, state.amount, state.stop, state.fills, state.outcome


def _deleted(state: TradeState, now: datetime) -> TradeState:
    """Return a trade that the host has deleted: its entry was cancelled, or an admin did it."""
    outcome: Outcome = "other" if state.is_filled else "expired"
    return replace(state, unrealised=0.0, closed_at=now, outcome=outcome)
