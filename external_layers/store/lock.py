"""One writer at a time: a lock file that names its holder."""

import fcntl
import os
from pathlib import Path

from scalp_strategy.errors import ConfigError, StoreError


class FileLock:
    """Hold a file for this process until `release`.

    The kernel drops the lock when its process dies, however it dies, so a file that was left
    behind is simply taken over. The process number inside is for people to read.

    Parameters
    ----------
    path
        The lock file; its folder is made.

    Raises
    ------
    ConfigError
        When another writer holds it; names the process.
    StoreError
        When the disk refuses.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._handle: int | None = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreError(f"{path}: {error}") from error
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._handle, 20).decode("ascii", "replace").strip() or "unknown"
            self.release()
            raise ConfigError(
                f"{path.parent}: process {holder} writes there already (lock file {path.name}); "
                "only one may at a time"
            ) from error
        _name_holder(self._handle)

    def release(self) -> None:
        """Let others have it; the file stays."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _name_holder(handle: int) -> None:
    # A full disk may refuse the note; the lock holds all the same.
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode("ascii"), 0)
        os.fsync(handle)
    except OSError:
        return
