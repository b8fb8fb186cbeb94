"""Liquidation orders: some of the trades that run with a fast move."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from external_layers.replay.market import ReplayMarket
from external_layers.replay.minutes import MINUTE_MS
from external_layers.replay.randomness import salt, uniforms

_LOOK_BACK_MINUTES: Final = 5
_QUIET_MOVE: Final = 0.003  # a smaller move liquidates nobody
_ODDS_PER_MOVE: Final = 4.0  # chance of a trade per unit of return beyond that
_MOST_ODDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Liquidation:
    """A forced order: price in ticks, amount in steps; `is_buy` closes a short."""

    time_ms: int
    price: int
    amount: int
    is_buy: bool


def liquidations(market: ReplayMarket, name: str, span_ms: tuple[int, int]) -> list[Liquidation]:
    """Return the liquidations in (after, now], at most one a second as on the exchange.

    The move is that of the five minutes before the trade's minute, so nothing of it is ahead of
    the trade.
    """
    after, now = span_ms
    found: dict[int, Liquidation] = {}
    for trades in market.trades("futures", name, after // 1_000 * 1_000, now + 1):
        minute = int(trades.time_ms[0]) // MINUTE_MS
        move = _move(market, name, minute)
        odds = min(_MOST_ODDS, _ODDS_PER_MOVE * max(0.0, abs(move) - _QUIET_MOVE))
        drawn = uniforms(salt(market.source.seed, "liquidation", name), trades.id)
        chosen = np.flatnonzero((drawn < odds) & (trades.is_buy == (move > 0.0)))
        for place in chosen:
            time_ms = int(trades.time_ms[place])
            order = Liquidation(
                time_ms, int(trades.price[place]), int(trades.amount[place]), move > 0.0
            )
            found.setdefault(time_ms // 1_000, order)
    return [each for each in found.values() if each.time_ms > after]


def _move(market: ReplayMarket, name: str, minute: int) -> float:
    before = market.minutes("futures", name, minute - _LOOK_BACK_MINUTES, minute)
    if not len(before):
        return 0.0
    return float(before.close[-1]) / float(before.open[0]) - 1.0
