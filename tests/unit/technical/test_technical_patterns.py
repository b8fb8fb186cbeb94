"""Each pattern on candles written by hand, both ways up."""

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from pandas import DataFrame

from scalp_strategy.settings import Settings
from scalp_strategy.technical import technical_layer
from tests.support.candles import candles_from_rows, mirrored

Row = tuple[float, float, float, float, float]
FLAT = 100.0


def wave(count: int = 150) -> list[Row]:
    """Return a calm swing of 10 hours between 99 and 101, 100 traded in each candle."""
    close = FLAT + np.sin(np.arange(-1, count) / 40 * 2 * math.pi)
    return [candle(float(o), float(c)) for o, c in pairwise(close)]


def climb(count: int = 260) -> list[Row]:
    """Return a steady rise of 0.05 a candle."""
    return [candle(FLAT + 0.05 * n, FLAT + 0.05 * (n + 1)) for n in range(count)]


def candle(opening: float, close: float, volume: float = 100.0) -> Row:
    return (opening, max(opening, close) + 0.1, min(opening, close) - 0.1, close, volume)


def last_two_ways(rows: list[Row], name: str, settings: Settings | None = None) -> float:
    """Return the last value of a pattern, after checking that the mirrored market mirrors it."""
    frame = candles_from_rows(rows)
    value = technical_layer(frame, settings=settings)[name].iloc[-1]
    mirror = technical_layer(mirrored(frame), settings=settings)[name].iloc[-1]
    assert mirror == pytest.approx(-value)
    return float(value)


def last_row(rows: list[Row]) -> "pd.Series[float]":
    return technical_layer(candles_from_rows(rows)).iloc[-1]


def tuned(**patterns: float) -> Settings:
    return Settings.model_validate({"technical": {"patterns": patterns}})


# Breakout: the wave's pivot highs are at 101.1, its lows at 98.9.


def test_wave_has_the_levels_the_cases_below_rely_on() -> None:
    row = last_row(wave())
    assert row["resistance"] == pytest.approx(101.1)
    assert row["support"] == pytest.approx(98.9)


def test_breakout_closes_beyond_the_level_on_more_than_twice_the_volume() -> None:
    rows = [*wave(), (100.0, 102.0, 99.9, 101.8, 300.0)]
    ratio = 300 / ((19 * 100 + 300) / 20)
    expected = 55 + 15 * (ratio - 1) / (3 - 1)
    assert last_two_ways(rows, "breakout") == pytest.approx(expected)


@pytest.mark.parametrize(
    "last",
    [
        (100.0, 102.0, 99.9, 101.05, 300.0),  # the wick is beyond, the close is not
        (100.0, 102.0, 99.9, 101.8, 200.0),  # 200 is only 1.9 times the average it is part of
        (100.0, 102.0, 99.9, 101.8, 100.0),
    ],
)
def test_no_breakout(last: Row) -> None:
    assert last_two_ways([*wave(), last], "breakout") == 0.0


def test_breakout_is_not_repeated_above_the_level() -> None:
    rows = [*wave(), (100.0, 102.0, 99.9, 101.8, 300.0), (101.8, 102.5, 101.7, 102.4, 900.0)]
    assert last_two_ways(rows, "breakout") == 0.0


def test_breakout_gains_confidence_from_agreeing_timeframes() -> None:
    rows = [*wave(), (100.0, 102.0, 99.9, 101.8, 300.0)]
    frame = candles_from_rows(rows)
    end = frame["date"].iloc[-1] + pd.Timedelta(minutes=15)
    rise = candles_from_rows(climb(80))
    rise["date"] = pd.date_range(end=end, periods=81, freq="5min", tz="UTC")[:-1]
    alone = technical_layer(frame)["breakout"].iloc[-1]
    agreed = technical_layer(frame, rise)["breakout"].iloc[-1]
    assert agreed == pytest.approx(alone + 10.0)


# Fakeout


def test_fakeout_pierces_the_level_and_its_body_stays_inside() -> None:
    # The wick is 1.4 of a range of 1.6: full rejection; volume at its average adds nothing.
    rows = [*wave(), (100.0, 100.1, 98.5, 99.9, 100.0)]
    assert last_two_ways(rows, "fakeout") == pytest.approx(55 + 15)


def test_fakeout_gains_confidence_from_volume() -> None:
    rows = [*wave(), (100.0, 100.1, 98.5, 99.9, 200.0)]
    ratio = 200 / ((19 * 100 + 200) / 20)
    assert last_two_ways(rows, "fakeout") == pytest.approx(55 + 15 + 15 * (ratio - 1) / 2)


@pytest.mark.parametrize(
    "last",
    [
        (100.0, 100.1, 98.5, 98.8, 100.0),  # closes beyond the level
        (100.0, 100.1, 98.95, 99.9, 100.0),  # does not reach it
        (98.85, 100.1, 98.5, 99.9, 100.0),  # opens beyond it
    ],
)
def test_no_fakeout(last: Row) -> None:
    assert last_two_ways([*wave(), last], "fakeout") == 0.0


