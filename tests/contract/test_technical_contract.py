"""What every indicator and every pattern must hold, checked over the explicit lists."""

import pickle
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from pandas import DataFrame

import scalp_strategy.technical.indicators as indicators_package
import scalp_strategy.technical.patterns as patterns_package
from scalp_strategy.contract import Side
from scalp_strategy.setting_groups.technical import IndicatorWeights, TechnicalSettings
from scalp_strategy.settings import Settings
from scalp_strategy.technical import (
    INDICATORS,
    PATTERNS,
    SETUP_NAMES,
    lookback,
    technical_columns,
    technical_frame,
    technical_layer,
    technical_score,
    top_setup,
)
from scalp_strategy.technical.arrays import FloatArray
from scalp_strategy.technical.bars import bars_of
from scalp_strategy.technical.indicators.base import Indicator, Scores, one_sided
from scalp_strategy.technical.inputs import Inputs
from scalp_strategy.technical.patterns.base import Pattern
from scalp_strategy.technical.score import taking_side
from scalp_strategy.technical.timeframes import lower_timeframes
from tests.support.candles import market, mirrored, random_candles

SETTINGS = TechnicalSettings()
ROWS = 420
PREFIXES = (1, 2, 15, 20, 33, 96, 105, 199, 200, 203, 204, 251, 300, 337, 338, 339, 400, 419)

indicators = pytest.mark.parametrize("indicator", INDICATORS, ids=lambda each: each.name)
patterns = pytest.mark.parametrize("pattern", PATTERNS, ids=lambda each: each.name)


def inputs_of(candles: DataFrame, settings: TechnicalSettings = SETTINGS) -> Inputs:
    bars = bars_of(candles)
    lower = lower_timeframes(bars.time_ns, (None, None), settings, 0)
    return Inputs(bars, lower, settings)


def columns_of(indicator: Indicator, candles: DataFrame) -> dict[str, FloatArray]:
    scores = indicator.score(inputs_of(candles))
    return {"long": scores.long, "short": scores.short, **scores.raw}


def assert_prefix_causal(
    function: Callable[[DataFrame], Mapping[str, FloatArray]],
    candles: DataFrame,
    prefixes: tuple[int, ...] = PREFIXES,
) -> None:
    whole = function(candles)
    for stop in prefixes:
        for name, values in function(candles.iloc[:stop]).items():
            np.testing.assert_array_equal(
                values, whole[name][:stop], err_msg=f"{name} changes when cut at {stop}"
            )


class PeekingIndicator(Indicator):
    """Looks one candle ahead: the causality check must catch it."""

    name: ClassVar[str] = "peeking"

    def first_known(self, settings: TechnicalSettings) -> int:
        return 0

    def lookback(self, settings: TechnicalSettings) -> int:
        return 0

    def value_columns(self, settings: TechnicalSettings) -> tuple[str, ...]:
        return ()

    def score(self, inputs: Inputs) -> Scores:
        tomorrow = np.append(inputs.close[1:], np.nan)
        return one_sided(np.where(tomorrow > inputs.close, 90.0, 10.0), {})

    def reason(self, row: Mapping[str, Any], side: Side, settings: TechnicalSettings) -> str:
        return "knows tomorrow"


class PeekingPattern(Pattern):
    """Uses the mean of the whole series, today's as well as tomorrow's."""

    name: ClassVar[str] = "peeking"

    def first_known(self, settings: TechnicalSettings) -> int:
        return 0

    def lookback(self, settings: TechnicalSettings) -> int:
        return 0

    def confidence(self, view: Any) -> FloatArray:
        return np.where(view.close > view.close.mean(axis=1, keepdims=True), 50.0, 0.0)


@pytest.mark.parametrize("seed", [0, 1])
@indicators
def test_indicator_is_prefix_causal_to_the_bit(indicator: Indicator, seed: int) -> None:
    assert_prefix_causal(lambda df: columns_of(indicator, df), random_candles(ROWS, seed=seed))


@patterns
def test_pattern_is_prefix_causal_to_the_bit(pattern: Pattern) -> None:
    def signed(candles: DataFrame) -> dict[str, FloatArray]:
        inputs = inputs_of(candles)
        return {pattern.name: pattern.signed(inputs), **pattern.values(inputs)}

    assert_prefix_causal(signed, random_candles(ROWS, seed=3))


def test_causality_check_catches_a_planted_look_ahead() -> None:
    candles = random_candles(ROWS)
    with pytest.raises(AssertionError, match="changes when cut"):
        assert_prefix_causal(lambda df: columns_of(PeekingIndicator(), df), candles)
    with pytest.raises(AssertionError, match="changes when cut"):
        assert_prefix_causal(
            lambda df: {"peeking": PeekingPattern().signed(inputs_of(df))}, candles
        )


