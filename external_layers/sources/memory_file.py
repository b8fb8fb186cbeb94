"""What has to be known again after a restart, so that nobody is asked too often: one JSON file.

Times in it are epoch milliseconds. It holds no key and nothing of a request.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import msgspec

from scalp_strategy.errors import StoreError
from scalp_strategy.files import replace_file

logger = logging.getLogger(__name__)

SAVING: Final = "state of the sources"  # what a problem of the file is told under
NOTHING: Final = msgspec.Raw(b"{}")


class Validators(msgspec.Struct, frozen=True):
    """How an answer is asked for only if it has changed."""

    etag: str = ""
    last_modified: str = ""


class KeptSource(msgspec.Struct, frozen=True):
    """What is remembered of a source.

    Attributes
    ----------
    memory
        Its own JSON values, encoded.
    validators
        By a digest of the address without keys.
    """

    due_ms: int = 0
    last_attempt_ms: int | None = None
    last_success_ms: int | None = None
    memory: msgspec.Raw = NOTHING
    validators: dict[str, Validators] = {}


class KeptProvider(msgspec.Struct, frozen=True):
    """What is remembered of a provider.

    Attributes
    ----------
    calls
        When, and how many.
    paused_until_ms
        By host; of the provider as a whole under an empty name.
    failures, trips, open_until_ms
        Of its circuit.
    """

    calls: list[tuple[int, int]] = []
    paused_until_ms: dict[str, int] = {}
    failures: int = 0
    trips: int = 0
    open_until_ms: int = 0


class Kept(msgspec.Struct, frozen=True):
    """The whole file."""

    version: Literal[1] = 1
    sources: dict[str, KeptSource] = {}
    providers: dict[str, KeptProvider] = {}


def load(path: Path) -> Kept:
    """Return what the file holds; nothing when it is not there or not understood, which is said."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Kept)
    except FileNotFoundError:
        return Kept()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        logger.warning("%s is not used: %s: %s", path, type(error).__name__, error)
        return Kept()


class MemoryFile:
    """Writes the file anew; who asks while it is being written shares the next writing.

    Parameters
    ----------
    path
        The file; its folder is made.
    content
        What is known now.
    on_change
        Told (`SAVING`, problem or None) when the disk begins to refuse and when it takes again.

    Attributes
    ----------
    problem
        Why it could not be written last; None while it can.
    """

    def __init__(
        self,
        path: Path,
        content: Callable[[], Kept],
        on_change: Callable[[str, str | None], None],
    ) -> None:
        self.problem: str | None = None
        self._path = path
        self._content = content
        self._on_change = on_change
        self._has_changed = asyncio.Event()
        self._current: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    def changed(self) -> None:
        """Note that the file is behind."""
        self._has_changed.set()

    async def until_changed(self) -> None:
        """Wait until the file is behind."""
        await self._has_changed.wait()

    async def save(self) -> None:
        """Write what is known now; a disk that refuses is told, not raised."""
        if self._next is None:
            self._next = asyncio.create_task(self._write(self._current))
        await asyncio.shield(self._next)  # a writing outlives who waits for it

    async def _write(self, previous: "asyncio.Task[None] | None") -> None:
        if previous is not None:
            await asyncio.wait([previous])
        self._current, self._next = self._next, None
        self._has_changed.clear()
        try:
            body = msgspec.json.encode(self._content())
            await asyncio.to_thread(replace_file, self._path, body)
        except Exception as error:  # noqa: BLE001 - no fetch may end because nothing is kept
            self._has_changed.set()
            self._note(str(error) if isinstance(error, StoreError) else repr(error))
        else:
            self._note(None)

    def _note(self, problem: str | None) -> None:
        if problem is not None and self.problem is None:
            logger.error("%s cannot be kept: %s", SAVING, problem)
            self._on_change(SAVING, problem)
        elif problem is None and self.problem is not None:
            logger.warning("%s can be kept again.", SAVING)
            self._on_change(SAVING, None)
        self.problem = problem
