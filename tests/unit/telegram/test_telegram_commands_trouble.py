"""What /sources says, and what the commands say when something is missing or broken."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest

from scalp_strategy.errors import StoreError
from scalp_strategy.telegram.handlers import UNANSWERED
from tests.support.bot_api import running_bot_api
from tests.support.telegram_host import running_telegram


@pytest.fixture
def api():
    with running_bot_api() as one:
        yield one


@pytest.fixture
def house(api, tmp_path):
    with running_telegram(api, tmp_path) as one:
        yield one


# ------------------------------------------------------------------------------------------ trouble


def test_a_journal_that_cannot_be_read_is_said_without_made_up_numbers(house, monkeypatch):
    def fail(*_args, **_named):
        raise StoreError("the database is gone: postgresql://user:hunter2@host")

    for name in ("closed_positions", "last_signals", "signals_between"):
        monkeypatch.setattr(house.engine.reader, name, fail)
    for command in ("/stats", "/pnl", "/winrate", "/drawdown", "/signals", "/gate"):
        text = house.answer(command)
        assert "cannot be read" in text, command
        assert "hunter2" not in text
        assert "0.00" not in text


def test_a_bug_in_a_command_is_one_line(house, monkeypatch):
    monkeypatch.setattr(type(house.engine), "trades", lambda _self: 1 / 0)
    assert house.answer("/open") == UNANSWERED
    assert house.answer("/heat").startswith("Portfolio Heat")


# ---------------------------------------------------------------------------------------- sources


@contextmanager
def health_server(status: int, body: bytes, tokens: list[str | None]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            tokens.append(self.headers.get("Authorization"))
            self.send_response(status if self.path == "/v1/health" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def sources_of(api, folder, status: int, body: bytes, tokens=None) -> str:
    given = [] if tokens is None else tokens
    with (
        health_server(status, body, given) as url,
        running_telegram(api, folder, settings={"sidecar": {"url": url}}) as house,
    ):
        return house.answer("/sources")


def test_sources_by_name(api, tmp_path, monkeypatch):
    monkeypatch.setenv("SCALP_LAYERS_TOKEN", "a-token-of-the-sidecar")
    document = {
        "status": "degraded",
        "problems": ["source gdelt: HTTP 503 <html>"],
        "sources": {
            "gdelt": {"is_on": True, "problem": "HTTP 503 <html>", "age_s": 4_000.0},
            "fear_greed": {"is_on": True, "problem": None, "age_s": 61.2},
            "fred": {"is_on": False, "why_off": "FRED_API_KEY is not set", "problem": None},
            "bitcoin": {"is_on": True, "problem": None, "age_s": None},
        },
    }
    tokens: list[str | None] = []
    text = sources_of(api, tmp_path, 200, json.dumps(document).encode(), tokens)
    assert tokens == ["Bearer a-token-of-the-sidecar"]
    for line in (
        "Sidecar: degraded",
        "🔴 gdelt: HTTP 503 <html>",
        "🟢 fear_greed: 61 s old",
        "⚪ fred: off, FRED_API_KEY is not set",
        "🟡 bitcoin: nothing yet",
        "Journal: written",
        "Telegram (main): well",
    ):
        assert line in text


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, b'{"detail":"not allowed"}', "HTTP status 401"),
        (200, b"<html>", "does not answer"),
        (200, b"[]", "HTTP status 200"),
        (503, b'{"status":"down","problems":["futures: silent"]}', "Sidecar: down"),
    ],
)
def test_a_sidecar_in_trouble(api, tmp_path, status, body, words):
    assert words in sources_of(api, tmp_path, status, body)


def test_a_sidecar_that_is_not_there(api, tmp_path):
    settings = {"sidecar": {"url": "http://127.0.0.1:9"}}
    with running_telegram(api, tmp_path, settings=settings) as house:
        assert "Sidecar: unknown, the sidecar does not answer" in house.answer("/sources")


def test_a_journal_in_trouble_is_told(house, monkeypatch):
    keeper = SimpleNamespace(problem="the disk is full")
    monkeypatch.setattr(house.engine.live, "keeper", keeper)
    assert "Journal: the disk is full" in house.answer("/sources")
