"""`scalp demo` as its user starts it, at hard instants: to its end, to Ctrl-C, to a kill.

Each demo starts on a clock of the test's own, a minute before a candle closes: one in quiet hours,
when a signal needs more points, one so late in the evening that its signal comes at midnight.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from scalp_strategy.demo.story import SUPPORT
from tests.support.bot import PROJECT, beside_python, make_user_folder, until
from tests.support.shifted import SharedClock, on_clock

WITHIN_S = 600.0
STOP_S = 60.0
TRADE_IS_OPEN = "entry filled"
QUIET = datetime(2026, 12, 5, 5, 44, tzinfo=UTC)  # a Saturday
LATE = datetime(2026, 12, 31, 23, 44, tzinfo=UTC)
CLOSES = {"once": "06:00", "endless": "00:00"}
WIDTH = 150


class Demo:
    """One running demo on a project folder and a clock of its own."""

    def __init__(self, root: Path, start: datetime, *options: str) -> None:
        shutil.copytree(PROJECT / "config", root / "config")
        make_user_folder(root / "user_data")
        self.root = root
        self._output = root / "output.txt"
        clock = SharedClock(root / "machine-clock", start)
        command = [beside_python("scalp"), "demo", "--root", str(root), *options]
        with self._output.open("wb") as output, default_signals():
            self._process = subprocess.Popen(
                on_clock(clock, command), stdout=output, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, env={**os.environ, "COLUMNS": str(WIDTH)},
                start_new_session=True,
            )  # fmt: skip

    @property
    def output(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def wait(self, timeout_s: float) -> int:
        return self._process.wait(timeout_s)

    def wait_for(self, text: str) -> None:
        def said() -> bool:
            assert self._process.poll() is None, f"the demo ended:\n{self.output}"
            return text in self.output

        until(said, f"the demo says {text!r}", WITHIN_S, self._output)

    def wait_for_market(self) -> None:
        ready = self.root / "user_data" / "demo" / "market.url"
        until(ready.is_file, "its market is there", WITHIN_S, self._output)

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def listening(self) -> list[int]:
        """The ports of its market, its sidecar and its bot on which somebody still listens."""
        folder = self.root / "user_data" / "demo"
        urls = [(folder / f"{name}.url").read_text().strip() for name in ("market", "sidecar")]
        urls += re.findall(r"API on (http://127\.0\.0\.1:\d+)", self.output)
        assert len(urls) == 3
        ports = [int(re.findall(r":(\d+)", url)[0]) for url in urls]
        return [port for port in ports if is_open(port)]

    def survivors(self) -> list[list[str]]:
        """The programs that still work in its folder."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if any(str(self.root) in word for word in words):
                found.append(words)
        return found

    def close(self) -> None:
        for process in psutil.process_iter(["cmdline"]):
            if any(str(self.root) in word for word in process.info["cmdline"] or []):
                process.kill()
        self._process.wait(STOP_S)


