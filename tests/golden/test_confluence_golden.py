"""The confluence score against hand calculations; each test shows its arithmetic.

Weights: technical 0.35, order flow 0.25, on-chain 0.20, sentiment 0.10, base rate 0.10.
"""

import numpy as np
import pandas as pd
import pytest

from scalp_strategy.confluence import confluence, rounded
from scalp_strategy.contract import COMPONENT_LAYERS, TIER_HIGH, TIER_MEDIUM, TIER_NONE
from scalp_strategy.settings import Settings, with_overrides

NAN = np.nan
LAYERS = ("orderflow", "onchain", "sentiment", "base_rate")
CLOSE = pd.Timestamp("2026-03-02 10:00", tz="UTC")


def row(technical=(50.0, 50.0), direction=1, close=CLOSE, **layers) -> dict:
    """One candle; a layer is (long, short, reliability), or None where it is silent."""
    values = {
        "date": close - pd.Timedelta(minutes=15),
        "ta_long": technical[0],
        "ta_short": technical[1],
        "technical_reliability": technical[2] if len(technical) > 2 else 1.0,
        "ta_direction": direction,
    }
    if "regime" in layers:
        values["regime"] = layers.pop("regime")
    for name, said in layers.items():
        long, short, reliability = said or (NAN, NAN, NAN)
        values |= {
            f"{name}_long": long,
            f"{name}_short": short,
            f"{name}_reliability": reliability,
        }
    return values


def scored(*rows, **overrides) -> pd.DataFrame:
    return confluence(pd.DataFrame(list(rows)), with_overrides(Settings(), overrides))


def only(technical: float, reliability: float = 1.0, **options) -> pd.Series:
    """The result of a candle on which all five layers say the same of a long."""
    same = (technical, 100 - technical, reliability)
    return scored(row(same, **dict.fromkeys(LAYERS, same), **options)).iloc[0]


def test_all_five_layers():
    one = row(
        (90, 10),
        orderflow=(80, 20, 1.0),
        onchain=(70, 30, 0.7),
        sentiment=(60, 40, 0.5),
        base_rate=(40, 55, 0.2),
    )
    result = scored(one).iloc[0]
    # long: e = 90; 80; 70; 60 (components have faded already); 40 (opposition does not fade)
    # 0.35*90 + 0.25*80 + 0.2*70 + 0.1*60 + 0.1*40 = 31.5 + 20 + 14 + 6 + 4 = 75.5
    assert result["confluence_long"] == pytest.approx(75.5, abs=1e-9)
    # short: e = 10; 20; 30; 40; 50+0.2*5=51 -> 3.5 + 5 + 6 + 4 + 5.1 = 23.6
    assert result["confluence_short"] == pytest.approx(23.6, abs=1e-9)
    # coverage: 0.35 + 0.25 + 0.2*0.7 + 0.1*0.5 + 0.1*0.2 = 0.81
    assert result["coverage"] == pytest.approx(0.81, abs=1e-9)
    assert (result["confluence"], result["tier"]) == (result["confluence_long"], TIER_MEDIUM)


def test_the_mirror_of_all_five_layers():
    one = row(
        (10, 90),
        direction=-1,
        orderflow=(20, 80, 1.0),
        onchain=(30, 70, 0.7),
        sentiment=(40, 60, 0.5),
        base_rate=(55, 40, 0.2),
    )
    result = scored(one).iloc[0]
    assert result["confluence_short"] == pytest.approx(75.5, abs=1e-9)
    assert result["confluence_long"] == pytest.approx(23.6, abs=1e-9)
    assert (result["confluence"], result["tier"]) == (result["confluence_short"], TIER_MEDIUM)


def test_the_technical_layer_alone_cannot_make_a_signal_below_92_9():
    # 0.35*92.8 + 0.65*50 = 64.98 -> 65; 0.35*92.8 = 32.48. 92.7: 64.945 -> 65; 91.4: 64.49 -> 64
    assert scored(row((100, 0))).iloc[0]["confluence"] == pytest.approx(67.5)
    assert scored(row((91.4, 0))).iloc[0]["tier"] == TIER_NONE
    assert scored(row((91.5, 0))).iloc[0]["tier"] == TIER_MEDIUM  # 64.525 -> 65
    assert scored(row((100, 0))).iloc[0]["coverage"] == pytest.approx(0.35)


