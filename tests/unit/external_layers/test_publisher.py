"""Scores on the grid, each made, kept and at hand at one instant."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from external_layers.market_watch import MarketWatch
from external_layers.publisher import Publisher, next_grid_ms
from external_layers.timeline import Timeline
from scalp_strategy.contract import CANDLE_MS, Component
from scalp_strategy.errors import ContractViolation
from scalp_strategy.settings import Settings, with_overrides
from tests.unit.external_layers.frames import trade
from tests.unit.external_layers.sidecar_parts import BTC, ETH, START, Clock

STEPS = [step for step in range(1, 901) if 900 % step == 0]


@given(
    now_ms=st.integers(1_600_000_000_000, 1_900_000_000_000),
    step_s=st.sampled_from(STEPS),
    lead_ms=st.integers(0, 999),
)
def test_the_next_instant_is_the_first_one_after_now(now_ms: int, step_s: int, lead_ms: int):
    changes = {"sidecar.publish_s": step_s, "sidecar.publish_lead_ms": lead_ms}
    settings = with_overrides(Settings(), changes)
    found = next_grid_ms(now_ms, settings)
    assert now_ms < found <= now_ms + step_s * 1_000
    assert (found + lead_ms) % (step_s * 1_000) == 0


@pytest.mark.parametrize(
    ("now_ms", "expected"),
    [(-501, -500), (-500, 14_500), (-1, 14_500), (0, 14_500), (14_499, 14_500), (14_500, 29_500)],
)
def test_a_close_finds_scores_made_half_a_second_before(now_ms: int, expected: int) -> None:
    assert next_grid_ms(START + now_ms, Settings()) == START + expected


class Kept(list[Component]):
    """An archive in memory that refuses a pair."""

    refused = ""

    def append(self, components) -> None:  # type: ignore[override]
        if any(one.pair == self.refused for one in components):
            raise ContractViolation(self.refused)
        self.extend(components)


class Made:
    """A publisher of two pairs."""

    def __init__(self) -> None:
        self.clock, self.kept = Clock(START), Kept()
        self.watch, self.timeline = MarketWatch("futures", Settings()), Timeline(86_400)
        self.watch.watch({"BTCUSDT": BTC, "ETHUSDT": ETH})
        self.publisher = Publisher(self.watch, self.timeline, self.kept, self.clock.now_ms)

    def publish(self) -> list[Component]:
        return asyncio.run(self.publisher.publish())


def test_what_is_made_is_kept_and_at_hand_alike() -> None:
    made = Made()
    rows = made.publish()
    assert rows == list(made.kept)
    assert {one.pair for one in rows} == {BTC, ETH}
    assert all(one.available_at_ms == START for one in rows)
    assert made.timeline.as_of(BTC, START) == [one for one in rows if one.pair == BTC]
    assert made.publisher.published_ms == START


def test_an_event_ahead_of_the_clock_is_known_when_it_happens() -> None:
    made = Made()
    made.watch.on_frame("futures", trade("BTCUSDT", 1, START + 400), START)
    made.publish()
    assert made.timeline.as_of(BTC, START + 399) == []
    assert {one.available_at_ms for one in made.timeline.as_of(BTC, START + 400)} == {START + 400}


@pytest.mark.parametrize("refused", [BTC, ETH])
def test_one_pairs_trouble_does_not_silence_the_others(refused: str) -> None:
    made = Made()
    made.kept.refused = refused
    with pytest.raises(ContractViolation):
        made.publish()
    other = ETH if refused == BTC else BTC
    assert {one.pair for one in made.kept} == {other}
    assert made.timeline.pairs == [other]


def test_a_day_of_scores_leaves_one_set_a_close() -> None:
    made = Made()
    made.timeline = Timeline(3_600)
    made.publisher = Publisher(made.watch, made.timeline, Kept(), made.clock.now_ms)
    for _ in range(600):
        made.clock.ms = next_grid_ms(made.clock.ms, Settings())
        made.publish()
    span = made.timeline.last_words(BTC, START, made.clock.ms)
    assert len(span) <= 6 * (3_600_000 // CANDLE_MS + 2)
