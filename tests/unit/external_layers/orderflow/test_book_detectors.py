"""Walls, thin books and vanishing orders, seen through the components."""

import pytest

from external_layers.binance.messages import Level
from external_layers.orderflow.pair_flow import PairFlow
from scalp_strategy.contract import Component
from scalp_strategy.setting_groups.layer_rules import VANISHING
from scalp_strategy.setting_groups.orderflow import OrderFlowSettings
from tests.unit.external_layers.orderflow.messages import (
    START_MS,
    PlainBook,
    depth,
    trade,
    update,
)

SETTINGS = OrderFlowSettings(
    window_s=100, book_interval_ms=1_000, thin_warmup_s=20.0, vanishing_count=1, min_trades=1
)
HUGE = 200.0  # of levels of 1


class Market:
    """A kept book of 20 levels of 1 a side around 100, and one pair's flow."""

    def __init__(self, settings: OrderFlowSettings = SETTINGS) -> None:
        self.flow = PairFlow("A/USDT", settings)
        self.book = PlainBook()
        self.change(0, [(round(99.99 - each * 0.01, 2), 1.0) for each in range(20)], [])
        self.change(0, [], [(round(100.01 + each * 0.01, 2), 1.0) for each in range(20)])

    def change(self, second: float, bids: list[Level], asks: list[Level]) -> None:
        message = update(START_MS + round(second * 1_000), bids, asks)
        self.book.apply(message)
        self.flow.on_book(self.book, message)

    def trades(self, price: float, seconds: range) -> None:
        for second in seconds:
            self.flow.on_trade(trade(START_MS + second * 1_000, price, 1.0))

    def top(self, second: float, bids: float, asks: float) -> None:
        at = START_MS + round(second * 1_000)
        self.flow.on_depth(depth(at, [(99.99, bids)], [(100.01, asks)]))

    def ask(self, name: str, second: float) -> Component:
        found = self.flow.components(START_MS + round(second * 1_000))
        return next(one for one in found if one.name == name)


@pytest.mark.parametrize(
    ("price", "is_bid", "points"),
    [(99.99, True, 14.7), (99.75, True, 7.5), (99.45, True, 0.0), (100.25, False, -7.5)],
)
def test_a_wall_counts_by_its_distance(price: float, is_bid: bool, points: float) -> None:
    market = Market()
    wall = [(price, 12.0)]
    market.change(2.0, wall if is_bid else [], [] if is_bid else wall)
    market.top(2.0, 1.0, 1.0)
    found = market.ask("book_imbalance", 2.1)
    assert (found.long, found.short) == pytest.approx((50.0 + points, 50.0 - points))


def test_the_reason_names_the_wall() -> None:
    market = Market()
    market.change(2.0, [(99.98, 39.0)], [])  # the mean of 40 levels is 78 / 40 = 1.95
    market.top(2.0, 1.0, 1.0)
    assert market.ask("book_imbalance", 2.1).reason == "Bid wall at 99.98 (20.0x)"


def test_an_old_or_a_lost_book_modifies_nothing() -> None:
    market = Market()
    market.change(2.0, [(99.99, 12.0)], [])
    market.top(40.0, 1.0, 1.0)
    assert market.ask("book_imbalance", 40.0).long == 50.0
    market.change(41.0, [(99.99, 12.0)], [])
    assert market.ask("book_imbalance", 41.5).long > 60.0
    market.flow.on_book_reset()
    assert market.ask("book_imbalance", 41.5).long == 50.0


def test_modifiers_never_make_it_known_and_never_make_it_younger() -> None:
    market = Market()
    market.change(2.0, [(99.99, 12.0)], [])
    assert not market.ask("book_imbalance", 2.1).is_known
    market.top(3.0, 1.0, 1.0)
    market.change(5.0, [(99.99, 12.0)], [])
    assert market.ask("book_imbalance", 5.0).observed_at_ms == START_MS + 3_000


@pytest.mark.parametrize(
    ("bids", "asks", "long"), [(8.0, 2.0, 85.0), (1.0, 1.0, 50.0), (2.0, 8.0, 15.0)]
)
def test_a_thin_book_helps_the_favoured_side_only(bids: float, asks: float, long: float) -> None:
    market = Market()
    for second in range(1, 30):
        market.change(second, [(99.99, 1.0)], [])
    thin = [(price, 0.01) for price in list(market.book.bids)]
    market.change(30.5, thin, [(price, 0.01) for price in list(market.book.asks)])
    market.top(30.5, bids, asks)
    found = market.ask("book_imbalance", 30.5)
    assert (found.long, found.short) == pytest.approx((long, 100.0 - long))


