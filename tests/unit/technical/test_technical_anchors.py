"""Every sub-score, row by row, from its raw values and the specification's anchor points."""

import math
import statistics
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scalp_strategy.technical import technical_layer
from tests.support.candles import random_candles


@pytest.fixture(scope="module")
def rows() -> list[dict[str, float]]:
    """The joined rows, from the first with everything known."""
    candles = random_candles(1500, seed=11)
    return pd.concat((candles, technical_layer(candles)), axis=1).iloc[210:].to_dict("records")


def line(value: float, points: Sequence[tuple[float, float]]) -> float:
    """Linear between (x, y) points, flat outside."""
    if value <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if value <= x1:
            return y0 + (y1 - y0) * (value - x0) / (x1 - x0)
    return points[-1][1]


def rsi_support(row: dict[str, float], _before: list[dict[str, float]]) -> tuple[float, float]:
    oversold = {1.0: 90, 0.0: 75, -1.0: 60}[row["trend"]]
    overbought = {1.0: 40, 0.0: 25, -1.0: 10}[row["trend"]]
    long = line(row["rsi_14"], [(30, oversold), (40, 50), (60, 50), (70, overbought)])
    return long, 100 - long


def ema_support(row: dict[str, float], before: list[dict[str, float]]) -> tuple[float, float]:
    stack = [row[f"ema_{period}"] for period in (9, 21, 50, 200)]
    long = 5 + 30 * sum(shorter > longer for shorter, longer in pairwise(stack))
    states = [each["ema_9"] > each["ema_21"] for each in (*before[-3:], row)]
    if len(set(states)) == 2:
        long = max(long, 80) if states[-1] else min(long, 20)
    return long, 100 - long


def vwap_support(row: dict[str, float], _before: list[dict[str, float]]) -> tuple[float, float]:
    distance = (row["close"] - row["vwap"]) / row["atr_14"]
    if abs(distance) <= 0.1:
        return 70, 70
    score = line(abs(distance), [(0.1, 60), (2.0, 80)])
    return (score, 100 - score) if distance > 0 else (100 - score, score)


def macd_support(row: dict[str, float], before: list[dict[str, float]]) -> tuple[float, float]:
    histogram = [each["macd_hist"] for each in (*before[-3:], row)]
    now, previous = histogram[-1], histogram[-2]
    sign = 1 if now > 0 else -1
    score = 50.0
    if any(sign * value <= 0 for value in histogram[:-1]):
        score = line(abs(now) / row["atr_14"], [(0.0, 75), (0.1, 90)])
    if sign * previous > 0 and abs(now) > abs(previous):
        score = min(score + 10, 100)
    return (score, 100 - score) if sign > 0 else (100 - score, score)


def bollinger_support(row: dict[str, float], before: list[dict[str, float]]) -> tuple[float, float]:
    position = (row["close"] - row["bb_lower"]) / (row["bb_upper"] - row["bb_lower"])
    at_lower = line(position, [(0.0, 35), (0.2, 0)]) * {1.0: 1, 0.0: 0.5, -1.0: 0}[row["trend"]]
    at_upper = line(position, [(0.8, 0), (1.0, 35)]) * {1.0: 0, 0.0: 0.5, -1.0: 1}[row["trend"]]
    widths = [each["bb_width"] for each in (*before[-99:], row)]
    squeezed = row["bb_width"] < 0.6 * statistics.fmean(widths)
    if squeezed and abs(at_lower - at_upper) < 20:
        return 70, 70
    return 50 + at_lower - at_upper, 50 - at_lower + at_upper


def obv_support(row: dict[str, float], before: list[dict[str, float]]) -> tuple[float, float]:
    window = [*before[-20:], row]
    signed = [
        np.sign(now["close"] - then["close"]) * now["volume"] for then, now in pairwise(window)
    ]
    flow = sum(signed) / sum(each["volume"] for each in window[1:])
    assert row["obv_flow"] == pytest.approx(flow)
    move = (row["close"] - window[0]["close"]) / row["atr_14"]
    sign = 1 if flow > 0 else -1
    score = 50.0
    if abs(flow) > 0.1 and sign * move < -1:
        score = line(abs(flow), [(0.1, 80), (0.4, 90)])
    elif abs(flow) > 0.1 and sign * move > 1:
        score = 60
    return (score, 100 - score) if sign > 0 else (100 - score, score)


