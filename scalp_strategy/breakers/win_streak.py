"""Less after a streak of wins, when confidence is highest."""

from dataclasses import dataclass

from scalp_strategy.breakers.base import BreakerState
from scalp_strategy.signals import Candidate, Verdict


@dataclass(frozen=True)
class WinStreak:
    """Make less of a signal while every one of the last trades was won; never block it."""

    name: str = "win_streak"

    def check(self, candidate: Candidate, state: BreakerState) -> Verdict:  # noqa: ARG002
        """Return a smaller size while the streak lasts."""
        streak = state.history.win_streak()
        if streak < state.settings.win_streak_threshold:
            return Verdict(self.name)
        factor = state.settings.win_streak_size_factor
        reason = f"{streak} wins in a row: size x{factor:g}"
        return Verdict(self.name, size_factor=factor, reason=reason)
