"""Pairs, candidates and breakers for the tests of the decision desk."""

from scalp_strategy.account import Position
from scalp_strategy.decision import DecisionDesk
from scalp_strategy.signals import Verdict
from tests.support.host_stub import CANDLE, CLOSE, signal_pair

A, B, C, D = "AAA/USDT:USDT", "BBB/USDT:USDT", "CCC/USDT:USDT", "DDD/USDT:USDT"
NEXT = CLOSE + CANDLE


def offered(desk: DecisionDesk, **scores: float) -> list[str]:
    """Offer a candidate for each of A..D named, and return their pairs in the order named."""
    pairs = {"a": A, "b": B, "c": C, "d": D}
    for name, score in scores.items():
        desk.offer(signal_pair(pairs[name], score, settings=desk.settings))
    return [pairs[name] for name in scores]


def by_pair(decisions) -> dict:
    return {decision.candidate.pair: decision for decision in decisions}


def held(pair: str, **changes) -> Position:
    values = {"side": "long", "amount": 1.0, "entry_price": 100.0, "stop_price": 100.0}
    return Position(pair=pair, mark_price=100.0, **values | changes)


class Refuses:
    """A breaker that vetoes the pairs it is told."""

    def __init__(self, name="refuses", pairs=(), size_factor=1.0):
        self.name, self.pairs, self.size_factor, self.asked = name, pairs, size_factor, []

    def check(self, candidate, state):
        self.asked.append(candidate.pair)
        blocks = candidate.pair in self.pairs
        return Verdict(
            self.name, blocks, self.size_factor, f"{self.name} says no" if blocks else ""
        )


class Fails(Refuses):
    def check(self, candidate, state):
        super().check(candidate, state)
        raise RuntimeError("no answer")
