"""Conditional requests: an answer is asked for only if it has changed."""

import hashlib
from collections.abc import Mapping
from typing import Final

from external_layers.sources.memory_file import Validators
from external_layers.sources.scrub import Secrets
from external_layers.sources.spec import Params

_MOST: Final = 64  # addresses of one source; the oldest are forgotten
_LONGEST: Final = 256
_DIGEST_BYTES: Final = 12


class Conditions:
    """What a source's addresses answered last, as far as it helps to ask again.

    Parameters
    ----------
    known
        Of earlier fetches, by `name_of`.
    secrets
        The source's keys: nothing that holds one is kept.
    """

    def __init__(self, known: Mapping[str, Validators], secrets: Secrets) -> None:
        self.known = dict(known)
        self._secrets = secrets

    def name_of(self, url: str, params: Params | None) -> str:
        """Return a name for an address that tells neither key nor query."""
        text = self._secrets.hidden(f"{url} {sorted((params or {}).items())}")
        return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest()

    def headers(self, name: str) -> dict[str, str]:
        """Return the headers that ask for a change; none when nothing is known."""
        known = self.known.get(name, Validators())
        named = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
        return {header: value for header, value in named.items() if value}

    def keep(self, name: str, headers: Mapping[str, str]) -> None:
        """Take what an answer's headers say."""
        self.known.pop(name, None)
        found = Validators(self._usable(headers, "ETag"), self._usable(headers, "Last-Modified"))
        if found != Validators():
            self.known[name] = found
        while len(self.known) > _MOST:
            self.known.pop(next(iter(self.known)))

    def _usable(self, headers: Mapping[str, str], header: str) -> str:
        value = headers.get(header, "")
        is_plain = value.isascii() and value.isprintable() and len(value) <= _LONGEST
        return value if is_plain and not self._secrets.is_in(value) else ""
