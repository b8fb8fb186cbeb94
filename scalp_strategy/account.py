"""Equity, day start and open risk: one owner, persisted.

The day is the UTC day. Its start equity is the first equity marked in it. A loss of
`max_daily_drawdown_pct` of it pauses everything: in a backtest until the next UTC day, live until
an admin resumes. A resume before the next UTC day needs a confirmation; it starts the day's count
anew from the present equity, so that another such loss pauses again.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, Protocol

from pydantic import ValidationError

from scalp_strategy.contract import Side, sign_of
from scalp_strategy.errors import ConfigError, StoreError
from scalp_strategy.risk import AccountView
from scalp_strategy.setting_groups.base import Group, setting
from scalp_strategy.setting_groups.breakers import BreakerSettings

STATE_VERSION: Final = 1
# A drawdown this little below the limit is the limit, reached but for binary fractions.
_LIMIT_TOLERANCE: Final = 1e-9


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


class AccountState(Group):
    """What survives a restart."""

    day: str = setting("", "The UTC day that is counted, ISO.")
    day_start_equity: float = setting(0.0, "Equity at its start, quote currency.")
    equity: float = setting(0.0, "Equity as marked last.")
    is_paused: bool = setting(False, "Whether all signals are paused.")
    pause_reason: str = setting("", "Why.")
    paused_at: str = setting("", "Since when, UTC, ISO.")
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
    """

    def __init__(
        self, settings: BreakerSettings, store: StateStore, *, resumes_next_day: bool
    ) -> None:
        self._settings = settings
        self._store = store
        self._resumes_next_day = resumes_next_day
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
        state = _changed(self.state, equity=equity)
        day = now.date().isoformat()
        if day > state.day and equity > 0:
            state = self._new_day(state, day)
        drawdown = self._drawdown_of(state)
        if not state.is_paused and drawdown >= self._limit - _LIMIT_TOLERANCE:
            state = _changed(
                state,
                is_paused=True,
                paused_at=now.isoformat(),
                pause_reason=f"daily drawdown {drawdown:.2f} % of "
                f"{state.day_start_equity:.2f} reached the limit of {self._limit:g} %",
            )
        self._keep(state)

    def pause(self, now: datetime, reason: str) -> None:
        """Stop all signals until `resume`."""
        self._keep(
            _changed(self.state, is_paused=True, pause_reason=reason, paused_at=now.isoformat())
        )

    def resume(self, now: datetime, *, is_confirmed: bool) -> bool:
        """Let signals through again.

        A pause of this UTC day needs the confirmation; the day's count then starts anew.

        Returns
        -------
        bool
            False when the confirmation is missing.
        """
        if not self.state.is_paused:
            return True
        is_same_day = self.state.paused_at[:10] == now.date().isoformat()
        if is_same_day and not is_confirmed:
            return False
        state = _changed(self.state, is_paused=False, pause_reason="", paused_at="")
        if is_same_day:
            state = _changed(state, day_start_equity=state.equity)
        self._keep(state)
        return True

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
    def drawdown_pct(self) -> float:
        """Loss since 00:00 UTC in percent of that equity; negative in profit."""
        return self._drawdown_of(self.state)

    @property
    def _limit(self) -> float:
        return self._settings.max_daily_drawdown_pct

    @staticmethod
    def _drawdown_of(state: AccountState) -> float:
        if state.day_start_equity <= 0:
            return 0.0
        return (1.0 - state.equity / state.day_start_equity) * 100.0

    def _new_day(self, state: AccountState, day: str) -> AccountState:
        state = _changed(state, day=day, day_start_equity=state.equity)
        if self._resumes_next_day:
            state = _changed(state, is_paused=False, pause_reason="", paused_at="")
        return state

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
