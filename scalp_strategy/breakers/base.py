"""What a circuit breaker sees and says."""

from dataclasses import dataclass, field
from datetime import datetime
from math import nan
from typing import Protocol

from scalp_strategy.account import Account
from scalp_strategy.setting_groups.breakers import BreakerSettings
from scalp_strategy.signals import Candidate, Verdict


class TradeHistory(Protocol):
    """What the host's ended trades tell, the same live and in backtests."""

    def last_full_stop(self, pair: str, since: datetime) -> datetime | None:
        """Return when a pair was last stopped out at the initial stop, no target filled before.

        None when that has not happened since then.
        """

    def win_streak(self) -> int:
        """Return how many trades in a row, the newest first by close, ended with a net profit."""


class NoTrades:
    """A history in which nothing was ever traded."""

    def last_full_stop(self, pair: str, since: datetime) -> datetime | None:  # noqa: ARG002
        """Return None."""
        return None

    def win_streak(self) -> int:
        """Return 0."""
        return 0


@dataclass(frozen=True, slots=True)
class Volatility:
    """How far a pair moves at a candle's close, in quote currency; NaN is unknown.

    Attributes
    ----------
    mean_atr
        Mean of the ATR of the last candles, this one included.
    true_range
        Of this candle alone.
    """

    atr: float = nan
    mean_atr: float = nan
    true_range: float = nan


class Chart(Protocol):
    """What a candidate's candles say, as far as they had closed at its close."""

    def volatility(self) -> Volatility:
        """Return how far the candidate's pair moves."""

    def correlation(self, other: str) -> float:
        """Return the correlation of its hourly returns with another pair's, NaN when unknown."""


class NoChart:
    """A chart of which nothing is known."""

    def volatility(self) -> Volatility:
        """Return what is unknown."""
        return Volatility()

    def correlation(self, other: str) -> float:  # noqa: ARG002
        """Return NaN."""
        return nan


@dataclass(frozen=True, slots=True)
class BreakerState:
    """The small state all breakers read, the same live and in backtests.

    Attributes
    ----------
    account
        Open and pending positions (those approved earlier in the candle included), signals of the
        last hour, drawdown and pause.
    btc_hour_moves_pct
        BTC's moves in the hour up to each 15m close whose alarm would still hold, percent, that of
        the candle's close first; NaN is unknown.
    history, chart
        Asked only by the breakers that need them: both cost.
    """

    settings: BreakerSettings
    account: Account
    btc_hour_moves_pct: tuple[float, ...] = (nan,)
    history: TradeHistory = field(default_factory=NoTrades)
    chart: Chart = field(default_factory=NoChart)


class Breaker(Protocol):
    """One circuit breaker: a name and a check."""

    @property
    def name(self) -> str:
        """The breaker's name in verdicts and reports."""

    def check(self, candidate: Candidate, state: BreakerState) -> Verdict:
        """Return the verdict on a candidate."""
