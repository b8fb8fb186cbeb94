"""Settings of the confluence score: weights, tiers, coverage, regime."""

import math
from typing import Self

from pydantic import model_validator

from scalp_strategy.contract import LAYERS
from scalp_strategy.setting_groups.base import Group, setting


class LayerWeights(Group):
    """Share of each layer in the confluence score; the five sum to 1."""

    technical: float = setting(0.35, "Weight of the technical layer.", ge=0, le=1)
    orderflow: float = setting(0.25, "Weight of the order-flow layer.", ge=0, le=1)
    onchain: float = setting(0.20, "Weight of the on-chain layer.", ge=0, le=1)
    sentiment: float = setting(0.10, "Weight of the sentiment layer.", ge=0, le=1)
    base_rate: float = setting(0.10, "Weight of the base-rate layer.", ge=0, le=1)

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        total = sum(getattr(self, layer) for layer in LAYERS)
        if not math.isclose(total, 1.0, abs_tol=1e-6):
            raise ValueError(f"the five layer weights must sum to 1, they sum to {total:.6g}")
        return self


class RegimeFactors(Group):
    """What a market regime does to a side's score; 1 leaves it as it is."""

    risk_on_long: float = setting(1.1, "RISK_ON multiplies a long's score by this.", gt=0, le=2)
    risk_on_short: float = setting(0.7, "RISK_ON multiplies a short's score by this.", gt=0, le=2)
    risk_off_long: float = setting(0.7, "RISK_OFF multiplies a long's score by this.", gt=0, le=2)
    risk_off_short: float = setting(1.1, "RISK_OFF multiplies a short's score by this.", gt=0, le=2)


class ConfluenceSettings(Group):
    """How five layers become one score and a tier."""

    weights: LayerWeights = LayerWeights()
    regime: RegimeFactors = RegimeFactors()
    high_threshold: float = setting(80.0, "Score from which a signal is HIGH.", ge=0, le=100)
    medium_threshold: float = setting(65.0, "Score from which a signal is MEDIUM.", ge=0, le=100)
    min_coverage_high: float = setting(
        0.60, "HIGH needs this share of the evidence; below it the signal is MEDIUM.", ge=0, le=1
    )
    min_coverage: float = setting(
        0.30, "Any signal needs this share of the evidence to be known and fresh.", ge=0, le=1
    )
    opposition_max_age_s: int = setting(
        14_400,
        "Seconds for which a silent layer's last opposition still counts, then it is neutral.",
        ge=0,
        le=172_800,
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.medium_threshold > self.high_threshold:
            raise ValueError(
                f"medium_threshold {self.medium_threshold:g} must not be above "
                f"high_threshold {self.high_threshold:g}"
            )
        if self.min_coverage > self.min_coverage_high:
            raise ValueError(
                f"min_coverage {self.min_coverage:g} must not be above "
                f"min_coverage_high {self.min_coverage_high:g}"
            )
        return self


class EntrySettings(Group):
    """Gates a candle must pass before its signal may be traded."""

    min_atr_pct: float = setting(
        0.3, "ATR in percent of price; below it the pair moves too little.", ge=0, le=10
    )
    min_volume_ratio: float = setting(
        1.0, "Volume over its 20-candle mean; below it there is no participation.", ge=0, le=10
    )
    signal_expiry_minutes: int = setting(
        15, "Minutes after the close in which a signal may be acted on.", ge=1, le=15
    )
    partial_fill_wait_s: int = setting(
        10,
        "Seconds after which the rest of a half-filled entry is cancelled: until then it has no "
        "stop.",
        ge=0,
        le=900,
    )