@contextlib.contextmanager
def default_signals() -> Iterator[None]:
    """Hand down no ignored signal: a background job ignores Ctrl-C, its user's shell would not."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_DFL) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Ended:
    """What was seen of a demo: before its end and after it."""

    status: int
    output: str
    running: list[list[str]]
    survivors: list[list[str]]
    listening: list[int]


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Ended]]:
    """Both demos, side by side: each waits a good part of its time."""
    once = Demo(tmp_path_factory.mktemp("once"), QUIET, "--once")
    endless = Demo(tmp_path_factory.mktemp("endless"), LATE, "--seed", "11")
    try:
        yield {"once": finished(once), "endless": interrupted(endless)}
    finally:
        once.close()
        endless.close()


def finished(demo: Demo) -> Ended:
    demo.wait_for_market()
    running = demo.survivors()
    return seen(demo, demo.wait(WITHIN_S), running)


def interrupted(demo: Demo) -> Ended:
    demo.wait_for("| next close ")
    running = demo.survivors()
    demo.send(signal.SIGINT)
    return seen(demo, demo.wait(STOP_S), running)


def seen(demo: Demo, status: int, running: list[list[str]]) -> Ended:
    return Ended(status, demo.output, running, demo.survivors(), demo.listening())


def position(text: str, output: str) -> int:
    assert text in output, f"{text!r} is missing in\n{output}"
    return output.index(text)


def shown_signal(output: str) -> tuple[str, str]:
    """Return the pair that the search announced, and the message of its signal."""
    (pair,) = re.findall(r"the candles of (\S+) support a long", output)
    after = output[position(f"🟢 LONG — {pair} ", output) :]
    return pair, after[: after.index("Settings:")]


def test_it_ends_by_itself(demos: dict[str, Ended]) -> None:
    assert demos["once"].status == 0, demos["once"].output
    assert "Done: the signal of" in demos["once"].output


def test_it_reports_its_verdict_before_it_trades(demos: dict[str, Ended]) -> None:
    output = demos["once"].output
    verdict = re.search(r"(FAILS|PASSES) the go-live gate", output)
    assert verdict is not None, output
    assert verdict.start() < position("Paper trading.", output)


@pytest.mark.parametrize("name", ["once", "endless"])
def test_it_admits_what_is_made_up(demos: dict[str, Ended], name: str) -> None:
    output = " ".join(demos[name].output.split())
    for text in (
        "it proves the machinery, not the edge",
        "The market's start was chosen by search",
        "The outside world is scripted for this demo",
        "The demo's clock was set to",
    ):
        assert position(text, output) < position("Paper trading.", output)
    assert "A signal does not come this soon by itself." in output


@pytest.mark.parametrize("name", ["once", "endless"])
def test_its_signal_rests_on_all_five_layers(demos: dict[str, Ended], name: str) -> None:
    pair, message = shown_signal(demos[name].output)
    token = pair.partition("/")[0]
    breakdown = message[message.index("📡 DATA BREAKDOWN") : message.index("🌐")]
    assert "no data" not in breakdown
    assert "nothing notable" not in breakdown
    layers = ("├─ TA", "├─ Order Flow", "├─ On-Chain", "├─ Sentiment", "└─ Backtest")
    scores = [int(re.findall(rf"{layer}: (\d+)/100", breakdown)[0]) for layer in layers]
    assert min(scores[:4]) > 50, breakdown
    # At least as much as the search has counted on.
    for layer, score in zip(("orderflow", "onchain"), scores[1:3], strict=True):
        assert score >= SUPPORT[f"{layer}_long"]
    for reason in ("Aggressive buying", f"withdrawals of {token} worth", "Tone of the news"):
        assert reason in breakdown
    assert re.search(r"Historical win rate: about \d+% from \d+ cases", breakdown)


@pytest.mark.parametrize("name", ["once", "endless"])
def test_it_shows_the_signal_and_its_trade(demos: dict[str, Ended], name: str) -> None:
    output = demos[name].output
    pair, message = shown_signal(output)
    for line in ("💰 TRADE SETUP", "├─ Stop Loss: $", "└─ TP3: $"):
        assert line in message
    assert pair in re.findall(rf"{TRADE_IS_OPEN} \| (\S+) \|", output)
    assert f"Scanned pairs at the {CLOSES[name]} UTC close" in output
    assert re.search(rf"open: {pair} long [+-]\d.*\| next close \d\d:15 UTC in 1\d:\d\d", output)


def test_it_says_which_signal_it_has_shown(demos: dict[str, Ended]) -> None:
    output = demos["once"].output
    assert f"Done: the signal of {shown_signal(output)[0]} was shown" in output


def test_its_user_can_open_the_api_that_it_names(demos: dict[str, Ended]) -> None:
    words = re.compile(r"API on \S+ until the demo ends; user demo, password \S{16,}\.")
    said = [words.findall(" ".join(demo.output.split())) for demo in demos.values()]
    assert [len(each) for each in said] == [1, 1]
    assert said[0] != said[1]


def test_its_report_is_as_wide_as_the_terminal(demos: dict[str, Ended]) -> None:
    lines = demos["once"].output.splitlines()
    assert max(len(line) for line in lines if line.startswith("┃")) > 100
    assert max(map(len, lines)) <= WIDTH


def test_control_c_stops_it(demos: dict[str, Ended]) -> None:
    endless = demos["endless"]
    assert endless.status == 0, endless.output
    assert endless.output.rstrip().endswith("stopped")
    assert "Traceback" not in endless.output


@pytest.mark.parametrize("name", ["once", "endless"])
def test_nothing_survives_it(demos: dict[str, Ended], name: str) -> None:
    assert demos[name].running, "the search for survivors sees nothing"
    assert demos[name].survivors == []
    assert demos[name].listening == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_nothing_survives_a_closed_terminal_or_a_kill(
    tmp_path: Path, number: signal.Signals
) -> None:
    demo = Demo(tmp_path / "project", QUIET)
    try:
        demo.wait_for_market()
        assert len(demo.survivors()) >= 2, "its market is not to be seen"
        demo.send(number)
        demo.wait(STOP_S)
        if number == signal.SIGKILL:
            # It could stop nobody: its programs notice and end by themselves.
            until(lambda: not demo.survivors(), "its programs end", STOP_S)
        assert demo.survivors() == []
    finally:
        demo.close()


def test_a_second_demo_leaves_the_first_its_folder(tmp_path: Path) -> None:
    demo = Demo(tmp_path / "project", QUIET)
    try:
        demo.wait_for_market()
        second = subprocess.run(
            [beside_python("scalp"), "demo", "--root", str(demo.root)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert second.returncode == 1
        assert "another demo uses" in second.stderr
        demo.send(signal.SIGINT)
        assert demo.wait(STOP_S) == 0, demo.output
    finally:
        demo.close()
