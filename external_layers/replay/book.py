"""The order book of any instant: a pure function of seed, symbol, time and the last trade.

Time moves in buckets of 100 ms; the bucket's number is the update id, so snapshots and diffs of
any span agree. A price level keeps its size for a second to half a minute and is then redrawn;
sizes fall with distance, lean against the side that takers hit, and are sometimes walls.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import numpy as np

from external_layers.binance.messages import MarketKind
from external_layers.replay.market import ReplayMarket
from external_layers.replay.minutes import MINUTE_MS, Floats, Ints
from external_layers.replay.randomness import salt, uniforms
from external_layers.replay.symbols import SymbolSpec

BUCKET_MS: Final = 100
MAX_LEVELS: Final = 1_000

_BPS: Final = 1e-4
_LEVEL_GAP_BPS: Final = 0.05
_SPREAD_SLOT_MS: Final = 2_000
_SPREAD_RANGE: Final = (0.6, 1.6)  # of the typical spread
_MIN_LIFE_MS: Final = 1_000
_LIFE_SPAN_MS: Final = 29_000
_WALL_LIFE_MS: Final = 240_000
_WALL_ODDS: Final = 0.004
_WALL_SIZE: Final = (8.0, 20.0)  # times an ordinary level
_DECAY_BPS: Final = 60.0
_FAR_SHARE: Final = 0.08  # of the size near the touch
_FLOW_LEAN: Final = 0.8  # log size per unit of the last minute's signed taker share
_CACHED_REFERENCES: Final = 512
_CACHED_BOOKS: Final = 1_024


@dataclass(frozen=True, slots=True, eq=False)
class Book:
    """An order book: best price first on both sides; prices in ticks, amounts in steps."""

    update_id: int
    time_ms: int
    bid_price: Ints
    bid_amount: Ints
    ask_price: Ints
    ask_amount: Ints


class Books:
    """Makes the book of a symbol at an instant."""

    def __init__(self, market: ReplayMarket) -> None:
        self._market = market
        self._references: OrderedDict[tuple[MarketKind, str, int, int, int], tuple[float, float]]
        self._references = OrderedDict()
        self._books: OrderedDict[tuple[MarketKind, str, int, int, int, int], Book] = OrderedDict()

    def at(self, kind: MarketKind, name: str, at_ms: int, levels: int = MAX_LEVELS) -> Book:
        """Return the book of the bucket that holds `at_ms`.

        Parameters
        ----------
        kind, name
            The symbol.
        at_ms
            Wall time in milliseconds.
        levels
            Levels a side, at most 1,000; fewer where the price would reach zero.

        Returns
        -------
        Book
            Never crossed; the last trade's price is its best bid or its best ask.
        """
        bucket = at_ms // BUCKET_MS
        key = (kind, name, bucket, levels, self._market.revision, self._market.shift_minutes)
        book = self._books.get(key)
        if book is None:
            book = self._made(kind, name, bucket, levels)
            self._books[key] = book
            if len(self._books) > _CACHED_BOOKS:
                self._books.popitem(last=False)
        return book

    def ladders(self, kind: MarketKind, name: str, bucket: int, levels: int) -> tuple[Ints, Ints]:
        """Return the prices of bids and asks in a bucket, without their amounts."""
        bid, ask = self._touch(kind, name, bucket * BUCKET_MS)
        gap = level_gap(self._market.spec(kind, name))
        most = min(levels, MAX_LEVELS)
        return _ladder(bid, -gap, most), _ladder(ask, gap, most)

    def _made(self, kind: MarketKind, name: str, bucket: int, levels: int) -> Book:
        time_ms = bucket * BUCKET_MS
        bids, asks = self.ladders(kind, name, bucket, levels)
        sizes = self._amounts(kind, self._market.spec(kind, name), time_ms, (bids, asks))
        return Book(bucket, time_ms, bids, sizes[: len(bids)], asks, sizes[len(bids) :])

    def _touch(self, kind: MarketKind, name: str, time_ms: int) -> tuple[int, int]:
        spec = self._market.spec(kind, name)
        price, is_buy = self._market.last_trade(kind, name, time_ms)
        slot = self._market_ms(time_ms) // _SPREAD_SLOT_MS
        low, high = _SPREAD_RANGE
        drawn = float(uniforms(salt(self._seed, "spread", kind, name), slot))
        factor = low + (high - low) * drawn
        spread = max(1, round(spec.spread_bps * _BPS * price * factor))
        bid = max(price - spread if is_buy else price, 1)
        return bid, bid + spread

    def _amounts(
        self, kind: MarketKind, spec: SymbolSpec, time_ms: int, sides: tuple[Ints, Ints]
    ) -> Ints:
        """Amount of each level, bids then asks."""
        price = np.concatenate(sides)
        is_bid = np.arange(len(price)) < len(sides[0])
        level = price * 2 + is_bid
        drawn = uniforms(salt(self._seed, "life", kind, spec.name), level)
        life = (_MIN_LIFE_MS + _LIFE_SPAN_MS * drawn**2).astype(np.int64)
        now = self._market_ms(time_ms)
        phase = (drawn * _WALL_LIFE_MS).astype(np.int64)
        slot = (now + phase) // life
        born = slot * life - phase
        size = -np.log1p(-uniforms(salt(self._seed, "size", kind, spec.name), level, slot))
        size = (0.3 + 0.7 * size) * self._wall(
            kind, spec.name, level, (now + phase) // _WALL_LIFE_MS
        )
        size *= self._shape(kind, spec, (price, is_bid), (born // MINUTE_MS, now // MINUTE_MS))
        value = price * float(spec.tick) * float(spec.step)
        amounts: Ints = np.maximum(np.rint(spec.depth_usd * size / value), 1).astype(np.int64)
        return amounts

    def _wall(self, kind: MarketKind, name: str, level: Ints, slot: Ints) -> Floats:
        drawn = uniforms(salt(self._seed, "wall", kind, name), level, slot)
        smallest, largest = _WALL_SIZE
        height = smallest + (largest - smallest) * drawn / _WALL_ODDS
        walls: Floats = np.where(drawn < _WALL_ODDS, height, 1.0)
        return walls

    def _shape(
        self,
        kind: MarketKind,
        spec: SymbolSpec,
        levels: tuple[Ints, np.ndarray],
        minutes: tuple[Ints, int],
    ) -> Floats:
        """Decay with distance and lean, as of the minute in which each level was drawn."""
        price, is_bid = levels
        born, now = minutes
        fresh = born >= now
        old_price, old_flow = self._reference(kind, spec.name, now - 1)
        new_price, new_flow = self._reference(kind, spec.name, now)
        middle = np.where(fresh, new_price, old_price)
        flow = np.where(fresh, new_flow, old_flow)
        distance = np.abs(price / middle - 1.0) / _BPS
        decay = _FAR_SHARE + (1.0 - _FAR_SHARE) * np.exp(-distance / _DECAY_BPS)
        lean: Floats = np.exp(np.where(is_bid, _FLOW_LEAN, -_FLOW_LEAN) * flow)
        return decay * lean

    def _reference(self, kind: MarketKind, name: str, market_minute: int) -> tuple[float, float]:
        """Open in ticks of a market minute; signed taker share of the minute before."""
        shift = self._market.shift_minutes
        key = (kind, name, market_minute, shift, self._market.revision)
        known = self._references.get(key)
        if known is None:
            wall = market_minute - shift
            before = self._market.minutes(kind, name, wall - 1, wall)
            if len(before) and before.volume[0]:
                share = float(before.taker_buy[0]) / float(before.volume[0])
                known = (float(before.close[0]), 2.0 * share - 1.0)
            else:
                price, _ = self._market.last_trade(kind, name, wall * MINUTE_MS)
                known = (float(price), 0.0)
            self._references[key] = known
            if len(self._references) > _CACHED_REFERENCES:
                self._references.popitem(last=False)
        return known

    def _market_ms(self, wall_ms: int) -> int:
        return wall_ms + self._market.shift_minutes * MINUTE_MS

    @property
    def _seed(self) -> int:
        return self._market.source.seed


def level_gap(spec: SymbolSpec) -> int:
    """Return the distance in ticks between neighbouring levels, fixed per symbol."""
    return max(1, round(_LEVEL_GAP_BPS * _BPS * spec.reference_price / float(spec.tick)))


def _ladder(best: int, gap: int, levels: int) -> Ints:
    """Return the best price and the next multiples of the gap beyond it; positive prices only."""
    step = abs(gap)
    first = (best - 1) // step * step if gap < 0 else best // step * step + step
    prices = np.concatenate(([best], first + gap * np.arange(levels - 1)))
    return prices[prices > 0]
