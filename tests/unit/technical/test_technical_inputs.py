"""Frames into arrays: what breaks the contract, where stretches end, what a hole does."""

import math

import numpy as np
import pandas as pd
import pytest
from pandas import DataFrame

from scalp_strategy.errors import ContractViolation
from scalp_strategy.settings import Settings
from scalp_strategy.technical import technical_columns, technical_layer
from scalp_strategy.technical.arrays import (
    ema_settling,
    last_true_within,
    quotient,
    ramp,
    rolling_sum,
    shifted,
    wilder_settling,
)
from scalp_strategy.technical.bars import MINUTE_NS, PRIMARY_NS, bars_of, stretches
from tests.support.candles import dates, random_candles
from tests.support.recorded import recorded

NAN = math.nan


def rows_of(parts: list[slice]) -> list[tuple[int, int]]:
    return [(part.start, part.stop) for part in parts]


def test_unbroken_candles_are_one_stretch() -> None:
    assert rows_of(stretches(bars_of(random_candles(50)), PRIMARY_NS, 3.0)) == [(0, 50)]


@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume"])
@pytest.mark.parametrize("value", [NAN, math.inf, -1.0])
def test_unusable_value_ends_the_stretch(column: str, value: float) -> None:
    candles = random_candles(50)
    candles.loc[20, column] = value
    assert rows_of(stretches(bars_of(candles), PRIMARY_NS, 3.0)) == [(0, 20), (21, 50)]


def test_price_of_zero_is_unusable_and_volume_of_zero_is_not() -> None:
    candles = random_candles(50)
    candles.loc[10, "volume"] = 0.0
    candles.loc[30, "low"] = 0.0
    assert rows_of(stretches(bars_of(candles), PRIMARY_NS, 3.0)) == [(0, 30), (31, 50)]


def test_missing_candle_ends_the_stretch() -> None:
    candles = random_candles(50).drop(index=[20, 21])
    assert rows_of(stretches(bars_of(candles), PRIMARY_NS, 3.0)) == [(0, 20), (20, 48)]


def test_nothing_usable_is_no_stretch() -> None:
    candles = random_candles(5)
    candles["close"] = NAN
    assert stretches(bars_of(candles), PRIMARY_NS, 3.0) == []
    assert stretches(bars_of(random_candles(0)), PRIMARY_NS, 3.0) == []


@pytest.mark.parametrize("hole", ["unusable", "missing"])
def test_after_a_long_hole_everything_starts_anew(hole: str) -> None:
    candles = random_candles(700)
    broken = candles.copy()
    if hole == "unusable":
        broken.loc[200, "high"] = NAN
    else:
        broken = broken.drop(index=range(192, 201))
    layer = technical_layer(broken)
    after = technical_layer(candles.iloc[201:].reset_index(drop=True))
    before = technical_layer(candles.iloc[:192])
    pd.testing.assert_frame_equal(layer.tail(499).reset_index(drop=True), after)
    pd.testing.assert_frame_equal(layer.head(192), before)
    assert not layer["rsi_long"].tail(300).isna().any()


@pytest.mark.parametrize("missing", [[400], [400, 401], list(range(400, 408)), [390, 400]])
def test_a_short_hole_is_bridged_as_the_host_bridges_it(missing: list[int]) -> None:
    candles = random_candles(700)
    filled = candles.copy()
    for row in missing:
        close = filled["close"].iloc[row - 1]
        filled.loc[row, ["open", "high", "low", "close"]] = close
        filled.loc[row, "volume"] = 0.0
    kept = candles.index.difference(missing)
    bridged_layer = technical_layer(candles.drop(index=missing))
    pd.testing.assert_frame_equal(bridged_layer, technical_layer(filled).loc[kept])
    # It is known, and less reliable while the hole is among the last twenty candles.
    after = bridged_layer.loc[missing[-1] + 1, "technical_reliability"]
    assert after == pytest.approx(1 - len(missing) / 20)
    assert bridged_layer.loc[missing[-1] + 20, "technical_reliability"] == 1.0


def test_how_long_a_hole_is_bridged_is_a_setting() -> None:
    candles = random_candles(500).drop(index=400)
    strict = Settings.model_validate({"technical": {"max_bridged_candles": 0}})
    assert math.isnan(technical_layer(candles, settings=strict)["ta_long"].iloc[400])
    assert not math.isnan(technical_layer(candles)["ta_long"].iloc[400])


@pytest.mark.parametrize("factor", [1_000.0, 0.001, 10.0, 0.1])
@pytest.mark.parametrize("hole", ["filled", "missing"])
def test_a_redenomination_begins_everything_anew(factor: float, hole: str) -> None:
    candles = random_candles(700)
    prices = ["open", "high", "low", "close"]
    if hole == "filled":  # two hours without a trade, as the host fills them
        candles.loc[392:399, prices] = candles["close"].iloc[391]
        candles.loc[392:399, "volume"] = 0.0
    candles.loc[400:, prices] *= factor
    candles.loc[400:, "volume"] /= factor
    if hole == "missing":
        candles = candles.drop(index=range(392, 400))
    layer = technical_layer(candles).loc[400:].reset_index(drop=True)
    alone = technical_layer(candles.loc[400:].reset_index(drop=True))
    pd.testing.assert_frame_equal(layer, alone)


def test_a_crash_that_trades_is_no_redenomination() -> None:
    candles = random_candles(700)
    candles.loc[400:, ["open", "high", "low", "close"]] /= 4.0
    candles.loc[399, "volume"] = 1.0
    assert not technical_layer(candles)["ta_long"].iloc[400:].isna().any()


