"""Markets and frames for the tests of the base-rate layer."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame, concat

from scalp_strategy.base_rate.outcomes import NOT_RESOLVED, Occurrences, pair_setups
from scalp_strategy.base_rate.setups import SETUP_LABELS, TERCILES
from scalp_strategy.settings import Settings
from scalp_strategy.technical import technical_frame
from tests.support.candles import LATEST_START, dates


def analysed(candles: DataFrame, settings: Settings | None = None) -> DataFrame:
    """Return candles with the columns of the technical layer."""
    return concat([candles, technical_frame(candles, settings=settings)], axis=1)


def candles_of(returns: NDArray[np.float64], seed: int, start: str = LATEST_START) -> DataFrame:
    """Return 15m candles whose closes follow these log returns, with wicks of a seed."""
    random = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(returns))
    opened = np.concatenate(([100.0], close[:-1]))
    wicks = np.abs(random.normal(0.0, 0.0015, (2, close.size)))
    return DataFrame(
        {
            "date": dates(close.size, start=start),
            "open": opened,
            "high": np.maximum(opened, close) * (1.0 + wicks[0]),
            "low": np.minimum(opened, close) * (1.0 - wicks[1]),
            "close": close,
            "volume": random.lognormal(5.0, 0.7, close.size),
        }
    )


def noise(count: int, seed: int, volatility: float = 0.004) -> NDArray[np.float64]:
    """Return log returns that nothing can forecast."""
    return np.random.default_rng(seed).normal(0.0, volatility, count)


def planted(returns: NDArray[np.float64], seed: int, setup: str, drift: float) -> DataFrame:
    """Return candles that truly rise for two hours after every occurrence of a long setup.

    A setup is known at its close, so what is changed after it does not change it.
    """
    returns, settings = returns.copy(), Settings()
    code, row = SETUP_LABELS.index(setup), 0
    while True:
        candles = candles_of(returns, seed)
        found = pair_setups(analysed(candles), settings).occurrences
        first = int(candles["date"].iloc[0].timestamp()) // 900
        is_it = (found.group // TERCILES == code * 2) & (found.candle - first > row)
        if not is_it.any():
            return candles
        row = int(found.candle[is_it][0]) - first
        returns[row + 1 : row + 9] += drift
        row += 8


def occurrences(rows: Sequence[tuple[int, int, int | None, float, float]]) -> Occurrences:
    """Return occurrences written as (candle, group, resolved or None, gross R, net R)."""
    candle, group, resolved, gross, net = zip(*rows, strict=True)
    return Occurrences(
        np.array(candle, dtype=np.int64),
        np.array(group, dtype=np.int64),
        np.array([NOT_RESOLVED if end is None else end for end in resolved], dtype=np.int64),
        np.array(gross, dtype=np.float64),
        np.array(net, dtype=np.float64),
    )
