"""One day of one pair: the files' events through the live layer's own code. Pure."""

import heapq
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from external_layers.binance.messages import (
    AggTrade,
    DepthSnapshot,
    MarkPrice,
    OpenInterest,
    TakerBar,
)
from external_layers.history.day_inputs import DAY_MS, DayInputs, Gap, Timed
from external_layers.history.dumps import DumpKind
from external_layers.history.tables import Table
from external_layers.orderflow import Feed, unknowable
from external_layers.orderflow.pair_flow import PairFlow
from scalp_strategy.contract import Component
from scalp_strategy.contract.archive import day_start_ms

SETTLED: Final = "settled"  # the flag of a funding rate that is the last settled one
BAND: Final = "band"  # the flag of a book imbalance that was made from a band of bookDepth
_FLAGS: Final = {"funding_rate": SETTLED, "book_imbalance": BAND}
_COLUMNS: Final = ("agg_trade_id", "price", "quantity", "transact_time", "is_buyer_maker")

# What each kind of file feeds; bookDepth only where the settings let a band stand for the book.
_FEEDS: Final[dict[DumpKind, Feed]] = {
    DumpKind.AGG_TRADES: "trades",
    DumpKind.KLINES_1M: "taker_bars",
    DumpKind.KLINES_5M: "taker_bars",
    DumpKind.METRICS: "open_interest",
    DumpKind.BOOK_DEPTH: "depth",
    DumpKind.FUNDING_RATE: "mark_price",
}


@dataclass(slots=True)
class Fed:
    """Counts of what a layer was fed."""

    events: int = 0
    trades: int = 0
    gaps: int = 0


@dataclass(frozen=True, slots=True)
class Grid:
    """When components are taken: `lead_ms` before every multiple of `every_ms`, as live."""

    every_ms: int
    lead_ms: int

    def instants(self, day: date) -> list[int]:
        """Return the instants of a UTC day, epoch milliseconds."""
        start = day_start_ms(day)
        first = -(-(start + self.lead_ms) // self.every_ms) * self.every_ms
        return [
            at - self.lead_ms for at in range(first, start + DAY_MS + self.lead_ms, self.every_ms)
        ]


def day_components(
    flow: PairFlow, symbol: str, inputs: DayInputs, instants: list[int], trade_delay_ms: int
) -> tuple[list[Component], Fed]:
    """Return the components at each instant.

    Parameters
    ----------
    flow
        A fresh layer of the pair.
    symbol
        The exchange's name.
    inputs
        The day's events, with the end of the day before.
    instants
        Epoch milliseconds, ascending. At each only what could be known by then has been fed.
    trade_delay_ms
        From a trade to its arrival.
    """
    fed = Fed()
    feeder = _TradeFeeder(flow, symbol, inputs.trades, trade_delay_ms)
    found: list[Component] = []
    stops: Iterator[Timed | int] = heapq.merge(inputs.events, instants, key=_time_of)
    for stop in stops:
        feeder.feed_until(_time_of(stop), fed)
        if isinstance(stop, int):
            found += map(_flagged, flow.components(stop))
        else:
            _hand_on(flow, stop, fed)
    return found, fed


def known_shares(components: list[Component]) -> dict[str, float]:
    """Return, for each component, the share of its rows that are known, 0..1."""
    total = Counter(one.name for one in components)
    known = Counter(one.name for one in components if one.is_known)
    return {name: known[name] / count for name, count in total.items()}


def unknown_components(day_kinds: Collection[DumpKind]) -> list[str]:
    """Return the components that files of these kinds cannot give.

    Examples
    --------
    >>> unknown_components([DumpKind.KLINES_1M, DumpKind.METRICS, DumpKind.FUNDING_RATE])
    ['book_imbalance', 'large_orders', 'vanishing_liquidity']
    """
    return list(unknowable([_FEEDS[kind] for kind in day_kinds]))


class _TradeFeeder:
    """Feeds trades in order, and a gap wherever their ids jump."""

    def __init__(self, flow: PairFlow, symbol: str, tables: list[Table], delay_ms: int) -> None:
        self._flow, self._symbol = flow, symbol
        self._columns = {
            name: np.concatenate([table.columns[name] for table in tables] or [np.empty(0)])
            for name in _COLUMNS
        }
        times: NDArray[np.int64] = self._columns["transact_time"]
        self._known_ms = np.maximum.accumulate(times) + delay_ms
        jumps = np.flatnonzero(np.diff(self._columns["agg_trade_id"]) != 1) + 1
        self._jumps: list[int] = jumps.tolist()
        self._position = 0

    def feed_until(self, at_ms: int, fed: Fed) -> None:
        stop = int(np.searchsorted(self._known_ms, at_ms, side="right"))
        while self._jumps and self._jumps[0] < stop:
            self._feed(self._jumps.pop(0), fed)
            self._flow.on_gap()
            fed.gaps += 1
        self._feed(stop, fed)

    def _feed(self, stop: int, fed: Fed) -> None:
        chosen = slice(self._position, stop)
        on_trade, symbol = self._flow.on_trade, self._symbol
        columns = (self._columns[name][chosen].tolist() for name in _COLUMNS)
        for id_, price, quantity, time_ms, is_maker in zip(*columns, strict=True):
            on_trade(
                AggTrade(
                    symbol=symbol,
                    id=id_,
                    price=price,
                    quantity=quantity,
                    time_ms=time_ms,
                    is_buyer_maker=is_maker,
                    event_ms=time_ms,
                )
            )
        fed.trades += stop - self._position
        fed.events += stop - self._position
        self._position = stop


def _time_of(stop: Timed | int) -> int:
    return stop if isinstance(stop, int) else stop.at_ms


def _hand_on(flow: PairFlow, timed: Timed, fed: Fed) -> None:
    match timed.event:
        case TakerBar() as bar:
            flow.on_taker_bar(bar)
        case OpenInterest() as open_interest:
            flow.on_open_interest(open_interest)
        case MarkPrice() as mark:
            flow.on_mark_price(mark)
        case DepthSnapshot() as book:
            flow.on_depth(book)
        case Gap():
            flow.on_gap()
            fed.gaps += 1
            return
    fed.events += 1


def _flagged(component: Component) -> Component:
    """Mark what is another quantity than live.

    Live the funding rate is the running prediction, files have the last settled one; live the book
    imbalance is that of the best levels, files have bands.
    """
    flag = _FLAGS.get(component.name)
    if flag is None or not component.is_known:
        return component
    return replace(component, flags=(*component.flags, flag))
