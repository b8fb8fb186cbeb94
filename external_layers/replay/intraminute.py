"""The trades inside a minute: a path whose aggregate is exactly that minute's candle.

The path starts at the open, visits low and high (or high and low), ends at the close and never
leaves the range. Amounts add up to the volume, those of taker buys to the taker-buy volume.
"""

from dataclasses import dataclass

import numpy as np

from external_layers.replay.minutes import MIN_TRADES, MINUTE_MS, Floats, Ints
from external_layers.replay.randomness import stream

_WOBBLE = 0.18  # noise between the visited extremes, as a share of the minute's range
_USUAL_ORDER = 0.7  # chance that an up-minute visits its low first
_SIZE_SPREAD = 1.2  # standard deviation of log trade size
_SIDE_NOISE = 0.8  # how loosely a trade's side follows the price's last step


@dataclass(frozen=True, slots=True, eq=False)
class Trades:
    """Trades of one minute in order; columns of equal length.

    Attributes
    ----------
    time_ms
        Milliseconds since 1970-01-01 UTC.
    price, amount
        In ticks and steps.
    is_buy
        Whether the taker bought (the exchange's ``m`` is the opposite).
    id
        Contiguous identifiers.
    """

    time_ms: Ints
    price: Ints
    amount: Ints
    is_buy: np.ndarray
    id: Ints

    def __len__(self) -> int:
        return len(self.time_ms)

    def part(self, chosen: slice | np.ndarray) -> "Trades":
        """Return a selection of the trades."""
        return Trades(
            self.time_ms[chosen],
            self.price[chosen],
            self.amount[chosen],
            self.is_buy[chosen],
            self.id[chosen],
        )

    def between(self, start_ms: int, stop_ms: int) -> "Trades":
        """Return the trades with ``start_ms <= time < stop_ms``."""
        first, last = np.searchsorted(self.time_ms, (start_ms, stop_ms))
        return self.part(slice(int(first), int(last)))


@dataclass(frozen=True, slots=True)
class MinuteRow:
    """One candle of `Minutes` as plain integers (see there for the units)."""

    minute: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    taker_buy: int
    trades: int
    first_id: int


def minute_trades(row: MinuteRow, seed: int, symbol_key: str) -> Trades:
    """Return the trades of a minute, a pure function of the candle and the key.

    Parameters
    ----------
    row
        The candle; ``trades`` is 0 or at least 4, ``volume >= trades``, and
        ``1 <= taker_buy <= volume - 1`` when there are trades.
    seed, symbol_key
        Key of the randomness, e.g. ``7, "futures:BTCUSDT"``.

    Returns
    -------
    Trades
        Its first price is the open, its extremes are high and low, its last price is the close;
        amounts add up to `volume` and `taker_buy`. Empty when the candle has no trades.
    """
    rng = stream(seed, "trades", symbol_key, row.minute)
    count = row.trades
    if count < MIN_TRADES:
        empty = np.empty(0, dtype=np.int64)
        return Trades(empty, empty, empty, np.empty(0, dtype=bool), empty)
    price = _path(row, rng)
    is_buy = _sides(row, price, rng)
    return Trades(
        time_ms=row.minute * MINUTE_MS + np.sort(rng.integers(0, MINUTE_MS, count)),
        price=price,
        amount=_amounts(row, is_buy, rng),
        is_buy=is_buy,
        id=row.first_id + np.arange(count),
    )


def _path(row: MinuteRow, rng: np.random.Generator) -> Ints:
    count = row.trades
    low_first = (row.close >= row.open) == (rng.random() < _USUAL_ORDER)
    inner = np.sort(rng.choice(np.arange(1, count - 1), size=2, replace=False))
    places = np.array([0, *inner, count - 1])
    extremes = (row.low, row.high) if low_first else (row.high, row.low)
    values = np.array([row.open, *extremes, row.close], dtype=np.float64)
    steps = np.arange(count)
    walk = np.cumsum(rng.standard_normal(count)) / np.sqrt(count)
    bridge = walk - np.interp(steps, places, walk[places])
    path = np.interp(steps, places, values) + _WOBBLE * (row.high - row.low) * bridge
    rounded: Ints = np.clip(np.rint(path), row.low, row.high).astype(np.int64)
    return rounded


def _sides(row: MinuteRow, price: Ints, rng: np.random.Generator) -> np.ndarray:
    """Up-steps are bought, down-steps sold, as far as the minute's taker volume allows."""
    count = row.trades
    bought = min(max(round(count * row.taker_buy / row.volume), 1), count - 1)
    lean = np.sign(np.diff(price, prepend=row.open)) + _SIDE_NOISE * rng.standard_normal(count)
    is_buy = np.zeros(count, dtype=bool)
    is_buy[np.argsort(-lean, kind="stable")[:bought]] = True
    return is_buy


def _amounts(row: MinuteRow, is_buy: np.ndarray, rng: np.random.Generator) -> Ints:
    weights = np.exp(_SIZE_SPREAD * rng.standard_normal(row.trades))
    amounts = np.empty(row.trades, dtype=np.int64)
    amounts[is_buy] = _split(row.taker_buy, weights[is_buy])
    amounts[~is_buy] = _split(row.volume - row.taker_buy, weights[~is_buy])
    return amounts


def _split(total: int, weights: Floats) -> Ints:
    """Split `total` steps in proportion to the weights, at least one step each."""
    edges = np.rint(np.cumsum(weights) / weights.sum() * (total - len(weights))).astype(np.int64)
    shares: Ints = np.diff(edges, prepend=0)
    return shares + 1
