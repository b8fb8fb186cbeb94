"""Speed of the sentiment state: forty pairs' components, against computing them from all facts.

Run with `pytest tests/benchmarks/test_sentiment_benchmark.py -s`.
"""

import random
from time import perf_counter
from typing import Any

from external_layers.sentiment.state import SentimentState
from external_layers.sources.facts import Fact
from scalp_strategy.contract import CANDLE_MS
from tests.unit.external_layers.sentiment.told import (
    HOUR_MS,
    SETTINGS,
    START_MS,
    looked,
    mentions,
    random_candles,
    random_facts,
    story,
    told,
)

DAYS = 8
TOKENS = ["BTC", *(f"T{each}" for each in range(39))]
PAIRS = {f"{token}/USDT:USDT": token for token in TOKENS}


def facts_of_days() -> list[Fact]:
    """Return eight days of two platforms and the press for forty tokens, and all series."""
    chance = random.Random(4)
    facts = random_facts(4, DAYS * 24)
    for hour in range(DAYS * 24):
        at = START_MS + hour * HOUR_MS
        facts.append(looked(at))
        for token in TOKENS:
            count = 400.0 if hour == DAYS * 24 - 1 and token in TOKENS[:8] else 20.0
            facts += [mentions(at, count, 0.4, token), mentions(at, 9.0, of=token, platform="y")]
            if chance.random() < 0.3:
                facts.append(story(at + chance.randrange(CANDLE_MS), 0.1, token))
    return sorted(facts, key=lambda fact: fact.available_at_ms)


def test_forty_pairs(benchmark: Any) -> None:
    facts, shelf = facts_of_days(), random_candles(4, DAYS * 24)
    shelves = dict.fromkeys(TOKENS, shelf)
    now = START_MS + DAYS * 24 * HOUR_MS
    state = told(facts)
    state.components(PAIRS, shelves, now - CANDLE_MS)
    state.prune(now)
    start = perf_counter()
    plain = told(facts, SETTINGS).components(PAIRS, shelves, now)
    plain_s = perf_counter() - start
    start = perf_counter()
    found = state.components(PAIRS, shelves, now)  # a new hour: every mean anew
    first_s = perf_counter() - start
    again = benchmark.pedantic(
        lambda: state.components(PAIRS, shelves, now), rounds=200, warmup_rounds=5
    )
    named = {"social_sentiment", "fear_greed", "macro_correlation"}
    assert [repr(one) for one in again if one.name in named] == [
        repr(one) for one in plain if one.name in named
    ]
    assert repr(again) == repr(found)
    assert sum(one.name == "social_sentiment" and one.long > 50 for one in found) >= 8
    median_s = benchmark.stats.stats.median
    print(
        {
            "facts": len(facts),
            "median_ms": round(median_s * 1e3, 2),
            "first_ms": round(first_s * 1e3, 2),
            "plain_ms": round(plain_s * 1e3, 1),
            "ratio": round(plain_s / median_s),
        }
    )


def test_one_day_of_facts(benchmark: Any) -> None:
    facts = random_facts(4, 24)
    end = START_MS + 26 * HOUR_MS

    def take() -> SentimentState:
        state = told(facts)
        state.prune(end)
        return state

    state = benchmark(take)
    assert state.components({}, {}, end)[0].is_known
    print({"facts": len(facts), "median_ms": round(benchmark.stats.stats.median * 1e3, 2)})
