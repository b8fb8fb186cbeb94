"""A real replay market in its own process, for tests that need an exchange."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.support.shifted import SharedClock, on_clock

READY = "replay market on "


@contextlib.contextmanager
def running_market(*options: str | Path, clock: SharedClock | None = None) -> Iterator[str]:
    """Start `scalp-layers market` on a free port and yield its base URL; stop it at the end.

    Parameters
    ----------
    options
        More command-line options, e.g. ``"--seed", "11"`` or ``"--write-config", path``.
    clock
        The clock that it lives by; None = the machine's.
    """
    program = str(Path(sys.executable).with_name("scalp-layers"))
    command = on_clock(clock, [program, "market", "--port", "0"])
    process = subprocess.Popen(
        [*command, *map(str, options)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield _address(process)
    finally:
        stop(process)


def stop(process: subprocess.Popen[str]) -> int:
    """Ask a market to stop and return its exit status; kill it if it will not."""
    process.terminate()
    try:
        return process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
    finally:
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith(READY):
        process.wait(timeout=10)
        assert process.stderr is not None
        raise RuntimeError(f"no replay market: {line}{process.stderr.read()}")
    return line.removeprefix(READY).split()[0]
