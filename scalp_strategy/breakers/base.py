"""What a circuit breaker sees and says."""

from dataclasses import dataclass
from math import nan
from typing import Protocol

from scalp_strategy.account import Account
from scalp_strategy.setting_groups.breakers import BreakerSettings
from scalp_strategy.signals import Candidate, Verdict


@dataclass(frozen=True, slots=True)
class BreakerState:
    """The small state all breakers read, the same live and in backtests.

    Attributes
    ----------
    btc_hour_move_pct
        BTC's move in the hour up to the candle's close, percent; NaN is unknown.
    """

    settings: BreakerSettings
    account: Account
    btc_hour_move_pct: float = nan


class Breaker(Protocol):
    """One circuit breaker: a name and a check."""

    @property
    def name(self) -> str:
        """The breaker's name in verdicts and reports."""

    def check(self, candidate: Candidate, state: BreakerState) -> Verdict:
        """Return the verdict on a candidate."""
