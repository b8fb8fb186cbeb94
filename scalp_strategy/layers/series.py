"""The rows of one component over time, and which of them was known at each 15m close.

Pure: no I/O, no clock. A decision is made at a 15m close and nowhere else, so of the rows between
two closes only the last is kept: nine months of rows every 15 seconds become 26,000.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
    """Return the rows of all parts in time order, thinned to what was known at each 15m close.

    Parameters
    ----------
    parts
        At least one; rows in any order. Of rows known at the same instant the one given last wins.
    """
    whole = parts[0] if len(parts) == 1 else concatenated(parts)
    order = np.argsort(whole.available_ms, kind="stable")
    close = -(-whole.available_ms[order] // CANDLE_MS)
    return whole.take(order[last_of_each(close)])


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


def known_rows(series: ComponentSeries, closes_ms: Ints, horizon_ms: int) -> Ints:
    """Return the row that was known at each close: the last with `available_ms <= close`.

    Parameters
    ----------
    series
        Rows of one component.
    closes_ms
        Instants, epoch milliseconds, shape (n,), in any order.
    horizon_ms
        A row that was not renewed for longer is forgotten.

    Returns
    -------
    ndarray of int64, shape (n,)
        Row numbers, -1 where nothing was known.
    """
    if not len(series):
        return np.full(len(closes_ms), -1, dtype=np.int64)
    rows = np.searchsorted(series.available_ms, closes_ms, side="right") - 1
    is_kept = (rows >= 0) & (closes_ms - series.available_ms[rows] <= horizon_ms)
    return np.where(is_kept, rows, -1)


def overlaid(
    own: ComponentSeries | None, market: ComponentSeries | None, closes_ms: Ints, horizon_ms: int
) -> tuple[ComponentSeries, Ints]:
    """Return rows, and which of them speaks at each close: the pair's own, else the market's.

    Either may be None, not both. As in `contract.combine` the pair's own row wins whatever it says.
    """
    present = [series for series in (market, own) if series is not None]
    rows = known_rows(present[0], closes_ms, horizon_ms)
    if len(present) == 1:
        return present[0], rows
    own_rows = known_rows(present[1], closes_ms, horizon_ms)
    both = concatenated(present)
    return both, np.where(own_rows >= 0, own_rows + len(present[0]), rows)


def pick(series: ComponentSeries, rows: Ints) -> Picked:
    """Return these rows as `contract.combine_columns` takes them; row -1 is unknown.

    Parameters
    ----------
    series
        Rows of one component.
    rows
        Row numbers, shape (n,).
    """
    if not len(series):
        unknown = np.full(len(rows), np.nan)
        return Picked(unknown, unknown, np.zeros(len(rows), dtype=np.int64))
    is_known = rows >= 0
    return Picked(
        np.where(is_known, series.long[rows], np.nan),
        np.where(is_known, series.short[rows], np.nan),
        np.where(is_known, series.observed_ms[rows], 0),
        _flag_masks(series.flags[rows], is_known),
    )


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
