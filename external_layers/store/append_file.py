"""A file that grows by whole lines, or not at all."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from external_layers.store.archive_files import TEMPORARY, fsync_folder
from scalp_strategy.errors import StoreError

_BLOCK: Final = 65_536
_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC


class AppendFile:
    """Append lines to a file so that a kill or a full disk leaves only whole ones.

    Parameters
    ----------
    path
        The file; it is made. A last line without its end, left by a kill, is cut off.
    is_synced
        Whether every append waits for the disk.

    Raises
    ------
    StoreError
        When the file cannot be opened.
    """

    def __init__(self, path: Path, is_synced: bool) -> None:
        self._path, self._is_synced = path, is_synced
        try:
            is_new = not path.exists()
            self._handle = os.open(path, _FLAGS | os.O_CREAT, 0o644)
            if is_new:
                fsync_folder(path.parent)
            self._size = _whole_size(path)
            os.ftruncate(self._handle, self._size)
        except OSError as error:
            raise StoreError(f"{path}: {error}") from error

    def __str__(self) -> str:
        return str(self._path)

    def lines(self) -> Iterator[bytes]:
        """Yield the lines of the file, oldest first.

        Raises
        ------
        StoreError
            When the disk refuses.
        """
        try:
            with self._path.open("rb") as file:
                yield from file
        except OSError as error:
            raise StoreError(f"{self._path}: {error}") from error

    def append(self, lines: bytes) -> None:
        """Write whole lines at the end.

        Raises
        ------
        OSError
            When the disk refuses; the file is as before.
        """
        try:
            if os.fstat(self._handle).st_size != self._size:
                os.ftruncate(self._handle, self._size)
            _write_all(self._handle, lines)
            if self._is_synced:
                os.fsync(self._handle)
        except OSError:
            # If even this is refused, the next append cuts the rest off.
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, self._size)
            raise
        self._size += len(lines)

    def replace(self, lines: bytes) -> None:
        """Replace the whole content, atomically.

        Raises
        ------
        OSError
            When the disk refuses; the file is as before.
        """
        temporary = self._path.with_name(self._path.name + TEMPORARY)
        try:
            with temporary.open("wb") as file:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
            handle = os.open(temporary, _FLAGS)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        try:
            temporary.replace(self._path)
        except OSError:
            os.close(handle)
            raise
        os.close(self._handle)
        self._handle, self._size = handle, len(lines)
        fsync_folder(self._path.parent)

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)


def _write_all(handle: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(handle, left) :]


def _whole_size(path: Path) -> int:
    """Return the bytes up to the end of the last whole line."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - _BLOCK)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
    return 0
