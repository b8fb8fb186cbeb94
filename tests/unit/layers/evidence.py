"""Seeded components with everything that happens to them, an archive of them, and a market."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import nan
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from scalp_strategy.contract import MARKET_WIDE, Component
from scalp_strategy.contract.archive import COLUMNS, day_of, day_path, part_name

CANDLE_MS = 900_000
START_MS = int(pd.Timestamp("2026-03-01 18:00", tz="UTC").timestamp()) * 1_000
BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
NAMES = (
    "book_imbalance",
    "trade_flow",
    "large_orders",
    "funding_rate",
    "open_interest",
    "vanishing_liquidity",
    "market_regime",  # has no rule, only flags
)
FLAGS = ((), (), (), ("vanishing",), ("regime=RISK_OFF",), ("regime=RISK_ON", "macro=DANGER"))
TEXT = pa.dictionary(pa.int32(), pa.string())
TIME = pa.timestamp("ms", tz="UTC")
SCHEMA = pa.schema(
    [
        ("name", TEXT),
        ("pair", TEXT),
        ("long", pa.float64()),
        ("short", pa.float64()),
        ("observed_at", TIME),
        ("available_at", TIME),
        ("reason", TEXT),
        ("flags", TEXT),
        ("version", pa.int16()),
    ]
)


def component(available_ms: int, long: float = 70.0, **fields) -> Component:
    """A row of BTC's trade flow, known as soon as it was true."""
    given = {
        "layer": "orderflow",
        "name": "trade_flow",
        "pair": BTC,
        "short": 100.0 - long,
        "observed_at_ms": available_ms,
    } | fields
    return Component(long=long, available_at_ms=available_ms, **given)


def random_components(seed: int, hours: int, pairs: Sequence[str] = (BTC, ETH)) -> list[Component]:
    """Rows of every component in the order they became known.

    Some are rare, some fall silent for hours, some are late, unknown, flagged, for the whole
    market, or known at the same instant as the one before.
    """
    random = np.random.default_rng(seed)
    rows = []
    for pair in (*pairs, MARKET_WIDE):
        for name in NAMES:
            period = random.choice([40_000, 240_000, 3_600_000, 20_000_000])
            count = 1 + hours * 3_600_000 // int(period)
            steps = random.exponential(period, count) * random.choice([1, 1, 1, 12], count)
            known = START_MS + np.cumsum(steps * (random.random(count) > 0.05)).astype(int)
            # Many exactly at a close: the edge that matters.
            known = np.where(random.random(count) < 0.2, known // CANDLE_MS * CANDLE_MS, known)
            known = np.maximum.accumulate(known)
            rows += [_random_row(random, pair, name, int(at)) for at in known]
    return sorted(rows, key=lambda one: one.available_at_ms)


def _random_row(random: np.random.Generator, pair: str, name: str, known_ms: int) -> Component:
    is_unknown = random.random() < 0.1
    late = 0 if random.random() < 0.5 else int(random.exponential(200_000))
    return Component(
        "orderflow",
        name,
        pair,
        nan if is_unknown else float(random.uniform(0, 100)),
        nan if is_unknown else float(random.uniform(0, 100)),
        known_ms - late,
        known_ms,
        f"{name} of {pair} at {known_ms} ✓",
        FLAGS[random.integers(len(FLAGS))],
    )


def table(rows: Iterable[Component]) -> pa.Table:
    """The rows as a file of the archive holds them."""
    given = [
        (
            one.name,
            one.pair,
            one.long,
            one.short,
            one.observed_at_ms,
            one.available_at_ms,
            one.reason,
            ",".join(one.flags),
            one.version,
        )
        for one in rows
    ]
    columns = zip(*given, strict=True)
    return pa.table(
        {
            name: pa.array(values, SCHEMA.field(name).type)
            for name, values in zip(COLUMNS, columns, strict=True)
        }
    )


def write_archive(root: Path, rows: Iterable[Component], parts_a_day: int = 3) -> list[Path]:
    """Write the rows, given in the order they became known, as the sidecar does."""
    by_day = defaultdict(list)
    for one in rows:
        by_day[one.layer, day_of(one.available_at_ms)].append(one)
    written = []
    for (layer, day), given in by_day.items():
        folder = root / day_path(layer, day)
        folder.mkdir(parents=True, exist_ok=True)
        edges = np.linspace(0, len(given), parts_a_day + 1).astype(int)
        for start, stop in pairwise(edges):
            part = sorted(given[start:stop], key=lambda one: (one.pair, one.name))
            if part:
                written.append(folder / part_name(1 + len(list(folder.iterdir()))))
                pq.write_table(table(part), written[-1], compression="zstd")
    return written


def candle_dates(count: int, first_close_ms: int = START_MS) -> pd.Series:
    """Opens of `count` 15m candles, the first of which closes at that instant."""
    opens = first_close_ms - CANDLE_MS + CANDLE_MS * np.arange(count)
    return pd.Series(pd.to_datetime(opens, unit="ms", utc=True), name="date")