# Fair value gap: between 100.2 (high of the first) and 101.2 (low of the third).

GAP = [
    (100.0, 100.2, 99.8, 100.1, 100.0),
    (100.1, 102.0, 100.0, 101.9, 100.0),
    (101.9, 102.5, 101.2, 102.3, 100.0),
]
AWAY = (102.3, 102.6, 102.0, 102.4, 100.0)
RETEST = (102.4, 102.4, 101.0, 101.5, 100.0)
FILL = (102.4, 102.4, 100.1, 100.15, 100.0)


def test_gap_shows_when_it_opens_but_is_no_signal_yet() -> None:
    row = last_row([*wave(), *GAP])
    assert row["fvg_top"] == pytest.approx(101.2)
    assert row["fvg_bottom"] == pytest.approx(100.2)
    assert last_two_ways([*wave(), *GAP], "fair_value_gap") == 0.0
    assert last_two_ways([*wave(), *GAP, AWAY], "fair_value_gap") == 0.0


def test_gap_retest_signals_in_the_gaps_direction() -> None:
    rejection = 15 * ((101.5 - 101.0) / (102.4 - 101.0) - 0.3) / (0.7 - 0.3)
    value = last_two_ways([*wave(), *GAP, AWAY, RETEST], "fair_value_gap")
    assert value == pytest.approx(60 + rejection)


def test_gap_is_gone_once_filled() -> None:
    assert last_two_ways([*wave(), *GAP, AWAY, FILL], "fair_value_gap") == 0.0
    # What is left is the smaller gap that the first candle of GAP tore above the wave.
    assert last_row([*wave(), *GAP, AWAY, FILL])["fvg_top"] == pytest.approx(100.0)
    back_up = (100.15, 102.6, 100.1, 102.4, 100.0)
    assert last_two_ways([*wave(), *GAP, AWAY, FILL, back_up, RETEST], "fair_value_gap") == 0.0


@pytest.mark.parametrize(("waiting", "found"), [(1, True), (2, True), (3, False)])
def test_gap_expires(waiting: int, found: bool) -> None:
    # Opened, `waiting` candles away, then the retest: at most three candles may meet it.
    rows = [*wave(), *GAP, *[AWAY] * waiting, RETEST]
    value = last_two_ways(rows, "fair_value_gap", tuned(gap_max_age_candles=3))
    assert (value > 0) is found


def test_gap_signals_when_price_enters_it_not_while_it_stays() -> None:
    enters = (102.4, 102.4, 100.8, 101.0, 100.0)
    stays = (101.0, 101.3, 100.7, 101.1, 100.0)
    assert last_two_ways([*wave(), *GAP, AWAY, enters], "fair_value_gap") > 0.0
    assert last_two_ways([*wave(), *GAP, AWAY, enters, stays], "fair_value_gap") == 0.0


def test_gap_is_filled_by_a_touch_of_its_far_side() -> None:
    # A touch of 100.2 leaves only the smaller gap that GAP's first candle tore above the wave.
    touch = (102.4, 102.4, 100.2, 101.0, 100.0)
    short_of_it = (102.4, 102.4, 100.21, 101.0, 100.0)
    assert last_row([*wave(), *GAP, AWAY, touch])["fvg_top"] == pytest.approx(100.0)
    assert last_row([*wave(), *GAP, AWAY, short_of_it])["fvg_top"] == pytest.approx(101.2)


def test_small_gap_does_not_count() -> None:
    rows = [*wave(), *GAP, AWAY, RETEST]
    assert last_two_ways(rows, "fair_value_gap", tuned(gap_min_atr=5.0)) == 0.0


# EMA bounce: after the climb price is at 113, its 21 EMA near 112.5, 1h rises.


def bounce(low: float, close: float = 113.05, volume: float = 110.0) -> list[Row]:
    return [*climb(), (113.0, 113.1, low, close, volume)]


def test_bounce_touches_the_ema_and_holds_on_rising_volume() -> None:
    ema = technical_layer(candles_from_rows(bounce(112.4)))["ema_21"].iloc[-1]
    assert 112.45 < ema < 112.6
    ratio = 110 / ((19 * 100 + 110) / 20)
    expected = 60 + 15 * (ratio - 1) / 2 + 15 + 10
    assert last_two_ways(bounce(112.4), "ema_bounce") == pytest.approx(expected)


@pytest.mark.parametrize(
    "rows",
    [
        bounce(112.9),  # never comes near
        bounce(112.4, close=112.42),  # closes below
        bounce(112.4, volume=100.0),  # volume does not rise
        [*climb(), (113.0, 113.1, 111.0, 111.2, 100.0), (112.9, 113.1, 112.3, 113.0, 110.0)],
    ],
    ids=["far", "below", "quiet", "came from below"],
)
def test_no_bounce(rows: list[Row]) -> None:
    assert last_two_ways(rows, "ema_bounce") == 0.0


