"""Settings of the sentiment layer."""

from scalp_strategy.setting_groups.base import Group, setting
from scalp_strategy.setting_groups.weights import Range, Score, Seconds, Share, Weights, weight


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
    macro_poll_s: int = setting(900, "Seconds between two macro checks.", ge=60, le=86_400)
