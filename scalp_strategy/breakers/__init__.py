"""The circuit breakers, in the order of the report. All are asked, none ends the check."""

from typing import Final

from scalp_strategy.breakers.base import (
    Breaker,
    BreakerState,
    Chart,
    NoChart,
    NoTrades,
    TradeHistory,
    Volatility,
)
from scalp_strategy.breakers.correlation import Correlation
from scalp_strategy.breakers.daily_drawdown import DailyDrawdown
from scalp_strategy.breakers.macro_danger import MacroDanger
from scalp_strategy.breakers.max_positions import MaxPositions
from scalp_strategy.breakers.overtrading import Overtrading
from scalp_strategy.breakers.revenge_trade import RevengeTrade
from scalp_strategy.breakers.time_of_day import TimeOfDay
from scalp_strategy.breakers.volatility import ExtremeVolatility
from scalp_strategy.breakers.win_streak import WinStreak
from scalp_strategy.signals import Candidate, Verdict

BREAKERS: Final[tuple[Breaker, ...]] = (
    RevengeTrade(),
    Overtrading(),
    DailyDrawdown(),
    WinStreak(),
    Correlation(),
    TimeOfDay(),
    MaxPositions(),
    ExtremeVolatility(),
    MacroDanger(),
)


def verdicts(
    candidate: Candidate, state: BreakerState, breakers: tuple[Breaker, ...] = BREAKERS
) -> tuple[Verdict, ...]:
    """Ask every breaker; one that fails internally vetoes."""
    return tuple(_ask(breaker, candidate, state) for breaker in breakers)


def _ask(breaker: Breaker, candidate: Candidate, state: BreakerState) -> Verdict:
    try:
        return breaker.check(candidate, state)
    except Exception as error:  # noqa: BLE001 - a veto path that fails must veto, whatever failed
        return Verdict(breaker.name, blocks=True, reason=f"the check failed: {error!r}")


__all__ = [
    "BREAKERS",
    "Breaker",
    "BreakerState",
    "Chart",
    "NoChart",
    "NoTrades",
    "TradeHistory",
    "Volatility",
    "verdicts",
]
