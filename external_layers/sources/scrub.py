"""Keys are struck out of whatever is shown: errors, samples, traces, remembered state (pure)."""

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from html import escape
from itertools import permutations
from typing import Final
from urllib.parse import quote, quote_plus

MASK: Final = "***"
SHOWN: Final = 300  # characters of a problem
_SAMPLE: Final = 200  # characters of a body
_WINDOW: Final = 4_096  # bytes of a body that are looked at for a sample
_HEAD: Final = 8  # so much of a key's beginning is taken for the key


class Keys(dict[str, str]):
    """Environment variables and their values; what is printed of it are the names."""

    def __repr__(self) -> str:
        return f"Keys({sorted(self)})"

    __str__ = __repr__


class Secrets:
    """Finds keys in texts, as they are, encoded for an address or JSON, and cut at their end.

    Parameters
    ----------
    values
        The keys; empty ones are none.
    """

    def __init__(self, values: Iterable[str]) -> None:
        self._values = known = [value for value in values if value]
        forms = {form.lower() for value in known for form in _forms(value)}
        forms |= {_basic(user, password).lower() for user, password in permutations(known, 2)}
        self._forms = sorted(forms, key=len, reverse=True)
        self._heads = _any_of(form[:_HEAD] for form in self._forms)
        self._whole = _any_of(form for form in self._forms if len(form) >= _HEAD)

    def __repr__(self) -> str:
        return "Secrets()"

    def with_header(self, headers: Mapping[str, str]) -> "Secrets":
        """Return these and what a request's Authorization header says after its kind."""
        said = headers.get("Authorization", "").split()
        return Secrets([*self._values, said[-1]]) if said else self

    def is_in(self, text: str) -> bool:
        """Return whether a text holds a key; very short ones would be found by chance."""
        return self._whole is not None and self._whole.search(text) is not None

    def hidden(self, text: str) -> str:
        """Return a text without keys; its lines stay."""
        pieces, at = [], 0
        while self._heads is not None and (found := self._heads.search(text, at)):
            pieces += [text[at : found.start()], MASK]
            at = found.start() + max(
                _same_length(text[found.start() :], form) for form in self._forms
            )
        return "".join([*pieces, text[at:]])

    def shown(self, text: str, most: int = SHOWN) -> str:
        """Return one printable line without keys, cut to a length."""
        line = "".join(each if each.isprintable() else " " for each in self.hidden(text))
        return " ".join(line.split())[:most]

    def sample(self, body: bytes) -> str:
        """Return the beginning of an answer for people to look at."""
        return self.shown(body[:_WINDOW].decode("utf-8", "replace"), _SAMPLE)


def _any_of(texts: Iterable[str]) -> re.Pattern[str] | None:
    pattern = "|".join(map(re.escape, texts))
    return re.compile(pattern, re.IGNORECASE) if pattern else None


def _forms(value: str) -> set[str]:
    """Return the ways in which a key may be written."""
    written = {value, json.dumps(value)[1:-1], repr(value)[1:-1], escape(value)}
    coded = {quote(value), quote(value, safe=""), quote_plus(value)}
    return written | coded | {b64encode(value.encode()).decode()}


def _basic(user: str, password: str) -> str:
    return b64encode(f"{user}:{password}".encode()).decode()


def _same_length(text: str, form: str) -> int:
    """Return how much of a form a text begins with; a cut one counts from its head on."""
    length = 0
    for ours, theirs in zip(text, form, strict=False):
        if ours.lower() != theirs:
            break
        length += 1
    return length if length >= min(len(form), _HEAD) else 0
