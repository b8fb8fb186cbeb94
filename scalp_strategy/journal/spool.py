"""Records on disk that wait for the database: one line each, in order.

A line is handed to the operating system before `append` returns, so a program that is killed loses
none. The disk is not waited for: a machine that loses its power may lose the last seconds, which
the host's own database would too, and each record would take as long as a turn of the disk.
"""

import contextlib
import errno
import fcntl
import logging
import os
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from time import monotonic, sleep
from typing import IO, Final

import msgspec

logger = logging.getLogger(__name__)

_MOST_HELD: Final = 100_000
_AT_ONCE: Final = 500  # lines of one write
_POLL_S: Final = 0.02
_MODE: Final = 0o600
_END: Final = b"\n"


class Spool:
    """A file that grows by whole lines; any thread, any program.

    While the disk takes no more, lines wait in memory, in their order, and are tried again with
    the next.

    Parameters
    ----------
    path
        The file; its folder is made. Beside it lie `<path>.part`, which is being taken over into
        the database, `<path>.lock`, and `<path>.rejected`: lines that nobody could use.
    most_held
        Lines in memory at most; those beyond are lost, and counted.
    """

    def __init__(self, path: Path, most_held: int = _MOST_HELD) -> None:
        self._path, self._most_held = path, most_held
        self._guard = threading.Lock()
        self._held: deque[bytes] = deque()
        self._problem: str | None = None
        self._dropped = 0

    def __str__(self) -> str:
        return str(self._path)

    @property
    def problem(self) -> str | None:
        """Why the disk takes no lines now, None when it does."""
        return self._problem

    @property
    def dropped(self) -> int:
        """Lines that were lost because neither disk nor memory took them."""
        return self._dropped

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._held and not _size(self._path) and not _size(self.part)

    @property
    def part(self) -> Path:
        """The file that is being taken over."""
        return self._beside("part")

    def append(self, lines: Sequence[bytes]) -> None:
        """Add lines; never raises."""
        with self._guard:
            for start in range(0, len(lines), _AT_ONCE):
                some = lines[start : start + _AT_ONCE]
                taken = some[: max(0, self._most_held - len(self._held))]
                self._held.extend(taken)
                self._dropped += len(some) - len(taken)
                self._flush()

    @contextlib.contextmanager
    def claim(self, wait_s: float = 0.0) -> Iterator["Backlog | None"]:
        """Give the lines to one holder at a time, of all threads and programs.

        Parameters
        ----------
        wait_s
            How long to wait for another holder; then there is None.

        Raises
        ------
        OSError
            When the disk refuses.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._beside("lock"), os.O_RDWR | os.O_CREAT, _MODE)
        try:
            if not _is_locked(handle, wait_s):
                yield None
                return
            backlog = Backlog(self)
            try:
                yield backlog
            finally:
                backlog.close()
        finally:
            os.close(handle)

    def reject(self, line: bytes, reason: str) -> None:
        """Put aside a line that nobody can use.

        Raises
        ------
        OSError
            When the disk refuses.
        """
        document = {"reason": reason, "line": line.decode(errors="backslashreplace")}
        _write(self._beside("rejected"), [msgspec.json.encode(document)])

    # ---- for the holder ----

    def take_part(self) -> bool:
        """Set aside what the file has, so that it grows anew; whether there is a part now."""
        if self.part.exists():
            return True
        with self._guard:
            self._flush()
        if not _size(self._path):
            return False
        with _locked(self._path):
            self._path.rename(self.part)
        return True

    def held(self, most: int) -> list[bytes]:
        """Return the first lines that the disk did not take."""
        with self._guard:
            return list(islice(self._held, most))

    def release(self, lines: Sequence[bytes]) -> None:
        """Forget lines that `held` gave, as far as the disk has not taken them since."""
        with self._guard:
            for line in lines:
                if self._held and self._held[0] is line:
                    self._held.popleft()

    # ---- how ----

    def _beside(self, ending: str) -> Path:
        return self._path.with_name(f"{self._path.name}.{ending}")

    def _flush(self) -> None:
        try:
            while self._held:
                lines = list(islice(self._held, _AT_ONCE))
                _write(self._path, lines)
                for _ in lines:
                    self._held.popleft()
        except OSError as error:
            if self._problem is None:
                logger.warning("%s takes no records, they wait in memory: %s", self, error)
            self._problem = str(error)
        else:
            if self._problem is not None:
                logger.warning("%s takes records again; %d are lost.", self, self._dropped)
            self._problem = None


class Backlog:
    """The lines of a spool for the one who takes them over, oldest first.

    Parameters
    ----------
    spool
        Whose lines they are.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._file: IO[bytes] | None = None
        self._is_of_disk = True
        self._done = 0
        self._lines: list[bytes] = []

    def read(self, most: int) -> list[bytes]:
        """Return the next lines, without their ends; none when nothing waits.

        All that were returned before must be done.

        Raises
        ------
        OSError
            When the disk refuses.
        """
        while self._spool.take_part():
            if self._file is None:
                self._file, self._done = self._spool.part.open("rb"), 0
            self._lines = list(islice(self._file, most))
            if self._lines:
                self._is_of_disk = True
                return [line.removesuffix(_END) for line in self._lines]
            self._file.close()
            self._file = None
            self._spool.part.unlink()
        self._is_of_disk = False
        self._lines = self._spool.held(most)
        return list(self._lines)

    def done(self, count: int) -> None:
        """Note that the first of the lines that were read are in the database."""
        finished, self._lines = self._lines[:count], self._lines[count:]
        if self._is_of_disk:
            self._done += sum(map(len, finished))
        else:
            self._spool.release(finished)

    def close(self) -> None:
        """Leave on disk what is not done; when the disk refuses, it is done a second time."""
        if self._file is None:
            return
        with contextlib.suppress(OSError):
            if self._done:
                _cut(self._spool.part, self._done)
        self._file.close()
        self._file = None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _is_locked(handle: int, wait_s: float) -> bool:
    ends = monotonic() + wait_s
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if monotonic() >= ends:
                return False
            sleep(_POLL_S)
        else:
            return True


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Open a file for appending; nobody else appends to it or moves it meanwhile."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, _MODE)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            # Before the lock was ours the file may have been moved away from its name.
            if _is_named(handle, path):
                yield handle
                return
        finally:
            os.close(handle)


def _is_named(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _write(path: Path, lines: Sequence[bytes]) -> None:
    """Write lines at the end of a file, all or none; a line torn by a kill is ended first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path) as handle:
        before = os.fstat(handle).st_size
        is_torn = before > 0 and os.pread(handle, 1, before - 1) != _END
        data = (_END if is_torn else b"") + b"".join(line + _END for line in lines)
        written = -1
        try:
            written = os.write(handle, data)
        finally:
            if written != len(data):
                # Should even this be refused, the next line ends the torn one.
                with contextlib.suppress(OSError):
                    os.ftruncate(handle, before)
        if written != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def _cut(path: Path, size: int) -> None:
    """Replace a file by what it has behind its first bytes, atomically."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
    try:
        with os.fdopen(handle, "wb") as copy, path.open("rb") as file:
            file.seek(size)
            while block := file.read(2**20):
                copy.write(block)
            copy.flush()
            os.fsync(copy.fileno())
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