def test_whole_layer_is_prefix_causal_with_all_timeframes() -> None:
    frames = market(150)
    candles = frames[15]

    def layer(candles_15m: DataFrame) -> dict[str, FloatArray]:
        # As live: no candle of any timeframe that closes after the last 15m close is there yet.
        end = candles_15m["date"].iloc[-1] + pd.Timedelta(minutes=15)
        lower = [
            frames[minutes][frames[minutes]["date"] + pd.Timedelta(minutes=minutes) <= end]
            for minutes in (5, 1)
        ]
        frame = technical_layer(candles_15m, *lower)
        return {str(name): frame[name].to_numpy() for name in frame.columns}

    assert_prefix_causal(layer, candles, (60, 203, 311, 404, 405, 406, 407, 555, 599))


@indicators
def test_indicator_keeps_length_and_input(indicator: Indicator) -> None:
    candles = random_candles(ROWS)
    before = candles.copy(deep=True)
    columns = columns_of(indicator, candles)
    assert {values.shape for values in columns.values()} == {(ROWS,)}
    pd.testing.assert_frame_equal(candles, before)


@indicators
def test_indicator_gives_its_declared_raw_columns(indicator: Indicator) -> None:
    raw = indicator.score(inputs_of(random_candles(50))).raw
    assert tuple(raw) == indicator.value_columns(SETTINGS)


@patterns
def test_pattern_gives_its_declared_raw_columns(pattern: Pattern) -> None:
    values = pattern.values(inputs_of(random_candles(50)))
    assert tuple(values) == pattern.value_columns(SETTINGS)


@indicators
def test_indicator_is_deterministic_and_finite_and_in_range(indicator: Indicator) -> None:
    candles = random_candles(ROWS, seed=5)
    first, second = columns_of(indicator, candles), columns_of(indicator, candles)
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])
        assert not np.isinf(values).any(), name
    for side in ("long", "short"):
        known = first[side][~np.isnan(first[side])]
        assert known.min() >= 0.0
        assert known.max() <= 100.0


@indicators
def test_indicator_is_known_exactly_from_its_declared_row_on(indicator: Indicator) -> None:
    scores = indicator.score(inputs_of(random_candles(ROWS)))
    first = indicator.first_known(SETTINGS)
    assert np.isnan(scores.long[:first]).all()
    assert not np.isnan(scores.long[first:]).any()
    np.testing.assert_array_equal(np.isnan(scores.short), np.isnan(scores.long))


@patterns
def test_pattern_is_known_exactly_from_its_declared_row_on(pattern: Pattern) -> None:
    signed = pattern.signed(inputs_of(random_candles(ROWS)))
    first = pattern.first_known(SETTINGS)
    assert np.isnan(signed[:first]).all()
    assert not np.isnan(signed[first:]).any()


@indicators
def test_indicator_look_back_settles_what_came_before(indicator: Indicator) -> None:
    # Two histories that end in the same candles agree once the declared look-back has passed.
    needed = indicator.lookback(SETTINGS)
    candles = random_candles(needed + 500, seed=7)
    whole = indicator.score(inputs_of(candles))
    late = indicator.score(inputs_of(candles.iloc[300:].reset_index(drop=True)))
    difference = np.abs(whole.long[300 + needed :] - late.long[needed:])
    assert not np.isnan(difference).any()
    assert np.mean(difference > 0.1) < 0.01


@indicators
def test_indicator_look_back_covers_its_warm_up(indicator: Indicator) -> None:
    assert indicator.lookback(SETTINGS) >= indicator.first_known(SETTINGS)


@patterns
def test_pattern_look_back_covers_its_warm_up(pattern: Pattern) -> None:
    assert pattern.lookback(SETTINGS) >= pattern.first_known(SETTINGS)


@indicators
def test_indicator_takes_a_side_or_supports_both_alike(indicator: Indicator) -> None:
    scores = indicator.score(inputs_of(random_candles(1500, seed=2)))
    known = ~np.isnan(scores.long)
    taking = taking_side(np.array([[scores.long, scores.short]]))[0].any(axis=0)
    np.testing.assert_allclose(scores.long[taking] + scores.short[taking], 100.0)
    neither = known & ~taking
    np.testing.assert_array_equal(scores.long[neither], scores.short[neither])
    assert taking.any() != indicator.direction_free


@indicators
def test_indicator_mirrors(indicator: Indicator) -> None:
    # Two measure in per cent of price, which the mirror changes a little.
    candles = random_candles(900, seed=4, price=1000.0, volatility=0.0005)
    scores = indicator.score(inputs_of(candles))
    mirror = indicator.score(inputs_of(mirrored(candles)))
    in_per_cent = indicator.name in {"support_resistance", "bollinger"}
    known = slice(indicator.first_known(SETTINGS), None)
    for one, other in ((mirror.long, scores.short), (mirror.short, scores.long)):
        differs = np.abs(one[known] - other[known]) > (3.0 if in_per_cent else 1e-6)
        assert differs.mean() < (0.01 if in_per_cent else 1e-12)