def test_bounce_needs_the_1h_trend() -> None:
    # 200 candles down, 60 up: the 21 EMA is below price again while 1h still points down.
    fall = [candle(120 - 0.05 * n, 120 - 0.05 * (n + 1)) for n in range(220)]
    rise = [candle(109 + 0.02 * n, 109 + 0.02 * (n + 1)) for n in range(30)]
    frame = candles_from_rows([*fall, *rise])
    ema = technical_layer(frame)["ema_21"].iloc[-1]
    rows = [*fall, *rise, (109.6, 109.7, ema - 0.05, 109.62, 110.0)]
    row = last_row(rows)
    assert row["trend_1h"] < 0
    assert last_two_ways(rows, "ema_bounce") == 0.0


# VWAP reclaim: LATEST_START puts the midnight after 95 candles; 150 of the wave are at 13:30.

ABOVE = (100.0, 101.0, 99.9, 100.9, 100.0)
DIP = (100.9, 101.0, 99.0, 99.1, 100.0)
RECLAIM = (99.1, 101.0, 99.0, 100.9, 200.0)


def test_reclaim_closes_back_above_vwap_on_volume() -> None:
    ratio = 200 / ((19 * 100 + 200) / 20)
    value = last_two_ways([*wave(), ABOVE, DIP, RECLAIM], "vwap_reclaim")
    assert value == pytest.approx(60 + 15 * (ratio - 1) / 2)


@pytest.mark.parametrize(
    "rows",
    [
        [*wave(), ABOVE, DIP, (99.1, 101.0, 99.0, 100.9, 100.0)],
        [*wave(), ABOVE, DIP, (99.1, 99.8, 99.0, 99.7, 200.0)],
        [*wave(), ABOVE, ABOVE, (100.9, 101.1, 100.8, 101.0, 200.0)],
        [*wave(), ABOVE, *[DIP] * 9, RECLAIM],
    ],
    ids=["quiet", "still below", "never below", "dipped too long"],
)
def test_no_reclaim(rows: list[Row]) -> None:
    assert last_two_ways(rows, "vwap_reclaim") == 0.0


def test_longest_dip_is_still_reclaimed() -> None:
    assert last_two_ways([*wave(), ABOVE, *[DIP] * 8, RECLAIM], "vwap_reclaim") > 0.0


@pytest.mark.parametrize(("candles_before", "found"), [(190, False), (192, True)])
def test_dip_of_yesterday_is_not_reclaimed_today(candles_before: int, found: bool) -> None:
    # Row 191 is a midnight: with 190 candles before, the reclaim falls a row after the break.
    rows = [*wave(candles_before - 1), ABOVE, DIP, RECLAIM]
    assert (last_two_ways(rows, "vwap_reclaim") > 0) is found


# Momentum ignition


def run(length: int) -> list[Row]:
    steps = [
        (100 + 0.5 * n, 100.6 + 0.5 * n, 99.9 + 0.5 * n, 100.5 + 0.5 * n, 100.0 + 10 * n)
        for n in range(length)
    ]
    return [*wave(), (100.2, 100.3, 99.8, 99.9, 50.0), *steps]


@pytest.mark.parametrize(
    ("length", "expected"), [(2, 0.0), (3, 60.0), (4, 60 + 20 / 3), (6, 80.0), (8, 80.0)]
)
def test_ignition_grows_with_the_run(length: int, expected: float) -> None:
    assert last_two_ways(run(length), "momentum_ignition") == pytest.approx(expected)


@pytest.mark.parametrize(
    "change",
    [
        {"volume": 110.0},  # as much as the candle before
        {"high": 101.1, "close": 101.05},  # no higher high
        {"low": 100.4},  # no higher low
        {"close": 100.95},  # not bullish
    ],
    ids=",".join,
)
def test_ignition_is_broken_by_one_candle(change: dict[str, float]) -> None:
    frame = candles_from_rows(run(3))
    for name, value in change.items():
        frame.loc[len(frame) - 1, name] = value
    for candles in (frame, mirrored(frame)):
        assert technical_layer(candles)["momentum_ignition"].iloc[-1] == 0.0


def test_stronger_side_wins_and_a_tie_says_nothing() -> None:
    # A candle that pierces both levels and closes in the middle rejects both alike.
    row = (100.0, 101.5, 98.5, 100.0, 100.0)
    assert last_two_ways([*wave(160), row], "fakeout") == 0.0
    lower = (100.0, 101.2, 98.0, 100.0, 100.0)
    assert last_two_ways([*wave(160), lower], "fakeout") > 0.0


def test_wave_itself_shows_no_pattern_but_vwap_crossings() -> None:
    layer: DataFrame = technical_layer(candles_from_rows(wave(300)))
    for name in ("breakout", "fakeout", "fair_value_gap", "momentum_ignition"):
        assert (layer[name].dropna() == 0.0).all(), name
