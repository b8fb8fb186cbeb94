"""The levels of a book."""

from math import isnan, nan

import pytest

from external_layers.binance.book import OrderBook
from external_layers.binance.messages import BookSnapshot, DepthUpdate, Level
from scalp_strategy.errors import PayloadError


def snapshot(bids: list[Level], asks: list[Level]) -> BookSnapshot:
    return BookSnapshot(symbol="BTCUSDT", update_id=5, bids=bids, asks=asks)


def update(bids: list[Level], asks: list[Level], number: int = 6) -> DepthUpdate:
    return DepthUpdate(
        symbol="BTCUSDT",
        event_ms=0,
        first_id=number,
        last_id=number,
        previous_id=None,
        bids=bids,
        asks=asks,
    )


@pytest.fixture
def book() -> OrderBook:
    book = OrderBook()
    book.load(snapshot([(99.0, 1.0), (98.0, 2.0), (100.0, 3.0)], [(101.0, 4.0), (103.0, 5.0)]))
    return book


def test_empty_book_knows_nothing() -> None:
    book = OrderBook()
    assert isnan(book.best_bid)
    assert isnan(book.best_ask)
    assert isnan(book.middle)
    assert not book.is_crossed
    assert book.top(5) == ([], [])
    assert all(isnan(side) for side in book.depth_within(1.0))


def test_levels_are_set_replaced_and_removed(book: OrderBook) -> None:
    book.apply(update([(100.0, 0.0), (99.5, 7.0), (98.0, 9.0), (42.0, 0.0)], [(102.0, 1.0)]))
    assert book.bids == {99.0: 1.0, 98.0: 9.0, 99.5: 7.0}
    assert book.top(10) == (
        [(99.5, 7.0), (99.0, 1.0), (98.0, 9.0)],
        [(101.0, 4.0), (102.0, 1.0), (103.0, 5.0)],
    )
    assert book.top(1) == ([(99.5, 7.0)], [(101.0, 4.0)])
    assert book.top(0) == ([], [])
    assert (book.best_bid, book.best_ask, book.update_id) == (99.5, 101.0, 6)


def test_depth_counts_money_and_both_ends(book: OrderBook) -> None:
    assert book.middle == 100.5
    one_pct = book.depth_within(1.0)
    assert one_pct == (pytest.approx(300.0), pytest.approx(404.0))
    assert book.depth_within(100.0 * 2.5 / 100.5) == (300 + 99 + 196, 404 + 515)


def test_snapshot_replaces_all_and_ignores_empty_levels(book: OrderBook) -> None:
    book.load(snapshot([(50.0, 1.0), (49.0, 0.0)], []))
    assert (book.bids, book.asks, book.update_id) == ({50.0: 1.0}, {}, 5)
    assert isnan(book.best_ask)


@pytest.mark.parametrize(
    "level", [(nan, 1.0), (0.0, 1.0), (-1.0, 1.0), (1.0, nan), (1.0, -1.0), (float("inf"), 1.0)]
)
def test_wrong_levels_are_refused(book: OrderBook, level: Level) -> None:
    with pytest.raises(PayloadError):
        book.load(snapshot([], [level]))
    assert len(book.bids) == 3
    with pytest.raises(PayloadError):
        book.apply(update([level], []))


def test_crossed_and_locked_books_are_seen(book: OrderBook) -> None:
    book.apply(update([(101.0, 1.0)], []))
    assert book.is_crossed


def test_far_levels_are_dropped_now_and_then() -> None:
    book = OrderBook(max_distance_pct=10.0, trim_every=2)
    book.load(snapshot([(100.0, 1.0), (91.0, 1.0)], [(101.0, 1.0), (110.0, 1.0)]))
    book.apply(update([(50.0, 1.0)], [(200.0, 1.0)]))
    assert 50.0 in book.bids
    book.apply(update([], []))
    assert sorted(book.bids) == [91.0, 100.0]
    assert sorted(book.asks) == [101.0, 110.0]
    assert book.top(9) == ([(100.0, 1.0), (91.0, 1.0)], [(101.0, 1.0), (110.0, 1.0)])


def test_number_of_levels_is_bounded_without_a_middle_too() -> None:
    book = OrderBook(max_levels=3, trim_every=1)
    for price in range(1, 50):
        book.apply(update([(float(price), 1.0)], []))
    assert sorted(book.bids) == [47.0, 48.0, 49.0]
    book.apply(update([], [(float(price), 1.0) for price in range(60, 90)]))
    assert sorted(book.asks)[:1] == [60.0]
    assert len(book.asks) <= 3
