"""What the bot waits for: `/v1/scores` for forty pairs over loopback, and what it makes of it.

Run with `pytest tests/benchmarks/test_answers_benchmark.py -o addopts= -s`. The real application
with the sidecar's own parts answers from a process of its own, served as `scalp-layers run` does.
"""

import asyncio
import http.client
import math
import multiprocessing
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

import orjson
import pandas as pd
import pytest
import uvicorn
import uvloop
from aiohttp import ClientSession

from external_layers.api import make_app
from external_layers.binance.addresses import addresses
from external_layers.health import Report
from external_layers.metrics import metrics_registry
from external_layers.run_config import RunConfig
from external_layers.service import Sidecar
from external_layers.timeline import floor_close
from scalp_strategy.contract import CANDLE_MS, Component
from scalp_strategy.layers import LiveSource, layer_frame
from scalp_strategy.layers.http_transport import HttpTransport
from scalp_strategy.setting_groups.layer_rules import rules_of
from scalp_strategy.settings import Settings
from scalp_strategy.technical import technical_layer
from tests.benchmarks.wire_market import symbols
from tests.support.candles import random_candles

SETTINGS = Settings()
RULES, *_ = rules_of(SETTINGS)
# Fewer candles than are served, so that the last but one close has them all as well.
BOT = SETTINGS.model_copy(
    update={"sidecar": SETTINGS.sidecar.model_copy(update={"candle_rows": 480})}
)
CLOSES = 6
ASKED = 300
MOST_MS = 2.0
ROWS = 999


def tell(line: str) -> None:
    sys.stdout.write(f"\n{line}")


def fill(sidecar: Sidecar, close_ms: int) -> None:
    """Put at hand what a running sidecar has of forty pairs: scores of each grid step, candles."""
    chance = random.Random(3)
    sidecar.watch.watch(symbols())
    step_ms = SETTINGS.sidecar.publish_s * 1_000
    for at_ms in range(close_ms - CLOSES * CANDLE_MS, close_ms + 1, step_ms):
        for pair in sidecar.watch.watches:
            sidecar.timeline.add(components(pair, at_ms - SETTINGS.sidecar.publish_lead_ms, chance))
        if at_ms % CANDLE_MS == 0:
            sidecar.timeline.prune(at_ms)
    for each in sidecar.watch.watches.values():
        for shelf in each.shelves.values():
            opens = range(close_ms - 499 * shelf.length_ms, close_ms, shelf.length_ms)
            prices = [round(chance.uniform(99.0, 101.0), 4) for _ in opens]
            shelf.fill(
                (o, p, p + 0.5, p - 0.5, p, 1_234.567) for o, p in zip(opens, prices, strict=True)
            )


def components(pair: str, at_ms: int, chance: random.Random) -> Iterator[Component]:
    for rule in RULES.components:
        long, observed = round(chance.uniform(0.0, 100.0), 6), at_ms - chance.randrange(900)
        reason = "Aggressive buying 71% of volume; trades 2.3x as fast as usual"
        yield Component("orderflow", rule.name, pair, long, 100.0 - long, observed, at_ms, reason)


def serve(pipe: Any) -> None:
    """Serve a filled sidecar whose jobs do not run; tell port and close, then processor times."""

    async def run() -> None:
        close_ms = floor_close(int(time.time() * 1_000))
        futures = addresses("futures", "http://127.0.0.1:9")
        with tempfile.TemporaryDirectory() as folder:
            config = RunConfig(SETTINGS, "futures", Path(folder), (), futures, futures, None, None)
            async with ClientSession() as session:
                sidecar = Sidecar(config, session)
                fill(sidecar, close_ms)
                app = make_app(Report(sidecar), metrics_registry(sidecar))
                await _serve(app, close_ms)

    async def _serve(app: Any, close_ms: int) -> None:
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                port=0,
                loop="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
            )
        )
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        pipe.send((server.servers[0].sockets[0].getsockname()[1], close_ms))
        asyncio.get_running_loop().add_reader(pipe.fileno(), _answer)
        await serving

    def _answer() -> None:
        pipe.recv()
        pipe.send(time.process_time())

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


class Served:
    """The served sidecar: its port, the last close, and what its process has taken."""

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self.port, self.close_ms = pipe.recv()

    def cpu_s(self) -> float:
        self._pipe.send(None)
        spent: float = self._pipe.recv()
        return spent


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(there,), daemon=True)
    process.start()
    yield Served(here)
    process.terminate()
    process.join()


