"""The order of the 9, 21, 50 and 200 EMA.

Anchors: 9 > 21 > 50 > 200 is 95, the reverse 5, each of the three steps in order counts 30; a
fresh cross of 9 above 21 is at least 80 (below: at most 20).
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from scalp_strategy.contract import Side
from scalp_strategy.setting_groups.technical import EmaSettings, TechnicalSettings
from scalp_strategy.technical.arrays import (
    FloatArray,
    ema_settling,
    last_true_within,
    mirrored,
    shifted,
)
from scalp_strategy.technical.indicators.base import (
    FULL_SCORE,
    NEUTRAL_SCORE,
    Indicator,
    Scores,
    one_sided,
    score_text,
)
from scalp_strategy.technical.inputs import Inputs


def periods(settings: EmaSettings) -> tuple[int, int, int, int]:
    """Return the four periods, fast to long."""
    return settings.fast, settings.medium, settings.slow, settings.long


class EmaStructure(Indicator):
    """The EMA stack and its fresh crosses."""

    name: ClassVar[str] = "ema_structure"

    def first_known(self, settings: TechnicalSettings) -> int:
        """Return the first row with a known score."""
        ema = settings.ema
        return max(ema.long - 1, ema.medium - 1 + ema.fresh_cross_candles)

    def lookback(self, settings: TechnicalSettings) -> int:
        """Return the candles needed before a row."""
        ema, tolerance = settings.ema, settings.settle_tolerance
        cross = ema_settling(ema.medium, tolerance) + ema.fresh_cross_candles
        return max(ema_settling(ema.long, tolerance), cross)

    def value_columns(self, settings: TechnicalSettings) -> tuple[str, ...]:
        """Return the names of the raw columns."""
        return tuple(f"ema_{period}" for period in periods(settings.ema))

    def score(self, inputs: Inputs) -> Scores:
        """Return support from the stack, lifted or lowered by a fresh cross."""
        settings = inputs.settings.ema
        stack = [inputs.ema(period) for period in periods(settings)]
        steps = [np.sign(shorter - longer) for shorter, longer in pairwise(stack)]
        reach = settings.full_stack_score - NEUTRAL_SCORE
        long = NEUTRAL_SCORE + reach * (steps[0] + steps[1] + steps[2]) / len(steps)
        long = _with_fresh_cross(long, stack[0] - stack[1], settings)
        columns = self.value_columns(inputs.settings)
        values = (inputs.in_price(ema) for ema in stack)
        return one_sided(long, dict(zip(columns, values, strict=True)))

    def reason(self, row: Mapping[str, Any], side: Side, settings: TechnicalSettings) -> str:
        """Say whether the stack is complete, or how far it has come."""
        names = periods(settings.ema)
        values = [row[f"ema_{period}"] for period in names]
        sign = 1 if side == "long" else -1
        steps = [sign * (shorter - longer) > 0 for shorter, longer in pairwise(values)]
        word = "bull" if side == "long" else "bear"
        if all(steps):
            arrow = " > " if side == "long" else " < "
            text = f"Perfect {word} EMA stack {arrow.join(map(str, names))}"
        elif steps[0] and row[f"{self.name}_{side}"] == settings.ema.fresh_cross_score:
            turn = "above" if side == "long" else "below"
            text = f"EMA {names[0]} just crossed {turn} EMA {names[1]}"
        else:
            text = f"EMAs {sum(steps)} of {len(steps)} steps {word}ish"
        return f"{text} {score_text(row, self.name, side)}"


def _with_fresh_cross(long: FloatArray, gap: FloatArray, settings: EmaSettings) -> FloatArray:
    gaps = mirrored(gap)
    ahead = gaps > 0
    crossed = last_true_within((shifted(gaps) <= 0) & ahead, settings.fresh_cross_candles)
    lift, drop = crossed & ahead
    score = settings.fresh_cross_score
    lifted = np.where(lift, np.maximum(long, score), long)
    return np.where(drop, np.minimum(long, FULL_SCORE - score), lifted)
