"""Child processes of the demo: started together, stopped together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from scalp_strategy.demo.clock import SharedClock, on_clock
from scalp_strategy.errors import SourceUnavailable
from scalp_strategy.settings import PLAIN_VARIABLES

# The trader's own settings, secrets and databases are not for a demo.
_FOREIGN_PREFIXES: Final = ("FREQTRADE__", "SCALP_")
_FOREIGN_SUFFIXES: Final = ("_API_KEY", "_TOKEN", "_CLIENT_ID", "_CLIENT_SECRET")
_FOREIGN: Final = {*PLAIN_VARIABLES, "REDIS_URL", "DATABASE_URL"}
_POLL_S: Final = 0.1
_STOP_S: Final = 25.0  # the host may sit in a long poll for twenty seconds
_TAIL_LINES: Final = 15

Value = TypeVar("Value")


class Processes:
    """Starts programs of this environment and stops whatever still runs at the end.

    Parameters
    ----------
    folder
        Where each program's output is kept, as `<name>.log`.
    clock
        The clock that they all live by.
    tick
        Called again and again while something is waited for.
    """

    def __init__(
        self, folder: Path, clock: SharedClock, tick: Callable[[], None] = lambda: None
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._tick = tick
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(
        self, name: str, arguments: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        """Start a program in a group of its own: Ctrl-C reaches it only through `stop`.

        `environment` is added to this process's own; secrets go there, not on a command line.
        """
        with self.log(name).open("wb") as output:
            self._running[name] = subprocess.Popen(  # noqa: S603 - programs of this environment
                on_clock(self._clock, list(arguments)),
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**_clean_environment(), **(environment or {})},
                start_new_session=True,
            )

    def wait(self, name: str, limit_s: float) -> None:
        """Wait for a program to end.

        Raises
        ------
        SourceUnavailable
            When it or another program failed, or it takes longer than `limit_s`; with the end of
            the output.
        """
        process = self._running[name]
        self.until(lambda: process.poll() is not None, f"{name} to end", limit_s)
        del self._running[name]
        if process.returncode:
            raise self._ended(name, process.returncode)

    def until(self, wanted: Callable[[], Value | None], what: str, limit_s: float) -> Value:
        """Wait until something true is returned, and return it.

        Parameters
        ----------
        wanted
            Asked again and again.
        what
            What is waited for, in words that follow "waited for".
        limit_s
            Seconds after which nothing is expected any more.

        Raises
        ------
        SourceUnavailable
            When a program ends, or the time is over.
        """
        deadline = time.monotonic() + limit_s
        while True:
            if found := wanted():
                return found
            self.check()
            if time.monotonic() > deadline:
                raise SourceUnavailable(
                    f"waited {limit_s:g} s for {what}; the logs in {self._folder} say more"
                )
            self._tick()
            time.sleep(_POLL_S)

    def check(self) -> None:
        """Raise when a program that should run has ended.

        Raises
        ------
        SourceUnavailable
            Naming the program, with the end of its output.
        """
        for name, process in self._running.items():
            if process.poll() is not None:
                raise self._ended(name, process.returncode)

    def wait_for_file(self, name: str, path: Path, limit_s: float) -> str:
        """Return the text of a file that a program writes when it is ready.

        Raises
        ------
        SourceUnavailable
            When a program ends, or the time is over.
        """

        def written() -> str:
            return path.read_text(encoding="utf-8").strip() if path.is_file() else ""

        return self.until(written, f"the {name} to be ready", limit_s)

    def stop(self) -> None:
        """Ask every program to end, newest first; after a while, or when interrupted, end it."""
        try:
            for process in reversed(self._running.values()):
                _signal_group(process, signal.SIGTERM)
            deadline = time.monotonic() + _STOP_S
            for process in reversed(self._running.values()):
                process.wait(max(0.0, deadline - time.monotonic()))
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            pass
        for process in self._running.values():
            _signal_group(process, signal.SIGKILL)
            process.wait()
        self._running.clear()

    def log(self, name: str) -> Path:
        """Return where a program's output is kept."""
        return self._folder / f"{name}.log"

    def tail(self, name: str) -> str:
        """Return the last lines of a program's output."""
        lines = self.log(name).read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_TAIL_LINES:])

    def _ended(self, name: str, code: int) -> SourceUnavailable:
        return SourceUnavailable(f"{name} ended with code {code}:\n{self.tail(name)}")


def _clean_environment() -> dict[str, str]:
    """Return this process's variables without the trader's own."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_FOREIGN_PREFIXES)
        and not name.endswith(_FOREIGN_SUFFIXES)
        and name not in _FOREIGN
    }


def program(name: str) -> str:
    """Return the path of a program installed beside this Python.

    Raises
    ------
    SourceUnavailable
        When it is not there.
    """
    path = Path(sys.executable).parent / name
    if not path.is_file():
        raise SourceUnavailable(f"{path} is missing; run: make setup")
    return str(path)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is None:
        os.killpg(process.pid, number)
