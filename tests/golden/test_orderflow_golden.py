"""Every anchor of the order-flow components, calculated by hand from the specification."""

import math

import pytest

from external_layers.orderflow.book_imbalance import book_imbalance_scores
from external_layers.orderflow.book_scan import Wall
from external_layers.orderflow.funding import funding_scores
from external_layers.orderflow.large_orders import large_order_scores
from external_layers.orderflow.liquidation_map import liquidation_moves
from external_layers.orderflow.liquidations import forced_effect, zone_support
from external_layers.orderflow.open_interest import open_interest_scores
from external_layers.orderflow.thin_book import thin_points
from external_layers.orderflow.trade_flow import trade_flow_scores
from external_layers.orderflow.vanishing import vanishing_scores
from external_layers.orderflow.velocity import burst_share
from external_layers.orderflow.walls import wall_points
from scalp_strategy.setting_groups.orderflow import OrderFlowSettings

SETTINGS = OrderFlowSettings()


@pytest.mark.parametrize(
    ("bids", "asks", "long"),
    [
        (50, 50, 50),
        (55, 45, 50),
        (45, 55, 50),
        (57.5, 42.5, 60),
        (60, 40, 70),
        (80, 20, 80),
        (10, 0, 90),
        (40, 60, 30),
        (20, 80, 20),
        (0, 7, 10),
    ],
)
def test_book_imbalance(bids: float, asks: float, long: float) -> None:
    assert book_imbalance_scores(bids, asks, SETTINGS) == pytest.approx((long, 100 - long))


@pytest.mark.parametrize(
    ("bought", "sold", "long"),
    [
        (1, 1, 50),
        (55, 45, 60),
        (60, 40, 70),
        (67.5, 32.5, 77.5),
        (75, 25, 85),
        (87.5, 12.5, 90),
        (3, 0, 95),
        (40, 60, 30),
        (25, 75, 15),
        (0, 9, 5),
    ],
)
def test_trade_flow(bought: float, sold: float, long: float) -> None:
    assert trade_flow_scores(bought, sold, SETTINGS) == pytest.approx((long, 100 - long))


@pytest.mark.parametrize("score", [book_imbalance_scores, trade_flow_scores])
def test_nothing_on_either_side_is_unknown(score) -> None:
    assert all(math.isnan(each) for each in score(0.0, 0.0, SETTINGS))


@pytest.mark.parametrize(
    ("bought", "sold", "long"),
    [
        ((0, 0), (0, 0), 50),
        ((9, 1), (0, 0), 53),  # one of ten that are many: a tenth of the way to 80
        ((9, 10), (0, 0), 80),
        ((9, 20), (0, 0), 87.5),
        ((9, 30), (0, 0), 95),
        ((9, 99), (0, 0), 95),
        ((75, 10), (25, 10), 65),  # net share 0.5 of 30 points
        ((5, 8), (5, 12), 50),
        ((25, 10), (75, 30), 27.5),  # net share 0.5 of 45 points, for shorts
        ((0, 0), (4, 10), 20),
    ],
)
def test_large_orders(bought: tuple[float, int], sold: tuple[float, int], long: float) -> None:
    assert large_order_scores(bought, sold, SETTINGS) == pytest.approx((long, 100 - long))


@pytest.mark.parametrize(
    ("rate_pct", "long", "short"),
    [
        (0.0, 50, 50),
        (0.01, 50, 50),
        (-0.01, 50, 50),
        (0.03, 40, 65),
        (0.05, 30, 80),
        (0.75, 30, 80),
        (-0.03, 65, 40),
        (-0.05, 80, 30),
        (-2.0, 80, 30),
    ],
)
def test_funding(rate_pct: float, long: float, short: float) -> None:
    assert funding_scores(rate_pct, SETTINGS) == pytest.approx((long, short))


@pytest.mark.parametrize(
    ("change_pct", "price_change_pct", "long"),
    [
        (1.0, 0.5, 80),
        (3.0, 2.0, 80),
        (0.6, 0.5, 65),
        (0.6, 0.3, 57.5),
        (0.2, 0.5, 50),
        (1.0, 0.1, 50),
        (1.0, -0.5, 20),
        (0.6, -0.3, 42.5),
        (-3.0, 2.0, 50),
        (-3.0, -2.0, 50),
        (0.0, 0.0, 50),
    ],
)
def test_open_interest(change_pct: float, price_change_pct: float, long: float) -> None:
    scores = open_interest_scores(change_pct, price_change_pct, SETTINGS)
    assert scores == pytest.approx((long, 100 - long))


def test_walls_count_by_nearness() -> None:
    at, half, far = (Wall(100.0, 9.0, nearness) for nearness in (1.0, 0.5, 0.0))
    assert wall_points(at, None, 15.0) == 15.0
    assert wall_points(None, at, 15.0) == -15.0
    assert wall_points(half, None, 15.0) == 7.5
    assert wall_points(at, half, 15.0) == 7.5
    assert wall_points(at, at, 15.0) == wall_points(far, None, 15.0) == 0.0


@pytest.mark.parametrize(
    ("depth", "points"), [(100, 0), (50, 0), (37.5, 2.5), (25, 5), (0, 5), (300, 0)]
)
def test_thin_book(depth: float, points: float) -> None:
    assert thin_points(depth, 100.0, (0.5, 0.25), 5.0) == pytest.approx(points)
    assert thin_points(depth, math.nan, (0.5, 0.25), 5.0) == 0.0


@pytest.mark.parametrize(
    ("pace", "share"), [(0.0, 0), (1.0, 0), (2.0, 0), (3.0, 0.125), (4.0, 0.25), (30.0, 0.25)]
)
def test_burst(pace: float, share: float) -> None:
    assert burst_share(pace, (2.0, 4.0), 0.25) == pytest.approx(share)


def test_estimated_liquidations_lie_where_the_margin_ends() -> None:
    assert liquidation_moves(SETTINGS) == pytest.approx((0.095, 0.035, 0.015))
    assert zone_support(0.0, SETTINGS) == 70.0
    assert zone_support(0.5, SETTINGS) == 80.0
    assert zone_support(1.0, SETTINGS) == 90.0


@pytest.mark.parametrize(
    ("forced", "traded", "support", "points"),
    [
        ((0, 0), 100, 50, 0),
        ((5, 0), 100, 70, 5),  # 5 % of the volume counts fully
        ((0, 5), 100, 70, -5),
        ((2.5, 0), 100, 60, 2.5),
        ((3, 2), 100, 70, 1),
        ((9, 9), 100, 70, 0),
        ((1, 0), 0, 70, 5),
    ],
)
def test_forced_orders(
    forced: tuple[float, float], traded: float, support: float, points: float
) -> None:
    assert forced_effect(forced, traded, SETTINGS) == pytest.approx((support, points))


def test_vanishing() -> None:
    assert vanishing_scores(30, 30) == (50.0, 50.0)
    assert vanishing_scores(31, 30) == (0.0, 0.0)
