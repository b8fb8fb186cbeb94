"""What every sentiment component must hold, checked over the explicit list."""

from importlib import import_module
from pathlib import Path

import pytest

import external_layers.sentiment as sentiment_package
from external_layers.sentiment import COMPONENTS, LAYER, SentimentComponent
from external_layers.sentiment.inputs import Inputs, Moment
from external_layers.sentiment.state import SentimentState
from scalp_strategy.contract import CANDLE_MS, MARKET_WIDE, combine, from_wire, to_wire
from scalp_strategy.setting_groups.layer_rules import sentiment_rules
from tests.unit.external_layers.sentiment.told import (
    HOUR_MS,
    PAIRS,
    SETTINGS,
    START_MS,
    looked,
    reading,
    slope,
    told,
)

# Files that are no component: what these are built from, and what the sources read texts with.
PARTS = {
    "fact_json",
    "hourly",
    "inputs",
    "macro_moves",
    "mentions",
    "readings",
    "regime_watch",
    "state",
    "stories",
    "trend",
    "words",
}
TEXT_READERS = {"names", "polarity", "polarity_words", "token_names"}
NOW_MS = START_MS + 12 * HOUR_MS
ALL = [
    reading("fear_greed", 20.0, START_MS),
    *(reading("btc_dominance", 60.0 - age / 100, NOW_MS - age * CANDLE_MS) for age in range(110)),
    *(reading("total_cap", 3e12, NOW_MS - age * CANDLE_MS) for age in range(110)),
    *(reading("sp500_now", 5_000.0, NOW_MS - each * HOUR_MS, "yahoo_chart") for each in (0, 1)),
    *(looked(NOW_MS - each * HOUR_MS) for each in range(30)),
]
SHELF = {"BTC": slope(2.0, 5, NOW_MS)}

components = pytest.mark.parametrize("component", COMPONENTS, ids=lambda each: each.name)


def settled() -> SentimentState:
    state = told(ALL)
    for at_ms in range(NOW_MS - HOUR_MS, NOW_MS + 1, CANDLE_MS):
        state.components(PAIRS, SHELF, at_ms)
    return state


def test_components_are_the_weights_in_their_order() -> None:
    names = [component.name for component in COMPONENTS]
    assert names == list(type(SETTINGS.sentiment.weights).model_fields)
    found = SentimentState(SETTINGS).components({}, {}, START_MS)
    assert [(one.name, one.pair) for one in found] == [(name, MARKET_WIDE) for name in names]


def test_every_file_is_listed() -> None:
    folder = Path(sentiment_package.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    listed = {component.rule.__module__.rpartition(".")[2] for component in COMPONENTS}
    assert files - PARTS - TEXT_READERS == listed, "a component is missing from COMPONENTS"
    assert files >= PARTS, "a part that no longer exists"
    for name in files:
        assert import_module(f"external_layers.sentiment.{name}").__doc__


@components
def test_never_fed_is_unknown(component: SentimentComponent) -> None:
    for one in SentimentState(SETTINGS).components(PAIRS, {}, START_MS):
        if one.name == component.name:
            assert not one.is_known
            assert (one.reason, one.flags) == ("", ())
            assert one.observed_at_ms == one.available_at_ms == START_MS


@components
def test_known_from_all_sources_and_on_the_wire(component: SentimentComponent) -> None:
    found = [
        one for one in settled().components(PAIRS, SHELF, NOW_MS) if one.name == component.name
    ]
    assert found
    for one in found:
        assert one.is_known
        assert one.layer == LAYER
        assert one.observed_at_ms <= one.available_at_ms == NOW_MS
        assert from_wire(to_wire(one)) == one


@components
def test_speaks_of_the_same_pairs_whatever_is_known(component: SentimentComponent) -> None:
    # A pair's own row wins however old it is, so that it must be renewed for ever.
    nothing = component.rule(Inputs(SETTINGS), Moment(NOW_MS, PAIRS, {}))
    known = [
        one for one in settled().components(PAIRS, SHELF, NOW_MS) if one.name == component.name
    ]
    assert list(nothing) == [one.pair for one in known]
    assert MARKET_WIDE in nothing


def test_the_layer_is_whole_when_everything_is_known() -> None:
    found = settled().components(PAIRS, SHELF, NOW_MS)
    for pair in PAIRS:
        own = [one for one in found if one.pair in (pair, MARKET_WIDE)]
        score = combine(own, sentiment_rules(SETTINGS), NOW_MS)
        assert score.reliability == 1.0
        # Fear & greed 78 and 22, the rest of the weight: 50 and 50.
        assert (score.long, score.short) == pytest.approx((0.2 * 78 + 40, 0.2 * 22 + 40))
