"""Bollinger bands (20, 2): mean reversion with the trend, and the squeeze.

Anchors: at the lower band in an uptrend 85, without a trend half of that, in a downtrend nothing
(price walks the band); fading to 50 over the lowest fifth of the band. A squeeze is 70 for both
sides unless a band says more.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import talib

from scalp_strategy.contract import Side
from scalp_strategy.setting_groups.technical import BollingerSettings, TechnicalSettings
from scalp_strategy.technical.arrays import BoolArray, FloatArray, quotient, ramp
from scalp_strategy.technical.indicators.base import (
    FULL_SCORE,
    NEUTRAL_SCORE,
    Indicator,
    Scores,
    score_text,
)
from scalp_strategy.technical.inputs import (
    NEGLIGIBLE,
    Inputs,
    trend_first_known,
    trend_lookback,
)


class Bollinger(Indicator):
    """Position within the bands, and their width against its own average."""

    name: ClassVar[str] = "bollinger"

    def first_known(self, settings: TechnicalSettings) -> int:
        """Return the first row with a known score."""
        bands = settings.bollinger
        return max(bands.period + bands.squeeze_candles - 2, trend_first_known(settings))

    def lookback(self, settings: TechnicalSettings) -> int:
        """Return the candles needed before a row."""
        bands = settings.bollinger
        return max(bands.period + bands.squeeze_candles - 2, trend_lookback(settings))

    def value_columns(self, settings: TechnicalSettings) -> tuple[str, ...]:  # noqa: ARG002
        """Return the names of the raw columns."""
        return ("bb_upper", "bb_lower", "bb_mid", "bb_width")

    def score(self, inputs: Inputs) -> Scores:
        """Return support from the band price is at, else from a squeeze."""
        settings = inputs.settings.bollinger
        sigma = settings.deviations
        upper, mid, lower = talib.BBANDS(inputs.close, settings.period, sigma, sigma)
        height = upper - lower
        position = quotient(inputs.close - lower, height, NEGLIGIBLE * mid)
        width = height / mid
        reach = settings.band_score - NEUTRAL_SCORE
        at_lower = 1.0 - ramp(position, 0.0, settings.band_zone)
        at_upper = ramp(position, 1.0 - settings.band_zone, 1.0)
        up = inputs.uptrend_share
        lean = reach * (at_lower * up - at_upper * (1.0 - up))
        squeezed = _is_squeezed(width, settings)
        np.copyto(lean, np.nan, where=np.isnan(squeezed))
        bands = (inputs.in_price(band) for band in (upper, lower, mid))
        columns = self.value_columns(inputs.settings)
        values = dict(zip(columns, (*bands, width), strict=True))
        return _scores(lean, squeezed == 1.0, settings, values)

    def reason(self, row: Mapping[str, Any], side: Side, settings: TechnicalSettings) -> str:  # noqa: ARG002
        """Say which band price is at, or that the bands are squeezed."""
        score = score_text(row, self.name, side)
        if row[f"{self.name}_long"] == row[f"{self.name}_short"]:
            return f"Bollinger squeeze, bandwidth {row['bb_width'] * 100:.2f}% {score}"
        band = "lower" if side == "long" else "upper"
        return f"Price at the {band} Bollinger band {row[f'bb_{band}']:.6g} {score}"


def _is_squeezed(width: FloatArray, settings: BollingerSettings) -> FloatArray:
    # 1 in a squeeze, 0 outside, NaN while the average bandwidth is unknown.
    average: FloatArray = talib.SMA(width, settings.squeeze_candles)
    squeezed = (width < settings.squeeze_ratio * average).astype(np.float64)
    np.copyto(squeezed, np.nan, where=np.isnan(average))
    return squeezed


def _scores(
    lean: FloatArray,
    squeezed: BoolArray,
    settings: BollingerSettings,
    values: dict[str, FloatArray],
) -> Scores:
    long = NEUTRAL_SCORE + lean
    alert = squeezed & (np.abs(lean) < settings.squeeze_score - NEUTRAL_SCORE)
    return Scores(
        np.where(alert, settings.squeeze_score, long),
        np.where(alert, settings.squeeze_score, FULL_SCORE - long),
        values,
    )
