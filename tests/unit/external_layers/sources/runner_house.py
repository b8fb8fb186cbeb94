"""Sources made for a test, the runner that asks them, and what came of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, DummyCookieJar

from external_layers.runner import Runner, SourceState
from external_layers.sources.facts import FEAR_GREED, MARKET, Fact, Reading
from external_layers.sources.spec import (
    CallRate,
    Client,
    FetchContext,
    Provider,
    Source,
    SourceSpec,
)
from scalp_strategy.settings import Settings
from tests.support.provider_server import ProviderServer
from tests.support.simulated_time import SimulatedClock

Fetch = Callable[[Client, FetchContext], Awaitable[Sequence[Fact]]]


def provider(name: str = "index", *rates: tuple[int, float], **changes: Any) -> Provider:
    limits = tuple(CallRate(*rate) for rate in rates or ((1_000, 60.0),))
    return Provider(name, f"https://{name}.invalid", limits, "free", "https://docs", **changes)


def reading(value: float, at_ms: int) -> Reading:
    return Reading(FEAR_GREED, MARKET, value, at_ms, at_ms)


async def ask_once(client: Client, context: FetchContext) -> list[Fact]:
    """Ask for one value under the source's only path."""
    reply = await client.get("/value")
    return [reading(float(reply.json()["value"]), reply.received_ms)]


def source(
    name: str = "index", fetch: Fetch = ask_once, at: Provider | None = None, **changes: Any
) -> Source:
    given: dict[str, Any] = {
        "layer": "sentiment",
        "feeds": ("fear_greed",),
        "every_s": 600.0,
        "history": "none",
        "honesty": "A test's.",
    } | changes
    spec = SourceSpec(name=name, provider=at or provider(name), **given)
    return Source(spec, fetch, lambda *_: [])


@dataclass
class House:
    """A runner and what it told; `folder` outlives it."""

    folder: Path
    base_url: str | None = None
    section: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    delivered: list[tuple[str, float, Fact]] = field(default_factory=list)
    changes: list[tuple[str, str | None]] = field(default_factory=list)
    runner: Runner = field(init=False)

    @contextlib.asynccontextmanager
    async def running(self, *sources: Source) -> AsyncIterator[Runner]:
        """A runner that is started, and stopped when the block ends."""
        async with self.made(*sources) as runner:
            await runner.start()
            try:
                yield runner
            finally:
                await runner.stop()

    @contextlib.asynccontextmanager
    async def made(self, *sources: Source) -> AsyncIterator[Runner]:
        """A runner that is not started."""
        async with ClientSession(trust_env=False, cookie_jar=DummyCookieJar()) as session:
            yield self.make(session, *sources)

    def make(self, session: Any, *sources: Source) -> Runner:
        self.runner = Runner(
            sources,
            session,
            Settings.model_validate({"sources": {"jitter": 0.0, **self.section}}),
            self.clock.timing(),
            self.path,
            environment=self.environment,
            base_url=self.base_url,
            market=lambda: (("BTC", "SOL"), lambda name: {"SOL": 2.0}.get(name, 1.0)),
            deliver=self._deliver,
            on_change=lambda name, problem: self.changes.append((name, problem)),
        )
        return self.runner

    @property
    def path(self) -> Path:
        return self.folder / "sources.json"

    def state(self, name: str = "index") -> SourceState:
        return self.runner.states()[name]

    def told(self, name: str = "index") -> list[bool]:
        """Return whether each change of a source was for the worse."""
        return [problem is not None for each, problem in self.changes if each == name]

    def values(self, name: str = "index") -> list[float]:
        """Return the readings of a source."""
        return [
            fact.value
            for each, _, fact in self.delivered
            if each == name and isinstance(fact, Reading)
        ]

    def _deliver(self, spec: SourceSpec, facts: Sequence[Fact]) -> None:
        self.delivered += [(spec.name, self.clock.now_s(), fact) for fact in facts]


def house_at(server: ProviderServer, folder: Path, **given: Any) -> House:
    return House(folder, base_url=server.url, **given)


async def until(seconds: float) -> None:
    """Let simulated time pass until that second."""
    await asyncio.sleep(seconds - asyncio.get_running_loop().time())
