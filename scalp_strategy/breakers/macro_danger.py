"""Pause while something large shakes all markets at once."""

from dataclasses import dataclass
from math import isfinite
from typing import Final

from scalp_strategy.breakers.base import BreakerState
from scalp_strategy.contract import leaps
from scalp_strategy.signals import Candidate, Verdict

# Of the macro state, as the sentiment layer flags it; every other state is no danger.
DANGER: Final = "DANGER"
EXTREME: Final = "EXTREME"


@dataclass(frozen=True)
class MacroDanger:
    """Block in an EXTREME macro state or after a leap of BTC; make less of it in DANGER.

    BTC's own candles tell of its leap, so a sidecar that fails cannot hide it. A leap blocks until
    the hour after it has passed, wherever BTC goes meanwhile: it is read from the candles of that
    time, so that it holds over a restart and in backtests too. What is unknown
    neither blocks nor shrinks, and the reason says that it is unknown.
    """

    name: str = "macro_danger"

    def check(self, candidate: Candidate, state: BreakerState) -> Verdict:
        """Return a veto in panic, a smaller size in danger."""
        panic = [*_extreme(candidate.macro), *_leap(state)]
        if panic:
            reason = f"MACRO DANGER: {'; '.join(panic)}. All signals paused."
            return Verdict(self.name, blocks=True, reason=reason, is_pause=True)
        if candidate.macro == DANGER:
            factor = state.settings.macro_danger_size_factor
            reason = f"the macro state is {DANGER}: size x{factor:g}"
            return Verdict(self.name, size_factor=factor, reason=reason)
        return Verdict(self.name, reason=_unknown(candidate.macro, state.btc_hour_moves_pct[0]))


def _extreme(macro: str | None) -> list[str]:
    return [f"the macro state is {EXTREME}"] if macro == EXTREME else []


def _leap(state: BreakerState) -> list[str]:
    limit = state.settings.macro_btc_move_pct
    found = [move for move in state.btc_hour_moves_pct if leaps(move, limit)]
    return [f"BTC moved {found[0]:+.1f} % in 1 hour"] if found else []


def _unknown(macro: str | None, move: float) -> str:
    missing = ["the macro state"] * (macro is None) + ["BTC's last hour"] * (not isfinite(move))
    return f"unknown: {' and '.join(missing)}" if missing else ""
