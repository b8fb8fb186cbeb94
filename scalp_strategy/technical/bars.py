"""From a Freqtrade frame to arrays, and where their unbroken stretches are.

A row is usable when its four prices are finite and positive and its volume is finite and not
negative. An unusable row ends a stretch, and so do more missing candles than are bridged, and a
redenomination: the layer computes each stretch for itself, so nothing carries over a hole, and
nothing before it poisons what comes after.
"""

from typing import Final, NamedTuple

import numpy as np
from pandas import DataFrame, DatetimeTZDtype, NaT

from scalp_strategy.errors import ContractViolation
from scalp_strategy.technical.arrays import BoolArray, FloatArray, IntArray

MINUTE_NS: Final = 60 * 1_000_000_000
PRIMARY_NS: Final = 15 * MINUTE_NS
HOUR_NS: Final = 60 * MINUTE_NS
DAY_NS: Final = 24 * HOUR_NS

PRICES: Final = ("open", "high", "low", "close")


class Bars(NamedTuple):
    """Candles as arrays of one length; `time_ns` is the open in nanoseconds since the epoch."""

    time_ns: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray

    def part(self, rows: slice) -> "Bars":
        """Return these rows as views."""
        return Bars(
            self.time_ns[rows],
            self.open[rows],
            self.high[rows],
            self.low[rows],
            self.close[rows],
            self.volume[rows],
        )


def bars_of(candles: DataFrame, name: str = "candles") -> Bars:
    """Return a Freqtrade candle frame as arrays.

    Parameters
    ----------
    candles : DataFrame
        Columns `date` (time-zone aware candle open, strictly ascending), `open`, `high`, `low`,
        `close` and `volume`.
    name : str
        What error messages call the frame.

    Returns
    -------
    Bars
        Read-only use: arrays may share memory with the frame.

    Raises
    ------
    ContractViolation
        A column is missing, dates have no time zone, or are not strictly ascending.
    """
    missing = [column for column in ("date", *PRICES, "volume") if column not in candles.columns]
    if missing:
        raise ContractViolation(f"{name}: missing columns {', '.join(missing)}")
    columns: list[FloatArray] = [
        candles[column].to_numpy(dtype=np.float64) for column in (*PRICES, "volume")
    ]
    return Bars(_open_times(candles, name), *columns)


def _open_times(candles: DataFrame, name: str) -> IntArray:
    dates = candles["date"]
    if not isinstance(dates.dtype, DatetimeTZDtype):
        raise ContractViolation(f"{name}: date must be time-zone aware, got {dates.dtype}")
    times: IntArray = dates.array.as_unit("ns").asi8
    if times.size and times[0] == NaT.value:
        raise ContractViolation(f"{name}: the first date is empty")
    wrong = times[1:] <= times[:-1]
    if wrong.any():
        row = int(np.argmax(wrong)) + 1
        kind = "duplicate" if times[row] == times[row - 1] else "out of order"
        raise ContractViolation(f"{name}: date {dates.iloc[row]} in row {row} is {kind}")
    return times


def bridged(bars: Bars, step_ns: int, most: int) -> tuple[Bars, IntArray]:
    """Return the candles with short holes filled, and where the given ones are among them.

    A missing candle is one without a trade: it opens and closes at the close before, with no
    volume. So the host fills holes when it loads candles.

    Parameters
    ----------
    bars : Bars
        Candles of one timeframe.
    step_ns : int
        Length of its candles.
    most : int
        Candles of the longest hole that is filled; what lies around it must be usable.
    """
    missing = np.diff(bars.time_ns) // step_ns - 1
    is_whole = np.diff(bars.time_ns) % step_ns == 0
    usable = _usable(bars)
    is_short = (missing > 0) & (missing <= most) & is_whole & usable[1:] & usable[:-1]
    added = np.where(is_short, missing, 0)
    rows = np.arange(bars.time_ns.size)
    if not added.any():
        return bars, rows
    source = np.repeat(rows, 1 + np.append(added, 0))
    place = rows + np.append(0, np.cumsum(added))
    nth = np.arange(source.size) - place[source]
    is_added = nth > 0
    close = bars.close[source]
    opened, high, low = (
        np.where(is_added, close, price[source]) for price in (bars.open, bars.high, bars.low)
    )
    volume = np.where(is_added, 0.0, bars.volume[source])
    times = bars.time_ns[source] + nth * step_ns
    return Bars(times, opened, high, low, close, volume), place


def stretches(bars: Bars, step_ns: int, redenomination: float) -> list[slice]:
    """Return the unbroken stretches of usable rows, in order.

    Parameters
    ----------
    bars : Bars
        Candles of one timeframe.
    step_ns : int
        Length of its candles.
    redenomination : float
        Factor by which a price must jump, up or down, after a candle without a trade, to be
        another unit and not a move. A crash trades, so that it ends nothing.

    Returns
    -------
    list of slice
        Within each slice every row is usable and opens `step_ns` after the one before.
    """
    usable = _usable(bars)
    joined = usable[1:] & usable[:-1] & (np.diff(bars.time_ns) == step_ns)
    joined &= ~_redenominated(bars, redenomination)
    edge = np.zeros(1, dtype=np.bool_)
    starts = np.flatnonzero(usable & ~np.concatenate((edge[: usable.size], joined)))
    stops = np.flatnonzero(usable & ~np.concatenate((joined, edge[: usable.size]))) + 1
    return [slice(int(start), int(stop)) for start, stop in zip(starts, stops, strict=True)]


def _redenominated(bars: Bars, factor: float) -> BoolArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        jump = bars.open[1:] / bars.close[:-1]
    is_beyond = (jump > factor) | (jump < 1.0 / factor)
    silent: BoolArray = is_beyond & (bars.volume[:-1] == 0.0)
    return silent


def _usable(bars: Bars) -> BoolArray:
    lowest = np.minimum(np.minimum(bars.open, bars.close), np.minimum(bars.low, bars.high))
    total = bars.open + bars.high + bars.low + bars.close + bars.volume
    return np.isfinite(total) & (lowest > 0) & (bars.volume >= 0)
