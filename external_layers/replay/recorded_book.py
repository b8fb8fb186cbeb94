"""The book of a recording, kept from a snapshot and diffs as a client would keep it."""

from collections import deque
from typing import Any, Final

_EARLY: Final = 4_096  # diffs kept for a snapshot that is slower than they are

Side = dict[float, list[str]]


class RecordedBook:
    """One symbol's book: prices and quantities stay the texts that were recorded.

    Attributes
    ----------
    is_known
        Whether a snapshot has come.
    """

    def __init__(self) -> None:
        self.is_known = False
        self._bids: Side = {}
        self._asks: Side = {}
        self._update_id = -1
        self._early: deque[dict[str, Any]] = deque(maxlen=_EARLY)

    def reset(self, snapshot: dict[str, Any]) -> None:
        """Take over a snapshot from REST, and the newer diffs that came before it did."""
        if snapshot["lastUpdateId"] < self._update_id:
            return
        self.is_known = True
        self._update_id = snapshot["lastUpdateId"]
        self._bids, self._asks = {}, {}
        _change(self._bids, snapshot["bids"])
        _change(self._asks, snapshot["asks"])
        early, self._early = self._early, deque(maxlen=_EARLY)
        for diff in early:
            self.apply(diff)

    def apply(self, diff: dict[str, Any]) -> None:
        """Take over a diff; one that the snapshot contains changes nothing."""
        if not self.is_known:
            self._early.append(diff)
        elif diff["u"] > self._update_id:
            self._update_id = diff["u"]
            _change(self._bids, diff["b"])
            _change(self._asks, diff["a"])

    def answer(self, limit: int) -> dict[str, Any]:
        """Return the best levels in the shape of REST."""
        bids = sorted(self._bids, reverse=True)[:limit]
        asks = sorted(self._asks)[:limit]
        return {
            "lastUpdateId": self._update_id,
            "bids": [self._bids[price] for price in bids],
            "asks": [self._asks[price] for price in asks],
        }


def _change(side: Side, levels: list[list[str]]) -> None:
    for level in levels:
        price = float(level[0])
        if float(level[1]) == 0.0:
            side.pop(price, None)
        else:
            side[price] = level[:2]
