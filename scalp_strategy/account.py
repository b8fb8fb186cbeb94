"""Equity, day start and open risk: one owner, persisted.

The day is the UTC day. Its start equity is the first equity marked in it. A loss of
`max_daily_drawdown_pct` of it pauses everything: in a backtest until the next UTC day, live until
an admin resumes. A resume before the next UTC day needs a confirmation; it starts the day's count
anew from the present equity, so that another such loss pauses again. A pause that an admin asked
for ends whenever an admin says so.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Literal, Protocol

from pydantic import ValidationError

from scalp_strategy.contract import Side, sign_of
from scalp_strategy.errors import ConfigError, StoreError
from scalp_strategy.risk import AccountView
from scalp_strategy.setting_groups.base import Group, setting
from scalp_strategy.setting_groups.breakers import BreakerSettings

STATE_VERSION: Final = 1
_HOUR: Final = timedelta(hours=1)
# A drawdown this little below the limit is the limit, reached but for binary fractions.
_LIMIT_TOLERANCE: Final = 1e-9
_NO_PAUSE: Final = {
    "is_paused": False,
    "pause_reason": "",
    "paused_at": "",
    "is_admin_pause": False,
}


@dataclass(frozen=True, slots=True)
class Position:
    """One open or pending position, in quote currency and base amounts.

    Attributes
    ----------
    stop_price
        Where the stop stands now.
    is_pending
        The entry is decided or ordered, not filled: it has risk, but no profit yet.
    """

    pair: str
    side: Side
    amount: float
    entry_price: float
    stop_price: float
    mark_price: float
    is_pending: bool = False

    @property
    def unrealised(self) -> float:
        """Profit at the mark price, before fees; 0 while pending."""
        if self.is_pending:
            return 0.0
        return sign_of(self.side) * (self.mark_price - self.entry_price) * self.amount

    @property
    def risk(self) -> float:
        """Money lost if the stop is hit, from the entry; 0 once the stop is at the entry."""
        distance = sign_of(self.side) * (self.entry_price - self.stop_price)
        return max(0.0, distance) * self.amount

    @property
    def exposure(self) -> float:
        """Notional value at the mark price."""
        return self.amount * self.mark_price


class ResumeResult(StrEnum):
    """What came of a resume; two of them are the actions of the journal."""

    RESUMED = "resumed"
    OVERRIDDEN = "overridden"  # the drawdown of this very day, with a confirmation
    REFUSED = "refused"  # the confirmation is missing
    NOT_PAUSED = "not_paused"


class EndedDay(Group):
    """A UTC day that is over, as the account saw it; quote currency.

    With a picture at midnight that is the end, else the last one before.
    """

    day: str = setting("", "The day, ISO.")
    start_equity: float = setting(0.0, "Equity at 00:00 UTC, or when it was first known.")
    end_equity: float = setting(0.0, "Equity at the end.")
    max_drawdown_pct: float = setting(0.0, "Largest loss since the start, % of that equity.")


class AccountState(Group):
    """What survives a restart."""

    day: str = setting("", "The UTC day that is counted, ISO.")
    day_start_equity: float = setting(
        0.0, "Equity that the drawdown is counted from: at the day's start, or at an override."
    )
    day_open_equity: float = setting(0.0, "Equity at the day's start; 0 is as above.")
    day_worst_drawdown_pct: float = setting(
        0.0, "Largest loss since the day's start, % of that equity."
    )
    equity: float = setting(0.0, "Equity as marked last.")
    is_paused: bool = setting(False, "Whether all signals are paused.")
    pause_reason: str = setting("", "Why.")
    paused_at: str = setting("", "Since when, UTC, ISO.")
    is_admin_pause: bool = setting(False, "Whether an admin asked for the pause.")
    sent_ms: list[int] = setting([], "Closes of the signals sent in the last hour, epoch ms.")
    ended_days: list[EndedDay] = setting([], "Days that are over and not yet reported.")
    version: Literal[1] = setting(STATE_VERSION, "Version of this record.")


class StateStore(Protocol):
    """Keeps the account's state between two runs."""

    def load(self) -> dict[str, Any] | None:
        """Return the saved state, or None when there is none."""

    def save(self, state: dict[str, Any]) -> None:
        """Keep the state; raise `StoreError` when it can't be kept."""


