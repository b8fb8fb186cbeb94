"""What holds for any stream of facts: nothing of the future, however often it is asked."""

import random

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from external_layers.sentiment.readings import History
from external_layers.sentiment.state import SentimentState
from external_layers.sources.facts import SERIES, Fact, Mentions, Reading, Story, Watched
from scalp_strategy.contract import CANDLE_MS, Component
from tests.unit.external_layers.sentiment.told import (
    DAY_MS,
    PAIRS,
    SETTINGS,
    START_MS,
    cut,
    random_candles,
    random_facts,
    settings,
    told,
)

HOURS = 72
relaxed = examples(max_examples=60, deadline=None)
# Short memories, so that everything fills and changes within three days.
QUICK = settings(
    social_min_hours=6,
    regime_confirm_s=1_800,
    regime_window_s=3_600,
    social_mean_days=1,
    social_mean_floor=0.1,
)


def asked(state: SentimentState, at_ms: int, whole: dict) -> list[Component]:
    shelves = {token: cut(shelf, at_ms) for token, shelf in whole.items()}
    return state.components(PAIRS, shelves, at_ms)


def world(seed: int) -> tuple[list[Fact], dict]:
    whole = {"BTC": random_candles(seed, HOURS, 0.004), "SOL": random_candles(seed + 9, HOURS)}
    return random_facts(seed, HOURS), whole


@pytest.mark.parametrize("seed", range(4))
def test_the_future_changes_nothing(seed: int) -> None:
    facts, whole = world(seed)
    chance = random.Random(seed)
    state = told(facts, QUICK)
    said: set[tuple[str, float]] = set()
    for step in range(1, HOURS * 4, 3):
        at_ms = START_MS + step * CANDLE_MS
        found = asked(state, at_ms, whole)
        said |= {(one.name, round(one.long)) for one in found if one.is_known}
        assert all(one.observed_at_ms <= one.available_at_ms == at_ms for one in found)
        if chance.random() < 0.1:
            known = [fact for fact in facts if fact.available_at_ms <= at_ms]
            alone, closes = told(known, QUICK), range(START_MS + CANDLE_MS, at_ms + 1, CANDLE_MS)
            for each in closes[(step - 1) % 3 :: 3]:
                last = asked(alone, each, whole)
            assert repr(last) == repr(found)
    assert len(said) > 40


@pytest.mark.parametrize("seed", range(4))
def test_asked_often_pruned_often_says_the_same_at_closes(seed: int) -> None:
    facts, whole = world(seed)
    chance = random.Random(seed)
    seldom, often = told(facts, QUICK), SentimentState(QUICK)
    waiting = list(facts)
    regimes = set()
    for step in range(1, HOURS * 4):
        close_ms = START_MS + step * CANDLE_MS
        for at_ms in sorted(chance.randrange(close_ms - CANDLE_MS, close_ms) for _ in range(6)):
            while waiting and waiting[0].available_at_ms <= at_ms:
                often.add([waiting.pop(0)])
            asked(often, at_ms, whole)
            if chance.random() < 0.2:
                often.prune(at_ms)
        while waiting and waiting[0].available_at_ms <= close_ms:
            often.add([waiting.pop(0)])
        found = asked(seldom, close_ms, whole)
        assert repr(asked(often, close_ms, whole)) == repr(found)
        regimes |= {one.flags for one in found if one.name == "market_regime"}
    assert len(regimes) > 2


LATEST = 40
times = st.integers(0, LATEST)


@relaxed
@given(
    st.lists(st.tuples(times, times, st.sampled_from([1.0, 2.0, 3.0])), max_size=30), times, times
)
def test_history_is_what_a_plain_search_finds(
    rows: list[tuple[int, int, float]], at_ms: int, until_ms: int
) -> None:
    rows = sorted(rows, key=lambda row: row[1])  # in order of availability
    history = History()
    for row in rows:
        history.add(*row)
    latest = {
        observed: value
        for observed, available, value in rows
        if available <= at_ms and observed <= until_ms
    }
    found = list(history.backwards(at_ms, until_ms))
    assert found == sorted(latest.items(), reverse=True)
    before_ms = min(at_ms, until_ms) // 2
    newest = history.newest(LATEST)
    history.prune(before_ms)
    kept = [known for known in history.backwards(at_ms, until_ms) if known[0] >= before_ms]
    assert kept == [known for known in found if known[0] >= before_ms]
    assert history.newest(LATEST) == newest


instants = st.integers(START_MS - 2 * DAY_MS, START_MS + DAY_MS)
numbers = st.floats(allow_nan=True, allow_infinity=True)
tokens = st.sampled_from(["BTC", "SOL", "*", ""])
odd_facts = st.one_of(
    st.builds(Reading, st.sampled_from(SERIES), tokens, numbers, instants, instants),
    st.builds(
        Story,
        st.text(max_size=2),
        st.just(""),
        st.just(""),
        st.tuples(tokens) | st.just(()),
        numbers,
        instants,
        instants,
    ),
    st.builds(
        Mentions, st.just("x"), tokens, numbers, numbers, numbers, instants, instants, numbers
    ),
    st.builds(Watched, st.just("stories"), tokens, st.just("rss"), instants, instants),
)


@relaxed
@given(facts=st.lists(odd_facts, max_size=40), at_ms=instants)
def test_odd_facts_never_raise(facts: list[Fact], at_ms: int) -> None:
    eager = settings(social_min_hours=1, regime_confirm_s=0, social_mean_floor=1e-9)
    state = told(facts, eager)
    for later in (0, CANDLE_MS, DAY_MS):
        found = state.components(PAIRS, {}, at_ms + later)  # the contract checks range and times
        assert all(one.is_known or not one.reason for one in found)
        again = SentimentState.from_json(eager, state.to_json())
        assert repr(again.components(PAIRS, {}, at_ms + later)) == repr(found)
        state.prune(at_ms + later)


def test_the_default_settings_say_something_of_such_a_world() -> None:
    facts, whole = world(1)
    found = asked(told(facts, SETTINGS), START_MS + HOURS * 3_600_000, whole)
    assert {one.name for one in found if one.is_known} >= {"fear_greed", "social_sentiment"}
