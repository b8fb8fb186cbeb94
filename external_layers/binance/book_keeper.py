"""Keeps a whole book from changes and snapshots by the exchange's rules, without doing I/O.

A book is a REST snapshot with every later change of the stream applied. Changes that came before
the snapshot wait for it; the first to be applied must reach over the snapshot's id, each later one
must continue the one before. The rules are those of
https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/How-to-manage-a-local-order-book-correctly
and of the same page for spot.
"""

from collections import Counter, deque
from enum import Enum

from external_layers.binance.book import OrderBook
from external_layers.binance.messages import BookSnapshot, DepthUpdate, MarketKind
from scalp_strategy.errors import PayloadError


class BookState(Enum):
    """How far a book is; only a synced one may be read."""

    WAITING = "waiting"  # for a snapshot; changes are kept for it
    BRIDGING = "bridging"  # has a snapshot, waits for the first change that continues it
    SYNCED = "synced"


class BookKeeper:
    """The book of one symbol.

    Parameters
    ----------
    symbol
        The exchange's name; updates and snapshots of others are refused.
    kind
        Spot or futures, whose updates are numbered differently.
    book
        Where the levels are kept, a new one by default.
    max_waiting
        Updates kept while there is no snapshot; beyond it the oldest are dropped.
    max_stale
        Stale updates in a row; with one more the exchange is taken to count anew.

    Attributes
    ----------
    book
        To be read only while `is_synced`.
    counts
        ``received`` updates, each of which is also ``applied``, ``stale`` (in the book already),
        ``foreign`` (another symbol), ``overflow`` (waited too long), ``lost`` (when told to start
        anew), ``invalid`` or ``crossed`` (spoilt the book), or one that waits; ``gap`` and
        ``stuck`` (nothing but stale updates) are further reasons to start anew. ``snapshots`` were
        loaded, ``refused_snapshots`` not.
    """

    def __init__(
        self,
        symbol: str,
        kind: MarketKind,
        *,
        book: OrderBook | None = None,
        max_waiting: int = 1_000,
        max_stale: int = 200,
    ) -> None:
        self.symbol = symbol
        self.book = book or OrderBook()
        self.counts: Counter[str] = Counter()
        self._kind = kind
        self._max_waiting = max_waiting
        self._max_stale = max_stale
        self._state = BookState.WAITING
        self._waiting: deque[DepthUpdate] = deque()
        self._stale_run = 0

    @property
    def state(self) -> BookState:
        """How far the book is."""
        return self._state

    @property
    def is_synced(self) -> bool:
        """Whether the book is the exchange's as of its last update."""
        return self._state is BookState.SYNCED

    @property
    def needs_snapshot(self) -> bool:
        """Whether to fetch one; not before the stream is heard, so that none comes too early."""
        return self._state is BookState.WAITING and bool(self._waiting)

    @property
    def waiting(self) -> int:
        """Number of updates that wait for a snapshot."""
        return len(self._waiting)

    def on_update(self, update: DepthUpdate) -> BookState:
        """Take an update of the stream."""
        self.counts["received"] += 1
        if update.symbol != self.symbol:
            self.counts["foreign"] += 1
        else:
            self._take(update)
        return self._state

    def on_snapshot(self, snapshot: BookSnapshot) -> BookState:
        """Take a snapshot and what waited for it; a synced book needs none and refuses it."""
        if self.is_synced or snapshot.symbol != self.symbol or not self._load(snapshot):
            self.counts["refused_snapshots"] += 1
            return self._state
        self.counts["snapshots"] += 1
        self._state = BookState.BRIDGING
        waiting, self._waiting = self._waiting, deque()
        for update in waiting:
            self._stale_run = 0
            self._take(update)
        return self._state

    def reset(self) -> None:
        """Start anew, as after a hole in the stream."""
        self.counts["lost"] += len(self._waiting)
        self._waiting.clear()
        self._start_anew()

    def _load(self, snapshot: BookSnapshot) -> bool:
        try:
            self.book.load(snapshot)
        except PayloadError:
            return False
        if self.book.is_crossed:
            self._start_anew()
            return False
        return True

    def _take(self, update: DepthUpdate) -> None:
        if self._state is BookState.WAITING:
            self._wait(update)
        elif self._is_stale(update):
            self._skip()
        elif self._continues(update):
            self._apply(update)
        else:
            self._start_anew("gap")
            self._wait(update)

    def _wait(self, update: DepthUpdate) -> None:
        if len(self._waiting) >= self._max_waiting:
            self._waiting.popleft()
            self.counts["overflow"] += 1
        self._waiting.append(update)

    def _is_stale(self, update: DepthUpdate) -> bool:
        """Futures begin with the update that ends at the snapshot's id, spot with the one after."""
        is_first = self._kind == "futures" and self._state is BookState.BRIDGING
        return update.last_id < self.book.update_id + (0 if is_first else 1)

    def _continues(self, update: DepthUpdate) -> bool:
        """Whether nothing is missing between the book and an update that is not stale.

        Futures number the updates of all symbols together, so a snapshot may lie between the end
        of one update and the beginning of the next, which names that end.
        """
        last = self.book.update_id
        if self._kind == "spot" or update.previous_id is None:
            return update.first_id <= last + 1
        if self._state is BookState.BRIDGING:
            return min(update.first_id, update.previous_id) <= last
        return update.previous_id == last

    def _skip(self) -> None:
        self.counts["stale"] += 1
        self._stale_run += 1
        if self._stale_run > self._max_stale:
            self._start_anew("stuck")

    def _apply(self, update: DepthUpdate) -> None:
        self._stale_run = 0
        try:
            self.book.apply(update)
        except PayloadError:
            self._start_anew("invalid")
            return
        if self.book.is_crossed:
            self._start_anew("crossed")
            return
        self._state = BookState.SYNCED
        self.counts["applied"] += 1

    def _start_anew(self, reason: str = "") -> None:
        if reason:
            self.counts[reason] += 1
        self._stale_run = 0
        self.book.clear()
        self._state = BookState.WAITING
