"""A server on loopback that behaves as providers do, well or badly, path by path."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiohttp import WSMsgType, web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Request(NamedTuple):
    """A request as it came; `at_s` is the loop's time."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes
    at_s: float


@dataclass
class ProviderServer:
    """Answers each path by its script; the last answer of a script repeats, no script is 404.

    ::

        async with provider_server() as server:
            server.on("/fng/", status(429, Retry_After="7"), ok({"data": []}))
            ...
            assert server.count("/fng/") == 2
    """

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    _scripts: dict[str, list[Answer]] = field(default_factory=dict)

    def on(self, path: str, *answers: Answer) -> None:
        """Set what a path answers, from now on."""
        self._scripts[path] = list(answers)

    def count(self, path: str | None = None) -> int:
        """Return how many requests came, to one path or to all."""
        return sum(path in (None, request.path) for request in self.requests)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        at_s = asyncio.get_running_loop().time()
        self.requests.append(
            Request(request.method, request.path, dict(request.query), request.headers, body, at_s)
        )
        script = self._scripts.get(request.path, [status(404)])
        answer = script.pop(0) if len(script) > 1 else script[0]
        return await answer(request)


@contextlib.asynccontextmanager
async def provider_server() -> AsyncIterator[ProviderServer]:
    """A server that runs until the block ends."""
    server = ProviderServer()
    app = web.Application(client_max_size=64 * 2**20)
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


# ---- answers ----


def raw(body: bytes | str, status_: int = 200, **headers: str) -> Answer:
    """A body as it is; `Retry_After="7"` is a header."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    payload = body.encode() if isinstance(body, str) else body

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status_, body=payload, headers=named)

    return answer


def ok(value: Any = None, **headers: str) -> Answer:
    """JSON."""
    return raw(json.dumps({} if value is None else value), **headers)


def status(code: int, body: bytes | str = "", **headers: str) -> Answer:
    """A refusal, a redirect, a breakdown."""
    return raw(body, code, **headers)


def empty() -> Answer:
    """Status 200 and nothing."""
    return raw(b"")


def html() -> Answer:
    """A page for people, with status 200."""
    return raw("<!doctype html><html><body>Maintenance</body></html>", Content_Type="text/html")


def huge(megabytes: float) -> Answer:
    """A JSON text of that size."""
    return raw(b'"' + b"x" * round(megabytes * 1e6) + b'"')


def unless_known(body: bytes | str, etag: str = '"v1"', last_modified: str = "") -> Answer:
    """A body with validators; 304 to whoever has them."""
    named = {"ETag": etag} if etag else {}
    named |= {"Last-Modified": last_modified} if last_modified else {}

    async def answer(request: web.Request) -> web.StreamResponse:
        known = (request.headers.get("If-None-Match"), request.headers.get("If-Modified-Since"))
        if known == (etag or None, last_modified or None):
            return web.Response(status=304, headers=named)
        return await raw(body, **{name.replace("-", "_"): named[name] for name in named})(request)

    return answer


def never() -> Answer:
    """No answer at all."""

    async def answer(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    return answer


def dripping(body: bytes, every_s: float) -> Answer:
    """A body that comes byte by byte."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for each in body:
            await asyncio.sleep(every_s)
            await response.write(bytes([each]))
        return response

    return answer


def closed(sent: bytes = b"") -> Answer:
    """A connection that breaks, before the answer or amid a body of which some was sent."""

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        if sent:
            response = web.StreamResponse(headers={"Content-Length": str(len(sent) + 1)})
            await response.prepare(request)
            await response.write(sent)
        request.transport.abort()
        return web.Response()

    return answer


def echo(code: int, *, header: str = "", parameter: str = "") -> Answer:
    """A refusal that quotes a header or a parameter of the request, as some do."""

    async def answer(request: web.Request) -> web.StreamResponse:
        said = request.headers.get(header, "") if header else request.query.get(parameter, "")
        return web.json_response({"error": f"invalid: {said}"}, status=code)

    return answer


def speaking(
    *messages: str, code: int = 1_000, lasts_s: float = 0.0, heard: list[str] | None = None
) -> Answer:
    """A websocket that waits for a first message, says its own, and closes after a while."""

    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        first = await socket.receive()
        if heard is not None and first.type is WSMsgType.TEXT:
            heard.append(first.data)
        for each in messages:
            await socket.send_str(each)
        # Reading answers pings while it lasts.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(lasts_s):
                while not (await socket.receive()).type.name.startswith("CLOS"):
                    pass
        await socket.close(code=code)
        return socket

    return answer
