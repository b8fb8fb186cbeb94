"""The short name of the setup behind a row: what trade tags and base rates group by."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from pandas import DataFrame

from scalp_strategy.contract import SIDES, Side, sign_of
from scalp_strategy.setting_groups.technical import TechnicalSettings
from scalp_strategy.settings import Settings
from scalp_strategy.technical.indicators import INDICATORS
from scalp_strategy.technical.indicators.base import NEUTRAL_SCORE
from scalp_strategy.technical.patterns import PATTERNS
from scalp_strategy.technical.score import SmallIntArray

NO_SETUP: Final = "none"
PATTERN_NAMES: Final = tuple(pattern.name for pattern in PATTERNS)
LEADING_NAMES: Final = tuple(
    indicator.name
    for indicator in INDICATORS
    if not indicator.direction_free and indicator.name != "pattern"
)
SETUP_NAMES: Final[tuple[str, ...]] = (NO_SETUP, *PATTERN_NAMES, *LEADING_NAMES)


def top_setup(frame: DataFrame, settings: Settings | None = None) -> DataFrame:
    """Return the setup of each row and side as a code into `SETUP_NAMES`.

    The strongest detected pattern of that direction; without one the indicator that takes that
    side and contributes most, (sub-score - 50) x weight; 0 ("none") without either.

    Parameters
    ----------
    frame : DataFrame, n rows
        Has the sub-scores and the pattern columns.
    settings : Settings, optional
        Weights; defaults when None.

    Returns
    -------
    DataFrame, n rows
        `setup_long`, `setup_short` (int8).
    """
    names = (*PATTERN_NAMES, *(f"{name}_{side}" for name in LEADING_NAMES for side in SIDES))
    columns = {name: frame[name].to_numpy() for name in names}
    technical = (settings or Settings()).technical
    codes = {f"setup_{side}": setup_codes(columns, side, technical) for side in SIDES}
    return DataFrame(codes, index=frame.index, copy=False)


def setup_codes(
    columns: Mapping[str, Any], side: Side, settings: TechnicalSettings
) -> SmallIntArray:
    """Return one side's codes from columns given as arrays; see `top_setup`."""
    sign = sign_of(side)
    other = "short" if side == "long" else "long"
    size = columns[PATTERN_NAMES[0]].size
    code = np.zeros(size, dtype=np.int8)
    best = np.zeros(size)
    for position, name in enumerate(LEADING_NAMES, start=1 + len(PATTERN_NAMES)):
        support = columns[f"{name}_{side}"]
        weighted = (support - NEUTRAL_SCORE) * getattr(settings.weights, name)
        leads = (weighted > best) & (support > columns[f"{name}_{other}"])
        np.copyto(code, position, where=leads)
        best = np.maximum(best, np.where(leads, weighted, 0.0))
    best = np.zeros(size)
    for position, name in enumerate(PATTERN_NAMES, start=1):
        confidence = sign * columns[name]
        leads = confidence > best
        np.copyto(code, position, where=leads)
        best = np.fmax(best, confidence)
    return code
