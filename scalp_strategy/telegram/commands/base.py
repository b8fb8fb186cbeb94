"""What a command is, and how numbers read."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from scalp_strategy.telegram.facts import Facts
from scalp_strategy.telegram.status_format import price_text

UNKNOWN: Final = "n/a"
NO_JOURNAL: Final = "The journal cannot be read now, so nothing is known. /sources says more."
STARTING: Final = "The bot is starting; ask again in a moment."


@dataclass(frozen=True, slots=True)
class Answer:
    """A message in Telegram's HTML, every line balanced by itself, and perhaps a picture (PNG)."""

    html: str
    photo: bytes | None = None
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """A command that changes nothing: its name, what it is for, and what answers it."""

    name: str
    meaning: str
    answer: Callable[[Facts, list[str]], Answer]


def number(value: float | None, digits: int = 2, after: str = "", *, signed: bool = False) -> str:
    """Return a number in words of a few digits, "n/a" where it is unknown.

    Examples
    --------
    >>> number(1.236, 2, " R", signed=True), number(float("nan"))
    ('+1.24 R', 'n/a')
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    text = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    return f"{text}{after}"


def price(value: float) -> str:
    """Return a price without an exponent, "n/a" where it is unknown."""
    return price_text(value) if math.isfinite(value) else UNKNOWN


def clock(moment: datetime) -> str:
    """Return day and time, UTC."""
    return f"{moment:%d %b %H:%M}"
