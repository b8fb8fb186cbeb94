"""Transfers to and from exchanges of the last minutes or hours, summed as they come and go."""

from bisect import bisect_right, insort

from external_layers.evidence import NEVER
from external_layers.onchain.notes import Move


class MoveWindow:
    """Moves observed in ``(at - window, at]``; they may come in any order.

    Attributes
    ----------
    withdrawals, deposits
        The moves, by when they were observed.
    withdrawn, deposited
        Their sums in dollars, at least 0.
    """

    __slots__ = ("_window_ms", "deposited", "deposits", "withdrawals", "withdrawn")

    def __init__(self, window_ms: int) -> None:
        self._window_ms = window_ms
        self.withdrawals: list[Move] = []
        self.deposits: list[Move] = []
        self.withdrawn = 0
        self.deposited = 0

    def __len__(self) -> int:
        return len(self.withdrawals) + len(self.deposits)

    def add(self, move: Move) -> None:
        """Count a move; the next `expire` forgets one that has left the window already."""
        if move.dollars > 0:
            insort(self.withdrawals, move)
            self.withdrawn += move.dollars
        else:
            insort(self.deposits, move)
            self.deposited -= move.dollars

    def expire(self, at_ms: int) -> None:
        """Forget what left the window that ends at `at_ms`."""
        floor_ms = at_ms - self._window_ms
        self.withdrawn -= sum(move.dollars for move in _cut(self.withdrawals, floor_ms))
        self.deposited += sum(move.dollars for move in _cut(self.deposits, floor_ms))

    @property
    def net(self) -> int:
        """Return what left exchanges less what came, dollars."""
        return self.withdrawn - self.deposited

    @property
    def newest(self) -> Move | None:
        """Return the newest move, None when there is none."""
        last = self.withdrawals[-1:] + self.deposits[-1:]
        return max(last, default=None)

    @property
    def newest_ms(self) -> int:
        """Return when the newest move was observed, `NEVER` when there is none."""
        newest = self.newest
        return NEVER if newest is None else newest.observed_ms

    @property
    def in_a_row(self) -> int:
        """Return the number of withdrawals after the last deposit."""
        if not self.deposits:
            return len(self.withdrawals)
        last_ms = self.deposits[-1].observed_ms
        later = bisect_right(self.withdrawals, last_ms, key=lambda move: move.observed_ms)
        return len(self.withdrawals) - later


def _cut(moves: list[Move], floor_ms: int) -> list[Move]:
    """Take out and return the moves observed at or before an instant."""
    if not moves or moves[0].observed_ms > floor_ms:
        return []
    count = bisect_right(moves, floor_ms, key=lambda move: move.observed_ms)
    gone = moves[:count]
    del moves[:count]
    return gone
