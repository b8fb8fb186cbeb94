"""Signals that a reader follows by hand: `signals_only` mode sees no trades of its own."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from scalp_strategy.account import Position
from scalp_strategy.analysed import CANDLE_MINUTES, AnalysedPair, instant_ns
from scalp_strategy.risk import TradePlan, is_time_up
from scalp_strategy.setting_groups.risk import RiskSettings
from scalp_strategy.signals import Decision, SignalKey


@dataclass(frozen=True, slots=True)
class FollowedSignal:
    """An approved signal as the position that it makes; `amount` in base currency."""

    key: SignalKey
    plan: TradePlan
    amount: float
    leverage: float = 1.0

    @property
    def stake(self) -> float:
        """What it binds of the balance."""
        return self.amount * self.plan.price / self.leverage

    @property
    def position(self) -> Position:
        """The position: pending, so it has risk and a slot, and no profit."""
        return Position(
            pair=self.key.pair,
            side=self.plan.side,
            amount=self.amount,
            entry_price=self.plan.price,
            stop_price=self.plan.stop,
            mark_price=self.plan.price,
            is_pending=True,
        )


def followed(decision: Decision) -> FollowedSignal | None:
    """Return the position that an approved decision makes, None without plan and size."""
    plan, size = decision.plan, decision.size
    if plan is None or size is None:
        return None
    return FollowedSignal(decision.candidate.key, plan, size.amount, size.leverage)


class FollowedSignals:
    """Signals that count as positions until their pair's candles, or the time, end them.

    They end where their stop or their last target is touched; what happens between (targets that
    take a part out, a stop that moves) is not followed.
    """

    def __init__(self) -> None:
        self._signals: dict[str, FollowedSignal] = {}

    def __iter__(self) -> Iterator[FollowedSignal]:
        """Yield those that count now."""
        return iter(self._signals.values())

    def add(self, signals: Iterable[FollowedSignal]) -> None:
        """Follow signals; a pair has one at a time."""
        for signal in signals:
            self._signals[signal.key.pair] = signal

    def clear(self) -> None:
        """Follow nothing."""
        self._signals.clear()

    def end(
        self,
        now: datetime,
        analysed: Callable[[str], AnalysedPair | None],
        settings: RiskSettings,
    ) -> None:
        """Let go of the signals that have ended by now."""
        self._signals = {
            pair: signal
            for pair, signal in self._signals.items()
            if not is_time_up(signal.key.close_time, now, CANDLE_MINUTES, settings)
            and not _is_touched(signal, analysed(pair), now)
        }


def _is_touched(signal: FollowedSignal, analysed: AnalysedPair | None, now: datetime) -> bool:
    if analysed is None:
        return False
    low, high = sorted((signal.plan.stop, signal.plan.targets[-1]))
    since = instant_ns(signal.key.close_time)
    return analysed.leaves(low, high, since, instant_ns(now))
