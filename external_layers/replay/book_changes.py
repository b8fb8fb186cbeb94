"""Diffs of the order book: what a depth stream sends for a span of time."""

from dataclasses import dataclass

import numpy as np

from external_layers.binance.messages import MarketKind
from external_layers.replay.book import BUCKET_MS, MAX_LEVELS, Books
from external_layers.replay.minutes import Ints

Side = tuple[Ints, Ints]


@dataclass(frozen=True, slots=True, eq=False)
class BookChange:
    """Levels that changed after update `before_id` up to `last_id`; amount 0 = removed.

    Applied to the book of any update in between it gives the book of the last one, so levels
    that only flickered are part of it.
    """

    before_id: int
    last_id: int
    bids: Side
    asks: Side


def book_change(books: Books, kind: MarketKind, name: str, span_ms: tuple[int, int]) -> BookChange:
    """Return the change of the full book from one instant to a later one."""
    before = books.at(kind, name, span_ms[0], MAX_LEVELS)
    after = books.at(kind, name, span_ms[1], MAX_LEVELS)
    between = [
        books.ladders(kind, name, bucket, MAX_LEVELS)
        for bucket in range(span_ms[0] // BUCKET_MS + 1, span_ms[1] // BUCKET_MS)
    ]
    return BookChange(
        before.update_id,
        after.update_id,
        changed_side(
            (before.bid_price, before.bid_amount),
            (after.bid_price, after.bid_amount),
            [ladder[0] for ladder in between],
        ),
        changed_side(
            (before.ask_price, before.ask_amount),
            (after.ask_price, after.ask_amount),
            [ladder[1] for ladder in between],
        ),
    )


def changed_side(before: Side, after: Side, between: list[Ints]) -> Side:
    """Return the (prices, amounts) that turn one side of a book into another.

    Parameters
    ----------
    before, after
        Prices and amounts, in any strict order of price.
    between
        Prices that were on the side at instants in between; a level that was missing at one of
        them is sent again, one that was there and is gone is removed.
    """
    old_price, old_amount = _ascending(before)
    new_price, new_amount = _ascending(after)
    place = np.searchsorted(old_price, new_price).clip(max=len(old_price) - 1)
    is_kept = (old_price[place] == new_price) & (old_amount[place] == new_amount)
    seen, counts = np.unique(np.concatenate([old_price, *between]), return_counts=True)
    always = seen[counts == len(between) + 1]
    is_kept &= np.isin(new_price, always, assume_unique=True)
    gone = np.setdiff1d(seen, new_price, assume_unique=True)
    prices = np.concatenate([gone, new_price[~is_kept]])
    return prices, np.concatenate([np.zeros(len(gone), np.int64), new_amount[~is_kept]])


def _ascending(side: Side) -> Side:
    price, amount = side
    return (price, amount) if price[0] <= price[-1] else (price[::-1], amount[::-1])
