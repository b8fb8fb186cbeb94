"""What must hold for every set of layers, silent ones included."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalp_strategy.confluence import confluence
from scalp_strategy.contract import COMPONENT_LAYERS, LAYERS, layer_column
from scalp_strategy.errors import ContractViolation
from scalp_strategy.settings import Settings, with_overrides

SCORES = ["confluence_long", "confluence_short", "confluence", "coverage"]
REGIMES = ["RISK_ON", "RISK_OFF", "BTC_SEASON", "CHOPPY", None]
NOISE = 1e-9

scores = st.one_of(st.floats(0, 100), st.sampled_from([0.0, 50.0, 100.0]))
unknown_scores = st.one_of(scores, st.just(float("nan")))
shares = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, float("nan")]))


@st.composite
def frames(draw, with_regime=True, values=unknown_scores, reliabilities=shares):
    size = draw(st.integers(1, 12))

    def column(of):
        return draw(st.lists(of, min_size=size, max_size=size))

    gaps = column(st.sampled_from([15, 15, 15, 30, 300]))
    start = pd.Timestamp("2026-03-01", tz="UTC")
    frame = pd.DataFrame({"date": start + pd.to_timedelta(np.cumsum(gaps), unit="min")})
    for layer in LAYERS:
        if layer == "technical" or draw(st.booleans()):
            frame[layer_column(layer, "long")] = np.array(column(values))
            frame[layer_column(layer, "short")] = np.array(column(values))
            frame[layer_column(layer, "reliability")] = np.array(column(reliabilities))
    frame["ta_direction"] = np.array(column(st.sampled_from([-1, 0, 1])), dtype=np.int8)
    if with_regime and draw(st.booleans()):
        frame["regime"] = pd.Series(column(st.sampled_from(REGIMES)), dtype=object)
    return frame


def layers_of(frame: pd.DataFrame) -> list[str]:
    return [layer for layer in LAYERS if layer_column(layer, "long") in frame]


def columns_of(layer: str) -> list[str]:
    return [layer_column(layer, field) for field in ("long", "short", "reliability")]


@st.composite
def frames_with_a_loss(draw):
    """A frame, one of its layers and the rows at which that layer's data get lost."""
    frame = draw(frames())
    layer = draw(st.sampled_from(layers_of(frame)))
    lost = draw(st.lists(st.booleans(), min_size=len(frame), max_size=len(frame)))
    return frame, layer, np.array(lost)


def without(frame: pd.DataFrame, layer: str, lost: np.ndarray) -> pd.DataFrame:
    poorer = frame.copy()
    poorer.loc[lost, columns_of(layer)] = np.nan
    return poorer


@given(frames())
def test_every_score_is_known_and_in_range(frame):
    result = confluence(frame)
    assert np.isfinite(result[SCORES].to_numpy()).all()
    assert result[SCORES[:3]].to_numpy().min() >= 0
    assert result[SCORES[:3]].to_numpy().max() <= 100
    assert result["coverage"].between(0, 1 + NOISE).all()
    assert set(result["tier"]) <= {0, 1, 2}
    assert result.index.equals(frame.index)


@given(frames())
def test_the_input_is_left_alone_and_the_answer_repeats(frame):
    before = frame.copy(deep=True)
    first, second = confluence(frame), confluence(frame)
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_frame_equal(first, second)


@given(frames(), st.data())
def test_causal(frame, data):
    end = data.draw(st.integers(0, len(frame)))
    whole = confluence(frame).iloc[:end]
    pd.testing.assert_frame_equal(confluence(frame.iloc[:end]), whole)


@given(frames(with_regime=False))
def test_mirrored_evidence_gives_mirrored_scores(frame):
    swapped = {}
    for layer in layers_of(frame):
        long, short = layer_column(layer, "long"), layer_column(layer, "short")
        swapped |= {long: frame[short], short: frame[long]}
    mirrored = confluence(frame.assign(**swapped, ta_direction=-frame["ta_direction"]))
    result = confluence(frame)
    same = ["coverage", "confluence", "tier", "is_tier_capped", "threshold_shift"]
    pd.testing.assert_frame_equal(mirrored[same], result[same])
    np.testing.assert_array_equal(mirrored["confluence_long"], result["confluence_short"])
    np.testing.assert_array_equal(mirrored["direction"], -result["direction"])


known = frames(values=scores, reliabilities=st.floats(0.01, 1))


@given(known, st.data())
def test_more_support_never_scores_less(frame, data):
    layer = data.draw(st.sampled_from(layers_of(frame)))
    side = data.draw(st.sampled_from(["long", "short"]))
    row = data.draw(st.integers(0, len(frame) - 1))
    column = layer_column(layer, side)
    more = frame.copy()
    more.loc[row, column] = data.draw(st.floats(frame.loc[row, column], 100))
    before, after = confluence(frame), confluence(more)
    assert (after[f"confluence_{side}"] >= before[f"confluence_{side}"] - NOISE).all()
    other = "short" if side == "long" else "long"
    np.testing.assert_array_equal(before[f"confluence_{other}"], after[f"confluence_{other}"])


