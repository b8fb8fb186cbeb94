"""A hard limit on positions open at once."""

from dataclasses import dataclass

from scalp_strategy.breakers.base import BreakerState
from scalp_strategy.signals import Candidate, Verdict


@dataclass(frozen=True)
class MaxPositions:
    """Block when the open and pending positions fill the slots."""

    name: str = "max_positions"

    def check(self, candidate: Candidate, state: BreakerState) -> Verdict:  # noqa: ARG002
        """Return a veto when no slot is free."""
        count = state.account.view().open_positions
        limit = state.settings.max_concurrent_positions
        if count < limit:
            return Verdict(self.name)
        return Verdict(self.name, blocks=True, reason=f"max positions reached: {count}/{limit}")
