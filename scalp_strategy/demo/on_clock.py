"""Runs a Python program on a `SharedClock`: ``on_clock.py CLOCK PROGRAM ARGUMENTS``.

The program ends with whoever started it, however that ended.
"""

import os
import runpy
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Final

import time_machine

_LOOK_S: Final = 0.02
_GRACE_S: Final = 25.0


def main() -> None:
    """Run a program's file on a clock."""
    path, program, *arguments = sys.argv[1:]
    ahead_s = float(Path(path).read_text(encoding="utf-8"))
    clock = time_machine.travel(time.monotonic() + ahead_s, tick=True).start()
    time.time()  # it ticks from when it is first asked for
    follower = threading.Thread(target=_follow, args=(clock, Path(path), ahead_s), daemon=True)
    follower.start()
    sys.argv = [program, *arguments]
    runpy.run_path(program, run_name="__main__")


def _follow(clock: time_machine.Traveller, path: Path, ahead_s: float) -> None:
    parent = os.getppid()
    while os.getppid() == parent:
        told_s = _told(path, ahead_s)
        clock.shift(told_s - ahead_s)
        ahead_s = told_s
        time.sleep(_LOOK_S)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_S)
    os.kill(os.getpid(), signal.SIGKILL)


def _told(path: Path, ahead_s: float) -> float:
    try:
        return float(path.read_text(encoding="utf-8"))
    except OSError:
        return ahead_s  # its folder is gone: the time goes on as it was


if __name__ == "__main__":
    main()
