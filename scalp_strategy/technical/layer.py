"""The technical layer of one pair: sub-scores, combined score and setup in one frame."""

from functools import lru_cache

import numpy as np
import pandas as pd
from pandas import DataFrame, Index

from scalp_strategy.settings import Settings
from scalp_strategy.technical.bars import bars_of
from scalp_strategy.technical.frame import (
    DEFAULT_SETTINGS,
    TRADED_SHARE,
    fill_technical_block,
    sub_scores,
    technical_columns,
)
from scalp_strategy.technical.score import COUNT_COLUMNS, SCORE_COLUMNS, combined_score
from scalp_strategy.technical.setup import PATTERN_NAMES, SETUP_COLUMNS, setup_codes
from scalp_strategy.technical.silence import memory_candles


def technical_layer(
    candles_15m: DataFrame,
    candles_5m: DataFrame | None = None,
    candles_1m: DataFrame | None = None,
    settings: Settings | None = None,
) -> DataFrame:
    """Return all columns of the technical layer for one pair.

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
        Only new columns on the same index: those of `technical_frame`, `technical_score` and
        `top_setup`. float64 with NaN for unknown, except the int8 codes and counts.

    Raises
    ------
    ContractViolation
        Dates are duplicate, unsorted or without a time zone, or a column is missing.

    Notes
    -----
    Causal. Trustworthy from row `lookback(settings)` on.
    """
    settings = settings or DEFAULT_SETTINGS
    technical = settings.technical
    names = technical_columns(technical)
    block = np.empty((len(names) + len(SCORE_COLUMNS), len(candles_15m)))
    bars = bars_of(candles_15m, "15m candles")
    fill_technical_block(block[: len(names)], bars, candles_5m, candles_1m, settings)
    supports, factors = sub_scores(block)
    traded = block[names.index(TRADED_SHARE)]
    result = combined_score(supports, factors, traded, technical, memory_candles(settings))
    block[len(names) :] = (*result.score, result.reliability)
    first = names.index(PATTERN_NAMES[0])
    codes = setup_codes(supports, block[first : first + len(PATTERN_NAMES)], technical)
    counts = np.array([result.direction, *result.agreeing, *codes])
    index = candles_15m.index
    blocks = [DataFrame(rows.T, index=index, copy=False) for rows in (block, counts)]
    layer = pd.concat(blocks, axis=1, ignore_index=True)
    layer.columns = _labels((*names, *SCORE_COLUMNS, *COUNT_COLUMNS, *SETUP_COLUMNS))
    return layer


@lru_cache(maxsize=8)
def _labels(names: tuple[str, ...]) -> "Index[str]":
    # An Index of strings costs as much as several indicators; it never changes, so it is shared.
    return Index(names)
