"""A source's calls over loopback HTTP: addresses, errors, bounds, conditions; time is simulated."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp
import pytest

from external_layers.runner import one_client
from external_layers.sources.answers import StatusRejected, retry_after_s
from external_layers.sources.client import HttpClient
from scalp_strategy.errors import PayloadError, RateLimited, SourceRejected, SourceUnavailable
from scalp_strategy.settings import Settings
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
    speaking,
    status,
    unless_known,
)
from tests.support.simulated_time import SimulatedClock, simulate
from tests.unit.external_layers.sources.runner_house import provider, source

KEY = "k3y-of/a+plan&longer"
Story = Callable[[HttpClient, ProviderServer], Awaitable[Any]]


def run(
    story: Story, *answers: Answer, rates: Sequence[tuple[int, float]] = (), max_mb: float = 8.0
) -> Any:
    """Run a story of a client whose provider gives some answers to `/index/value`."""

    async def inside() -> Any:
        async with provider_server() as server, aiohttp.ClientSession() as session:
            server.on("/index/value", *answers)
            spec = source(at=provider("index", *rates, max_mb=max_mb)).spec
            timing = SimulatedClock().timing()
            client = one_client(spec, session, Settings(), timing, {"KEY": KEY}, server.url)
            return await story(client, server)

    return simulate(inside())


async def get(client: HttpClient, _: ProviderServer) -> Any:
    return (await client.get("/value", {"limit": 2, "key": KEY}, {"X-Key": KEY})).json()


def test_an_answer_comes_with_its_time() -> None:
    async def story(client: HttpClient, server: ProviderServer) -> None:
        assert await get(client, server) == {"a": [1.5]}
        (asked,) = server.requests
        assert (asked.method, asked.query) == ("GET", {"limit": "2", "key": KEY})
        assert asked.headers["X-Key"] == KEY
        assert asked.headers["User-Agent"]
        reply = await client.get("/value")
        assert (reply.received_ms, reply.is_unchanged) == (1_790_000_000_000, False)

    run(story, ok({"a": [1.5]}))


def test_questions_by_post() -> None:
    async def story(client: HttpClient, server: ProviderServer) -> None:
        await client.post("/value", {"page": 1}, {"X-Key": KEY})
        await client.post("/value", None, form={"grant": "a b"})
        assert [each.body for each in server.requests] == [b'{"page": 1}', b"grant=a+b"]
        assert {each.method for each in server.requests} == {"POST"}

    run(story, ok())


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/value", "/index/value"),
        ("value", "/index/value"),
        ("", "/index"),
        ("?a=1", "/index?a=1"),
        ("/value?a=1", "/index/value?a=1"),
        ("https://feeds.invalid/rss/all?a=b%20c", "/index/feeds.invalid/rss/all?a=b%20c"),
        ("https://feeds.invalid", "/index/feeds.invalid"),
    ],
)
def test_addresses(path: str, asked: str) -> None:
    async def story(client: HttpClient, server: ProviderServer) -> None:
        server.on(asked.partition("?")[0], ok())
        await client.get(path)
        query = asked.partition("?")[2].replace("%20", " ")
        assert [
            "&".join("=".join(pair) for pair in each.query.items()) for each in server.requests
        ] == [query]

    run(story)


def test_another_address_of_a_provider_goes_before_all() -> None:
    async def story(_: HttpClient, server: ProviderServer) -> None:
        async with aiohttp.ClientSession() as session:
            server.on("/own/v1/value", ok())
            settings = Settings.model_validate(
                {"sources": {"urls": {"index": f"{server.url}/own/v1/"}}}
            )
            timing = SimulatedClock().timing()
            spec = source(at=provider()).spec
            client = one_client(spec, session, settings, timing, {}, "http://127.0.0.1:9")
            await client.get("/value")
        assert server.count("/own/v1/value") == 1

    run(story)


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (status(500), SourceUnavailable, "index /index/value: status 500"),
        (status(503, "busy\nnow"), SourceUnavailable, "status 503: busy now"),
        (status(204), SourceUnavailable, "status 204"),
        (status(408), SourceUnavailable, "status 408"),
        (status(301, Location="/index/other"), SourceUnavailable, "status 301"),
        (status(304), SourceUnavailable, "unchanged, but nothing was known"),
        (status(400, b'{"error": "no such\\u0007 page"}'), SourceRejected, "no such"),
        (status(404, "<html>a page for people"), SourceRejected, r"status 404$"),
        (status(401), SourceRejected, "status 401"),
        (status(403), SourceRejected, "status 403"),
        (status(429), RateLimited, "status 429"),
        (status(403, Retry_After="9"), RateLimited, "status 403"),
        (status(503, Retry_After="9"), RateLimited, "status 503"),
        (closed(), SourceUnavailable, "ServerDisconnectedError"),
        (closed(b'{"a"'), SourceUnavailable, "ClientPayloadError"),
        (never(), SourceUnavailable, "TimeoutError"),
        (dripping(b'{"a": 1, "b": 2, "c": 3}', 1.0), SourceUnavailable, "TimeoutError"),
        (raw("{}", Content_Encoding="gzip"), SourceUnavailable, "ClientPayloadError"),
        (huge(0.3), PayloadError, r"more than 0\.2 MB"),
        (status(500, b"x" * 3_000_000), SourceUnavailable, "status 500"),
        (empty(), PayloadError, "nothing instead of JSON"),
        (html(), PayloadError, "HTML or XML instead of JSON"),
        (raw('{"a": NaN}'), PayloadError, "no JSON instead of JSON"),
        (raw(b"\xff\xfe"), PayloadError, "instead of JSON"),
        (raw("[" * 100_000), PayloadError, "instead of JSON"),
    ],
)
def test_errors_by_what_they_ask_for(answer: Answer, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says) as raised:
        run(get, answer, max_mb=0.2)
    assert type(raised.value) in (error, StatusRejected)
    assert len(str(raised.value)) < 400


def test_a_provider_that_is_not_there() -> None:
    async def story(_: HttpClient, server: ProviderServer) -> None:
        settings = Settings.model_validate({"sources": {"urls": {"index": "http://127.0.0.1:9"}}})
        async with aiohttp.ClientSession() as session:
            spec = source(at=provider()).spec
            client = one_client(spec, session, settings, SimulatedClock().timing(), {}, None)
            with pytest.raises(SourceUnavailable, match="Connect") as raised:
                await client.get("/value", {"key": KEY})
            assert KEY not in str(raised.value)

    run(story)


def test_a_slow_answer_within_the_time_is_fine() -> None:
    assert run(get, dripping(b'{"a":1}', 2.0)) == {"a": 1}


# ---- keys ----


def shown(story: Story, *answers: Answer) -> str:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever it is, it tells no key
        run(story, *answers)
    return f"{raised.value!s} {raised.value!r}"


@pytest.mark.parametrize(
    "answer",
    [
        echo(401, parameter="key"),
        echo(401, header="X-Key"),
        echo(500, header="X-Key"),
        echo(429, parameter="key"),
        status(403, f"key={'k3y-of%2fa%2Ba'.upper()}%2Bplan%26longer is bad"),
        status(401, KEY * 300),
        status(401, ("x" * 4_090 + KEY)),
        status(401, f"{KEY[:12]} is no key"),
    ],
)
def test_no_refusal_tells_the_key(answer: Answer) -> None:
    text = shown(get, answer).lower()
    assert "status" in text
    assert KEY[:8] not in text
    assert "k3y-of%2" not in text
    assert "limit=2" not in text


def test_no_broken_connection_tells_the_key() -> None:
    for answer in (closed(), never(), html(), huge(9.0)):
        assert KEY[:8] not in shown(get, answer)


def test_a_bearer_token_that_was_fetched_is_not_told_either() -> None:
    async def story(client: HttpClient, _: ProviderServer) -> None:
        await client.get("/value", headers={"Authorization": "Bearer fetched-token-1"})

    text = shown(story, echo(401, header="Authorization"))
    assert "Bearer ***" in text
    assert "fetched" not in text


def test_the_key_in_a_path_is_not_told() -> None:
    async def story(client: HttpClient, _: ProviderServer) -> None:
        await client.get("/v2/k3y-of%2Fa%2Bplan%26longer/value")

    assert "/v2/***/value: status 404" in shown(story)


# ---- pauses and budgets ----


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0), (" 7 ", 7.0), ("0", 0.0), ("Mon, 21 Sep 2026 14:14:20 GMT", 60.0),
        ("Mon, 21 Sep 2026 14:14:20", 60.0), ("Mon, 21 Sep 1999 14:14:20 GMT", 0.0),
        ("-5", None), ("soon", None), ("", None), ("1.5", None), ("²", None),
        ("9" * 400, float("inf")),
        ("Mon, 99 Sep 2026 99:99:99 GMT", None),
    ],
)  # fmt: skip
def test_how_long_a_provider_wants_to_be_left_alone(header: str, seconds: float | None) -> None:
    assert retry_after_s(header, 1_790_000_000_000) == seconds


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("", 60.0), ("never", 60.0), ("9" * 400, 86_400.0)]
)
def test_a_pause_holds_for_all_calls_of_the_provider(header: str, seconds: float) -> None:
    async def story(client: HttpClient, server: ProviderServer) -> None:
        with pytest.raises(RateLimited):
            await get(client, server)
        await client.get("/other")
        assert server.requests[1].at_s - server.requests[0].at_s == pytest.approx(seconds)

    with pytest.raises(SourceRejected):  # there is no other
        run(story, status(429, Retry_After=header))


def test_one_host_of_several_pauses_only_itself() -> None:
    async def story(client: HttpClient, server: ProviderServer) -> None:
        server.on("/index/a.invalid/rss", status(429, Retry_After="60"), ok())
        server.on("/index/b.invalid/rss", ok())
        with pytest.raises(RateLimited):
            await client.get("https://a.invalid/rss")
        await client.get("https://b.invalid/rss")
        await client.get("https://a.invalid/rss")
        assert [round(each.at_s) for each in server.requests] == [0, 0, 60]

    run(story)


def test_calls_wait_for_their_turn_in_order() -> None:
    async def story(client: HttpClient, server: ProviderServer) -> None:
        server.on("/index/a", ok())
        await asyncio.gather(*(client.get("/a", {"n": n}) for n in range(7)))
        assert [each.query["n"] for each in server.requests] == list("0123456")
        assert [round(each.at_s, 1) for each in server.requests] == [0, 0, 0, 1, 1, 1, 2]

    run(story, rates=[(3, 1.0), (100, 60.0)])


# ---- conditional requests ----


@pytest.mark.parametrize(
    "answer",
    [
        unless_known("[1]", '"v1"'),
        unless_known("[1]", 'W/"v1"', "Mon, 21 Sep 2026 14:14:20 GMT"),
        unless_known("[1]", "", "Mon, 21 Sep 2026 14:14:20 GMT"),
    ],
)
def test_what_has_not_changed_is_not_sent_again(answer: Answer) -> None:
    async def story(client: HttpClient, server: ProviderServer) -> None:
        replies = [await client.get("/value", {"a": n}, is_conditional=True) for n in (1, 1, 2)]
        assert [each.is_unchanged for each in replies] == [False, True, False]
        assert (await client.get("/value", {"a": 1})).body == b"[1]"  # asked without condition

    run(story, answer)


def test_validators_that_quote_the_key_or_are_no_validators_are_not_kept() -> None:
    async def story(client: HttpClient, server: ProviderServer) -> None:
        for etag in (f'"{KEY}"', '"' + "x" * 5_000 + '"', '"\xe9"'):
            server.on("/index/value", unless_known("[1]", etag))
            await client.get("/value", is_conditional=True)
            assert client.conditions.known == {}

    run(story)


def test_validators_of_many_addresses_are_bounded_and_named_without_query() -> None:
    async def story(client: HttpClient, server: ProviderServer) -> None:
        for n in range(100):
            await client.get("/value", {"n": n, "key": KEY}, is_conditional=True)
        assert len(client.conditions.known) == 64
        assert not any("n=" in name or KEY[:8] in name for name in client.conditions.known)
        assert (await client.get("/value", {"n": 99, "key": "other"}, is_conditional=True)).body

    run(story, unless_known("[1]"))


# ---- streams ----


def heard(client: HttpClient, *opening: Any) -> Awaitable[list[bytes]]:
    async def listen() -> list[bytes]:
        return [body async for body, _ in client.messages("/value?key=1", opening)]

    return listen()


def test_a_stream_says_what_it_has_to_say() -> None:
    async def story(client: HttpClient, _: ProviderServer) -> None:
        assert await heard(client, {"subscribe": ["a"]}) == [b'{"a": 1}', b"text"]

    first: list[str] = []
    run(story, speaking('{"a": 1}', "text", lasts_s=300.0, heard=first))
    assert first == ['{"subscribe":["a"]}']


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (speaking(code=1_008), SourceUnavailable, "code 1008"),
        (speaking("x" * 300_000), PayloadError, r"more than 0\.2 MB"),
        (status(401), SourceRejected, "status 401"),
        (status(429, Retry_After="9"), RateLimited, "status 429"),
        (status(500), SourceUnavailable, "status 500"),
        (ok(), SourceUnavailable, "status 200"),
        (never(), SourceUnavailable, "TimeoutError"),
        (closed(), SourceUnavailable, "ServerDisconnectedError"),
    ],
)
def test_streams_that_fail(answer: Answer, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says) as raised:
        run(lambda client, _: heard(client, {}), answer, max_mb=0.2)
    assert "key" not in str(raised.value)
