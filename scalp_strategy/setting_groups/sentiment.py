"""Settings of the sentiment layer."""

from itertools import pairwise
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from scalp_strategy.setting_groups.base import Group, setting
from scalp_strategy.setting_groups.weights import Range, Score, Seconds, Share, Weights, weight

Span = Annotated[int, Field(ge=900, le=259_200)]

_HOURS_A_DAY: Final = 24

# Settings whose values must ascend: edges, ages, spans, anchors of a line.
_ASCENDING: Final = (
    "fear_greed_edges",
    "social_tone",
    "regime_fast_s",
    "regime_slow_s",
    "macro_hour_s",
    "fear_greed_freshness_s",
    "social_freshness_s",
    "regime_freshness_s",
    "macro_freshness_s",
)


class SentimentWeights(Weights):
    """Components of the sentiment score."""

    fear_greed: float = weight(0.20, "fear and greed")
    social_sentiment: float = weight(0.30, "social and news")
    market_regime: float = weight(0.30, "the market regime")
    macro_correlation: float = weight(0.20, "macro")


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
    social_min_hours: int = setting(
        24, "Hours of mentions or news heard before they are compared at all.", ge=1, le=720
    )
    social_mean_floor: float = setting(
        1.0, "A mean below this counts as this, in mentions or stories an hour.", gt=0, le=1e6
    )
    social_growth_ratio: float = setting(
        1.5, "Mentions of a day over those of the day before that grow.", gt=1, le=100
    )
    social_tone: tuple[Share, Share] = setting(
        (0.15, 0.5), "Mean tone from which news is good, and fully so (bad: mirrored)."
    )
    social_tone_half_life_s: int = setting(
        7_200, "Seconds after which a headline counts half in the tone.", ge=60, le=604_800
    )
    social_tone_score: float = setting(
        60.0, "Long score of a fully good tone of the press while nothing spikes.", ge=50, le=100
    )
    social_high_s: int = setting(
        86_400, "Seconds whose high tells that a spike comes late.", ge=3_600, le=259_200
    )
    social_high_pct: float = setting(
        0.3, "Distance from that high within which the price is at it.", ge=0, le=10
    )
    social_high_score: Score = setting(
        55, "Long score of a spike with good news at that high: perhaps distribution."
    )
    capitulation_atr: float = setting(
        2.0, "ATRs fallen that turn bad news into capitulation.", gt=0, le=20
    )
    capitulation_s: int = setting(
        14_400, "Seconds in which they must have fallen.", ge=900, le=86_400, multiple_of=900
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
    regime_fast_s: tuple[Span, Span] = setting(
        (28_800, 86_400), "Means of BTC's closes whose quotient is its trend on 1h."
    )
    regime_slow_s: tuple[Span, Span] = setting(
        (86_400, 259_200), "Means whose quotient is its trend on 4h."
    )
    candles_min_share: float = setting(
        0.9, "Share of the candles of a span that must be there.", gt=0, le=1
    )
    regime_flat_fast_pct: float = setting(0.15, "BTC is flat on 1h up to this.", ge=0, le=20)
    regime_flat_slow_pct: float = setting(0.3, "BTC is flat on 4h up to this.", ge=0, le=20)
    regime_flat_dominance: float = setting(
        0.1, "Points by which BTC's dominance may change and still stand.", ge=0, le=20
    )
    regime_flat_cap_pct: float = setting(
        0.5, "Change of the whole market's capitalisation up to which it stands.", ge=0, le=20
    )
    regime_window_s: int = setting(
        86_400, "Seconds over which dominance and capitalisation change.", ge=3_600, le=604_800
    )
    regime_window_slack: Share = setting(
        1.0, "Share of the window by which the older value may be older still."
    )
    regime_confirm_s: int = setting(
        3_600, "Seconds a regime must hold before it counts.", ge=0, le=86_400
    )
    macro_positive_scores: Range = setting((65, 75), "Long score of helpful macro moves.")
    macro_negative_scores: Range = setting((25, 35), "Long score of hostile ones, worst first.")
    macro_calm_share: float = setting(
        0.3, "Net strength below which macro is calm; 1 = one full move.", gt=0, lt=1
    )
    macro_sp500_hour_pct: float = setting(1.0, "Full move of S&P futures in an hour.", gt=0, le=50)
    macro_dollar_hour_pct: float = setting(
        0.5, "Full move of the dollar index in an hour.", gt=0, le=50
    )
    macro_hour_s: tuple[Seconds, Seconds] = setting(
        (3_000, 4_500), "Ages between which a value is an hour older than the newest."
    )
    macro_now_max_age_s: int = setting(
        2_700, "A value within the day that is older says nothing of now.", ge=60, le=86_400
    )
    macro_sp500_day_pct: float = setting(1.5, "Full move of the S&P 500 in a day.", gt=0, le=50)
    macro_dollar_day_pct: float = setting(
        0.5, "Full move of the dollar index in a day.", gt=0, le=50
    )
    macro_vix_day_pct: float = setting(12.0, "Full move of the VIX in a day.", gt=0, le=200)
    macro_yield_day_points: float = setting(
        0.1, "Full move of the 10-year yield in a day, in percentage points.", gt=0, le=10
    )
    macro_day_gap_s: int = setting(
        432_000, "Seconds that two daily values may lie apart.", ge=86_400, le=1_209_600
    )
    macro_day_lag_s: int = setting(
        86_400,
        "Seconds by which a daily value may lag the newest and still count.",
        ge=0,
        le=604_800,
    )
    macro_source_order: tuple[str, ...] = setting(
        ("yahoo_chart", "alpha_vantage", "fred"), "Whose macro values win when equally new."
    )
    fear_greed_freshness_s: tuple[Seconds, Seconds, Seconds] = setting(
        (172_800, 259_200, 604_800), "Ages of the fear & greed index; it is a daily value."
    )
    fear_greed_freshness: tuple[Share, Share, Share, Share] = setting(
        (1.0, 0.5, 0.2, 0.0), "Its reliability before the first age, between them, and after."
    )
    social_freshness_s: tuple[Seconds, Seconds, Seconds] = setting(
        (1_800, 5_400, 14_400), "Ages of mentions and news."
    )
    social_freshness: tuple[Share, Share, Share, Share] = setting(
        (1.0, 0.7, 0.4, 0.0), "Their reliability before the first age, between them, and after."
    )
    regime_freshness_s: tuple[Seconds, Seconds, Seconds] = setting(
        (7_200, 172_800, 345_600), "Ages of what the market regime is made of, the oldest counts."
    )
    regime_freshness: tuple[Share, Share, Share, Share] = setting(
        (1.0, 0.7, 0.3, 0.0), "Its reliability before the first age, between them, and after."
    )
    macro_freshness_s: tuple[Seconds, Seconds, Seconds] = setting(
        (7_200, 172_800, 432_000), "Ages of macro values; they stand still over a weekend."
    )
    macro_freshness: tuple[Share, Share, Share, Share] = setting(
        (1.0, 0.7, 0.4, 0.0), "Their reliability before the first age, between them, and after."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in _ASCENDING:
            values = getattr(self, name)
            if any(first > second for first, second in pairwise(values)):
                listed = ", ".join(f"{each:g}" for each in values)
                raise ValueError(f"{name} {listed} must ascend")
        if self.social_growth_ratio > self.social_spike_ratio:
            raise ValueError("social_growth_ratio must not be above social_spike_ratio")
        if self.social_min_hours > self.social_mean_days * _HOURS_A_DAY:
            raise ValueError("social_min_hours must not be more than the hours of social_mean_days")
        return self
