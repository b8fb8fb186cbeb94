"""Pause everything after a daily loss."""

from dataclasses import dataclass

from scalp_strategy.breakers.base import BreakerState
from scalp_strategy.signals import Candidate, Verdict


@dataclass(frozen=True)
class DailyDrawdown:
    """Block while the account is paused: by the daily drawdown, or by an admin."""

    name: str = "daily_drawdown"

    def check(self, candidate: Candidate, state: BreakerState) -> Verdict:  # noqa: ARG002
        """Return a veto while the account is paused."""
        paused = state.account.state
        if not paused.is_paused:
            return Verdict(self.name)
        reason = f"all signals paused: {paused.pause_reason}"
        return Verdict(self.name, blocks=True, reason=reason, is_pause=True)
