"""Where the exchange's files come from: a folder in its layout, or its server with a cache.

Every file is checked against its ``.CHECKSUM`` (sha256) when there is one.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import httpx

from scalp_strategy.errors import ConfigError, PayloadError, SourceRejected, SourceUnavailable
from scalp_strategy.files import replace_file
from scalp_strategy.setting_groups.history import BackfillSettings

OFFICIAL_URL: Final = "https://data.binance.vision"
_CHECKSUM: Final = ".CHECKSUM"
_DIGITS: Final = 64
_NOT_FOUND: Final = 404
_TRY_AGAIN: Final = (408, 429)
_SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class Dump:
    """A file as it was read; `is_verified` tells whether there was a checksum to hold it to."""

    name: str
    content: bytes
    sha256: str
    is_verified: bool


class DumpSource(Protocol):
    """Gives files by their path in the exchange's layout."""

    def read(self, path: str) -> Dump | None:
        """Return a file, None when there is none.

        Raises
        ------
        PayloadError
            When it is not what its checksum says.
        SourceUnavailable
            When it cannot be had now.
        StoreError
            When the disk refuses the copy that is kept of a download.
        """
        ...


class FolderSource:
    """Files of a folder that has the exchange's layout (``data/futures/um/daily/...``).

    Raises
    ------
    ConfigError
        When there is no such folder.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise ConfigError(f"no folder {root}")
        self._root = root

    def read(self, path: str) -> Dump | None:
        """Return a file, None when there is none; errors as `DumpSource`."""
        content = _content(self._root / path)
        return (
            None
            if content is None
            else _checked(path, content, _content(_beside(self._root / path)))
        )


class UrlSource:
    """Files of a server, kept in a folder so that each is fetched once.

    Parameters
    ----------
    client
        With the server as its base URL.
    cache
        Folder of what was fetched, in the same layout.
    settings
        Tries and waits.
    sleep
        Waits so many seconds.
    """

    def __init__(
        self,
        client: httpx.Client,
        cache: Path,
        settings: BackfillSettings,
        sleep: Callable[[float], None],
    ) -> None:
        self._client = client
        self._cache = cache
        self._settings = settings
        self._sleep = sleep

    def read(self, path: str) -> Dump | None:
        """Return a file, None when the server has none; errors as `DumpSource`."""
        kept = self._kept(path)
        if kept is not None:
            return kept
        content = self._fetched(path)
        if content is None:
            return None
        checksum = self._fetched(path + _CHECKSUM)
        dump = _checked(path, content, checksum)
        if checksum is not None:
            replace_file(_beside(self._cache / path), checksum)
        replace_file(self._cache / path, content)
        return dump

    def _kept(self, path: str) -> Dump | None:
        """Return the copy on disk; one that is damaged counts as none and is fetched anew."""
        content = _content(self._cache / path)
        if content is None:
            return None
        try:
            return _checked(path, content, _content(_beside(self._cache / path)))
        except PayloadError:
            return None

    def _fetched(self, path: str) -> bytes | None:
        wait = self._settings.retry_first_s
        for left in range(self._settings.retries, -1, -1):
            try:
                return self._asked(path)
            except SourceUnavailable:
                if left == 0:
                    raise
                self._sleep(wait)
                wait *= 2.0
        raise AssertionError("unreachable")

    def _asked(self, path: str) -> bytes | None:
        try:
            answer = self._client.get("/" + path)
        except httpx.TransportError as error:
            raise SourceUnavailable(f"{path}: {type(error).__name__}: {error}") from error
        if answer.status_code == _NOT_FOUND:
            return None
        if answer.status_code in _TRY_AGAIN or answer.status_code >= _SERVER_ERROR:
            raise SourceUnavailable(f"{path}: HTTP {answer.status_code}")
        if not answer.is_success:
            raise SourceRejected(f"{path}: HTTP {answer.status_code}")
        return answer.content


def _beside(path: Path) -> Path:
    return path.with_name(path.name + _CHECKSUM)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SourceUnavailable(f"cannot read {path}: {error.strerror or error}") from error


def _checked(path: str, content: bytes, checksum: bytes | None) -> Dump:
    digest = hashlib.sha256(content).hexdigest()
    name = path.rsplit("/", 1)[-1]
    if checksum is not None:
        told = checksum.split()[0].decode("ascii", "replace").lower() if checksum.strip() else ""
        if len(told) != _DIGITS:
            raise PayloadError(f"{name}{_CHECKSUM}: holds no sha256 checksum")
        if told != digest:
            raise PayloadError(
                f"{name}: is damaged or was exchanged: its sha256 is {digest[:12]}..., "
                f"{name}{_CHECKSUM} says {told[:12]}..."
            )
    return Dump(name, content, digest, checksum is not None)
