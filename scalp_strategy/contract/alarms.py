"""When a move within an hour is an alarm, and for how long: the same rule in both processes."""

from typing import Final

from scalp_strategy.contract.names import CANDLE_MS

ALARM_MS: Final = 3_600_000  # an alarm holds until the hour after it was known has passed


def passes(move_pct: float, limit_pct: float) -> bool:
    """Return whether a move goes beyond a limit, on the limit's side; NaN never does.

    Examples
    --------
    >>> passes(-2.1, -2.0), passes(-2.0, -2.0), passes(3.0, -2.0), passes(1.1, 1.0)
    (True, False, False, True)
    """
    return move_pct > limit_pct if limit_pct > 0 else move_pct < limit_pct


def leaps(move_pct: float, limit_pct: float) -> bool:
    """Return whether a move goes beyond a limit either way; NaN never does."""
    return abs(move_pct) > limit_pct


def alarm_closes(at_ms: int) -> range:
    """Return the 15m closes whose alarm still holds at an instant, the newest first.

    Examples
    --------
    >>> [close // 900_000 for close in alarm_closes(10 * 900_000)]
    [10, 9, 8, 7]
    """
    return range(at_ms // CANDLE_MS * CANDLE_MS, at_ms - ALARM_MS, -CANDLE_MS)