@pytest.mark.parametrize("reliability", [1.0, 0.4, 0.01])
def test_opposition_does_not_fade(reliability):
    result = scored(row(base_rate=(20, 80, reliability))).iloc[0]
    # long: 0.9*50 + 0.1*20 = 47; short: 0.9*50 + 0.1*(50 + r*30) = 50 + 3 r
    assert result["confluence_long"] == pytest.approx(47.0)
    assert result["confluence_short"] == pytest.approx(50 + 3 * reliability)
    assert result["coverage"] == pytest.approx(0.35 + 0.1 * reliability)


@pytest.mark.parametrize("reliability", [1.0, 0.4, 0.0])
@pytest.mark.parametrize("layer", COMPONENT_LAYERS)
def test_a_layer_of_components_has_faded_already(layer, reliability):
    weight = {"orderflow": 0.25, "onchain": 0.20, "sentiment": 0.10}[layer]
    result = scored(row(**{layer: (20, 80, reliability)})).iloc[0]
    assert result["confluence_long"] == pytest.approx(50 - 30 * weight)
    assert result["confluence_short"] == pytest.approx(50 + 30 * weight)
    assert result["coverage"] == pytest.approx(0.35 + weight * reliability)


def test_a_silent_layer_keeps_its_opposition_for_four_hours():
    rows = [row(base_rate=(20, 70, 1.0))]
    rows += [row(base_rate=None, close=CLOSE + pd.Timedelta(minutes=15 * i)) for i in range(1, 18)]
    result = scored(*rows)
    # long: 0.9*50 + 0.1*20 = 47 up to 240 minutes after, then 50; short: 52, then min(50, 70)
    assert result["confluence_long"].tolist() == pytest.approx([47.0] * 17 + [50.0])
    assert result["confluence_short"].tolist() == pytest.approx([52.0] + [50.0] * 17)
    assert result["coverage"].tolist() == pytest.approx([0.45] + [0.35] * 17)


def test_how_long_opposition_lasts_is_a_setting():
    rows = [row(base_rate=(0, 100, 1.0))]
    rows += [row(base_rate=None, close=CLOSE + pd.Timedelta(minutes=15 * i)) for i in (1, 2, 3)]
    result = scored(*rows, **{"confluence.opposition_max_age_s": 1800})
    assert result["confluence_long"].tolist() == pytest.approx([45.0, 45.0, 45.0, 50.0])


def test_the_last_word_counts_not_the_strongest():
    times = [CLOSE + pd.Timedelta(minutes=15 * i) for i in range(3)]
    said = [(10, 90, 1.0), (45, 55, 1.0), None]
    rows = [row(base_rate=one, close=at) for one, at in zip(said, times, strict=True)]
    # 0.9*50 + 0.1*45 = 49.5
    assert scored(*rows)["confluence_long"].iloc[2] == pytest.approx(49.5)


@pytest.mark.parametrize("said", [None, (80, 20, 0.0), (80, NAN, 1.0), (NAN, 20, 1.0)])
def test_a_layer_that_never_spoke_is_neutral(said):
    result = scored(row((80, 20), base_rate=said)).iloc[0]
    # 0.35*80 + 0.65*50 = 60.5
    assert result["confluence_long"] == pytest.approx(60.5)
    assert result["coverage"] == pytest.approx(0.35)


def test_an_unknown_technical_layer_is_silent_too():
    result = scored(row((NAN, NAN), orderflow=(90, 10, 1.0))).iloc[0]
    # 0.75*50 + 0.25*90 = 60
    assert result["confluence_long"] == pytest.approx(60.0)
    assert result["coverage"] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("regime", "long", "short"),
    [
        ("RISK_ON", 66.0, 28.0),  # 60*1.1, 40*0.7
        ("RISK_OFF", 42.0, 44.0),  # 60*0.7, 40*1.1
        ("BTC_SEASON", 60.0, 40.0),
        ("CHOPPY", 60.0, 40.0),
        (None, 60.0, 40.0),
        (NAN, 60.0, 40.0),
    ],
)
def test_the_regime_multiplies_both_sides(regime, long, short):
    result = only(60.0, regime=regime)
    assert result["confluence_long"] == pytest.approx(long)
    assert result["confluence_short"] == pytest.approx(short)


def test_a_silent_regime_keeps_its_penalty_for_four_hours_and_never_its_boost():
    same = dict.fromkeys(LAYERS, (60.0, 40.0, 1.0))
    rows = [row((60, 40), regime="RISK_ON", **same)]
    for i in range(1, 18):
        close = CLOSE + pd.Timedelta(minutes=15 * i)
        rows.append(row((60, 40), regime=None, close=close, **same))
    result = scored(*rows)
    assert result["confluence_long"].tolist() == pytest.approx([66.0] + [60.0] * 17)
    assert result["confluence_short"].tolist() == pytest.approx([28.0] * 17 + [40.0])


