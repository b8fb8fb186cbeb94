"""Speed of the as-of join of nine months of candles, and of reading them from the archive.

Run with `pytest tests/benchmarks/test_layers_benchmark.py`. Every measured result is compared with
a join by brute force.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scalp_strategy.contract import CANDLE_MS
from scalp_strategy.contract.archive import day_of, day_path, day_start_ms, merged_name
from scalp_strategy.layers import ArchiveSource, layer_frame
from scalp_strategy.layers.columns import LayerRows, layer_columns
from scalp_strategy.layers.series import ComponentSeries, Floats
from scalp_strategy.setting_groups.layer_rules import rules_of
from scalp_strategy.settings import Settings
from scalp_strategy.technical import technical_layer
from tests.support.candles import random_candles
from tests.unit.layers.evidence import BTC, ETH, SCHEMA, START_MS

SETTINGS = Settings()
RULES, *_ = rules_of(SETTINGS)
NAMES = [rule.name for rule in RULES.components]
DAY_MS = 86_400_000
MOST_MS = 50.0  # of processor time, for nine months of a pair
HORIZON_MS = DAY_MS
PAIRS = [BTC, ETH, *(f"{name}/USDT:USDT" for name in "ABCDEFGH")]


def random_series(seed: int, days: int, every_s: int) -> ComponentSeries:
    """Rows at regular intervals, each up to two minutes old, a tenth of them unknown."""
    random = np.random.default_rng(seed)
    available = START_MS + np.arange(0, days * DAY_MS, every_s * 1_000)
    count = len(available)
    long = np.where(random.random(count) < 0.1, np.nan, random.uniform(0, 100, count))
    flags = np.array(["", "vanishing", "regime=RISK_OFF"], dtype=object)
    return ComponentSeries(
        available,
        available - random.integers(0, 120_000, count),
        long,
        100.0 - long,
        flags[random.choice(3, count, p=[0.9, 0.05, 0.05])],
        np.full(count, "because", dtype=object),
    )


def brute_force_long(series: dict[str, ComponentSeries], closes: np.ndarray) -> Floats:
    """The layer's long score at each close, one row after the other."""
    out = []
    for close in closes.tolist():
        known, total, penalty = 0.0, 0.0, 0.0
        for rule in RULES.components:
            one = series[rule.name]
            row = -1
            for candidate in range(max(0, bisect(one, close) - 3), len(one)):
                if one.available_ms[candidate] > close:
                    break
                row = candidate
            if row < 0 or np.isnan(one.long[row]):
                continue
            age_s = (close - one.observed_ms[row]) / 1_000
            step = sum(age_s >= edge for edge in rule.freshness_s)
            if rule.freshness[step] > 0.0:
                known += rule.weight
                total += rule.weight * one.long[row]
                penalty = max(penalty, 20.0 if one.flags[row] == "vanishing" else 0.0)
        out.append(np.clip(total / known - penalty, 0.0, 100.0) if known else np.nan)
    return np.array(out)


def cpu_ms(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return (time.process_time() - start) * 1e3


def bisect(series: ComponentSeries, close: int) -> int:
    """A row near the close: rows are regular, so this is arithmetic and no search."""
    step = int(series.available_ms[1] - series.available_ms[0])
    return min(len(series) - 1, max(0, (close - START_MS) // step))


@pytest.mark.parametrize(("days", "every_s"), [(270, 900), (30, 15)])
def test_join_of_six_components(benchmark, days: int, every_s: int) -> None:
    series = {name: random_series(seed, days, every_s) for seed, name in enumerate(NAMES)}
    closes = START_MS + CANDLE_MS * np.arange(days * 96)
    rows = LayerRows(series, {})
    columns = benchmark(lambda: layer_columns(rows, RULES, closes))
    least_ms = min(cpu_ms(lambda: layer_columns(rows, RULES, closes)) for _ in range(9))
    assert least_ms < MOST_MS
    np.testing.assert_array_equal(columns["orderflow_long"], brute_force_long(series, closes))


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    """Nine months of ten pairs, a row every 15 minutes, as the sidecar merges them."""
    root = tmp_path_factory.mktemp("archive")
    series = {
        (p, n): random_series(7 * i + j, 270, 900)
        for i, p in enumerate(PAIRS)
        for j, n in enumerate(NAMES)
    }
    for first in range(START_MS // DAY_MS * DAY_MS, START_MS + 271 * DAY_MS, DAY_MS):
        day = day_of(first)
        start, stop = day_start_ms(day), day_start_ms(day) + DAY_MS - 1
        parts = [
            _table(name, pair, one.between(start, stop)) for (pair, name), one in series.items()
        ]
        folder = root / day_path("orderflow", day)
        folder.mkdir(parents=True)
        pq.write_table(
            pa.concat_tables(parts),
            folder / merged_name(1, 60),
            compression="zstd",
            row_group_size=8_192,
        )
    return root


def _table(name: str, pair: str, rows: ComponentSeries) -> pa.Table:
    columns = {
        "name": [name] * len(rows),
        "pair": [pair] * len(rows),
        "long": rows.long,
        "short": rows.short,
        "observed_at": rows.observed_ms,
        "available_at": rows.available_ms,
        "reason": rows.reasons,
        "flags": rows.flags,
        "version": np.ones(len(rows), dtype=np.int16),
    }
    return pa.table(
        {key: pa.array(values).cast(SCHEMA.field(key).type) for key, values in columns.items()}
    )


def test_a_pair_of_the_archive(benchmark, archive: Path) -> None:
    dates = pd.Series(
        pd.to_datetime(START_MS - CANDLE_MS + CANDLE_MS * np.arange(270 * 96), unit="ms", utc=True)
    )
    frame = benchmark.pedantic(
        lambda source: layer_frame(source, BTC, dates, SETTINGS),
        setup=lambda: ((ArchiveSource(archive),), {}),
        rounds=2,
    )
    candles = random_candles(270 * 96)
    reading = cpu_ms(lambda: layer_frame(ArchiveSource(archive), BTC, dates, SETTINGS))
    technical = min(cpu_ms(lambda: technical_layer(candles, settings=SETTINGS)) for _ in range(3))
    sys.stdout.write(
        f"\nnine months of a pair: reading and joining the archive {reading:.0f} ms of a core, "
        f"beside the technical layer's {technical:.0f} ms\n"
    )
    series = {name: random_series(seed, 270, 900) for seed, name in enumerate(NAMES)}
    closes = START_MS + CANDLE_MS * np.arange(270 * 96)
    np.testing.assert_array_equal(frame["orderflow_long"], brute_force_long(series, closes))
