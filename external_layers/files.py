"""Files that are replaced in one step: a reader sees the old content or the new."""

import os
import tempfile
from pathlib import Path
from typing import Final

from scalp_strategy.errors import StoreError

_MODE: Final = 0o644


def replace_file(path: Path, body: bytes) -> None:
    """Write a file anew; its folder is made.

    Raises
    ------
    StoreError
        When the disk refuses; the old file stays.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
    except OSError as error:
        raise StoreError(f"{path}: {error}") from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(_MODE)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StoreError(f"{path}: {error}") from error
