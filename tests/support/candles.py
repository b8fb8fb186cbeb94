"""Seeded candles for tests: random walks, hand-written rows, and one market in four timeframes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from pandas import DataFrame

# A quarter past midnight is the latest start there is: three candles of a broken hour, and a
# whole broken day before the first session.
LATEST_START = "2025-01-01 00:15"
MIDNIGHT = "2025-01-01 00:00"


def dates(count: int, minutes: int = 15, start: str = LATEST_START) -> pd.DatetimeIndex:
    """Return `count` candle opens, in milliseconds as the host stores them."""
    return pd.date_range(start, periods=count, freq=f"{minutes}min", tz="UTC").as_unit("ms")


def random_candles(
    count: int,
    *,
    minutes: int = 15,
    seed: int = 0,
    start: str = LATEST_START,
    price: float = 100.0,
    volatility: float = 0.003,
) -> DataFrame:
    """Return a geometric random walk with swings, so that every trend and pattern occurs."""
    random = np.random.default_rng(seed)
    swing = 2.0 * volatility * np.sin(np.arange(count) / 60.0) * 0.25
    close = price * np.exp(np.cumsum(random.normal(0.0, volatility, count) + swing))
    opening = np.concatenate(([price], close[:-1]))[:count]
    reach = np.abs(random.normal(0.0, volatility / 2, (2, count)))
    return DataFrame(
        {
            "date": dates(count, minutes, start),
            "open": opening,
            "high": np.maximum(opening, close) * (1.0 + reach[0]),
            "low": np.minimum(opening, close) * (1.0 - reach[1]),
            "close": close,
            "volume": random.lognormal(5.0, 0.7, count),
        }
    )


def market(hours: int, *, seed: int = 0, start: str = MIDNIGHT) -> dict[int, DataFrame]:
    """Return one market seen in 1, 5 and 15 minutes, keyed by the minutes of a candle."""
    minute = random_candles(hours * 60, minutes=1, seed=seed, start=start, volatility=0.0008)
    return {1: minute} | {minutes: merged(minute, minutes) for minutes in (5, 15)}


def merged(candles: DataFrame, minutes: int) -> DataFrame:
    """Return candles merged into longer ones; the first must open on their grid."""
    parts = candles.set_index("date").resample(f"{minutes}min")
    whole = parts.agg(
        {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    )
    return whole.reset_index()


def candles_from_rows(
    rows: Sequence[tuple[float, float, float, float, float]], start: str = LATEST_START
) -> DataFrame:
    """Return candles written by hand as (open, high, low, close, volume)."""
    frame = DataFrame(list(rows), columns=["open", "high", "low", "close", "volume"], dtype=float)
    frame.insert(0, "date", dates(len(frame), start=start))
    return frame


def flat_candles(count: int, price: float = 100.0, volume: float = 10.0) -> DataFrame:
    """Return candles that never move."""
    return candles_from_rows([(price, price, price, price, volume)] * count)


def mirrored(candles: DataFrame, about: float | None = None) -> DataFrame:
    """Return the candles upside down: every price p becomes 2 `about` - p."""
    about = float(candles["close"].iloc[0]) if about is None else about
    return candles.assign(
        open=2 * about - candles["open"],
        high=2 * about - candles["low"],
        low=2 * about - candles["high"],
        close=2 * about - candles["close"],
    )
