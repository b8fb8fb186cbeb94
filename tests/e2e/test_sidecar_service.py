"""The sidecar as its user runs it: its own process, a market beside it, signals and kills."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from external_layers.store.archive_reader import ArchiveReader
from tests.support.market import running_market

COMMAND = [sys.executable, "-m", "external_layers.cli"]
WITHIN_S = 40.0
START_S = 30.0
SYMBOLS = "BTC,ETH,SOL"
BTC = "BTC/USDT:USDT"
OUR_OWN = ("REDIS_URL", "SCALP_LAYERS_TOKEN", "SCALP_LAYERS_EXCHANGE_URL")
FEED = {"silence_fast_s": 2.0, "reconnect_first_s": 0.2, "clock_poll_s": 5.0}


def until(is_so: Callable[[], Any], within_s: float = WITHIN_S) -> Any:
    """Wait for a state of another process and return what it answered."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            if answer := is_so():
                return answer
        time.sleep(0.1)
    raise AssertionError("it did not come about in time")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@dataclass
class Place:
    """A folder with a config, on which sidecars run one after the other."""

    folder: Path
    market: str
    mode: str = "futures"

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data, self.config = self.folder / "data", self.folder / "config.json"
        self.port = free_port()
        suffix = ":USDT" if self.mode == "futures" else ""
        sidecar = {"port": self.port, "feed": FEED, "archive": {"flush_s": 1.0}}
        scanner = {"refresh_s": 5, "min_pairs": 1, "min_change_pct": 0.0, "min_atr_pct": 0.0}
        scanner |= {"min_opportunity_score": 0.0, "min_liquidity_score": 0.0}
        body = {
            "trading_mode": self.mode,
            "exchange": {"name": "binance", "pair_whitelist": [f"BTC/USDT{suffix}"]},
            "scalp": {"sidecar": sidecar, "scanner": scanner},
        }
        self.config.write_text(json.dumps(body))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self, name: str, *options: str) -> list[str]:
        return [*COMMAND, name, "-c", str(self.config), "--data-dir", str(self.data), *options]

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in OUR_OWN}
        return kept | {
            "SCALP_LAYERS_EXCHANGE_URL": self.market,
            "FREQTRADE__SCALP__SIDECAR__PUBLISH_S": "5",
        }

    def run(self, name: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self.command(name, *options), env=self.environment, capture_output=True,
            text=True, timeout=60, check=False,
        )  # fmt: skip

    def get(self, path: str, **params: Any) -> Any:
        return httpx.get(f"{self.url}{path}", params=params, timeout=10).json()

    def components(self, pair: str, **params: Any) -> list[list[Any]]:
        answer = self.get("/v1/scores", pairs=pair, **params)
        return list(answer["pairs"][pair]["components"])

    def is_known(self, pair: str, *names: str) -> bool:
        known = {row[1] for row in self.components(pair) if row[3] is not None}
        return set(names) <= known

    def archived(self) -> set[tuple[str, str, int]]:
        reader = ArchiveReader(self.data)
        rows = (one for layer in reader.layers() for one in reader.components(layer))
        return {(one.name, one.pair, one.available_at_ms) for one in rows}


class Running:
    """One sidecar process."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._log = (place.folder / "log.txt").open("ab")
        self.process = subprocess.Popen(
            place.command("run"), env=place.environment, stdout=self._log, stderr=self._log
        )

    def ready(self) -> "Running":
        until(self._answers, START_S)
        return self

    def _answers(self) -> bool:
        log = (self.place.folder / "log.txt").read_text()
        assert self.process.poll() is None, log
        return httpx.get(f"{self.place.url}/v1/health").status_code in {200, 503}

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        try:
            return self.process.wait(20)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self._log.close()


@contextlib.contextmanager
def running(place: Place) -> Iterator[Running]:
    sidecar = Running(place)
    try:
        yield sidecar.ready()
    finally:
        if sidecar.process.poll() is None:
            sidecar.end()


@pytest.fixture(scope="module")
def market() -> Iterator[str]:
    with running_market("--seed", "7", "--symbols", SYMBOLS) as url:
        yield url


@pytest.fixture(scope="module")
def place(market: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A place where a futures sidecar runs and gives scores."""
    place = Place(tmp_path_factory.mktemp("futures"), market)
    with running(place):
        until(lambda: place.get("/v1/health")["books"])
        until(lambda: place.is_known(BTC, "book_imbalance", "funding_rate"))
        yield place


def control(market: str, name: str, **body: Any) -> None:
    httpx.post(f"{market}/control/{name}", json=body).raise_for_status()


