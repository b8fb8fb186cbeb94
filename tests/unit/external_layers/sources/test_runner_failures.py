"""What each failure of a source leads to; providers over loopback HTTP, hours in milliseconds."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from external_layers.sources.facts import Fact
from external_layers.sources.gate import NoTurn
from external_layers.sources.spec import Client, FetchContext
from scalp_strategy.errors import (
    PayloadError,
    RateLimited,
    ScalpError,
    SourceRejected,
    SourceUnavailable,
)
from tests.support.provider_server import (
    Answer,
    ProviderServer,
    closed,
    dripping,
    echo,
    empty,
    html,
    huge,
    never,
    ok,
    provider_server,
    raw,
    status,
)
from tests.support.simulated_time import simulate
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
KEY = "s3cret-of-a-plan"


def at(server: ProviderServer, path: str = PATH) -> list[int]:
    """The seconds at which a path was asked for."""
    return [round(each.at_s) for each in server.requests if each.path == path]


@pytest.mark.parametrize(
    "answer",
    [
        status(500), status(503, "later"), status(429, Retry_After="90"), status(429), status(404),
        status(401), status(403), never(), dripping(b'{"value": "1234567890123456789012"}', 1.0),
        closed(), closed(b'{"value'), empty(), html(), huge(9.0), raw("[]"), ok({"value": "x"}),
        ok({"value": None}), ok({"other": 1}), status(302, Location="https://elsewhere.invalid"),
    ],
)  # fmt: skip
def test_a_broken_source_says_so_recovers_and_disturbs_no_other(
    tmp_path: Path, answer: Answer
) -> None:
    async def story() -> None:
        async with provider_server() as server:
            server.on(PATH, answer)
            server.on("/other/value", GOOD)
            house = house_at(server, tmp_path)
            async with house.running(source(), source("other", every_s=60.0)):
                await until(3_500)
                broken = house.state()
                assert broken.is_on
                assert broken.problem
                assert broken.failures >= 1
                assert broken.last_success_ms is None
                assert house.told() == [True]
                assert house.values("other") == [7.0] * 59
                assert at(server, "/other/value") == list(range(0, 3_500, 60))
                server.on(PATH, GOOD)
                await until(11_000)
                assert house.values()
                assert house.told() == [True, False]
                assert house.state().problem is None
                assert house.state().failures == 0
                assert house.told("other") == []

    simulate(story())


def test_what_is_not_answered_is_repeated_after_growing_waits(tmp_path: Path) -> None:
    async def story() -> None:
        async with provider_server() as server:
            server.on(PATH, status(500), status(500), GOOD)
            house = house_at(server, tmp_path)
            async with house.running(source()):
                await until(700)
                assert at(server) == [0, 2, 6, 600]
                assert house.told() == []
                assert house.state().failures == 0

    simulate(story())


def test_a_slow_source_that_failed_is_asked_again_before_its_time(tmp_path: Path) -> None:
    async def story() -> None:
        async with provider_server() as server:
            server.on(PATH, *[status(500)] * 6, GOOD)
            house = house_at(server, tmp_path, section={"retries": 0})
            async with house.running(source(every_s=86_400.0)):
                await until(80_000)
                # 5, 10, 20, 40 minutes, then an hour each; the circuit's 5 minutes lie within.
                assert at(server) == [0, 300, 900, 2_100, 4_500, 8_100, 11_700]
                await until(90_000 + 11_700)
                assert at(server)[-1] == 11_700 + 86_400

    simulate(story())


def test_a_dead_provider_is_left_alone_and_tried_once_at_a_time(tmp_path: Path) -> None:
    """Two sources share it: its circuit counts both."""

    async def story() -> None:
        async with provider_server() as server:
            server.on(PATH, status(500))
            shared = provider()
            sources = [source(name, at=shared, every_s=60.0) for name in ("one", "two")]
            section = {"retries": 0, "circuit_failures": 4}
            house = house_at(server, tmp_path, section=section)
            async with house.running(*sources):
                await until(100)
                assert at(server) == [0, 0, 60, 60]
                assert house.state("one").circuit_open_until_ms == house.clock.start_ms + 360_000
                assert house.state("one").next_due_ms == house.clock.start_ms + 360_000
                await until(7_000)
                # The second source's trial follows the first's, so each fails on its own.
                assert at(server)[4:] == [360, 960, 2_160, 4_560]
                server.on(PATH, GOOD)
                await until(9_000)
                assert house.state("one").circuit_open_until_ms is None
                assert at(server)[8:11] == [8_160, 8_160, 8_220]
                assert house.told("one") == house.told("two") == [True, False]

    simulate(story())


@pytest.mark.parametrize(
    ("header", "again"), [({"Retry_After": "1000"}, 1_000), ({"Retry_After": "9" * 12}, 86_400)]
)
def test_a_pause_holds_for_all_sources_of_the_provider(
    tmp_path: Path, header: dict[str, str], again: int
) -> None:
    async def story() -> None:
        async with provider_server() as server:
            server.on(PATH, status(429, **header), GOOD)
            shared = provider()
            house = house_at(server, tmp_path)
            second = source("two", at=shared, every_s=250.0)
            async with house.running(source("one", at=shared), second):
                await until(again - 10)
                assert at(server) in ([0], [0, 0])
                assert house.state("two").paused_until_ms == house.clock.start_ms + again * 1_000
                await until(again + 10)
                assert at(server)[-2:] == [again, again]
                assert house.state("one").problem is None

    simulate(story())


@pytest.mark.parametrize("answer", [status(401), status(403), echo(401, header="X-Key")])
def test_a_refused_key_turns_the_source_off_and_tells_why(tmp_path: Path, answer: Answer) -> None:
    async def fetch(client: Client, context: FetchContext) -> Sequence[Fact]:
        await client.get("/value", headers={"X-Key": context.keys["INDEX_KEY"]})
        return []

    async def story() -> None:
        async with provider_server() as server:
            server.on(PATH, answer)
            house = house_at(server, tmp_path, environment={"INDEX_KEY": f" {KEY}\n"})
            async with house.running(source("index", fetch, keys=("INDEX_KEY",))):
                await until(10_000)
                assert at(server) == [0]
                assert server.requests[0].headers["X-Key"] == KEY
                state = house.state()
                assert not state.is_on
                assert state.next_due_ms is None
                assert "INDEX_KEY refused" in str(state.why_off)
                assert house.changes == [("index", state.why_off)]
            async with house.running(source("index", fetch, keys=("INDEX_KEY",))):
                await until(20_000)
                assert len(at(server)) == 2  # a restart tries it again
                assert KEY not in f"{house.changes} {house.runner.states()}"
            assert KEY.encode() not in house.path.read_bytes()

    simulate(story())


@pytest.mark.parametrize("code", [400, 401, 403, 404])
def test_without_a_key_a_refusal_is_asked_again_after_an_hour(tmp_path: Path, code: int) -> None:
    async def story() -> None:
        async with provider_server() as server:
            server.on(PATH, status(code), GOOD)
            house = house_at(server, tmp_path)
            async with house.running(source()):
                await until(4_000)
                assert at(server) == [0, 3_600]
                assert house.told() == [True, False]

    simulate(story())


def test_malformed_answers_are_counted_with_a_sample_and_the_cadence_goes_on(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with provider_server() as server:
            server.on(PATH, html())
            house = house_at(server, tmp_path)
            async with house.running(source()):
                await until(6_100)
                state = house.state()
                assert at(server) == list(range(0, 6_100, 600))
                assert (state.payload_errors, state.failures) == (11, 11)
                assert state.sample == "<!doctype html><html><body>Maintenance</body></html>"
                assert state.circuit_open_until_ms is None
                assert house.told() == [True]

    simulate(story())


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (SourceUnavailable("busy"), [0, 100, 200, 300]),
        (RateLimited("too many"), [0, 100, 200, 300]),
        (NoTurn("none left"), [0, 100, 200, 300]),
        (PayloadError("no rows"), [0, 100, 200, 300]),
        (SourceRejected(f"invalid {KEY}"), [0]),
        (ZeroDivisionError(f"a bug with {KEY}"), [0, 100, 200, 300]),
        (ExceptionGroup(f"bugs with {KEY}", [ValueError(KEY)]), [0, 100, 200, 300]),
        (asyncio.CancelledError(f"of itself, {KEY}"), [0, 100, 200, 300]),
        (ScalpError(KEY), [0, 100, 200, 300]),
    ],
)
def test_what_a_source_itself_raises(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, error: BaseException, asked: list[int]
) -> None:
    caplog.set_level(logging.DEBUG)

    async def fetch(client: Client, _: FetchContext) -> Sequence[Fact]:
        await client.get("/value")
        raise error

    async def story() -> None:
        async with provider_server() as server:
            server.on(PATH, GOOD)
            keyed = {"INDEX_KEY": KEY}
            house = house_at(server, tmp_path, environment=keyed, section={"retries": 0})
            async with house.running(source("index", fetch, keys=("INDEX_KEY",), every_s=100.0)):
                await until(301)
                assert at(server) == asked
                assert house.told() == [True]
                assert KEY not in f"{house.changes} {house.runner.states()}"

    simulate(story())
    assert KEY not in caplog.text
    assert len([each for each in caplog.records if each.levelno >= logging.ERROR]) == 1


def test_a_bug_amid_an_outage_is_logged_with_its_trace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    errors: list[Exception] = [SourceUnavailable("away"), KeyError("a"), KeyError("b")]

    async def fetch(_: Client, __: FetchContext) -> Sequence[Fact]:
        raise errors.pop(0) if len(errors) > 1 else errors[0]

    async def story() -> None:
        house = House(tmp_path, section={"retries": 0})
        async with house.running(source("index", fetch)):
            await until(5_000)
            assert house.told() == [True]
            assert house.state().problem == "KeyError: 'b'"

    simulate(story())
    assert sum("Traceback" in each.getMessage() for each in caplog.records) == 1


def test_no_log_state_or_file_tells_a_key(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With the key in the query, the header, the path and the body, whatever goes wrong."""
    caplog.set_level(logging.DEBUG)
    answers = [
        echo(500, header="X-Key"), echo(400, parameter="key"), closed(), never(), GOOD,
        raw(f"<{KEY}>"), raw(f'["{KEY}"]'), status(429, KEY), raw(f'{{"value": "{KEY}"}}'),
    ]  # fmt: skip

    async def fetch(client: Client, context: FetchContext) -> Sequence[Fact]:
        key = context.keys["INDEX_KEY"]
        assert KEY not in repr(context)
        reply = await client.get("/value", {"key": key}, {"X-Key": key}, is_conditional=True)
        context.memory["seen"] = reply.json()
        return [reading(float(reply.json()["value"]), reply.received_ms)]

    async def story() -> None:
        async with provider_server() as server:
            section = {"retries": 0, "circuit_failures": 100}
            house = house_at(server, tmp_path, environment={"INDEX_KEY": KEY}, section=section)
            for answer in answers:
                server.on(PATH, answer)
                async with house.running(source("index", fetch, every_s=10.0, keys=("INDEX_KEY",))):
                    await asyncio.sleep(500)
                    shown = f"{house.changes} {house.runner.states()}"
                    assert KEY not in shown
                    assert "?" not in shown
                assert KEY.encode() not in house.path.read_bytes()
            assert server.count() >= len(answers)

    simulate(story())
    assert KEY not in caplog.text