class Asker:
    """A bare client on one connection, which adds next to nothing to the answer's time."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._connection = http.client.HTTPConnection("127.0.0.1", served.port)

    def ask(self, since_ms: int | None) -> bytes:
        query = {"pairs": ",".join(symbols().values()), "at": str(self._served.close_ms)}
        if since_ms is not None:
            query["since"] = str(since_ms)
        self._connection.request("GET", f"/v1/scores?{urlencode(query)}")
        answer = self._connection.getresponse()
        assert answer.status == 200
        return answer.read()

    def times(self, sinces: list[int | None]) -> tuple[list[float], float]:
        """Return milliseconds of each answer, ascending, and the server's a request, of a core."""
        times, before = [], self._served.cpu_s()
        for since in sinces:
            start = time.perf_counter()
            self.ask(since)
            times.append((time.perf_counter() - start) * 1e3)
        return sorted(times), (self._served.cpu_s() - before) / len(sinces) * 1e3


def test_scores_of_forty_pairs_over_http(served: Served) -> None:
    asker, last = Asker(served), served.close_ms - CANDLE_MS
    body = asker.ask(last)
    assert_answer(orjson.loads(body), served.close_ms, {"5m": 3, "1m": 15})
    kept, kept_cpu = asker.times([last] * ASKED)
    # The same content under another key each time, as every close has: nothing is encoded yet.
    new, new_cpu = asker.times([last + 1 + each for each in range(ASKED)])
    long = asker.ask(None)
    assert_answer(orjson.loads(long), served.close_ms, {"5m": 499, "1m": 499})
    whole, whole_cpu = asker.times([None] * 20)
    tell(
        f"/v1/scores of forty pairs, a candle's ({len(body):,} bytes): p50 {median(new):.2f} ms "
        f"when new, {median(kept):.2f} ms again (p99 {new[ASKED * 99 // 100]:.2f}, "
        f"{kept[ASKED * 99 // 100]:.2f}), of a core {new_cpu:.2f} and {kept_cpu:.2f} ms; "
        f"the first, long one ({len(long) / 1e6:.1f} MB): p50 {median(whole):.1f} ms, "
        f"of a core {whole_cpu:.1f} ms"
    )
    assert kept_cpu < MOST_MS


def assert_answer(document: Any, close_ms: int, candles: dict[str, int]) -> None:
    assert document["at_ms"] == close_ms
    for pair in symbols().values():
        entry = document["pairs"][pair]
        assert [row[1] for row in entry["components"]] == [rule.name for rule in RULES.components]
        assert {row[6] for row in entry["components"]} == {close_ms - 500}
        assert {name: len(rows) for name, rows in entry["candles"].items()} == candles


# ---- the bot's side ----


def cpu_ms(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return (time.process_time() - start) * 1e3


def test_what_a_candle_costs_the_bot(served: Served) -> None:
    pairs = list(symbols().values())
    close_ms = served.close_ms
    candles = random_candles(ROWS)
    last = pd.Timestamp(close_ms - CANDLE_MS, unit="ms", tz="UTC")
    dates = pd.Series(pd.date_range(end=last, periods=ROWS, freq="15min"))
    url = f"http://127.0.0.1:{served.port}"

    def round_ms() -> dict[str, float]:
        source = LiveSource(BOT, HttpTransport(url, "", SETTINGS.sidecar.timeout_s))
        spent = {
            "first": cpu_ms(lambda: source.refresh(close_ms - CANDLE_MS, pairs)),
            "refresh": cpu_ms(lambda: source.refresh(close_ms, pairs)),
            "columns": cpu_ms(
                lambda: [layer_frame(source, pair, dates, SETTINGS) for pair in pairs]
            ),
            "technical": cpu_ms(
                lambda: [technical_layer(candles, settings=SETTINGS) for _ in pairs]
            ),
        }
        frame = layer_frame(source, pairs[0], dates, SETTINGS)
        assert frame["orderflow_reliability"].iloc[-1] == 1.0
        assert not math.isnan(frame["orderflow_long"].iloc[-1])
        return spent

    rounds = [round_ms() for _ in range(5)]
    least = {name: min(each[name] for each in rounds) for name in rounds[0]}
    added = (least["refresh"] + least["columns"]) / least["technical"]
    tell(
        f"a live candle of forty pairs: reading {least['refresh']:.0f} ms of a core (the first "
        f"time {least['first']:.0f}), columns {least['columns']:.0f} ms, beside the technical "
        f"layer's {least['technical']:.0f} ms: {added:.0%} more"
    )
    assert least["refresh"] + least["columns"] < 1_000.0