class MemoryStore:
    """Forgets with the process: backtests and hyperopt."""

    def __init__(self) -> None:
        self._state: dict[str, Any] | None = None

    def load(self) -> dict[str, Any] | None:
        """Return the saved state."""
        return self._state

    def save(self, state: dict[str, Any]) -> None:
        """Keep the state."""
        self._state = state


class Account:
    """Marks equity at every close and pauses on the daily drawdown.

    Parameters
    ----------
    settings
        The breakers' settings: the drawdown limit and the slots.
    store
        Where the state is kept.
    resumes_next_day
        True in backtests: nobody is there to resume.
    keeps_days
        Whether days that have ended are kept until `forget_day`: for who reports them.
    """

    def __init__(
        self,
        settings: BreakerSettings,
        store: StateStore,
        *,
        resumes_next_day: bool,
        keeps_days: bool = False,
    ) -> None:
        self._settings = settings
        self._store = store
        self._resumes_next_day = resumes_next_day
        self._keeps_days = keeps_days
        self._positions: tuple[Position, ...] = ()
        self._free_balance = 0.0
        self._is_equity_known = True
        self.store_problem: str | None = None
        self.state = _restored(store)

    def reset(self) -> None:
        """Forget everything: a new backtest epoch begins."""
        self._positions = ()
        self._keep(AccountState())

    def mark(
        self, now: datetime, capital: float, free_balance: float, positions: Iterable[Position]
    ) -> None:
        """Take the account's picture at an instant.

        Parameters
        ----------
        now
            The instant, UTC.
        capital
            Balance without unrealised profit, quote currency.
        free_balance
            What an order may still use as stake or margin.
        positions
            Everything open or pending.

        Notes
        -----
        An equity that is not a number changes nothing; until the next mark sizing has none.
        """
        self._positions = tuple(positions)
        self._free_balance = free_balance
        equity = capital + sum(position.unrealised for position in self._positions)
        self._is_equity_known = math.isfinite(equity)
        if not self._is_equity_known:
            return
        state = self.state
        if now.date().isoformat() > state.day and equity > 0:
            state = self._new_day(state, now, equity)
        state = _pictured(state, equity)
        drawdown = _loss_pct(state.day_start_equity, equity)
        if not state.is_paused and drawdown >= self._limit - _LIMIT_TOLERANCE:
            state = _changed(
                state,
                is_paused=True,
                paused_at=now.isoformat(),
                pause_reason=f"daily drawdown {drawdown:.2f} % of "
                f"{state.day_start_equity:.2f} reached the limit of {self._limit:g} %",
            )
        self._keep(state)

    def pause(self, now: datetime, reason: str) -> bool:
        """Stop all signals until `resume`; False when they are stopped already."""
        if self.state.is_paused:
            return False
        self._keep(
            _changed(
                self.state,
                is_paused=True,
                pause_reason=reason,
                paused_at=now.isoformat(),
                is_admin_pause=True,
            )
        )
        return True

    def resume(self, now: datetime, *, is_confirmed: bool) -> ResumeResult:
        """Let signals through again.

        A drawdown's pause of this UTC day needs the confirmation; its count then starts anew.
        """
        state = self.state
        if not state.is_paused:
            return ResumeResult.NOT_PAUSED
        is_todays = state.paused_at[:10] == now.date().isoformat()
        is_override = is_todays and not state.is_admin_pause
        if is_override and not is_confirmed:
            return ResumeResult.REFUSED
        resumed = _changed(state, **_NO_PAUSE)
        if is_override:
            resumed = _changed(resumed, day_start_equity=state.equity)
        self._keep(resumed)
        return ResumeResult.OVERRIDDEN if is_override else ResumeResult.RESUMED

    def note_signal(self, close: datetime) -> None:
        """Count a signal that is sent for the candle that closed then."""
        since_ms = _epoch_ms(close - _HOUR)
        sent = [sent_ms for sent_ms in self.state.sent_ms if sent_ms > since_ms]
        self._keep(_changed(self.state, sent_ms=[*sent, _epoch_ms(close)]))

    def signals_in_hour(self, close: datetime) -> int:
        """Return how many signals were sent for candles that closed in (close - 1 h, close]."""
        since_ms, until_ms = _epoch_ms(close - _HOUR), _epoch_ms(close)
        return sum(since_ms < sent_ms <= until_ms for sent_ms in self.state.sent_ms)

    def forget_day(self, day: str) -> None:
        """Forget an ended day: it has been reported."""
        kept = [ended for ended in self.state.ended_days if ended.day != day]
        self._keep(_changed(self.state, ended_days=kept))

    def view(self) -> AccountView:
        """Return the picture that sizing works from."""
        return AccountView(
            equity=self.state.equity if self._is_equity_known else math.nan,
            free_balance=self._free_balance,
            open_risk=sum(position.risk for position in self._positions),
            open_exposure=sum(position.exposure for position in self._positions),
            open_positions=len(self._positions),
        )

    def reserve(self, position: Position, stake: float) -> None:
        """Count a position that was approved a moment ago and is not ordered yet."""
        self._positions = (*self._positions, position)
        self._free_balance -= stake

    def holds(self, pair: str) -> bool:
        """Whether a pair has a position, open or pending."""
        return any(position.pair == pair for position in self._positions)

    @property
    def positions(self) -> tuple[Position, ...]:
        """Everything open or pending, reservations included."""
        return self._positions

    @property
    def drawdown_pct(self) -> float:
        """Loss since 00:00 UTC, or since an override, in percent of that equity; < 0 in profit."""
        return _loss_pct(self.state.day_start_equity, self.state.equity)

    @property
    def day_open_equity(self) -> float:
        """Equity at the start of the day that is counted; 0 before the first picture."""
        return _day_open(self.state)

    @property
    def ended_days(self) -> tuple[EndedDay, ...]:
        """Days that are over, oldest first, until `forget_day`."""
        return tuple(self.state.ended_days)

    @property
    def _limit(self) -> float:
        return self._settings.max_daily_drawdown_pct

    def _new_day(self, state: AccountState, now: datetime, equity: float) -> AccountState:
        if self._keeps_days and state.day:
            state = _changed(state, ended_days=[*state.ended_days, _ended(state, now, equity)])
        state = _changed(
            state,
            day=now.date().isoformat(),
            day_start_equity=equity,
            day_open_equity=equity,
            day_worst_drawdown_pct=0.0,
        )
        return _changed(state, **_NO_PAUSE) if self._resumes_next_day else state

    def _keep(self, state: AccountState) -> None:
        if state == self.state and self.store_problem is None:
            return
        self.state = state
        try:
            self._store.save(state.model_dump())
        except StoreError as error:
            self.store_problem = str(error)
        else:
            self.store_problem = None


