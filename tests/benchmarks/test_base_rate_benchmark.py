"""Speed of the base-rate layer: nine months of nine pairs at once, and one live candle.

Run with `pytest tests/benchmarks/test_base_rate_benchmark.py -o addopts=`.
"""

from typing import Any

import numpy as np
import pytest
from pandas import DataFrame

from scalp_strategy.base_rate import Memory, base_rates, remembered_rates
from scalp_strategy.base_rate.outcomes import pair_setups
from scalp_strategy.settings import Settings
from tests.support.base_rates import analysed, candles_of, noise

PAIRS = 9
ROWS = 9 * 30 * 96
LARGEST_S = 2.0
SETTINGS = Settings()


@pytest.fixture(scope="module")
def frames() -> dict[str, DataFrame]:
    return {f"P{seed}": analysed(candles_of(noise(ROWS, seed), seed)) for seed in range(PAIRS)}


def test_nine_months_of_nine_pairs(frames: dict[str, DataFrame], benchmark: Any) -> None:
    base_rates({"P0": frames["P0"].iloc[:2_000]}, SETTINGS)  # compiled before the clock runs
    rates = benchmark.pedantic(base_rates, (frames, SETTINGS), rounds=5)
    known = [columns["base_rate_long"].notna().sum() for columns in rates.values()]
    found = sum(pair_setups(frame, SETTINGS).occurrences.candle.size for frame in frames.values())
    benchmark.extra_info |= {"occurrences": found, "rows": PAIRS * ROWS}
    assert min(known) > 0.8 * ROWS
    assert benchmark.stats["min"] < LARGEST_S


def test_one_candle_of_a_bot_that_remembers_nine_months(
    frames: dict[str, DataFrame], benchmark: Any
) -> None:
    shown = 1_497
    memory = Memory(SETTINGS)
    for pair, frame in frames.items():
        memory.add(pair, pair_setups(frame.iloc[: ROWS - 30], SETTINGS).occurrences)
    ends = iter(range(ROWS - 29, ROWS))

    def candle() -> list[DataFrame]:
        end = next(ends)
        parts = {pair: frame.iloc[end - shown : end] for pair, frame in frames.items()}
        return [remembered_rates(memory, pair, part, SETTINGS) for pair, part in parts.items()]

    columns = benchmark.pedantic(candle, rounds=20)
    assert all(np.isfinite(one["base_rate_reliability"].iloc[-1]) for one in columns)
