"""Whose turn it is: many wallets asked a few at a time, and since when all have been (pure).

What is remembered lives in a source's memory, which comes back from a file: whatever it holds, a
turn is had.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

_TURN: Final = "turn"  # keys of a source's memory
_SEEN: Final = "seen"
_MARKS: Final = "marks"


def turns(memory: dict[str, Any], names: Sequence[str], count: int) -> list[str]:
    """Return the next names in their round, and remember that they had their turn.

    Who asks delivers that at once, with nothing: a turn is had even if the fetch fails, so that one
    which always fails holds up no other.
    """
    if not names:
        return []
    start = _whole(memory.get(_TURN)) % len(names)
    chosen = [names[(start + step) % len(names)] for step in range(min(count, len(names)))]
    memory[_TURN] = (start + len(chosen)) % len(names)
    return chosen


def note_seen(memory: dict[str, Any], names: Iterable[str], at_ms: int) -> None:
    """Remember that all there was to tell of some names has been told up to an instant."""
    memory[_SEEN] = _numbers(memory, _SEEN) | dict.fromkeys(names, at_ms)


def seen_until(memory: dict[str, Any], names: Sequence[str]) -> int | None:
    """Return up to when all of some names have been told; None when one never was."""
    seen = _numbers(memory, _SEEN)
    if not names or any(name not in seen for name in names):
        return None
    return min(seen[name] for name in names)


def mark(memory: dict[str, Any], name: str) -> int:
    """Return where the last look at a name ended, e.g. a block or a time; 0 before the first."""
    return _numbers(memory, _MARKS).get(name, 0)


def note_marks(memory: dict[str, Any], marks: dict[str, int]) -> None:
    """Remember where the looks at some names ended."""
    memory[_MARKS] = _numbers(memory, _MARKS) | marks


def forget_others(memory: dict[str, Any], names: Iterable[str]) -> None:
    """Forget what is no longer asked, so that the memory stays small."""
    kept = set(names)
    for part in (_SEEN, _MARKS):
        memory[part] = {name: at for name, at in _numbers(memory, part).items() if name in kept}


def _numbers(memory: dict[str, Any], part: str) -> dict[str, int]:
    found = memory.get(part)
    pairs = found.items() if isinstance(found, dict) else ()
    return {name: _whole(at) for name, at in pairs if isinstance(name, str)}


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
