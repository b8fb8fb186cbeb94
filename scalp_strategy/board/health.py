"""What has failed and works again, told without a flood (pure)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from scalp_strategy.journal.outside import one_line
from scalp_strategy.journal.records import MessageRecord
from scalp_strategy.notice import Notice
from scalp_strategy.telegram.alert_format import failure, recovery

_NAME_LENGTH: Final = 64
_FAILED: Final = "failed"
_RECOVERED: Final = "recovered"
_PAIR_EVERY: Final = timedelta(hours=1)
_WORTH: Final = timedelta(hours=24)
_UNKNOWN: Final = "unknown"


@dataclass(slots=True)
class _Subject:
    """One thing that can fail.

    Attributes
    ----------
    problem
        What is wrong now; empty when it works.
    since
        When that began.
    is_told
        Whether a failure was told, and not yet its end.
    told_at
        When a failure was last told.
    """

    since: datetime
    problem: str = ""
    is_told: bool = False
    told_at: datetime | None = None


class HealthWatch:
    """Tells a failure and its end once, at most one such pair an hour and thing.

    What fails again within the hour is told when the hour is over and it still fails. A failure
    that ends before it was told is not told at all.

    Parameters
    ----------
    grace
        How long a failure must last before it is told.
    """

    def __init__(self, grace: timedelta = timedelta()) -> None:
        self._grace = grace
        self._subjects: dict[str, _Subject] = {}

    def restore(self, messages: Iterable[MessageRecord]) -> None:
        """Take over what was told before a restart; others' messages are passed over."""
        for record in sorted(messages, key=lambda one: one.at_ms):
            kind, _, rest = record.key.partition(":")
            name, word = [*rest.rsplit(":", 2), "", ""][:2]
            if kind == "health" and word in {_FAILED, _RECOVERED}:
                at = datetime.fromtimestamp(record.at_ms / 1_000, UTC)
                self._take_over(name, at, is_failure=word == _FAILED)

    def _take_over(self, name: str, at: datetime, *, is_failure: bool) -> None:
        subject = self._subjects.setdefault(name, _Subject(at))
        subject.is_told = is_failure
        # Until something else is heard of it, it is as it was told to be.
        subject.problem = _UNKNOWN if is_failure else ""
        subject.since = at
        if is_failure:
            subject.told_at = at

    def note(self, name: str, problem: str | None, at: datetime) -> None:
        """Note how something is at an instant; None or empty is well."""
        problem = problem or ""
        subject = self._subjects.setdefault(_name(name), _Subject(at))
        if bool(subject.problem) != bool(problem):
            subject.since = at
        subject.problem = problem

    def notices(self, now: datetime) -> list[Notice]:
        """Return what is to be told now, of all things."""
        return [
            notice
            for name, subject in self._subjects.items()
            for notice in self._told(name, subject, now)
        ]

    def notices_of(self, name: str, now: datetime) -> list[Notice]:
        """Return what is to be told now of one thing that was noted."""
        name = _name(name)
        return list(self._told(name, self._subjects[name], now))

    def _told(self, name: str, subject: _Subject, now: datetime) -> Iterator[Notice]:
        if subject.problem and not subject.is_told and self._is_due(subject, now):
            subject.is_told, subject.told_at = True, now
            yield _notice(name, subject, now)
        elif subject.is_told and not subject.problem:
            subject.is_told = False
            yield _notice(name, subject, now)

    def _is_due(self, subject: _Subject, now: datetime) -> bool:
        if now - subject.since < self._grace:
            return False
        # A clock that was set back must not silence it.
        told_at = subject.told_at
        return told_at is None or not timedelta() <= now - told_at < _PAIR_EVERY


def _name(name: str) -> str:
    # A colon parts a key.
    return one_line(name, _NAME_LENGTH).replace(":", " ")


def _notice(name: str, subject: _Subject, now: datetime) -> Notice:
    word = _FAILED if subject.problem else _RECOVERED
    text = failure(name, subject.problem) if subject.problem else recovery(name)
    since = subject.since.astimezone(UTC)
    return Notice(
        key=f"health:{name}:{word}:{since:%Y%m%dT%H%M%S.%fZ}",
        kind="health",
        html=text.html,
        plain=text.plain,
        at=now,
        expires_at=now + _WORTH,
    )
