"""Funding, open interest and liquidations, seen through the components."""

import math

import pytest

from external_layers.orderflow.liquidation_map import LiquidationMap
from external_layers.orderflow.pair_flow import PairFlow
from scalp_strategy.contract import Component
from scalp_strategy.setting_groups.orderflow import OrderFlowSettings
from tests.unit.external_layers.orderflow.messages import (
    START_MS,
    liquidation,
    mark,
    open_interest,
    trade,
)

SETTINGS = OrderFlowSettings()
MINUTE_MS = 60_000


def ask(flow: PairFlow, name: str, minute: float) -> Component:
    found = flow.components(START_MS + round(minute * MINUTE_MS))
    return next(one for one in found if one.name == name)


def sampled(flow: PairFlow, minute: int, quantity: float, price: float) -> None:
    at = START_MS + minute * MINUTE_MS
    flow.on_trade(trade(at, price, 1.0))
    flow.on_open_interest(open_interest(at, quantity))


def test_funding_tells_who_is_crowded() -> None:
    flow = PairFlow("A/USDT:USDT", SETTINGS)
    flow.on_mark_price(mark(START_MS, 0.062))
    found = ask(flow, "funding_rate", 1)
    assert (found.long, found.short) == (30.0, 80.0)
    assert found.reason == "Funding +0.062%: longs are crowded"
    flow.on_mark_price(mark(START_MS - 1, 0.0))  # older than what is known
    assert ask(flow, "funding_rate", 1).long == 30.0
    flow.on_mark_price(mark(START_MS + 1, math.nan))
    assert not ask(flow, "funding_rate", 1).is_known


def test_new_positions_confirm_the_move() -> None:
    flow = PairFlow("A/USDT:USDT", SETTINGS)
    sampled(flow, 0, 1_000.0, 100.0)
    sampled(flow, 14, 1_010.0, 100.5)
    assert not ask(flow, "open_interest", 14).is_known
    sampled(flow, 15, 1_012.0, 100.8)
    found = ask(flow, "open_interest", 15)
    assert (found.long, found.short) == (80.0, 20.0)
    assert found.reason == "Open interest +1.2%, price +0.8%: new longs enter"
    assert found.observed_at_ms == START_MS + 15 * MINUTE_MS


def test_compared_is_the_last_sample_before_the_window() -> None:
    flow = PairFlow("A/USDT:USDT", SETTINGS)
    sampled(flow, 0, 500.0, 100.0)
    sampled(flow, 4, 1_000.0, 100.0)
    sampled(flow, 6, 2_000.0, 100.0)
    sampled(flow, 20, 1_006.0, 99.0)  # +0.6 % since minute 4: half of the way from 0.2 to 1.0
    assert ask(flow, "open_interest", 20).short == pytest.approx(65.0)


def test_a_sample_too_old_and_a_missing_price_are_unknown() -> None:
    flow = PairFlow("A/USDT:USDT", SETTINGS)
    flow.on_open_interest(open_interest(START_MS, 1_000.0))  # no trade so far
    sampled(flow, 15, 1_010.0, 100.0)
    assert not ask(flow, "open_interest", 15).is_known
    sampled(flow, 40, 1_020.0, 100.0)
    assert not ask(flow, "open_interest", 40).is_known
    flow.on_open_interest(open_interest(START_MS + 40 * MINUTE_MS, 2_000.0))
    assert flow.late == 1


def with_forced(*, buy: bool) -> Component:
    flow = PairFlow("A/USDT:USDT", SETTINGS)
    for minute in (0, 15):
        sampled(flow, minute, 1_000.0, 100.0)
    for each in range(100):
        flow.on_trade(trade(START_MS + 15 * MINUTE_MS + each, 100.0, 1.0, buy=each % 2 > 0))
    flow.on_liquidation(liquidation(START_MS + 15 * MINUTE_MS, 50.0, buy=buy))
    return ask(flow, "open_interest", 15.1)


def test_forced_orders_mean_movement_and_lean_to_their_side() -> None:
    up, down = with_forced(buy=True), with_forced(buy=False)
    assert (up.long, up.short) == (75.0, 65.0)
    assert (down.long, down.short) == (65.0, 75.0)
    assert up.reason == "Shorts are being liquidated"
    assert down.reason == "Longs are being liquidated"