def test_the_cap_comes_after_the_regime():
    assert only(95.0, regime="RISK_ON")["confluence_long"] == 100.0  # 104.5
    assert only(95.0, regime="RISK_OFF")["confluence_long"] == pytest.approx(66.5)


@pytest.mark.parametrize(
    ("score", "points"),
    [
        (64.5, 65),
        (64.49999999, 64),
        (64.5 - 1e-13, 65),  # 64.5 but for the noise of adding five products
        (79.5, 80),
        (79.49999999, 79),
        (65.5, 66),  # not to even
        (66.5, 67),
        (0.0, 0),
        (100.0, 100),
    ],
)
def test_scores_are_rounded_half_up(score, points):
    assert rounded(score) == points


@pytest.mark.parametrize(
    ("score", "tier"),
    [
        (64.49999999, TIER_NONE),
        (64.5, TIER_MEDIUM),
        (79.49999999, TIER_MEDIUM),
        (79.5, TIER_HIGH),
        (100, TIER_HIGH),
    ],
)
def test_tiers_compare_the_rounded_score(score, tier):
    assert only(score)["tier"] == tier


@pytest.mark.parametrize(
    ("reliability", "score", "coverage", "tier", "is_capped"),
    [
        # technical 100, order flow: 0.35*100 + 0.25*flow + 0.4*50 = 55 + 0.25 flow
        # coverage 0.35 + 0.25 r
        (1.0, 80.0, 0.60, TIER_HIGH, False),
        (0.96, 80.0, 0.59, TIER_MEDIUM, True),
        (0.95, 79.375, 0.5875, TIER_MEDIUM, False),
    ],
)
def test_high_needs_coverage(reliability, score, coverage, tier, is_capped):
    flow = (score - 55) / 0.25
    result = scored(row((100, 0), orderflow=(flow, 100 - flow, reliability))).iloc[0]
    assert result["confluence"] == pytest.approx(score)
    assert result["coverage"] == pytest.approx(coverage)
    assert (result["tier"], result["is_tier_capped"]) == (tier, is_capped)


@pytest.mark.parametrize(("needed", "tier"), [(0.35, TIER_MEDIUM), (0.36, TIER_NONE)])
def test_every_signal_needs_coverage(needed, tier):
    result = scored(row((100, 0)), **{"confluence.min_coverage": needed}).iloc[0]
    assert (result["tier"], result["is_tier_capped"]) == (tier, False)


@pytest.mark.parametrize(
    ("close", "shift"),
    [
        ("03:45", 0),
        ("04:00", 5),
        ("07:45", 5),
        ("08:00", 0),
        ("13:00", 0),
        ("19:45", 0),
        ("20:00", 5),
        ("23:45", 5),
        ("00:00", 0),
    ],
)
def test_quiet_hours_count_by_the_close(close, shift):
    at = pd.Timestamp(f"2026-03-02 {close}", tz="UTC")
    # 69 is below 65 + 5 and above 65; 84 is below 80 + 5 and above 80
    medium, high = only(69.0, close=at), only(84.0, close=at)
    assert medium["threshold_shift"] == shift
    assert medium["tier"] == (TIER_NONE if shift else TIER_MEDIUM)
    assert high["tier"] == (TIER_MEDIUM if shift else TIER_HIGH)
    assert not high["is_tier_capped"]
    assert only(70.0, close=at)["tier"] == TIER_MEDIUM
    assert only(85.0, close=at)["tier"] == TIER_HIGH


def test_a_neutral_direction_is_no_signal():
    result = only(95.0, direction=0)
    assert (result["tier"], result["direction"]) == (TIER_NONE, 0)
    assert result["confluence"] == pytest.approx(95.0)
    assert only(5.0, direction=0)["confluence"] == pytest.approx(95.0)  # the larger side


@pytest.mark.parametrize(("direction", "tier"), [(1, TIER_HIGH), (-1, TIER_NONE)])
def test_the_score_is_that_of_the_technical_direction(direction, tier):
    result = only(90.0, direction=direction)
    assert result["confluence"] == pytest.approx(90.0 if direction == 1 else 10.0)
    assert result["tier"] == tier