def _changed(state: AccountState, **values: Any) -> AccountState:
    return state.model_copy(update=values)


def _pictured(state: AccountState, equity: float) -> AccountState:
    loss = _loss_pct(_day_open(state), equity)
    worst = max(state.day_worst_drawdown_pct, loss)
    return _changed(state, equity=equity, day_worst_drawdown_pct=worst)


def _ended(state: AccountState, now: datetime, equity: float) -> EndedDay:
    """Return the day of a state, ended by the first picture of a later one."""
    is_midnight = now - timedelta(days=1) == datetime.fromisoformat(f"{state.day}T00:00:00+00:00")
    if is_midnight:
        state = _pictured(state, equity)
    return EndedDay(
        day=state.day,
        start_equity=_day_open(state),
        end_equity=state.equity,
        max_drawdown_pct=state.day_worst_drawdown_pct,
    )


def _day_open(state: AccountState) -> float:
    # A state that an older version kept does not know it.
    return state.day_open_equity or state.day_start_equity


def _loss_pct(start: float, equity: float) -> float:
    return (1.0 - equity / start) * 100.0 if start > 0 else 0.0


def _epoch_ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000)


def _restored(store: StateStore) -> AccountState:
    saved = store.load()
    if saved is None:
        return AccountState()
    try:
        return AccountState.model_validate(saved, strict=True)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
        )
        raise ConfigError(f"{store}: not an account state: {problems}") from None
