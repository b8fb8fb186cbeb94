"""From recorded candles to one-minute candles that add up to them exactly."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from external_layers.replay.minutes import MIN_TRADES, Floats, Ints
from external_layers.replay.randomness import stream
from external_layers.replay.symbols import SymbolSpec

_WOBBLE: Final = 0.15  # noise around the way through the extremes, as a share of the range
_WICK: Final = 0.06  # mean wick of a made-up minute, as a share of the candle's range
_USUAL_ORDER: Final = 0.7  # chance that an up-candle visits its low first
_VOLUME_SPREAD: Final = 0.6
_TAKER_TILT: Final = 0.12
_TAKER_NOISE: Final = 0.08
_TAKER_BOUNDS: Final = (0.05, 0.95)


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Recorded candles on a regular grid: open minute, prices in USDT, volume in base units."""

    minute: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


@dataclass(frozen=True, slots=True, eq=False)
class FineBars:
    """One-minute candles in ticks and steps."""

    minute: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    taker_buy: Ints


def refined(bars: Bars, spec: SymbolSpec, key: tuple[int, int, str]) -> FineBars:
    """Return the one-minute candles of recorded ones.

    Parameters
    ----------
    bars
        Candles of `key[0]` minutes each.
    spec
        Tick and step.
    key
        Minutes a candle, seed, name of the randomness.

    Returns
    -------
    FineBars
        Each group aggregates to its candle: the first open, the extremes, the last close and,
        where there is volume for at least four steps a minute, the sum of the volume. Candles
        without volume and range stay without trades.
    """
    length, seed, name = key
    rng = stream(seed, "refined", name)
    tick = float(spec.tick)
    opens, highs, lows, closes = (
        np.rint(values / tick).astype(np.int64)[:, None]
        for values in (bars.open, bars.high, bars.low, bars.close)
    )
    highs = np.maximum(highs, np.maximum(opens, closes))
    lows = np.minimum(lows, np.minimum(opens, closes))
    prices = _prices((opens, highs, lows, closes), length, rng)
    is_live = (bars.volume > 0) | (highs > lows)[:, 0]
    steps = np.rint(bars.volume / float(spec.step)).astype(np.int64)
    steps = np.where(is_live, np.maximum(steps, MIN_TRADES * length), 0)[:, None]
    volume = _volumes(steps, length, rng)
    taker = _taker_buy(volume, (prices[3] - prices[0]) / np.maximum(highs - lows, 1), rng)
    minute = bars.minute[:, None] + np.arange(length)
    return FineBars(*(values.ravel() for values in (minute, *prices, volume, taker)))


def _prices(
    candle: tuple[Ints, Ints, Ints, Ints], length: int, rng: np.random.Generator
) -> tuple[Ints, Ints, Ints, Ints]:
    """Open, high, low, close of each minute, shape (candles, length)."""
    opens, highs, lows, closes = candle
    rows = len(opens)
    usual = rng.random((rows, 1)) < _USUAL_ORDER
    low_first = (closes >= opens) == usual
    visits = np.sort(rng.integers(0, length, (rows, 2)), axis=1)
    first, second = visits[:, :1], visits[:, 1:]
    turns = (np.where(low_first, lows, highs), np.where(low_first, highs, lows))
    edges = _edges((opens, *turns, closes), (first, second, length), rng)
    edges = np.clip(edges, lows, highs)
    edges[:, :1], edges[:, -1:] = opens, closes
    starts, ends = edges[:, :-1], edges[:, 1:]
    wicks = (rng.exponential(_WICK, (2, rows, length)) * (highs - lows)).astype(np.int64)
    tops = np.minimum(np.maximum(starts, ends) + wicks[0], highs)
    bottoms = np.maximum(np.minimum(starts, ends) - wicks[1], lows)
    column = np.arange(length)
    tops = np.where(column == np.where(low_first, second, first), highs, tops)
    bottoms = np.where(column == np.where(low_first, first, second), lows, bottoms)
    return starts, tops, bottoms, ends


def _edges(
    values: tuple[Ints, Ints, Ints, Ints],
    places: tuple[Ints, Ints, int],
    rng: np.random.Generator,
) -> Ints:
    """Prices at the minute edges on the way open, first extreme, second extreme, close."""
    opened, turn, second_turn, closed = values
    first, second, length = places
    at = np.arange(length + 1)[None, :]
    one, two = first + 0.5, second + 0.5  # an extreme lies inside its minute
    way_in = opened + (turn - opened) * at / one
    between = turn + (second_turn - turn) * (at - one) / np.maximum(two - one, 1.0)
    way_out = second_turn + (closed - second_turn) * (at - two) / (length - two)
    path = np.where(at <= one, way_in, np.where(at <= two, between, way_out))
    walk = np.cumsum(rng.standard_normal((len(opened), length + 1)), axis=1) / np.sqrt(length)
    bridge = walk - walk[:, :1] - (walk[:, -1:] - walk[:, :1]) * at / length
    reach = np.abs(turn - second_turn)
    edges: Ints = np.rint(path + _WOBBLE * reach * bridge).astype(np.int64)
    return edges


def _volumes(steps: Ints, length: int, rng: np.random.Generator) -> Ints:
    weights = np.exp(_VOLUME_SPREAD * rng.standard_normal((len(steps), length)))
    share = np.cumsum(weights, axis=1) / weights.sum(axis=1, keepdims=True)
    floor = np.where(steps > 0, MIN_TRADES, 0)
    edges = np.rint(share * (steps - floor * length)).astype(np.int64)
    shares: Ints = np.diff(edges, prepend=0, axis=1)
    return shares + floor


def _taker_buy(volume: Ints, direction: Floats, rng: np.random.Generator) -> Ints:
    noise = _TAKER_NOISE * rng.standard_normal(volume.shape)
    share = np.clip(0.5 + _TAKER_TILT * direction + noise, *_TAKER_BOUNDS)
    bought = np.clip(np.rint(volume * share), 1, np.maximum(volume - 1, 1)).astype(np.int64)
    return np.where(volume > 0, bought, 0)
