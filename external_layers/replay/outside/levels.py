"""How high stocks, the dollar, the yield and fear on Wall Street stand, by day and within it.

Levels wander by business day; within the day prices lie between two closes, with a little noise.
The exchanges of this world never close, so that an answer does not depend on the weekday of a test.
"""

from datetime import date, timedelta
from math import exp
from typing import Final, Literal, NamedTuple

from external_layers.replay.outside.scene import DAY_MS, HOUR_MS, Scene
from external_layers.replay.outside.script import DollarMove, Sp500Move
from external_layers.replay.outside.walks import noise, wander

EPOCH: Final = date(1970, 1, 1)
BAR_MS: Final = 300_000
_PERSISTENCE: Final = 0.985  # of a deviation, a business day
_CLOSE_MS: Final = 21 * HOUR_MS  # of the day
_USUAL_DAY: Final = 20_454  # 2026-01-01: when levels that grow are what `Level.usual` says
_WITHIN_DAY: Final = 0.0004  # standard deviation of the noise
_FIRST_WEEKDAY: Final = 3  # of the epoch: a Thursday
_WORKDAYS: Final = 5


class Level(NamedTuple):
    """How a series wanders.

    Attributes
    ----------
    spread
        Standard deviation: points of the yield, shares of all others.
    jump
        What makes it jump when that is set.
    growth
        Share a business day.
    """

    name: str
    usual: float
    spread: float
    jump: Literal["sp500", "dollar", ""] = ""
    growth: float = 0.0
    is_points: bool = False


SP500: Final = Level("sp500", 6_900.0, 0.06, "sp500", 0.0003)
DOLLAR: Final = Level("dollar", 121.0, 0.025, "dollar")
VIX: Final = Level("vix", 17.0, 0.25)
YIELD: Final = Level("yield", 4.2, 0.4, is_points=True)


class Levels:
    """All levels of the world."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._closes: dict[tuple[str, int], float] = {}

    def daily(self, level: Level, day: date) -> float:
        """Return the close of a business day of the wall clock."""
        start_ms = (day - EPOCH).days * DAY_MS
        close = self._close(level, self._scene.market_day(start_ms))
        return close * self._jumps(level, start_ms + _CLOSE_MS)

    def within_day(self, level: Level, at_ms: int) -> float:
        """Return the price at an instant: between the last close and the next one."""
        scene = self._scene
        day, gone_ms = divmod(at_ms + scene.shift_ms - _CLOSE_MS, DAY_MS)
        before, after = self._close(level, day), self._close(level, day + 1)
        price = before + (after - before) * gone_ms / DAY_MS
        if not scene.script.is_calm:
            bar = (at_ms + scene.shift_ms) // BAR_MS
            price *= 1.0 + _WITHIN_DAY * float(noise(scene.seed, ("within", level.name), bar, 1)[0])
        return price * self._jumps(level, at_ms)

    def _close(self, level: Level, market_day: int) -> float:
        """Return the close of a day of market time; a weekend has that of the Monday after it."""
        if self._scene.script.is_calm:
            return level.usual
        key = (level.name, business_days(market_day))
        if key not in self._closes:
            self._closes[key] = self._made(level, key[1])
        return self._closes[key]

    def _made(self, level: Level, place: int) -> float:
        walk = float(wander(self._scene.seed, ("macro", level.name), place, 1, _PERSISTENCE)[0])
        if level.is_points:
            return level.usual + level.spread * walk
        grown = level.growth * (place - business_days(_USUAL_DAY))
        return level.usual * exp(level.spread * walk + grown)

    def _jumps(self, level: Level, until_ms: int) -> float:
        """Return by what factor the level has jumped until an instant."""
        if not level.jump:
            return 1.0
        factor = 1.0
        for move, _ in self._scene.script.of(_JUMPS[level.jump], until_ms):
            factor *= 1.0 + move.pct / 100.0
        return factor


_JUMPS: Final[dict[str, type[Sp500Move | DollarMove]]] = {"sp500": Sp500Move, "dollar": DollarMove}


def business_days(day: int) -> int:
    """Return the number of business days before a day, both counted from 1970-01-01.

    Examples
    --------
    >>> thursday = 20_600 - (20_600 + 3) % 7 + 3
    >>> [business_days(thursday + step) - business_days(thursday) for step in range(6)]
    [0, 1, 2, 2, 2, 3]
    """
    weeks, weekday = divmod(day + _FIRST_WEEKDAY, 7)
    return _WORKDAYS * weeks + min(weekday, _WORKDAYS)


def weekdays(first: date, last: date) -> list[date]:
    """Return the business days of a span, both ends included."""
    days = [first + timedelta(days=step) for step in range((last - first).days + 1)]
    return [day for day in days if day.weekday() < _WORKDAYS]
