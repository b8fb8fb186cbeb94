"""The REST client over loopback HTTP: order, retries, blocks, bodies; time is the test's."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from external_layers.binance.addresses import addresses
from external_layers.binance.rest import BinanceRest
from scalp_strategy.errors import PayloadError, RateLimited, SourceRejected, SourceUnavailable
from scalp_strategy.setting_groups.sidecar import FeedSettings
from tests.unit.external_layers.binance.fake_time import FakeTime

PATH = "/fapi/v1/depth"
Script = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Exchange:
    """Answers requests by a list of scripted answers; the last one repeats."""

    answers: list[web.Response | Script]
    asked: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            return await answer(request)
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


def ok(body: str = "{}", **headers: str) -> web.Response:
    return web.Response(text=body, headers={key.replace("_", "-"): headers[key] for key in headers})


def run(
    exchange: Exchange,
    test: Callable[[BinanceRest, FakeTime], Awaitable[Any]],
    settings: FeedSettings | None = None,
) -> Any:
    async def inside() -> Any:
        app = web.Application()
        app.router.add_get("/{path:.*}", exchange.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        market = addresses("futures", f"http://127.0.0.1:{runner.addresses[0][1]}")
        clock = FakeTime()
        async with aiohttp.ClientSession(trust_env=False) as session:
            rest = BinanceRest(session, market, settings or FeedSettings(), clock.timing())
            try:
                return await test(rest, clock)
            finally:
                await runner.cleanup()

    return asyncio.run(inside())


async def ask(rest: BinanceRest, _: FakeTime) -> Any:
    return await rest.get(PATH, {"symbol": "BTCUSDT", "limit": 5}, weight=2)


def test_an_answer() -> None:
    exchange = Exchange([ok('{"bids": [["1.0", "2"]]}')])
    assert run(exchange, ask) == {"bids": [["1.0", "2"]]}
    assert exchange.asked == [f"{PATH}?symbol=BTCUSDT&limit=5"]


def test_failures_are_repeated_after_growing_waits() -> None:
    async def test(rest: BinanceRest, clock: FakeTime) -> Any:
        body = await ask(rest, clock)
        return body, clock.waits, rest.counters

    exchange = Exchange([web.Response(status=503), web.Response(status=408), ok("[7]")])
    body, waits, counters = run(exchange, test)
    assert (body, waits) == ([7], [0.5, 1.0])
    assert (counters.requests, counters.retries, counters.weight) == (3, 2, 6)
    assert counters.errors == {"server": 2}


@pytest.mark.parametrize("status", [302, 500])
def test_failures_end(status: int) -> None:
    exchange = Exchange([web.Response(status=status, headers={"Location": "/elsewhere"})])
    with pytest.raises(SourceUnavailable, match=str(status)):
        run(exchange, ask)
    assert exchange.asked == [f"{PATH}?symbol=BTCUSDT&limit=5"] * 4


def test_no_server() -> None:
    async def test(rest: BinanceRest, clock: FakeTime) -> Any:
        with pytest.raises(SourceUnavailable):
            await ask(rest, clock)
        return rest.counters.errors

    async def reset(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    assert run(Exchange([reset]), test) == {"network": 4}


def test_a_slow_answer() -> None:
    async def test(rest: BinanceRest, clock: FakeTime) -> Any:
        with pytest.raises(SourceUnavailable, match=r"no answer within 0\.05 s"):
            await ask(rest, clock)
        return rest.counters.errors

    async def never(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    settings = FeedSettings(request_timeout_s=0.05, request_retries=1)
    assert run(Exchange([never]), test, settings) == {"timeout": 2}


def test_a_refusal_is_not_repeated() -> None:
    refusal = web.Response(status=400, text='{"code": -1121, "msg": "Invalid symbol."}')
    exchange = Exchange([refusal])
    with pytest.raises(SourceRejected, match=r"status 400, code -1121: Invalid symbol\."):
        run(exchange, ask)
    assert len(exchange.asked) == 1


@pytest.mark.parametrize("body", ["", "<html>", '{"a":', "NaN"])
def test_no_json(body: str) -> None:
    exchange = Exchange([ok(body)])
    with pytest.raises(PayloadError):
        run(exchange, ask)
    assert len(exchange.asked) == 1


def test_too_large() -> None:
    with pytest.raises(PayloadError, match=r"more than 0\.01 MB"):
        run(Exchange([ok("1" * 20_000)]), ask, FeedSettings(max_answer_mb=0.01))


@pytest.mark.parametrize(
    ("status", "retry_after", "waits"),
    [
        (429, "7", [7.0]), (429, "", [29.85]), (429, "soon", [29.85]), (429, "9" * 50, [29.85]),
        (418, "150", [150.0]), (418, "", [120.0]), (403, "", [120.0]),
    ],
)  # fmt: skip
def test_a_pause_that_the_exchange_asks_for(
    status: int, retry_after: str, waits: list[float]
) -> None:
    async def test(rest: BinanceRest, clock: FakeTime) -> Any:
        with pytest.raises(RateLimited):
            await ask(rest, clock)
        assert clock.waits == []
        await asyncio.gather(ask(rest, clock), ask(rest, clock))
        return clock.waits

    headers = {"Retry-After": retry_after} if retry_after else {}
    exchange = Exchange([web.Response(status=status, headers=headers), ok()])
    assert run(exchange, test) == pytest.approx(waits)


def test_a_turn_that_comes_too_late_is_refused() -> None:
    async def test(rest: BinanceRest, clock: FakeTime) -> Any:
        with pytest.raises(RateLimited):
            await ask(rest, clock)
        with pytest.raises(RateLimited, match="no turn within 60 s"):
            await ask(rest, clock)
        return rest.counters.errors, clock.waits

    ban = web.Response(status=418, headers={"Retry-After": "259200"})
    errors, waits = run(Exchange([ban]), test, FeedSettings(request_wait_s=60))
    assert errors == {"rate_limited": 1, "queue": 1}
    assert waits == []


def test_first_come_first_served() -> None:
    async def test(rest: BinanceRest, clock: FakeTime) -> Any:
        weights = [20] * 30 + [1] * 4  # the light ones do not overtake
        asked = [rest.get(f"/{n}", weight=weight) for n, weight in enumerate(weights)]
        await asyncio.gather(*asked)
        return clock.waits

    exchange = Exchange([ok()])
    waits = run(exchange, test, FeedSettings(weight_share=0.1, concurrent_requests=1))
    assert exchange.asked == [f"/{number}" for number in range(34)]
    assert waits == pytest.approx([29.85, 60.0])


def test_what_others_spend_is_left_to_them() -> None:
    async def test(rest: BinanceRest, clock: FakeTime) -> Any:
        await rest.get("/1", weight=20)
        await rest.get("/2", weight=20)
        return clock.waits

    exchange = Exchange([ok(X_MBX_USED_WEIGHT_1M="2150"), ok(X_MBX_USED_WEIGHT_1M="x")])
    assert run(exchange, test) == pytest.approx([29.85])


def test_the_time_is_asked() -> None:
    async def test(rest: BinanceRest, _: FakeTime) -> Any:
        sample = await rest.clock_sample()
        with pytest.raises(PayloadError):
            await rest.clock_sample()
        return sample.server_ms

    exchange = Exchange([ok('{"serverTime": 1790000000000}'), ok('{"serverTime": "now"}')])
    assert run(exchange, test) == 1_790_000_000_000
    assert exchange.asked == ["/fapi/v1/time"] * 2
