import numpy as np
import pytest

from scalp_strategy.base_rate import Memory
from scalp_strategy.base_rate.outcomes import NOT_RESOLVED
from scalp_strategy.base_rate.rates import sums_at
from scalp_strategy.settings import Settings, with_overrides
from tests.support.base_rates import occurrences

GROUP, PAIR = 6, "AAA"
NOW = 1_000_000
HALF_LIFE = 45.0 * 96


@pytest.fixture
def memory():
    return Memory(Settings())


def weight(memory, candle, group=GROUP):
    known = memory.past(candle - 300, candle).by_group
    sums = sums_at(known, np.array([group]), np.array([candle]), HALF_LIFE)
    return float(sums[0, 0])


def test_what_is_seen_again_counts_once(memory):
    seen = occurrences([(NOW, GROUP, NOW + 3, 1.0, 0.8), (NOW + 20, GROUP, NOW + 22, -1.0, -1.2)])
    memory.add(PAIR, seen)
    memory.add(PAIR, seen)
    memory.add(PAIR, seen.part(slice(1, None)))
    assert memory.pairs[PAIR].candle.tolist() == [NOW, NOW + 20]


def test_what_had_not_ended_is_completed_and_what_had_stays(memory):
    memory.add(PAIR, occurrences([(NOW, GROUP, None, np.nan, np.nan)]))
    assert memory.pairs[PAIR].resolved[0] == NOT_RESOLVED
    memory.add(PAIR, occurrences([(NOW, GROUP, NOW + 3, 1.0, 0.8)]))
    memory.add(PAIR, occurrences([(NOW, GROUP, NOW + 5, -1.0, -1.2)]))
    memory.add(PAIR, occurrences([(NOW, GROUP, None, np.nan, np.nan)]))
    held = memory.pairs[PAIR]
    assert (held.resolved.tolist(), held.net_r.tolist()) == ([NOW + 3], [0.8])


def test_both_sides_may_begin_in_one_candle_and_order_is_kept(memory):
    memory.add(PAIR, occurrences([(NOW + 5, GROUP, None, np.nan, np.nan)]))
    memory.add(PAIR, occurrences([(NOW, GROUP, None, 0.0, 0.0), (NOW, GROUP + 3, None, 0.0, 0.0)]))
    held = memory.pairs[PAIR]
    assert held.candle.tolist() == [NOW, NOW, NOW + 5]
    assert held.group.tolist() == [GROUP, GROUP + 3, GROUP]


def test_an_answer_is_made_anew_when_older_news_come(memory):
    memory.add(PAIR, occurrences([(NOW - 50, GROUP, NOW - 45, 1.0, 0.8)]))
    before = weight(memory, NOW)
    memory.add("BBB", occurrences([(NOW - 90, GROUP, NOW - 88, 1.0, 0.8)]))
    assert weight(memory, NOW) > before


def test_what_ends_in_a_candle_is_asked_about_in_the_next(memory):
    memory.add(PAIR, occurrences([(NOW - 5, GROUP, None, np.nan, np.nan)]))
    assert weight(memory, NOW) == 0.0
    memory.add(PAIR, occurrences([(NOW - 5, GROUP, NOW, 1.0, 0.8)]))
    assert weight(memory, NOW) == 0.0
    assert weight(memory, NOW + 1) == pytest.approx(1.0)


def test_it_forgets_what_is_too_old():
    memory = Memory(with_overrides(Settings(), {"base_rate.memory_days": 1}))
    memory.add("OLD", occurrences([(NOW - 200, GROUP, NOW - 198, 1.0, 0.8)]))
    rows = [(NOW - 97, GROUP, NOW - 95, 1.0, 0.8), (NOW - 96, GROUP, NOW - 95, 1.0, 0.8)]
    memory.add(PAIR, occurrences(rows))
    memory.past(NOW - 300, NOW)
    assert set(memory.pairs) == {PAIR}
    assert memory.pairs[PAIR].candle.tolist() == [NOW - 96]


def test_a_pair_that_was_never_seen_has_no_past(memory):
    assert not memory.own("XXX", NOW - 300, NOW).place.size
    assert weight(memory, NOW) == 0.0