def test_a_part_that_failed_is_told_and_the_rest_is_no_dead_provider(tmp_path: Path) -> None:
    async def fetch(client: Client, context: FetchContext) -> Sequence[Fact]:
        context.deliver(await ask_once(client, context))
        await client.get("/missing")
        return []

    async def story() -> None:
        async with provider_server() as server:
            server.on(PATH, GOOD)
            server.on("/index/missing", status(500))
            house = house_at(server, tmp_path)
            async with house.running(source("index", fetch)):
                await until(6_100)
                assert at(server) == list(range(0, 6_100, 600))
                assert house.values() == [7.0] * 11
                assert house.told() == [True]
                assert house.state().circuit_open_until_ms is None
                assert house.state().facts == 11

    simulate(story())


def test_a_receiver_that_breaks_ends_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with provider_server() as server:
            server.on(PATH, GOOD)
            house = house_at(server, tmp_path)

            def broken(*_: object) -> None:
                raise ZeroDivisionError("of the receiver")

            house._deliver = broken  # type: ignore[method-assign]
            house.changes = broken  # type: ignore[assignment]
            async with house.running(source()):
                await until(1_300)
                assert at(server) == [0, 600, 1_200]
                assert "ZeroDivisionError" in str(house.state().problem)

    simulate(story())


def test_a_source_that_never_ends_is_ended(tmp_path: Path) -> None:
    async def fetch(_: Client, __: FetchContext) -> Sequence[Fact]:
        await asyncio.Event().wait()
        return []

    async def story() -> None:
        house = House(tmp_path, section={"retries": 0})
        async with house.running(source("index", fetch, timeout_s=5.0)):
            await until(6)
            assert "no answer within 5 s" in str(house.state().problem)

    simulate(story())
