"""The decision log: every decision, in order; a later word on one replaces it."""

from collections.abc import Iterator
from typing import Final, Protocol

from scalp_strategy.signals import Decision, SignalKey

_KEPT_DECISIONS: Final = 100_000


class DecisionLog(Protocol):
    """Keeps every decision under pair, candle and side; recording one twice keeps the last."""

    def record(self, decision: Decision) -> None:
        """Keep a decision, or its later word."""

    def clear(self) -> None:
        """Forget everything: a new backtest epoch begins."""

    def __iter__(self) -> Iterator[Decision]:
        """Yield the decisions, oldest first."""


class MemoryLog:
    """Keeps the newest decisions in memory."""

    def __init__(self, capacity: int = _KEPT_DECISIONS) -> None:
        self._capacity = capacity
        self._decisions: dict[SignalKey, Decision] = {}

    def record(self, decision: Decision) -> None:
        """Keep a decision, or its later word."""
        self._decisions[decision.candidate.key] = decision
        if len(self._decisions) > self._capacity:
            del self._decisions[next(iter(self._decisions))]

    def clear(self) -> None:
        """Forget everything."""
        self._decisions.clear()

    def __iter__(self) -> Iterator[Decision]:
        """Yield the decisions, oldest first."""
        return iter(list(self._decisions.values()))
