"""How the bot's silence and its return are put into words (pure)."""

from datetime import UTC, datetime
from typing import Final

_UNITS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
_MANY: Final = 2  # from so many on the larger unit is used
_MS_PER_S: Final = 1_000


def silence_words(since_ms: int, now_ms: int) -> str:
    """Return that the bot is silent, and since when.

    Examples
    --------
    >>> silence_words(36_900_000, 38_703_000)
    'The bot is silent: last heard 10:15 UTC, 30 minutes ago.'
    """
    heard = instant_words(since_ms, now_ms)
    return f"The bot is silent: last heard {heard}, {span_words(since_ms, now_ms)} ago."


def return_words(since_ms: int, until_ms: int, now_ms: int) -> str:
    """Return that the bot is back, since when, and after how long.

    Examples
    --------
    >>> return_words(36_900_000, 39_120_000, 39_121_000)
    'The bot is back: it asks again since 10:52 UTC, after 37 minutes of silence.'
    """
    again = instant_words(until_ms, now_ms)
    silence = span_words(since_ms, until_ms)
    return f"The bot is back: it asks again since {again}, after {silence} of silence."


def span_words(since_ms: int, until_ms: int) -> str:
    """Return a span in whole units.

    Examples
    --------
    >>> [span_words(0, each * 1_000) for each in (1, 59, 1_800, 7_199, 7_200, 200_000)]
    ['1 second', '59 seconds', '30 minutes', '119 minutes', '2 hours', '2 days']
    """
    whole = max(0, (until_ms - since_ms) // _MS_PER_S)
    size, unit = next((each for each in _UNITS if whole >= _MANY * each[0]), _UNITS[-1])
    count = whole // size
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def instant_words(at_ms: int, now_ms: int) -> str:
    """Return an instant, UTC; its day where it is not today's.

    Examples
    --------
    >>> instant_words(36_900_000, 40_000_000), instant_words(36_900_000, 90_000_000)
    ('10:15 UTC', '1970-01-01 10:15 UTC')
    """
    at, now = (datetime.fromtimestamp(each / _MS_PER_S, UTC) for each in (at_ms, now_ms))
    form = "%H:%M UTC" if at.date() == now.date() else "%Y-%m-%d %H:%M UTC"
    return at.strftime(form)
