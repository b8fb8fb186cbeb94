"""Settings of the on-chain layer."""

from itertools import pairwise
from typing import Annotated, Final, Self

from pydantic import Field, StringConstraints, model_validator

from scalp_strategy.setting_groups.base import Group, setting
from scalp_strategy.setting_groups.weights import Range, Score, Seconds, Share, Weights, weight

# E.g. "ethereum:0x28C6...": the chain as facts name it, the address as the chain writes it.
WalletKey = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{2,32}:[A-Za-z0-9]{20,128}$")]
Ticker = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9.]{1,32}$")]
Sigma = Annotated[float, Field(ge=0, le=10)]

# Ranges that must ascend, since scores are linear from the first to the second.
_ASCENDING: Final = (
    "outflow_scores",
    "inflow_scores",
    "extreme_outflow_scores",
    "stablecoin_inflow_scores",
    "stablecoin_outflow_scores",
    "smart_buy_scores",
    "smart_sell_scores",
)


class OnChainWeights(Weights):
    """Components of the on-chain score."""

    whale_movements: float = weight(0.30, "whale movements")
    exchange_flow: float = weight(0.30, "exchange net flow")
    stablecoin_flow: float = weight(0.20, "stablecoin flow")
    smart_money: float = weight(0.20, "smart money")


class OnChainSettings(Group):
    """Thresholds of the on-chain components."""

    weights: OnChainWeights = OnChainWeights()
    exchange_wallets: dict[WalletKey, str] = setting(
        {}, 'Further wallets of exchanges: {"chain:address": "name of the exchange"}.'
    )
    smart_wallets: dict[WalletKey, str] = setting(
        {}, 'Wallets known to trade well: {"chain:address": "what to call it"}.'
    )
    stablecoins: tuple[Ticker, ...] = setting(
        ("USDT", "USDC", "DAI", "FDUSD", "USDE", "USDS", "PYUSD", "TUSD", "USD1", "USDD"),
        "Tokens that are worth a dollar: buying power, not coins.",
    )
    min_transfer_usd: float = setting(500_000, "Transfers from this size count.", gt=0, le=1e12)
    wallets_transfer_usd: float = setting(
        50_000_000,
        "Transfers between wallets of no exchange are told from this size: they count for nothing "
        "in the score, and a block of Bitcoin holds hundreds of half a million.",
        gt=0,
        le=1e12,
    )
    whale_transfer_usd: float = setting(1_000_000, "Whales move at least this.", gt=0, le=1e12)
    whale_window_s: int = setting(1_800, "Seconds a whale movement counts.", ge=60, le=86_400)
    watched_max_age_s: int = setting(
        1_800, "Seconds after the last look at a token from which it is unknown.", ge=60, le=86_400
    )
    duplicate_memory_s: int = setting(
        86_400, "Seconds for which transfers are told from repetitions.", ge=3_600, le=604_800
    )
    reason_min_points: float = setting(
        5.0, "Points away from 50 from which a component tells its reason.", ge=0.1, le=50
    )
    flow_history_days: int = setting(
        7, "Days of hourly net flows that a flow is compared with.", ge=1, le=60
    )
    flow_min_hours: int = setting(
        24, "Hours that must be known before they are compared with.", ge=2, le=1_440
    )
    flow_hour_share: Share = setting(
        0.8, "Share of an hour that must have been watched for it to be known."
    )
    flow_sigmas: tuple[Sigma, Sigma] = setting(
        (0.25, 0.5), "Standard deviations up to which a flow says nothing, from which it counts."
    )
    extreme_flow_sigma: float = setting(2.0, "Standard deviations that are extreme.", gt=0, le=10)
    full_flow_sigma: float = setting(
        4.0, "Standard deviations beyond which more says no more.", gt=0, le=20
    )
    netflow_max_age_s: int = setting(
        7_200, "Seconds a reading of an exchange net flow counts.", ge=600, le=604_800
    )
    freshness_s: tuple[Seconds, Seconds, Seconds] = setting(
        (300, 900, 1_800), "Ages at which the reliability falls."
    )
    freshness: tuple[Share, Share, Share, Share] = setting(
        (1.0, 0.7, 0.4, 0.2), "Reliability before the first age, between them, and after."
    )
    raw_event_ttl_s: int = setting(
        1_800, "Seconds a raw event is of interest: older ones are not asked for.", ge=60, le=86_400
    )
    deposit_score: Score = setting(25, "Long score after a whale's deposit to an exchange.")
    withdrawal_score: Score = setting(80, "Long score after a whale's withdrawal.")
    withdrawals_score: Score = setting(90, "Long score after several in a row.")
    withdrawals_in_row: int = setting(
        2, "Withdrawals since the last deposit that are several in a row.", ge=2, le=100
    )
    outflow_scores: Range = setting((70, 90), "Long score of a net outflow from exchanges.")
    inflow_scores: Range = setting((20, 40), "Long score of a net inflow, strongest first.")
    extreme_outflow_scores: Range = setting((90, 100), "Long score of an extreme outflow.")
    stablecoin_window_s: int = setting(
        3_600, "Seconds of stablecoin transfers looked at; they lead the price.", ge=60, le=86_400
    )
    stablecoin_inflow_scores: Range = setting((75, 90), "Long score of stablecoins arriving.")
    stablecoin_outflow_scores: Range = setting(
        (30, 40), "Long score of stablecoins leaving, strongest first."
    )
    supply_points: float = setting(
        5.0, "Points of the supply of stablecoins, where no transfer is watched.", ge=0, le=50
    )
    supply_full_usd: float = setting(
        1e9, "Dollars made or burnt in a day that give all of these points.", gt=0, le=1e12
    )
    supply_max_age_s: int = setting(
        216_000, "Seconds a daily supply counts.", ge=86_400, le=1_209_600
    )
    smart_buy_scores: Range = setting((70, 90), "Long score: one smart wallet buys, many do.")
    smart_sell_scores: Range = setting(
        (20, 30), "Long score of smart wallets selling, strongest first."
    )
    smart_many: int = setting(3, "Smart wallets that make a strong signal.", ge=1, le=100)
    smart_window_s: int = setting(3_600, "Seconds in which they must agree.", ge=60, le=86_400)
    dex_points: float = setting(
        10.0, "Points of trades on DEXes, where no smart wallet is watched.", ge=0, le=50
    )
    dex_share: float = setting(
        0.65, "Share of buys, or of sells, that gives all of these points.", gt=0.5, le=1
    )
    dex_min_trades: int = setting(
        100, "Trades of an hour from which they say anything.", ge=1, le=1_000_000
    )
    dex_min_liquidity_usd: float = setting(
        100_000, "Pools with less liquidity are left out.", ge=0, le=1e12
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in _ASCENDING:
            first, second = getattr(self, name)
            if first > second:
                raise ValueError(f"{name} {first:g}, {second:g} must ascend")
        if self.min_transfer_usd > self.whale_transfer_usd:
            raise ValueError("min_transfer_usd must not exceed whale_transfer_usd")
        sigmas = (*self.flow_sigmas, self.extreme_flow_sigma, self.full_flow_sigma)
        if any(first > second for first, second in pairwise(sigmas)):
            raise ValueError("flow_sigmas, extreme_flow_sigma, full_flow_sigma must ascend")
        if self.flow_min_hours > self.flow_history_days * 24:
            raise ValueError("flow_min_hours must fit into flow_history_days")
        return self