def stochrsi_support(row: dict[str, float], before: list[dict[str, float]]) -> tuple[float, float]:
    def lean(k0: float, d0: float, k1: float, d1: float) -> float:
        if k0 < 20 and k0 <= d0 and k1 > d1:
            return 35
        return line(k1, [(0, 10), (20, 0)])

    values = [before[-1]["stochrsi_k"], before[-1]["stochrsi_d"]]
    values += [row["stochrsi_k"], row["stochrsi_d"]]
    long = 50 + lean(*values) - lean(*(100 - value for value in values))
    return long, 100 - long


def volume_support(row: dict[str, float], _before: list[dict[str, float]]) -> tuple[float, float]:
    score = line(row["volume_ratio"], [(0.5, 20), (1.0, 50), (2.0, 85)])
    return score, score


def level_support(row: dict[str, float], _before: list[dict[str, float]]) -> tuple[float, float]:
    def nearness(level: float) -> float:
        if math.isnan(level):
            return 0.0
        return line(abs(row["close"] - level) / row["close"] * 100, [(0.3, 40), (0.6, 0)])

    bounce = nearness(row["support"]) * {1.0: 1, 0.0: 0.5, -1.0: 0}[row["trend"]]
    rejection = nearness(row["resistance"]) * {1.0: 0, 0.0: 0.5, -1.0: 1}[row["trend"]]
    return 50 + bounce - rejection, 50 - bounce + rejection


def pattern_support(row: dict[str, float], _before: list[dict[str, float]]) -> tuple[float, float]:
    names = ("breakout", "fakeout", "fair_value_gap")
    names += ("ema_bounce", "vwap_reclaim", "momentum_ignition")
    confidences = [row[name] for name in names]
    up, down = max(0, *confidences), max(0, *(-value for value in confidences))
    long = 50 if up == down else 50 + up / 2 if up > down else 50 - down / 2
    return long, 100 - long


REFERENCES: dict[str, Callable[..., tuple[float, float]]] = {
    "rsi": rsi_support,
    "ema_structure": ema_support,
    "vwap": vwap_support,
    "macd": macd_support,
    "bollinger": bollinger_support,
    "obv": obv_support,
    "stochrsi": stochrsi_support,
    "volume": volume_support,
    "support_resistance": level_support,
    "pattern": pattern_support,
}


@pytest.mark.parametrize("name", REFERENCES)
def test_scores_follow_the_anchors_in_every_row(name: str, rows: list[dict[str, Any]]) -> None:
    seen = set()
    for number in range(120, len(rows)):
        row = rows[number]
        expected = REFERENCES[name](row, rows[number - 120 : number])
        actual = (row[f"{name}_long"], row[f"{name}_short"])
        assert actual == pytest.approx(expected, abs=1e-7), f"row {number}"
        seen.add(round(actual[0]))
    assert len(seen) > 4, "the candles never exercised this score"


def test_trend_is_slow_against_long_ema_beyond_the_dead_zone(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        gap = (row["ema_50"] - row["ema_200"]) / row["atr_14"]
        assert row["trend"] == (1 if gap > 0.25 else -1 if gap < -0.25 else 0)
    assert {row["trend"] for row in rows} == {-1.0, 0.0, 1.0}


def test_score_is_the_weighted_mean_times_the_multiplier(rows: list[dict[str, Any]]) -> None:
    weights = dict(
        zip(REFERENCES, (0.12, 0.15, 0.10, 0.10, 0.08, 0.08, 0.07, 0.15, 0.10, 0.05), strict=True)
    )
    for row in rows:
        for side in ("long", "short"):
            mean = sum(row[f"{name}_{side}"] * weight for name, weight in weights.items())
            expected = min(100.0, mean * row[f"mtf_{side}"])
            assert row[f"ta_{side}"] == pytest.approx(expected)


def test_direction_needs_score_and_three_that_agree(rows: list[dict[str, Any]]) -> None:
    directions = set()
    for row in rows:
        agreeing = {
            side: sum(
                row[f"{name}_{side}"] >= 60 and row[f"{name}_{side}"] != row[f"{name}_{other}"]
                for name in REFERENCES
            )
            for side, other in (("long", "short"), ("short", "long"))
        }
        assert row["ta_agreeing_long"] == agreeing["long"]
        assert row["ta_agreeing_short"] == agreeing["short"]
        side = "long" if row["ta_long"] > row["ta_short"] else "short"
        taken = row[f"ta_{side}"] > 55 and agreeing[side] >= 3
        expected = (1 if side == "long" else -1) if taken else 0
        assert row["ta_direction"] == expected
        directions.add(expected)
    assert directions == {-1, 0, 1}