@patterns
def test_pattern_mirrors_and_occurs_on_both_sides(pattern: Pattern) -> None:
    candles = random_candles(6000, seed=4, price=1000.0, volatility=0.0005)
    signed = pattern.signed(inputs_of(candles))
    mirror = pattern.signed(inputs_of(mirrored(candles)))
    np.testing.assert_allclose(mirror, -signed, atol=1e-6)
    assert (signed > 0).any()
    assert (signed < 0).any()
    assert np.nanmax(np.abs(signed)) <= 100.0


@pytest.mark.parametrize("factor", [1e-9, 1e-5, 1e9])
def test_layer_does_not_depend_on_the_price_unit(factor: float) -> None:
    candles = random_candles(ROWS, seed=6)
    prices = ["open", "high", "low", "close"]
    scaled = candles.assign(**{name: candles[name] * factor for name in prices})
    base, other = technical_layer(candles), technical_layer(scaled)
    in_price = {
        *("vwap", "macd", "macd_signal", "macd_hist", "bb_upper", "bb_lower", "bb_mid"),
        *("support", "resistance", "fvg_top", "fvg_bottom", "atr_14"),
        *("ema_9", "ema_21", "ema_50", "ema_200"),
    }
    for name in base.columns:
        expected = base[name] * (factor if name in in_price else 1.0)
        np.testing.assert_allclose(
            other[name] / (factor if name in in_price else 1.0),
            expected / (factor if name in in_price else 1.0),
            rtol=1e-6,
            atol=1e-6,
            err_msg=str(name),
        )


@pytest.mark.parametrize("each", [*INDICATORS, *PATTERNS], ids=lambda each: each.name)
def test_listed_objects_are_picklable(each: Any) -> None:
    copy = pickle.loads(pickle.dumps(each))  # noqa: S301
    assert type(copy) is type(each)


@pytest.mark.parametrize(
    ("package", "base", "listed"),
    [(indicators_package, Indicator, INDICATORS), (patterns_package, Pattern, PATTERNS)],
    ids=["indicators", "patterns"],
)
def test_every_file_is_listed(package: Any, base: type, listed: tuple[Any, ...]) -> None:
    files = {path.stem for path in Path(package.__file__).parent.glob("*.py")}
    found = set()
    for name in files - {"__init__", "base"}:
        module = import_module(f"{package.__name__}.{name}")
        own = [
            kind
            for kind in vars(module).values()
            if isinstance(kind, type)
            and issubclass(kind, base)
            and kind.__module__ == module.__name__
        ]
        assert len(own) == 1, f"{name}.py must define exactly one {base.__name__}"
        assert own[0].name == name
        found.add(own[0])
    assert found == {type(each) for each in listed}
    assert len(listed) == len(found)


def test_every_indicator_has_a_weight() -> None:
    assert set(IndicatorWeights.model_fields) == {indicator.name for indicator in INDICATORS}


def test_start_up_covers_every_declared_look_back() -> None:
    longer = Settings.model_validate({"technical": {"ema": {"long": 400}}})
    for settings in (Settings(), longer):
        declared = [each.lookback(settings.technical) for each in (*INDICATORS, *PATTERNS)]
        assert lookback(settings) >= max(declared)
    assert lookback(longer) > lookback()


def test_start_up_of_the_specification() -> None:
    # The 1h EMA of 50 is the slowest: 50 hours seed it, and (49 / 51) ** k < 1e-4 after 231 more.
    # The data may start a candle into an hour: three candles are lost, the last row is the 4th.
    assert (49 / 51) ** 230 > 1e-4 > (49 / 51) ** 231
    assert lookback() == 3 + 4 * (50 + 231) - 1


def test_layer_is_frame_score_and_setup_in_one() -> None:
    frames = market(100)
    layer = technical_layer(frames[15], frames[5], frames[1])
    frame = technical_frame(frames[15], frames[5], frames[1])
    expected = pd.concat((frame, technical_score(frame), top_setup(frame)), axis=1)
    pd.testing.assert_frame_equal(layer, expected)
    assert tuple(frame.columns) == technical_columns(SETTINGS)
    assert layer.columns.is_unique


def test_layer_keeps_index_and_candles() -> None:
    candles = random_candles(300)
    candles.index = pd.Index(range(1000, 1300))
    before = candles.copy(deep=True)
    layer = technical_layer(candles)
    pd.testing.assert_index_equal(layer.index, candles.index)
    pd.testing.assert_frame_equal(candles, before)
    assert not set(layer.columns) & set(candles.columns)


def test_codes_are_small_integers_and_the_rest_floats() -> None:
    layer = technical_layer(random_candles(300))
    counts = {"ta_direction", "ta_agreeing_long", "ta_agreeing_short", "setup_long", "setup_short"}
    assert {str(name) for name in layer.columns if layer[name].dtype == np.int8} == counts
    assert {str(name) for name in layer.columns if layer[name].dtype == np.float64} == (
        set(layer.columns) - counts
    )
    assert layer["setup_long"].max() < len(SETUP_NAMES)
