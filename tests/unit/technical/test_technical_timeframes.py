"""Agreement of the timeframes, and that no candle is used before it has closed."""

import math

import numpy as np
import pandas as pd
import pytest
from pandas import DataFrame

from scalp_strategy.errors import ContractViolation
from scalp_strategy.setting_groups.technical import TimeframeSettings
from scalp_strategy.settings import Settings
from scalp_strategy.technical import technical_layer
from scalp_strategy.technical.timeframes import hourly_trend, multiplier, stack_trend
from tests.support.candles import MIDNIGHT, candles_from_rows, dates, market, random_candles

SETTINGS = TimeframeSettings()
NAN = math.nan


@pytest.mark.parametrize(
    ("trend_1h", "trend_5m", "momentum", "long", "short"),
    [
        (2, 2, 0.1, 1.5, 0.5),
        (1, 1, 0.1, 1.5, 0.7),
        (2, 1, -0.1, 1.2, 0.5),
        (2, -2, 0.1, 1.2, 0.5),
        (1, NAN, NAN, 1.2, 0.7),
        (1, NAN, 0.1, 1.2, 0.7),
        (1, 1, NAN, 1.2, 0.7),
        (1, 0, 0.1, 1.2, 0.7),
        (1, 1, 0.0, 1.2, 0.7),
        (0, 2, 0.1, 1.0, 1.0),
        (NAN, 2, 0.1, 1.0, 1.0),
        (NAN, NAN, NAN, 1.0, 1.0),
        (-1, 2, 0.1, 0.7, 1.2),
        (-2, 2, 0.1, 0.5, 1.2),
        (-1, -1, -0.1, 0.7, 1.5),
        (-2, -2, -0.1, 0.5, 1.5),
    ],
)
def test_truth_table(
    trend_1h: float, trend_5m: float, momentum: float, long: float, short: float
) -> None:
    trends = [np.array([float(value)]) for value in (trend_1h, trend_5m, momentum)]
    assert multiplier(*trends, SETTINGS)[0] == long
    assert multiplier(*(-trend for trend in trends), SETTINGS)[0] == short


def path(*legs: tuple[int, float]) -> np.ndarray:
    """Return a price path of (candles, change per candle) legs from 100."""
    steps = np.concatenate([np.full(count, step) for count, step in legs])
    return 100.0 + np.cumsum(steps)


@pytest.mark.parametrize(
    ("close", "expected"),
    [
        (path((120, 0.1)), 2.0),  # full stack, price beyond the slow EMA
        (path((120, -0.1)), -2.0),
        (path((120, 0.1), (1, -3.3)), 1.0),  # full stack, but price fell through the slow EMA
        (path((120, -0.1), (1, 3.3)), -1.0),
        (path((120, -0.1), (10, 0.3)), 1.0),  # the slow EMA is still above the medium one
        (path((120, 0.0)), 0.0),
    ],
)
def test_stack_trend(close: np.ndarray, expected: float) -> None:
    trend = stack_trend(close, SETTINGS)
    assert np.isnan(trend[:49]).all()
    assert trend[-1] == expected


# One hour from four 15m candles


def reference_hourly_trend(candles: DataFrame) -> list[float]:
    """Take whole hours only, each known at its close, one row at a time."""
    hours = candles.groupby(candles["date"].dt.floor("h"))["close"].agg(["count", "last"])
    whole = hours[hours["count"] == 4]
    trend = stack_trend(whole["last"].to_numpy(), SETTINGS)
    closes_at = whole.index + pd.Timedelta(hours=1)
    out = []
    for opened in candles["date"]:
        known = trend[closes_at <= opened + pd.Timedelta(minutes=15)]
        out.append(float(known[-1]) if known.size else NAN)
    return out


