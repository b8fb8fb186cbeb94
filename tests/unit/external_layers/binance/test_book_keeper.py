"""The exchange's rules for keeping a book, one by one."""

from math import nan

import pytest

from external_layers.binance.book_keeper import BookKeeper, BookState
from external_layers.binance.channels import MarketKind
from external_layers.binance.messages import BookSnapshot, DepthUpdate, Level


def futures(
    first: int, last: int, previous: int, bids: list[Level] | None = None, symbol: str = "X"
) -> DepthUpdate:
    return DepthUpdate(
        symbol=symbol,
        event_ms=0,
        first_id=first,
        last_id=last,
        previous_id=previous,
        bids=bids or [],
        asks=[],
    )


def spot(first: int, last: int) -> DepthUpdate:
    return DepthUpdate(
        symbol="X", event_ms=0, first_id=first, last_id=last, previous_id=None, bids=[], asks=[]
    )


def snapshot(update_id: int, bid: float = 10.0, symbol: str = "X") -> BookSnapshot:
    return BookSnapshot(symbol=symbol, update_id=update_id, bids=[(bid, 1.0)], asks=[(11.0, 1.0)])


def keeper_at(update_id: int, kind: MarketKind = "futures") -> BookKeeper:
    """Return a keeper that is synced at an update."""
    keeper = BookKeeper("X", kind)
    keeper.on_snapshot(snapshot(update_id - 1))
    keeper.on_update(futures(update_id, update_id, update_id - 1))
    assert keeper.is_synced
    return keeper


def assert_accounted(keeper: BookKeeper) -> None:
    fates = ("applied", "stale", "foreign", "overflow", "lost", "invalid", "crossed")
    assert keeper.counts["received"] == sum(keeper.counts[each] for each in fates) + keeper.waiting


@pytest.mark.parametrize(
    ("first", "last", "previous", "state"),
    [
        (90, 99, 80, BookState.BRIDGING),  # all of it is in the snapshot
        (90, 100, 80, BookState.SYNCED),
        (90, 110, 80, BookState.SYNCED),
        (100, 110, 98, BookState.SYNCED),
        (101, 110, 100, BookState.SYNCED),
        (103, 110, 97, BookState.SYNCED),  # ids between are another symbol's
        (103, 110, 101, BookState.WAITING),
    ],
)
def test_first_futures_update_reaches_over_the_snapshot(
    first: int, last: int, previous: int, state: BookState
) -> None:
    for snapshot_comes_first in (True, False):
        keeper = BookKeeper("X", "futures")
        if snapshot_comes_first:
            keeper.on_snapshot(snapshot(100))
        keeper.on_update(futures(first, last, previous))
        if not snapshot_comes_first:
            assert keeper.needs_snapshot
            keeper.on_snapshot(snapshot(100))
        assert keeper.state is state
        assert keeper.needs_snapshot is (state is BookState.WAITING)
        assert_accounted(keeper)


@pytest.mark.parametrize(
    ("first", "last", "state"),
    [
        (90, 100, BookState.BRIDGING),
        (90, 101, BookState.SYNCED),
        (101, 101, BookState.SYNCED),
        (102, 110, BookState.WAITING),
    ],
)
def test_first_spot_update_reaches_past_the_snapshot(
    first: int, last: int, state: BookState
) -> None:
    keeper = BookKeeper("X", "spot")
    keeper.on_update(spot(first, last))
    keeper.on_snapshot(snapshot(100))
    assert keeper.state is state
    assert_accounted(keeper)


@pytest.mark.parametrize("previous", [99, 101, 150])
def test_futures_update_must_name_the_one_before(previous: int) -> None:
    keeper = keeper_at(100)
    keeper.on_update(futures(151, 160, previous))
    assert (keeper.state, keeper.counts["gap"]) == (BookState.WAITING, 1)
    assert keeper.needs_snapshot
    assert keeper.book.bids == {}
    keeper.on_snapshot(snapshot(155))
    assert keeper.is_synced  # by the update at which the gap was seen
    assert_accounted(keeper)


def test_spot_updates_continue_without_a_hole() -> None:
    keeper = keeper_at(100, "spot")
    assert keeper.on_update(spot(101, 105)) is BookState.SYNCED
    assert keeper.on_update(spot(107, 108)) is BookState.WAITING
    assert keeper.counts["gap"] == 1
    assert_accounted(keeper)


