"""Epoch milliseconds, as records have them, and moments, as tables have them."""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


def moment(at_ms: int) -> datetime:
    """Return the moment of epoch milliseconds, UTC.

    Raises
    ------
    OverflowError
        When no calendar has it.
    """
    return _EPOCH + timedelta(milliseconds=at_ms)


def epoch_ms(at: datetime) -> int:
    """Return the epoch milliseconds of an aware moment."""
    return (at - _EPOCH) // _MS
