"""`scalp demo` as its user starts it: to its end, and to Ctrl-C."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.support.bot import PROJECT, beside_python, make_user_folder, until

WITHIN_S = 300.0
STOP_S = 40.0
TRADE_IS_OPEN = "entry filled"
IS_TRADING = "Scanned pairs at the"


class Demo:
    """One running demo on a project folder of its own."""

    def __init__(self, root: Path, *options: str) -> None:
        shutil.copytree(PROJECT / "config", root / "config")
        make_user_folder(root / "user_data")
        self.root = root
        self._output = root / "output.txt"
        with self._output.open("wb") as output, default_signals():
            self._process = subprocess.Popen(
                [beside_python("scalp"), "demo", "--root", str(root), *options],
                stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env={**os.environ, "COLUMNS": "200"}, start_new_session=True,
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
        until(ready.is_file, "its market is there", STOP_S, self._output)

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def listening(self) -> list[int]:
        """The ports of its market and its bot on which somebody still listens."""
        market = (self.root / "user_data" / "demo" / "market.url").read_text().strip()
        (api,) = re.findall(r"API on (http://127\.0\.0\.1:\d+)", self.output)
        ports = [int(re.findall(r":(\d+)", url)[0]) for url in (market, api)]
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
    once = Demo(tmp_path_factory.mktemp("once"), "--once")
    endless = Demo(tmp_path_factory.mktemp("endless"), "--seed", "11")
    try:
        yield {"once": finished(once), "endless": interrupted(endless)}
    finally:
        once.close()
        endless.close()


def finished(demo: Demo) -> Ended:
    demo.wait_for("Starting the replay market")
    running = demo.survivors()
    return seen(demo, demo.wait(WITHIN_S), running)


def interrupted(demo: Demo) -> Ended:
    demo.wait_for(IS_TRADING)
    running = demo.survivors()
    demo.send(signal.SIGINT)
    return seen(demo, demo.wait(STOP_S), running)


def seen(demo: Demo, status: int, running: list[list[str]]) -> Ended:
    return Ended(status, demo.output, running, demo.survivors(), demo.listening())


def position(text: str, output: str) -> int:
    assert text in output, f"{text!r} is missing in\n{output}"
    return output.index(text)


def test_it_ends_by_itself(demos: dict[str, Ended]) -> None:
    assert demos["once"].status == 0, demos["once"].output
    assert "Done: the signal of" in demos["once"].output


def test_it_reports_its_verdict_before_it_trades(demos: dict[str, Ended]) -> None:
    output = demos["once"].output
    verdict = re.search(r"(FAILS|PASSES) the go-live gate", output)
    assert verdict is not None, output
    assert verdict.start() < position("Paper trading.", output)


def test_it_admits_that_the_start_was_searched(demos: dict[str, Ended]) -> None:
    for demo in demos.values():
        said = position("The market's start was chosen by search", demo.output)
        assert said < position("Paper trading.", demo.output)
        assert "A signal does not come this soon by itself." in demo.output


def test_it_shows_the_signal_and_its_trade(demos: dict[str, Ended]) -> None:
    output = demos["once"].output
    signals = re.findall(r"^(?:🟢 LONG|🔴 SHORT) — (\S+) ", output, re.MULTILINE)
    filled = re.findall(rf"{TRADE_IS_OPEN} \| (\S+) \|", output)
    (done,) = re.findall(r"Done: the signal of (\S+) was shown", output)
    assert done in signals
    assert done in filled
    for line in ("💰 TRADE SETUP", "├─ Stop Loss: $", "└─ TP3: $", "📡 DATA BREAKDOWN"):
        assert line in output


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


def test_two_demos_do_not_disturb_each_other(demos: dict[str, Ended]) -> None:
    urls = {re.findall(r"API on (\S+)", demo.output)[0] for demo in demos.values()}
    assert len(urls) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_nothing_survives_a_closed_terminal_or_a_kill(
    tmp_path: Path, number: signal.Signals
) -> None:
    demo = Demo(tmp_path / "project")
    try:
        demo.wait_for_market()
        assert len(demo.survivors()) >= 2, "its market is not to be seen"
        demo.send(number)
        demo.wait(STOP_S)
        assert demo.survivors() == []
    finally:
        demo.close()
