"""An event loop on which waiting costs nothing: days pass in seconds, in a fixed order."""

import asyncio
import random
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

from external_layers.binance.pacing import Timing

START_MS = 1_790_000_000_000
TICK_S = 1e-6  # no wait is shorter, or it would be over before time has moved
SETTLED_S = 0.002  # of real time without traffic: then nothing is on its way any more

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """Looks for traffic; where there is none, time jumps to the next thing that waits for it."""

    def __init__(self, settled_s: float) -> None:
        super().__init__()
        self.now_s = 0.0
        self._settled_s = settled_s

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0 if timeout is not None and timeout <= 0 else self._settled_s)
        if not ready and timeout is None:
            raise AssertionError("everybody waits for somebody else")
        if not ready and timeout is not None:
            self.now_s += max(0.0, timeout)
        return ready


class SimulatedLoop(asyncio.SelectorEventLoop):
    """A loop whose clock moves only when nothing is left to do.

    Real connections work, since client and server run in it; what would be done in threads is done
    at once.
    """

    def __init__(self, settled_s: float = SETTLED_S) -> None:
        self._simulated = _Selector(settled_s)
        super().__init__(self._simulated)

    def time(self) -> float:
        return self._simulated.now_s

    def call_at(self, when: float, *given: Any, **context: Any) -> asyncio.TimerHandle:
        is_later = when > self.time()
        return super().call_at(
            max(when, self.time() + TICK_S) if is_later else when, *given, **context
        )

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - as a thread would hand it over
            done.set_exception(error)
        return done


class SimulatedClock:
    """The clocks of a running simulated loop; the wall clock can be set by a test."""

    def __init__(self, start_ms: int = START_MS, seed: int | None = None) -> None:
        self.start_ms = start_ms
        self._chance = random.Random(seed) if seed is not None else None

    def now_ms(self) -> int:
        return self.start_ms + round(self.now_s() * 1_000)

    def now_s(self) -> float:
        return asyncio.get_running_loop().time()

    def timing(self) -> Timing:
        chance = self._chance.random if self._chance else lambda: 0.5
        return Timing(self.now_ms, self.now_s, asyncio.sleep, chance)


def simulate(story: Coroutine[Any, Any, T], settled_s: float = SETTLED_S) -> T:
    """Run a story on a simulated loop to its end."""
    with asyncio.Runner(loop_factory=lambda: SimulatedLoop(settled_s)) as runner:
        return runner.run(story)
