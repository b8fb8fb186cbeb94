"""Settings of the outside evidence: scanner, order flow, on-chain, sentiment (the sidecar's)."""

import math
from typing import Annotated, Self

from pydantic import Field, model_validator

from scalp_strategy.setting_groups.base import Group, setting


class Weights(Group):
    """Weights that sum to 1."""

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        total = sum(getattr(self, name) for name in type(self).model_fields)
        if not math.isclose(total, 1.0, abs_tol=1e-6):
            raise ValueError(f"the weights must sum to 1, they sum to {total:.6g}")
        return self


def _weight(default: float, of: str) -> float:
    weight: float = setting(default, f"Weight of {of}.", ge=0, le=1)
    return weight


class ScannerWeights(Weights):
    """What makes a pair worth scanning."""

    volume: float = _weight(0.35, "24 h volume")
    spread: float = _weight(0.25, "a narrow spread")
    volatility: float = _weight(0.25, "ATR in percent")
    momentum: float = _weight(0.15, "24 h change")


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


class OrderFlowWeights(Weights):
    """Components of the order-flow score."""

    book_imbalance: float = _weight(0.25, "book imbalance")
    trade_flow: float = _weight(0.30, "aggressor flow")
    large_orders: float = _weight(0.15, "large trades")
    funding_rate: float = _weight(0.15, "the funding rate")
    open_interest: float = _weight(0.10, "open interest against price")
    vanishing_liquidity: float = _weight(0.05, "liquidity that stays")


class OrderFlowSettings(Group):
    """Thresholds of the order-flow components."""

    weights: OrderFlowWeights = OrderFlowWeights()
    window_s: int = setting(300, "Seconds of trades looked at.", ge=10, le=3_600)
    imbalance_levels: int = setting(10, "Book levels in the imbalance.", ge=1, le=1_000)
    wall_ratio: float = setting(5.0, "A wall is this many mean levels.", gt=1, le=100)
    wall_bonus: float = setting(15.0, "Points a near wall adds or takes.", ge=0, le=50)
    large_trade_ratio: float = setting(3.0, "A large trade is this many means.", gt=1, le=100)
    vanishing_s: float = setting(5.0, "Orders gone sooner without trading vanish.", gt=0, le=60)
    vanishing_penalty: float = setting(20.0, "Points vanishing liquidity takes.", ge=0, le=100)
    crowded_funding_pct: float = setting(0.05, "Funding that means crowded.", gt=0, le=5)
    neutral_funding_pct: float = setting(0.01, "Funding within which nothing is said.", ge=0, le=5)
    liquidation_leverages: tuple[Annotated[int, Field(ge=2, le=125)], ...] = setting(
        (10, 25, 50), "Leverages whose liquidation prices are estimated."
    )


class OnChainWeights(Weights):
    """Components of the on-chain score."""

    whale_movements: float = _weight(0.30, "whale movements")
    exchange_flow: float = _weight(0.30, "exchange net flow")
    stablecoin_flow: float = _weight(0.20, "stablecoin flow")
    smart_money: float = _weight(0.20, "smart money")


class OnChainSettings(Group):
    """Thresholds of the on-chain components."""

    weights: OnChainWeights = OnChainWeights()
    min_transfer_usd: float = setting(500_000, "Transfers from this size count.", gt=0, le=1e12)
    whale_transfer_usd: float = setting(1_000_000, "Whales move at least this.", gt=0, le=1e12)
    whale_window_s: int = setting(1_800, "Seconds a whale movement counts.", ge=60, le=86_400)
    poll_s: int = setting(30, "Seconds between two polls of whale alerts.", ge=5, le=3_600)
    extreme_flow_sigma: float = setting(2.0, "Standard deviations that are extreme.", gt=0, le=10)
    smart_wallets: int = setting(3, "Smart wallets that make a strong signal.", ge=1, le=100)
    smart_window_s: int = setting(3_600, "Seconds in which they must agree.", ge=60, le=86_400)


class SentimentWeights(Weights):
    """Components of the sentiment score."""

    fear_greed: float = _weight(0.20, "fear and greed")
    social_sentiment: float = _weight(0.30, "social and news")
    market_regime: float = _weight(0.30, "the market regime")
    macro_correlation: float = _weight(0.20, "macro")


class SentimentSettings(Group):
    """Thresholds of the sentiment components."""

    weights: SentimentWeights = SentimentWeights()
    social_spike_ratio: float = setting(3.0, "Mentions over their mean that spike.", gt=1, le=100)
    social_mean_days: int = setting(7, "Days in that mean.", ge=1, le=90)
    capitulation_atr: float = setting(
        2.0, "ATRs fallen in four hours that turn bad news into capitulation.", gt=0, le=20
    )
    macro_poll_s: int = setting(900, "Seconds between two macro checks.", ge=60, le=86_400)
