"""Raw values against textbook recursions.

The references are written candle by candle in plain Python from the definitions (Wilder 1978 for
RSI and ATR, Appel for MACD, Bollinger, Chande and Kroll for the stochastic RSI).
"""

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from pandas import DataFrame

from scalp_strategy.technical import technical_layer
from tests.support.candles import candles_from_rows, flat_candles, random_candles

Floats = list[float]
NAN = math.nan


@pytest.fixture(scope="module")
def candles() -> DataFrame:
    return random_candles(1500, seed=11)


@pytest.fixture(scope="module")
def layer(candles: DataFrame) -> DataFrame:
    return technical_layer(candles)


def ema(values: Sequence[float], period: int) -> Floats:
    """Seeded with the mean of the first `period` known values."""
    start = next((row for row, value in enumerate(values) if not math.isnan(value)), len(values))
    out = [NAN] * len(values)
    seed_row = start + period - 1
    if seed_row < len(values):
        out[seed_row] = statistics.fmean(values[start : seed_row + 1])
    for row in range(seed_row + 1, len(values)):
        out[row] = out[row - 1] + 2.0 / (period + 1) * (values[row] - out[row - 1])
    return out


def wilder(values: Sequence[float], period: int) -> Floats:
    """Mean of the values 1..period, then Wilder's average; value 0 is not used."""
    out = [NAN] * len(values)
    out[period] = statistics.fmean(values[1 : period + 1])
    for row in range(period + 1, len(values)):
        out[row] = (out[row - 1] * (period - 1) + values[row]) / period
    return out


def rsi(close: Sequence[float], period: int = 14) -> Floats:
    moves = [0.0, *(after - before for before, after in pairwise(close))]
    gains = wilder([max(move, 0.0) for move in moves], period)
    losses = wilder([max(-move, 0.0) for move in moves], period)
    return [100.0 * gain / (gain + loss) for gain, loss in zip(gains, losses, strict=True)]


def atr(candles: DataFrame, period: int = 14) -> Floats:
    high, low, close = (candles[name].tolist() for name in ("high", "low", "close"))
    ranges = [high[0] - low[0]]
    for row in range(1, len(close)):
        before = close[row - 1]
        ranges.append(max(high[row], before) - min(low[row], before))
    return wilder(ranges, period)


def bollinger(close: Sequence[float], period: int = 20) -> tuple[Floats, Floats, Floats]:
    upper, mid, lower = ([NAN] * len(close) for _ in range(3))
    for row in range(period - 1, len(close)):
        window = close[row - period + 1 : row + 1]
        mid[row] = statistics.fmean(window)
        reach = 2.0 * statistics.pstdev(window)
        upper[row], lower[row] = mid[row] + reach, mid[row] - reach
    return upper, mid, lower


def stochastic_rsi(close: Sequence[float]) -> tuple[Floats, Floats]:
    strength = rsi(close)
    raw = [NAN] * len(close)
    for row in range(27, len(close)):
        window = strength[row - 13 : row + 1]
        raw[row] = 100.0 * (strength[row] - min(window)) / (max(window) - min(window))
    k = [NAN if row < 2 else sum(raw[row - 2 : row + 1]) / 3 for row in range(len(raw))]
    d = [NAN if row < 2 else sum(k[row - 2 : row + 1]) / 3 for row in range(len(k))]
    return k, d


def session_vwap(candles: DataFrame) -> Floats:
    out: Floats = []
    day, turnover, traded, whole_day = None, 0.0, 0.0, False
    for row in candles.itertuples():
        if row.date.date() != day:
            day, turnover, traded = row.date.date(), 0.0, 0.0
            whole_day = row.date.hour == 0 and row.date.minute == 0
        turnover += (row.high + row.low + row.close) / 3 * row.volume
        traded += row.volume
        out.append(turnover / traded if whole_day else NAN)
    return out


