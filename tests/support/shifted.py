"""A wall clock of the tests' own, which real processes follow: it can be set, and it can jump.

As a program it runs another one on that clock: ``shifted.py CLOCK PROGRAM ARGUMENTS``. Clocks that
never jump (timeouts, pauses, event loops) stay the machine's, as when a machine's clock is set.
"""

import os
import runpy
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import time_machine

_LOOK_S = 0.02


class SharedClock:
    """Says what time it is to every process that was started with `on_clock`.

    Parameters
    ----------
    path
        The file through which it is told.
    now
        What time it is, UTC.
    """

    def __init__(self, path: Path, now: datetime) -> None:
        self.path = path
        self._ahead_s = 0.0
        self._set(now)

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._ahead_s)

    def jump_to(self, at: datetime) -> None:
        """Let all processes see a later instant; one that has passed changes nothing."""
        if at > self.now():
            self._set(at)

    def _set(self, at: datetime) -> None:
        self._ahead_s = (at - datetime.now(UTC)).total_seconds()
        fresh = self.path.with_suffix(".new")
        fresh.write_text(repr(self._ahead_s))
        fresh.replace(self.path)


def on_clock(clock: SharedClock | None, command: list[str]) -> list[str]:
    """Return the command line of a Python program on a clock; None = the machine's."""
    if clock is None:
        return command
    # -P: this folder must not be where the program looks for its modules.
    return [sys.executable, "-P", __file__, str(clock.path), *command]


def main() -> None:
    """Run a program's file on a clock."""
    path, program, *arguments = sys.argv[1:]
    ahead_s = float(Path(path).read_text())
    clock = time_machine.travel(time.time() + ahead_s, tick=True).start()
    time.time()  # it ticks from when it is first asked for
    threading.Thread(target=_follow, args=(clock, Path(path), ahead_s), daemon=True).start()
    sys.argv = [program, *arguments]
    runpy.run_path(program, run_name="__main__")


def _follow(clock: time_machine.Traveller, path: Path, ahead_s: float) -> None:
    parent = os.getppid()
    while os.getppid() == parent:
        told_s = float(path.read_text())
        clock.shift(told_s - ahead_s)
        ahead_s = told_s
        time.sleep(_LOOK_S)


if __name__ == "__main__":
    main()
