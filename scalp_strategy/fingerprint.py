"""A name for the code that made a result."""

import hashlib
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def code_fingerprint() -> str:
    """Return twelve hexadecimal digits that change with any source file of this package."""
    digest = hashlib.sha256()
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def archive_fingerprint(root: Path) -> str:
    """Return twelve hexadecimal digits that name the files of an archive; none has its own.

    A file of the archive never changes and its name is never used again, so the names tell.
    """
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.parquet"))
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:12]
