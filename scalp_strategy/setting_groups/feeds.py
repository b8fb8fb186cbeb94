"""Settings of the outside evidence: scanner, order flow, on-chain, sentiment (the sidecar's)."""

import math
from typing import Annotated, Self

from pydantic import Field, model_validator

from scalp_strategy.setting_groups.base import Group, setting

Score = Annotated[float, Field(ge=0, le=100)]
Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[int, Field(ge=0, le=604_800)]
Range = tuple[Score, Score]  # weakest and strongest case; linear between


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
    reconnect_first_s: float = setting(1.0, "First wait before a reconnect.", gt=0, le=60)
    reconnect_max_s: float = setting(30.0, "Longest wait; each is twice the last.", gt=0, le=600)
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
    imbalance_neutral: tuple[Share, Share] = setting(
        (0.45, 0.55), "Bid share of the book within which nothing is said."
    )
    imbalance_pressure: Share = setting(0.6, "Bid share from which buyers press (mirrored).")
    imbalance_scores: Range = setting((70, 90), "Support from pressure to a one-sided book.")
    flow_pressure: tuple[Share, Share] = setting(
        (0.6, 0.75), "Taker-buy shares: aggressive, very aggressive (mirrored)."
    )
    flow_scores: tuple[Score, Score, Score] = setting(
        (70, 85, 95), "Support at the two shares and at nothing but buyers."
    )
    large_trade_scores: Range = setting((80, 95), "Support of many large trades of one side.")
    crowded_scores: Range = setting((30, 80), "Crowded side, and the side against it.")
    liquidation_scores: Range = setting((70, 90), "Support of both sides near liquidations.")
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
    freshness_s: tuple[Seconds, Seconds, Seconds] = setting(
        (300, 900, 1_800), "Ages at which the reliability falls."
    )
    freshness: tuple[Share, Share, Share, Share] = setting(
        (1.0, 0.7, 0.4, 0.2), "Reliability before the first age, between them, and after."
    )
    raw_event_ttl_s: int = setting(1_800, "Seconds raw events are kept.", ge=60, le=86_400)
    deposit_score: Score = setting(25, "Long score after a whale's deposit to an exchange.")
    withdrawal_score: Score = setting(80, "Long score after a whale's withdrawal.")
    withdrawals_score: Score = setting(90, "Long score after several in a row.")
    outflow_scores: Range = setting((70, 90), "Long score of a net outflow from exchanges.")
    inflow_scores: Range = setting((20, 40), "Long score of a net inflow, strongest first.")
    extreme_outflow_scores: Range = setting((90, 100), "Long score of an extreme outflow.")
    stablecoin_inflow_scores: Range = setting((75, 90), "Long score of stablecoins arriving.")
    stablecoin_outflow_scores: Range = setting((30, 40), "Long score of stablecoins leaving.")
    smart_buy_scores: Range = setting((70, 90), "Long score: one smart wallet buys, many do.")
    smart_sell_scores: Range = setting((20, 30), "Long score of smart wallets selling.")
    smart_wallets: int = setting(3, "Smart wallets that make a strong signal.", ge=1, le=100)
    smart_window_s: int = setting(3_600, "Seconds in which they must agree.", ge=60, le=86_400)


class SentimentWeights(Weights):
    """Components of the sentiment score."""

    fear_greed: float = _weight(0.20, "fear and greed")
    social_sentiment: float = _weight(0.30, "social and news")
    market_regime: float = _weight(0.30, "the market regime")
    macro_correlation: float = _weight(0.20, "macro")


class RegimeBiases(Group):
    """Long and short score of each market regime for alts."""

    risk_on: Range = setting((80, 30), "Alts are bought.")
    btc_season: Range = setting((50, 50), "BTC takes the capital.")
    risk_off: Range = setting((25, 80), "Everything is sold.")
    choppy: Range = setting((45, 45), "No clear regime.")


class SentimentSettings(Group):
    """Thresholds of the sentiment components."""

    weights: SentimentWeights = SentimentWeights()
    social_spike_ratio: float = setting(3.0, "Mentions over their mean that spike.", gt=1, le=100)
    social_mean_days: int = setting(7, "Days in that mean.", ge=1, le=90)
    capitulation_atr: float = setting(
        2.0, "ATRs fallen in four hours that turn bad news into capitulation.", gt=0, le=20
    )
    fear_greed_edges: tuple[Score, Score, Score, Score] = setting(
        (25, 45, 55, 75), "Edges of extreme fear, fear, neutral, greed, extreme greed."
    )
    fear_greed_scores: tuple[Range, Range, Score, Score, Range] = setting(
        ((90, 75), (70, 60), 50, 40, (25, 15)), "Contrarian long scores of the five bands."
    )
    social_positive_score: Score = setting(75, "Long score of a spike with good news.")
    social_capitulation_score: Score = setting(80, "Long score of a spike after capitulation.")
    social_growing_score: Score = setting(65, "Long score of slowly growing mentions.")
    social_negative_scores: Range = setting((20, 85), "Long and short score of viral bad news.")
    regime_biases: RegimeBiases = RegimeBiases()
    macro_positive_scores: Range = setting((65, 75), "Long score of helpful macro moves.")
    macro_negative_scores: Range = setting((25, 35), "Long score of hostile ones, worst first.")
    macro_poll_s: int = setting(900, "Seconds between two macro checks.", ge=60, le=86_400)
