"""Jobs go on whatever one of them does, and each trouble is told once."""

import asyncio

import pytest

from external_layers.loops import JobState, Loops
from scalp_strategy.errors import SourceUnavailable


class Story:
    """A job that fails as planned, and what was told of it."""

    def __init__(self, *outcomes: BaseException | None) -> None:
        self.outcomes = list(outcomes)
        self.told: list[tuple[str, bool]] = []
        self.loops = Loops(
            lambda: 7, on_change=lambda job, text: self.told.append((job, bool(text)))
        )
        self.ended = asyncio.Event()

    async def job(self) -> None:
        if not self.outcomes:
            self.ended.set()
            return
        outcome = self.outcomes.pop(0)
        if outcome is not None:
            raise outcome

    async def run(self) -> JobState:
        self.loops.sleep = at_once
        self.loops.every(1.0, "job", self.job)
        await asyncio.wait_for(self.ended.wait(), 10)
        await self.loops.stop()
        return self.loops.states["job"]


async def at_once(_: float) -> None:
    await asyncio.sleep(0)


def test_a_streak_of_failures_is_told_once_and_so_is_its_end() -> None:
    async def story() -> None:
        fault = SourceUnavailable("away")
        told = Story(None, fault, fault, KeyError("a bug"), None, fault)
        state = await told.run()
        assert told.told == [("job", True), ("job", False), ("job", True), ("job", False)]
        assert (state.problem, state.failures, state.done_ms) == (None, 0, 7)

    asyncio.run(story())


def test_a_failing_job_harms_no_other_and_keeps_its_count() -> None:
    async def story() -> None:
        loops, done = Loops(lambda: 7, sleep=at_once), asyncio.Event()
        runs = 0

        async def bad() -> None:
            raise ZeroDivisionError("a bug")

        async def good() -> None:
            nonlocal runs
            runs += 1
            if runs == 50:
                done.set()

        loops.every(1.0, "bad", bad)
        loops.every(1.0, "good", good)
        await asyncio.wait_for(done.wait(), 10)
        assert "a bug" in (loops.states["bad"].problem or "")
        assert loops.states["bad"].failures > 1
        assert loops.states["good"].problem is None
        await loops.stop()

    asyncio.run(story())


def test_a_cancelled_job_is_no_failure() -> None:
    async def story() -> None:
        loops = Loops(lambda: 7)
        state = JobState("job")

        async def cancelled() -> None:
            raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            await loops.once(state, cancelled)
        assert (state.problem, state.failures) == (None, 0)

    asyncio.run(story())


def test_stopping_ends_a_job_where_it_stands() -> None:
    async def story() -> None:
        loops, begun = Loops(lambda: 7), asyncio.Event()

        async def endless() -> None:
            begun.set()
            await asyncio.Event().wait()

        loops.every(1.0, "endless", endless)
        await asyncio.wait_for(begun.wait(), 10)
        await asyncio.wait_for(loops.stop(), 10)
        assert all(task.get_name() != "endless" for task in asyncio.all_tasks())

    asyncio.run(story())
