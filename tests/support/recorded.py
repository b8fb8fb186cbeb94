"""Where recorded market data lies, for tests that read it when it is there."""

from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2].parent / "shared" / "data"


def recorded(*parts: str) -> Path:
    """Return the path of a recording; skip the test when it is absent."""
    path = _ROOT.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{'/'.join(parts)} is not here")
    return path
