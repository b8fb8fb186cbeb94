"""Which events are told in the chat, and when (pure)."""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from scalp_strategy.board.health import HealthWatch
from scalp_strategy.breakers.macro_danger import EXTREME
from scalp_strategy.journal.event_store import content_key
from scalp_strategy.journal.models import HASH_LENGTH, NAME_LENGTH
from scalp_strategy.journal.outside import (
    KIND_LENGTH,
    MACRO,
    OutsideEvent,
    StateChange,
    WhaleMovement,
    one_line,
)
from scalp_strategy.journal.records import MessageRecord
from scalp_strategy.notice import Notice, NoticeKind
from scalp_strategy.setting_groups.journal import AlertSettings
from scalp_strategy.telegram.alert_format import (
    macro_alert,
    macro_relief,
    whale_alert,
    whale_summary,
)
from scalp_strategy.telegram.html import Text

# Kinds of events without content; their text is the source's name, a colon, and what is wrong.
SOURCE_FAILED: Final = "source_failed"
SOURCE_RECOVERED: Final = "source_recovered"

_MS_PER_S: Final = 1_000
_HOUR_MS: Final = 3_600_000
_SUMMARY: Final = "whale:until:"
_NO_REASON: Final = "no reason given"


class _Held(NamedTuple):
    """A transfer that waits for the next summary, and when the sidecar told of it."""

    whale: WhaleMovement
    at_ms: int