@pytest.mark.parametrize("start", ["00:00", "00:15", "00:30", "00:45"])
def test_hour_is_known_at_its_close_and_only_when_complete(start: str) -> None:
    candles = random_candles(330, seed=9, start=f"2025-01-01 {start}")
    times = candles["date"].array.as_unit("ns").asi8
    actual = hourly_trend(times, candles["close"].to_numpy(), SETTINGS)
    np.testing.assert_array_equal(actual, reference_hourly_trend(candles))
    assert len(set(actual[~np.isnan(actual)])) > 1


def test_unfinished_hour_changes_nothing() -> None:
    candles = random_candles(320, start=MIDNIGHT)
    base = technical_layer(candles)["trend_1h"]
    changed = candles.copy()
    changed.loc[316:318, "close"] *= 1.2  # the first three quarters of the last hour
    changed.loc[316:318, "high"] *= 1.2
    trend = technical_layer(changed)["trend_1h"]
    np.testing.assert_array_equal(trend[:319], base[:319])


# 5m and 1m, joined as of the 15m close


def ramp_frame(minutes: int, end: pd.Timestamp, count: int, step: float) -> DataFrame:
    """Return candles that rise or fall steadily, the last of them closing at `end`."""
    close = 100.0 + step * np.arange(1, count + 1)
    rows = [(c - step, c + abs(step), c - 2 * abs(step), c, 10.0) for c in close]
    frame = candles_from_rows(rows)
    opened = end - pd.Timedelta(minutes=minutes * count)
    frame["date"] = dates(count, minutes, str(opened.tz_localize(None)))
    return frame


@pytest.fixture
def candles() -> DataFrame:
    return random_candles(20, start=MIDNIGHT)


def close_of(candles: DataFrame, row: int) -> pd.Timestamp:
    return candles["date"].iloc[row] + pd.Timedelta(minutes=15)


def test_last_closed_candle_is_used(candles: DataFrame) -> None:
    end = close_of(candles, 19)
    layer = technical_layer(
        candles, ramp_frame(5, end, 100, 0.1), ramp_frame(1, end, 100, -0.1)
    ).iloc[-1]
    assert layer["trend_5m"] == 2.0
    assert layer["momentum_1m"] == pytest.approx((90.0 / 90.5 - 1) * 100)
    assert layer["momentum_1m_stand_in"] == 0.0


@pytest.mark.parametrize("minutes", [5, 1])
def test_candle_that_closes_after_the_15m_close_is_never_used(
    candles: DataFrame, minutes: int
) -> None:
    end = close_of(candles, 18)
    known = ramp_frame(minutes, end, 100, 0.1)
    later = random_candles(
        15 // minutes, minutes=minutes, start=str(end.tz_localize(None)), price=50.0
    )
    column = "trend_5m" if minutes == 5 else "momentum_1m"

    def value(frame: DataFrame) -> float:
        frames = (frame, None) if minutes == 5 else (None, frame)
        return float(technical_layer(candles, *frames)[column].iloc[18])

    assert value(pd.concat((known, later), ignore_index=True)) == value(known)
    assert value(known) > 0


@pytest.mark.parametrize(("late", "is_known"), [(0, True), (5, True), (10, True), (15, False)])
def test_stale_5m_candle_is_unknown(candles: DataFrame, late: int, is_known: bool) -> None:
    end = close_of(candles, 19) - pd.Timedelta(minutes=late)
    layer = technical_layer(candles, ramp_frame(5, end, 100, 0.1)).iloc[-1]
    assert math.isnan(layer["trend_5m"]) is not is_known
    assert math.isnan(layer["momentum_1m"]) is not is_known


def test_last_5m_bar_stands_in_for_1m_and_is_marked(candles: DataFrame) -> None:
    end = close_of(candles, 19)
    layer = technical_layer(candles, ramp_frame(5, end, 100, 0.1)).iloc[-1]
    assert layer["momentum_1m"] == pytest.approx((110.0 / 109.9 - 1) * 100)
    assert layer["momentum_1m_stand_in"] == 1.0


