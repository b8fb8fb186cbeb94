"""The bar is higher in the hours in which markets are thin."""

from dataclasses import dataclass

from scalp_strategy.breakers.base import BreakerState
from scalp_strategy.signals import Candidate, Verdict


@dataclass(frozen=True)
class TimeOfDay:
    """Say how much higher the thresholds are in the hour of the close; never block.

    The points are the candle's own, from `confluence.threshold_shift`: its tier was made with them.
    """

    name: str = "time_of_day"

    def check(self, candidate: Candidate, state: BreakerState) -> Verdict:  # noqa: ARG002
        """Return the points that both thresholds are higher."""
        shift = candidate.threshold_shift
        if not shift:
            return Verdict(self.name)
        reason = f"low-quality hour {candidate.close_time:%H} UTC: both thresholds +{shift:g}"
        return Verdict(self.name, threshold_shift=shift, reason=reason)
