"""Time and chance as the exchange clients need them: injected clocks, back-off, limits of rate."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

_MOST_DOUBLINGS: Final = 32


@dataclass(frozen=True, slots=True)
class Timing:
    """The clocks, the way to wait and the chance that a client uses.

    Attributes
    ----------
    now_ms
        Epoch milliseconds on the exchange's clock.
    monotonic_s
        Seconds that never jump, for spans.
    sleep
        Wait for some seconds.
    random
        A number in [0, 1).
    """

    now_ms: Callable[[], int]
    monotonic_s: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    random: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double from `first_s` up to `max_s`, each changed by up to `jitter` of itself."""

    first_s: float
    max_s: float
    jitter: float

    def wait_s(self, attempt: int, chance: float) -> float:
        """Return the wait before an attempt.

        Parameters
        ----------
        attempt
            1 for the first repetition, 2 for the next.
        chance
            A number in [0, 1): 0.5 leaves the wait as it is.

        Examples
        --------
        >>> [Backoff(1.0, 30.0, 0.2).wait_s(attempt, 0.5) for attempt in (1, 2, 3, 9)]
        [1.0, 2.0, 4.0, 30.0]
        """
        doubled = self.first_s * 2.0 ** min(attempt - 1, _MOST_DOUBLINGS)
        return min(doubled, self.max_s) * (1.0 + self.jitter * (2.0 * chance - 1.0))


class RateWindow:
    """At most `count` events in any `span_s` seconds."""

    def __init__(self, count: int, span_s: float) -> None:
        self._count = count
        self._span_s = span_s
        self._taken: deque[float] = deque(maxlen=count)

    def wait_s(self, now_s: float) -> float:
        """Return the seconds until the next event may happen; 0 = now."""
        if len(self._taken) < self._count:
            return 0.0
        return max(0.0, self._taken[0] + self._span_s - now_s)

    def take(self, now_s: float) -> None:
        """Note that an event happens."""
        self._taken.append(now_s)

    async def wait_and_take(self, timing: Timing) -> None:
        """Wait until an event may happen and note it."""
        while (wait := self.wait_s(timing.monotonic_s())) > 0:
            await timing.sleep(wait)
        self.take(timing.monotonic_s())