@given(known, st.data())
def test_less_reliable_evidence_never_scores_more(frame, data):
    layer = data.draw(st.sampled_from(layers_of(frame)))
    column = layer_column(layer, "reliability")
    less = frame.copy()
    less[column] = frame[column] * data.draw(st.floats(0.01, 1))
    before, after = confluence(frame), confluence(less)
    for name in [*SCORES[:2], "coverage", "tier"]:
        assert (after[name] <= before[name] + NOISE).all()


@given(frames_with_a_loss())
def test_losing_support_never_raises_its_side_anywhere(case):
    """Rows at which a layer speaks for a side, or says nothing, may vanish: no score rises."""
    frame, layer, lost = case
    for side in ("long", "short"):
        supports = frame[layer_column(layer, side)].to_numpy() >= 50
        before = confluence(frame)
        after = confluence(without(frame, layer, lost & supports))
        assert (after[f"confluence_{side}"] <= before[f"confluence_{side}"] + NOISE).all()
        is_side = (before["direction"] == (1 if side == "long" else -1)).to_numpy()
        assert (after["tier"] <= before["tier"])[is_side].all()
        assert (after["coverage"] <= before["coverage"] + NOISE).all()


@given(frames(values=scores, reliabilities=st.floats(0.01, 1)), st.data())
def test_silence_never_says_more_than_the_last_word(frame, data):
    """A layer that falls silent scores at most what its last word, repeated, would score.

    That of a layer of components is remembered where they are combined.
    """
    settings = with_overrides(Settings(), {"confluence.opposition_max_age_s": 172_800})
    layer = data.draw(st.sampled_from(sorted(set(layers_of(frame)) - set(COMPONENT_LAYERS))))
    lost = np.array(data.draw(st.lists(st.booleans(), min_size=len(frame), max_size=len(frame))))
    lost[0] = False
    silent = without(frame, layer, lost)
    repeated = silent.copy()
    repeated[columns_of(layer)] = silent[columns_of(layer)].ffill()
    quiet, loud = confluence(silent, settings), confluence(repeated, settings)
    for name in [*SCORES, "tier"]:
        assert (quiet[name] <= loud[name] + NOISE).all()


@given(frames(), st.data())
def test_a_silent_regime_never_boosts(frame, data):
    if "regime" not in frame:
        return
    lost = np.array(data.draw(st.lists(st.booleans(), min_size=len(frame), max_size=len(frame))))
    silent = frame.copy()
    silent.loc[lost, "regime"] = None
    quiet, none = confluence(silent), confluence(frame.drop(columns="regime"))
    for name in SCORES[:2]:
        assert (quiet[name] <= none[name] + NOISE)[lost].all()


def empty_frame() -> pd.DataFrame:
    frame = pd.DataFrame({"date": pd.DatetimeIndex([], tz="UTC")})
    for name in [*columns_of("technical"), "ta_direction"]:
        frame[name] = np.array([], dtype=np.float64)
    return frame


@pytest.mark.parametrize("regime", [False, True])
def test_an_empty_frame_gives_an_empty_answer(regime):
    frame = empty_frame()
    if regime:
        frame["regime"] = pd.Series([], dtype=object)
    result = confluence(frame)
    assert result.empty
    assert {*SCORES, "tier", "direction", "threshold_shift", "is_tier_capped"} == set(result)


@pytest.mark.parametrize(
    "missing", ["date", "ta_long", "ta_short", "technical_reliability", "ta_direction"]
)
def test_a_missing_column_is_named(missing):
    with pytest.raises(ContractViolation, match=missing):
        confluence(empty_frame().drop(columns=missing))


def test_rows_out_of_order_are_refused():
    dates = pd.to_datetime(["2026-03-01 00:15", "2026-03-01 00:00"], utc=True)
    frame = pd.DataFrame({"date": dates, "ta_direction": 0})
    frame[columns_of("technical")] = 50.0
    with pytest.raises(ContractViolation, match="order"):
        confluence(frame)


@pytest.mark.parametrize("missing", [None, np.nan])
def test_an_unknown_regime_may_be_written_in_any_way(missing):
    frame = pd.DataFrame({"date": pd.date_range("2026-03-01", periods=2, freq="15min", tz="UTC")})
    frame[columns_of("technical")] = 60.0
    frame["ta_direction"] = 1
    plain = confluence(frame)
    frame["regime"] = pd.Series(["CHOPPY", missing], dtype=object)
    pd.testing.assert_frame_equal(confluence(frame), plain)
