"""HTTP and websockets around the replay exchange: the only place of the market with sockets."""

import asyncio
import contextlib
from typing import Any, Final

import orjson
from aiohttp import web

from external_layers.replay.exchange import Answer, ReplayExchange
from external_layers.replay.sockets import Hub
from scalp_strategy.errors import ConfigError

_JSON: Final = "application/json"
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
    if request.headers.get("Upgrade", "").lower() == "websocket":
        return await request.app[_HUB].serve(request)
    return await _sent(request.app[_EXCHANGE].answer(request.path, request.query))


async def _control(request: web.Request) -> web.StreamResponse:
    name = request.match_info["name"]
    try:
        body = orjson.loads(await request.read() or b"{}")
    except orjson.JSONDecodeError as error:
        return await _sent(Answer({"error": f"no JSON: {error}"}, 400))
    return await _sent(request.app[_EXCHANGE].control(name, body))


async def _disconnect(request: web.Request) -> web.StreamResponse:
    return await _sent(Answer({"disconnected": request.app[_HUB].disconnect()}))


async def _state(request: web.Request) -> web.StreamResponse:
    sockets: dict[str, Any] = {"sockets": request.app[_HUB].state()}
    return await _sent(Answer(request.app[_EXCHANGE].state() | sockets))


async def _requests(request: web.Request) -> web.StreamResponse:
    return await _sent(Answer(request.app[_EXCHANGE].request_counts()))


async def _sent(answer: Answer) -> web.Response:
    if answer.delay_s:
        await asyncio.sleep(answer.delay_s)
    return web.Response(
        body=orjson.dumps(answer.body),
        status=answer.status,
        headers=answer.headers,
        content_type=_JSON,
    )


async def _pump(app: web.Application) -> Any:
    task = asyncio.create_task(app[_HUB].run())
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    app[_HUB].disconnect()
