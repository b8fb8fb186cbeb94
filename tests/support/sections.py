"""Parts of the `scalp` section that several tests share."""

# More weight on the chart: layers that say nothing weigh less, so that signals are frequent.
CHART_WEIGHTS = {
    "technical": 0.6,
    "orderflow": 0.1,
    "onchain": 0.1,
    "sentiment": 0.1,
    "base_rate": 0.1,
}
