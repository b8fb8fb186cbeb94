"""What every on-chain component must hold, checked over the explicit list."""

from importlib import import_module
from pathlib import Path

import pytest

import external_layers.onchain as onchain_package
from external_layers.onchain import COMPONENTS, LAYER, OnChainComponent
from external_layers.onchain.state import OnChainState
from external_layers.sources.facts import MARKET, STABLECOIN_SUPPLY
from scalp_strategy.contract import MARKET_WIDE, Component, combine, from_wire, to_wire
from scalp_strategy.setting_groups.layer_rules import onchain_rules
from scalp_strategy.setting_groups.onchain import OnChainSettings
from scalp_strategy.settings import Settings
from tests.unit.external_layers.onchain.chain_facts import (
    HOUR_MS,
    MILLION,
    MINUTE_MS,
    START_MS,
    as_text,
    deal,
    deposit,
    looks,
    reading,
    told,
    withdrawal,
)

SETTINGS = OnChainSettings()
PAIR = "BTC/USDT:USDT"
PAIRS = {PAIR: "BTC", "SOL/USDT:USDT": "SOL"}
END_MS = START_MS + 30 * HOUR_MS

# Files that are no component: what these are built from.
PARTS = {
    "chains",
    "hourly",
    "inputs",
    "move_window",
    "notes",
    "reading_facts",
    "saved",
    "state",
    "watch",
    "words",
}

components = pytest.mark.parametrize("component", COMPONENTS, ids=lambda each: each.name)

FACTS = [
    *looks("BTC", START_MS, END_MS),
    *looks("USDT", START_MS, END_MS),
    *looks("BTC", START_MS, END_MS, "smart_trades"),
    *(deposit("USDT", 3 * MILLION, START_MS + each * HOUR_MS) for each in range(30)),
    *(withdrawal("BTC", 4 * MILLION, START_MS + each * HOUR_MS) for each in range(30)),
    deposit("USDT", 9 * MILLION, END_MS - MINUTE_MS),
    withdrawal("BTC", 9 * MILLION, END_MS - 2 * MINUTE_MS),
    deal("BTC", "0x1", END_MS - 3 * MINUTE_MS),
    reading(STABLECOIN_SUPPLY, MARKET, 2.5e11, START_MS),
]


def of_pair(found: list[Component], name: str, pair: str = PAIR) -> list[Component]:
    return [one for one in found if one.name == name and one.pair in (pair, MARKET_WIDE)]


def test_components_are_the_weights_in_their_order() -> None:
    names = [component.name for component in COMPONENTS]
    assert names == list(type(SETTINGS.weights).model_fields)
    assert names == [rule.name for rule in onchain_rules(Settings()).components]


def test_every_file_is_listed() -> None:
    folder = Path(onchain_package.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    rules = [rule for each in COMPONENTS for rule in (each.coin, each.stablecoins) if rule]
    listed = {rule.__module__.rpartition(".")[2] for rule in rules}
    assert files - PARTS == listed, "a component is missing from COMPONENTS"
    assert files >= PARTS, "a part that no longer exists"
    for name in files:
        assert import_module(f"external_layers.onchain.{name}").__doc__


@components
def test_a_component_speaks_for_tokens_or_for_stablecoins(component: OnChainComponent) -> None:
    assert (component.coin is None) != (component.stablecoins is None)


@components
def test_never_told_is_unknown(component: OnChainComponent) -> None:
    found = OnChainState(SETTINGS).components(PAIRS, START_MS)
    assert all(one.pair == MARKET_WIDE for one in found)
    for one in of_pair(found, component.name):
        assert not one.is_known
        assert (one.reason, one.flags) == ("", ())
        assert one.observed_at_ms == one.available_at_ms == START_MS


@components
def test_known_from_all_facts_and_on_the_wire(component: OnChainComponent) -> None:
    found = of_pair(told(FACTS).components(PAIRS, END_MS), component.name)
    assert found
    for one in found:
        assert one.is_known
        assert one.layer == LAYER
        assert one.long + one.short == pytest.approx(100.0)
        assert one.long > 50.0
        assert one.reason
        assert END_MS - 5 * MINUTE_MS < one.observed_at_ms <= one.available_at_ms == END_MS
        assert from_wire(to_wire(one)) == one


@components
def test_other_tokens_say_nothing_of_a_pair_whose_token_nobody_watches(
    component: OnChainComponent,
) -> None:
    found = of_pair(told(FACTS).components(PAIRS, END_MS), component.name, "SOL/USDT:USDT")
    assert [one.pair for one in found] == [MARKET_WIDE] * (component.stablecoins is not None)


@components
def test_nothing_lasts_once_nobody_looks(component: OnChainComponent) -> None:
    later = END_MS + SETTINGS.watched_max_age_s * 1_000 + 1
    found = of_pair(told(FACTS).components(PAIRS, later), component.name)
    assert found
    assert not any(one.is_known for one in found)


@pytest.mark.parametrize("hours", [0, 1, 7, 25, 29])
def test_no_fact_from_after_now_is_used(hours: int) -> None:
    now = START_MS + hours * HOUR_MS + 5 * MINUTE_MS
    alone = told(fact for fact in FACTS if fact.available_at_ms <= now)
    found = told(FACTS).components(PAIRS, now)
    assert as_text(found) == as_text(alone.components(PAIRS, now))
    assert all(one.observed_at_ms <= now == one.available_at_ms for one in found)


def test_asking_twice_changes_nothing() -> None:
    state = told(FACTS)
    assert as_text(state.components(PAIRS, END_MS)) == as_text(state.components(PAIRS, END_MS))


def test_the_layer_combines_and_fades() -> None:
    found = [
        one for one in told(FACTS).components(PAIRS, END_MS) if one.pair in (PAIR, MARKET_WIDE)
    ]
    rules = onchain_rules(Settings())
    score = combine(found, rules, END_MS)
    assert score.reliability == 1.0
    assert score.long > 70.0
    assert score.short < 30.0
    assert set(score.ages_s) == {component.name for component in COMPONENTS}
    assert score.reasons[0].startswith("BTC net outflow")
    ages = [(4, 1.0), (6, 0.7), (16, 0.4), (40, 0.2), (240, 0.2)]
    for minutes, reliability in ages:
        later = combine(found, rules, END_MS - MINUTE_MS + minutes * MINUTE_MS)
        assert later.long <= score.long
        assert later.short == score.short  # opposition does not fade
        assert later.reliability <= reliability + 1e-9
    old = combine(found, rules, END_MS + 239 * MINUTE_MS)
    assert old.reliability == pytest.approx(0.2)
    assert old.long == pytest.approx(50.0 + 0.2 * (score.long - 50.0))
