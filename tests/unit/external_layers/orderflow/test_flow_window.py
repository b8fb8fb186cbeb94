"""What of the trades counts, when, and what a loss of trades does."""

import pytest

from external_layers.orderflow.coverage import Coverage
from external_layers.orderflow.flow_window import FlowWindow, units_of
from external_layers.orderflow.pair_flow import PairFlow
from scalp_strategy.contract import Component
from scalp_strategy.setting_groups.orderflow import OrderFlowSettings
from tests.unit.external_layers.orderflow.messages import START_MS, taker_bar, trade

SETTINGS = OrderFlowSettings(window_s=100, bucket_ms=1_000, min_trades=10)
ONE = units_of(1.0)


def component(flow: PairFlow, name: str, second: float) -> Component:
    found = flow.components(START_MS + round(second * 1_000))
    return next(one for one in found if one.name == name)


def steady(flow: PairFlow, first: int, last: int, *, sells_every: int = 4) -> None:
    """Trade once a second from `first` up to but without `last`."""
    for second in range(first, last):
        at = START_MS + second * 1_000
        flow.on_trade(trade(at, 100.0, 1.0, buy=second % sells_every > 0))


def test_unknown_until_most_of_the_window_was_heard() -> None:
    flow = PairFlow("A/USDT", SETTINGS)
    steady(flow, 0, 79)
    assert not component(flow, "trade_flow", 79).is_known
    steady(flow, 79, 81)
    assert component(flow, "trade_flow", 80).long == pytest.approx(
        70.0 + 15.0 * (60 / 81 - 0.6) / 0.15
    )


def test_too_few_trades_are_unknown() -> None:
    flow = PairFlow("A/USDT", SETTINGS)
    for each in range(9):
        flow.on_trade(trade(START_MS + each * 10_000, 100.0, 1.0))
    assert not component(flow, "trade_flow", 90).is_known
    flow.on_trade(trade(START_MS + 91_000, 100.0, 1.0))
    assert component(flow, "trade_flow", 92).long == 95.0


def test_silence_without_a_loss_is_no_hole_and_empties_the_window() -> None:
    flow = PairFlow("A/USDT", SETTINGS)
    steady(flow, 0, 100)
    assert component(flow, "trade_flow", 150).is_known
    assert not component(flow, "trade_flow", 195).is_known
    assert component(flow, "trade_flow", 150).observed_at_ms == START_MS + 99_000


def test_a_short_loss_is_borne_a_long_one_is_not() -> None:
    flow = PairFlow("A/USDT", SETTINGS)
    steady(flow, 0, 100)
    flow.on_gap()
    assert component(flow, "trade_flow", 119).is_known  # the hole is still open: 20 s of 100
    assert not component(flow, "trade_flow", 120).is_known
    steady(flow, 121, 140)
    assert not component(flow, "trade_flow", 140).is_known  # 22 s of 100 are missing
    steady(flow, 140, 202)
    assert component(flow, "trade_flow", 202).is_known  # the hole leaves the window


def test_losses_add_up() -> None:
    coverage = Coverage(100_000)
    coverage.hear(0, 0)
    for second in range(10, 100, 10):
        coverage.lose()
        coverage.lose()
        coverage.hear(second * 1_000, second * 1_000 + 8_000)
    # Nine holes: one of 10 s, eight of 2 s.
    assert coverage.share(100_000) == pytest.approx(1.0 - 0.26)
    assert coverage.share(105_000) == pytest.approx(1.0 - 0.21)
    assert coverage.is_whole(10_000, 18_000)
    assert not coverage.is_whole(10_000, 18_001)
    assert not Coverage(100).is_whole(0, 1)


def test_late_trades_count_at_their_own_time_or_not_at_all() -> None:
    window = FlowWindow(10_000, 1_000)
    for second in (100, 105, 103, 103, 96, 95, 80):
        window.add_trade(second * 1_000, 100.0 + second, ONE, True)
    assert (window.trades, window.late) == (5, 2)
    assert (window.price, window.price_ms) == (205.0, 105_000)
    window.expire(112_500)
    assert window.trades == 3  # the seconds 100 and 96 have left
    window.expire(90_000)
    assert window.trades == 3
    window.add_trade(102_000, 100.0, ONE, True)
    assert (window.trades, window.late) == (3, 3)
    window.expire(200_000)
    window.add_trade(105_000, 100.0, ONE, True)
    assert (window.buy, window.trades, window.late) == (0, 0, 4)


def test_large_is_measured_against_the_trades_before() -> None:
    window = FlowWindow(10_000, 1_000, 3.0, 4)
    window.add_trade(0, 100.0, 50 * ONE, True)  # too few before it
    for each in range(3):
        window.add_trade(11_000 + each, 100.0, ONE, True)
    window.add_trade(11_010, 100.0, 9 * ONE, False)  # the fourth
    assert window.large_sells == 0
    window.add_trade(11_020, 100.0, 9 * ONE, True)  # the mean is 3: not above 9
    assert window.large_buys == 0
    window.add_trade(11_030, 100.0, 13 * ONE, False)  # the mean is 4.2
    assert (window.large_sells, window.large_sell) == (1, 13 * ONE)
    window.expire(22_000)
    assert (window.large_sells, window.large_sell) == (0, 0)


def test_a_burst_strengthens_but_never_turns() -> None:
    flow = PairFlow("A/USDT", SETTINGS)
    steady(flow, 0, 100, sells_every=5)
    calm = component(flow, "trade_flow", 99.9)
    for each in range(100):  # within the last second: eleven times the pace, the same mix
        flow.on_trade(trade(START_MS + 99_000 + each, 100.0, 1.0, buy=each % 5 > 0))
    burst = component(flow, "trade_flow", 99.9)
    assert calm.long == pytest.approx(87.0)
    assert burst.long == pytest.approx(50.0 + 37.0 * 1.25)
    assert "as fast as usual" in burst.reason


def test_bars_stand_in_for_trades_but_hide_large_ones_and_pace() -> None:
    flow = PairFlow("A/USDT", SETTINGS)
    for each in range(5):
        opening = START_MS + each * 20_000
        flow.on_taker_bar(taker_bar(opening, opening + 20_000, 6.0, 4.0))
    found = component(flow, "trade_flow", 99.9)
    assert (found.long, found.short) == pytest.approx((70.0, 30.0))
    assert found.reason == "Aggressive buying 60% of volume"
    assert found.observed_at_ms == START_MS + 99_999
    assert not component(flow, "large_orders", 99.9).is_known
    flow.on_taker_bar(taker_bar(START_MS, START_MS + 1_000, 1.0, 1.0))
    steady(flow, 100, 220)
    assert component(flow, "large_orders", 220).is_known


def test_an_old_bar_is_late() -> None:
    flow = PairFlow("A/USDT", SETTINGS)
    steady(flow, 0, 300)
    flow.on_taker_bar(taker_bar(START_MS, START_MS + 1_000, 1.0, 1.0))
    assert flow.late == 1
