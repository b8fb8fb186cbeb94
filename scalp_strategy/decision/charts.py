"""The analysed candles of all pairs, and what the circuit breakers want to know of them."""

from dataclasses import dataclass
from math import isnan, nan
from typing import Final, Protocol

from scalp_strategy.analysed import AnalysedPair, instant_ns
from scalp_strategy.breakers import Volatility
from scalp_strategy.contract import alarm_closes
from scalp_strategy.decision.hours import (
    HOUR_NS,
    HourCloses,
    HourlyReturns,
    correlation,
    hourly_returns,
)
from scalp_strategy.setting_groups.breakers import BreakerSettings
from scalp_strategy.signals import Candidate

_BTC: Final = "BTC"
NS_PER_MS: Final = 1_000_000
_HOURS_PER_DAY: Final = 24


class OlderHours(Protocol):
    """Who knows closes on the full hour that reach back further than the analysed candles."""

    def hour_closes(self, pair: str, days: int) -> HourCloses | None:
        """Return them; the same object as before while nothing is new."""


def btc_beside(pair: str) -> str:
    """Return BTC's pair in the market of another.

    Examples
    --------
    >>> btc_beside("SOL/USDT:USDT")
    'BTC/USDT:USDT'
    """
    return f"{_BTC}/{pair.partition('/')[2]}"


@dataclass(frozen=True, slots=True)
class _Kept:
    analysed: AnalysedPair | None
    older: HourCloses | None
    returns: HourlyReturns


class Charts:
    """Keeps every pair's analysed candles; the newest replace the earlier.

    Parameters
    ----------
    older
        Closes on the full hour from before the analysed candles. Where both have an hour, the
        analysed candle counts: it is there at its close, an hour's own candle may be late.
    """

    def __init__(self, older: OlderHours) -> None:
        self._older = older
        self._pairs: dict[str, AnalysedPair] = {}
        self._watched: dict[str, AnalysedPair] = {}
        self._returns: dict[str, _Kept] = {}

    def offer(self, analysed: AnalysedPair) -> None:
        """Take a pair's analysed candles."""
        self._pairs[analysed.pair] = analysed

    def watch(self, seen: AnalysedPair) -> None:
        """Take the candles of a pair that is looked at and not traded."""
        self._watched[seen.pair] = seen

    def get(self, pair: str) -> AnalysedPair | None:
        """Return a pair's analysed candles, None when it was never offered."""
        return self._pairs.get(pair)

    def btc_hour_moves(self, candidate: Candidate) -> tuple[float, ...]:
        """Return BTC's moves within an hour, in its own market, whose alarm would still hold.

        Percent, in the hour up to each of the last closes, the candidate's own first; NaN where
        its candles are not there.
        """
        name = btc_beside(candidate.pair)
        seen = [held[name] for held in (self._pairs, self._watched) if name in held]
        closes_ms = alarm_closes(instant_ns(candidate.close_time) // NS_PER_MS)
        return tuple(_hour_move(seen, close_ms * NS_PER_MS) for close_ms in closes_ms)

    def returns(self, pair: str, days: int) -> HourlyReturns:
        """Return a pair's hourly returns, as far back as is known."""
        analysed, older = self._pairs.get(pair), self._older.hour_closes(pair, days)
        kept = self._returns.get(pair)
        if kept is None or kept.analysed is not analysed or kept.older is not older:
            parts = [older] if older is not None else []
            if analysed is not None:
                parts.append(HourCloses(*analysed.hour_closes()))
            kept = self._returns[pair] = _Kept(analysed, older, hourly_returns(*parts))
        return kept.returns


def _hour_move(seen: list[AnalysedPair], close_ns: int) -> float:
    moves = (btc.move_pct(close_ns, HOUR_NS) for btc in seen)
    return next((move for move in moves if not isnan(move)), nan)


@dataclass(frozen=True, slots=True)
class CandidateChart:
    """What the candles say at one candidate's close: a `breakers.Chart`."""

    charts: Charts
    candidate: Candidate
    settings: BreakerSettings

    def volatility(self) -> Volatility:
        """Return ATR, its mean and the true range of the candidate's candle."""
        analysed = self.charts.get(self.candidate.pair)
        if analysed is None:
            return Volatility()
        close_ns = instant_ns(self.candidate.close_time)
        return analysed.volatility(close_ns, self.settings.volatility_mean_candles)

    def correlation(self, other: str) -> float:
        """Return the correlation of the candidate's hourly returns with those of another pair."""
        days = self.settings.correlation_days
        return correlation(
            self.charts.returns(self.candidate.pair, days),
            self.charts.returns(other, days),
            instant_ns(self.candidate.close_time) // HOUR_NS,
            days * _HOURS_PER_DAY,
            self.settings.correlation_min_hours,
        )
