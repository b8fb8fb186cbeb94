"""No second try on a pair right after it took the whole stop."""

from dataclasses import dataclass
from datetime import timedelta
from math import ceil

from scalp_strategy.breakers.base import BreakerState
from scalp_strategy.signals import Candidate, Verdict


@dataclass(frozen=True)
class RevengeTrade:
    """Block a pair for a while after an exit at its initial stop.

    A stop at break-even or a trailing one is no loss to take revenge for.
    """

    name: str = "revenge_trade"

    def check(self, candidate: Candidate, state: BreakerState) -> Verdict:
        """Return a veto while the pair rests; from the exit to the candle's close."""
        cooldown_s = state.settings.revenge_cooldown_s
        since = candidate.close_time - timedelta(seconds=cooldown_s)
        stopped = state.history.last_full_stop(candidate.pair, since) if cooldown_s else None
        if stopped is None:
            return Verdict(self.name)
        left_s = cooldown_s - (candidate.close_time - stopped).total_seconds()
        if left_s <= 0:
            return Verdict(self.name)
        reason = (
            f"revenge trade blocked on {candidate.pair}: stopped out at {stopped:%H:%M:%S} UTC, "
            f"cooldown: {ceil(left_s)} s remaining"
        )
        return Verdict(self.name, blocks=True, reason=reason)
