"""A real sidecar without its jobs, on a clock that a test owns, and its real HTTP server."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from external_layers.api import make_app
from external_layers.binance.addresses import addresses
from external_layers.binance.clock import ClockEstimate
from external_layers.binance.feed_state import ConnectionState, FeedState, StreamState
from external_layers.binance.messages import MarketKind
from external_layers.health import Report
from external_layers.metrics import metrics_registry
from external_layers.run_config import RunConfig
from external_layers.service import Sidecar
from scalp_strategy.settings import Settings, with_overrides

CLOSE_MS = 900_000
START = 1_989_000 * CLOSE_MS
BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
NOWHERE = "http://127.0.0.1:9"


class Clock:
    """Stands still until it is told the time."""

    def __init__(self, ms: int) -> None:
        self.ms = ms

    def now_ms(self) -> int:
        return self.ms


def run_settings(
    folder: Path, kind: MarketKind = "futures", token: str | None = None, **changes: Any
) -> RunConfig:
    overrides = {name.replace("__", "."): value for name, value in changes.items()}
    return RunConfig(
        settings=with_overrides(Settings(), overrides) if overrides else Settings(),
        kind=kind,
        data_dir=folder,
        pairs=("SOL/USDT:USDT",) if kind == "futures" else ("SOL/USDT",),
        exchange=addresses(kind, NOWHERE),
        derivatives=addresses("futures", NOWHERE),
        token=token,
        redis_url=None,
        sources_url=NOWHERE,
    )


@contextlib.contextmanager
def idle_sidecar(
    folder: Path, at_ms: int = START, kind: MarketKind = "futures", **changes: Any
) -> Iterator[tuple[Sidecar, Clock]]:
    """A sidecar whose jobs are not begun: the test does what they would."""
    clock = Clock(at_ms)
    sidecar = Sidecar(run_settings(folder, kind, **changes), None)  # type: ignore[arg-type]
    sidecar.clock.monotonic_ms = lambda: float(clock.ms)
    sidecar.clock.adopt(ClockEstimate(0.0, 1.0))
    sidecar._symbols = {pair: pair.partition("/")[0] + "USDT" for pair in (BTC, ETH)}
    try:
        yield sidecar, clock
    finally:
        sidecar.archive.close()
        sidecar.events.close()


def app_of(sidecar: Sidecar, token: str | None = None) -> ASGIApp:
    return make_app(Report(sidecar), metrics_registry(sidecar), token)


@contextlib.contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """Serve an application over loopback and yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


class FeedStub:
    """A feed that only tells how it is."""

    def __init__(self, **streams: Any) -> None:
        self.connections = [connection()]
        self.streams = {name: stream(**fields) for name, fields in streams.items()}

    def state(self) -> FeedState:
        return FeedState(self.streams, self.connections, 0, 0, 0, 0)


def connection(**fields: Any) -> ConnectionState:
    given = {"number": 0, "category": "market", "streams": 1, "since_ms": START}
    given |= {"is_settled": True, "reconnects": 0, "renewals": 0, "failures": 0}
    return ConnectionState(**given | {"reply_errors": 0, "reply_timeouts": 0} | fields)


def stream(**fields: Any) -> StreamState:
    given = {"connection": 0, "messages": 5, "dropped": 0, "last_ms": START, "is_silent": False}
    return StreamState(**given | {"alarms": 0, "is_refused": False} | fields)
