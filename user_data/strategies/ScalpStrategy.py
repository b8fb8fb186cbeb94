"""Freqtrade finds the strategy here; it lives in the package `scalp_strategy`."""

from scalp_strategy.strategy import ScalpStrategy as Engine


class ScalpStrategy(Engine):
    """The 15-minute scalp engine."""
