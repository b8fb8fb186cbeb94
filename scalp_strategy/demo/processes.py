"""Child processes of the demo: started together, stopped together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from scalp_strategy.errors import SourceUnavailable
from scalp_strategy.settings import PLAIN_VARIABLES

_FOREIGN_PREFIX: Final = "FREQTRADE__"
_POLL_S: Final = 0.1
_STOP_S: Final = 25.0  # the host may sit in a long poll for twenty seconds
_TAIL_LINES: Final = 15


class Processes:
    """Starts programs of this environment and stops whatever still runs at the end.

    Parameters
    ----------
    folder
        Where each program's output is kept, as `<name>.log`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
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
                arguments,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**_clean_environment(), **(environment or {})},
                start_new_session=True,
            )

    def wait(self, name: str, timeout_s: float | None = None) -> None:
        """Wait for a program to end.

        Raises
        ------
        SourceUnavailable
            When it failed or took longer, with the end of its output.
        """
        try:
            code = self._running[name].wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise SourceUnavailable(
                f"{name} has not ended after {timeout_s:.0f} s:\n{self.tail(name)}"
            ) from None
        del self._running[name]
        if code:
            raise SourceUnavailable(f"{name} ended with code {code}:\n{self.tail(name)}")

    def check(self) -> None:
        """Raise when a program that should run has ended.

        Raises
        ------
        SourceUnavailable
            Naming the program, with the end of its output.
        """
        for name, process in self._running.items():
            if process.poll() is not None:
                raise SourceUnavailable(
                    f"{name} ended with code {process.returncode}:\n{self.tail(name)}"
                )

    def wait_for_file(self, name: str, path: Path, timeout_s: float) -> str:
        """Return the text of a file that a program writes when it is ready.

        Raises
        ------
        SourceUnavailable
            When the program ends, or the time is over.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            self.check()
            if path.is_file() and (text := path.read_text(encoding="utf-8").strip()):
                return text
            time.sleep(_POLL_S)
        raise SourceUnavailable(f"{name} was not ready after {timeout_s:g} s:\n{self.tail(name)}")

    def stop(self) -> None:
        """Ask every program to end, newest first; after a while, end it."""
        for process in reversed(self._running.values()):
            _signal_group(process, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_S
        for process in reversed(self._running.values()):
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
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


def _clean_environment() -> dict[str, str]:
    """Return this process's variables without the trader's own: their chat is not for a demo."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_FOREIGN_PREFIX) and name not in PLAIN_VARIABLES
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
