"""What the files tell of one day of one pair, in the order in which it could be known.

A day is made from its own files and from as much of the time before it as the layer remembers, and
from nothing else: so it comes out the same however a span of days is cut.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from external_layers.binance.messages import DepthSnapshot, MarkPrice, OpenInterest, TakerBar
from external_layers.history.dumps import DumpKind, Instrument, dump_path, month_before
from external_layers.history.files import DumpFiles, Loaded
from external_layers.history.ledger import FileUse
from external_layers.history.tables import Table
from scalp_strategy.contract.archive import day_start_ms
from scalp_strategy.setting_groups.history import BackfillSettings

DAY_MS: Final = 86_400_000
_MS_PER_HOUR: Final = 3_600_000
_MS_PER_S: Final = 1_000
FLOW_KINDS: Final = (DumpKind.AGG_TRADES, DumpKind.KLINES_1M, DumpKind.KLINES_5M)


@dataclass(frozen=True, slots=True)
class Gap:
    """Trades may be missing from here on."""


Event = TakerBar | OpenInterest | MarkPrice | DepthSnapshot | Gap


@dataclass(frozen=True, slots=True)
class Timed:
    """An event and the epoch millisecond from which it could be known."""

    at_ms: int
    event: Event


@dataclass(slots=True, eq=False)
class DayInputs:
    """Everything that a day rests on.

    Attributes
    ----------
    trades
        Tables of aggregate trades, in order: the end of the day before, then the day.
    events
        All else, by the time from which it could be known.
    files, missing
        What was read, and the names of what there is not.
    day_kinds
        Kinds of files that there are for the day itself.
    """

    trades: list[Table] = field(default_factory=list)
    events: list[Timed] = field(default_factory=list)
    files: list[FileUse] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    day_kinds: set[DumpKind] = field(default_factory=set)

    @property
    def has_flow(self) -> bool:
        """Whether there are trades of the day, or candles in their place."""
        return not self.day_kinds.isdisjoint(FLOW_KINDS)


class DayReader:
    """Gathers the inputs of days.

    Parameters
    ----------
    files
        Of one source.
    settings
        Delays.
    memory_s
        Seconds before the day that still have an effect on it.
    """

    def __init__(self, files: DumpFiles, settings: BackfillSettings, memory_s: int) -> None:
        self._files = files
        self._settings = settings
        self._memory_ms = memory_s * _MS_PER_S

    def read(self, instrument: Instrument, day: date) -> DayInputs:
        """Return what is known of a day.

        Raises
        ------
        PayloadError
            When one of its files is damaged.
        SourceUnavailable
            When one cannot be had now.
        """
        start = day_start_ms(day)
        span = (start - self._memory_ms, start + DAY_MS)
        earlier = -(-self._memory_ms // DAY_MS)
        days = [day - timedelta(days=back) for back in range(earlier, -1, -1)]
        inputs = DayInputs()
        for each in days:
            if not self._add_flow(inputs, instrument, each, span):
                inputs.events.append(Timed(day_start_ms(each), Gap()))
        self._add_open_interest(inputs, instrument, days, span)
        self._add_funding(inputs, instrument, day, span)
        if self._settings.book_from_bands:
            self._add_bands(inputs, instrument, days[-1], span)
        inputs.events.sort(key=lambda timed: timed.at_ms)
        return inputs

    def _loaded(
        self, inputs: DayInputs, instrument: Instrument, kind: DumpKind, day: date
    ) -> Loaded | None:
        found = self._files.load(instrument, kind, day)
        if found is not None:
            inputs.files.append(found.use)
        elif instrument.has(kind):
            inputs.missing.append(dump_path(instrument, kind, day).rsplit("/", 1)[-1])
        return found

    def _add_flow(
        self, inputs: DayInputs, instrument: Instrument, day: date, span: tuple[int, int]
    ) -> bool:
        """Add a day's trades or, where there are none, its candles; say whether there were any."""
        for kind in FLOW_KINDS:
            found = self._loaded(inputs, instrument, kind, day)
            if found is None:
                continue
            if kind is DumpKind.AGG_TRADES:
                inputs.trades.append(_within(found.table, "transact_time", span))
            else:
                bars = _within(found.table, "open_time", span)
                inputs.events += taker_bars(bars, instrument.symbol)
            _note_day(inputs, kind, day, span)
            return True
        return False

    def _add_open_interest(
        self, inputs: DayInputs, instrument: Instrument, days: list[date], span: tuple[int, int]
    ) -> None:
        delay = self._settings.open_interest_delay_s * _MS_PER_S
        seen: dict[int, float] = {}
        for each in days:
            found = self._loaded(inputs, instrument, DumpKind.METRICS, each)
            if found is None:
                continue
            rows = _within(found.table, "create_time", span).columns
            times, amounts = rows["create_time"].tolist(), rows["sum_open_interest"].tolist()
            seen = dict(zip(times, amounts, strict=True)) | seen
            _note_day(inputs, DumpKind.METRICS, each, span)
        inputs.events += [
            Timed(at + delay, OpenInterest(symbol=instrument.symbol, time_ms=at, quantity=amount))
            for at, amount in seen.items()
        ]

    def _add_funding(
        self, inputs: DayInputs, instrument: Instrument, day: date, span: tuple[int, int]
    ) -> None:
        """Add the settlements of the span and the last one before it."""
        delay = self._settings.funding_delay_s * _MS_PER_S
        settled: dict[int, MarkPrice] = {}
        for month in (month_before(day), day):
            found = self._loaded(inputs, instrument, DumpKind.FUNDING_RATE, month)
            if found is not None:
                settled |= {mark.event_ms: mark for mark in marks(found.table, instrument.symbol)}
        before = [at for at in settled if at < span[0]][-1:]
        chosen = before + [at for at in settled if span[0] <= at < span[1]]
        inputs.events += [Timed(at + delay, settled[at]) for at in chosen]
        if chosen:
            inputs.day_kinds.add(DumpKind.FUNDING_RATE)

    def _add_bands(
        self, inputs: DayInputs, instrument: Instrument, day: date, span: tuple[int, int]
    ) -> None:
        found = self._loaded(inputs, instrument, DumpKind.BOOK_DEPTH, day)
        if found is not None:
            delay = self._settings.book_delay_s * _MS_PER_S
            books = nearest_bands(_within(found.table, "timestamp", span), instrument.symbol)
            inputs.events += [Timed(book.event_ms + delay, book) for book in books]
            _note_day(inputs, DumpKind.BOOK_DEPTH, day, span)


