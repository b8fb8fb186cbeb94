"""Clocks that a test owns, and a wait that moves them."""

import asyncio
import time
from dataclasses import dataclass, field

from external_layers.binance.pacing import Timing

START_MS = 1_790_000_130_250  # 30.25 s into a minute


@dataclass
class FakeTime:
    """Time stands still but for waits, which end at once and move it."""

    s: float = 0.0
    waits: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.s += seconds
        await asyncio.sleep(0)

    def now_ms(self) -> int:
        return START_MS + round(self.s * 1_000)

    def timing(self) -> Timing:
        return Timing(self.now_ms, lambda: self.s, self.sleep, lambda: 0.5)


@dataclass
class ShiftedTime:
    """Real time that a test can push forward; waits are cut short to some milliseconds."""

    ahead_s: float = 0.0
    longest_wait_s: float = 0.02
    waits: list[float] = field(default_factory=list)

    def monotonic_s(self) -> float:
        return time.monotonic() + self.ahead_s

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(min(seconds, self.longest_wait_s))

    def timing(self) -> Timing:
        now_ms = lambda: round((time.time() + self.ahead_s) * 1_000)  # noqa: E731
        return Timing(now_ms, self.monotonic_s, self.sleep, lambda: 0.5)
