"""Files replaced in one step, damaged ones put out of the way, and one writer at a time."""

import contextlib
import fcntl
import logging
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from scalp_strategy.errors import ConfigError, StoreError

logger = logging.getLogger(__name__)

_BAD_KEPT: Final = 5
_PRIVATE: Final = 0o600


def replace_file(path: Path, body: bytes, mode: int = _PRIVATE) -> None:
    """Write a file anew: a reader sees the old content or the new, whatever is killed when.

    Its folder is made; `mode` says who may read it.

    Raises
    ------
    StoreError
        When the disk refuses; the old file stays.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        raise StoreError(f"{path}: {error}") from error


def set_aside(path: Path, reason: object) -> Path | None:
    """Move a file or folder that cannot be read out of the way, and log where it is now.

    It becomes ``<name>.bad-<UTC time>`` beside its place; of these the five newest are kept.

    Returns
    -------
    Path or None
        Where it is now; None when it could not be moved, which is logged too.
    """
    aside = path.with_name(f"{path.name}.bad-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return None
    except OSError as error:
        logger.warning("%s cannot be read (%s), nor moved away (%s).", path, reason, error)
        return None
    logger.warning("%s cannot be read (%s); it is kept as %s.", path, reason, aside.name)
    for old in sorted(path.parent.glob(f"{path.name}.bad-*"))[:-_BAD_KEPT]:
        with contextlib.suppress(OSError):
            old.unlink()
    return aside


class FileLock:
    """Hold a file for this process until `release`.

    The kernel drops the lock when its process dies, however it dies, so a file that was left
    behind is simply taken over. The process number inside is for people to read.

    Parameters
    ----------
    path
        The lock file; its folder is made.
    way_out
        What the error says after naming the process that holds it.

    Raises
    ------
    ConfigError
        When another process holds it; names the process.
    StoreError
        When the disk refuses.
    """

    def __init__(self, path: Path, way_out: str = "only one may at a time") -> None:
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
                f"{way_out}"
            ) from error
        _name_holder(self._handle)

    def release(self) -> None:
        """Let others have it; the file stays."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _name_holder(handle: int) -> None:
    # A full disk may refuse the note; the lock holds all the same.
    with contextlib.suppress(OSError):
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode("ascii"), 0)
        os.fsync(handle)
