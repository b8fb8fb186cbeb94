"""Settings of the layer that contradict themselves are refused."""

import pytest

from scalp_strategy.setting_groups.sentiment import SentimentSettings


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("fear_greed_edges", (25, 45, 44, 75)),
        ("social_tone", (0.5, 0.15)),
        ("regime_fast_s", (86_400, 28_800)),
        ("regime_slow_s", (86_400, 259_201)),
        ("macro_hour_s", (4_500, 3_000)),
        ("macro_freshness_s", (7_200, 3_600, 432_000)),
        ("social_growth_ratio", 3.1),
        ("social_min_hours", 169),
        ("capitulation_s", 1_000),
        ("macro_calm_share", 1.0),
    ],
)
def test_refused(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=key):
        SentimentSettings(**{key: value})
