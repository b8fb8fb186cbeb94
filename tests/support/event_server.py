"""A sidecar that serves its events, over real HTTP, from the sidecar's own log of events."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from external_layers.store.events import EventLog
from scalp_strategy.setting_groups.store import EventSettings

TOKEN = "s3cret-token"  # noqa: S105
Fault = Callable[["Handler"], None]


@dataclass
class EventSidecar:
    """What it told, what it was asked, and how it fails.

    `fault` answers in its place; `released` ends what a fault blocks on. `now_ms` stamps events.
    """

    folder: Path
    now_ms: int
    kept: int = 10_000
    token: str = TOKEN
    fault: Fault | None = None
    asked: list[int] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def __post_init__(self) -> None:
        self.open(self.folder)

    def open(self, folder: Path, *, is_clean: bool = True) -> None:
        """Begin in a folder, another one or the same: a restart; not clean is a kill."""
        if hasattr(self, "log"):
            self._leave(is_clean)
        folder.mkdir(exist_ok=True)
        self.folder = folder
        settings = EventSettings(kept=self.kept, is_synced=False)
        self.log = EventLog(folder / "events.jsonl", settings, lambda: self.now_ms)

    def whale(self, number: int = 0, **data: Any) -> int:
        """Tell of a deposit worth $20M, observed 5 s ago; return the event's number."""
        values = {
            "token": "BTC",
            "amount": 300.0,
            "amount_usd": 20e6,
            "direction": "deposit",
            "from_label": "unknown wallet",
            "to_label": "Binance",
            "blockchain": "bitcoin",
            "tx_hash": f"{number:064x}",
            "observed_at_ms": self.now_ms - 5_000,
        }
        return self.log.append("whale", "a whale", "BTC/USDT:USDT", values | data).number

    def change(self, kind: str, old: str | None, new: str | None) -> int:
        return self.log.append(kind, f"{kind}: {new}", None, {"old": old, "new": new}).number

    def body(self, after: int, limit: int) -> bytes:
        """The answer, as the sidecar makes it."""
        found = self.log.after(after, limit)
        last = found[-1].number if found else after
        return json.dumps(
            {"events": [one.to_json() for one in found], "last_number": last}
        ).encode()

    def close(self) -> None:
        self.log.close()

    def _leave(self, is_clean: bool) -> None:
        if is_clean:
            self.log.close()
        else:
            # What a killed process leaves: its lock is gone, nothing was given back.
            self.log._lock.release()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet for an answer
    sidecar: EventSidecar

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.sidecar.asked.append(int(query["after"]))
        if self.sidecar.fault is not None:
            self.sidecar.fault(self)
        elif self.headers.get("Authorization") != f"Bearer {self.sidecar.token}":
            self.answer(b'{"detail":"not allowed"}', 401)
        elif parts.path != "/v1/events":
            self.answer(b'{"detail":"Not Found"}', 404)
        else:
            self.answer(self.sidecar.body(int(query["after"]), int(query["limit"])))

    def answer(self, body: bytes, status: int = 200, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *args: object) -> None:
        """A client that hangs up is what some tests are about."""


@contextmanager
def serving_events(sidecar: EventSidecar) -> Iterator[EventSidecar]:
    """Serve on loopback while the block lasts."""
    server = _Server(("127.0.0.1", 0), type("BoundHandler", (Handler,), {"sidecar": sidecar}))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    sidecar.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield sidecar
    finally:
        sidecar.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
        sidecar.close()
