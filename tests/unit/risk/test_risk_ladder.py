import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from scalp_strategy.errors import ContractViolation
from scalp_strategy.risk import (
    Candles,
    Leg,
    Market,
    TradePlan,
    current_stop,
    exit_fraction,
    is_time_up,
    merged_legs,
    next_leg,
    stage,
)
from scalp_strategy.setting_groups.risk import LadderSettings, RiskSettings

SETTINGS = RiskSettings()
MARKET = Market(True, 5.0, 0.001, 0.01)
LONG = TradePlan("long", 100.0, 1.0, 1.0, (1.5, 2.5, 4.0), (0.4, 0.4, 0.2), 0.003, False)
SHORT = TradePlan("short", 100.0, 1.0, 1.0, (1.5, 2.5, 4.0), (0.4, 0.4, 0.2), 0.003, False)
LEGS = merged_legs(LONG, 1.0, MARKET, SETTINGS)


@pytest.mark.parametrize(
    ("amount", "parts"),
    [
        (1.0, [0.4, 0.4, 0.2]),
        (0.999, [0.399, 0.399, 0.201]),  # 399.6 steps each
        (0.1 + 0.2 + 0.7, [0.4, 0.4, 0.2]),
        (1.0004, [0.4, 0.4, 0.2004]),  # dust below the step leaves with the last leg
    ],
)
def test_legs_floor_to_the_step(amount, parts):
    legs = merged_legs(LONG, amount, MARKET, SETTINGS)
    assert [leg.amount for leg in legs] == pytest.approx(parts, abs=1e-12)
    assert sum(leg.amount for leg in legs) == pytest.approx(amount, rel=1e-15)


def test_legs_are_exact_decimals():
    market = Market(True, 0.0, 0.001, 0.01)
    assert [leg.amount for leg in merged_legs(LONG, 0.3, market, SETTINGS)] == [0.12, 0.12, 0.06]


def test_legs_need_whole_steps_even_without_a_minimum():
    market = Market(True, 0.0, 1.0, 0.01)
    # 2 steps: 0.4 * 2 floors to none -> one leg; 3 steps: 1 at TP1 and 2 at TP2
    assert [leg.tag for leg in merged_legs(LONG, 2.0, market, SETTINGS)] == ["tp2"]
    legs = merged_legs(LONG, 4.0, market, SETTINGS)
    assert [(leg.tag, leg.amount) for leg in legs] == [("tp1", 1.0), ("tp2", 1.0), ("tp3", 2.0)]
    legs = merged_legs(LONG, 3.0, market, SETTINGS)
    assert [(leg.tag, leg.amount) for leg in legs] == [("tp1", 1.0), ("tp2", 1.0), ("tp3", 1.0)]


def test_a_shorts_legs_are_valued_at_its_last_target():
    # 1.5 * 5 = 7.5; the last leg 0.2 * 0.39 = 0.078: at the entry 7.8, at TP3 = 96 7.49
    assert len(merged_legs(LONG, 0.39, MARKET, SETTINGS)) == 3  # at its stop 99: 7.72
    assert len(merged_legs(SHORT, 0.39, MARKET, SETTINGS)) == 2


def test_a_crumb_is_still_closed():
    (leg,) = merged_legs(LONG, 0.0004, MARKET, SETTINGS)
    assert (leg.tag, leg.amount, leg.is_last) == ("tp2", 0.0004, True)


@pytest.mark.parametrize("amount", [0.0, -1.0, math.nan, math.inf])
def test_legs_of_nothing(amount):
    with pytest.raises(ContractViolation):
        merged_legs(LONG, amount, MARKET, SETTINGS)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ([], 0),
        ([None, "entry", "time_stop", ""], 0),
        (["tp1"], 1),
        (["tp1", "tp1", "tp1"], 1),
        (["tp2", "tp1"], 2),
        (["tp3", "tp1", "tp2", "stop_loss"], 3),
    ],
)
def test_stage(tags, expected):
    assert stage(tags) == expected
    assert stage(iter(tags)) == expected


def test_next_leg():
    assert next_leg(LEGS, []).tag == "tp1"
    assert next_leg(LEGS, ["tp1", "tp1", None]).tag == "tp2"
    assert next_leg(LEGS, ["tp2"]).tag == "tp1"
    assert next_leg(LEGS, ["tp3", "tp1", "tp2"]) is None


def test_exit_fractions():
    # (0.4 + 0.0005) / 1.0, (0.4 + 0.0005) / 0.6, everything
    assert exit_fraction(LEGS[0], 1.0, 0.001) == pytest.approx(0.4005)
    assert exit_fraction(LEGS[1], 0.6, 0.001) == pytest.approx(0.6675)
    assert exit_fraction(LEGS[2], 0.2, 0.001) == 1.0
    assert exit_fraction(LEGS[2], 0.35, 0.001) == 1.0


def test_exit_fraction_never_leaves_less_than_a_step_or_asks_for_more():
    leg = Leg("tp1", 1.5, 0.4)
    assert exit_fraction(leg, 0.4004, 0.001) == 1.0
    assert exit_fraction(leg, 0.3, 0.001) == 1.0
    assert exit_fraction(leg, 0.402, 0.001) < 1.0


@pytest.mark.parametrize("remaining", [0.0, -0.1, math.nan])
def test_exit_fraction_of_nothing(remaining):
    with pytest.raises(ContractViolation):
        exit_fraction(LEGS[0], remaining, 0.001)


@pytest.mark.parametrize(
    ("tags", "best_close", "long_stop"),
    [
        ([], math.nan, 99.0),
        ([], 109.0, 99.0),
        (["tp1"], 101.7, 100.0),
        (["tp1"], 109.0, 100.0),
        (["tp1", "tp2"], math.nan, 101.5),
        (["tp1", "tp2"], 102.4, 101.5),
        (["tp2", "tp1"], 103.2, 102.2),
    ],
)
def test_current_stop(tags, best_close, long_stop):
    assert current_stop(LONG, tags, best_close, SETTINGS) == pytest.approx(long_stop)
    mirrored = current_stop(SHORT, tags, 200 - best_close, SETTINGS)
    assert mirrored == pytest.approx(200 - long_stop)


def test_current_stop_keeps_the_better_previous_one():
    assert current_stop(LONG, [], math.nan, SETTINGS, previous_stop=100.7) == 100.7
    assert current_stop(LONG, [], math.nan, SETTINGS, previous_stop=98.0) == 99.0
    assert current_stop(SHORT, ["tp1"], math.nan, SETTINGS, previous_stop=99.2) == 99.2
    assert current_stop(SHORT, ["tp1"], math.nan, SETTINGS, previous_stop=101.0) == 100.0


def test_trail_distance_is_a_setting():
    wide = RiskSettings(ladder=LadderSettings(trail_atr=0.5))
    assert current_stop(LONG, ["tp1", "tp2"], 103.2, wide) == pytest.approx(102.7)


@pytest.mark.parametrize(
    ("held", "is_up"),
    [
        (timedelta(minutes=119, seconds=59), False),
        (timedelta(minutes=120), True),
        (timedelta(days=1, minutes=5), True),  # the seconds alone would say five minutes
    ],
)
def test_is_time_up(held, is_up):
    opened = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    assert is_time_up(opened, opened + held, 15, SETTINGS) is is_up


@pytest.mark.parametrize(("rows", "minutes"), [((2, 2, 2, 3), 1), ((2, 2, 2, 2), 7), ((2,) * 4, 0)])
def test_candles_must_fit(rows, minutes):
    with pytest.raises(ContractViolation):
        Candles(*(np.ones(count) for count in rows), minutes, 15)
