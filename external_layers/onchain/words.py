"""Money, spans and counts as the reasons say them."""

from typing import Final

_UNITS: Final = ((1e9, "B"), (1e6, "M"), (1e3, "K"))
_ROUNDS_UP: Final = 0.9995  # from here on three digits of the smaller unit round to the larger one
_MS_PER_S: Final = 1_000
_S_PER_MIN: Final = 60
_S_PER_HOUR: Final = 3_600


def money(dollars: float) -> str:
    """Return dollars in two digits or more, without a sign.

    Examples
    --------
    >>> money(2_345_678), money(-41_000_000), money(999_960), money(640)
    ('$2.3M', '$41M', '$1M', '$640')
    """
    size = abs(dollars)
    for unit, letter in _UNITS:
        if size >= unit * _ROUNDS_UP:
            return f"${_digits(size / unit)}{letter}"
    return f"${size:.0f}"


def _digits(value: float) -> str:
    text = f"{value:.1f}" if value < 9.95 else f"{value:,.0f}"
    return text.removesuffix(".0")


def ago(age_ms: int) -> str:
    """Return an age.

    Examples
    --------
    >>> ago(490_000), ago(12_000), ago(5_400_000)
    ('8 min ago', '12 s ago', '90 min ago')
    """
    seconds = max(age_ms, 0) // _MS_PER_S
    if seconds < _S_PER_MIN:
        return f"{seconds} s ago"
    return f"{seconds // _S_PER_MIN} min ago"


def span(seconds: int) -> str:
    """Return a length of time: whole hours, else minutes.

    Examples
    --------
    >>> span(1_800), span(3_600), span(5_400)
    ('30 min', '1 h', '90 min')
    """
    if seconds % _S_PER_HOUR == 0:
        return f"{seconds // _S_PER_HOUR} h"
    return f"{seconds / _S_PER_MIN:.0f} min"


def counted(count: int, noun: str) -> str:
    """Return a number of things.

    Examples
    --------
    >>> counted(1, "withdrawal"), counted(3, "withdrawal")
    ('1 withdrawal', '3 withdrawals')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
