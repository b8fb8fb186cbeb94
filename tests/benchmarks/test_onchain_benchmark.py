"""Speed of the on-chain state: forty pairs' scores with fifty thousand facts in memory.

Run with `pytest tests/benchmarks/test_onchain_benchmark.py -s`.
"""

import json
import random
from time import perf_counter
from typing import Any

import pytest

from external_layers.onchain.state import OnChainState
from external_layers.sources.facts import MARKET, Fact, Watched
from scalp_strategy.setting_groups.onchain import OnChainSettings
from tests.unit.external_layers.onchain.chain_facts import (
    BINANCE,
    DAY_MS,
    HOUR_MS,
    KRAKEN,
    MINUTE_MS,
    SOMEBODY,
    START_MS,
    deal,
    no_price,
    transfer,
)
from tests.unit.external_layers.onchain.chain_reference import ChainReference

SETTINGS = OnChainSettings()
TOKENS = [f"T{each}" for each in range(40)]
PAIRS = {f"{token}/USDT:USDT": token for token in TOKENS}
TRANSFERS = 40_000
END_MS = START_MS + 2 * DAY_MS


def facts() -> list[Fact]:
    """Return two days: three in four of the transfers of the last hour, every token watched."""
    chance = random.Random(8)
    made: list[Fact] = []
    for each in range(TRANSFERS):
        span = HOUR_MS if each % 4 else 2 * DAY_MS
        at = END_MS - chance.randrange(span)
        token = "USDT" if each % 5 == 0 else chance.choice(TOKENS)
        ends = chance.choice(((BINANCE, SOMEBODY), (SOMEBODY, KRAKEN)))
        made.append(transfer(token, chance.lognormvariate(14.0, 1.0), ends, at))
    for token in (*TOKENS, "USDT"):
        for at in range(START_MS, END_MS + 1, 10 * MINUTE_MS):
            made.append(Watched("transfers", token, "somebody", at, at))
            made.append(Watched("smart_trades", token, "somebody", at, at))
    made += [deal(chance.choice(TOKENS), f"0x{each}", END_MS - each) for each in range(500)]
    return sorted(made, key=lambda fact: fact.available_at_ms)


@pytest.fixture(scope="module")
def made() -> list[Fact]:
    return facts()


def test_scores_of_forty_pairs(benchmark: Any, made: list[Fact]) -> None:
    state = OnChainState(SETTINGS)
    state.add(made, no_price)
    state.components(PAIRS, END_MS)
    chance = random.Random(9)
    at = [END_MS]

    def more() -> tuple[tuple[dict[str, str], int], dict[str, Any]]:
        at[0] += 500  # as live: new transfers come, old ones leave their windows
        ends = (BINANCE, SOMEBODY)
        new = [transfer(chance.choice(TOKENS), 2e6, ends, at[0]) for _ in range(5)]
        state.add(new, no_price)
        return (PAIRS, at[0]), {}

    found = benchmark.pedantic(state.components, setup=more, rounds=300)
    assert len([one for one in found if one.is_known]) == 3 * 40 + 3
    start = perf_counter()
    reference = ChainReference(made, SETTINGS, END_MS)
    for token in (*TOKENS, MARKET):
        reference.scores(token)
    plain_s = perf_counter() - start
    median_s = benchmark.stats.stats.median
    print(
        {
            "facts": len(made),
            "median_ms": round(median_s * 1e3, 2),
            "max_ms": round(benchmark.stats.stats.max * 1e3, 2),
            "plain_over_incremental": round(plain_s / median_s),
        }
    )


def test_equal_to_the_plain_computation(made: list[Fact]) -> None:
    state = OnChainState(SETTINGS)
    state.add(made, no_price)
    reference = ChainReference(made, SETTINGS, END_MS)
    for one in state.components({"A": "T0", "B": "T39"}, END_MS):
        token = {"A": "T0", "B": "T39"}.get(one.pair, MARKET)
        expected = reference.scores(token)[one.name]
        assert (one.long, one.short) == pytest.approx(expected, abs=1e-9)


def test_taking_in_facts(benchmark: Any, made: list[Fact]) -> None:
    def taken() -> int:
        state = OnChainState(SETTINGS)
        told = state.add(made, no_price)
        state.prune(END_MS)
        return len(told)

    assert benchmark.pedantic(taken, rounds=3) > TRANSFERS / 2
    print({"us_per_fact": round(benchmark.stats.stats.min / len(made) * 1e6, 1)})


def test_saving(benchmark: Any, made: list[Fact]) -> None:
    state = OnChainState(SETTINGS)
    state.add(made, no_price)
    state.prune(END_MS)
    text = benchmark.pedantic(lambda: json.dumps(state.to_json()), rounds=3)
    assert OnChainState.from_json(SETTINGS, json.loads(text)).to_json() == state.to_json()
    print({"kb": len(text) // 1_000, "ms": round(benchmark.stats.stats.min * 1e3)})
