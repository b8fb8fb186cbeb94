"""What the sidecar said last, on disk: a bot that is restarted while it is down remembers it."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import orjson

from scalp_strategy.contract import SCHEMA_VERSION, Component, from_wire, to_wire
from scalp_strategy.errors import PayloadError, StoreError
from scalp_strategy.files import replace_file, set_aside

logger = logging.getLogger(__name__)

_MAX_BYTES: Final = 64 * 2**20


class WordsFile:
    """Keeps components in one JSON file; without one nothing was said yet.

    Parameters
    ----------
    path
        The file; its folder is made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_failing = False

    def load(self) -> list[Component]:
        """Return what was saved; a file that is damaged is set aside, and said to be."""
        try:
            with self._path.open("rb") as file:
                return _components(file.read(_MAX_BYTES + 1))
        except FileNotFoundError:
            return []
        except (OSError, PayloadError) as error:
            set_aside(self._path, error)
            return []

    def save(self, components: Iterable[Component]) -> None:
        """Write these in place of what was there; a disk that refuses is logged once."""
        rows = [to_wire(one) for one in components]
        try:
            replace_file(self._path, orjson.dumps({"schema": SCHEMA_VERSION, "components": rows}))
        except (StoreError, TypeError) as error:
            if not self._is_failing:
                logger.warning("What the sidecar said last cannot be kept: %s", error)
            self._is_failing = True
        else:
            self._is_failing = False


def _components(body: bytes) -> list[Component]:
    if len(body) > _MAX_BYTES:
        raise PayloadError(f"more than {_MAX_BYTES} bytes")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise PayloadError(str(error)) from error
    rows = document.get("components") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        raise PayloadError("no components")
    return [from_wire(row) for row in rows]
