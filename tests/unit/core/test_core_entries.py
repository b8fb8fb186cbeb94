import numpy as np
import pandas as pd
import pytest

from scalp_strategy.contract import TIER_HIGH, TIER_MEDIUM, TIER_NONE
from scalp_strategy.entries import (
    TAG_MAX_LENGTH,
    atr_column,
    entry_columns,
    gate_reason,
    passes_gates,
    setup_name,
    stop_columns,
    tag,
)
from scalp_strategy.settings import Settings, with_overrides
from scalp_strategy.technical import SETUP_NAMES

NAN = np.nan
SETTINGS = Settings()


def frame(**columns) -> pd.DataFrame:
    values = {
        "direction": [1, -1, 0],
        "tier": [TIER_HIGH, TIER_MEDIUM, TIER_NONE],
        "confluence": [83.5, 65.2, 90.0],
        "atr_pct": 1.0,
        "volume_ratio": 2.0,
        "sl_pct": 1.5,
        "setup_long": SETUP_NAMES.index("breakout"),
        "setup_short": SETUP_NAMES.index("rsi"),
    }
    return pd.DataFrame(values | columns, index=[7, 8, 9])


def entries(*, can_short=True, settings=SETTINGS, **columns) -> pd.DataFrame:
    return entry_columns(frame(**columns), settings, can_short=can_short)


def stops(settings=SETTINGS, **columns) -> dict:
    return stop_columns(pd.DataFrame(columns), settings)


# -------------------------------------------------------------------------------------- the stop


def test_the_stop_against_a_hand_calculation():
    # 1.5 ATR: 0.6 -> 0.9 of 100 = 0.9 %; 0.1 -> 0.15 -> floor 0.3 %; 2.0 -> 3.0 %; 2.01 -> 3.015 %
    result = stops(close=[100.0] * 4, atr_14=[0.6, 0.1, 2.0, 2.01])
    assert result["sl_pct"] == pytest.approx([0.9, 0.3, 3.0, NAN], nan_ok=True)
    assert result["stop_factor"].tolist() == [1.0] * 4
    # 0.6 * 1.5 / 50 = 1.8 %
    assert stops(close=[50.0], atr_14=[0.6])["sl_pct"] == pytest.approx([1.8])


def test_a_choppy_market_tightens_the_stop():
    regimes = ["CHOPPY", "RISK_ON", None, "CHOPPY"]
    result = stops(close=[100.0] * 4, atr_14=[1.0, 1.0, 1.0, 2.4], regime=regimes)
    assert result["stop_factor"].tolist() == [0.8, 1.0, 1.0, 0.8]
    # 1.5 * 0.8 = 1.2 %; 1.5 %; 2.4 * 1.5 * 0.8 = 2.88 %, allowed where 3.6 % would not be
    assert result["sl_pct"] == pytest.approx([1.2, 1.5, 1.5, 2.88])


@pytest.mark.parametrize(
    ("close", "atr"), [(NAN, 1.0), (100.0, NAN), (0.0, 1.0), (-1.0, 1.0), (100.0, 0.0), (NAN, NAN)]
)
def test_no_stop_from_what_is_not_known(close, atr):
    assert np.isnan(stops(close=[close], atr_14=[atr])["sl_pct"]).all()


def test_the_atr_column_follows_its_period():
    settings = with_overrides(SETTINGS, {"technical.atr_period": 20})
    assert atr_column(settings) == "atr_20"
    assert stops(settings, close=[100.0], atr_20=[1.0])["sl_pct"] == pytest.approx([1.5])


# --------------------------------------------------------------------------------------- entries


def test_both_sides_enter():
    result = entries()
    assert result["is_candidate"].tolist() == [True, True, False]
    assert result["enter_long"].tolist() == [1, 0, 0]
    assert result["enter_short"].tolist() == [0, 1, 0]
    assert result["enter_tag"].tolist()[:2] == ["HIGH 84 breakout", "MEDIUM 65 rsi"]
    assert result["enter_tag"].isna().tolist() == [False, False, True]
    assert result.index.tolist() == [7, 8, 9]


def test_spot_never_shorts():
    result = entries(can_short=False)
    assert result["is_candidate"].tolist() == [True, False, False]
    assert result["enter_short"].tolist() == [0, 0, 0]
    assert result["enter_tag"].isna().tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("atr_pct", NAN),
        ("atr_pct", 0.29999),
        ("volume_ratio", NAN),
        ("volume_ratio", 0.99999),
        ("sl_pct", NAN),
    ],
)
def test_a_gate_refuses_what_is_low_or_unknown_and_the_candidate_stays(column, value):
    result = entries(**{column: value})
    assert result["is_candidate"].tolist() == [True, True, False]
    assert not result[["enter_long", "enter_short"]].to_numpy().any()
    assert result["enter_tag"].isna().all()


def test_the_gates_open_at_their_thresholds():
    assert passes_gates(frame(atr_pct=0.3, volume_ratio=1.0), SETTINGS).all()
    closed = with_overrides(SETTINGS, {"entry.min_atr_pct": 0.31})
    assert not passes_gates(frame(atr_pct=0.3, volume_ratio=1.0), closed).any()


@pytest.mark.parametrize(
    ("atr_pct", "ratio", "said"),
    [
        (1.0, 2.0, None),
        (0.3, 1.0, None),
        (0.29, 2.0, "ATR 0.29 %"),
        (1.0, 0.99, "volume 0.99x"),
        (NAN, 2.0, "ATR"),
        (1.0, NAN, "volume"),
    ],
)
def test_the_reason_agrees_with_the_gate(atr_pct, ratio, said):
    reason = gate_reason(atr_pct, ratio, SETTINGS)
    passes = passes_gates(frame(atr_pct=atr_pct, volume_ratio=ratio), SETTINGS)[0]
    assert (reason is None) == passes
    assert (reason is None) if said is None else said in reason


def test_signals_only_decides_but_enters_nothing():
    result = entries(settings=with_overrides(SETTINGS, {"signals_only": True}))
    assert result["is_candidate"].tolist() == [True, True, False]
    assert not result[["enter_long", "enter_short"]].to_numpy().any()
    assert result["enter_tag"].isna().all()


def test_an_empty_frame():
    result = entry_columns(frame().iloc[:0], SETTINGS, can_short=True)
    assert result.empty
    assert list(result) == ["is_candidate", "enter_long", "enter_short", "enter_tag"]


def test_the_input_is_left_alone():
    given = frame()
    before = given.copy(deep=True)
    entry_columns(given, SETTINGS, can_short=True)
    pd.testing.assert_frame_equal(given, before)


@pytest.mark.parametrize("setup", range(len(SETUP_NAMES)))
def test_a_tag_says_tier_score_and_setup_and_fits_the_host(setup):
    text = tag(TIER_MEDIUM, 72.0, setup)
    assert text == f"MEDIUM 72 {SETUP_NAMES[setup]}"
    assert len(text) <= TAG_MAX_LENGTH


@pytest.mark.parametrize("code", [-1, len(SETUP_NAMES), 0])
def test_a_setup_nobody_knows_has_a_name(code):
    assert setup_name(code) == "none"