def assert_same(actual: pd.Series, expected: Sequence[float], first_known: int) -> None:
    assert math.isnan(expected[first_known - 1])
    assert not math.isnan(expected[first_known])
    np.testing.assert_allclose(actual.to_numpy(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("period", [9, 21, 50, 200])
def test_ema(candles: DataFrame, layer: DataFrame, period: int) -> None:
    assert_same(layer[f"ema_{period}"], ema(candles["close"].tolist(), period), period - 1)


def test_rsi(candles: DataFrame, layer: DataFrame) -> None:
    assert_same(layer["rsi_14"], rsi(candles["close"].tolist()), 14)


def test_rsi_of_wilders_kind_by_hand() -> None:
    # 14 changes: nine of +1 and five of -1 give 100 * 9 / 14; then +2: (9 * 13 + 28) / ...
    moves = [1, 1, -1, 1, 1, -1, 1, -1, 1, 1, -1, 1, -1, 1, 2]
    close = [100.0, *(100.0 + sum(moves[: n + 1]) for n in range(len(moves)))]
    frame = candles_from_rows([(c, c + 0.5, c - 0.5, c, 1.0) for c in close])
    actual = technical_layer(frame)["rsi_14"]
    assert actual.iloc[14] == pytest.approx(100 * 9 / 14)
    assert actual.iloc[15] == pytest.approx(
        100 * (9 * 13 / 14 + 2) / (9 * 13 / 14 + 2 + 5 * 13 / 14)
    )


def test_atr(candles: DataFrame, layer: DataFrame) -> None:
    assert_same(layer["atr_14"], atr(candles), 14)
    np.testing.assert_allclose(layer["atr_pct"], layer["atr_14"] / candles["close"] * 100)


def test_macd(candles: DataFrame, layer: DataFrame) -> None:
    close = candles["close"].tolist()
    slow = ema(close, 26)
    # Both averages start on the same row: the fast one is seeded with the 12 closes before it.
    fast = [NAN] * 14 + ema(close[14:], 12)
    line = [quick - late for quick, late in zip(fast, slow, strict=True)]
    signal = ema(line, 9)
    line = [NAN] * 33 + line[33:]
    assert_same(layer["macd"], line, 33)
    assert_same(layer["macd_signal"], signal, 33)
    histogram = [one - other for one, other in zip(line, signal, strict=True)]
    assert_same(layer["macd_hist"], histogram, 33)


def test_bollinger(candles: DataFrame, layer: DataFrame) -> None:
    upper, mid, lower = bollinger(candles["close"].tolist())
    assert_same(layer["bb_upper"], upper, 19)
    assert_same(layer["bb_mid"], mid, 19)
    assert_same(layer["bb_lower"], lower, 19)
    np.testing.assert_allclose(
        layer["bb_width"], (layer["bb_upper"] - layer["bb_lower"]) / layer["bb_mid"]
    )


def test_bollinger_of_a_coin_far_below_one() -> None:
    # TA-Lib's absolute tolerance would return bands of zero width here.
    frame = random_candles(60, price=1e-9)
    upper, _, lower = bollinger((frame["close"] * 1e9).tolist())
    layer = technical_layer(frame)
    np.testing.assert_allclose(layer["bb_upper"] * 1e9, upper, rtol=1e-9)
    np.testing.assert_allclose(layer["bb_lower"] * 1e9, lower, rtol=1e-9)


def test_stochastic_rsi(candles: DataFrame, layer: DataFrame) -> None:
    k, d = stochastic_rsi(candles["close"].tolist())
    assert_same(layer["stochrsi_k"], k, 29)
    assert_same(layer["stochrsi_d"], d, 31)


def test_vwap(candles: DataFrame, layer: DataFrame) -> None:
    assert_same(layer["vwap"], session_vwap(candles), 95)


def test_volume_ratio(candles: DataFrame, layer: DataFrame) -> None:
    expected = candles["volume"] / candles["volume"].rolling(20).mean()
    np.testing.assert_allclose(layer["volume_ratio"], expected, rtol=1e-9)


def test_support_and_resistance(candles: DataFrame, layer: DataFrame) -> None:
    high, low, close = (candles[name].tolist() for name in ("high", "low", "close"))
    for row in range(104, 700):
        pivots = range(row - 99, row - 3)
        lows = [
            low[p]
            for p in pivots
            if low[p] < min(low[p - 4 : p]) and low[p] <= min(low[p + 1 : p + 5])
        ]
        highs = [
            high[p]
            for p in pivots
            if high[p] > max(high[p - 4 : p]) and high[p] >= max(high[p + 1 : p + 5])
        ]
        support = max((price for price in lows if price <= close[row]), default=NAN)
        resistance = min((price for price in highs if price >= close[row]), default=NAN)
        assert layer["support"].iloc[row] == pytest.approx(support, nan_ok=True)
        assert layer["resistance"].iloc[row] == pytest.approx(resistance, nan_ok=True)


def test_nearest_unfilled_gap(candles: DataFrame, layer: DataFrame) -> None:
    high, low, close = (candles[name].tolist() for name in ("high", "low", "close"))
    true_range = layer["atr_14"].tolist()
    for row in range(70, 500):
        gaps = []
        for born in range(row - 49, row + 1):
            tiny = 0.1 * true_range[born]
            later = range(born + 1, row + 1)
            if low[born] - high[born - 2] >= tiny:
                top, bottom = low[born], high[born - 2]
                if all(low[n] > bottom for n in later):
                    gaps.append((close[row] - top, top, bottom))
            if low[born - 2] - high[born] >= tiny:
                top, bottom = low[born - 2], high[born]
                if all(high[n] < top for n in later):
                    gaps.append((bottom - close[row], top, bottom))
        _, top, bottom = min(gaps, default=(0.0, NAN, NAN))
        assert layer["fvg_top"].iloc[row] == pytest.approx(top, nan_ok=True)
        assert layer["fvg_bottom"].iloc[row] == pytest.approx(bottom, nan_ok=True)


def test_flat_candles_are_unknown_where_nothing_can_be_said() -> None:
    layer = technical_layer(flat_candles(300)).iloc[-1]
    assert math.isnan(layer["rsi_14"])
    assert math.isnan(layer["rsi_long"])
    assert math.isnan(layer["bollinger_long"])
    assert layer["atr_14"] == 0.0
    assert layer["ema_structure_long"] == 50.0
    assert layer["volume_long"] == pytest.approx(50.0)
    assert layer["ta_direction"] == 0
