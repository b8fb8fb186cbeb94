"""Settings of the technical layer: one group per indicator, one for the patterns.

Scores are support on the 0..100 scale where 50 says nothing. Periods count 15-minute candles
unless a name says otherwise.
"""

from itertools import pairwise
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from scalp_strategy.setting_groups.base import Group, setting


class OrderedGroup(Group):
    """A group in which some settings must rise strictly from one to the next."""

    ASCENDING: ClassVar[tuple[tuple[str, ...], ...]] = ()

    @model_validator(mode="after")
    def _settings_ascend(self) -> Self:
        for names in self.ASCENDING:
            for lower, upper in pairwise(names):
                if not getattr(self, lower) < getattr(self, upper):
                    raise ValueError(f"{lower} must be below {upper}")
        return self


class IndicatorWeights(Group):
    """Share of each indicator in the technical score; the ten sum to 1."""

    SUM_TOLERANCE: ClassVar[float] = 1e-6

    rsi: float = setting(0.12, "Weight of RSI.", ge=0, le=1)
    ema_structure: float = setting(0.15, "Weight of the EMA stack.", ge=0, le=1)
    vwap: float = setting(0.10, "Weight of the distance from VWAP.", ge=0, le=1)
    macd: float = setting(0.10, "Weight of MACD.", ge=0, le=1)
    bollinger: float = setting(0.08, "Weight of the Bollinger bands.", ge=0, le=1)
    obv: float = setting(0.08, "Weight of on-balance volume.", ge=0, le=1)
    stochrsi: float = setting(0.07, "Weight of the stochastic RSI.", ge=0, le=1)
    volume: float = setting(0.15, "Weight of the volume ratio.", ge=0, le=1)
    support_resistance: float = setting(0.10, "Weight of support and resistance.", ge=0, le=1)
    pattern: float = setting(0.05, "Weight of the candle patterns.", ge=0, le=1)

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        total = sum(getattr(self, name) for name in type(self).model_fields)
        if abs(total - 1.0) > self.SUM_TOLERANCE:
            raise ValueError(f"the indicator weights sum to {total:.6g}, they must sum to 1")
        return self


class RsiSettings(OrderedGroup):
    """Relative strength index."""

    ASCENDING = (("oversold", "neutral_low", "neutral_high", "overbought"),)

    period: int = setting(14, "Wilder period.", ge=2, le=200)
    oversold: float = setting(30.0, "At or below: oversold.", ge=0, le=100)
    neutral_low: float = setting(40.0, "Lower end of the neutral zone.", ge=0, le=100)
    neutral_high: float = setting(60.0, "Upper end of the neutral zone.", ge=0, le=100)
    overbought: float = setting(70.0, "At or above: overbought.", ge=0, le=100)
    with_trend_score: float = setting(90.0, "Oversold in an uptrend (mirrored).", ge=50, le=100)
    against_trend_score: float = setting(60.0, "Oversold in a downtrend.", ge=50, le=100)


class EmaSettings(OrderedGroup):
    """Exponential moving averages, and the trend every indicator means."""

    ASCENDING = (("fast", "medium", "slow", "long"),)

    fast: int = setting(9, "Fast EMA.", ge=2, le=1000)
    medium: int = setting(21, "Medium EMA, the one price bounces off.", ge=2, le=1000)
    slow: int = setting(50, "Slow EMA; against the long one it gives the trend.", ge=2, le=1000)
    long: int = setting(200, "Long EMA.", ge=2, le=1000)
    full_stack_score: float = setting(95.0, "All four in bullish order.", ge=50, le=100)
    fresh_cross_score: float = setting(80.0, "Fast just crossed above medium.", ge=50, le=100)
    fresh_cross_candles: int = setting(3, "Candles a cross stays fresh.", ge=1, le=20)
    trend_dead_zone_atr: float = setting(
        0.25, "Slow within this many ATR of long: no trend.", ge=0, le=10
    )


class VwapSettings(OrderedGroup):
    """Volume-weighted average price of the UTC day."""

    ASCENDING = (("touch_atr", "far_atr"), ("near_score", "far_score"))

    touch_atr: float = setting(0.1, "Within this many ATR: price is at VWAP.", ge=0, le=10)
    far_atr: float = setting(2.0, "Distance in ATR of the full score.", gt=0, le=50)
    touch_score: float = setting(70.0, "At VWAP, for both sides.", ge=50, le=100)
    near_score: float = setting(60.0, "Just above VWAP.", ge=50, le=100)
    far_score: float = setting(80.0, "Far above VWAP.", ge=50, le=100)