def test_unusable_row_is_unknown_not_zero() -> None:
    candles = random_candles(400)
    candles.loc[399, "close"] = NAN
    row = technical_layer(candles).iloc[-1]
    unknown = row[list(technical_columns(Settings().technical))]
    assert unknown.isna().all()
    assert math.isnan(row["ta_long"])
    assert row["technical_reliability"] == 0.0
    assert row["ta_direction"] == 0


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda df: pd.concat((df, df.tail(1)), ignore_index=True), "row 10 is duplicate"),
        (lambda df: df.iloc[::-1], "row 1 is out of order"),
        (lambda df: df.assign(date=df["date"].dt.tz_localize(None)), "must be time-zone aware"),
        (lambda df: df.assign(date=df["date"].where(df.index != 0)), "first date is empty"),
        (lambda df: df.assign(date=df["date"].where(df.index != 9)), "row 9 is out of order"),
        (lambda df: df.drop(columns=["volume", "open"]), "missing columns open, volume"),
    ],
    ids=["duplicate", "unsorted", "naive", "empty first", "empty last", "columns"],
)
def test_contract_of_the_frame(damage: object, message: str) -> None:
    assert callable(damage)
    with pytest.raises(ContractViolation, match=message):
        technical_layer(damage(random_candles(10)))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_date_resolution_does_not_matter(unit: str) -> None:
    candles = random_candles(300)
    other = candles.assign(date=candles["date"].dt.as_unit(unit))
    pd.testing.assert_frame_equal(technical_layer(other), technical_layer(candles))


def test_other_time_zone_and_integer_volume_change_nothing() -> None:
    candles = random_candles(300).assign(volume=100)
    other = candles.assign(date=candles["date"].dt.tz_convert("Asia/Tokyo"))
    expected = technical_layer(candles.assign(volume=100.0))
    pd.testing.assert_frame_equal(technical_layer(other), expected)


def test_empty_frame_has_all_columns() -> None:
    layer = technical_layer(random_candles(0))
    assert len(layer) == 0
    assert list(layer.columns) == list(technical_layer(random_candles(300)).columns)


def test_off_grid_candles_have_no_hour() -> None:
    candles = random_candles(300)
    candles["date"] = dates(300, start="2025-01-01 00:07")
    layer = technical_layer(candles)
    assert layer["trend_1h"].isna().all()
    assert not layer["rsi_long"].tail(50).isna().any()


# Array helpers


@pytest.mark.parametrize("window", [1, 2, 3, 5, 8, 20, 33])
def test_rolling_sum(window: int) -> None:
    values = np.random.default_rng(0).normal(size=60)
    expected = [
        NAN if row + 1 < window else sum(values[row + 1 - window : row + 1]) for row in range(60)
    ]
    np.testing.assert_allclose(rolling_sum(values, window), expected)
    assert np.isnan(rolling_sum(values[: window - 1], window)).all()


def test_rolling_sum_forgets_what_left_the_window() -> None:
    values = np.array([1e300, 1.0, 2.0, NAN, 3.0, 4.0])
    np.testing.assert_array_equal(rolling_sum(values, 2), [NAN, 1e300, 3.0, NAN, NAN, 7.0])


def test_shifted_beyond_the_array_is_all_unknown() -> None:
    assert np.isnan(shifted(np.arange(3.0), 5)).all()
    np.testing.assert_array_equal(shifted(np.arange(3.0), 2), [NAN, NAN, 0.0])


def test_quotient_is_unknown_where_the_denominator_vanishes() -> None:
    numerator, denominator = np.array([1.0, 1.0, 0.0, 1.0]), np.array([2.0, 0.0, 0.0, NAN])
    np.testing.assert_array_equal(quotient(numerator, denominator), [0.5, NAN, NAN, NAN])


def test_ramp_keeps_unknown() -> None:
    values = np.array([NAN, -1.0, 2.5, 9.0])
    np.testing.assert_array_equal(ramp(values, 2.0, 3.0), [NAN, 0.0, 0.5, 1.0])


def test_last_true_within_counts_this_row() -> None:
    flags = np.array([False, True, False, False, False])
    np.testing.assert_array_equal(last_true_within(flags, 1), flags)
    np.testing.assert_array_equal(last_true_within(flags, 3), [False, True, True, True, False])


@pytest.mark.parametrize("period", [2, 9, 200])
def test_settling_is_the_first_candle_below_the_tolerance(period: int) -> None:
    weight = (1 - 2 / (period + 1)) ** np.arange(5000)
    assert ema_settling(period, 1e-4) == period - 1 + int(np.argmax(weight <= 1e-4))
    wilder = (1 - 1 / period) ** np.arange(5000)
    assert wilder_settling(period, 1e-4) == period + int(np.argmax(wilder <= 1e-4))


def test_frame_views_stay_untouched() -> None:
    candles = random_candles(300)
    copy: DataFrame = candles.copy(deep=True)
    bars_of(candles)
    technical_layer(candles)
    pd.testing.assert_frame_equal(candles, copy)


def test_no_real_move_of_nine_months_is_a_redenomination() -> None:
    """Not even the crash of 2025-10-10, in which prices moved by more than 100 % in minutes."""
    folder = recorded("futures")
    for minutes in (5, 15):
        for path in sorted(folder.glob(f"*-{minutes}m-futures.feather")):
            bars = bars_of(pd.read_feather(path))
            assert len(stretches(bars, minutes * MINUTE_NS, 3.0)) == 1, path.name
