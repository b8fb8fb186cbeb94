"""One numbered event, and its line in a file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from scalp_strategy.errors import PayloadError

Fact = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened once.

    Attributes
    ----------
    number
        From 1, strictly ascending over restarts; gaps are possible.
    at_ms
        When, epoch milliseconds.
    kind
        E.g. ``"pairlist"``.
    pair
        Freqtrade's name, None when it concerns no pair.
    text
        In words.
    data
        The numbers behind it; NaN and infinity are written as null.
    """

    number: int
    at_ms: int
    kind: str
    pair: str | None
    text: str
    data: Mapping[str, Fact] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the event as the JSON object that is served and kept."""
        return {
            "number": self.number,
            "at_ms": self.at_ms,
            "kind": self.kind,
            "pair": self.pair,
            "text": self.text,
            "data": dict(self.data),
        }


_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "number": (int,),
    "at_ms": (int,),
    "kind": (str,),
    "pair": (str, type(None)),
    "text": (str,),
    "data": (dict,),
}


def to_line(event: Event) -> bytes:
    """Return the event as one line of JSON."""
    return orjson.dumps(event.to_json()) + b"\n"


def from_line(line: bytes) -> Event:
    """Return the event of a line made by `to_line`.

    Raises
    ------
    PayloadError
        When it is no such line.
    """
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise PayloadError(f"no event: {error}") from error
    if not isinstance(fields, dict) or set(fields) != set(_TYPES):
        raise PayloadError(f"no event: {line[:120]!r}")
    for name, types in _TYPES.items():
        if type(fields[name]) not in types:
            raise PayloadError(f"no event: {name} is {fields[name]!r}"[:200])
    return Event(**fields)