class MacdSettings(OrderedGroup):
    """Moving average convergence/divergence."""

    ASCENDING = (("fast", "slow"), ("cross_weak_score", "cross_strong_score"))

    fast: int = setting(12, "Fast EMA.", ge=2, le=200)
    slow: int = setting(26, "Slow EMA.", ge=2, le=400)
    signal: int = setting(9, "EMA of the MACD line.", ge=2, le=200)
    cross_weak_score: float = setting(75.0, "Fresh cross, no strength.", ge=50, le=100)
    cross_strong_score: float = setting(90.0, "Fresh cross, full strength.", ge=50, le=100)
    cross_full_strength_atr: float = setting(
        0.1, "Histogram in ATR that makes a cross full strength.", gt=0, le=10
    )
    fresh_cross_candles: int = setting(3, "Candles a cross stays fresh.", ge=1, le=20)
    growing_bonus: float = setting(10.0, "Added while the histogram grows.", ge=0, le=50)


class BollingerSettings(OrderedGroup):
    """Bollinger bands."""

    period: int = setting(20, "Moving average and deviation.", ge=2, le=400)
    deviations: float = setting(2.0, "Band distance in standard deviations.", gt=0, le=10)
    band_score: float = setting(85.0, "At the lower band in an uptrend.", ge=50, le=100)
    band_zone: float = setting(
        0.2, "Share of the band's height over which that score fades to 50.", gt=0, le=0.5
    )
    squeeze_score: float = setting(70.0, "Squeeze, for both sides.", ge=50, le=100)
    squeeze_ratio: float = setting(
        0.6, "Squeeze: bandwidth below this share of its own average.", gt=0, le=1
    )
    squeeze_candles: int = setting(100, "Candles of that average.", ge=2, le=1000)


class ObvSettings(OrderedGroup):
    """On-balance volume, as its change over a window."""

    ASCENDING = (("divergence_weak_score", "divergence_strong_score"), ("min_flow", "full_flow"))

    candles: int = setting(20, "Candles over which price and OBV are compared.", ge=2, le=400)
    min_move_atr: float = setting(1.0, "Price change in ATR that counts as a move.", gt=0, le=20)
    min_flow: float = setting(
        0.1, "OBV change as a share of traded volume that counts as a flow.", gt=0, le=1
    )
    full_flow: float = setting(0.4, "Flow of the strongest divergence.", gt=0, le=1)
    divergence_weak_score: float = setting(80.0, "Weakest divergence.", ge=50, le=100)
    divergence_strong_score: float = setting(90.0, "Strongest divergence.", ge=50, le=100)
    confirming_score: float = setting(60.0, "OBV and price move together.", ge=50, le=100)


class StochRsiSettings(OrderedGroup):
    """Stochastic RSI."""

    ASCENDING = (("oversold", "overbought"),)

    period: int = setting(14, "Stochastic window over RSI.", ge=2, le=200)
    smooth_k: int = setting(3, "Average that makes %K.", ge=1, le=50)
    smooth_d: int = setting(3, "Average that makes %D.", ge=1, le=50)
    oversold: float = setting(20.0, "Below: oversold.", gt=0, le=100)
    overbought: float = setting(80.0, "Above: overbought.", ge=0, lt=100)
    cross_score: float = setting(85.0, "Oversold and %K crosses above %D.", ge=50, le=100)
    extreme_score: float = setting(60.0, "%K at 0 without a cross.", ge=50, le=100)


class VolumeSettings(OrderedGroup):
    """Volume against its own average."""

    ASCENDING = (("quiet_ratio", "normal_ratio", "spike_ratio"),)

    period: int = setting(20, "Candles of the average, the current one included.", ge=2, le=400)
    quiet_ratio: float = setting(0.5, "At or below: no participation.", ge=0, le=10)
    normal_ratio: float = setting(1.0, "Says nothing.", gt=0, le=10)
    spike_ratio: float = setting(2.0, "At or above: a spike.", gt=0, le=100)
    quiet_score: float = setting(20.0, "No participation, for both sides.", ge=0, le=50)
    spike_score: float = setting(85.0, "Spike, for both sides.", ge=50, le=100)


class LevelSettings(OrderedGroup):
    """Support and resistance from pivot points."""

    ASCENDING = (("near_pct", "far_pct"),)

    candles: int = setting(100, "Candles in which pivots count.", ge=10, le=1000)
    pivot_width: int = setting(4, "Candles on either side that a pivot exceeds.", ge=2, le=50)
    near_pct: float = setting(0.3, "Within this distance: at the level.", ge=0, le=20)
    far_pct: float = setting(0.6, "From this distance on the level says nothing.", gt=0, le=20)
    near_score: float = setting(90.0, "At support in an uptrend (mirrored).", ge=50, le=100)


class TimeframeSettings(OrderedGroup):
    """Agreement of 1m, 5m and 1h with the 15m signal."""

    ASCENDING = (("fast", "medium", "slow"), ("strongly_against", "against", "hour", "all"))

    fast: int = setting(9, "Fast EMA on 5m and 1h.", ge=2, le=200)
    medium: int = setting(21, "Medium EMA on 5m and 1h.", ge=2, le=200)
    slow: int = setting(50, "Slow EMA on 5m and 1h.", ge=2, le=400)
    momentum_candles: int = setting(5, "1m candles of the momentum.", ge=1, le=60)
    max_age_candles: int = setting(
        2, "A 5m or 1m candle older than this many of its own length is unknown.", ge=0, le=60
    )
    all: float = setting(1.5, "Multiplier: 1h, 5m and 1m agree.", ge=1, le=3)
    hour: float = setting(1.2, "Multiplier: 1h agrees.", ge=1, le=3)
    against: float = setting(0.7, "Multiplier: 1h disagrees.", ge=0, le=1)
    strongly_against: float = setting(0.5, "Multiplier: 1h strongly disagrees.", ge=0, le=1)


