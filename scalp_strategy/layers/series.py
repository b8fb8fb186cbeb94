"""The rows of one component over time, and which of them was known at each 15m close.

Pure: no I/O, no clock. A decision is made at a 15m close and nowhere else, so of the rows between
two closes only the last is kept, and the last that is known: nine months of rows every 15 seconds
become 26,000.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pandas import factorize

from scalp_strategy.contract import CANDLE_MS, Component, Picked

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ComponentSeries:
    """Rows of one component of one pair, `available_ms` ascending, every array of shape (n,).

    Attributes
    ----------
    available_ms, observed_ms
        When a row could be known and when it was true, epoch milliseconds.
    long, short
        Scores 0..100, NaN = unknown.
    flags, reasons
        The flags joined by commas, and the words, as Python strings.
    """

    available_ms: Ints
    observed_ms: Ints
    long: Floats
    short: Floats
    flags: NDArray[np.object_]
    reasons: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.available_ms)

    @property
    def is_known(self) -> NDArray[np.bool_]:
        """Which rows say anything at all, be it neutral."""
        known: NDArray[np.bool_] = np.isfinite(self.long) & np.isfinite(self.short)
        return known

    def take(self, rows: NDArray[Any] | slice) -> "ComponentSeries":
        """Return these rows."""
        return ComponentSeries(
            self.available_ms[rows],
            self.observed_ms[rows],
            self.long[rows],
            self.short[rows],
            self.flags[rows],
            self.reasons[rows],
        )

    def between(self, since_ms: int, until_ms: int) -> "ComponentSeries":
        """Return the rows that became known from `since_ms` to `until_ms`, both included."""
        first = int(np.searchsorted(self.available_ms, since_ms, side="left"))
        after = int(np.searchsorted(self.available_ms, until_ms, side="right"))
        return self.take(slice(first, max(first, after)))

    def last_words(self) -> list[int]:
        """Return the rows that a silent component is remembered by: the last, the last known."""
        known = np.flatnonzero(self.is_known)
        return sorted({len(self) - 1, *known[-1:].tolist()}) if len(self) else []

    def component(self, row: int, layer: str, name: str, pair: str) -> Component:
        """Return one row as the component that it was."""
        flags: str = self.flags[row]
        return Component(
            layer,
            name,
            pair,
            float(self.long[row]),
            float(self.short[row]),
            int(self.observed_ms[row]),
            int(self.available_ms[row]),
            self.reasons[row],
            tuple(flags.split(",")) if flags else (),
        )


def series_of(components: Sequence[Component]) -> ComponentSeries:
    """Return the rows of one component of one pair, in any order; of a tie the last given wins."""
    return joined(
        [
            ComponentSeries(
                np.array([one.available_at_ms for one in components], dtype=np.int64),
                np.array([one.observed_at_ms for one in components], dtype=np.int64),
                np.array([one.long for one in components], dtype=np.float64),
                np.array([one.short for one in components], dtype=np.float64),
                np.array([",".join(one.flags) for one in components], dtype=np.object_),
                np.array([one.reason for one in components], dtype=np.object_),
            )
        ]
    )


def joined(parts: Sequence[ComponentSeries]) -> ComponentSeries:
    """Return the rows of all parts in time order, thinned to what counts at each 15m close.

    That is the last row, and the last one that is known: what a component said last is remembered
    when it turns silent.

    Parameters
    ----------
    parts
        At least one; rows in any order. Of rows known at the same instant the one given last wins.
    """
    whole = parts[0] if len(parts) == 1 else concatenated(parts)
    order = np.argsort(whole.available_ms, kind="stable")
    close = -(-whole.available_ms[order] // CANDLE_MS)
    last = last_of_each(close)
    known = np.flatnonzero(whole.is_known[order])
    if len(known) == len(order):
        return whole.take(order[last])
    return whole.take(order[np.union1d(last, known[last_of_each(close[known])])])


def concatenated(parts: Sequence[ComponentSeries]) -> ComponentSeries:
    """Return the rows of all parts, one part after the other, not sorted."""
    return ComponentSeries(
        np.concatenate([part.available_ms for part in parts]),
        np.concatenate([part.observed_ms for part in parts]),
        np.concatenate([part.long for part in parts]),
        np.concatenate([part.short for part in parts]),
        np.concatenate([part.flags for part in parts]),
        np.concatenate([part.reasons for part in parts]),
    )


def between(
    series: Mapping[str, ComponentSeries], since_ms: int, until_ms: int
) -> dict[str, ComponentSeries]:
    """Return what became known in a span, both ends included, without the empty series."""
    cut = {name: one.between(since_ms, until_ms) for name, one in series.items()}
    return {name: one for name, one in cut.items() if len(one)}


def last_of_each(keys: NDArray[Any]) -> NDArray[np.intp]:
    """Return the row of the last of every run of equal keys.

    Examples
    --------
    >>> last_of_each(np.array([1, 1, 4, 9, 9, 9])).tolist()
    [1, 2, 5]
    """
    ends = np.flatnonzero(keys[1:] != keys[:-1])
    return np.append(ends, len(keys) - 1) if len(keys) else ends


class RowsAt(NamedTuple):
    """Which rows of a component count at each of n closes; -1 where there is none.

    Attributes
    ----------
    series
        The rows.
    last
        The last row by then, whatever it says, shape (n,).
    known
        The last row that is known, shape (n,).
    """

    series: ComponentSeries
    last: Ints
    known: Ints


def rows_at(series: ComponentSeries, closes_ms: Ints, horizon_ms: int) -> RowsAt:
    """Return the rows that count at each close, of those with `available_ms <= close`.

    Parameters
    ----------
    series
        Rows of one component.
    closes_ms
        Instants, epoch milliseconds, shape (n,), in any order.
    horizon_ms
        A row that was not renewed for longer is forgotten.
    """
    if not len(series):
        nothing = np.full(len(closes_ms), -1, dtype=np.int64)
        return RowsAt(series, nothing, nothing)
    last = np.searchsorted(series.available_ms, closes_ms, side="right") - 1
    is_known = series.is_known
    known = last
    if not is_known.all():
        newest_known = np.maximum.accumulate(np.where(is_known, np.arange(len(series)), -1))
        known = np.where(last >= 0, newest_known[last], -1)
    return RowsAt(
        series,
        _kept(series, last, closes_ms, horizon_ms),
        _kept(series, known, closes_ms, horizon_ms),
    )


def _kept(series: ComponentSeries, rows: Ints, closes_ms: Ints, horizon_ms: int) -> Ints:
    is_kept = (rows >= 0) & (closes_ms - series.available_ms[rows] <= horizon_ms)
    return np.where(is_kept, rows, -1)


def overlaid(own: RowsAt | None, market: RowsAt | None) -> RowsAt | None:
    """Return the pair's own rows where it has any at a close, else the market's.

    None when there are neither. As in `contract.combine` the pair's own row wins whatever it says.
    """
    if own is None or market is None:
        return own or market
    offset = len(market.series)
    has_own = own.last >= 0
    known = np.where(own.known >= 0, own.known + offset, -1)
    return RowsAt(
        concatenated([market.series, own.series]),
        np.where(has_own, own.last + offset, market.last),
        np.where(has_own, known, market.known),
    )


def pick(rows: RowsAt) -> Picked:
    """Return the known rows as `contract.combine_columns` takes them."""
    series, known = rows.series, rows.known
    if not len(series):
        unknown, never = np.full(len(known), np.nan), np.zeros(len(known), dtype=np.int64)
        return Picked(unknown, unknown, never, never, known == rows.last)
    is_known = known >= 0
    return Picked(
        np.where(is_known, series.long[known], np.nan),
        np.where(is_known, series.short[known], np.nan),
        np.where(is_known, series.observed_ms[known], 0),
        np.where(is_known, series.available_ms[known], 0),
        known == rows.last,
        flag_masks(series, known),
    )


def flag_masks(series: ComponentSeries, rows: Ints) -> dict[str, NDArray[np.bool_]]:
    """Return where each flag is set in these rows, shape (n,); row -1 sets none."""
    if not len(series):
        return {}
    return _flag_masks(series.flags[rows], rows >= 0)


def _flag_masks(
    texts: NDArray[np.object_], is_known: NDArray[np.bool_]
) -> dict[str, NDArray[np.bool_]]:
    codes, words = factorize(texts)
    masks: dict[str, NDArray[np.bool_]] = {}
    for code, word in enumerate(words):
        where = (codes == code) & is_known
        for flag in word.split(",") if word and where.any() else ():
            masks[flag] = masks[flag] | where if flag in masks else where
    return masks