def test_stale_updates_change_nothing() -> None:
    keeper = keeper_at(100)
    for last in (100, 99, 3):
        keeper.on_update(futures(last, last, last - 1, [(10.0, 99.0)]))
    assert keeper.is_synced
    assert keeper.book.bids == {10.0: 1.0}
    assert keeper.counts["stale"] == 3
    assert_accounted(keeper)


def test_snapshot_older_than_what_waits_is_not_enough() -> None:
    keeper = BookKeeper("X", "futures")
    for number in (10, 11, 12):
        keeper.on_update(futures(number, number, number - 1))
    keeper.on_snapshot(snapshot(5))
    assert (keeper.needs_snapshot, keeper.waiting) == (True, 3)
    keeper.on_snapshot(snapshot(10))
    assert (keeper.state, keeper.book.update_id) == (BookState.SYNCED, 12)
    assert_accounted(keeper)


def test_hole_in_what_waits_asks_again() -> None:
    keeper = BookKeeper("X", "futures")
    for number in (10, 11, 15, 16):
        keeper.on_update(futures(number, number, number - 1))
    keeper.on_snapshot(snapshot(10))
    assert (keeper.needs_snapshot, keeper.waiting) == (True, 2)
    keeper.on_snapshot(snapshot(15))
    assert keeper.is_synced
    assert_accounted(keeper)


def test_waiting_is_bounded() -> None:
    keeper = BookKeeper("X", "futures", max_waiting=5)
    for number in range(20):
        keeper.on_update(futures(number, number, number - 1))
    assert (keeper.waiting, keeper.counts["overflow"]) == (5, 15)
    keeper.on_snapshot(snapshot(16))
    assert keeper.is_synced
    assert_accounted(keeper)


def test_crossed_book_starts_anew() -> None:
    keeper = keeper_at(100)
    keeper.on_update(futures(101, 101, 100, [(11.0, 1.0)]))
    assert (keeper.is_synced, keeper.counts["crossed"]) == (False, 1)
    assert keeper.book.bids == {}
    assert_accounted(keeper)


def test_wrong_level_starts_anew() -> None:
    keeper = keeper_at(100)
    keeper.on_update(futures(101, 101, 100, [(nan, 1.0)]))
    assert (keeper.is_synced, keeper.counts["invalid"]) == (False, 1)
    assert_accounted(keeper)


def test_other_symbols_are_refused() -> None:
    keeper = keeper_at(100)
    keeper.on_update(futures(101, 101, 100, [(10.5, 1.0)], symbol="Y"))
    assert (keeper.book.bids, keeper.counts["foreign"]) == ({10.0: 1.0}, 1)
    keeper.reset()
    keeper.on_snapshot(snapshot(100, symbol="Y"))
    assert keeper.state is BookState.WAITING
    assert_accounted(keeper)


@pytest.mark.parametrize("bid", [11.0, 12.0, nan, -1.0])
def test_wrong_snapshot_is_refused(bid: float) -> None:
    keeper = BookKeeper("X", "futures")
    keeper.on_update(futures(100, 101, 99))
    keeper.on_snapshot(snapshot(100, bid))
    assert (keeper.needs_snapshot, keeper.counts["refused_snapshots"]) == (True, 1)


def test_synced_book_refuses_a_late_snapshot() -> None:
    keeper = keeper_at(100)
    keeper.on_snapshot(snapshot(50, 5.0))
    assert (keeper.is_synced, keeper.book.best_bid) == (True, 10.0)


def test_exchange_that_counts_anew_is_noticed() -> None:
    keeper = BookKeeper("X", "futures", max_stale=10)
    keeper.on_snapshot(snapshot(10**12))
    for number in range(11):
        keeper.on_update(futures(number, number, number - 1))
    assert (keeper.state, keeper.counts["stuck"]) == (BookState.WAITING, 1)
    keeper.on_update(futures(11, 11, 10))
    assert keeper.needs_snapshot
    assert_accounted(keeper)


def test_no_snapshot_is_asked_for_before_the_stream_is_heard() -> None:
    keeper = BookKeeper("X", "futures")
    assert not keeper.needs_snapshot
    keeper.on_update(futures(1, 2, 0))
    assert keeper.needs_snapshot
    keeper.reset()
    assert (keeper.needs_snapshot, keeper.counts["lost"]) == (False, 1)
    assert_accounted(keeper)
