"""Which sources are asked, when and with what; providers over loopback HTTP, time is simulated."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from external_layers.sources.facts import Fact
from external_layers.sources.spec import Client, FetchContext, Source
from scalp_strategy.errors import ConfigError, ContractViolation
from scalp_strategy.settings import Settings, load_settings
from tests.support.provider_server import never, ok, provider_server, speaking, status
from tests.support.simulated_time import SimulatedClock, simulate
from tests.unit.external_layers.sources.runner_house import (
    House,
    ask_once,
    house_at,
    provider,
    reading,
    source,
    until,
)

PATH = "/index/value"
GOOD = ok({"value": "7"})


async def nothing(_: Client, __: FetchContext) -> Sequence[Fact]:
    return []


# ---- which ----


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({"disabled": ("gone",)}, r"sources\.disabled: unknown 'gone'; allowed: index, other"),
        ({"every_s": {"gone": 60.0}}, r"sources\.every_s: unknown 'gone'; allowed: index, other"),
        ({"urls": {"gone": "https://a"}}, r"sources\.urls: unknown 'gone'; allowed: house, index"),
        ({"urls": {"index": "ftp://a"}}, r"sources\.urls\.index: 'ftp://a' is no http"),
        ({"urls": {"index": "a.invalid"}}, r"sources\.urls\.index: 'a\.invalid' is no http"),
    ],
)
def test_settings_that_name_what_there_is_not(
    tmp_path: Path, section: dict[str, Any], says: str
) -> None:
    async def story() -> None:
        house = House(tmp_path, section=section)
        with pytest.raises(ConfigError, match=says):
            house.make(None, source(), source("other", at=provider("house")))

    simulate(story())


@pytest.mark.parametrize("value", [0.0, -1.0, 0.5])
def test_a_cadence_that_is_none_is_refused_where_settings_are(value: float) -> None:
    with pytest.raises(ConfigError, match="every_s"):
        load_settings({"scalp": {"sources": {"every_s": {"index": value}}}}, {})


@pytest.mark.parametrize(
    ("sources", "says"),
    [
        ([source(), source()], "two sources are named index"),
        ([source(), source("b", at=provider("index", (1, 5.0)))], "two providers are named index"),
    ],
)
def test_names_are_one_things(tmp_path: Path, sources: list[Source], says: str) -> None:
    async def story() -> None:
        with pytest.raises(ContractViolation, match=says):
            House(tmp_path).make(None, *sources)

    simulate(story())


@pytest.mark.parametrize(
    ("section", "environment", "changes", "why"),
    [
        ({}, {}, {}, None),
        ({"is_enabled": False}, {}, {}, "off: sources.is_enabled is false"),
        ({"disabled": ("index",)}, {}, {}, "off: named in sources.disabled"),
        ({}, {"A": "  "}, {"keys": ("A",), "needs_key": True}, "off: set A in the environment"),
        (
            {},
            {"C": "x"},
            {"keys": ("A", "B", "C"), "needs_key": True},
            "off: set A and B in the environment",
        ),
        ({}, {"A": "x"}, {"keys": ("A",), "needs_key": True}, None),
        ({}, {}, {"keys": ("A",)}, None),
    ],
)
def test_why_a_source_is_off(
    tmp_path: Path,
    section: dict[str, Any],
    environment: dict[str, str],
    changes: dict[str, Any],
    why: str | None,
) -> None:
    async def story() -> None:
        house = House(tmp_path, section=section, environment=environment)
        async with house.running(source("index", nothing, **changes)):
            await until(1)
            state = house.state()
            assert (state.is_on, state.why_off) == (why is None, why)
            assert (state.last_attempt_ms is None) is (why is not None)
            assert house.changes == []  # being off is no trouble

    simulate(story())


def test_what_a_fetch_knows(tmp_path: Path) -> None:
    contexts: list[FetchContext] = []

    async def fetch(_: Client, context: FetchContext) -> Sequence[Fact]:
        contexts.append(context)
        return []

    async def story() -> None:
        environment = {"A": "x", "B": "", "OTHER": "y"}
        house = House(tmp_path, environment=environment)
        async with house.running(source("index", fetch, keys=("A", "B"))):
            await until(5)
            (context,) = contexts
            assert dict(context.keys) == {"A": "x"}
            assert context.tokens == ("BTC", "SOL")
            assert context.price("SOL") == 2.0
            assert context.now_ms() == house.clock.start_ms + 5_000
            assert isinstance(context.settings, Settings)
            assert context.memory == {}

    simulate(story())


# ---- when ----


def test_the_cadence_counts_from_the_beginning_of_a_fetch_and_can_be_set(tmp_path: Path) -> None:
    begun: list[float] = []

    async def slow(_: Client, context: FetchContext) -> Sequence[Fact]:
        begun.append(asyncio.get_running_loop().time())
        await asyncio.sleep(15.0)
        return []

    async def story() -> None:
        house = House(tmp_path, section={"every_s": {"index": 100.0}})
        async with house.running(source("index", slow), source("quick", slow, every_s=10.0)):
            await until(399)

    simulate(story())
    assert [each for each in begun if each % 100 == 0] == [0, 0, 100, 200, 300, 300]
    assert [round(each) for each in begun if each % 15 == 0][:5] == [0, 0, 15, 30, 45]


def test_waits_are_spread_by_the_jitter(tmp_path: Path) -> None:
    begun: list[float] = []

    async def fetch(_: Client, __: FetchContext) -> Sequence[Fact]:
        begun.append(asyncio.get_running_loop().time())
        return []

    async def story() -> None:
        house = House(tmp_path, section={"jitter": 0.2}, clock=SimulatedClock(seed=3))
        async with house.running(source("index", fetch, every_s=100.0)):
            await until(20_000)

    simulate(story())
    waits = [after - before for before, after in pairwise(begun)]
    assert 80 <= min(waits) < 85
    assert 115 < max(waits) <= 120
    assert 97 < sum(waits) / len(waits) < 103


def test_a_restart_waits_for_what_is_not_due_and_goes_on_with_memory(tmp_path: Path) -> None:
    async def count(client: Client, context: FetchContext) -> Sequence[Fact]:
        context.memory["n"] = context.memory.get("n", 0) + 1
        return [*await ask_once(client, context), reading(context.memory["n"], context.now_ms())]

    async def story() -> None:
        async with provider_server() as server:
            server.on(PATH, GOOD)
            house = house_at(server, tmp_path)
            for stop_s in (700, 900, 1_100, 1_900):
                async with house.running(source("index", count)):
                    await until(stop_s)
                    assert house.state().last_success_ms is not None
            assert [round(each.at_s) for each in server.requests] == [0, 600, 1_200, 1_800]
            assert house.values() == [7, 1, 7, 2, 7, 3, 7, 4]

    simulate(story())


def test_what_is_overdue_at_a_start_is_asked_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with provider_server() as server:
            server.on(PATH, GOOD)
            house = house_at(server, tmp_path)
            for begin_s in (0, 10_000):
                await until(begin_s)
                async with house.running(source()):
                    await until(begin_s + 1)
            assert [round(each.at_s) for each in server.requests] == [0, 10_000]

    simulate(story())


@pytest.mark.parametrize("ahead_ms", [-(10**10), 10**10])
def test_a_clock_that_is_set_stalls_and_floods_nothing(tmp_path: Path, ahead_ms: int) -> None:
    """By four months, once while it runs and once between two runs."""

    async def story() -> None:
        async with provider_server() as server:
            server.on(PATH, GOOD)
            house = house_at(server, tmp_path)
            tight = source("index", at=provider("index", (3, 2_000.0)))
            async with house.running(tight):
                await until(700)
                house.clock.start_ms += ahead_ms
                await until(1_300)
                assert house.state().next_due_ms == house.clock.start_ms + 1_800_000
            assert [round(each.at_s) for each in server.requests] == [0, 600, 1_200]
            house.clock.start_ms += ahead_ms
            async with house.running(tight):
                await until(6_000)
            times = [round(each.at_s) for each in server.requests][3:]
            if ahead_ms < 0:  # at worst all calls count as just made: their window, and it goes on
                assert times[0] == 3_300
                assert times[-1] > 5_000
            else:
                assert times[:2] == [1_300, 1_900]

    simulate(story())


# ---- budgets ----


def test_a_budget_is_shared_by_the_sources_of_a_provider_and_shown(tmp_path: Path) -> None:
    async def story() -> None:
        async with provider_server() as server:
            server.on(PATH, GOOD)
            shared = provider("index", (4, 1_000.0))
            house = house_at(server, tmp_path)
            sources = [source(name, at=shared, every_s=100.0) for name in ("one", "two")]
            async with house.running(*sources):
                await until(950)
                assert server.count() == 4
                for name in ("one", "two"):
                    (use,) = house.state(name).budget
                    assert (use.used, use.limit, use.span_s) == (4, 4, 1_000.0)
                    assert house.state(name).refusals == 1
                    assert "no call is left" in str(house.state(name).problem)
                    assert house.state(name).circuit_open_until_ms is None
                    assert house.state(name).next_due_ms == house.clock.start_ms + 1_000_001
                await until(1_500)
                assert server.count() == 8
                assert house.told("one") == [True, False, True]

    simulate(story())


def test_a_call_whose_turn_does_not_come_within_the_fetchs_time(tmp_path: Path) -> None:
    """Also behind a call that waits: neither counts as a provider that does not answer."""

    async def many(client: Client, _: FetchContext) -> Sequence[Fact]:
        await asyncio.gather(*(client.get("/value") for _ in range(9)))
        return []

    async def story() -> None:
        async with provider_server() as server:
            server.on(PATH, GOOD)
            house = house_at(server, tmp_path)
            slow = source("index", many, at=provider("index", (2, 9.0)), timeout_s=20.0)
            async with house.running(slow):
                await until(30)
                assert server.count() == 6
                state = house.state()
                assert (state.refusals, state.failures) == (1, 1)

    simulate(story())


def test_a_killed_process_forgets_no_call(tmp_path: Path) -> None:
    """Killed while it asks, and killed just after: the next one counts what it may have asked."""

    async def three(client: Client, _: FetchContext) -> Sequence[Fact]:
        for _ in range(3):
            await client.get("/value")
        return []

    async def story() -> None:
        async with provider_server() as server:
            for answers in ([GOOD, never()], [GOOD]):
                server.on(PATH, *answers)
                house = house_at(server, tmp_path / str(len(answers)))
                scarce = source("index", three, at=provider("index", (5, 86_400.0)), calls=3)
                async with house.made(scarce) as killed:
                    await killed.start()
                    await asyncio.sleep(1.0)
                    body = house.path.read_bytes()
                    await killed.stop()
                house.path.write_bytes(body)
                async with house.made(scarce) as after:
                    state = after.states()["index"]
                    assert state.budget[0].used == 3
                    assert state.next_due_ms is not None
                    assert state.next_due_ms >= house.clock.now_ms() + 290_000

    simulate(story())


def test_conditions_hold_over_restarts_but_not_over_failures(tmp_path: Path) -> None:
    async def fetch(client: Client, context: FetchContext) -> Sequence[Fact]:
        reply = await client.get("/value", is_conditional=True)
        if reply.is_unchanged:
            return []
        return [reading(float(reply.json()["value"]), reply.received_ms)]

    async def story() -> None:
        async with provider_server() as server:
            house = house_at(server, tmp_path, section={"every_s": {"index": 10.0}})
            server.on(PATH, ok({"value": "x"}, ETag='"v1"'))  # nothing to be made of it
            async with house.running(source("index", fetch)):
                await until(25)
            server.on(PATH, ok({"value": "7"}, ETag='"v2"'))
            async with house.running(source("index", fetch)):
                await until(31)
            server.on(PATH, status(304))
            async with house.running(source("index", fetch)):
                await until(55)
            asked = [each.headers.get("If-None-Match") for each in server.requests]
            assert asked == [None, None, None, None, '"v2"', '"v2"']
            assert house.values() == [7.0]
            assert house.state().problem is None

    simulate(story())


# ---- memory ----


def test_a_fetch_that_fails_leaves_no_trace_in_the_memory(tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []

    async def fetch(_: Client, context: FetchContext) -> Sequence[Fact]:
        seen.append(dict(context.memory))
        number = len(seen)
        context.memory["told"] = number
        if number == 2:
            context.deliver([reading(1.0, 1)])  # this much is told
        context.memory["lost"] = number
        if number != 4:
            raise ZeroDivisionError
        return []

    async def story() -> None:
        house = House(tmp_path)
        async with house.running(source("index", fetch, every_s=10.0)):
            await until(45)

    simulate(story())
    assert seen == [{}, {}, {"told": 2}, {"told": 2}, {"told": 4, "lost": 4}]


@pytest.mark.parametrize("value", [{1, 2}.union, float, {"key": "s3cret-key"}, [["s3cret-key"]]])
def test_what_cannot_or_must_not_be_remembered_is_a_bug_of_its_source_alone(
    tmp_path: Path, value: Any
) -> None:
    async def fetch(_: Client, context: FetchContext) -> Sequence[Fact]:
        context.memory["value"] = value
        return []

    async def good(_: Client, context: FetchContext) -> Sequence[Fact]:
        context.memory["value"] = 5
        return []

    async def story() -> None:
        house = House(tmp_path, environment={"A": "s3cret-key"})
        async with house.running(source("index", fetch, keys=("A",)), source("good", good)):
            await until(100)
            assert "ContractViolation" in str(house.state().problem)
            assert house.state("good").problem is None
        body = house.path.read_bytes()
        assert b'"value":5' in body
        assert b"s3cret" not in body

    simulate(story())


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\x00" * 100, b"[]", b"{", b'{"version": 2}', b'{"sources": {"index": 5}}',
        b"[" * 9_999,
        b'{"sources": {"index": {"due_ms": 1e400}}}', b'{"providers": {"index": {"calls": [[1]]}}}',
        b'{"sources": {"index": {"due_ms": 99999999999999999999999}}}',
        b'{"sources": {"index": {"memory": [1], "due_ms": 9000000000000000000}, "gone": {}}}',
        b'{"providers": {"index": {"calls": [[9000000000000000000, 1000000000]], "trips": 9999}}}',
        b'{"providers": {"index": {"open_until_ms": 9000000000000000000, "trips": -9}}}',
        b'{"providers": {"index": {"paused_until_ms": {"": 9000000000000000000}}}}',
    ],
)  # fmt: skip
def test_a_file_that_is_not_understood_stalls_nothing_for_long(tmp_path: Path, body: bytes) -> None:
    async def story() -> None:
        async with provider_server() as server:
            server.on(PATH, GOOD)
            house = house_at(server, tmp_path, section={"max_pause_s": 1_800.0})
            house.path.write_bytes(body)
            async with house.running(source()):
                await until(4_000)
                assert house.values()
                assert house.state().problem is None

    simulate(story())


def test_a_disk_that_refuses_is_told_once_and_ends_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with provider_server() as server:
            server.on(PATH, GOOD)
            house = house_at(server, tmp_path / "folder")
            (tmp_path / "folder").write_text("a file where the folder should be")
            async with house.running(source(every_s=60.0)) as runner:
                await until(200)
                assert house.values() == [7.0] * 4
                assert runner.problem
                assert house.told("state of the sources") == [True]
                (tmp_path / "folder").unlink()
                await until(300)
                assert runner.problem is None
                assert house.told("state of the sources") == [True, False]
            assert house.path.exists()

    simulate(story())


# ---- streams ----


async def listen(client: Client, context: FetchContext) -> Sequence[Fact]:
    async for body, received_ms in client.messages("/value", [{"subscribe": 1}]):
        context.deliver([reading(float(body), received_ms)])
    return []


def test_a_stream_is_begun_again_after_its_wait(tmp_path: Path) -> None:
    async def story() -> None:
        async with provider_server() as server:
            server.on(PATH, speaking("1", "2", lasts_s=1_000.0))
            house = house_at(server, tmp_path)
            async with house.running(source("index", listen, every_s=50.0, is_stream=True)):
                await until(2_500)
                # A second or less to close goes by before the wait.
                assert [round(each.at_s, -1) for each in server.requests] == [0, 1_050, 2_100]
                assert house.values() == [1, 2] * 3
                assert house.changes == []
                assert house.state().facts == 6

    simulate(story())


def test_a_stream_that_breaks_waits_longer_each_time_and_recovers_once_it_lasts(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with provider_server() as server:
            server.on(
                PATH, speaking("1", lasts_s=5.0), speaking("2", code=1_011), status(500),
                speaking("3", lasts_s=10_000.0),
            )  # fmt: skip
            house = house_at(server, tmp_path)
            async with house.running(source("index", listen, every_s=50.0, is_stream=True)):
                await until(365)
                begun = [round(each.at_s, -1) for each in server.requests]
                assert begun == [0, 60, 160, 360]
                assert house.told() == [True]
                await until(500)
                assert house.told() == [True, False]
                assert house.values() == [1, 2, 3]
                assert house.state().failures == 0

    simulate(story())


def test_a_dead_stream_is_left_alone(tmp_path: Path) -> None:
    async def story() -> None:
        async with provider_server() as server:
            server.on(PATH, status(500))
            house = house_at(server, tmp_path, section={"circuit_failures": 2})
            async with house.running(source("index", listen, every_s=10.0, is_stream=True)):
                await until(5_000)
                assert [round(each.at_s) for each in server.requests] == [
                    0,
                    10,
                    310,
                    910,
                    2_110,
                    4_510,
                ]

    simulate(story())


# ---- one by one ----


def test_a_source_can_be_tried_out_without_changing_what_it_knows(tmp_path: Path) -> None:
    async def count(client: Client, context: FetchContext) -> Sequence[Fact]:
        context.memory["n"] = context.memory.get("n", 0) + 1
        return [*await ask_once(client, context), reading(context.memory["n"], 1)]

    async def story() -> None:
        async with provider_server() as server:
            server.on(PATH, GOOD)
            house = house_at(server, tmp_path)
            scarce = source("index", count, at=provider("index", (2, 1_000.0)))
            async with house.made(scarce) as runner:
                state = await runner.once("index")
                assert (state.problem, state.facts) == (None, 2)
            async with house.made(scarce) as runner:
                assert (await runner.once("index")).problem is None
                assert "no call is left" in str((await runner.once("index")).problem)
                assert server.count() == 2
                assert runner.states()["index"].next_due_ms == house.clock.now_ms()
            assert house.values() == [7, 1, 7, 1]

    simulate(story())


def test_what_is_off_paused_or_under_way_is_not_tried_out(tmp_path: Path) -> None:
    async def story() -> None:
        async with provider_server() as server:
            server.on(PATH, status(429, Retry_After="600"))
            house = house_at(server, tmp_path, section={"disabled": ("off",)})
            other = source("other", at=provider("other"))
            server.on("/other/value", never())
            sources = (source(), source("off", at=provider("index")), other)
            async with house.made(*sources) as runner:
                assert not (await runner.once("off")).is_on
                assert "429" in str((await runner.once("index")).problem)
                assert "left alone for 600 s" in str((await runner.once("index")).problem)
                await runner.start()
                await until(1)
                await runner.once("other")
                assert [each.path for each in server.requests] == [PATH, "/other/value"]
                await runner.stop()

    simulate(story())


def test_a_stream_is_tried_out_for_a_while(tmp_path: Path) -> None:
    async def story() -> None:
        async with provider_server() as server:
            server.on(PATH, speaking("1", lasts_s=10_000.0))
            house = house_at(server, tmp_path)
            async with house.made(source("index", listen, is_stream=True)) as runner:
                state = await runner.once("index")
                assert (state.problem, house.values()) == (None, [1.0])
                assert house.clock.now_s() < 30

    simulate(story())


def test_stopping_ends_all_tasks_and_writes(tmp_path: Path) -> None:
    async def story() -> None:
        async with provider_server() as server:
            server.on(PATH, never())
            server.on("/stream/value", speaking("1", lasts_s=10_000.0))
            house = house_at(server, tmp_path)
            before = asyncio.all_tasks()
            stream = source("stream", listen, at=provider("stream"), is_stream=True)
            async with house.running(source(), stream):
                await until(5)
            ours = {
                each for each in asyncio.all_tasks() - before if "runner" in repr(each.get_coro())
            }
            assert ours == set()
            assert house.path.exists()

    simulate(story())


def test_a_source_that_will_not_stop_is_stopped(tmp_path: Path) -> None:
    async def stubborn(_: Client, __: FetchContext) -> Sequence[Fact]:
        for _ in range(3):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue
        return []

    async def story() -> None:
        house = House(tmp_path)
        async with house.running(source("index", stubborn, timeout_s=1_000.0)):
            await until(1)
        assert house.clock.now_s() < 10

    simulate(story())


def test_a_fetch_that_a_restart_cut_off_is_made_up_for_soon(tmp_path: Path) -> None:
    async def story() -> None:
        async with provider_server() as server:
            server.on(PATH, never(), GOOD)
            house = house_at(server, tmp_path)
            daily = source("index", every_s=86_400.0)
            for stop_s in (5, 1_000):
                async with house.running(daily):
                    await until(stop_s)
            assert [round(each.at_s) for each in server.requests] == [0, 300]
            assert house.values() == [7.0]

    simulate(story())