def test_without_lower_timeframes_the_multiplier_stays_at_one_point_two() -> None:
    frames = market(150)
    alone, with_all = technical_layer(frames[15]), technical_layer(frames[15], frames[5], frames[1])
    assert alone["mtf_long"].max() == 1.2
    assert alone["mtf_short"].max() == 1.2
    assert with_all["mtf_long"].max() == 1.5
    assert with_all["mtf_short"].max() == 1.5
    assert alone["momentum_1m_stand_in"].isna().all()


def test_momentum_does_not_reach_over_a_hole(candles: DataFrame) -> None:
    minute = ramp_frame(1, close_of(candles, 19), 100, 0.1).drop(index=range(88, 97))
    assert math.isnan(technical_layer(candles, None, minute)["momentum_1m"].iloc[-1])


@pytest.mark.parametrize("frame", [None, random_candles(0, minutes=5)])
def test_absent_and_empty_frames_are_unknown(candles: DataFrame, frame: DataFrame | None) -> None:
    layer = technical_layer(candles, frame, frame)
    assert layer[["trend_5m", "momentum_1m"]].isna().all(axis=None)


def test_frame_that_starts_late_is_unknown_before() -> None:
    frames = market(60)
    late = frames[5].iloc[300:]
    trend = technical_layer(frames[15], late)["trend_5m"]
    first = trend.first_valid_index()
    # The 50th of its candles is the first with a slow EMA; it closes with 15m row 116.
    assert first == (300 + 50) // 3
    assert not trend[first:].isna().any()


def test_unusable_5m_row_does_not_poison_the_rest() -> None:
    frames = market(60)
    five = frames[5].copy()
    five.loc[300, "close"] = NAN
    trend = technical_layer(frames[15], five)["trend_5m"]
    assert trend[101:116].isna().all()
    assert not trend[117:].isna().any()


@pytest.mark.parametrize("minutes", [5, 1])
def test_duplicate_lower_candles_break_the_contract(candles: DataFrame, minutes: int) -> None:
    frame = random_candles(30, minutes=minutes)
    twice = pd.concat((frame, frame.tail(1)), ignore_index=True)
    with pytest.raises(ContractViolation, match=f"{minutes}m candles: .*duplicate"):
        technical_layer(candles, *((twice, None) if minutes == 5 else (None, twice)))


def test_live_call_and_backtest_call_agree() -> None:
    # The host hands a live strategy the latest candles only; the backtest sees all of them.
    frames = market(500, seed=3)
    settings = Settings()
    backtest = technical_layer(frames[15], frames[5], frames[1], settings)
    live = technical_layer(
        frames[15].iloc[-1200:].reset_index(drop=True),
        frames[5].iloc[-800:].reset_index(drop=True),
        frames[1].iloc[-500:].reset_index(drop=True),
        settings,
    )
    last = 20
    pd.testing.assert_frame_equal(
        live.tail(last).reset_index(drop=True),
        backtest.tail(last).reset_index(drop=True),
        rtol=1e-4,
        atol=1e-3,
    )


@pytest.mark.parametrize("rows_lost", range(1, 13))
def test_losing_the_1m_candles_confirms_nothing(rows_lost: int) -> None:
    """The 5m bar that stands in says nothing where the last 1m momentum contradicts it."""
    frames = market(150)
    cut = frames[15]["date"].iloc[-rows_lost]
    layer = technical_layer(frames[15], frames[5], frames[1][frames[1]["date"] < cut])
    is_own = layer["momentum_1m_stand_in"] == 0.0
    last = np.sign(layer["momentum_1m"].where(is_own).ffill())
    stand_in = np.sign(layer["momentum_1m"][~is_own]).iloc[-rows_lost + 1 :]
    assert stand_in.isin([0.0]).where(stand_in != last[stand_in.index], True).all()
    bars = frames[5].set_index("date")
    opens = frames[15]["date"].loc[stand_in.index] + pd.Timedelta(minutes=10)
    bar = np.sign(bars["close"][opens] / bars["open"][opens] - 1.0).to_numpy()
    np.testing.assert_array_equal(stand_in, np.where(bar == last[stand_in.index], bar, 0.0))
