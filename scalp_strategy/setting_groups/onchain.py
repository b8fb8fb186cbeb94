"""Settings of the on-chain layer."""

from scalp_strategy.setting_groups.base import Group, setting
from scalp_strategy.setting_groups.weights import Range, Score, Seconds, Share, Weights, weight


class OnChainWeights(Weights):
    """Components of the on-chain score."""

    whale_movements: float = weight(0.30, "whale movements")
    exchange_flow: float = weight(0.30, "exchange net flow")
    stablecoin_flow: float = weight(0.20, "stablecoin flow")
    smart_money: float = weight(0.20, "smart money")


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
