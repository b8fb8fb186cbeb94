"""Which events are told in the chat, and when (pure)."""

from collections import deque
from collections.abc import Iterable
from typing import Final

from scalp_strategy.breakers.macro_danger import EXTREME
from scalp_strategy.journal.outside import MACRO, OutsideEvent, StateChange, WhaleMovement
from scalp_strategy.setting_groups.journal import AlertSettings
from scalp_strategy.telegram.alert_format import (
    macro_alert,
    macro_relief,
    whale_alert,
    whale_summary,
)

_MS_PER_S: Final = 1_000
_HOUR_MS: Final = 3_600_000


class AlertDesk:
    """Turns events into messages: the large and recent ones, not more than a trader reads.

    Parameters
    ----------
    settings
        From which size, how many an hour, how old at most.
    """

    def __init__(self, settings: AlertSettings) -> None:
        self._settings = settings
        self._sent_ms: deque[int] = deque(maxlen=settings.whale_alerts_per_hour)
        self._held: list[WhaleMovement] = []

    def messages(self, events: Iterable[OutsideEvent], now_ms: int) -> list[str]:
        """Return what is to be told now: of these events, and of those held back before.

        Parameters
        ----------
        events
            Events that were not given before.
        now_ms
            Epoch milliseconds.
        """
        said = [self._summary(now_ms)] if self._held and self._has_room(now_ms) else []
        for event in events:
            content = event.content
            if isinstance(content, WhaleMovement) and self._is_large(content):
                said += self._whale(content, now_ms)
            elif isinstance(content, StateChange) and event.kind == MACRO:
                said += self._macro(event, content, now_ms)
        return said

    def _is_large(self, whale: WhaleMovement) -> bool:
        return (whale.amount_usd or 0.0) >= self._settings.whale_alert_usd

    def _whale(self, whale: WhaleMovement, now_ms: int) -> list[str]:
        if not self._is_recent(whale.observed_at_ms, now_ms):
            return []
        if self._held or not self._has_room(now_ms):
            self._held.append(whale)
            return []
        self._sent_ms.append(now_ms)
        return [whale_alert(whale)]

    def _macro(self, event: OutsideEvent, change: StateChange, now_ms: int) -> list[str]:
        if change.old == change.new or not self._is_recent(event.at_ms, now_ms):
            return []
        if change.new == EXTREME:
            return [macro_alert(change, event.text)]
        return [macro_relief(change, event.text)] if change.old == EXTREME else []

    def _summary(self, now_ms: int) -> str:
        self._sent_ms.append(now_ms)
        held, self._held = self._held, []
        return whale_summary(held)

    def _has_room(self, now_ms: int) -> bool:
        is_full = len(self._sent_ms) == self._settings.whale_alerts_per_hour
        # A clock that was set back must not silence the desk until it has caught up.
        return not is_full or not 0 <= now_ms - self._sent_ms[0] < _HOUR_MS

    def _is_recent(self, at_ms: int, now_ms: int) -> bool:
        return now_ms - at_ms <= self._settings.max_age_s * _MS_PER_S
