"""Settings of the order-flow layer."""

from typing import Annotated

from pydantic import Field

from scalp_strategy.setting_groups.base import Group, setting
from scalp_strategy.setting_groups.weights import Range, Score, Seconds, Share, Weights, weight


class OrderFlowWeights(Weights):
    """Components of the order-flow score."""

    book_imbalance: float = weight(0.25, "book imbalance")
    trade_flow: float = weight(0.30, "aggressor flow")
    large_orders: float = weight(0.15, "large trades")
    funding_rate: float = weight(0.15, "the funding rate")
    open_interest: float = weight(0.10, "open interest against price")
    vanishing_liquidity: float = weight(0.05, "liquidity that stays")


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
    fast_freshness_s: tuple[Seconds, Seconds, Seconds] = setting(
        (15, 60, 300), "Ages of book and trades at which their reliability falls."
    )
    fast_freshness: tuple[Share, Share, Share, Share] = setting(
        (1.0, 0.7, 0.4, 0.0), "Reliability before the first age, between them, and after."
    )
    open_interest_freshness_s: tuple[Seconds, Seconds, Seconds] = setting(
        (600, 1_200, 3_600), "The same for open interest, which is polled."
    )
    open_interest_freshness: tuple[Share, Share, Share, Share] = setting(
        (1.0, 0.7, 0.4, 0.0), "Its reliability before the first age, between them, and after."
    )
    funding_freshness_s: tuple[Seconds, Seconds, Seconds] = setting(
        (28_800, 57_600, 86_400), "The same for funding, which is settled every eight hours."
    )
    funding_freshness: tuple[Share, Share, Share, Share] = setting(
        (1.0, 0.7, 0.4, 0.0), "Its reliability before the first age, between them, and after."
    )
