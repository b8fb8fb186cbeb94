"""Sparse events seen through a sliding window: a few columns per row instead of one per candle."""

from typing import NamedTuple

import numpy as np

from scalp_strategy.technical.arrays import BoolArray, IntArray


class EventWindow(NamedTuple):
    """For each row the events of its window, oldest first, shape (most events at once, rows).

    Attributes
    ----------
    event : ndarray of int64
        Position in the list of events; may lie beyond its end where `present` is False, so take
        values with `mode="clip"`.
    present : ndarray of bool
        Whether the cell holds an event.
    """

    event: IntArray
    present: BoolArray


def event_window(first_row: IntArray, last_row: IntArray, rows: int) -> EventWindow:
    """Return which events each row sees.

    Parameters
    ----------
    first_row, last_row : ndarray of int64
        First and last row that sees each event, both ascending; they may lie beyond the rows.
    rows : int
        Number of rows.

    Returns
    -------
    EventWindow
        At least one line of cells, even when no row sees an event.
    """
    start = _count_up_to(last_row + 1, rows)
    stop = _count_up_to(first_row, rows)
    depth = int((stop - start).max(initial=1))
    event = start + np.arange(depth)[:, np.newaxis]
    return EventWindow(event, event < stop)


def _count_up_to(row: IntArray, rows: int) -> IntArray:
    # How many of the given rows lie at or before each row.
    return np.bincount(row, minlength=rows)[:rows].cumsum()
