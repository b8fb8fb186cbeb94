"""Price moves on demand: a deterministic multiplicative path laid over the market."""

from dataclasses import dataclass

import numpy as np

from external_layers.replay.minutes import MINUTE_MS, Floats, Ints


@dataclass(frozen=True, slots=True)
class PriceMove:
    """Prices of a symbol (spot and futures) are multiplied by `factor` from `at_ms` on.

    The factor is reached log-linearly over `minutes`, at once when that is 0, and stays.
    """

    symbol: str
    factor: float
    at_ms: int
    minutes: float

    @property
    def end_ms(self) -> int:
        """The instant from which the whole factor applies."""
        return self.at_ms + round(self.minutes * MINUTE_MS)


def factor_at(moves: list[PriceMove], time_ms: Ints) -> Floats:
    """Return the product of the moves' factors at each instant (1 before the first)."""
    log = np.zeros(len(time_ms))
    for move in moves:
        length = max(move.end_ms - move.at_ms, 1)
        # at `at_ms` itself an instant move counts already
        done = np.clip((time_ms - move.at_ms + (move.minutes == 0)) / length, 0.0, 1.0)
        log += np.log(move.factor) * done
    return np.exp(log)


def is_ramp(moves: list[PriceMove], minutes: Ints) -> np.ndarray:
    """Return which minutes lie on a move's way, where candles must be made from trades."""
    inside = np.zeros(len(minutes), dtype=bool)
    for move in moves:
        first, last = move.at_ms // MINUTE_MS, move.end_ms // MINUTE_MS
        inside |= (minutes >= first) & (minutes <= last)
    return inside
