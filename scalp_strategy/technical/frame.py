"""The sub-scores, patterns, timeframes and raw values of one pair as new columns."""

from typing import Final

import numpy as np
from pandas import DataFrame

from scalp_strategy.contract import SIDES
from scalp_strategy.setting_groups.technical import TechnicalSettings
from scalp_strategy.settings import Settings
from scalp_strategy.technical.arrays import FloatArray, mirrored
from scalp_strategy.technical.bars import PRIMARY_NS, Bars, bars_of, bridged, stretches
from scalp_strategy.technical.indicators import INDICATORS
from scalp_strategy.technical.inputs import Inputs, traded_share
from scalp_strategy.technical.silence import memory_candles
from scalp_strategy.technical.timeframes import (
    LowerTimeframes,
    hourly_lookback,
    lower_timeframes,
    multiplier,
)

DEFAULT_SETTINGS: Final = Settings()
SUB_SCORES: Final = tuple(f"{each.name}_{side}" for each in INDICATORS for side in SIDES)
TRADED_SHARE: Final = "traded_share"
TIMEFRAME_COLUMNS: Final = (
    "mtf_long",
    "mtf_short",
    "trend_1h",
    "trend_5m",
    "momentum_1m",
    "momentum_1m_stand_in",
)


def technical_columns(settings: TechnicalSettings) -> tuple[str, ...]:
    """Return the names of the columns of `technical_frame`, in order."""
    values = (name for indicator in INDICATORS for name in indicator.value_columns(settings))
    return (
        *SUB_SCORES,
        *TIMEFRAME_COLUMNS,
        f"atr_{settings.atr_period}",
        "atr_pct",
        "trend",
        TRADED_SHARE,
        *values,
    )


def lookback(settings: Settings | None = None) -> int:
    """Return the 15m candles of history needed before the first trustworthy row.

    The largest of what every indicator (its patterns included) and the 1h trend declare; a
    recursion counts until its seed weighs less than `settle_tolerance`.
    """
    technical = (settings or Settings()).technical
    indicators = max(indicator.lookback(technical) for indicator in INDICATORS)
    return max(indicators, hourly_lookback(technical))


def technical_frame(
    candles_15m: DataFrame,
    candles_5m: DataFrame | None = None,
    candles_1m: DataFrame | None = None,
    settings: Settings | None = None,
) -> DataFrame:
    """Return everything but the combined score: what no weight can change.

    Parameters
    ----------
    candles_15m : DataFrame, n rows
        Freqtrade candles: `date` (open, time-zone aware), `open`, `high`, `low`, `close`,
        `volume`. Not changed.
    candles_5m, candles_1m : DataFrame, optional
        The same for the lower timeframes; may be absent, empty, late or patchy.
    settings : Settings, optional
        Defaults when None.

    Returns
    -------
    DataFrame, n rows
        Only new float64 columns (`technical_columns`) on the same index; NaN is unknown.

    Raises
    ------
    ContractViolation
        Dates are duplicate, unsorted or without a time zone, or a column is missing.

    Notes
    -----
    Causal: row t depends on candles closed at or before its own close. A few missing candles are
    bridged by candles without a trade, as the host does when it loads them; after a longer hole, a
    row with an unusable value, or a redenomination every recursion starts anew. `traded_share` is
    the share of the last `volume.period` candles that traded: a candle nobody traded in is known,
    but it is no evidence, so it lowers the layer's reliability.
    """
    settings = settings or DEFAULT_SETTINGS
    names = technical_columns(settings.technical)
    block = np.empty((len(names), len(candles_15m)))
    bars = bars_of(candles_15m, "15m candles")
    fill_technical_block(block, bars, candles_5m, candles_1m, settings)
    return DataFrame(block.T, index=candles_15m.index, columns=list(names), copy=False)


def fill_technical_block(
    block: FloatArray,
    bars: Bars,
    candles_5m: DataFrame | None,
    candles_1m: DataFrame | None,
    settings: Settings,
) -> None:
    """Write the columns of `technical_frame` into the rows of `block`, shape (columns, n).

    One block of memory for a whole frame: pandas takes it over as it is, transposed.
    """
    whole, given = bridged(bars, PRIMARY_NS, settings.technical.max_bridged_candles)
    if whole is bars:
        _fill(block, bars, (candles_5m, candles_1m), settings)
    else:
        filled = np.empty((len(block), whole.time_ns.size))
        _fill(filled, whole, (candles_5m, candles_1m), settings)
        block[:] = filled[:, given]


def _fill(
    block: FloatArray,
    bars: Bars,
    candles: tuple[DataFrame | None, DataFrame | None],
    settings: Settings,
) -> None:
    technical = settings.technical
    lower = lower_timeframes(bars.time_ns, candles, technical, memory_candles(settings))
    parts = stretches(bars, PRIMARY_NS, technical.redenomination_factor)
    if parts != [slice(0, bars.time_ns.size)]:
        block.fill(np.nan)
    for rows in parts:
        block[:, rows] = _stretch_columns(bars.part(rows), lower.part(rows), technical)


def sub_scores(block: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the sub-scores and the multi-timeframe multipliers of a filled block, as views.

    Shapes (indicators, 2, n) and (2, n), longs before shorts.
    """
    count = len(SUB_SCORES)
    supports = block[:count].reshape(len(INDICATORS), len(SIDES), block.shape[1])
    return supports, block[count : count + len(SIDES)]


def _stretch_columns(
    bars: Bars, lower: LowerTimeframes, settings: TechnicalSettings
) -> list[FloatArray]:
    inputs = Inputs(bars, lower, settings)
    readings = [indicator.score(inputs) for indicator in INDICATORS]
    scores = [score for reading in readings for score in (reading.long, reading.short)]
    values = [value for reading in readings for value in reading.raw.values()]
    atr = inputs.in_price(inputs.atr)
    traded = traded_share(bars.volume, settings.volume.period)
    volatility = [atr, atr / bars.close * 100.0, inputs.trend, traded]
    return [*scores, *_timeframe_columns(inputs), *volatility, *values]


def _timeframe_columns(inputs: Inputs) -> list[FloatArray]:
    trend_5m, momentum, stand_in = inputs.lower
    sides, settings = inputs.both_sides, inputs.settings.timeframes
    factors = multiplier(sides.trend_1h, sides.trend_5m, mirrored(momentum), settings)
    return [*factors, inputs.trend_1h, trend_5m, momentum, stand_in]
