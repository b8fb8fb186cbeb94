"""What is told without Telegram: the host's own webhook and Discord modules, over real HTTP."""

import json
import threading
from collections import deque
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from freqtrade.configuration.config_validation import validate_config_schema
from freqtrade.rpc.rpc_manager import RPCManager

ROOT = Path(__file__).parents[2]
TEXT = "🟢 LONG — SOL/USDT:USDT {braces} _under_ *stars*\n" + "├─ line\n" * 300
DISCORD_FIELD = 1_024  # what Discord takes in one field of an embed
DISCORD_CONTENT = 2_000


class Received(BaseHTTPRequestHandler):
    bodies: list[Any] = []  # noqa: RUF012 - of the one server of this module

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.bodies.append(json.loads(self.rfile.read(length)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    Received.bodies = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Received)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()


def config(name: str, **urls: str) -> dict[str, Any]:
    shipped = json.loads((ROOT / "config" / "base.json").read_text())
    overlay = json.loads((ROOT / "config" / f"{name}.json").read_text())
    overlay[name] |= urls
    merged = shipped | overlay
    validate_config_schema(
        merged | {"stoploss": -0.99, "minimal_roi": {"0": 100}, "trading_mode": "futures"}
    )
    return merged


def told(settings: dict[str, Any]) -> list[Any]:
    """Let the host bring one message of a strategy to its channels."""
    manager = RPCManager(SimpleNamespace(config=settings))
    manager.process_msg_queue(deque([TEXT]))
    return Received.bodies


def test_a_webhook_gets_the_text(address):
    (body,) = told(config("webhook", url=address))
    assert body["content"] == body["text"]
    assert TEXT.startswith(body["content"])
    assert 1_900 < len(body["content"]) <= DISCORD_CONTENT


def test_discord_gets_as_much_as_it_takes(address):
    (body,) = told(config("discord", webhook_url=address))
    (field,) = body["embeds"][0]["fields"]
    assert TEXT.startswith(field["value"])
    assert 900 < len(field["value"]) <= DISCORD_FIELD
