"""Settings of the order-flow layer."""

from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from scalp_strategy.setting_groups.base import Group, setting
from scalp_strategy.setting_groups.weights import Range, Score, Seconds, Share, Weights, weight

Percent = Annotated[float, Field(ge=0, le=100)]
Ratio = Annotated[float, Field(ge=0, le=1_000)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]

# Pairs that must ascend, since scores are linear from the first to the second.
_ASCENDING: Final = (
    "flow_pressure",
    "large_trade_many",
    "velocity_ratios",
    "open_interest_move_pct",
    "open_interest_price_pct",
    "liquidation_scores",
)


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
    bucket_ms: int = setting(
        250, "Steps of time in which trades enter and leave the window.", ge=10, le=10_000
    )
    min_window_share: Share = setting(
        0.8, "Share of the window that must have been listened to; below it is unknown."
    )
    min_trades: int = setting(
        20, "Fewest trades of the window from which anything is said.", ge=1, le=100_000
    )
    reason_min_points: float = setting(
        10.0, "Points away from 50 from which a component tells its reason.", ge=0.1, le=50
    )
    imbalance_levels: int = setting(10, "Book levels in the imbalance.", ge=1, le=1_000)
    wall_ratio: float = setting(5.0, "A wall is this many mean levels.", gt=1, le=100)
    wall_bonus: float = setting(15.0, "Points a near wall adds or takes.", ge=0, le=50)
    wall_distance_pct: float = setting(
        0.5, "Distance from the mid within which walls are looked for.", gt=0, le=10
    )
    book_interval_ms: int = setting(
        5_000, "The kept book is looked at as a whole once in so long.", ge=0, le=60_000
    )
    modifier_max_age_s: float = setting(
        30.0, "A look at the book older than this modifies nothing.", gt=0, le=3_600
    )
    thin_distance_pct: float = setting(
        0.25, "Distance from the mid within which depth is measured.", gt=0, le=10
    )
    thin_mean_s: float = setting(3_600.0, "Memory of the mean depth.", gt=0, le=604_800)
    thin_warmup_s: float = setting(
        900.0, "Seconds of depth before its mean means anything.", ge=0, le=604_800
    )
    thin_ratios: tuple[Share, Share] = setting(
        (0.5, 0.25), "Shares of the mean depth at which the bonus begins, and is full."
    )
    thin_bonus: float = setting(
        5.0, "Points that a thin book adds to the side which the book favours.", ge=0, le=50
    )
    velocity_s: float = setting(10.0, "Seconds whose pace of trades is compared.", gt=0, le=600)
    velocity_ratios: tuple[Ratio, Ratio] = setting(
        (2.0, 4.0), "Pace over the window's mean at which a burst begins, and is full."
    )
    velocity_boost: Share = setting(
        0.25, "Share by which a full burst takes the trade flow further from 50."
    )
    large_trade_ratio: float = setting(3.0, "A large trade is this many means.", gt=1, le=100)
    vanishing_s: float = setting(5.0, "Orders gone sooner without trading vanish.", gt=0, le=60)
    vanishing_min_s: float = setting(
        1.0, "Orders gone sooner than this are quotes being renewed.", ge=0, le=60
    )
    vanishing_ratio: float = setting(
        20.0, "Orders of this many mean levels are followed.", gt=1, le=1_000
    )
    vanishing_distance_pct: float = setting(
        0.1, "Distance from the mid within which they are followed.", gt=0, le=10
    )
    vanishing_left_share: Share = setting(
        0.2, "Share of the most it held at which such a level is gone."
    )
    vanishing_grace_ms: int = setting(
        1_000, "Wait for trades that arrive after the change of the book.", ge=0, le=60_000
    )
    vanishing_count: int = setting(
        30, "So many may vanish in a window; more is flagged.", ge=0, le=100_000
    )
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
    large_trade_many: tuple[Count, Count] = setting(
        (10, 30), "Numbers of large trades of one side that are many, and very many."
    )
    price_max_age_s: int = setting(
        60, "Seconds for which a last price still stands beside open interest.", ge=1, le=3_600
    )
    open_interest_window_s: int = setting(
        900, "Seconds over which open interest and price are compared.", ge=60, le=86_400
    )
    open_interest_slack: Share = setting(
        0.5, "Share of the window by which the older sample may be older still."
    )
    open_interest_move_pct: tuple[Percent, Percent] = setting(
        (0.2, 1.0), "Rise of open interest from which it counts, and fully."
    )
    open_interest_price_pct: tuple[Percent, Percent] = setting(
        (0.1, 0.5), "Move of the price from which it counts, and fully."
    )
    open_interest_score: float = setting(
        80.0, "Support of a full move with new positions behind it.", ge=50, le=100
    )
    crowded_scores: Range = setting((30, 80), "Crowded side, and the side against it.")
    liquidation_scores: Range = setting((70, 90), "Support of both sides near liquidations.")
    liquidation_leverages: tuple[Annotated[int, Field(ge=2, le=125)], ...] = setting(
        (10, 25, 50), "Leverages whose liquidation prices are estimated."
    )
    liquidation_margin_pct: float = setting(
        0.5, "Maintenance margin in percent of the position.", ge=0, le=50
    )
    liquidation_memory_s: int = setting(
        14_400, "Seconds for which entries are remembered, ever more weakly.", ge=60, le=604_800
    )
    liquidation_slice_s: int = setting(
        1_800, "Steps of time in which they are forgotten.", ge=60, le=86_400
    )
    liquidation_bucket_pct: float = setting(
        0.1, "Steps of price in which they are counted.", ge=0.01, le=5
    )
    liquidation_cluster_share: Share = setting(
        0.02, "A cluster is this share of a side's estimated positions."
    )
    liquidation_near_pct: float = setting(
        0.5, "Distance within which a cluster is near.", gt=0, le=20
    )
    liquidation_flow_share: Share = setting(
        0.05, "Share of the volume from which forced orders count fully."
    )
    liquidation_bonus: float = setting(
        5.0, "Points that forced orders give their side and take from the other.", ge=0, le=50
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
        (32_400, 57_600, 86_400),
        "The same for funding, settled every eight hours and known a little later.",
    )
    funding_freshness: tuple[Share, Share, Share, Share] = setting(
        (1.0, 0.7, 0.4, 0.0), "Its reliability before the first age, between them, and after."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in _ASCENDING:
            first, second = getattr(self, name)
            if first > second:
                raise ValueError(f"{name} {first:g}, {second:g} must ascend")
        if self.flow_pressure[0] < 0.5:
            raise ValueError("flow_pressure must be shares of at least 0.5")
        low, high = self.imbalance_neutral
        if not 1.0 - self.imbalance_pressure <= low <= 0.5 <= high <= self.imbalance_pressure:
            raise ValueError("imbalance_neutral must hold 0.5 and lie within imbalance_pressure")
        if self.thin_ratios[0] < self.thin_ratios[1]:
            raise ValueError("thin_ratios must descend")
        if self.neutral_funding_pct > self.crowded_funding_pct:
            raise ValueError("neutral_funding_pct must not be above crowded_funding_pct")
        return self