def test_nothing_is_said_without_open_interest() -> None:
    flow = PairFlow("A/USDT:USDT", SETTINGS)
    flow.on_liquidation(liquidation(START_MS, 50.0, buy=True))
    assert not ask(flow, "open_interest", 0.1).is_known


ONLY_50X = OrderFlowSettings(liquidation_leverages=(50,))


def test_a_cluster_below_the_price_is_found_and_emptied_when_reached() -> None:
    estimate = LiquidationMap(ONLY_50X)
    estimate.add(0, 100.0, 1_000)  # longs of 50x end at 98.5, shorts at 101.5
    assert estimate.zones(0) == []
    estimate.add(1, 98.8, 1)
    (zone,) = estimate.zones(1)
    assert zone.side == "long"
    assert zone.price == pytest.approx(98.5, rel=0.001)
    assert zone.share == pytest.approx(1_000 / 1_001)
    assert zone.nearness == pytest.approx(0.4, abs=0.21)  # 0.3 % of 0.5 % away, in steps of 0.1 %
    estimate.add(2, 98.3, 1)
    estimate.add(3, 98.8, 1)
    assert estimate.zones(3) == []
    estimate.add(4, 101.3, 1)
    assert [each.side for each in estimate.zones(4)] == ["short"]


def test_entries_are_forgotten_by_age() -> None:
    hour_ms = 3_600_000
    estimate = LiquidationMap(ONLY_50X)
    estimate.add(0, 100.0, 1_000)
    estimate.add(2 * hour_ms, 98.8, 4_000)  # its own liquidations lie at 97.3
    (half,) = estimate.zones(2 * hour_ms)
    assert half.share == pytest.approx(0.5 * 1_000 / (0.5 * 1_000 + 4_000))
    assert estimate.zones(4 * hour_ms) == []
    estimate.add(9 * hour_ms, 98.8, 1)
    assert estimate.zones(9 * hour_ms) == []


def test_small_clusters_do_not_count() -> None:
    estimate = LiquidationMap(ONLY_50X)
    estimate.add(0, 100.0, 19)
    estimate.add(1, 98.8, 981)
    assert estimate.zones(1) == []
    estimate.add(2, 98.8, -32)  # 19 of 968 are just below 2 %
    assert estimate.zones(2) == []
    estimate.add(3, 98.8, -18)  # 19 of 950 are 2 %
    assert len(estimate.zones(3)) == 1


def test_a_price_of_zero_is_no_entry() -> None:
    estimate = LiquidationMap(ONLY_50X)
    estimate.add(0, 0.0, 1)
    assert estimate.zones(0) == []


def test_near_a_cluster_both_sides_are_supported() -> None:
    flow = PairFlow("A/USDT:USDT", ONLY_50X)
    for each in range(10):
        flow.on_trade(trade(START_MS + each, 100.0, 100.0))
    sampled(flow, 1, 1_000.0, 98.6)
    sampled(flow, 16, 1_000.0, 98.6)
    found = ask(flow, "open_interest", 16)
    assert found.long == found.short
    assert 85.0 <= found.long <= 90.0
    assert found.reason.startswith("Liquidations of longs near 98.")


def test_forced_orders_beside_dead_trades_say_nothing() -> None:
    flow = PairFlow("A/USDT:USDT", SETTINGS)
    for minute in (0, 15):
        sampled(flow, minute, 1_000.0, 100.0)
    before = ask(flow, "open_interest", 15.1)
    flow.on_liquidation(liquidation(START_MS + 15 * MINUTE_MS + 1, 0.001, buy=True))
    after = ask(flow, "open_interest", 15.1)
    assert (after.long, after.short) == (before.long, before.short)


def test_a_price_of_dead_trades_does_not_stand_beside_new_open_interest() -> None:
    flow = PairFlow("A/USDT:USDT", SETTINGS)
    sampled(flow, 0, 1_000.0, 100.0)
    flow.on_open_interest(open_interest(START_MS + 15 * MINUTE_MS, 1_100.0))
    assert not ask(flow, "open_interest", 15.1).is_known
