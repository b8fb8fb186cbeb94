"""The one room that knows what was told (pure)."""

import zlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from scalp_strategy.account import AccountState
from scalp_strategy.board.health import HealthWatch
from scalp_strategy.board.messages import Revision, SignalMessages, signal_notice_key
from scalp_strategy.board.vetoes import VetoNotices
from scalp_strategy.journal.records import MessageRecord, ReplayRecord
from scalp_strategy.journal.views import DayView
from scalp_strategy.notice import Notice, NoticeKind
from scalp_strategy.settings import Settings
from scalp_strategy.signals import Decision
from scalp_strategy.telegram.alert_format import (
    admin_pause,
    breaker_alert,
    foreign_trades,
    overridden,
    resumed,
)
from scalp_strategy.telegram.html import Text
from scalp_strategy.telegram.report_format import daily_report
from scalp_strategy.trade_state import TradeState

# Returns a decision's message, None when it could not be made (who makes it logs why).
Message: TypeAlias = Callable[[Decision], Text | None]

_GRACE: Final = timedelta(seconds=60)  # that the journal or the sidecar may take to come back
_DAY: Final = timedelta(days=1)
_REMEMBERED: Final = timedelta(days=3)
_BY_COMMAND: Final = "Use /resume command"
_BY_CONFIRMATION: Final = f"{_BY_COMMAND}; before 00:00 UTC it asks for a confirmation"


