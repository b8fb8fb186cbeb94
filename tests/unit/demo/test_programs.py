"""Programs on the demo's clock: what they take for the time, how they end, what they must not see.

Each is a real process.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from scalp_strategy.demo.clock import SharedClock, on_clock
from scalp_strategy.demo.processes import Processes
from scalp_strategy.errors import SourceUnavailable
from tests.support.bot import until

NIGHT = datetime(2031, 5, 6, 23, 59, 30, tzinfo=UTC)
ENOUGH_S = 60.0


@pytest.fixture
def clock(tmp_path: Path) -> SharedClock:
    return SharedClock(tmp_path / "clock", NIGHT)


@pytest.fixture
def processes(tmp_path: Path, clock: SharedClock) -> Iterator[Processes]:
    with Processes(tmp_path, clock) as started:
        yield started


def script(folder: Path, text: str) -> str:
    path = folder / "program.py"
    path.write_text(text)
    return str(path)


TELLS_TIME = """
import time
from datetime import datetime, timezone
while True:
    print(datetime.now(timezone.utc).isoformat(), flush=True)
    time.sleep(0.05)
"""


def last_said(processes: Processes, name: str) -> datetime | None:
    lines = processes.log(name).read_text().split()
    return datetime.fromisoformat(lines[-2]) if len(lines) > 1 else None


def is_about(told: datetime | None, at: datetime) -> bool:
    return told is not None and at <= told < at + timedelta(hours=1)


def test_programs_follow_the_clock_wherever_it_is_set(
    tmp_path: Path, clock: SharedClock, processes: Processes
) -> None:
    processes.start("teller", [script(tmp_path, TELLS_TIME)])
    for at in (NIGHT, NIGHT + timedelta(days=2), NIGHT - timedelta(days=2)):
        clock.set_to(at)
        processes.until(
            lambda at=at: is_about(last_said(processes, "teller"), at),  # type: ignore[misc]
            "the program to follow", ENOUGH_S,
        )  # fmt: skip
    assert is_about(clock.now(), NIGHT - timedelta(days=2))


def test_a_jump_goes_forward_only(clock: SharedClock) -> None:
    clock.jump_to(NIGHT - timedelta(hours=1))
    assert is_about(clock.now(), NIGHT)
    clock.jump_to(NIGHT + timedelta(hours=5))
    assert is_about(clock.now(), NIGHT + timedelta(hours=5))


def test_a_clock_begins_with_what_its_own_process_takes_for_the_time(
    tmp_path: Path, clock: SharedClock
) -> None:
    inner = f"""
from pathlib import Path
from scalp_strategy.demo.clock import SharedClock
print(SharedClock(Path({str(tmp_path / "inner")!r})).now().isoformat())
"""
    command = on_clock(clock, [script(tmp_path, inner)])
    told = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    assert is_about(datetime.fromisoformat(told.stdout.strip()), NIGHT)


IGNORES_TERM = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
while True:
    time.sleep(0.1)
"""


def test_a_second_interrupt_ends_what_will_not_stop(
    tmp_path: Path, clock: SharedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes = Processes(tmp_path, clock)
    processes.start("stubborn", [script(tmp_path, IGNORES_TERM)])
    processes.until(lambda: "ready" in processes.tail("stubborn"), "it to be ready", ENOUGH_S)
    (child,) = (each for each in psutil.Process().children() if str(tmp_path) in each.cmdline()[-1])

    def interrupt(_: object, timeout: float | None = None) -> int:
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "wait", interrupt)
    processes.stop()
    assert not child.is_running()


STARTS_ANOTHER = """
import subprocess, sys
from pathlib import Path
from scalp_strategy.demo.clock import SharedClock, on_clock
folder = Path(sys.argv[1])
command = on_clock(SharedClock(folder / "clock"), [str(folder / "program.py")])
print(subprocess.Popen(command, start_new_session=True).pid, flush=True)
sys.stdin.read()
"""


def test_a_program_ends_when_who_started_it_is_killed(tmp_path: Path) -> None:
    script(tmp_path, TELLS_TIME)
    parent = subprocess.Popen(
        [sys.executable, "-c", STARTS_ANOTHER, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert parent.stdout is not None
    assert parent.stdin is not None
    child = psutil.Process(int(parent.stdout.readline()))
    until(lambda: parent.stdout is not None and parent.stdout.readline(), "it runs", ENOUGH_S)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    child.wait(ENOUGH_S)
    parent.stdin.close()
    parent.stdout.close()


@pytest.mark.parametrize(
    "name",
    [
        "FREQTRADE__TELEGRAM__TOKEN",
        "SCALP_LAYERS_TOKEN",
        "SCALP_JOURNAL_URL",
        "TELEGRAM_ADMIN_ID",
        "RISK_PER_TRADE_PCT",
        "REDIS_URL",
        "ETHERSCAN_API_KEY",
    ],
)
def test_the_traders_own_variables_are_not_handed_down(
    name: str, tmp_path: Path, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "of-the-trader")
    monkeypatch.setenv("PLAIN", "kept")
    shows = script(tmp_path, "import os; print(*(f'{k}={v}' for k, v in os.environ.items()))")
    processes.start("shows", [shows], {"OWN": "added"})
    processes.wait("shows", ENOUGH_S)
    said = processes.log("shows").read_text()
    assert "of-the-trader" not in said
    assert "PLAIN=kept" in said
    assert "OWN=added" in said


def test_who_ends_with_an_error_is_named_with_its_last_words(
    tmp_path: Path, processes: Processes
) -> None:
    processes.start("broken", [script(tmp_path, "raise SystemExit('no such market')")])
    with pytest.raises(SourceUnavailable, match=r"broken ended with code 1:\nno such market"):
        processes.wait("broken", ENOUGH_S)


def test_a_wait_ends_when_another_program_has_ended(tmp_path: Path, processes: Processes) -> None:
    processes.start("market", [script(tmp_path, "print('bye')")])
    with pytest.raises(SourceUnavailable, match="market ended with code 0"):
        processes.until(lambda: False, "something that never comes", ENOUGH_S)


def test_a_wait_that_is_over_names_what_was_waited_for(processes: Processes) -> None:
    with pytest.raises(SourceUnavailable, match="waited 0 s for the moon"):
        processes.until(lambda: False, "the moon", 0.0)
