"""Settings of the scanner: which pairs are worth scanning."""

from typing import Self

from pydantic import model_validator

from scalp_strategy.setting_groups.base import Group, setting
from scalp_strategy.setting_groups.weights import Weights, weight


class ScannerWeights(Weights):
    """What makes a pair worth scanning."""

    volume: float = weight(0.35, "24 h volume")
    spread: float = weight(0.25, "a narrow spread")
    volatility: float = weight(0.25, "ATR in percent")
    momentum: float = weight(0.15, "24 h change")


class ScannerSettings(Group):
    """Which pairs are scanned."""

    weights: ScannerWeights = ScannerWeights()
    refresh_s: int = setting(60, "Seconds between two scans.", ge=5, le=3_600)
    min_volume_usdt: float = setting(500_000, "24 h quote volume at least.", ge=0, le=1e12)
    max_spread_pct: float = setting(0.10, "Bid-ask spread in percent at most.", gt=0, le=5)
    min_change_pct: float = setting(0.5, "24 h change, either way, at least.", ge=0, le=100)
    min_history_candles: int = setting(200, "15m candles of history at least.", ge=1, le=10_000)
    min_liquidity_score: float = setting(60.0, "Liquidity score at least.", ge=0, le=100)
    min_opportunity_score: float = setting(50.0, "Opportunity score at least.", ge=0, le=100)
    min_pairs: int = setting(20, "Fewest pairs aimed for.", ge=1, le=500)
    max_pairs: int = setting(40, "Most pairs scanned.", ge=1, le=500)
    full_volume_usdt: float = setting(5_000_000, "Volume that scores 100.", gt=0, le=1e12)
    full_atr_pct: float = setting(1.0, "ATR percent that scores 100.", gt=0, le=50)
    full_change_pct: float = setting(3.0, "24 h change that scores 100.", gt=0, le=100)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_pairs > self.max_pairs:
            raise ValueError("min_pairs must not be above max_pairs")
        return self
