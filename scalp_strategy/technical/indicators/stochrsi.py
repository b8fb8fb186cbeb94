"""Stochastic RSI (14, 14, 3, 3): where RSI stands in its own range.

Anchors: %K below 20 and crossing above %D 85; below 20 without a cross 50 to 60 by depth.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import talib

from scalp_strategy.contract import Side
from scalp_strategy.setting_groups.technical import StochRsiSettings, TechnicalSettings
from scalp_strategy.technical.arrays import (
    FloatArray,
    any_nan,
    quotient,
    ramp,
    rolling_sum,
    shifted,
    wilder_settling,
)
from scalp_strategy.technical.indicators.base import (
    FULL_SCORE,
    NEUTRAL_SCORE,
    Indicator,
    Scores,
    one_sided,
    score_text,
)
from scalp_strategy.technical.inputs import NEGLIGIBLE, Inputs


class StochRsi(Indicator):
    """%K and %D of the RSI."""

    name: ClassVar[str] = "stochrsi"

    def first_known(self, settings: TechnicalSettings) -> int:
        """Return the first row with a known score: %D, and %D of the row before."""
        return settings.rsi.period + _window(settings.stochrsi)

    def lookback(self, settings: TechnicalSettings) -> int:
        """Return the candles needed before a row."""
        rsi = wilder_settling(settings.rsi.period, settings.settle_tolerance)
        return rsi + _window(settings.stochrsi)

    def value_columns(self, settings: TechnicalSettings) -> tuple[str, ...]:  # noqa: ARG002
        """Return the names of the raw columns."""
        return ("stochrsi_k", "stochrsi_d")

    def score(self, inputs: Inputs) -> Scores:
        """Return support from crosses in the outer zones."""
        settings = inputs.settings.stochrsi
        k, d = stochastic_lines(inputs.rsi, settings)
        zones = np.array([[settings.oversold], [FULL_SCORE - settings.overbought]])
        bull, bear = _support(_upside_down(k), _upside_down(d), zones, settings)
        return one_sided(NEUTRAL_SCORE + bull - bear, {"stochrsi_k": k, "stochrsi_d": d})

    def reason(self, row: Mapping[str, Any], side: Side, settings: TechnicalSettings) -> str:  # noqa: ARG002
        """Say where %K is and whether it has turned."""
        zone = "oversold" if side == "long" else "overbought"
        sign = 1 if side == "long" else -1
        turned = sign * (row["stochrsi_k"] - row["stochrsi_d"]) > 0
        turn = f" and crossing {'up' if side == 'long' else 'down'}" if turned else ""
        k = f"%K {row['stochrsi_k']:.0f}"
        return f"StochRSI {zone}{turn}, {k} {score_text(row, self.name, side)}"


def stochastic_lines(rsi: FloatArray, settings: StochRsiSettings) -> tuple[FloatArray, FloatArray]:
    """Return %K and %D of an RSI, 0..100; NaN where RSI has not moved within the window.

    %K is the average of 100 (RSI - lowest) / (highest - lowest), %D the average of %K.
    """
    lowest: FloatArray = talib.MIN(rsi, settings.period)
    highest: FloatArray = talib.MAX(rsi, settings.period)
    raw = quotient(FULL_SCORE * (rsi - lowest), highest - lowest, NEGLIGIBLE * FULL_SCORE)
    k = rolling_sum(raw, settings.smooth_k) / settings.smooth_k
    return k, rolling_sum(k, settings.smooth_d) / settings.smooth_d


def _window(settings: StochRsiSettings) -> int:
    return settings.period + settings.smooth_k + settings.smooth_d - 2


def _upside_down(line: FloatArray) -> FloatArray:
    return np.array((line, FULL_SCORE - line))


def _support(
    k: FloatArray, d: FloatArray, zone: FloatArray, settings: StochRsiSettings
) -> FloatArray:
    # Of both sides: distance above 50 from an oversold %K.
    k_before, d_before = shifted(k), shifted(d)
    crossed = (k_before <= d_before) & (k > d) & (k_before < zone)
    depth = 1.0 - ramp(k, 0.0, zone)
    support = np.where(
        crossed,
        settings.cross_score - NEUTRAL_SCORE,
        (settings.extreme_score - NEUTRAL_SCORE) * depth,
    )
    np.copyto(support, np.nan, where=any_nan(d_before, d))
    return support
