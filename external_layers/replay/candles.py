"""Candles of any interval as exact aggregates of one-minute candles."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from external_layers.replay.minutes import DAY_MINUTES, MINUTE_MS, Ints, Minutes

INTERVALS: Final = {
    "1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "6h": 360,
    "8h": 480, "12h": 720, "1d": 1_440, "3d": 4_320, "1w": 10_080, "1M": 43_200,
}  # fmt: skip
_MONDAY: Final = 4 * DAY_MINUTES  # 1970-01-05, the first Monday


@dataclass(frozen=True, slots=True, eq=False)
class Candles:
    """Candles of any interval; prices in ticks, amounts in steps, times in wall-clock ms.

    `close_ms` is the last millisecond of the candle. `notional` is in tick-steps: the volume
    times the candle's minute prices, (open + high + low + close) / 4 each.
    """

    open_ms: Ints
    close_ms: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    notional: np.ndarray
    trades: Ints
    taker_buy: Ints
    taker_notional: np.ndarray

    def __len__(self) -> int:
        return len(self.open_ms)


def aggregated(minutes: Minutes, interval: str) -> Candles:
    """Return the candles of an interval made of one-minute candles (first group may be short)."""
    opens = opens_of(minutes.minute, interval)
    starts = np.flatnonzero(np.diff(opens, prepend=-1)) if len(opens) else np.empty(0, np.int64)
    ends = np.append(starts[1:], len(opens)) - 1 if len(starts) else starts
    mean_price = (minutes.open + minutes.high + minutes.low + minutes.close) / 4.0
    first = opens[starts]

    def total(values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(values, starts) if len(starts) else values[:0]

    return Candles(
        open_ms=first * MINUTE_MS,
        close_ms=next_opens(first, interval) * MINUTE_MS - 1,
        open=minutes.open[starts],
        high=np.maximum.reduceat(minutes.high, starts) if len(starts) else minutes.high[:0],
        low=np.minimum.reduceat(minutes.low, starts) if len(starts) else minutes.low[:0],
        close=minutes.close[ends],
        volume=total(minutes.volume),
        notional=total(minutes.volume * mean_price),
        trades=total(minutes.trades),
        taker_buy=total(minutes.taker_buy),
        taker_notional=total(minutes.taker_buy * mean_price),
    )


def next_open(minute: int, interval: str) -> int:
    """Return the open of the candle after the one that opens at `minute`."""
    return int(next_opens(np.array([minute]), interval)[0])


def opens_of(minutes: Ints, interval: str) -> Ints:
    """Return the open of the candle that holds each minute; weeks start on Monday."""
    if interval == "1M":
        months = minutes.astype("datetime64[m]").astype("datetime64[M]")
        starts: Ints = months.astype("datetime64[m]").astype(np.int64)
        return starts
    length = INTERVALS[interval]
    origin = _MONDAY if interval == "1w" else 0
    return (minutes - origin) // length * length + origin


def next_opens(opens: Ints, interval: str) -> Ints:
    """Return the opens of the candles after those that open at `opens`."""
    if interval == "1M":
        months = opens.astype("datetime64[m]").astype("datetime64[M]") + 1
        following: Ints = months.astype("datetime64[m]").astype(np.int64)
        return following
    return opens + INTERVALS[interval]
