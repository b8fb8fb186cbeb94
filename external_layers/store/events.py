"""The log of numbered events: each number once, ascending over restarts.

Numbers are reserved ahead, in a file of one fixed-length line that is overwritten in place, which
a full disk allows. So an event that the disk did not take is served from memory, and its number is
still never given again.
"""

import contextlib
import os
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from external_layers.store.append_file import AppendFile
from external_layers.store.archive_files import fsync_folder
from external_layers.store.archive_table import valid_text
from external_layers.store.event import Event, Fact, from_line, to_line
from scalp_strategy.errors import PayloadError, StoreError
from scalp_strategy.files import FileLock
from scalp_strategy.setting_groups.store import EventSettings

_DIGITS: Final = 20


class EventLog:
    """Number events, keep them in a file, serve the newest from memory; any thread.

    Parameters
    ----------
    path
        The file of JSON lines. Beside it lie ``<name>.reserved`` and ``<name>.lock``.
    settings
        How many are kept, and how safely.
    now_ms
        The clock, epoch milliseconds.

    Raises
    ------
    ConfigError
        When another process writes there; names it.
    StoreError
        When the files cannot be opened.
    """

    def __init__(self, path: Path, settings: EventSettings, now_ms: Callable[[], int]) -> None:
        self._settings, self._now_ms = settings, now_ms
        self._guard = threading.Lock()
        self._events: deque[Event] = deque(maxlen=settings.kept)
        self._waiting: deque[Event] = deque(maxlen=settings.kept)
        self._lines = self._dropped_lines = 0
        self._error: StoreError | None = None
        self._lock = FileLock(path.with_name(path.name + ".lock"))
        try:
            self._open(path)
        except StoreError:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def error(self) -> StoreError | None:
        """What the disk said at the last attempt; None when it went well."""
        return self._error

    @property
    def dropped_lines(self) -> int:
        """Lines of the file that were no events when it was opened."""
        return self._dropped_lines

    def append(
        self, kind: str, text: str, pair: str | None = None, data: Mapping[str, Fact] | None = None
    ) -> Event:
        """Give an event its number and keep it.

        When the disk refuses, the event is served all the same and written with the next one;
        `error` tells.

        Raises
        ------
        StoreError
            When not even a number can be had: the disk has refused for the whole reserve. The
            event is not kept.
        """
        facts = {name: _valid(value) for name, value in (data or {}).items()}
        with self._guard:
            number = self._numbers.take()
            event = Event(number, self._now_ms(), kind, pair, valid_text(text), facts)
            self._events.append(event)
            self._waiting.append(event)
            self._write()
            return event

    def flush(self) -> int:
        """Write what the disk refused before; return how many events still wait."""
        with self._guard:
            self._write()
            return len(self._waiting)

    def after(self, number: int, limit: int) -> list[Event]:
        """Return up to `limit` events with a higher number, oldest first."""
        with self._guard:
            start = bisect_right(self._events, number, key=lambda event: event.number)
            return list(islice(self._events, start, start + limit))

    def close(self) -> None:
        """Write what waits and let others write."""
        with self._guard:
            self._write()
            if not self._waiting:
                self._numbers.give_back()
            self._numbers.close()
            self._file.close()
            self._lock.release()

    def _open(self, path: Path) -> None:
        self._file = AppendFile(path, self._settings.is_synced)
        self._numbers = _Numbers(path.with_name(path.name + ".reserved"), self._settings.reserve)
        self._load()

    def _load(self) -> None:
        for line in self._file.lines():
            self._lines += 1
            try:
                event = from_line(line)
            except PayloadError:
                self._dropped_lines += 1
                continue
            if not self._events or event.number > self._events[-1].number:
                self._events.append(event)
        self._numbers.start_after(self._events[-1].number if self._events else 0)

    def _write(self) -> None:
        if not self._waiting:
            return
        try:
            self._file.append(b"".join(to_line(event) for event in self._waiting))
        except OSError as problem:
            self._error = StoreError(f"{self._file}: {problem}")
            return
        self._lines += len(self._waiting)
        self._waiting.clear()
        self._error = None
        self._shorten()

    def _shorten(self) -> None:
        if self._lines < 2 * self._settings.kept:
            return
        try:
            self._file.replace(b"".join(to_line(event) for event in self._events))
        except OSError as problem:
            # The long file is whole: try again when as many again have come.
            self._error = StoreError(f"{self._file}: {problem}")
        self._lines = len(self._events)


class _Numbers:
    """Hands out ascending numbers, below a limit that the disk already knows."""

    def __init__(self, path: Path, reserve: int) -> None:
        self._path, self._reserve = path, reserve
        try:
            is_new = not path.exists()
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            if is_new:
                fsync_folder(path.parent)
        except OSError as error:
            raise StoreError(f"{path}: {error}") from error
        self._next = self._limit = 1

    def start_after(self, last: int) -> None:
        """Go on behind the last number written and behind all that were ever reserved."""
        text = os.pread(self._handle, _DIGITS, 0).decode("ascii", "replace")
        if text.isdecimal() and len(text) == _DIGITS:
            self._next = max(last + 1, int(text))
        else:
            # The note is lost: some numbers behind the last line may have been served.
            self._next = last + 1 + (self._reserve if last else 0)
        self._limit = self._next
        self._extend()

    def take(self) -> int:
        """Return the next number.

        Raises
        ------
        StoreError
            When the reserve is used up and the disk refuses another.
        """
        if self._limit - self._next <= self._reserve // 2:
            self._extend()
        if self._next >= self._limit:
            raise StoreError(f"{self._path}: no number could be reserved")
        self._next += 1
        return self._next - 1

    def give_back(self) -> None:
        """Reserve nothing any more, so that the next start leaves no gap."""
        with contextlib.suppress(OSError):
            self._note(self._next)

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)

    def _extend(self) -> None:
        limit = self._next + self._reserve
        with contextlib.suppress(OSError):
            self._note(limit)
            self._limit = limit

    def _note(self, limit: int) -> None:
        os.pwrite(self._handle, f"{limit:0{_DIGITS}d}\n".encode("ascii"), 0)
        os.fsync(self._handle)


def _valid(value: Fact) -> Fact:
    return valid_text(value) if isinstance(value, str) else value
