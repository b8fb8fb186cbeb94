"""Windows of closed candles: what they hold, what is missing, and the change over an hour."""

import math

import pytest

from external_layers.sentiment.trend import (
    NO_CANDLES,
    below_high_pct,
    candles_of,
    fallen_atrs,
    hour_move_pct,
    trend_pct,
)
from scalp_strategy.contract import CANDLE_MS
from tests.unit.external_layers.sentiment.told import HOUR_MS, START_MS, candles

HOUR_S = 3_600


def test_candles_end_where_they_close_and_odd_ones_are_left_out() -> None:
    nan = math.nan
    rows = [
        (START_MS, 1.0, 3.0, 0.5, 2.0, 9.0),
        (START_MS + CANDLE_MS, 1.0, 3.0, 0.5, nan, 9.0),
        (START_MS + 2 * CANDLE_MS, 1.0, 3.0, 0.0, 2.0, 9.0),
        (START_MS + 3 * CANDLE_MS, 2.0, 4.0, 1.0, 3.0, nan),
    ]
    made = candles_of(rows)
    assert made.close_ms.tolist() == [START_MS + CANDLE_MS, START_MS + 4 * CANDLE_MS]
    assert (made.high.tolist(), made.low.tolist(), made.close.tolist()) == (
        [3, 4],
        [0.5, 1],
        [2, 3],
    )


def test_trend_by_hand() -> None:
    # The last hour's mean is 110, that of two hours 105.
    made = candles([1.0] * 8 + [100.0] * 4 + [110.0] * 4, START_MS)
    assert trend_pct(made, START_MS, (HOUR_S, 2 * HOUR_S), 1.0) == pytest.approx(500 / 105)
    # Before the last close: 410 / 4 = 102.5 without the oldest candle of 1, 711 / 8 with it.
    earlier = trend_pct(made, START_MS - 1, (HOUR_S, 2 * HOUR_S), 1.0)
    assert earlier == pytest.approx((107.5 / 91.375 - 1.0) * 100.0)


def test_trend_needs_its_share_of_candles() -> None:
    made = candles([100.0] * 7, START_MS)
    assert math.isnan(trend_pct(made, START_MS, (HOUR_S, 2 * HOUR_S), 0.9))
    assert trend_pct(made, START_MS, (HOUR_S, 2 * HOUR_S), 0.875) == 0.0
    assert math.isnan(trend_pct(NO_CANDLES, START_MS, (HOUR_S, 2 * HOUR_S), 0.9))
    later = START_MS + HOUR_MS
    assert math.isnan(trend_pct(made, later, (HOUR_S, 2 * HOUR_S), 0.1))


def test_hour_move_needs_both_candles() -> None:
    made = candles([100.0, 101.0, 102.0, 103.0, 105.0], START_MS)
    assert hour_move_pct(made, START_MS) == 5.0
    assert math.isnan(hour_move_pct(made, START_MS - CANDLE_MS))
    assert math.isnan(hour_move_pct(made, START_MS + CANDLE_MS))


def test_atrs_fallen_by_hand() -> None:
    made = candles([100.0] * 12 + [94.0] * 8, START_MS, reach=1.5)
    # Ranges of 3, and one of 7.5 where the price fell: the ATR is 46.5 / 14.
    assert fallen_atrs(made, START_MS, 4 * HOUR_S) == pytest.approx(6.0 / (46.5 / 14))
    assert fallen_atrs(made, START_MS + 2 * CANDLE_MS - 1, 4 * HOUR_S) > 1.8
    assert math.isnan(fallen_atrs(made, START_MS + 2 * CANDLE_MS, 4 * HOUR_S))  # too old
    assert math.isnan(fallen_atrs(candles([100.0] * 14, START_MS), START_MS, HOUR_S))
    assert math.isnan(fallen_atrs(candles([100.0] * 30, START_MS), START_MS, HOUR_S))  # flat


def test_below_the_high_by_hand() -> None:
    made = candles([120.0] * 4 + [100.0] * 4, START_MS, reach=5.0)
    assert below_high_pct(made, START_MS, HOUR_S, 1.0) == pytest.approx(500 / 105)
    assert below_high_pct(made, START_MS, 2 * HOUR_S, 1.0) == pytest.approx(2_500 / 125)
    assert math.isnan(below_high_pct(made, START_MS, 3 * HOUR_S, 0.9))
    assert math.isnan(below_high_pct(NO_CANDLES, START_MS, HOUR_S, 0.9))
