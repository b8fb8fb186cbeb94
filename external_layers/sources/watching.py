"""What a source remembers of its coverage: so that "quiet" can be told from "nobody looked" (pure).

No source says anything about every token. A token counts as watched once the source is known to
tell of it: from its own list, or because it has told of it before.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

from external_layers.sources.facts import Feed, Watched

STABLECOINS: Final = ("USDT", "USDC")  # what the flow of buying power is read from
_COVERED: Final = "covered"  # keys of a source's memory
_TOLD: Final = "told"
_MOST_COVERED: Final = 3_000
_MOST_TOLD: Final = 1_000

_Fact = TypeVar("_Fact")


def is_whole(observed_ms: Iterable[int], count: int, page: int, since_ms: int) -> bool:
    """Tell whether a page, the newest first, reaches back to an instant: else older ones are cut.

    Parameters
    ----------
    observed_ms
        When its readable rows were true.
    count, page
        Its rows, and how many it may hold at most.
    since_ms
        The last look, or from when on anything counts.
    """
    return count < page or min(observed_ms, default=since_ms + 1) <= since_ms


def cover(memory: dict[str, Any], tokens: Iterable[str]) -> None:
    """Remember that the source tells of some tokens."""
    known = set(_texts(memory.get(_COVERED)))
    memory[_COVERED] = sorted(known | set(tokens))[:_MOST_COVERED]


def watched(
    feed: Feed, source: str, memory: dict[str, Any], tokens: Sequence[str], at_ms: tuple[int, int]
) -> list[Watched]:
    """Return that the covered ones of some tokens, and of the stablecoins, have been looked at.

    Parameters
    ----------
    tokens
        The tokens that are asked about.
    at_ms
        Until when everything is told, and when that was known.
    """
    covered = set(_texts(memory.get(_COVERED)))
    told_until_ms, received_ms = at_ms
    return [
        Watched(feed, token, source, told_until_ms, received_ms)
        for token in sorted({*tokens, *STABLECOINS} & covered)
    ]


def untold(
    facts: Sequence[_Fact], identity: Callable[[_Fact], str], memory: dict[str, Any]
) -> list[_Fact]:
    """Return the facts that were not returned before, and remember them.

    The newest thousand are remembered, so a page must hold fewer.
    """
    told = _texts(memory.get(_TOLD))
    known = set(told)
    fresh = {identity(fact): fact for fact in facts if identity(fact) not in known}
    memory[_TOLD] = [*told, *fresh][-_MOST_TOLD:]
    return list(fresh.values())


def _texts(value: Any) -> list[str]:
    # The memory comes back from a file, which anybody may have changed.
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
