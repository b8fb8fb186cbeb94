"""Parts of a fetch: what came is never lost, whatever ends it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from external_layers.sources.facts import MARKET, Fact, Watched
from external_layers.sources.parts import facts_of_parts
from tests.support.asked import NOW_MS, context_of

FACT = Watched("stories", MARKET, "here", NOW_MS, NOW_MS)


async def quick() -> list[Fact]:
    return [FACT]


async def never() -> list[Fact]:
    await asyncio.Event().wait()
    return []


async def broken() -> list[Fact]:
    raise ZeroDivisionError


def test_parts_are_asked_at_once() -> None:
    meeting = asyncio.Event()

    async def waits() -> list[Fact]:
        await meeting.wait()
        return []

    async def frees() -> list[Fact]:
        meeting.set()
        return [FACT]

    parts: dict[str, Callable[[], Awaitable[list[Fact]]]] = {"a": waits, "b": frees}
    assert asyncio.run(facts_of_parts(context_of({}), parts)) == [FACT]


def test_what_came_is_delivered_when_time_is_up() -> None:
    context = context_of({})

    async def cut() -> None:
        asked = asyncio.Event()

        async def last() -> list[Fact]:
            asked.set()
            return await never()

        task = asyncio.create_task(facts_of_parts(context, {"b": quick, "a": last}))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cut())
    assert context.delivered == [FACT]


def test_a_bug_is_not_hidden_and_loses_nothing() -> None:
    context = context_of({})
    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(facts_of_parts(context, {"b": quick, "a": broken}))
    assert caught.group_contains(ZeroDivisionError)
    assert context.delivered == [FACT]