class PatternSettings(OrderedGroup):
    """Candle patterns: what detects them, and their confidence (0..100)."""

    ASCENDING = (
        ("volume_bonus_from_ratio", "volume_bonus_full_ratio"),
        ("rejection_from", "rejection_full"),
        ("ignition_candles", "ignition_full_candles"),
    )

    timeframe_bonus: float = setting(10.0, "Confidence for 1h, and for 5m, agreeing.", ge=0, le=50)
    volume_bonus: float = setting(15.0, "Most confidence that volume adds.", ge=0, le=50)
    volume_bonus_from_ratio: float = setting(1.0, "Volume ratio where it starts.", ge=0, le=100)
    volume_bonus_full_ratio: float = setting(3.0, "Volume ratio of all of it.", gt=0, le=100)
    rejection_bonus: float = setting(15.0, "Most confidence that a wick adds.", ge=0, le=50)
    rejection_from: float = setting(0.3, "Wick share of the range where it starts.", ge=0, le=1)
    rejection_full: float = setting(0.7, "Wick share of the range of all of it.", gt=0, le=1)

    breakout_confidence: float = setting(55.0, "A breakout's start.", ge=0, le=100)
    breakout_volume_ratio: float = setting(2.0, "Volume a breakout must exceed.", ge=0, le=100)
    fakeout_confidence: float = setting(55.0, "A fakeout's start.", ge=0, le=100)
    fakeout_min_pierce_atr: float = setting(0.05, "Wick beyond the level.", ge=0, le=5)
    gap_confidence: float = setting(60.0, "A gap retest's start.", ge=0, le=100)
    gap_min_atr: float = setting(0.1, "Smallest gap that counts.", ge=0, le=10)
    gap_max_age_candles: int = setting(50, "Candles until a gap expires.", ge=1, le=500)
    bounce_confidence: float = setting(60.0, "An EMA bounce's start.", ge=0, le=100)
    bounce_touch_atr: float = setting(0.1, "A wick this near touches the EMA.", ge=0, le=5)
    reclaim_confidence: float = setting(60.0, "A VWAP reclaim's start.", ge=0, le=100)
    reclaim_volume_ratio: float = setting(1.2, "Volume a reclaim needs.", ge=0, le=100)
    reclaim_dip_candles: int = setting(8, "Longest dip below VWAP.", ge=1, le=95)
    ignition_confidence: float = setting(60.0, "Momentum ignition's start.", ge=0, le=100)
    ignition_full_confidence: float = setting(80.0, "After the longest run.", ge=0, le=100)
    ignition_candles: int = setting(3, "Candles that make an ignition.", ge=2, le=20)
    ignition_full_candles: int = setting(6, "Candles of the longest run.", ge=3, le=40)


class TechnicalSettings(Group):
    """Tunables of the technical layer."""

    mtf_mode: Literal["level", "centred"] = setting(
        "level", "Multiply the score itself, or its distance from 50."
    )
    settle_tolerance: float = setting(
        1e-4, "A recursion has settled when its seed weighs less than this.", gt=0, lt=1
    )
    atr_period: int = setting(14, "Wilder period of the average true range.", ge=2, le=200)
    direction_min_score: float = setting(55.0, "A direction's score exceeds this.", ge=0, le=100)
    direction_min_agreeing: int = setting(3, "Indicators that must support it.", ge=0, le=9)
    agreeing_min_score: float = setting(60.0, "Sub-score that supports a side.", ge=50, le=100)
    max_bridged_candles: int = setting(
        8,
        "Candles of the longest hole that is bridged by candles without a trade, as the host does; "
        "after a longer one every average begins anew.",
        ge=0,
        le=96,
    )
    redenomination_factor: float = setting(
        3.0,
        "A price that jumps by more than this factor, up or down, after a candle without a trade "
        "is another unit: every average begins anew.",
        gt=1.5,
        le=1_000,
    )

    weights: IndicatorWeights = IndicatorWeights()
    rsi: RsiSettings = RsiSettings()
    ema: EmaSettings = EmaSettings()
    vwap: VwapSettings = VwapSettings()
    macd: MacdSettings = MacdSettings()
    bollinger: BollingerSettings = BollingerSettings()
    obv: ObvSettings = ObvSettings()
    stochrsi: StochRsiSettings = StochRsiSettings()
    volume: VolumeSettings = VolumeSettings()
    levels: LevelSettings = LevelSettings()
    timeframes: TimeframeSettings = TimeframeSettings()
    patterns: PatternSettings = PatternSettings()
