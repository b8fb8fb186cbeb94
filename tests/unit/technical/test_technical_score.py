"""The combined score, its direction, the setup and the reasons, on rows written by hand."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas import DataFrame
from pydantic import ValidationError

from scalp_strategy.setting_groups.technical import (
    EmaSettings,
    IndicatorWeights,
    TechnicalSettings,
)
from scalp_strategy.settings import Settings
from scalp_strategy.technical import (
    INDICATORS,
    SETUP_NAMES,
    technical_layer,
    technical_reasons,
    technical_score,
    top_setup,
)
from tests.support.candles import random_candles

NAN = math.nan
PATTERN_COLUMNS = SETUP_NAMES[1:7]


def row(mtf: tuple[float, float] = (1.0, 1.0), **scores: float | tuple[float, float]) -> DataFrame:
    """Return one row in which everything says 50; a single score takes a side, a pair is both."""
    columns: dict[str, float] = dict.fromkeys(PATTERN_COLUMNS, 0.0)
    for name in (indicator.name for indicator in INDICATORS):
        score = scores.get(name, 50.0)
        long, short = score if isinstance(score, tuple) else (score, 100.0 - score)
        columns |= {f"{name}_long": long, f"{name}_short": short}
    columns |= {name: value for name, value in scores.items() if name in PATTERN_COLUMNS}
    columns |= {"mtf_long": mtf[0], "mtf_short": mtf[1]}
    return DataFrame([columns])


def score_of(frame: DataFrame, settings: Settings | None = None) -> dict[str, float]:
    return {str(k): v for k, v in technical_score(frame, settings).iloc[0].items()}


CENTRED = Settings.model_validate({"technical": {"mtf_mode": "centred"}})


def test_everything_neutral() -> None:
    score = score_of(row())
    assert score["ta_long"] == pytest.approx(50.0)
    assert score["ta_short"] == pytest.approx(50.0)
    assert score["technical_reliability"] == 1.0
    assert score["ta_direction"] == 0


def test_weights_of_the_specification() -> None:
    assert score_of(row(volume=(100.0, 100.0)))["ta_long"] == pytest.approx(50 + 0.15 * 50)
    assert score_of(row(pattern=100.0))["ta_long"] == pytest.approx(50 + 0.05 * 50)
    assert score_of(row(pattern=100.0))["ta_short"] == pytest.approx(50 - 0.05 * 50)


@pytest.mark.parametrize(
    ("settings", "multiplier", "expected"),
    [
        (None, 1.5, 60.0 * 1.5),
        (None, 0.5, 30.0),
        (CENTRED, 1.5, 50 + 10 * 1.5),
        (CENTRED, 0.5, 55.0),
    ],
)
def test_multiplier_on_the_level_or_on_the_distance_from_50(
    settings: Settings | None, multiplier: float, expected: float
) -> None:
    all_sixty = row((multiplier, 1.0), **{indicator.name: 60.0 for indicator in INDICATORS})
    assert score_of(all_sixty, settings)["ta_long"] == pytest.approx(expected)


def test_score_stays_within_0_and_100() -> None:
    extreme = row((1.5, 1.5), **{indicator.name: 95.0 for indicator in INDICATORS})
    assert score_of(extreme)["ta_long"] == 100.0
    assert score_of(extreme, CENTRED)["ta_long"] == 100.0
    assert score_of(extreme, CENTRED)["ta_short"] == 0.0


def test_an_unknown_sub_score_counts_as_neutral_with_its_full_weight() -> None:
    score = score_of(row(rsi=NAN, ema_structure=90.0))
    assert score["technical_reliability"] == pytest.approx(0.88)
    assert score["ta_long"] == pytest.approx(50 * 0.85 + 90 * 0.15)


def test_a_sub_score_that_is_lost_keeps_its_opposition_for_four_hours() -> None:
    said = [row(rsi=10.0), *[row(rsi=NAN)] * 17]
    frame = technical_score(pd.concat(said, ignore_index=True), Settings())
    # long: 50 - 0.12 * 40 up to sixteen candles after, then 50; short: 54.8, then min(50, 90)
    assert frame["ta_long"].tolist() == pytest.approx([45.2] * 17 + [50.0])
    assert frame["ta_short"].tolist() == pytest.approx([54.8] + [50.0] * 17)


def test_a_stretch_that_begins_anew_remembers_nothing() -> None:
    nothing = row(**{indicator.name: NAN for indicator in INDICATORS})
    frame = technical_score(pd.concat([row(rsi=10.0), nothing, row(rsi=NAN)], ignore_index=True))
    assert frame["ta_long"].iloc[2] == pytest.approx(50.0)


def test_nothing_known_is_unknown() -> None:
    score = score_of(row(**{indicator.name: NAN for indicator in INDICATORS}))
    assert math.isnan(score["ta_long"])
    assert math.isnan(score["ta_short"])
    assert score["technical_reliability"] == 0.0
    assert score["ta_direction"] == 0


STRONG = {"rsi": 90.0, "ema_structure": 95.0, "vwap": 80.0}


def test_direction_is_the_larger_side_with_three_that_agree() -> None:
    score = score_of(row(**STRONG))
    assert score["ta_agreeing_long"] == 3
    assert score["ta_direction"] == 1
    short = score_of(row(**{name: 100 - value for name, value in STRONG.items()}))
    assert short["ta_agreeing_short"] == 3
    assert short["ta_direction"] == -1


def test_two_are_not_enough_and_volume_does_not_count() -> None:
    score = score_of(row(rsi=90.0, ema_structure=95.0, volume=(85.0, 85.0), bollinger=(70.0, 70.0)))
    assert score["ta_long"] > 55
    assert score["ta_agreeing_long"] == 2
    assert score["ta_agreeing_short"] == 0
    assert score["ta_direction"] == 0


def test_agreement_starts_at_60() -> None:
    assert score_of(row(**STRONG | {"vwap": 60.0}))["ta_agreeing_long"] == 3
    assert score_of(row(**STRONG | {"vwap": 59.9}))["ta_agreeing_long"] == 2


def test_direction_needs_more_than_55() -> None:
    weak = row(rsi=62.0, macd=62.0, vwap=62.0)
    assert score_of(weak)["ta_agreeing_long"] == 3
    assert score_of(weak)["ta_long"] < 55
    assert score_of(weak)["ta_direction"] == 0


def test_equal_sides_are_neutral() -> None:
    both = row((1.5, 1.5), **{indicator.name: (90.0, 90.0) for indicator in INDICATORS})
    assert score_of(both)["ta_long"] == score_of(both)["ta_short"] == 100.0
    assert score_of(both)["ta_direction"] == 0


def test_other_weights_need_no_new_sub_scores() -> None:
    frame = technical_layer(random_candles(400))
    weights = dict.fromkeys(IndicatorWeights.model_fields, 0.0) | {"rsi": 1.0}
    settings = Settings.model_validate({"technical": {"weights": weights}})
    score = technical_score(frame, settings)
    expected = np.minimum(frame["rsi_long"] * frame["mtf_long"], 100.0)
    np.testing.assert_allclose(score["ta_long"], expected)


# Setup


def setups(frame: DataFrame) -> tuple[str, str]:
    codes = top_setup(frame).iloc[0]
    return SETUP_NAMES[codes["setup_long"]], SETUP_NAMES[codes["setup_short"]]


def test_strongest_pattern_of_the_direction_names_the_setup() -> None:
    frame = row(rsi=90.0, breakout=60.0, vwap_reclaim=80.0, fakeout=-55.0)
    assert setups(frame) == ("vwap_reclaim", "fakeout")


def test_without_a_pattern_the_heaviest_contribution_leads() -> None:
    # RSI contributes 40 * 0.12, the EMA structure 45 * 0.15; MACD leads the shorts.
    frame = row(rsi=90.0, ema_structure=95.0, macd=20.0, volume=(100.0, 100.0))
    assert setups(frame) == ("ema_structure", "macd")
    assert setups(row(ema_structure=95.0, stochrsi=85.0, obv=20.0, macd=10.0)) == (
        "ema_structure",
        "macd",
    )


def test_support_that_takes_no_side_is_no_setup() -> None:
    assert setups(row(vwap=(70.0, 70.0), bollinger=(70.0, 70.0))) == ("none", "none")


def test_unknown_is_no_setup() -> None:
    frame = row(rsi=NAN, breakout=NAN)
    assert setups(frame) == ("none", "none")


def test_setup_names_are_those_of_the_tags() -> None:
    assert SETUP_NAMES[0] == "none"
    assert {"breakout", "fair_value_gap", "rsi", "ema_structure"} <= set(SETUP_NAMES)
    assert not {"volume", "pattern"} & set(SETUP_NAMES)
    assert len(set(SETUP_NAMES)) == len(SETUP_NAMES)


# Reasons

VALUES: dict[str, Any] = {
    "close": 100.0,
    "rsi_14": 28.2,
    "ema_9": 104.0,
    "ema_21": 103.0,
    "ema_50": 102.0,
    "ema_200": 101.0,
    "vwap": 99.0,
    "atr_14": 0.5,
    "macd_hist": 0.1234,
    "bb_lower": 99.5,
    "bb_upper": 104.5,
    "bb_width": 0.05,
    "obv_flow": 0.32,
    "stochrsi_k": 22.0,
    "stochrsi_d": 15.0,
    "volume_ratio": 2.8,
    "support": 99.8,
    "resistance": 103.0,
}


def reasons(
    side: Any = "long", count: int = 3, values: dict[str, Any] | None = None, **scores: Any
) -> list[str]:
    joined = row(**scores).iloc[0].to_dict() | VALUES | (values or {})
    return technical_reasons(joined, side, count=count)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ({"rsi": 87.6}, "RSI oversold bounce at 28 (score: 88)"),
        ({"volume": (90.0, 90.0)}, "Volume spike 2.8x average (score: 90)"),
        ({"ema_structure": 95.0}, "Perfect bull EMA stack 9 > 21 > 50 > 200 (score: 95)"),
        ({"vwap": 80.0}, "Price 1.01% (2.0 ATR) above VWAP (score: 80)"),
        ({"vwap": (70.0, 70.0)}, "Price at VWAP, a bounce zone (score: 70)"),
        ({"macd": 82.5}, "MACD crossed above its signal, histogram 0.123 (score: 83)"),
        ({"macd": 60.0}, "MACD histogram rising, histogram 0.123 (score: 60)"),
        ({"bollinger": 85.0}, "Price at the lower Bollinger band 99.5 (score: 85)"),
        ({"bollinger": (70.0, 70.0)}, "Bollinger squeeze, bandwidth 5.00% (score: 70)"),
        ({"obv": 86.0}, "OBV bullish divergence, +32% net volume (score: 86)"),
        ({"obv": 60.0}, "OBV confirms the bullish move, +32% net volume (score: 60)"),
        ({"stochrsi": 85.0}, "StochRSI oversold and crossing up, %K 22 (score: 85)"),
        ({"support_resistance": 90.0}, "Price 0.20% from support 99.8 (score: 90)"),
        (
            {"pattern": 91.0, "ema_bounce": 82.0, "breakout": 55.0},
            "Price touching 21 EMA support, confidence 82 (score: 91)",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_words(scores: dict[str, Any], expected: str) -> None:
    assert reasons(**scores) == [expected]


@pytest.mark.parametrize(
    ("scores", "values", "expected"),
    [
        ({"rsi": 10.0}, {"rsi_14": 72.0}, "RSI overbought rejection at 72 (score: 90)"),
        ({"macd": 10.0}, {}, "MACD crossed below its signal, histogram 0.123 (score: 90)"),
        (
            {"ema_structure": 20.0},
            {"ema_9": 100.0, "ema_21": 101.0, "ema_50": 100.5, "ema_200": 100.2},
            "EMA 9 just crossed below EMA 21 (score: 80)",
        ),
        (
            {"ema_structure": 35.0},
            {"ema_9": 100.0, "ema_21": 101.0, "ema_50": 102.0, "ema_200": 100.2},
            "EMAs 2 of 3 steps bearish (score: 65)",
        ),
        (
            {"pattern": 20.0, "ema_bounce": 82.0, "fakeout": -60.0},
            {},
            "Fakeout above resistance, confidence 60 (score: 80)",
        ),
        (
            {"support_resistance": 10.0},
            {"resistance": 100.25},
            "Price 0.25% from resistance 100.25 (score: 90)",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_words_for_shorts(scores: dict[str, Any], values: dict[str, Any], expected: str) -> None:
    assert reasons("short", values=values, **scores) == [expected]


def test_reasons_are_ranked_by_contribution_and_cut() -> None:
    # 38 * 0.12 < 40 * 0.15 < 45 * 0.15
    all_three = reasons(rsi=88.0, volume=(90.0, 90.0), ema_structure=95.0, macd=10.0)
    assert [text.split()[0] for text in all_three] == ["Perfect", "Volume", "RSI"]
    top = reasons(count=1, rsi=88.0, volume=(90.0, 90.0), ema_structure=95.0)
    assert top == all_three[:1]


def test_opposing_neutral_and_unknown_indicators_give_no_reason() -> None:
    assert reasons(rsi=10.0, macd=NAN) == []


def test_every_row_of_a_real_frame_can_be_explained() -> None:
    candles = random_candles(600, seed=8)
    joined = pd.concat((candles, technical_layer(candles)), axis=1)
    for number in range(0, 600, 5):
        for side in ("long", "short"):
            found = technical_reasons(joined.iloc[number], side, count=10)
            assert all("nan" not in text for text in found), found


# Settings


def test_weights_must_sum_to_one() -> None:
    with pytest.raises(ValidationError, match=r"sum to 1\.05, they must sum to 1"):
        IndicatorWeights(rsi=0.17)


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ({"rsi": {"oversold": 45.0}}, "oversold must be below neutral_low"),
        ({"ema": {"slow": 200}}, "slow must be below long"),
        ({"timeframes": {"hour": 1.6}}, "hour must be below all"),
        ({"volume": {"quiet_ratio": 1.0}}, "quiet_ratio must be below normal_ratio"),
        ({"levels": {"near_pct": 0.6}}, "near_pct must be below far_pct"),
        ({"settle_tolerance": 1.0}, "less than 1"),
        ({"mtf_mode": "both"}, "'level' or 'centred'"),
        ({"rsi_period": 14}, "Extra inputs are not permitted"),
    ],
)
def test_settings_refuse_nonsense(group: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TechnicalSettings.model_validate(group)


def test_columns_are_named_after_the_periods() -> None:
    settings = Settings.model_validate(
        {"technical": {"atr_period": 10, "rsi": {"period": 7}, "ema": {"fast": 5}}}
    )
    assert settings.technical.ema == EmaSettings(fast=5)
    layer = technical_layer(random_candles(300), settings=settings)
    assert {"atr_10", "rsi_7", "ema_5"} <= set(layer.columns)
    assert not {"atr_14", "rsi_14", "ema_9"} & set(layer.columns)
    joined = pd.concat((random_candles(300), layer), axis=1).iloc[-1]
    assert technical_reasons(joined, "long", settings) or technical_reasons(
        joined, "short", settings
    )
