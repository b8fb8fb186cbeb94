"""How reasons of the sentiment layer are put: numbers in words. Pure."""

from typing import Final

from external_layers.sources.facts import MARKET

_MINUTE_MS: Final = 60_000


def percent(value: float, digits: int = 1) -> str:
    """Return a signed percentage, never "-0.0%".

    Examples
    --------
    >>> percent(-1.23), percent(-0.01)
    ('-1.2%', '+0.0%')
    """
    return f"{signed(value, digits)}%"


def signed(value: float, digits: int = 1) -> str:
    """Return a number with its sign; what rounds to nothing is "+0".

    Examples
    --------
    >>> signed(0.456, 2), signed(-0.001, 2)
    ('+0.46', '+0.00')
    """
    return f"{round(value, digits) + 0.0:+.{digits}f}"


def minutes(span_ms: int) -> str:
    """Return a span of time in whole minutes.

    Examples
    --------
    >>> minutes(2_700_000)
    '45 min'
    """
    return f"{span_ms // _MINUTE_MS} min"


def subject(token: str) -> str:
    """Return what a sentence calls a token, or the whole market.

    Examples
    --------
    >>> subject("SOL"), subject("*")
    ('SOL', 'The market')
    """
    return "The market" if token == MARKET else token


def listed(parts: list[str]) -> str:
    """Return phrases as an enumeration.

    Examples
    --------
    >>> listed(["S&P 500 +1.0%", "VIX -9.0%"])
    'S&P 500 +1.0%, VIX -9.0%'
    """
    return ", ".join(parts)
