"""Simulated days with providers that fail at random, restarts, kills and a clock that is set."""

import asyncio
import json
import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from math import isfinite
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from external_layers.sources import memory_file
from external_layers.sources.facts import Fact, Reading
from external_layers.sources.spec import Client, FetchContext, Provider, Source
from scalp_strategy.errors import SourceUnavailable
from tests.support.simulated_time import SimulatedClock, simulate
from tests.unit.external_layers.sources.runner_house import House, provider, reading, source

DAY_S = 86_400.0
DAYS = 5
BODIES = [b"", b"<html>", b"[]", b'{"value": "x"}', b'{"value": null}', b"{" * 999, b"\xff"]
STATUSES = [400, 401, 403, 404, 408, 429, 429, 429, 500, 500, 502, 503, 503]


class Body:
    """What aiohttp calls the content of an answer."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    async def read(self, most: int) -> bytes:
        return self._raw[:most]

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        for at in range(0, len(self._raw), size):
            yield self._raw[at : at + size]


class Answer:
    def __init__(self, status: int, raw: bytes, headers: dict[str, str]) -> None:
        self.status, self.headers, self.content = status, headers, Body(raw)


class Session:
    """In aiohttp's place: answers after a while, or not, or not well; keeps who was asked when."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.calls: dict[str, list[float]] = defaultdict(list)
        self.is_calm = False
        self._dead_until_s: dict[str, float] = {}

    @asynccontextmanager
    async def request(self, method: str, url: str, **_: Any) -> AsyncIterator[Answer]:
        host = str(urlsplit(url).hostname).partition(".")[0]
        self.calls[host].append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.random.uniform(0.05, 2.0))
        yield await self._answer(host)

    async def _answer(self, host: str) -> Answer:
        now_s, chance = asyncio.get_running_loop().time(), self.random.random()
        good = Answer(200, b'{"value": "%d"}' % self.random.randrange(100), {})
        if self.is_calm:
            return good
        if chance < 0.002:
            self._dead_until_s[host] = now_s + self.random.uniform(60, 30_000)
        if now_s < self._dead_until_s.get(host, 0.0):
            raise ConnectionResetError
        if chance < 0.03:
            await asyncio.sleep(1e6)
        if chance < 0.08:
            wait = self.random.choice(["", "5", "700", "soon", "9" * 20])
            headers = {"Retry-After": wait} if wait and self.random.random() < 0.2 else {}
            return Answer(self.random.choice(STATUSES), b"no", headers)
        return Answer(200, self.random.choice(BODIES), {}) if chance < 0.12 else good


def polling(calls: int) -> Any:
    async def fetch(client: Client, context: FetchContext) -> Sequence[Fact]:
        values = []
        for _ in range(calls):
            reply = await client.get("/value", is_conditional=True)
            value = reply.json()
            if not isinstance(value, dict):
                raise TypeError("a bug")
            values.append(float(value["value"]))
            context.memory["seen"] = [*context.memory.get("seen", []), value["value"]][-20:]
        return [reading(value, context.now_ms()) for value in values]

    return fetch


def streaming(chance: random.Random) -> Any:
    async def fetch(_: Client, context: FetchContext) -> Sequence[Fact]:
        while chance.random() > 0.02:
            await asyncio.sleep(chance.uniform(1, 600))
            context.deliver([reading(1.0, context.now_ms())])
        raise SourceUnavailable("closed")

    return fetch


def sources(chance: random.Random) -> list[Source]:
    shared = provider("shared", (2, 1.0), (30, 60.0), (9_000, DAY_S))
    scarce = provider("scarce", (3, 60.0), (25, DAY_S))
    made = [
        source(f"shared{n}", polling(n), at=shared, every_s=120.0 * n, calls=n)
        for n in (1, 2, 3, 4)
    ]
    made += [source(f"scarce{n}", polling(2), at=scarce, every_s=9_000.0, calls=2) for n in (1, 2)]
    made += [
        source("fast", polling(3), at=provider("fast", (4, 5.0)), every_s=90.0, calls=1),
        source("daily", polling(1), every_s=DAY_S, at=provider("daily", (20, DAY_S))),
        source("hourly", polling(1), every_s=3_600.0, at=provider("hourly", (5, 600.0))),
        source("stream", streaming(chance), every_s=30.0, is_stream=True),
    ]
    return made


def most_in_any_window(calls: list[float], span_s: float) -> int:
    return max(bisect_right(calls, end) - bisect_right(calls, end - span_s) for end in calls)


def assert_within(calls: list[float], limits: Provider) -> None:
    for rate in limits.rates:
        assert most_in_any_window(calls, rate.span_s) <= rate.count, (limits.name, rate)


def assert_sound(house: House, body: bytes, listed: list[Source]) -> None:
    assert len(body) < 100_000
    kept = json.loads(body)
    assert set(kept["sources"]) == {each.spec.name for each in listed}
    for state in house.runner.states().values():
        assert state.is_on, state
        for number in (state.next_due_ms, state.last_attempt_ms, state.last_success_ms):
            assert number is None or isfinite(number)
        assert all(use.used <= use.limit for use in state.budget)
        assert len(str(state)) < 5_000


@pytest.mark.parametrize("seed", [1, 2])
def test_days_of_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    # The days hold thousands of savings; that they reach the disk is shown elsewhere.
    disk: dict[Path, bytes] = {}
    monkeypatch.setattr(memory_file, "replace_file", disk.__setitem__)

    async def story() -> None:
        session, clock = Session(seed), SimulatedClock(seed=seed)
        listed = sources(session.random)
        house = House(tmp_path, clock=clock, section={"jitter": 0.1})
        house.path.write_text("no state")
        for day in range(DAYS):
            session.is_calm = day == DAYS - 1
            runner = house.make(session, *listed)
            await runner.start()
            await asyncio.sleep(DAY_S if not session.is_calm else DAY_S * 1.5)
            assert all(not task.done() for task in runner._tasks), "a task is lost"
            killed = disk[house.path]
            assert_sound(house, killed, listed)
            await runner.stop()
            house.path.write_bytes(killed if day % 2 else disk[house.path])
            clock.start_ms -= (0, 5_000_000, 0, 100, 0)[day]  # set back
        for each in {one.spec.provider for one in listed if not one.spec.is_stream}:
            assert_within(session.calls[each.name], each)
        assert_recovered(house, listed)

    simulate(story(), settled_s=0.0)


def assert_recovered(house: House, listed: list[Source]) -> None:
    last_s = house.clock.now_s()
    for each in listed:
        name = each.spec.name
        facts = [(at_s, fact) for source, at_s, fact in house.delivered if source == name]
        assert all(isinstance(fact, Reading) and isfinite(fact.value) for _, fact in facts)
        assert last_s - facts[-1][0] < max(each.spec.every_s * 1.2, 3_600.0), name
        worse = [problem is not None for source, problem in house.changes if source == name]
        assert True in worse or name == "daily"
        # Told once per trouble: in each process for the worse, then for the better.
        assert sum(worse) - worse.count(False) <= DAYS
