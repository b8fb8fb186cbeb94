"""Speed of the order-flow state: one message, one change of the kept book, forty pairs' scores.

Run with `pytest tests/benchmarks/test_orderflow_benchmark.py -s`.
"""

import random
from time import perf_counter
from typing import Any

import pytest

from external_layers.binance.book import OrderBook
from external_layers.binance.messages import (
    AggTrade,
    BookSnapshot,
    DepthSnapshot,
    DepthUpdate,
    Level,
)
from external_layers.orderflow.pair_flow import PairFlow
from scalp_strategy.setting_groups.orderflow import OrderFlowSettings
from tests.unit.external_layers.orderflow.messages import START_MS, depth, trade, update

SETTINGS = OrderFlowSettings()
MESSAGES = 60_000
PAIRS = 40
CHANGED = 60
TICKS = 2_000  # levels a side


def mixed(count: int) -> list[AggTrade | DepthSnapshot]:
    """Return two trades to one depth snapshot, 20 messages a second."""
    chance = random.Random(5)
    price, messages = 100.0, []
    for each in range(count):
        at = START_MS + each * 50
        price *= 1.0 + chance.gauss(0.0, 0.00005)
        if each % 3 == 2:
            bids = [(price - 0.01 * level, chance.random()) for level in range(1, 21)]
            asks = [(price + 0.01 * level, chance.random()) for level in range(1, 21)]
            messages.append(depth(at, bids, asks))
        else:
            size = round(chance.lognormvariate(0.0, 1.5), 3)
            messages.append(trade(at, price, size, buy=chance.random() < 0.5))
    return messages


def fed(flow: PairFlow, messages: list[AggTrade | DepthSnapshot]) -> PairFlow:
    for message in messages:
        if isinstance(message, AggTrade):
            flow.on_trade(message)
        else:
            flow.on_depth(message)
    return flow


def test_one_message(benchmark: Any) -> None:
    messages = mixed(MESSAGES)
    flow = benchmark.pedantic(
        fed, setup=lambda: ((PairFlow("A/USDT", SETTINGS), messages), {}), rounds=5
    )
    assert flow.components(START_MS + MESSAGES * 50)[1].is_known
    times_us = sorted(timed_us(messages))
    benchmark.extra_info |= {
        "mean_us": round(benchmark.stats.stats.min / MESSAGES * 1e6, 2),
        "p50_us": round(times_us[MESSAGES // 2], 2),
        "p99_us": round(times_us[MESSAGES * 99 // 100], 2),
    }
    print(benchmark.extra_info)


def timed_us(messages: list[AggTrade | DepthSnapshot]) -> list[float]:
    flow, times = PairFlow("A/USDT", SETTINGS), []
    for message in messages:
        take: Any = flow.on_trade if isinstance(message, AggTrade) else flow.on_depth
        start = perf_counter()
        take(message)
        times.append((perf_counter() - start) * 1e6)
    return times


def side(direction: int) -> list[Level]:
    chance = random.Random(9)
    ticks = range(1, TICKS + 1)
    return [(round(1_000.0 + direction * 0.01 * each, 2), chance.random()) for each in ticks]


def changes(count: int) -> list[DepthUpdate]:
    chance = random.Random(6)

    def changed(direction: int) -> list[Level]:
        ticks = [chance.randrange(2, TICKS) for _ in range(CHANGED // 2)]
        return [
            (round(1_000.0 + direction * 0.01 * each, 2), chance.paretovariate(1.0))
            for each in ticks
        ]

    return [update(START_MS + each * 100, changed(-1), changed(1)) for each in range(count)]


def test_one_change_of_the_book(benchmark: Any) -> None:
    book, flow = OrderBook(), PairFlow("A/USDT", SETTINGS)
    book.load(BookSnapshot(symbol="A", update_id=0, bids=side(-1), asks=side(1)))
    flow.on_trade(trade(START_MS, 1_000.0, 1.0))
    updates = changes(2_000)
    for message in updates:
        book.apply(message)
    following = iter(updates)
    benchmark.pedantic(lambda: flow.on_book(book, next(following)), rounds=len(updates))
    stats = benchmark.stats.stats
    print({"median_us": round(stats.median * 1e6, 1), "mean_us": round(stats.mean * 1e6, 1)})
    assert flow.components(updates[-1].event_ms + 1)[5].observed_at_ms == updates[-1].event_ms


@pytest.mark.benchmark(min_rounds=20)
def test_scores_of_forty_pairs(benchmark: Any) -> None:
    messages = mixed(8_000)
    now = START_MS + 8_000 * 50
    flows = [fed(PairFlow(f"P{each}/USDT", SETTINGS), messages) for each in range(PAIRS)]
    found = benchmark(lambda: [flow.components(now) for flow in flows])
    assert sum(one.is_known for components in found for one in components) == 3 * PAIRS
    print({"pairs": PAIRS, "median_ms": round(benchmark.stats.stats.median * 1e3, 2)})
