"""Facts that wait for their time, as JSON values and back. Pure."""

from dataclasses import astuple
from math import isnan, nan
from typing import Any, Final, TypeAlias

from external_layers.sources.facts import Mentions, Reading, Story, Watched

Told: TypeAlias = Reading | Story | Mentions | Watched

_KINDS: Final[dict[str, type[Told]]] = {
    "reading": Reading,
    "story": Story,
    "mentions": Mentions,
    "watched": Watched,
}
_NAMES: Final = {kind: name for name, kind in _KINDS.items()}


def fact_to_json(fact: Told) -> list[Any]:
    """Return a fact as an array: its kind and its fields; NaN is null."""
    return [_NAMES[type(fact)], *map(_plain, astuple(fact))]


def fact_from_json(row: Any) -> Told:
    """Return the fact of such an array; a builtin error when it is something else."""
    name, *fields = row
    return _KINDS[name](*map(_field, fields))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return None if isinstance(value, float) and isnan(value) else value


def _field(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return nan if value is None else value
