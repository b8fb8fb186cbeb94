"""What every order-flow component must hold, checked over the explicit list."""

import pickle
from importlib import import_module
from pathlib import Path

import pytest

import external_layers.orderflow as orderflow_package
from external_layers.binance.messages import DepthUpdate
from external_layers.orderflow import COMPONENTS, LAYER, FlowComponent, unknowable
from external_layers.orderflow.pair_flow import PairFlow, memory_s
from scalp_strategy.contract import Component, combine, from_wire, to_wire
from scalp_strategy.setting_groups.layer_rules import orderflow_rules
from scalp_strategy.setting_groups.orderflow import OrderFlowSettings
from scalp_strategy.settings import Settings
from tests.unit.external_layers.orderflow.messages import (
    START_MS,
    Event,
    PlainBook,
    depth,
    liquidation,
    mark,
    open_interest,
    taker_bar,
    trade,
    update,
)

SETTINGS = OrderFlowSettings(min_trades=5)
PAIR = "SOL/USDT:USDT"
FEEDS = ("trades", "taker_bars", "depth", "book", "mark_price", "open_interest", "liquidations")
MINUTE_MS = 60_000

# Files that are no component and no detector: what these are built from.
PARTS = {
    "book_scan",
    "book_watch",
    "coverage",
    "flow_window",
    "liquidation_map",
    "open_interest_history",
    "pair_flow",
    "slow_mean",
    "state",
    "vanishing_watch",
}

components = pytest.mark.parametrize("component", COMPONENTS, ids=lambda each: each.name)


def market(feeds: tuple[str, ...], minutes: int = 20) -> list[Event]:
    """Return a steady market of some feeds, twenty minutes of it."""
    events: list[Event] = []
    for second in range(minutes * 60):
        at = START_MS + second * 1_000
        price = 100.0 + second * 0.001
        bids = [(round(price - 0.01 * (each + 1), 4), 6.0) for each in range(20)]
        asks = [(round(price + 0.01 * (each + 1), 4), 3.0) for each in range(20)]
        made: dict[str, Event] = {"trades": trade(at, price, 1.0, buy=second % 3 > 0)}
        if second % 60 == 0:
            made["taker_bars"] = taker_bar(at - MINUTE_MS, at, 30.0, 10.0, price)
            made["open_interest"] = open_interest(at, 1_000.0 + second)
            made["mark_price"] = mark(at, 0.04)
            made["liquidations"] = liquidation(at, 0.01, buy=True)
        if second % 5 == 0:
            made["depth"] = depth(at, bids, asks)
            made["book"] = update(at, bids, asks)
        events += [made[feed] for feed in feeds if feed in made]
    return events


def flow_of(events: list[Event], flow: PairFlow | None = None) -> PairFlow:
    flow = flow or PairFlow(PAIR, SETTINGS)
    handlers = {
        "AggTrade": flow.on_trade,
        "TakerBar": flow.on_taker_bar,
        "DepthSnapshot": flow.on_depth,
        "MarkPrice": flow.on_mark_price,
        "OpenInterest": flow.on_open_interest,
        "Liquidation": flow.on_liquidation,
    }
    for event in events:
        if isinstance(event, DepthUpdate):
            flow.on_book(PlainBook(dict(event.bids), dict(event.asks)), event)
        else:
            handlers[type(event).__name__](event)
    return flow


def time_of(event: Event) -> int:
    for name in ("time_ms", "close_ms", "event_ms"):
        if hasattr(event, name):
            return getattr(event, name) - (name == "close_ms")
    raise AssertionError(event)


ALL = market(FEEDS[:1] + FEEDS[2:])
END_MS = START_MS + 20 * MINUTE_MS - 1


def test_components_are_the_weights_in_their_order() -> None:
    names = [component.name for component in COMPONENTS]
    assert names == list(type(SETTINGS.weights).model_fields)
    assert names == [one.name for one in PairFlow(PAIR, SETTINGS).components(START_MS)]


