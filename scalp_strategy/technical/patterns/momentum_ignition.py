"""Momentum ignition: bullish candles in a row, each with more volume, a higher high and low."""

from typing import ClassVar

import numpy as np

from scalp_strategy.contract import Side
from scalp_strategy.setting_groups.technical import TechnicalSettings
from scalp_strategy.technical.arrays import FloatArray, last_true, ramp
from scalp_strategy.technical.both_sides import BothSides
from scalp_strategy.technical.patterns.base import Pattern, where_detected


class MomentumIgnition(Pattern):
    """Confidence: 60 for three candles, rising to 80 for six, 10 each for 1h and 5m agreeing."""

    name: ClassVar[str] = "momentum_ignition"
    words: ClassVar[dict[Side, str]] = {
        "long": "Momentum ignition up",
        "short": "Momentum ignition down",
    }

    def first_known(self, settings: TechnicalSettings) -> int:
        """Return the first row that ends a run of the shortest length."""
        return settings.patterns.ignition_candles - 1

    def lookback(self, settings: TechnicalSettings) -> int:
        """Return the candles needed before a row: the longest run that still adds confidence."""
        return settings.patterns.ignition_full_candles - 1

    def confidence(self, view: BothSides) -> FloatArray:
        """Return the confidence of a long run."""
        patterns = view.settings.patterns
        run = run_length(view)
        growth = ramp(run, patterns.ignition_candles, patterns.ignition_full_candles)
        start = patterns.ignition_confidence
        confidence = start + (patterns.ignition_full_confidence - start) * growth
        missing = np.arange(view.size) < patterns.ignition_candles - 1
        detected = run >= patterns.ignition_candles
        return where_detected(detected, confidence + view.timeframe_bonus, missing)


def run_length(view: BothSides) -> FloatArray:
    """Return how many rising candles in a row end at each row; 0 for one that is not bullish.

    The first candle of a run only has to be bullish; each later one also needs more volume, a
    higher high and a higher low than the one before.
    """
    bullish = view.close > view.open
    stronger = np.zeros_like(bullish)
    stronger[:, 1:] = (
        bullish[:, 1:]
        & bullish[:, :-1]
        & (view.volume[1:] > view.volume[:-1])
        & (view.high[:, 1:] > view.high[:, :-1])
        & (view.low[:, 1:] > view.low[:, :-1])
    )
    run = np.arange(view.size) - last_true(~stronger) + 1.0
    return np.where(bullish, run, 0.0)
