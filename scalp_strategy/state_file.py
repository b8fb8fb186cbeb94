"""The account's state on disk: one small JSON file, replaced atomically."""

import json
from pathlib import Path
from typing import Any, Final, Literal, get_args

from scalp_strategy.errors import ConfigError, StoreError
from scalp_strategy.files import replace_file, set_aside

AdminRequest = Literal["pause", "resume", "resume confirmed"]
ADMIN_REQUESTS: Final[tuple[AdminRequest, ...]] = get_args(AdminRequest)


class FileStore:
    """Keeps a state in a file; a killed process or a full disk leaves the last good one.

    Parameters
    ----------
    path
        The file; its folder is made. A file named `<path>.request` beside it is an admin's
        request, put there by `scalp pause` or `scalp resume` and taken once.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def load(self) -> dict[str, Any] | None:
        """Return the saved state, None when there is no file.

        Raises
        ------
        ConfigError
            When the file exists and is not a JSON object: it must not be guessed around.
        """
        try:
            state = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise ConfigError(f"{self._path}: not readable ({error}); move it away") from error
        if not isinstance(state, dict):
            raise ConfigError(f"{self._path}: not a JSON object; move it away")
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Write to a temporary file, flush it to the disk, then replace.

        Raises
        ------
        StoreError
            When the disk refuses; the last good file stays.
        """
        replace_file(self._path, json.dumps(state).encode())

    def request(self, request: AdminRequest) -> None:
        """Ask the running bot to pause or to resume at its next look.

        Raises
        ------
        StoreError
            When the disk refuses.
        """
        try:
            self._request.write_text(request, encoding="utf-8")
        except OSError as error:
            raise StoreError(f"{self._request}: {error}") from error

    def take_request(self) -> AdminRequest | None:
        """Return the admin's request, None when there is none; each is taken once.

        One that cannot be read is set aside, and logged.
        """
        try:
            text = self._request.read_text(encoding="utf-8").strip()
            self._request.unlink()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            set_aside(self._request, error)
            return None
        return next((known for known in ADMIN_REQUESTS if known == text), None)

    @property
    def _request(self) -> Path:
        return self._path.with_name(self._path.name + ".request")
