"""Every anchor of the on-chain components, calculated by hand from the specification."""

from math import nan

import pytest

from external_layers.onchain.exchange_flow import flow_score
from external_layers.onchain.hourly import usual_size
from external_layers.onchain.smart_money import dex_scores, smart_score
from external_layers.onchain.stablecoin_flow import arrival_score, supply_score
from external_layers.onchain.whale_movements import whale_score
from scalp_strategy.setting_groups.onchain import OnChainSettings

SETTINGS = OnChainSettings()
USUAL = 1e7


def test_specified_numbers() -> None:
    weights = SETTINGS.weights
    assert (weights.whale_movements, weights.exchange_flow) == (0.30, 0.30)
    assert (weights.stablecoin_flow, weights.smart_money) == (0.20, 0.20)
    assert (SETTINGS.min_transfer_usd, SETTINGS.whale_transfer_usd) == (5e5, 1e6)
    assert (SETTINGS.whale_window_s, SETTINGS.smart_window_s) == (1_800, 3_600)
    assert SETTINGS.freshness_s == (300, 900, 1_800)
    assert SETTINGS.freshness == (1.0, 0.7, 0.4, 0.2)


@pytest.mark.parametrize(
    ("withdrawn", "deposited", "in_a_row", "long"),
    [
        (0, 0, 0, 50),
        (1e6, 0, 1, 80),
        (9e9, 0, 1, 80),
        (2e6, 0, 2, 90),
        (5e6, 0, 7, 90),
        (0, 1e6, 0, 25),
        (0, 9e6, 0, 25),
        (1e6, 1e6, 1, 52.5),
        (1e6, 3e6, 1, 38.75),  # a quarter of 80, three quarters of 25
        (3e6, 1e6, 3, 73.75),  # three quarters of 90, a quarter of 25
        (3e6, 1e6, 0, 66.25),  # the deposit came last
    ],
)
def test_whale_movements(withdrawn: float, deposited: float, in_a_row: int, long: float) -> None:
    assert whale_score(withdrawn, deposited, in_a_row, SETTINGS) == pytest.approx(long)


@pytest.mark.parametrize(
    ("sigmas", "long"),
    [
        (0.0, 50),
        (0.25, 50),
        (0.375, 60),
        (0.5, 70),
        (1.25, 80),
        (1.999999, 90),
        (2.0, 90),
        (3.0, 95),
        (4.0, 100),
        (40.0, 100),
        (-0.25, 50),
        (-0.375, 45),
        (-0.5, 40),
        (-1.25, 30),
        (-1.999999, 20),
        (-2.000001, 10),  # beyond two the mirror of the outflow
        (-3.0, 5),
        (-4.0, 0),
        (-40.0, 0),
    ],
)
def test_exchange_flow(sigmas: float, long: float) -> None:
    assert flow_score(sigmas * USUAL, USUAL, SETTINGS) == pytest.approx(long, abs=1e-4)


@pytest.mark.parametrize(
    ("net", "long"),
    [(0, 50), (5e5, 50), (7.5e5, 60), (1e6, 70), (8e9, 70), (-5e5, 50), (-7.5e5, 45), (-8e9, 40)],
)
def test_exchange_flow_without_a_history(net: float, long: float) -> None:
    assert flow_score(net, nan, SETTINGS) == pytest.approx(long)


def test_a_quiet_history_makes_no_single_transfer_extreme() -> None:
    assert flow_score(6e5, 0.0, SETTINGS) == pytest.approx(70 + 20 * (1.2 - 0.5) / 1.5)


@pytest.mark.parametrize(
    ("sigmas", "long"),
    [
        (0.0, 50),
        (0.25, 50),
        (0.5, 75),
        (1.25, 82.5),
        (2.0, 90),
        (9.0, 90),
        (-0.5, 40),
        (-1.25, 35),
        (-2.0, 30),
        (-9.0, 30),
    ],
)
def test_stablecoin_flow(sigmas: float, long: float) -> None:
    assert arrival_score(sigmas * USUAL, USUAL, SETTINGS) == pytest.approx(long)


@pytest.mark.parametrize(("arrived", "long"), [(4e5, 50), (7.5e5, 62.5), (1e6, 75), (-1e6, 40)])
def test_stablecoin_flow_without_a_history(arrived: float, long: float) -> None:
    assert arrival_score(arrived, nan, SETTINGS) == pytest.approx(long)


@pytest.mark.parametrize(
    ("made", "long"), [(0, 50), (5e8, 52.5), (1e9, 55), (7e9, 55), (-5e8, 47.5), (-7e9, 45)]
)
def test_the_supply_of_stablecoins_is_a_few_points(made: float, long: float) -> None:
    assert supply_score(made, SETTINGS) == pytest.approx(long)


@pytest.mark.parametrize(
    ("buyers", "sellers", "long"),
    [
        (0, 0, 50),
        (1, 0, 70),
        (2, 0, 70),
        (3, 0, 90),
        (9, 0, 90),
        (0, 1, 30),
        (0, 2, 30),
        (0, 3, 20),
        (2, 2, 50),
        (4, 1, 90),
        (4, 3, 70),
        (1, 4, 20),
        (1, 2, 30),
    ],
)
def test_smart_money(buyers: int, sellers: int, long: float) -> None:
    assert smart_score(buyers, sellers, SETTINGS) == long


@pytest.mark.parametrize(
    ("buys", "sells", "long"),
    [(50, 50, 50), (57.5, 42.5, 55), (65, 35, 60), (99, 1, 60), (35, 65, 40), (42.5, 57.5, 45)],
)
def test_trades_on_dexes_are_a_few_points(buys: float, sells: float, long: float) -> None:
    assert dex_scores(buys, sells, SETTINGS) == pytest.approx((long, 100 - long))


def test_the_usual_size_is_measured_from_zero() -> None:
    assert usual_size([3.0, -4.0], 2) == pytest.approx(12.5**0.5)
    assert usual_size([7.0, 7.0, 7.0], 3) == pytest.approx(7.0)
    assert usual_size([], 1) != usual_size([], 1)
    assert usual_size([3.0, -4.0], 3) != usual_size([3.0, -4.0], 3)
