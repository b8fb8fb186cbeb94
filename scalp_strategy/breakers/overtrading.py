"""Quality before quantity: so many signals an hour and no more."""

from dataclasses import dataclass

from scalp_strategy.breakers.base import BreakerState
from scalp_strategy.signals import Candidate, Verdict


@dataclass(frozen=True)
class Overtrading:
    """Block when the hour up to the candle's close has had its signals.

    Every signal that was sent counts, traded or not, those of this very candle included.
    """

    name: str = "overtrading"

    def check(self, candidate: Candidate, state: BreakerState) -> Verdict:
        """Return a veto when the limit is reached."""
        count = state.account.signals_in_hour(candidate.close_time)
        limit = state.settings.max_signals_per_hour
        if count < limit:
            return Verdict(self.name)
        reason = f"overtrading limit reached: {count}/{limit} signals this hour"
        return Verdict(self.name, blocks=True, reason=reason)
