"""On-balance volume against price over a window, by differences only.

The OBV change of the last 20 candles is taken as a share of the volume traded in them (-1..1),
so it depends neither on where the data starts nor on the coin. Anchors: divergence (price falls
by more than 1 ATR, OBV rises) 80 to 90 by the size of the flow; both rising 60.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from scalp_strategy.contract import Side
from scalp_strategy.setting_groups.technical import ObvSettings, TechnicalSettings
from scalp_strategy.technical.arrays import (
    FloatArray,
    any_nan,
    mirrored,
    quotient,
    ramp,
    rolling_sum,
    shifted,
    wilder_settling,
)
from scalp_strategy.technical.indicators.base import (
    NEUTRAL_SCORE,
    Indicator,
    Scores,
    one_sided,
    score_text,
)
from scalp_strategy.technical.inputs import Inputs


class Obv(Indicator):
    """Divergence and confirmation of price by volume."""

    name: ClassVar[str] = "obv"

    def first_known(self, settings: TechnicalSettings) -> int:
        """Return the first row with a known score."""
        return max(settings.obv.candles, settings.atr_period)

    def lookback(self, settings: TechnicalSettings) -> int:
        """Return the candles needed before a row."""
        atr = wilder_settling(settings.atr_period, settings.settle_tolerance)
        return max(settings.obv.candles, atr)

    def value_columns(self, settings: TechnicalSettings) -> tuple[str, ...]:  # noqa: ARG002
        """Return the names of the raw columns."""
        return ("obv_flow",)

    def score(self, inputs: Inputs) -> Scores:
        """Return support from what volume says about the price move."""
        settings = inputs.settings.obv
        flow = obv_flow(inputs, settings.candles)
        move = inputs.in_atr(inputs.close - shifted(inputs.close, settings.candles))
        bull, bear = _support(mirrored(flow), mirrored(move), settings)
        return one_sided(NEUTRAL_SCORE + bull - bear, {"obv_flow": flow})

    def reason(self, row: Mapping[str, Any], side: Side, settings: TechnicalSettings) -> str:
        """Say whether volume contradicts or confirms price."""
        diverges = row[f"{self.name}_{side}"] >= settings.obv.divergence_weak_score
        kind = "bullish" if side == "long" else "bearish"
        text = f"OBV {kind} divergence" if diverges else f"OBV confirms the {kind} move"
        flow = f"{row['obv_flow'] * 100:+.0f}% net volume"
        return f"{text}, {flow} {score_text(row, self.name, side)}"


def obv_flow(inputs: Inputs, candles: int) -> FloatArray:
    """Return the OBV change over `candles` candles as a share of the volume they traded.

    Parameters
    ----------
    inputs : Inputs
        The stretch of candles.
    candles : int
        Window.

    Returns
    -------
    ndarray of float64, shape (n,)
        -1..1; NaN in the first `candles` rows and where nothing was traded.
    """
    signed = np.sign(inputs.close - shifted(inputs.close)) * inputs.volume
    return quotient(rolling_sum(signed, candles), inputs.volume_sum(candles))


def _support(flow: FloatArray, move: FloatArray, settings: ObvSettings) -> FloatArray:
    # Of both sides: distance above 50 where volume flows in; 0 elsewhere, NaN where unknown.
    inflow = flow > settings.min_flow
    weak, strong = settings.divergence_weak_score, settings.divergence_strong_score
    divergence = weak + (strong - weak) * ramp(flow, settings.min_flow, settings.full_flow)
    support = np.where(inflow & (move < -settings.min_move_atr), divergence - NEUTRAL_SCORE, 0.0)
    confirming = inflow & (move > settings.min_move_atr)
    np.copyto(support, settings.confirming_score - NEUTRAL_SCORE, where=confirming)
    np.copyto(support, np.nan, where=any_nan(flow, move))
    return support
