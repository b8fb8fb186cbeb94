"""The exchange's request weight: counted per market and minute, enforced on demand."""

from dataclasses import dataclass, field
from typing import Final

from external_layers.binance.messages import MarketKind
from external_layers.replay.minutes import MINUTE_MS

LIMITS: Final[dict[MarketKind, int]] = {"spot": 6_000, "futures": 2_400}


@dataclass(slots=True)
class Weights:
    """Weight used in the running minute; over the limit matters only when `is_enforced`."""

    limits: dict[MarketKind, int] = field(default_factory=lambda: dict(LIMITS))
    is_enforced: bool = False
    _minute: int = 0
    _used: dict[MarketKind, int] = field(default_factory=dict)

    def add(self, kind: MarketKind, weight: int, now_ms: int) -> int:
        """Count a request and return the weight used in its minute."""
        minute = now_ms // MINUTE_MS
        if minute != self._minute:
            self._minute = minute
            self._used = {}
        self._used[kind] = self._used.get(kind, 0) + weight
        return self._used[kind]

    def is_over(self, kind: MarketKind) -> bool:
        """Return whether requests must be refused until the minute ends."""
        return self.is_enforced and self._used.get(kind, 0) > self.limits[kind]


def seconds_left(now_ms: int) -> int:
    """Return the whole seconds until the minute ends, at least 1 (for `Retry-After`)."""
    return max(1, -(-(MINUTE_MS - now_ms % MINUTE_MS) // 1_000))
