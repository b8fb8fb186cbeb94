"""What holds for any stream of messages: equal to a batch computation, mirrored, in range."""

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from external_layers.binance.messages import (
    AggTrade,
    DepthSnapshot,
    DepthUpdate,
    Liquidation,
    MarkPrice,
    OpenInterest,
    TakerBar,
)
from external_layers.orderflow.flow_window import UNITS, FlowWindow, units_of
from external_layers.orderflow.pair_flow import PairFlow
from scalp_strategy.contract import Component
from scalp_strategy.setting_groups.orderflow import OrderFlowSettings
from tests.unit.external_layers.orderflow.messages import (
    START_MS,
    Event,
    PlainBook,
    depth,
    liquidation,
    mark,
    random_events,
    taker_bar,
    trade,
    update,
)
from tests.unit.external_layers.orderflow.reference import Reference

# Short memories, so that everything fills, warms up and expires within a few hundred events.
QUICK = OrderFlowSettings(
    window_s=60,
    min_trades=5,
    book_interval_ms=1_000,
    thin_warmup_s=10.0,
    thin_mean_s=30.0,
    thin_ratios=(1.0, 0.4),
    open_interest_window_s=60,
    open_interest_slack=1.0,
    open_interest_move_pct=(0.0, 1.0),
    liquidation_memory_s=240,
    liquidation_slice_s=60,
    liquidation_leverages=(10, 25, 50, 100),
)
relaxed = examples(max_examples=40, deadline=None)


def feed(flow: PairFlow, event: Event, book: PlainBook) -> None:
    """Give one event to the engine, the book already changed by it."""
    match event:
        case AggTrade():
            flow.on_trade(event)
        case DepthSnapshot():
            flow.on_depth(event)
        case DepthUpdate():
            flow.on_book(book, event)
        case MarkPrice():
            flow.on_mark_price(event)
        case OpenInterest():
            flow.on_open_interest(event)
        case Liquidation():
            flow.on_liquidation(event)
        case TakerBar():
            flow.on_taker_bar(event)
        case "gap":
            flow.on_gap()
        case _:
            flow.on_book_reset()


def time_of(event: Event) -> int:
    if isinstance(event, str):
        return 0
    if isinstance(event, TakerBar):
        return event.close_ms - 1
    return getattr(event, "time_ms", 0) or getattr(event, "event_ms", 0)


def assert_same(found: list[Component], expected: dict[str, tuple[float, float]]) -> None:
    scores = {one.name: (one.long, one.short) for one in found}
    for name, pair in expected.items():
        assert scores[name] == pytest.approx(pair, rel=1e-9, abs=1e-9, nan_ok=True), name


@pytest.mark.parametrize("seed", range(4))
def test_streaming_equals_batch_at_every_step(seed: int) -> None:
    flow, reference = PairFlow("SOL/USDT:USDT", QUICK), Reference(QUICK)
    known: dict[str, int] = {}
    now = START_MS
    for event in random_events(seed, 900):
        if isinstance(event, DepthUpdate):
            reference.book.apply(event)
        if event == "reset":
            reference.book.bids.clear()
            reference.book.asks.clear()
        feed(flow, event, reference.book)
        reference.take(event)
        now = max(now, time_of(event))
        found = flow.components(now)
        assert_same(found, reference.scores(now))
        for one in found:
            known[one.name] = known.get(one.name, 0) + (one.is_known and one.long != 50.0)
    assert flow.late >= reference.late > 0
    for name in ("book_imbalance", "trade_flow", "large_orders", "funding_rate", "open_interest"):
        assert known[name] > 50, f"{name} hardly ever spoke"


