"""The technical layer of one pair: sub-scores, combined score and setup in one frame."""

from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas import DataFrame, Index

from scalp_strategy.contract import SIDES
from scalp_strategy.settings import Settings
from scalp_strategy.technical.bars import bars_of
from scalp_strategy.technical.frame import fill_technical_block, technical_columns
from scalp_strategy.technical.score import COUNT_COLUMNS, SCORE_COLUMNS, combined_score
from scalp_strategy.technical.setup import setup_codes

SETUP_COLUMNS: Final = tuple(f"setup_{side}" for side in SIDES)


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
    technical = (settings or Settings()).technical
    names = technical_columns(technical)
    block = np.empty((len(names) + len(SCORE_COLUMNS), len(candles_15m)))
    sub_scores, scores = block[: len(names)], block[len(names) :]
    bars = bars_of(candles_15m, "15m candles")
    fill_technical_block(sub_scores, bars, candles_5m, candles_1m, technical)
    columns = dict(zip(names, sub_scores, strict=True))
    score = combined_score(columns, technical)
    scores[:] = score[: len(SCORE_COLUMNS)]
    codes = (setup_codes(columns, side, technical) for side in SIDES)
    counts = np.array([*score[len(SCORE_COLUMNS) :], *codes])
    index = candles_15m.index
    floats = _frame(block, (*names, *SCORE_COLUMNS), index)
    return pd.concat((floats, _frame(counts, (*COUNT_COLUMNS, *SETUP_COLUMNS), index)), axis=1)


def _frame(rows: npt.NDArray[Any], names: tuple[str, ...], index: "Index[Any]") -> DataFrame:
    return DataFrame(rows.T, index=index, columns=_labels(names), copy=False)


@lru_cache(maxsize=8)
def _labels(names: tuple[str, ...]) -> "Index[str]":
    # An Index of strings costs as much as several indicators; it never changes, so it is shared.
    return Index(names)