class AlertDesk:
    """Turns events into notices: the large and recent ones, not more than a trader reads.

    An event that is given again is not told again, so that what a kill left untold can be given
    anew.

    Parameters
    ----------
    settings
        From which size, how many an hour, how old at most.
    health_alerts
        Whether failures of sources are told.
    """

    def __init__(self, settings: AlertSettings, *, health_alerts: bool = True) -> None:
        self._settings = settings
        self._health_alerts = health_alerts
        self._health = HealthWatch()
        self._sent_ms: deque[int] = deque(maxlen=settings.whale_alerts_per_hour)
        self._held: list[_Held] = []
        self._seen: dict[str, int] = {}
        self._summed_until_ms = -1

    def restore(self, messages: Iterable[MessageRecord]) -> None:
        """Take over what was told before a restart; others' messages are passed over."""
        known = sorted(messages, key=lambda one: one.at_ms)
        self._health.restore(known)
        for record in known:
            if record.kind == "whale":
                self._sent_ms.append(record.at_ms)
            until_ms = record.key.removeprefix(_SUMMARY)
            if until_ms.isdecimal():
                self._summed_until_ms = max(self._summed_until_ms, int(until_ms))
            self._seen[record.key] = record.at_ms

    def notices(self, events: Iterable[OutsideEvent], now_ms: int) -> list[Notice]:
        """Return what is to be told now: of these events, and of those held back before.

        Parameters
        ----------
        events
            Events, in the order in which the sidecar told them.
        now_ms
            Epoch milliseconds.
        """
        self._forget(now_ms)
        said = [self._summary(now_ms)] if self._held and self._has_room(now_ms) else []
        for event in events:
            said += self._told(event, now_ms)
        return [*said, *self._health.notices(_moment(now_ms))]

    def _told(self, event: OutsideEvent, now_ms: int) -> list[Notice]:
        content = event.content
        if isinstance(content, WhaleMovement) and self._is_large(content):
            return self._whale(event, content, now_ms)
        if isinstance(content, StateChange) and event.kind == MACRO:
            return self._macro(event, content, now_ms)
        if event.kind in {SOURCE_FAILED, SOURCE_RECOVERED} and self._health_alerts:
            self._note(event, now_ms)
        return []

    # ---- whales ----

    def _is_large(self, whale: WhaleMovement) -> bool:
        return (whale.amount_usd or 0.0) >= self._settings.whale_alert_usd

    def _whale(self, event: OutsideEvent, whale: WhaleMovement, now_ms: int) -> list[Notice]:
        key = whale_key(event, whale)
        is_old = not self._is_recent(whale.observed_at_ms, now_ms)
        if is_old or key in self._seen or event.at_ms <= self._summed_until_ms:
            return []
        self._seen[key] = whale.observed_at_ms
        if self._held or not self._has_room(now_ms):
            self._held.append(_Held(whale, event.at_ms))
            return []
        self._sent_ms.append(now_ms)
        return [self._notice(key, "whale", whale_alert(whale), whale.observed_at_ms, now_ms)]

    def _summary(self, now_ms: int) -> Notice:
        self._sent_ms.append(now_ms)
        held, self._held = self._held, []
        text = whale_summary([one.whale for one in held])
        # The key says what was summed up: that is not told once more after a restart.
        until_ms = max(one.at_ms for one in held)
        return self._notice(f"{_SUMMARY}{until_ms}", "whale", text, now_ms, now_ms)

    def _has_room(self, now_ms: int) -> bool:
        is_full = len(self._sent_ms) == self._settings.whale_alerts_per_hour
        # A clock that was set back must not silence the desk until it has caught up.
        return not is_full or not 0 <= now_ms - self._sent_ms[0] < _HOUR_MS

    # ---- macro, sources ----

    def _macro(self, event: OutsideEvent, change: StateChange, now_ms: int) -> list[Notice]:
        if change.old == change.new or not self._is_recent(event.at_ms, now_ms):
            return []
        if change.new == EXTREME:
            return self._once("alert", macro_alert(change, event.text), event.at_ms, now_ms)
        if change.old == EXTREME:
            return self._once("relief", macro_relief(change, event.text), event.at_ms, now_ms)
        return []

    def _once(self, word: str, text: Text, at_ms: int, now_ms: int) -> list[Notice]:
        key = f"macro:{word}:{at_ms}"
        if key in self._seen:
            return []
        self._seen[key] = at_ms
        return [self._notice(key, "macro", text, at_ms, now_ms)]

    def _note(self, event: OutsideEvent, now_ms: int) -> None:
        name, _, problem = event.text.partition(": ")
        has_failed = event.kind == SOURCE_FAILED
        # That something failed long ago is no news; that it works again is the state of things.
        if not has_failed or self._is_recent(event.at_ms, now_ms):
            wrong = (problem or _NO_REASON) if has_failed else None
            self._health.note(name, wrong, _moment(event.at_ms))

    # ---- all ----

    def _is_recent(self, at_ms: int, now_ms: int) -> bool:
        return now_ms - at_ms <= self._settings.max_age_s * _MS_PER_S

    def _forget(self, now_ms: int) -> None:
        """Forget what is too old to be told in any case."""
        if any(not self._is_recent(at_ms, now_ms) for at_ms in self._seen.values()):
            kept = {key: at for key, at in self._seen.items() if self._is_recent(at, now_ms)}
            self._seen = kept

    def _notice(self, key: str, kind: NoticeKind, text: Text, since_ms: int, now_ms: int) -> Notice:
        expires_at = _moment(since_ms) + timedelta(seconds=self._settings.max_age_s)
        return Notice(key, kind, text.html, text.plain, _moment(now_ms), expires_at)


def whale_key(event: OutsideEvent, whale: WhaleMovement) -> str:
    """Return the key of a transfer's notice: that of its content, as the journal keeps it.

    One transaction may move two amounts the same way; each is told.
    """
    kept = replace(
        whale,
        token=_cut(whale.token, NAME_LENGTH),
        blockchain=_cut(whale.blockchain, KIND_LENGTH),
        tx_hash=_cut(whale.tx_hash, HASH_LENGTH),
    )
    amount = "" if whale.amount is None else f":{whale.amount:.12g}"
    return f"whale:{content_key(replace(event, content=kept))}{amount}"


def _cut(text: str, length: int) -> str:
    # A cut that ends in a space is cut once more when it is read back.
    return one_line(text, length).rstrip()


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / _MS_PER_S, UTC)
