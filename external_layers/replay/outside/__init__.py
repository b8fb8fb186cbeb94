"""The outside world of the replay market: answers of every outside source, made from the seed."""

from external_layers.replay.outside.asked import Asked
from external_layers.replay.outside.world import PREFIX, OutsideWorld

__all__ = ["PREFIX", "Asked", "OutsideWorld"]
