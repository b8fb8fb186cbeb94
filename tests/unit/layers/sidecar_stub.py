"""A sidecar in a thread: the wire format of ``/v1/scores`` over real HTTP, by brute force."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from scalp_strategy.contract import MARKET_WIDE, Component, to_wire
from tests.unit.layers.evidence import CANDLE_MS

STEPS_MS = {"5m": 300_000, "1m": 60_000}
Fault = Callable[["Handler"], None]


@dataclass
class Sidecar:
    """What it knows, what it was asked, and how it fails.

    `fault` answers in its place; `released` ends what a fault blocks on.
    """

    rows: list[Component] = field(default_factory=list)
    candles: dict[tuple[str, str], list[list[float]]] = field(default_factory=dict)
    fault: Fault | None = None
    asked: list[dict[str, str]] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    connections: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def body(self, query: dict[str, str]) -> bytes:
        at = int(query["at"])
        since = int(query["since"]) if "since" in query else None
        pairs = {pair: self._entry(pair, at, since) for pair in query["pairs"].split(",")}
        pairs[MARKET_WIDE] = {"components": self._components(MARKET_WIDE, at, since)}
        return json.dumps({"schema": 1, "at_ms": at, "pairs": pairs}).encode()

    def _entry(self, pair: str, at: int, since: int | None) -> dict:
        candles = {
            frame: [
                row
                for row in self.candles.get((pair, frame), [])
                if row[0] + step <= at and (since is None or row[0] + step > since)
            ]
            for frame, step in STEPS_MS.items()
        }
        return {"components": self._components(pair, at, since), "candles": candles}

    def _components(self, pair: str, at: int, since: int | None) -> list:
        closes = (
            [at]
            if since is None
            else range((since // CANDLE_MS + 1) * CANDLE_MS, at + 1, CANDLE_MS)
        )
        own = [one for one in self.rows if one.pair == pair and one.available_at_ms <= at]
        counted: set[int] = set()
        for close in closes:
            by_then = [one for one in own if one.available_at_ms <= close]
            latest = {(one.layer, one.name): one for one in by_then}
            latest_known = {(one.layer, one.name): one for one in by_then if one.is_known}
            counted |= {id(one) for one in (*latest.values(), *latest_known.values())}
        return [to_wire(one) for one in own if id(one) in counted]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet for an answer
    sidecar: Sidecar

    def setup(self) -> None:
        super().setup()
        self.sidecar.connections += 1

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        assert parts.path == "/v1/scores"
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.sidecar.asked.append(query)
        self.sidecar.tokens.append(self.headers.get("Authorization"))
        if self.sidecar.fault is None:
            self.answer(self.sidecar.body(query))
        else:
            self.sidecar.fault(self)

    def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *args: object) -> None:
        """A client that hangs up is what some tests are about."""

    def process_request(self, request, client_address) -> None:
        self.open_requests.append(request)
        super().process_request(request, client_address)


@contextmanager
def serving(sidecar: Sidecar, port: int = 0) -> Iterator[str]:
    """Serve on loopback; at the end every connection is cut, as a restart does."""
    handler = type("BoundHandler", (Handler,), {"sidecar": sidecar})
    server = _Server(("127.0.0.1", port), handler)
    server.open_requests = []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        sidecar.released.set()
        server.shutdown()
        for request in server.open_requests:
            server.shutdown_request(request)
        server.server_close()
        thread.join()
