"""The sidecar over HTTP: scores, history, events, pairs, health, metrics, a dashboard.

Bodies are bytes that were encoded where the data is; the models only describe them.
"""

import hmac
from importlib.resources import files
from typing import Annotated, Any, Final, Protocol

import orjson
from fastapi import FastAPI, HTTPException, Query, Response
from fastapi.responses import HTMLResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.types import ASGIApp, Receive, Scope, Send

from external_layers import api_models as models
from external_layers.loopback import is_loopback
from scalp_strategy.contract import LAYERS

JSON: Final = "application/json"
MAX_PAIRS: Final = 500
MAX_ROWS: Final = 50_000
_PAGE: Final = "/"  # asks for the token itself, in the browser


class Backend(Protocol):
    """What the HTTP interface asks of the running sidecar; every answer is a JSON body."""

    async def scores(self, pairs: list[str], at_ms: int | None, since_ms: int | None) -> bytes:
        """Return components and candles of pairs as of an instant."""

    async def history(self, layer: str, pair: str, since_ms: int, limit: int) -> bytes:
        """Return a pair's components of a layer since an instant."""

    def events(self, after: int, limit: int) -> bytes:
        """Return the events after a number."""

    def pairs(self) -> bytes:
        """Return the scanner's figures."""

    def pairlist(self) -> bytes:
        """Return Freqtrade's remote pair list."""

    def health(self) -> dict[str, Any]:
        """Return how everything is."""


class Guard:
    """Lets in who may: the token when there is one, else only requests meant for this machine.

    A page in the trader's browser can make requests to loopback addresses under a name of its own;
    the host name it was made for tells.
    """

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._token = f"Bearer {token}".encode() if token else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or self._may_pass(scope["path"], dict(scope["headers"])):
            await self._app(scope, receive, send)
            return
        status = 401 if self._token else 403
        body = b'{"detail":"not allowed"}'
        headers = [(b"content-type", JSON.encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _may_pass(self, path: str, headers: dict[bytes, bytes]) -> bool:
        if self._token is not None:
            given = headers.get(b"authorization", b"")
            return path == _PAGE or hmac.compare_digest(given, self._token)
        host = headers.get(b"host", b"").decode("latin-1")
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        return is_loopback(name.removeprefix("[").removesuffix("]"))


def make_app(backend: Backend, registry: CollectorRegistry, token: str | None = None) -> ASGIApp:
    """Return the web application of a sidecar.

    Parameters
    ----------
    backend
        The running sidecar.
    registry
        Metrics, collected when `/metrics` is asked for.
    token
        Bearer token that every request must carry; None admits this machine only.
    """
    app = FastAPI(title="scalp-layers", version="1", docs_url=None, redoc_url=None)
    _add_scores(app, backend)
    _add_market(app, backend)
    _add_state(app, backend, registry)
    return Guard(app, token)


def _add_scores(app: FastAPI, backend: Backend) -> None:
    @app.get("/v1/scores", responses={200: {"model": models.Scores}})
    async def scores(
        pairs: Annotated[str, Query(description="Freqtrade's names, comma-separated.")],
        at: Annotated[int | None, Query(ge=0, description="As of, epoch ms; default now.")] = None,
        since: Annotated[
            int | None, Query(ge=0, description="Also what was known at each 15m close after this.")
        ] = None,
    ) -> Response:
        """Everything the strategy needs for a candle. Pairs asked for stay watched for a while."""
        names = list(dict.fromkeys(name for name in pairs.split(",") if name))
        if len(names) > MAX_PAIRS:
            raise HTTPException(422, f"at most {MAX_PAIRS} pairs, got {len(names)}")
        return Response(await backend.scores(names, at, since), media_type=JSON)

    @app.get("/v1/scores/{layer}/history", responses={200: {"model": models.History}})
    async def history(
        layer: str,
        pair: Annotated[str, Query(description="Freqtrade's name, or * for the whole market.")],
        since: Annotated[int, Query(ge=0, description="From this instant on, epoch ms.")],
        limit: Annotated[int, Query(ge=1, le=MAX_ROWS)] = 5_000,
    ) -> Response:
        """Components of the archive as they became available, oldest first."""
        if layer not in LAYERS:
            raise HTTPException(404, f"no layer {layer!r}; known: {', '.join(LAYERS)}")
        return Response(await backend.history(layer, pair, since, limit), media_type=JSON)

    @app.get("/v1/events", responses={200: {"model": models.Events}})
    async def events(
        after: Annotated[int, Query(ge=0, description="The last number that was taken.")] = 0,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
    ) -> Response:
        """Numbered events, each to be taken once."""
        return Response(backend.events(after, limit), media_type=JSON)


def _add_market(app: FastAPI, backend: Backend) -> None:
    @app.get("/v1/pairs", responses={200: {"model": models.Pairs}})
    async def pairs() -> Response:
        """Return the scanner's full figures per pair."""
        return Response(backend.pairs(), media_type=JSON)

    @app.get("/v1/pairlist", responses={200: {"model": models.PairList}})
    async def pairlist() -> Response:
        """Return the active pairs in Freqtrade's RemotePairList format."""
        return Response(backend.pairlist(), media_type=JSON)


def _add_state(app: FastAPI, backend: Backend, registry: CollectorRegistry) -> None:
    @app.get("/v1/health", responses={200: {"model": models.Health}, 503: {"model": models.Health}})
    async def health() -> Response:
        """Return the state of every part; 503 when nothing comes from the exchange."""
        state = backend.health()
        status = 503 if state["status"] == "down" else 200
        return Response(orjson.dumps(state), status_code=status, media_type=JSON)

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Prometheus metrics."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    page = files("external_layers").joinpath("dashboard.html").read_text(encoding="utf-8")

    @app.get(_PAGE, response_class=HTMLResponse)
    async def dashboard() -> HTMLResponse:
        """Serve a page that shows scores and health and refreshes itself; it holds no data."""
        return HTMLResponse(page)