def test_it_watches_scores_and_lists_the_market(place: Place) -> None:
    health = until(lambda: settled(place))
    assert health["feeds"]["futures"]["connections"]
    assert all(book["is_synced"] for book in health["books"].values())
    # A scan between the two answers may add a pair, which is watched a moment later.
    until(lambda: set(place.get("/v1/pairlist")["pairs"]) == set(place.get("/v1/health")["books"]))
    assert BTC in health["books"]
    candles = place.get("/v1/scores", pairs=BTC)["pairs"][BTC]["candles"]
    assert {name: len(rows) >= 490 for name, rows in candles.items()} == {"5m": True, "1m": True}
    events = place.get("/v1/events")["events"]
    assert BTC in {event["pair"] for event in events if event["kind"] == "pair_added"}
    rows = place.components(BTC)
    now = place.get("/v1/health")["now_ms"]
    assert all(row[5] <= row[6] <= now for row in rows)


def settled(place: Place) -> Any:
    """The health once all is well, as far as a sidecar of a few seconds can be."""
    health = place.get("/v1/health")
    is_well = health["status"] in {"ok", "starting"} and not health["problems"]
    return health if is_well and health["clock_offset_ms"] is not None else None


def test_a_cut_of_all_connections_shows_and_heals(market: str, place: Place) -> None:
    def reconnects() -> int:
        feed = place.get("/v1/health")["feeds"]["futures"]
        return sum(each["reconnects"] for each in feed["connections"])

    before = reconnects()
    control(market, "disconnect")
    until(lambda: reconnects() > before)
    until(lambda: settled(place))
    assert place.is_known(BTC, "book_imbalance")


def test_silence_shows_and_heals(market: str, place: Place) -> None:
    control(market, "silence", stream="btcusdt@depth20")

    def problems() -> str:
        return " ".join(place.get("/v1/health")["problems"])

    until(lambda: "silent: btcusdt@depth20@100ms" in problems())
    control(market, "reset")
    until(lambda: settled(place))


def test_the_doctor_asks_the_running_sidecar(place: Place) -> None:
    for options in ((), ("--quick",)):
        done = place.run("doctor", *options)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "tried out" not in done.stdout


@pytest.mark.parametrize("shared", ["port", "data"])
def test_a_second_sidecar_says_what_is_taken(place: Place, tmp_path: Path, shared: str) -> None:
    other = Place(tmp_path / "other", place.market)
    if shared == "port":
        other.config.write_text(place.config.read_text())
    else:
        other.data = place.data
    done = other.run("run")
    assert done.returncode == 2
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith("error: ")
    assert (str(place.port) if shared == "port" else str(place.data)) in line
    assert "Traceback" not in done.stderr
    assert place.get("/v1/health")["books"]


def test_what_was_served_is_on_the_disk_after_sigterm(market: str, tmp_path: Path) -> None:
    place = Place(tmp_path / "ended", market)
    with running(place) as sidecar:
        until(lambda: place.is_known(BTC, "book_imbalance"))
        served = {(row[1], row[2], row[6]) for row in place.components(BTC)}
        pairs = set(place.get("/v1/pairlist")["pairs"])
        last = place.get("/v1/events")["last_number"]
        assert sidecar.end() == 0
    assert served <= place.archived()
    # Killed without a word it goes on all the same, with rising numbers and the known pairs.
    with running(place) as sidecar:
        assert set(place.get("/v1/pairlist")["pairs"]) >= pairs
        until(lambda: place.is_known(BTC, "book_imbalance"))
        assert sidecar.end(signal.SIGKILL) == -signal.SIGKILL
    with running(place) as sidecar:
        assert place.get("/v1/events")["last_number"] >= last
        known = {event["number"] for event in place.get("/v1/events", limit=10_000)["events"]}
        assert last in known
        until(lambda: place.is_known(BTC, "book_imbalance"))
        assert sidecar.end(signal.SIGINT) == 0
    assert place.run("pairlist").returncode == 0
    assert set(json.loads((place.data / "pairlist.json").read_text())["pairs"]) >= pairs


def test_spot_takes_funding_and_open_interest_from_the_perpetual(
    market: str, tmp_path: Path
) -> None:
    place = Place(tmp_path / "spot", market, "spot")
    with running(place) as sidecar:
        until(lambda: place.is_known("BTC/USDT", "book_imbalance", "funding_rate"))
        health = place.get("/v1/health")
        assert set(health["feeds"]) == {"spot", "futures"}
        asked = until(lambda: httpx.get(f"{market}/control/requests").json()["requests"])
        assert asked["/fapi/v1/openInterest"] > 0
        assert sidecar.end() == 0


def test_the_doctor_without_a_sidecar_tries_what_it_would_need(market: str, tmp_path: Path) -> None:
    place = Place(tmp_path / "none", market)
    assert place.run("doctor").returncode == 0
    quick = place.run("doctor", "--quick")
    assert quick.returncode != 0
    assert "no sidecar answers" in quick.stderr
    place.market = "http://127.0.0.1:9"
    ill = place.run("doctor")
    assert ill.returncode == 1
    assert "FAIL" in ill.stdout


def test_a_pair_list_is_made_before_anything_runs(market: str, tmp_path: Path) -> None:
    place = Place(tmp_path / "fresh", market)
    assert place.run("pairlist").returncode == 0
    assert json.loads((place.data / "pairlist.json").read_text())["pairs"] == [BTC]
