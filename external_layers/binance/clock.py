"""The exchange's clock: measured against a clock that never jumps, so ours may."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from scalp_strategy.errors import PayloadError, ScalpError
from scalp_strategy.setting_groups.sidecar import FeedSettings

logger = logging.getLogger(__name__)

_LOOK_S: Final = 5.0  # how often the machine's clock is watched for a jump


@dataclass(frozen=True, slots=True)
class ClockSample:
    """One question for the time: monotonic milliseconds around it, and the answer."""

    sent_ms: float
    received_ms: float
    server_ms: int

    @property
    def round_trip_ms(self) -> float:
        """Milliseconds from the question to the answer."""
        return self.received_ms - self.sent_ms


@dataclass(frozen=True, slots=True)
class ClockEstimate:
    """What to add to the monotonic clock; wrong by at most `error_ms`."""

    offset_ms: float
    error_ms: float


def estimate_offset(samples: Sequence[ClockSample]) -> ClockEstimate:
    """Return the offset of the exchange's clock from the fastest answer.

    The answer's time, plus the half millisecond that its rounding took, is assumed to be that of
    the middle of the round trip; it was read at some instant of it, so the error is at most half
    the round trip and the half millisecond.

    Raises
    ------
    PayloadError
        When there is no sample with a time after its question.

    References
    ----------
    F. Cristian, "Probabilistic clock synchronization", Distributed Computing 3 (1989).

    Examples
    --------
    >>> estimate_offset([ClockSample(100.0, 110.0, 1_104)])
    ClockEstimate(offset_ms=999.5, error_ms=5.5)
    """
    usable = [each for each in samples if each.round_trip_ms >= 0 and each.server_ms > 0]
    if not usable:
        raise PayloadError("no usable time from the exchange")
    best = min(usable, key=lambda each: each.round_trip_ms)
    middle = (best.sent_ms + best.received_ms) / 2.0
    return ClockEstimate(best.server_ms + 0.5 - middle, best.round_trip_ms / 2.0 + 0.5)


class ExchangeClock:
    """Epoch milliseconds on the exchange's clock: the monotonic clock plus a measured offset.

    Until the first measurement the machine's own clock sets the offset. A later step of that
    clock does not move this one; it is counted and calls for a new measurement, since it may mean
    that the machine slept, which a monotonic clock does not see.

    Parameters
    ----------
    jump_ms
        Milliseconds by which machine and monotonic clock may part.
    wall_ms, monotonic_ms
        The machine's clock (epoch) and one that never jumps, in milliseconds.
    """

    def __init__(
        self,
        jump_ms: float,
        wall_ms: Callable[[], float] = lambda: time.time() * 1_000,
        monotonic_ms: Callable[[], float] = lambda: time.monotonic() * 1_000,
    ) -> None:
        self._jump_ms = jump_ms
        self._wall_ms = wall_ms
        self.monotonic_ms = monotonic_ms
        self._offset_ms = self._wall_offset_ms = wall_ms() - monotonic_ms()
        self.error_ms: float | None = None
        self.measured_at_ms: int | None = None
        self.jumps = 0

    def now_ms(self) -> int:
        """Return epoch milliseconds on the exchange's clock."""
        return int(self.monotonic_ms() + self._offset_ms)

    def skew_ms(self) -> float:
        """Return the machine's clock minus the exchange's, in milliseconds."""
        return self._wall_ms() - self.monotonic_ms() - self._offset_ms

    def adopt(self, estimate: ClockEstimate) -> None:
        """Take over a measurement."""
        self._offset_ms, self.error_ms = estimate.offset_ms, estimate.error_ms
        self.measured_at_ms = self.now_ms()

    def has_jumped(self) -> bool:
        """Return whether the machine's clock jumped since the last look; each jump counts once."""
        offset = self._wall_ms() - self.monotonic_ms()
        has_jumped = abs(offset - self._wall_offset_ms) > self._jump_ms
        self._wall_offset_ms = offset
        self.jumps += has_jumped
        return has_jumped


AskTime = Callable[[], Awaitable[ClockSample]]


async def measure(clock: ExchangeClock, ask: AskTime, samples: int) -> bool:
    """Ask the exchange for the time and set the clock; return whether that worked."""
    try:
        clock.adopt(estimate_offset([await ask() for _ in range(samples)]))
    except ScalpError as error:
        logger.debug("no time from the exchange: %s", error)
        return False
    return True


async def keep_clock(
    clock: ExchangeClock,
    ask: AskTime,
    settings: FeedSettings,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Measure now, every `clock_poll_s` and after a jump, until cancelled.

    A failed measurement keeps the last offset and is repeated at the next look, seconds later.
    """
    due_ms = clock.monotonic_ms()
    was_answered = True
    while True:
        if clock.has_jumped():
            due_ms = clock.monotonic_ms()
        if clock.monotonic_ms() >= due_ms:
            is_answered = await measure(clock, ask, settings.clock_samples)
            if is_answered:
                due_ms = clock.monotonic_ms() + settings.clock_poll_s * 1_000
            if is_answered != was_answered:
                _tell(is_answered=is_answered)
            was_answered = is_answered
        await sleep(min(_LOOK_S, settings.clock_poll_s))


def _tell(*, is_answered: bool) -> None:
    if is_answered:
        logger.info("the exchange tells its time again")
    else:
        logger.warning("the exchange does not tell its time; the last offset stays")
