"""The market as clients see it: wall clock, shifted content, moves, pressure, forming candles."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from external_layers.binance.messages import MarketKind
from external_layers.replay.candles import Candles, aggregated, next_open, opens_of
from external_layers.replay.flow_pressure import FlowPressure, is_pressed, pressed
from external_layers.replay.intraminute import MinuteRow, Trades, minute_trades
from external_layers.replay.minutes import (
    DAY_MINUTES,
    MINUTE_MS,
    Ints,
    Minutes,
    MinuteSource,
    joined,
)
from external_layers.replay.moves import PriceMove, factor_at, is_ramp
from external_layers.replay.randomness import salt
from external_layers.replay.symbols import SymbolSpec
from scalp_strategy.errors import ConfigError

_CACHED_MINUTES: Final = 4_096
_NOTHING_BEFORE: Final = 3  # days looked back for a last price


class ReplayMarket:
    """A `MinuteSource` on the wall clock.

    Parameters
    ----------
    source
        The candles in market time.
    now_ms
        The clock: wall time in milliseconds. Injected, so tests own it.
    shift_minutes
        Market time minus wall time, in whole minutes.
    """

    def __init__(
        self, source: MinuteSource, now_ms: Callable[[], int], shift_minutes: int = 0
    ) -> None:
        self.source = source
        self.now_ms = now_ms
        self.shift_minutes = shift_minutes
        self.moves: list[PriceMove] = []
        self.pressures: list[FlowPressure] = []
        self.revision = 0
        self._bought: dict[tuple[MarketKind, str, int, int], int] = {}
        self._trades: OrderedDict[tuple[MarketKind, str, int], Trades] = OrderedDict()

    def spec(self, kind: MarketKind, name: str) -> SymbolSpec:
        """Return a symbol's specification; KeyError when it is not on offer."""
        return self.source.symbols[name][kind]

    def listed_ms(self, kind: MarketKind, name: str) -> int:
        """Return the wall time of the first candle."""
        return (self.source.first_minute(kind, name) - self.shift_minutes) * MINUTE_MS

    def set_shift(self, minutes: int) -> None:
        """Move the content in time: market time = wall time + `minutes`; see `check_shift`."""
        self.check_shift(minutes)
        self.shift_minutes = minutes

    def check_shift(self, minutes: int) -> None:
        """Refuse a shift that leaves now without content.

        Raises
        ------
        ConfigError
            When no symbol has candles at the instant that would be now.
        """
        now = self.now_ms() // MINUTE_MS + minutes
        spans = [
            (self.source.first_minute(kind, name), self.source.last_minute(kind, name))
            for name, kinds in self.source.symbols.items()
            for kind in kinds
        ]
        if not any(first <= now < last for first, last in spans):
            first, last = min(span[0] for span in spans), max(span[1] for span in spans)
            raise ConfigError(
                f"no candles at market time {_iso(now)}: "
                f"they reach from {_iso(first)} to {_iso(last)}"
            )

    def add_move(self, move: PriceMove) -> None:
        """Lay a price move over the candles, trades and book of its symbol."""
        self.moves.append(move)
        self.revision += 1

    def clear_moves(self) -> None:
        """Take all price moves back."""
        self.moves.clear()
        self.revision += 1

    def add_pressure(self, pressure: FlowPressure) -> None:
        """Let takers of a symbol press; its trades, candles and book agree on it."""
        self.pressures.append(pressure)
        self._bought.clear()
        self.revision += 1

    def clear_pressures(self) -> None:
        """Let takers do what they did by themselves."""
        self.pressures.clear()
        self._bought.clear()
        self.revision += 1

    def is_listed(self, kind: MarketKind, name: str) -> bool:
        """Return whether a symbol is on offer and has had a first candle by now."""
        return name in self.source.symbols and self.listed_ms(kind, name) <= self.now_ms()

    def trades_of_minute(self, kind: MarketKind, name: str, minute: int) -> Trades:
        """Return all trades of a wall-clock minute as moved and pressed (future ones too)."""
        trades = self._unmoved_trades(kind, name, minute + self.shift_minutes)
        shifted = replace(trades, time_ms=trades.time_ms - self.shift_minutes * MINUTE_MS)
        if pressures := self._pressures_of(name):
            shifted = pressed(shifted, pressures, salt(self.source.seed, "flow", kind, name))
        moves = self._moves_of(name)
        if not moves:
            return shifted
        factor = factor_at(moves, shifted.time_ms)
        return replace(shifted, price=np.maximum(_scaled(shifted.price, factor), 1))

    def minutes(self, kind: MarketKind, name: str, start: int, stop: int) -> Minutes:
        """Return one-minute candles of wall-clock minutes, up to and with the forming one."""
        now = self.now_ms()
        current = now // MINUTE_MS
        shift = self.shift_minutes
        whole = self.source.minutes(kind, name, start + shift, min(stop, current) + shift)
        whole = self._moved(kind, name, replace(whole, minute=whole.minute - shift))
        whole = self._pressed(kind, name, whole)
        if not start <= current < stop or not self._exists(kind, name, current):
            return whole
        return joined([whole, self._forming(kind, name, now)])

    def candles(
        self, kind: MarketKind, name: str, interval: str, span_ms: tuple[int, int]
    ) -> Candles:
        """Return the candles that open in ``span_ms`` (start, stop), the forming one last.

        Every candle is the exact aggregate of its one-minute candles; one whose first minutes
        lie before the listing is made of what there is.
        """
        start, stop = (-(-ms // MINUTE_MS) for ms in span_ms)
        first = int(opens_of(np.array([start]), interval)[0])
        if first < start:
            first = next_open(first, interval)
        last = next_open(int(opens_of(np.array([stop - 1]), interval)[0]), interval)
        return aggregated(self.minutes(kind, name, first, last), interval)

    def last_trade(self, kind: MarketKind, name: str, at_ms: int) -> tuple[int, bool]:
        """Return price in ticks and taker side (True = bought) of the last trade at an instant."""
        minute = at_ms // MINUTE_MS
        for back in (minute, minute - 1):
            trades = self.trades_of_minute(kind, name, back)
            place = int(np.searchsorted(trades.time_ms, at_ms, side="right")) - 1
            if place >= 0:
                return int(trades.price[place]), bool(trades.is_buy[place])
        return self._older_price(kind, name, minute), True

    def trades(self, kind: MarketKind, name: str, start_ms: int, stop_ms: int) -> list[Trades]:
        """Return the trades with ``start <= time < stop`` and not after now, minute by minute."""
        stop_ms = min(stop_ms, self.now_ms() + 1)
        start_ms = max(start_ms, self.listed_ms(kind, name))
        if stop_ms <= start_ms:
            return []
        minutes = range(start_ms // MINUTE_MS, (stop_ms - 1) // MINUTE_MS + 1)
        found = (
            self.trades_of_minute(kind, name, minute).between(start_ms, stop_ms)
            for minute in minutes
        )
        return [trades for trades in found if len(trades)]

    def minute_of_trade(self, kind: MarketKind, name: str, trade_id: int) -> int:
        """Return the wall-clock minute of a trade."""
        return self.source.minute_of_trade(kind, name, trade_id) - self.shift_minutes

    def _older_price(self, kind: MarketKind, name: str, minute: int) -> int:
        before = self.minutes(kind, name, minute - _NOTHING_BEFORE * DAY_MINUTES, minute)
        if len(before):
            return int(before.close[-1])
        spec = self.spec(kind, name)
        return max(1, round(spec.reference_price / float(spec.tick)))

    def _exists(self, kind: MarketKind, name: str, minute: int) -> bool:
        first = self.source.first_minute(kind, name)
        return first <= minute + self.shift_minutes < self.source.last_minute(kind, name)

    def _moves_of(self, name: str) -> list[PriceMove]:
        return [move for move in self.moves if move.symbol == name]

    def _pressures_of(self, name: str) -> list[FlowPressure]:
        return [pressure for pressure in self.pressures if pressure.symbol == name]

    def _unmoved_trades(self, kind: MarketKind, name: str, minute: int) -> Trades:
        key = (kind, name, minute)
        trades = self._trades.get(key)
        if trades is None:
            found = self.source.minutes(kind, name, minute, minute + 1)
            trades = minute_trades(_row(found, minute), self.source.seed, f"{kind}:{name}")
            self._trades[key] = trades
            if len(self._trades) > _CACHED_MINUTES:
                self._trades.popitem(last=False)
        return trades

    def _forming(self, kind: MarketKind, name: str, now: int) -> Minutes:
        minute = now // MINUTE_MS
        trades = self.trades_of_minute(kind, name, minute)
        so_far = trades.part(trades.time_ms <= now)
        first_id = int(trades.id[0]) if len(trades) else 0
        if len(so_far):
            return _candle_of(so_far, minute)
        price = self._older_price(kind, name, minute)
        return _one_minute(minute, (price,) * 4, (0, 0, 0, first_id))

    def _moved(self, kind: MarketKind, name: str, minutes: Minutes) -> Minutes:
        moves = self._moves_of(name)
        if not moves or not len(minutes):
            return minutes
        factor = factor_at(moves, minutes.minute * MINUTE_MS)
        scaled = {
            column: np.maximum(_scaled(getattr(minutes, column), factor), 1)
            for column in ("open", "high", "low", "close")
        }
        for place in np.flatnonzero(is_ramp(moves, minutes.minute)):
            trades = self.trades_of_minute(kind, name, int(minutes.minute[place]))
            if len(trades):
                exact = _candle_of(trades, int(minutes.minute[place]))
                for column, values in scaled.items():
                    values[place] = getattr(exact, column)[0]
        return replace(minutes, **scaled)

    def _pressed(self, kind: MarketKind, name: str, minutes: Minutes) -> Minutes:
        places = np.flatnonzero(is_pressed(self._pressures_of(name), minutes.minute))
        if not len(places):
            return minutes
        taker_buy = minutes.taker_buy.copy()
        taker_buy[places] = [
            self._bought_in(kind, name, minute) for minute in minutes.minute[places].tolist()
        ]
        return replace(minutes, taker_buy=taker_buy)

    def _bought_in(self, kind: MarketKind, name: str, minute: int) -> int:
        key = (kind, name, minute, self.shift_minutes)
        bought = self._bought.get(key)
        if bought is None:
            trades = self.trades_of_minute(kind, name, minute)
            bought = self._bought[key] = int(trades.amount[trades.is_buy].sum())
        return bought


def _iso(minute: int) -> str:
    return str(np.datetime64(minute, "m"))


def _scaled(ticks: Ints, factor: np.ndarray) -> Ints:
    scaled: Ints = np.rint(ticks * factor).astype(np.int64)
    return scaled


def _row(found: Minutes, minute: int) -> MinuteRow:
    if not len(found):
        return MinuteRow(minute, 1, 1, 1, 1, 0, 0, 0, 0)
    return MinuteRow(*(int(getattr(found, name)[0]) for name in MinuteRow.__slots__))


def _candle_of(trades: Trades, minute: int) -> Minutes:
    price, amount = trades.price, trades.amount
    prices = (int(price[0]), int(price.max()), int(price.min()), int(price[-1]))
    bought = int(amount[trades.is_buy].sum())
    counts = (int(amount.sum()), bought, len(trades), int(trades.id[0]))
    return _one_minute(minute, prices, counts)


def _one_minute(minute: int, prices: tuple[int, ...], counts: tuple[int, int, int, int]) -> Minutes:
    return Minutes(*(np.array([value]) for value in (minute, *prices, *counts)))
