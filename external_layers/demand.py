"""Which pairs are watched: those the scanner chose and those that were asked for lately."""

from collections.abc import Iterable


class Demand:
    """Pairs by the instant they were last asked for.

    Parameters
    ----------
    keep_s
        Seconds for which a pair stays wanted after it was asked for: those of open trades do.
    most
        Pairs remembered; beyond it those asked for longest ago go.
    """

    def __init__(self, keep_s: int, most: int) -> None:
        self._keep_ms = keep_s * 1_000
        self._most = most
        self._asked: dict[str, int] = {}

    def ask(self, pairs: Iterable[str], now_ms: int) -> list[str]:
        """Note that pairs were asked for; return those that were not wanted before."""
        new = []
        for pair in pairs:
            if self._asked.pop(pair, None) is None:
                new.append(pair)
            self._asked[pair] = now_ms
        while len(self._asked) > self._most:
            del self._asked[next(iter(self._asked))]
        return new

    def wanted(self, now_ms: int) -> list[str]:
        """Return the pairs asked for within the time, the latest first; the others are forgotten.

        A clock that is set back makes them wanted for longer, never shorter.
        """
        self._asked = {pair: at for pair, at in self._asked.items() if now_ms - at <= self._keep_ms}
        return list(reversed(self._asked))


def chosen_pairs(active: Iterable[str], asked: Iterable[str], most: int) -> list[str]:
    """Return the pairs to watch: the scanner's, then those asked for last.

    Examples
    --------
    >>> chosen_pairs(["A", "B"], ["C", "A", "D"], 3)
    ['A', 'B', 'C']
    """
    return list(dict.fromkeys([*active, *asked]))[:most]
