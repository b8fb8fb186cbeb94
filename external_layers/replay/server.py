"""HTTP and websockets around the replay exchange: the only place of the market with sockets."""

import asyncio
import contextlib
from typing import Any, Final

import orjson
from aiohttp import web

from external_layers.replay.answer import Answer
from external_layers.replay.exchange import ReplayExchange
from external_layers.replay.outside import Asked
from external_layers.replay.sockets import Hub
from scalp_strategy.errors import ConfigError

_PIECES: Final = 100  # of a slow body
_SHUTDOWN_S: Final = 0.3
_EXCHANGE: Final = web.AppKey("exchange", ReplayExchange)
_HUB: Final = web.AppKey("hub", Hub)


def make_app(exchange: ReplayExchange) -> web.Application:
    """Return the web application of a replay exchange."""
    app = web.Application()
    app[_EXCHANGE] = exchange
    app[_HUB] = Hub(exchange)
    app.router.add_get("/control/state", _state)
    app.router.add_get("/control/requests", _requests)
    app.router.add_post("/control/disconnect", _disconnect)
    app.router.add_post("/control/{name}", _control)
    app.router.add_route("*", "/outside/{path:.*}", _outside)
    app.router.add_get("/{path:.*}", _get)
    app.cleanup_ctx.append(_pump)
    return app


async def start(app: web.Application, host: str, port: int) -> tuple[web.AppRunner, int]:
    """Listen and return the runner (to be cleaned up) and the port, a free one for port 0.

    Raises
    ------
    ConfigError
        When the address cannot be used.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    return runner, int(runner.addresses[0][1])


async def _get(request: web.Request) -> web.StreamResponse:
    if _is_websocket(request):
        return await request.app[_HUB].serve(request)
    return await _sent(request, request.app[_EXCHANGE].answer(request.path, request.query))


async def _outside(request: web.Request) -> web.StreamResponse:
    exchange = request.app[_EXCHANGE]
    if _is_websocket(request):
        delay_s, injected = exchange.counted(request.path)
        if injected is not None:
            return await _sent(request, injected)
        await asyncio.sleep(delay_s)
        return await exchange.outside.alerts.serve(request)
    headers = {name.lower(): value for name, value in request.headers.items()}
    body = await request.read()
    asked = Asked(request.method, request.path, request.query, headers, body)
    return await _sent(request, exchange.outside_answer(asked))


def _is_websocket(request: web.Request) -> bool:
    return request.headers.get("Upgrade", "").lower() == "websocket"


async def _control(request: web.Request) -> web.StreamResponse:
    name = request.match_info["name"]
    try:
        body = orjson.loads(await request.read() or b"{}")
    except orjson.JSONDecodeError as error:
        return await _sent(request, Answer({"error": f"no JSON: {error}"}, 400))
    return await _sent(request, request.app[_EXCHANGE].control(name, body))


async def _disconnect(request: web.Request) -> web.StreamResponse:
    return await _sent(request, Answer({"disconnected": request.app[_HUB].disconnect()}))


async def _state(request: web.Request) -> web.StreamResponse:
    sockets: dict[str, Any] = {"sockets": request.app[_HUB].state()}
    return await _sent(request, Answer(request.app[_EXCHANGE].state() | sockets))


async def _requests(request: web.Request) -> web.StreamResponse:
    return await _sent(request, Answer(request.app[_EXCHANGE].request_counts()))


async def _sent(request: web.Request, answer: Answer) -> web.StreamResponse:
    if answer.delay_s:
        await asyncio.sleep(answer.delay_s)
    if answer.over_s:
        return await _trickled(request, answer)
    return web.Response(
        body=answer.raw,
        status=answer.status,
        headers=answer.headers,
        content_type=answer.content_type,
    )


async def _trickled(request: web.Request, answer: Answer) -> web.StreamResponse:
    """Send a body in pieces, until the client has had enough."""
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_type = answer.content_type
    body = answer.raw
    size = -(-len(body) // _PIECES)
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        for start in range(0, len(body), size or 1):
            await asyncio.sleep(answer.over_s / _PIECES)
            await response.write(body[start : start + size])
    return response


async def _pump(app: web.Application) -> Any:
    task = asyncio.create_task(app[_HUB].run())
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    app[_HUB].disconnect()
