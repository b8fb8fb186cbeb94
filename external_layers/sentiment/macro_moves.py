"""Moves of the traditional markets: over the last hour, and from one day to the next. Pure."""

from math import isnan
from typing import Final, NamedTuple

from external_layers.anchors import clamped
from external_layers.sentiment import words
from external_layers.sentiment.readings import History, Known, Readings
from external_layers.sentiment.trend import HOUR_MS, change_pct
from external_layers.sources.facts import (
    DOLLAR_INDEX,
    DOLLAR_INDEX_NOW,
    SP500,
    SP500_NOW,
    TREASURY_10Y,
    VIX,
)
from scalp_strategy.setting_groups.sentiment import SentimentSettings

_MS_PER_S: Final = 1_000


class MacroInput(NamedTuple):
    """One series.

    Attributes
    ----------
    series
        Its name among the facts.
    words
        What a reason calls it.
    helps
        +1 when its rise helps, -1 when its fall does.
    full
        The setting that holds a full move.
    is_points
        Whether it is in percent itself, so that it moves by percentage points.
    digits
        Decimals in words.
    """

    series: str
    words: str
    helps: int
    full: str
    is_points: bool = False
    digits: int = 1


SP500_HOUR: Final = MacroInput(SP500_NOW, "S&P futures", 1, "macro_sp500_hour_pct")
DOLLAR_HOUR: Final = MacroInput(
    DOLLAR_INDEX_NOW, "dollar index", -1, "macro_dollar_hour_pct", digits=2
)
WITHIN_DAY: Final = (SP500_HOUR, DOLLAR_HOUR)
DAILY: Final = (
    MacroInput(SP500, "S&P 500", 1, "macro_sp500_day_pct"),
    MacroInput(DOLLAR_INDEX, "dollar index", -1, "macro_dollar_day_pct", digits=2),
    MacroInput(VIX, "VIX", -1, "macro_vix_day_pct"),
    MacroInput(TREASURY_10Y, "10y yield", -1, "macro_yield_day_points", is_points=True, digits=2),
)


class Move(NamedTuple):
    """How a series moved, and until when it is told."""

    of: MacroInput
    change: float
    observed_ms: int

    def strength(self, settings: SentimentSettings) -> float:
        """Return -1 (a full hostile move) .. 1 (a full helpful one)."""
        full: float = getattr(settings, self.of.full)
        return self.of.helps * clamped(self.change / full, -1.0, 1.0)

    @property
    def text(self) -> str:
        """The move in words."""
        if self.of.is_points:
            return f"{self.of.words} {words.signed(self.change, self.of.digits)} points"
        return f"{self.of.words} {words.percent(self.change, self.of.digits)}"


def hour_move(
    readings: Readings, of: MacroInput, at_ms: int, settings: SentimentSettings
) -> Move | None:
    """Return the move of the last hour as it was known at an instant.

    From the value that is nearest to an hour older than the newest, within `macro_hour_s`; None
    when there is none, or when the newest is older than `macro_now_max_age_s`. Values of one source
    are compared with its own only; the source that told last wins.
    """

    def measure(history: History) -> Known | None:
        newest = history.newest(at_ms)
        if newest is None or at_ms - newest.observed_ms > settings.macro_now_max_age_s * _MS_PER_S:
            return None
        return _changed(_hour_before(history, newest, at_ms, settings), newest, of)

    return _move(readings.freshest(of.series, measure), of)


def day_move(
    readings: Readings, of: MacroInput, at_ms: int, settings: SentimentSettings
) -> Move | None:
    """Return the move from the last daily value but one to the last, as known at an instant.

    None when they lie further apart than `macro_day_gap_s`, or the last is too old to count.
    """

    def measure(history: History) -> Known | None:
        newest = history.newest(at_ms)
        if (
            newest is None
            or at_ms - newest.observed_ms >= settings.macro_freshness_s[-1] * _MS_PER_S
        ):
            return None
        base = history.newest(at_ms, newest.observed_ms - 1)
        gap_ms = settings.macro_day_gap_s * _MS_PER_S
        is_near = base is not None and newest.observed_ms - base.observed_ms <= gap_ms
        return _changed(base if is_near else None, newest, of)

    return _move(readings.freshest(of.series, measure), of)


def day_moves(readings: Readings, at_ms: int, settings: SentimentSettings) -> list[Move]:
    """Return the daily moves; one that lags the newest by more than `macro_day_lag_s` is left out.

    Moves of different days say nothing together.
    """
    found = [day_move(readings, of, at_ms, settings) for of in DAILY]
    moves = [move for move in found if move is not None]
    newest_ms = max((move.observed_ms for move in moves), default=0)
    lag_ms = settings.macro_day_lag_s * _MS_PER_S
    return [move for move in moves if newest_ms - move.observed_ms <= lag_ms]


def hour_moves(readings: Readings, at_ms: int, settings: SentimentSettings) -> list[Move]:
    """Return the moves of the last hour that are known."""
    found = [hour_move(readings, of, at_ms, settings) for of in WITHIN_DAY]
    return [move for move in found if move is not None]


def _hour_before(
    history: History, newest: Known, at_ms: int, settings: SentimentSettings
) -> Known | None:
    nearest_ms, furthest_ms = (age_s * _MS_PER_S for age_s in settings.macro_hour_s)
    best: Known | None = None
    for known in history.backwards(at_ms, newest.observed_ms - nearest_ms):
        if newest.observed_ms - known.observed_ms > furthest_ms:
            break
        if best is None or _miss(known, newest) <= _miss(best, newest):
            best = known
    return best


def _miss(known: Known, newest: Known) -> int:
    return abs(newest.observed_ms - known.observed_ms - HOUR_MS)


def _changed(base: Known | None, newest: Known, of: MacroInput) -> Known | None:
    if base is None:
        return None
    is_points = of.is_points
    change = newest.value - base.value if is_points else change_pct(base.value, newest.value)
    return None if isnan(change) else Known(newest.observed_ms, change)


def _move(change: Known | None, of: MacroInput) -> Move | None:
    return None if change is None else Move(of, change.value, change.observed_ms)
