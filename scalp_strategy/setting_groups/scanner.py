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


class LiquidityWeights(Weights):
    """What makes a pair cheap to enter and to leave."""

    volume: float = weight(0.4, "24 h volume")
    spread: float = weight(0.3, "a narrow spread")
    depth: float = weight(0.3, "the thinner side of the book")


class LiquiditySettings(Group):
    """The liquidity score: marks for volume, spread and depth."""

    weights: LiquidityWeights = LiquidityWeights()
    full_volume_usdt: float = setting(5_000_000, "24 h volume that scores 100.", gt=0, le=1e12)
    zero_spread_pct: float = setting(0.10, "Spread in percent that scores 0.", gt=0, le=5)
    full_depth_usdt: float = setting(
        100_000, "Depth of the thinner side that scores 100.", gt=0, le=1e12
    )
    depth_range_pct: float = setting(
        0.5, "Orders no further from the middle than this count as depth.", gt=0, le=10
    )


class HysteresisSettings(Group):
    """What keeps pairs from coming and going all the time."""

    exit_score_margin: float = setting(
        5.0, "An active pair leaves at once so far below the opportunity threshold.", ge=0, le=100
    )
    exit_scans: int = setting(
        5,
        "It also leaves when a filter or its score refused it in so many scans in a row.",
        ge=1,
        le=1_000,
    )
    entry_scans: int = setting(
        3, "A new pair joins after so many scans in a row among the best.", ge=1, le=1_000
    )
    entry_score_margin: float = setting(
        5.0, "It joins at once when it beats the weakest active pair by more.", ge=0, le=100
    )


class ScanRequestSettings(Group):
    """What the scanner asks the exchange for, how often, and how long an answer holds."""

    weight_per_min: int = setting(
        240,
        "Request weight a minute for candles and books; the tickers of a scan come on top.",
        ge=10,
        le=5_000,
    )
    concurrency: int = setting(8, "Requests under way at once.", ge=1, le=100)
    max_failures: int = setting(
        10, "Failed requests after which a scan asks for nothing more.", ge=1, le=10_000
    )
    retry_s: int = setting(120, "Seconds before a failed question is put again.", ge=1, le=86_400)
    markets_every_s: int = setting(3_600, "Seconds between market lists.", ge=60, le=86_400)
    depth_every_s: int = setting(300, "Seconds between two books of a pair.", ge=10, le=86_400)
    candle_delay_s: int = setting(
        5, "Seconds after a close before its candle is asked for.", ge=0, le=600
    )
    markets_max_age_s: int = setting(
        21_600, "Market list older than this is unknown.", ge=60, le=604_800
    )
    tickers_max_age_s: int = setting(300, "Ticker older than this is unknown.", ge=5, le=86_400)
    candles_max_age_s: int = setting(
        2_700, "Unknown once the last closed candle is older than this.", ge=900, le=86_400
    )
    depth_max_age_s: int = setting(1_200, "Book older than this is unknown.", ge=10, le=86_400)


class ScannerSettings(Group):
    """Which pairs are scanned."""

    weights: ScannerWeights = ScannerWeights()
    liquidity: LiquiditySettings = LiquiditySettings()
    hysteresis: HysteresisSettings = HysteresisSettings()
    requests: ScanRequestSettings = ScanRequestSettings()
    refresh_s: int = setting(60, "Seconds between two scans.", ge=5, le=3_600)
    min_volume_usdt: float = setting(500_000, "24 h quote volume above this.", ge=0, le=1e12)
    max_spread_pct: float = setting(0.10, "Bid-ask spread in percent below this.", gt=0, le=5)
    min_change_pct: float = setting(0.5, "24 h change, either way, above this.", ge=0, le=100)
    min_history_candles: int = setting(200, "15m candles of history at least.", ge=1, le=999)
    min_atr_pct: float = setting(0.3, "ATR in percent of price at least.", ge=0, le=50)
    min_liquidity_score: float = setting(60.0, "Liquidity score at least.", ge=0, le=100)
    min_opportunity_score: float = setting(50.0, "Opportunity score above this.", ge=0, le=100)
    min_pairs: int = setting(20, "Fewest pairs aimed for.", ge=1, le=500)
    max_pairs: int = setting(40, "Most pairs scanned.", ge=1, le=500)
    atr_period: int = setting(14, "Candles of the ATR; the strategy's by default.", ge=2, le=200)
    full_volume_usdt: float = setting(5_000_000, "Volume that scores 100.", gt=0, le=1e12)
    zero_spread_pct: float = setting(0.10, "Spread in percent that scores 0.", gt=0, le=5)
    full_atr_pct: float = setting(1.0, "ATR percent that scores 100.", gt=0, le=50)
    full_change_pct: float = setting(3.0, "24 h change that scores 100.", gt=0, le=100)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_pairs > self.max_pairs:
            raise ValueError("min_pairs must not be above max_pairs")
        if self.atr_period >= self.min_history_candles:
            raise ValueError("min_history_candles must be above atr_period")
        return self
