"""Closed 5m and 1m candles of a pair, gathered answer by answer (pure)."""

from typing import Any, Final

import numpy as np
import pandas as pd
from pandas import DataFrame

from scalp_strategy.layers.series import Floats, last_of_each

# Length of a candle of each timeframe that the sidecar serves.
TIMEFRAMES_MS: Final = {"5m": 300_000, "1m": 60_000}
_COLUMNS: Final = ("open", "high", "low", "close", "volume")


def candle_rows(given: Any, timeframe: str, close_ms: int) -> tuple[Floats, int]:
    """Return the candles that had closed at an instant, and how many rows were no candles.

    Parameters
    ----------
    given
        What should be a list of ``[open_ms, open, high, low, close, volume]``.
    timeframe
        One of `TIMEFRAMES_MS`.
    close_ms
        The instant, epoch milliseconds; candles that close later are left out.

    Returns
    -------
    tuple
        Array of shape (n, 6) in the order given (a millisecond is exact in a float), and the
        number of rows that are not six finite numbers or do not open on the timeframe's grid.
    """
    if not isinstance(given, list):
        return no_candles(), 1
    rows = _numbers(given)
    step = TIMEFRAMES_MS[timeframe]
    opens = rows[:, 0]
    with np.errstate(invalid="ignore"):
        is_candle = np.isfinite(rows).all(axis=1) & (opens >= 0) & (opens % step == 0)
    dropped = len(given) - int(is_candle.sum())
    return rows[is_candle & (opens <= close_ms - step)], dropped


def merged_candles(held: Floats, new: Floats, limit: int) -> Floats:
    """Return both, oldest first, the newer of a doubled candle, the last `limit` of them."""
    rows = np.concatenate([held, new])
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    return rows[last_of_each(rows[:, 0])][-limit:]


def candle_frame(rows: Floats) -> DataFrame:
    """Return candles as Freqtrade's frame: `date` (the open, UTC), prices and volume."""
    opens = pd.to_datetime(rows[:, 0].astype(np.int64), unit="ms", utc=True)
    values = {name: rows[:, column] for column, name in enumerate(_COLUMNS, start=1)}
    return DataFrame({"date": opens, **values})


def unbroken_until(rows: Floats, timeframe: str) -> int:
    """Return when the last candle before the first hole closed, epoch milliseconds.

    `rows` are candles oldest first; of none it is 0.
    """
    if not len(rows):
        return 0
    step = TIMEFRAMES_MS[timeframe]
    holes = np.flatnonzero(np.diff(rows[:, 0]) != step)
    last = int(holes[0]) if len(holes) else -1
    return int(rows[last, 0]) + step


def no_candles() -> Floats:
    """Return an empty array of candles."""
    return np.empty((0, 1 + len(_COLUMNS)))


def _numbers(given: list[Any]) -> Floats:
    """Rows of six numbers; what is none of these stays behind."""
    width = 1 + len(_COLUMNS)
    rows = [row for row in given if isinstance(row, list) and len(row) == width]
    rows = [row for row in rows if all(type(cell) in (int, float) for cell in row)]
    return np.array(rows, dtype=np.float64) if rows else no_candles()