def nearest_bands(bands: Table, symbol: str) -> Iterator[DepthSnapshot]:
    """Yield the nearest band of each side as a book of one level; a lone side is left out.

    The level's price is 1: of the bands only the quantities are known.
    """
    columns = (bands.columns[name].tolist() for name in ("timestamp", "percentage", "depth"))
    nearest: dict[int, dict[bool, tuple[float, float]]] = {}
    for at, percentage, depth in zip(*columns, strict=True):
        sides, is_bid = nearest.setdefault(at, {}), percentage < 0
        if is_bid not in sides or abs(percentage) < sides[is_bid][0]:
            sides[is_bid] = (abs(percentage), depth)
    for at, sides in nearest.items():
        if len(sides) == 2 and sides[True][0] == sides[False][0]:
            bids, asks = [(1.0, sides[True][1])], [(1.0, sides[False][1])]
            yield DepthSnapshot(symbol=symbol, update_id=at, event_ms=at, bids=bids, asks=asks)


def taker_bars(candles: Table, symbol: str) -> Iterator[Timed]:
    """Yield candles as taker volume, each known at its close, and a gap where some are missing."""
    columns = candles.columns
    names = ("open_time", "close_time", "close", "volume", "taker_buy_volume", "count")
    expected: int | None = None
    for opened, closed, price, volume, bought, count in zip(
        *(columns[name].tolist() for name in names), strict=True
    ):
        if expected is not None and opened != expected:
            yield Timed(opened, Gap())
        bar = TakerBar(
            symbol=symbol,
            open_ms=opened,
            close_ms=closed,
            buy_quantity=bought,
            sell_quantity=volume - bought,
            trades=count,
            close=price,
        )
        yield Timed(closed, bar)
        expected = closed


def marks(settlements: Table, symbol: str) -> Iterator[MarkPrice]:
    """Yield settled funding rates as messages; prices are unknown (NaN)."""
    columns = settlements.columns
    names = ("calc_time", "funding_interval_hours", "last_funding_rate")
    for at, hours, rate in zip(*(columns[name].tolist() for name in names), strict=True):
        yield MarkPrice(
            symbol=symbol,
            event_ms=at,
            mark=np.nan,
            index=np.nan,
            funding_rate=rate,
            next_funding_ms=at + hours * _MS_PER_HOUR,
        )


def _note_day(inputs: DayInputs, kind: DumpKind, day: date, span: tuple[int, int]) -> None:
    if day_start_ms(day) + DAY_MS == span[1]:
        inputs.day_kinds.add(kind)


def _within(table: Table, key: str, span: tuple[int, int]) -> Table:
    times: NDArray[np.int64] = table.columns[key]
    return table.part((times >= span[0]) & (times < span[1]))
