"""Which vetoes are told (pure)."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from scalp_strategy.breakers.daily_drawdown import DailyDrawdown
from scalp_strategy.breakers.macro_danger import EXTREME
from scalp_strategy.journal.records import MessageRecord
from scalp_strategy.notice import Notice
from scalp_strategy.setting_groups.telegram import TelegramSettings
from scalp_strategy.signals import Candidate, Decision, Status, Verdict
from scalp_strategy.telegram.alert_format import breaker_alert, veto_line
from scalp_strategy.telegram.html import Text

_LEAP_HOUR: Final = timedelta(hours=1)  # that the macro breaker looks at
_WORTH: Final = timedelta(hours=1)
_RESUMES: Final = "by itself, when the hour of the move is over"
_PREFIX: Final = "breaker"
_PAUSE: Final = "pause"


class VetoNotices:
    """Tells a breaker's veto once in `telegram.breaker_notice_s`, and a pause once.

    A pause of the account is told when the account changes, that of an EXTREME macro state when
    the state does. A leap of BTC has no other teller: it is told here, once while it lasts.

    Parameters
    ----------
    settings
        `breaker_notice_s`.
    """

    def __init__(self, settings: TelegramSettings) -> None:
        self._every = timedelta(seconds=settings.breaker_notice_s)
        self._told_at: dict[str, datetime] = {}
        self._leapt_at: datetime | None = None

    def restore(self, messages: Iterable[MessageRecord]) -> None:
        """Take over what was told before a restart; others' messages are passed over."""
        for record in sorted(messages, key=lambda one: one.at_ms):
            kind, _, rest = record.key.partition(":")
            name, _, end = rest.partition(":")
            at = datetime.fromtimestamp(record.at_ms / 1_000, UTC)
            if kind == _PREFIX and end.startswith(_PAUSE):
                self._leapt_at = at
            elif kind == _PREFIX:
                self._told_at[name] = at

    def notices(self, decisions: Iterable[Decision], now: datetime) -> list[Notice]:
        """Return what is to be told of the decisions of a candle, best score first."""
        found = [
            self._notice(decision.candidate, verdict, now)
            for decision in decisions
            if decision.status is Status.VETOED
            for verdict in decision.verdicts
            if verdict.blocks
        ]
        return [notice for notice in found if notice is not None]

    def _notice(self, candidate: Candidate, verdict: Verdict, now: datetime) -> Notice | None:
        if verdict.is_pause and verdict.breaker == DailyDrawdown.name:
            return None
        if verdict.is_pause and candidate.macro != EXTREME:
            return self._pause(candidate, verdict, now)
        if not _is_over(self._told_at.get(verdict.breaker), self._every, now):
            return None
        self._told_at[verdict.breaker] = now
        return _told(veto_line(candidate, verdict), candidate, verdict.breaker, now)

    def _pause(self, candidate: Candidate, verdict: Verdict, now: datetime) -> Notice | None:
        is_new = _is_over(self._leapt_at, _LEAP_HOUR, now)
        self._leapt_at = now
        if not is_new:
            return None
        name = f"{verdict.breaker}:{_PAUSE}"
        return _told(breaker_alert(verdict.reason, _RESUMES), candidate, name, now)


def _is_over(since: datetime | None, span: timedelta, now: datetime) -> bool:
    # A clock that was set back must not silence it.
    return since is None or not timedelta() <= now - since < span


def _told(text: Text, candidate: Candidate, name: str, now: datetime) -> Notice:
    close = candidate.close_time.astimezone(UTC)
    return Notice(
        key=f"{_PREFIX}:{name}:{close:%Y%m%dT%H%MZ}",
        kind="breaker",
        html=text.html,
        plain=text.plain,
        at=now,
        expires_at=now + _WORTH,
    )
