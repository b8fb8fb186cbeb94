"""The real sidecar in a process of its own: started, asked, killed, started anew."""

import json
import os
import signal
import subprocess
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from external_layers.scanner.pairlist import FILE_NAME
from tests.support.bot import PROJECT, beside_python, free_port, until
from tests.support.shifted import SharedClock, on_clock

_START_S: Final = 60.0
_WATCH_S: Final = 60.0
_STOP_S: Final = 30.0
_ANSWER_S: Final = 20.0
_NAME, _LONG, _AVAILABLE_MS = 1, 3, 6  # places in a component's row


@dataclass
class RunningSidecar:
    """`scalp-layers run` with the project's own configs, on a port that it keeps over restarts.

    `folder` gets its config, its log and, in `data`, what it keeps. `environment` adds variables,
    such as settings; `pairs` are the config's own pair list.
    """

    folder: Path
    market_url: str
    pairs: list[str]
    mode: str = "futures"
    environment: dict[str, str] = field(default_factory=dict)
    clock: SharedClock | None = None

    def __post_init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._client = httpx.Client(base_url=self.url, timeout=_ANSWER_S, trust_env=False)
        self.folder.mkdir(parents=True)
        (self.folder / "pairs.json").write_text(
            json.dumps({"exchange": {"pair_whitelist": self.pairs}})
        )

    @property
    def data(self) -> Path:
        """The folder of archive, events and pair list."""
        return self.folder / "data"

    @property
    def pairlist_file(self) -> Path:
        return self.data / FILE_NAME

    @property
    def log_path(self) -> Path:
        return self.folder / "sidecar.log"

    # ---- its life ----

    def start(self) -> None:
        """Start the program and wait until it answers."""
        self._ready.unlink(missing_ok=True)
        with self.log_path.open("ab") as output:
            self._process = subprocess.Popen(
                self._command(), stdout=output, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, env=self._variables(), start_new_session=True,
            )  # fmt: skip
        until(self._is_ready, "the sidecar is ready", _START_S, self.log_path)

    def await_watch(self, pairs: Collection[str]) -> None:
        """Wait until the order flow of pairs is watched: their books are known since the start."""
        started_ms = self.health()["started_at_ms"]
        until(
            lambda: self._has_books(pairs, started_ms), "all pairs are watched", _WATCH_S,
            pairs, self.log_path,
        )  # fmt: skip

    def terminate(self) -> int:
        """End it the polite way and return its exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """End it without a word (SIGKILL)."""
        return self._end(signal.SIGKILL)

    def close(self) -> None:
        if self._process is not None:
            self.kill()
        self._client.close()

    # ---- its interface ----

    def get(self, path: str, **query: Any) -> Any:
        answer = self._client.get(path, params=query)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def read(self, path: str) -> str:
        """Return the text of any answer, whatever its status."""
        return self._client.get(path).text

    def health(self) -> dict[str, Any]:
        """Return the state of every part; the sidecar tells it when the exchange is away too."""
        return dict(self._client.get("/v1/health").json())

    def components(self, pairs: Collection[str]) -> list[list[Any]]:
        """Return the rows of pairs that are known now."""
        answer = self.get("/v1/scores", pairs=",".join(pairs))
        return [row for one in answer["pairs"].values() for row in one["components"]]

    # ---- how ----

    @property
    def _ready(self) -> Path:
        return self.folder / "ready"

    def _is_ready(self) -> bool:
        assert self._process is not None
        status = self._process.poll()
        assert status is None, f"status {status}: {self.log_path.read_text()[-3000:]}"
        return self._ready.is_file()

    def _has_books(self, pairs: Collection[str], since_ms: int) -> bool:
        rows = [row for row in self.components(pairs) if row[_NAME] == "book_imbalance"]
        known = [row for row in rows if row[_LONG] is not None and row[_AVAILABLE_MS] >= since_ms]
        return len(known) == len(pairs)

    def _command(self) -> list[str]:
        configs = [PROJECT / "config" / f"{name}.json" for name in ("base", self.mode)]
        words = [
            word for path in (*configs, self.folder / "pairs.json") for word in ("-c", str(path))
        ]
        files = ["--data-dir", str(self.data), "--ready-file", str(self._ready)]
        return on_clock(self.clock, [beside_python("scalp-layers"), "run", *words, *files])

    def _variables(self) -> dict[str, str]:
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith("FREQTRADE_") and key != "REDIS_URL"
        }
        own = {
            "SCALP_LAYERS_EXCHANGE_URL": self.market_url,
            "FREQTRADE__SCALP__SIDECAR__PORT": str(self.port),
        }
        return kept | own | self.environment

    def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)
        status = self._process.wait(_STOP_S)
        self._process = None
        return status