def test_sums_after_100k_trades_are_exact() -> None:
    chance = random.Random(1)
    window = FlowWindow(60_000, 250, 3.0, 5)
    kept: list[tuple[int, int, bool]] = []
    time_ms = START_MS
    for _ in range(100_000):
        time_ms += chance.randrange(40)
        quantity, is_buy = round(chance.lognormvariate(0.0, 3.0), 8), chance.random() < 0.5
        window.add_trade(time_ms, 100.0, units_of(quantity), is_buy)
        kept.append((time_ms, round(quantity * UNITS), is_buy))
    inside = [one for one in kept if one[0] // 250 > time_ms // 250 - 240]
    assert window.trades == len(inside)
    assert window.buy == sum(units for _, units, is_buy in inside if is_buy)
    assert window.sell == sum(units for _, units, is_buy in inside if not is_buy)
    window.expire(time_ms + 60_000)
    assert (window.buy, window.sell, window.trades, window.large_buy, window.large_sell) == (0,) * 5


def mirrored(event: Event) -> Event:
    """Swap buyers and sellers, bids and asks; the book is reflected at 100, where its middle is."""
    if isinstance(event, AggTrade):
        return trade(event.time_ms, event.price, event.quantity, buy=event.is_buyer_maker)
    if isinstance(event, MarkPrice):
        return mark(event.event_ms, -event.funding_rate * 100.0)
    if isinstance(event, Liquidation):
        return liquidation(event.time_ms, event.quantity, buy=not event.is_buy)
    if isinstance(event, DepthSnapshot | DepthUpdate):
        make: Any = depth if isinstance(event, DepthSnapshot) else update
        bids = [(round(200.0 - price, 2), quantity) for price, quantity in event.asks]
        asks = [(round(200.0 - price, 2), quantity) for price, quantity in event.bids]
        return make(event.event_ms, bids, asks)
    return event


@pytest.mark.parametrize("seed", range(3))
def test_swapping_the_sides_swaps_the_scores(seed: int) -> None:
    plain, swapped = PairFlow("A/USDT", QUICK), PairFlow("A/USDT", QUICK)
    book, swapped_book = PlainBook(), PlainBook()
    now = START_MS
    for event in random_events(100 + seed, 600, volatility=0.0):
        for flow, kept, one in ((plain, book, event), (swapped, swapped_book, mirrored(event))):
            if isinstance(one, DepthUpdate):
                kept.apply(one)
            feed(flow, one, kept)
        now = max(now, time_of(event))
        for one, other in zip(plain.components(now), swapped.components(now), strict=True):
            if not one.is_known:
                assert not other.is_known
            elif one.name == "book_imbalance":  # distances round
                assert (one.long, one.short) == pytest.approx((other.short, other.long), abs=1e-9)
            else:
                assert (one.long, one.short) == (other.short, other.long)


quantities = st.one_of(st.just(0.0), st.floats(1e-8, 1e12, allow_nan=False))
prices = st.floats(1e-8, 1e7, allow_nan=False)
times = st.integers(0, 3_600_000).map(lambda offset: START_MS + offset)
levels = st.lists(st.tuples(prices, quantities), max_size=6)
rates = st.one_of(st.just(math.nan), st.floats(-5.0, 5.0))
weird_events = st.one_of(
    st.builds(trade, times, prices, quantities, buy=st.booleans()),
    st.builds(depth, times, levels, levels),
    st.builds(update, times, levels, levels),
    st.builds(mark, times, rates),
    st.builds(
        lambda time_ms, quantity: OpenInterest(symbol="A", time_ms=time_ms, quantity=quantity),
        times,
        quantities,
    ),
    st.builds(liquidation, times, quantities, buy=st.booleans(), price=prices),
    st.builds(
        lambda time_ms, bought, sold, close: taker_bar(
            time_ms, time_ms + 60_000, bought, sold, close
        ),
        times,
        quantities,
        quantities,
        prices,
    ),
    st.sampled_from(["gap", "reset"]),
)


@relaxed
@given(events=st.lists(weird_events, max_size=60), now=times)
def test_weird_but_valid_messages_never_raise(events: list[Event], now: int) -> None:
    flow, book = PairFlow("A/USDT", QUICK.model_copy(update={"min_trades": 1})), PlainBook()
    newest = now
    for event in events:
        if isinstance(event, DepthUpdate):
            book.apply(event)
        feed(flow, event, book)
        newest = max(newest, time_of(event))
        for one in flow.components(now):  # the contract of Component checks range and times
            assert one.is_known == (one.short == one.short)
            assert one.available_at_ms <= newest
            assert one.is_known or not one.reason
    assert len(flow.components(now)) == 6
