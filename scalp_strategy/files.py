"""Files that are replaced in one step, and damaged ones that are put out of the way."""

import contextlib
import logging
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from scalp_strategy.errors import StoreError

logger = logging.getLogger(__name__)

_BAD_KEPT: Final = 5


def replace_file(path: Path, body: bytes) -> None:
    """Write a file anew: a reader sees the old content or the new, whatever is killed when.

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
