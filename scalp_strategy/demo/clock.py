"""A wall clock that real programs follow: it can be set, and it can jump.

Clocks that never jump (timeouts, pauses, event loops) stay the machine's, as when a machine's
clock is set.
"""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_LAUNCHER: Final = Path(__file__).with_name("on_clock.py")


class SharedClock:
    """Says what time it is to every program that was started with `on_clock`.

    Parameters
    ----------
    path
        The file through which they are told: seconds by which it is ahead of the monotonic clock,
        which all processes of a machine share.
    now
        What time it is, UTC; None = what this process takes it for.
    """

    def __init__(self, path: Path, now: datetime | None = None) -> None:
        self.path = path
        self.set_to(now or datetime.now(UTC))

    def now(self) -> datetime:
        """Return what time it is, UTC."""
        return datetime.fromtimestamp(time.monotonic() + self._ahead_s, UTC)

    def set_to(self, at: datetime) -> None:
        """Let all programs see another instant."""
        self._ahead_s = at.timestamp() - time.monotonic()
        fresh = self.path.with_suffix(".new")
        fresh.write_text(repr(self._ahead_s))
        fresh.replace(self.path)

    def jump_to(self, at: datetime) -> None:
        """Let all programs see a later instant; one that has passed changes nothing."""
        if at > self.now():
            self.set_to(at)


def on_clock(clock: SharedClock | None, command: list[str]) -> list[str]:
    """Return the command line of a Python program on a clock; None = the machine's."""
    if clock is None:
        return command
    # -P: the launcher's folder must not be where the program looks for its modules.
    return [sys.executable, "-P", str(_LAUNCHER), str(clock.path), *command]
