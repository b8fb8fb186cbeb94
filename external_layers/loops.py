"""Jobs that are done again and again: one failing job harms no other, and says so once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from scalp_strategy.errors import ScalpError

logger = logging.getLogger(__name__)

_PAUSE_S = 1.0  # when a pause itself fails

Job = Callable[[], Awaitable[None]]
Sleep = Callable[[float], Awaitable[None]]


@dataclass(slots=True)
class JobState:
    """How a job is doing.

    Attributes
    ----------
    problem
        Why it failed last, None while it works.
    failures
        How often in a row it failed.
    done_ms
        When it was last done, epoch ms; 0 before.
    """

    name: str
    problem: str | None = None
    failures: int = 0
    done_ms: int = 0


@dataclass(slots=True)
class Loops:
    """The jobs of a service.

    Parameters
    ----------
    now_ms
        The clock.
    sleep
        Waits; injected.
    on_change
        Told (job, problem or None) when a job begins to fail and when it works again.
    """

    now_ms: Callable[[], int]
    sleep: Sleep = asyncio.sleep
    on_change: Callable[[str, str | None], None] = lambda _job, _problem: None
    states: dict[str, JobState] = field(default_factory=dict)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def every(self, seconds: float, name: str, job: Job) -> None:
        """Do a job now and then every so many seconds after it ended."""

        async def pause() -> None:
            await self.sleep(seconds)

        self.whenever(pause, name, job)

    def whenever(self, pause: Job, name: str, job: Job) -> None:
        """Do a job now and then each time that `pause` ends."""
        self.states[name] = JobState(name)
        self._tasks.append(asyncio.create_task(self._run(pause, self.states[name], job), name=name))

    async def stop(self) -> None:
        """End all jobs where they stand and wait until they have."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def once(self, state: JobState, job: Job) -> None:
        """Do a job; keep and tell what went wrong."""
        try:
            await job()
        except ScalpError as error:
            self._failed(state, str(error), None)
        except Exception as error:  # noqa: BLE001 - one job's bug must not end the service
            self._failed(state, f"{type(error).__name__}: {error}", error)
        else:
            self._done(state)

    async def _run(self, pause: Job, state: JobState, job: Job) -> None:
        while True:
            await self.once(state, job)
            try:
                await pause()
            except Exception as error:  # noqa: BLE001 - as in `once`; and never without a pause
                self._failed(state, f"{type(error).__name__}: {error}", error)
                await self.sleep(_PAUSE_S)

    def _done(self, state: JobState) -> None:
        state.done_ms = self.now_ms()
        if state.problem is not None:
            logger.warning("%s works again.", state.name)
            self.on_change(state.name, None)
        state.problem, state.failures = None, 0

    def _failed(self, state: JobState, problem: str, bug: Exception | None) -> None:
        if state.problem is None:
            logger.error("%s failed: %s", state.name, problem, exc_info=bug)
            self.on_change(state.name, problem)
        state.problem, state.failures = problem, state.failures + 1
