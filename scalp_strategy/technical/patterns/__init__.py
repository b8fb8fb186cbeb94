"""The explicit list of patterns: adding one is one new file and one line here."""

from typing import Final

from scalp_strategy.technical.patterns.base import Pattern
from scalp_strategy.technical.patterns.breakout import Breakout
from scalp_strategy.technical.patterns.ema_bounce import EmaBounce
from scalp_strategy.technical.patterns.fair_value_gap import FairValueGap
from scalp_strategy.technical.patterns.fakeout import Fakeout
from scalp_strategy.technical.patterns.momentum_ignition import MomentumIgnition
from scalp_strategy.technical.patterns.vwap_reclaim import VwapReclaim

PATTERNS: Final[tuple[Pattern, ...]] = (
    Breakout(),
    Fakeout(),
    FairValueGap(),
    EmaBounce(),
    VwapReclaim(),
    MomentumIgnition(),
)

__all__ = ["PATTERNS", "Pattern"]