def test_a_book_whose_snapshot_did_not_reach_far_enough_is_not_called_thin() -> None:
    market = Market()
    market.book.covered = (99.9, 100.1)
    for second in range(1, 31):
        market.change(second, [(99.99, 1.0)], [])
    thin = [(price, 0.01) for price in list(market.book.bids)]
    market.change(30.5, thin, [(price, 0.01) for price in list(market.book.asks)])
    market.change(32.0, [(99.99, 0.01)], [])
    market.top(32.0, 8.0, 2.0)
    found = market.ask("book_imbalance", 32.0)
    assert found.long == 80.0
    assert "thin" not in found.reason


def test_depth_is_called_thin_only_after_the_warm_up() -> None:
    market = Market()
    thin = [(price, 0.01) for price in list(market.book.bids)]
    market.change(10.0, thin, [(price, 0.01) for price in list(market.book.asks)])
    market.top(10.0, 8.0, 2.0)
    assert market.ask("book_imbalance", 10.0).long == pytest.approx(80.0)


def come_and_go(market: Market, second: float, price: float, rests_s: float = 2.0) -> None:
    market.change(second, [(price, HUGE)], [])
    market.change(second + rests_s, [(price, 0.0)], [])


def watched(settings: OrderFlowSettings = SETTINGS) -> Market:
    """Return a market with a book and trades at 100.005 since 90 seconds."""
    market = Market(settings)
    for second in range(1, 90):
        market.change(second, [(99.99, 1.0)], [])
        market.trades(100.005, range(second, second + 1))
    return market


def verdict(market: Market, second: float = 110.0) -> Component:
    for each in range(100, round(second)):
        market.trades(100.005, range(each, each + 1))
    market.change(second, [(99.99, 1.0)], [])
    return market.ask("vanishing_liquidity", second)


def test_orders_that_come_and_go_are_flagged() -> None:
    market = watched()
    come_and_go(market, 91.0, 99.95)
    come_and_go(market, 94.0, 99.96)
    found = verdict(market)
    assert (found.long, found.short) == (0.0, 0.0)
    assert found.flags == (VANISHING,)
    assert found.reason == "2 huge orders vanished within 5 s each"
    assert verdict(market, 196.5).flags == ()  # out of the window


def test_as_many_as_allowed_say_nothing() -> None:
    market = watched()
    come_and_go(market, 91.0, 99.95)
    found = verdict(market)
    assert (found.long, found.short, found.flags, found.reason) == (50.0, 50.0, (), "")


@pytest.mark.parametrize("rests_s", [0.5, 6.0])
def test_renewed_quotes_and_orders_that_stay_do_not_vanish(rests_s: float) -> None:
    market = watched()
    come_and_go(market, 91.0, 99.95, rests_s)
    come_and_go(market, 98.0, 99.96, rests_s)
    assert verdict(market).flags == ()


@pytest.mark.parametrize("price", [99.95, 99.94])
def test_orders_that_traded_do_not_vanish(price: float) -> None:
    market = watched()
    for second in (91.0, 94.0):
        come_and_go(market, second, 99.95)
        # The trade is heard after the book's change, as it comes on another connection.
        market.flow.on_trade(trade(START_MS + round(second * 1_000) + 1_900, price, 1.0))
    assert verdict(market).flags == ()


def test_without_the_trades_there_is_no_verdict() -> None:
    market = watched()
    come_and_go(market, 91.0, 99.95)
    market.flow.on_gap()
    come_and_go(market, 94.0, 99.96)
    assert verdict(market).flags == ()


def test_far_orders_and_orders_of_unknown_age_do_not_count() -> None:
    market = watched()
    come_and_go(market, 91.0, 99.5)
    market.flow.on_book_reset()
    market.book.bids[99.95] = HUGE
    market.change(93.0, [(99.99, 1.0)], [])
    market.change(94.0, [(99.95, HUGE + 1.0)], [])
    market.change(95.5, [(99.95, 0.0)], [])
    come_and_go(market, 96.0, 99.96)
    assert verdict(market).flags == ()


def test_a_book_unwatched_for_long_is_unknown() -> None:
    market = watched()
    market.flow.on_book_reset()
    assert market.ask("vanishing_liquidity", 100.0).is_known
    assert not market.ask("vanishing_liquidity", 125.0).is_known


def test_a_book_without_a_middle_says_nothing() -> None:
    flow, book = PairFlow("A/USDT", SETTINGS), PlainBook()
    for message in (update(START_MS, [(99.0, 5.0)], []), update(START_MS, [], [(98.0, 5.0)])):
        book.apply(message)
        flow.on_book(book, message)
    flow.on_depth(depth(START_MS, [(99.0, 1.0)], []))
    assert not flow.components(START_MS)[0].is_known
