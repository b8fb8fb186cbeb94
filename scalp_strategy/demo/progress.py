"""What is under way, and for how long: a line that moves, then one that stays."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.status import Status

_MARKED_S: Final = 1.0


class Progress:
    """Shows the steps of the demo.

    Parameters
    ----------
    console
        Where they are shown.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None
        self._text = ""
        self._began = 0.0

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Show a step while it is under way, and how long it took."""
        self._text, self._began = text, time.monotonic()
        with self._console.status(text) as self._status:
            yield
        self._status = None
        self._console.print(
            f"  {text}: {time.monotonic() - self._began:.0f} s", markup=False, highlight=False
        )

    def tick(self) -> None:
        """Show how long the step under way has taken so far."""
        gone = time.monotonic() - self._began
        if self._status is not None and gone > _MARKED_S:
            self._status.update(f"{self._text} {gone:.0f} s")
