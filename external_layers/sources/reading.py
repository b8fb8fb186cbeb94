"""Numbers, texts, times and rows out of parsed JSON, whatever it holds (pure).

What is missing or of the wrong kind is None (NaN for numbers), so that a parser decides whether the
row can do without it; what has no shape at all is a `PayloadError`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite, nan
from typing import Any, Final

import msgspec

from scalp_strategy.errors import PayloadError

LARGEST: Final = 1e18  # of any amount: what is beyond it is garbage
LAST_MS: Final = 4_102_444_800_000  # 2100-01-01: a later time is garbage
_AHEAD_MS: Final = 300_000  # how far another clock may be ahead of ours
_LONGEST: Final = 500  # characters of a text
_LONGEST_NUMBER: Final = 40  # characters of a number that is written as text
_LONGEST_TICKER: Final = 20
_SAMPLE_LENGTH: Final = 80
_MS_PER_S: Final = 1_000


def number(value: Any) -> float:
    """Return a JSON number, or one written as text, as a float; NaN when it is none or not finite.

    Examples
    --------
    >>> number("1.5"), number(True), number(10**400)
    (1.5, nan, nan)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return nan
    if isinstance(value, str) and len(value) > _LONGEST_NUMBER:
        return nan
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return nan
    return found if isfinite(found) and abs(found) <= LARGEST else nan


def dollars(value: Any) -> float:
    """Return an amount of dollars above 0; NaN when it is none."""
    found = number(value)
    return found if found > 0 else nan


def text(value: Any, longest: int = _LONGEST) -> str:
    """Return a text without what cannot be stored or shown, cut to a length; else an empty one."""
    if not isinstance(value, str):
        return ""
    cleaned = "".join(each if each.isprintable() else " " for each in value[: 2 * longest])
    return " ".join(cleaned.split())[:longest].strip()


def ticker(value: Any) -> str:
    """Return the upper-case ticker of a token, e.g. ``"BTC"``; empty when it is none."""
    found = text(value, _LONGEST_TICKER + 1).upper()
    is_ticker = found.isascii() and found.isalnum() and len(found) <= _LONGEST_TICKER
    return found if is_ticker else ""


def ms_of_seconds(value: Any) -> int | None:
    """Return epoch milliseconds of epoch seconds; None when they are no time."""
    seconds = number(value)
    if not 0 < seconds * _MS_PER_S < LAST_MS:
        return None
    return round(seconds * _MS_PER_S)


def ms_of_iso(value: Any) -> int | None:
    """Return epoch milliseconds of ``"2026-05-28T20:26:40Z"``; a time without a zone is UTC."""
    if not isinstance(value, str) or len(value) > _LONGEST_NUMBER:
        return None
    try:
        found = datetime.fromisoformat(value)
        instant = found.replace(tzinfo=found.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        return None
    return ms_of_seconds(instant)


def past_ms(instant_ms: int | None, received_ms: int) -> int | None:
    """Return when something was true: not after it was received, None when that is absurd.

    A clock that is a little ahead of ours is forgiven.
    """
    if instant_ms is None or instant_ms > received_ms + _AHEAD_MS:
        return None
    return min(instant_ms, received_ms)


def json_of(body: bytes) -> Any:
    """Return the JSON value of a message.

    Raises
    ------
    PayloadError
        When it is none.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PayloadError(f"no JSON: {type(error).__name__}") from error


def mapping(value: Any, what: str) -> Mapping[str, Any]:
    """Return a JSON object.

    Raises
    ------
    PayloadError
        When it is something else.
    """
    if not isinstance(value, Mapping):
        raise PayloadError(f"{what}: no object: {sample(value)}")
    return value


def rows(value: Any, what: str) -> list[Mapping[str, Any]]:
    """Return the objects of a JSON list; what is no object in it is left out.

    Raises
    ------
    PayloadError
        When it is no list, or has parts and none is an object.
    """
    if not isinstance(value, list):
        raise PayloadError(f"{what}: no list: {sample(value)}")
    found = [row for row in value if isinstance(row, Mapping)]
    if value and not found:
        raise PayloadError(f"{what}: no objects: {sample(value)}")
    return found


def part(value: Any, *keys: str) -> Any:
    """Return what lies under some keys of nested objects; None where the way ends.

    Examples
    --------
    >>> part({"a": {"b": 1}}, "a", "b"), part({"a": None}, "a", "b")
    (1, None)
    """
    for key in keys:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def some(found: list[Any], had: object, what: str) -> None:
    """Raise when rows were there and none could be read.

    Raises
    ------
    PayloadError
        In that case.
    """
    if had and not found:
        raise PayloadError(f"{what}: no readable row: {sample(had)}")


def sample(value: object) -> str:
    """Return the beginning of a payload for a message, whatever it holds.

    Only its outer form is shown where it could be long or hold numbers that cannot be written.
    """
    if isinstance(value, str | int | float | bool | None):
        try:
            return repr(value)[:_SAMPLE_LENGTH]
        except ValueError:  # an integer of more digits than Python writes
            return "a huge number"
    return type(value).__name__
