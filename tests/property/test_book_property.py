"""A book kept from random updates, losses and repeats is a plain dictionary's book."""

from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from external_layers.binance.book import OrderBook
from external_layers.binance.book_keeper import BookKeeper
from external_layers.binance.messages import BookSnapshot, DepthUpdate

sides = st.lists(
    st.tuples(st.integers(1, 30).map(float), st.sampled_from([0.0, 0.5, 1.0, 2.0])), max_size=4
)
changes = st.tuples(sides, sides, st.sampled_from(["send", "send", "send", "lose", "repeat"]))


def model_at(
    updates: list[DepthUpdate], last: int
) -> tuple[dict[float, float], dict[float, float]]:
    bids: dict[float, float] = {}
    asks: dict[float, float] = {}
    for update in updates:
        if update.last_id <= last:
            for levels, changed in ((bids, update.bids), (asks, update.asks)):
                levels.update(changed)
    return tuple({p: q for p, q in each.items() if q} for each in (bids, asks))  # type: ignore[return-value]


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["spot", "futures"]),
    st.lists(changes, min_size=1, max_size=40),
    st.integers(0, 5),
)
def test_kept_book_is_the_model(
    kind: Literal["spot", "futures"], steps: list[tuple[list, list, str]], late: int
) -> None:
    keeper = BookKeeper("X", kind, book=OrderBook(max_distance_pct=1e4))
    sent: list[DepthUpdate] = []
    for number, (bids, asks, fate) in enumerate(steps):
        update = DepthUpdate(
            symbol="X",
            event_ms=number,
            first_id=number * 3 + 1,
            last_id=number * 3 + 3,
            previous_id=number * 3 if kind == "futures" else None,
            bids=bids,
            asks=[(price + 30.0, quantity) for price, quantity in asks],
        )
        sent.append(update)
        for _ in range({"send": 1, "lose": 0, "repeat": 2}[fate]):
            keeper.on_update(update)
        if keeper.needs_snapshot:
            at = max(0, number - late) * 3 + 3
            model = model_at(sent, at)
            keeper.on_snapshot(
                BookSnapshot(
                    symbol="X",
                    update_id=at,
                    bids=list(model[0].items()),
                    asks=list(model[1].items()),
                )
            )
        if keeper.is_synced:
            book = keeper.book
            assert (book.bids, book.asks) == model_at(sent, book.update_id)
            top = book.top(100)
            assert top == (sorted(book.bids.items(), reverse=True), sorted(book.asks.items()))
    fates = ("applied", "stale", "foreign", "overflow", "lost", "invalid", "crossed")
    assert keeper.counts["received"] == sum(keeper.counts[each] for each in fates) + keeper.waiting
