"""A fetch of several parts: one that fails does not lose the others."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from external_layers.sources.facts import Fact
from external_layers.sources.spec import FetchContext
from scalp_strategy.errors import PayloadError, SourceRejected, SourceUnavailable

_FAILURES = (SourceUnavailable, SourceRejected, PayloadError)


class PartsMissing(PayloadError):
    """Some parts of a fetch failed, the others came: to be shown and counted, not repeated.

    It is no `SourceUnavailable`: the provider did answer, and must not be left alone because, say,
    one of five publishers is down.
    """


async def facts_of_parts(
    context: FetchContext, parts: Mapping[str, Callable[[], Awaitable[Sequence[Fact]]]]
) -> list[Fact]:
    """Return the facts of all parts, which are asked at once.

    When something goes wrong, or time is up, what came until then is delivered first.

    Raises
    ------
    PartsMissing
        When some parts failed: names them.
    SourceUnavailable, SourceRejected, PayloadError
        When all parts failed: the first one's error.
    """
    facts: list[Fact] = []
    failed: dict[str, Exception] = {}

    async def ask(name: str, part: Callable[[], Awaitable[Sequence[Fact]]]) -> None:
        try:
            facts.extend(await part())
        except _FAILURES as error:
            failed[name] = error

    try:
        async with asyncio.TaskGroup() as group:
            for name, part in parts.items():
                group.create_task(ask(name, part))
    except BaseException:
        context.deliver(facts)
        raise
    if failed:
        context.deliver(facts)
        first = next(iter(failed.values()))
        if len(failed) == len(parts):
            raise first
        raise PartsMissing(f"without {', '.join(sorted(failed))}: {first}")
    return facts