def test_every_file_is_listed() -> None:
    folder = Path(orderflow_package.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    rules = [component.rule for component in COMPONENTS]
    rules += [modifier for component in COMPONENTS for modifier in component.modifiers]
    listed = {rule.__module__.rpartition(".")[2] for rule in rules}
    assert files - PARTS == listed, "a component or a detector is missing from COMPONENTS"
    assert files >= PARTS, "a part that no longer exists"
    for name in files:
        assert import_module(f"external_layers.orderflow.{name}").__doc__


@components
def test_never_fed_is_unknown(component: FlowComponent) -> None:
    found = by_name(PairFlow(PAIR, SETTINGS).components(START_MS))[component.name]
    assert not found.is_known
    assert found.reason == ""
    assert found.flags == ()
    assert found.observed_at_ms == found.available_at_ms == START_MS


@components
def test_known_from_all_feeds_and_on_the_wire(component: FlowComponent) -> None:
    found = by_name(flow_of(ALL).components(END_MS))[component.name]
    assert found.is_known
    assert found.layer == LAYER
    assert found.pair == PAIR
    assert found.observed_at_ms <= found.available_at_ms == END_MS
    assert from_wire(to_wire(found)) == found


@pytest.mark.parametrize(
    "feeds",
    [(feed,) for feed in FEEDS]
    + [FEEDS[:1] + FEEDS[2:], ("taker_bars", "open_interest", "mark_price"), ("trades", "book")],
    ids="+".join,
)
def test_unknowable_tells_the_truth(feeds: tuple[str, ...]) -> None:
    found = flow_of(market(feeds)).components(END_MS)
    assert tuple(one.name for one in found if not one.is_known) == unknowable(feeds)


@pytest.mark.parametrize("cut_s", [0, 59, 60, 299, 305, 640, 901, 1_199])
def test_no_event_after_now_is_used(cut_s: int) -> None:
    """Whoever asks in between gets what a run that ends there says."""
    now = START_MS + cut_s * 1_000
    asked: list[Component] = []
    flow = PairFlow(PAIR, SETTINGS)
    for event in ALL:
        if time_of(event) > now and not asked:
            asked = flow.components(now)
        flow_of([event], flow)
    asked = asked or flow.components(now)
    alone = flow_of([event for event in ALL if time_of(event) <= now])
    assert as_text(asked) == as_text(alone.components(now))
    assert all(one.observed_at_ms <= now for one in asked)


@components
def test_an_event_ahead_of_now_delays_what_rests_on_it(component: FlowComponent) -> None:
    found = by_name(flow_of(ALL).components(START_MS + 10))[component.name]
    newest = max(time_of(event) for event in ALL)
    assert found.available_at_ms == newest
    assert found.observed_at_ms <= newest


def test_state_pickles_and_repeats_itself() -> None:
    middle = len(ALL) // 2
    whole = flow_of(ALL)
    half = flow_of(ALL[:middle])
    resumed = flow_of(ALL[middle:], pickle.loads(pickle.dumps(half)))  # noqa: S301 - our own state
    assert as_text(whole.components(END_MS)) == as_text(resumed.components(END_MS))
    assert as_text(whole.components(END_MS)) == as_text(whole.components(END_MS))


def test_older_history_than_its_memory_changes_nothing() -> None:
    settings = OrderFlowSettings(
        window_s=60,
        min_trades=5,
        open_interest_window_s=120,
        liquidation_memory_s=120,
        liquidation_slice_s=60,
    )
    events = market(("trades", "open_interest", "mark_price", "liquidations"))
    start = END_MS - memory_s(settings) * 1_000
    recent = [event for event in events if time_of(event) >= start]
    assert len(recent) < len(events) // 2
    whole = flow_of(events, PairFlow(PAIR, settings)).components(END_MS)
    alone = flow_of(recent, PairFlow(PAIR, settings)).components(END_MS)
    assert as_text(whole) == as_text(alone)


def test_the_layer_combines() -> None:
    rules = orderflow_rules(Settings(orderflow=SETTINGS))
    found = flow_of(ALL).components(END_MS)
    score = combine(found, rules, END_MS)
    assert score.reliability == 1.0
    assert score.long > 50.0 > score.short
    assert score.reasons
    assert set(score.ages_s) == {component.name for component in COMPONENTS}


def by_name(found: list[Component]) -> dict[str, Component]:
    return {one.name: one for one in found}


def as_text(found: list[Component]) -> str:
    return repr(found)  # NaN equals NaN, floats to the last digit