class Board:
    """Makes the notices of decisions, trades, pauses, days and failures, each once.

    Parameters
    ----------
    settings
        `telegram`, `entry.signal_expiry_minutes` and `signals_only`.

    Notes
    -----
    For one thread, or under its caller's lock. A notice that was returned counts as told; that it
    reaches the trader is the courier's work.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._signals = SignalMessages(settings.telegram.edit_days)
        self._vetoes = VetoNotices(settings.telegram)
        self._health = HealthWatch(_GRACE)
        self._told: dict[str, datetime] = {}

    def restore(self, messages: Iterable[MessageRecord]) -> None:
        """Take over what was told before a restart, before anything else is asked.

        Parameters
        ----------
        messages
            The journal's of the last `telegram.edit_days` at least, of all channels.
        """
        known = list(messages)
        for room in (self._signals, self._vetoes, self._health):
            room.restore(known)
        self._told |= {one.key: datetime.fromtimestamp(one.at_ms / 1_000, UTC) for one in known}

    # ---- signals ----

    def decided(
        self, decisions: Iterable[Decision], message: Message, now: datetime
    ) -> list[Notice]:
        """Return the notices of a candle's decisions: signals first, then vetoes.

        Parameters
        ----------
        decisions
            Best score first, as they were made.
        message
            Gives the message of an approved one.
        now
            The present instant, UTC.
        """
        made = list(decisions)
        found = [self._signal(one, message, now) for one in made if one.is_approved]
        signals = self._new([notice for notice in found if notice is not None], now)
        return [*signals, *self._new(self._vetoes.notices(made, now), now)]

    def refused(self, decisions: Iterable[Decision]) -> list[Revision]:
        """Return the messages to edit for signals that were not taken, or expired.

        Without orders nothing is ever taken: then only their outcome is told.
        """
        if self._settings.signals_only:
            return []
        return [revision for one in decisions for revision in self._signals.refused(one)]

    def traded(self, states: Iterable[TradeState]) -> list[Revision]:
        """Return the messages to edit for trades in another state than they show.

        A trade whose signal was not told, or long ago, has none.
        """
        return [revision for state in states for revision in self._signals.traded(state)]

    def replayed(self, replays: Iterable[ReplayRecord]) -> list[Revision]:
        """Return the messages to edit for signals without a trade whose outcome is known now."""
        is_followed = self._settings.signals_only
        return [
            revision
            for replay in replays
            for revision in self._signals.replayed(replay, is_followed=is_followed)
        ]

    # ---- everything else ----

    def account_changed(
        self, before: AccountState, after: AccountState, now: datetime, by: str = ""
    ) -> list[Notice]:
        """Return the notice of a pause or its end, if that is what has changed.

        Parameters
        ----------
        before, after
            The account's states; at a start, `AccountState()` and the one restored, so that a
            pause that was not told before is told.
        now
            The present instant, UTC.
        by
            Who asked for it, where a person did.
        """
        if after.is_paused and before.paused_at != after.paused_at:
            return self._new([_pause(after, now, by)], now)
        if before.is_paused and not after.is_paused:
            return self._new([_resume(before, now, by)], now)
        return []

    def day_ended(self, day: DayView, now: datetime) -> list[Notice]:
        """Return the report of a UTC day that is over, unless that is long ago."""
        end = datetime(day.date.year, day.date.month, day.date.day, tzinfo=UTC) + _DAY
        if not self._settings.telegram.daily_report or not end <= now < end + _DAY:
            return []
        key = f"daily:{day.date.isoformat()}"
        return self._new([_notice(key, "daily", daily_report(day), now, end + _DAY)], now)

    def foreign_trades(self, named: list[str], stop_ratio: float, now: datetime) -> list[Notice]:
        """Return what is to be told of open trades of other strategies.

        Parameters
        ----------
        named
            Each by number, pair and strategy.
        stop_ratio
            The host's stop of this strategy, which is all that guards them, e.g. -0.99.
        now
            The present instant, UTC.
        """
        key = f"foreign:{zlib.crc32(','.join(named).encode()):08x}"
        return self._new([_notice(key, "health", foreign_trades(named, stop_ratio), now)], now)

    def health(self, name: str, problem: str | None, now: datetime) -> list[Notice]:
        """Return what is to be told of the bot's own health.

        Parameters
        ----------
        name
            "journal" or "sidecar".
        problem
            What is wrong, None when nothing is; to be called again and again, in every loop.
        now
            The present instant, UTC.
        """
        self._health.note(name, problem, now)
        return self._new(self._health.notices_of(name, now), now)

    def _signal(self, decision: Decision, message: Message, now: datetime) -> Notice | None:
        text, key = message(decision), decision.candidate.key
        if text is None:
            return None
        valid = timedelta(minutes=self._settings.entry.signal_expiry_minutes)
        name = signal_notice_key(key)
        if name not in self._told:
            self._signals.add(key, text.html, now)
        return Notice(name, "signal", text.html, text.plain, now, key.close_time + valid, key)

    def _new(self, notices: Iterable[Notice], now: datetime) -> list[Notice]:
        """Return those whose key was not told before."""
        self._told = {key: at for key, at in self._told.items() if now - at < _REMEMBERED}
        fresh = []
        for notice in notices:
            if notice.key not in self._told:
                self._told[notice.key] = now
                fresh.append(notice)
        return fresh


def _notice(
    key: str, kind: NoticeKind, text: Text, now: datetime, expires_at: datetime | None = None
) -> Notice:
    return Notice(key, kind, text.html, text.plain, now, expires_at)


def _pause(state: AccountState, now: datetime, by: str) -> Notice:
    key = f"pause:{state.paused_at}"
    if state.is_admin_pause:
        return _notice(key, "admin", admin_pause(by, state.pause_reason), now)
    return _notice(key, "breaker", breaker_alert(state.pause_reason, _BY_CONFIRMATION), now)


def _resume(paused: AccountState, now: datetime, by: str) -> Notice:
    # As the account has it: only a drawdown's pause, ended on its own day, is overridden.
    is_of_today = paused.paused_at[:10] == now.date().isoformat()
    is_override = is_of_today and not paused.is_admin_pause
    text = (overridden if is_override else resumed)(by, paused.pause_reason)
    return _notice(f"resume:{now.astimezone(UTC).isoformat()}", "admin", text, now)
