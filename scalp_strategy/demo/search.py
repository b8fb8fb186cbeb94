"""Which part of the generated market to show: one in which the script's layers make a signal.

The market is a pure function of seed, symbol and time. Shifting it by whole days gives another
stretch at the same time of day. The search ranks the days by what their 15m candles promise, then
looks at the best of them as the paper trader will, some minutes into their future, until a long is
the best of all pairs.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final

import numpy as np
from pandas import DataFrame, Series, concat

from scalp_strategy.base_rate import base_rates, side_column
from scalp_strategy.confluence import confluence
from scalp_strategy.demo.market import Market, base_of
from scalp_strategy.demo.story import SUPPORT
from scalp_strategy.entries import atr_column, entry_columns, passes_gates, stop_columns
from scalp_strategy.errors import SourceUnavailable
from scalp_strategy.settings import Settings, with_overrides
from scalp_strategy.technical import lookback, technical_frame, technical_layer

# What the bot will find on disk: of it the past of a setup is made.
HISTORY_DAYS: Final = 45
LOWER_HISTORY_DAYS: Final = 5
_CASES_MARGIN: Final = 1.5  # over the fewest cases of which anything is said
_DAYS_AT_ONCE: Final = 60
_LOOKED_AT: Final = 60  # of these days' candles, the most promising
_LOWER_CANDLES: Final = 400
_CANDLE: Final = timedelta(minutes=15)
_CANDLES_A_DAY: Final = 96
_ENTRY_TIME: Final = timedelta(minutes=4)  # after the close the price stays near the signal
_DRIFT_MARGIN: Final = 0.6  # share of the allowed drift that the search accepts
_SCORE_MARGIN: Final = 2.0  # points for what the past of a setup may take
_LEAD_POINTS: Final = 4.0  # over every other pair: two that move as one are not both traded
_MOST_RANGE_ATR: Final = 2.0  # of the signal's candle: far from what the volatility breaker stops
_MOST_BTC_MOVE: Final = 0.03  # within the hour: far from what counts as a panic
_BTC: Final = "BTC"
_HOUR: Final = 4  # candles


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of the generated market and what the paper trader will see in it."""

    shift_days: int
    pair: str
    close: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """A pair at the close: with the script's layers, without them, and the minutes after it.

    `moved` is the change of the price within the hour, a ratio.
    """

    pair: str
    scripted: "Series[float]"
    alone: "Series[float]"
    minutes: DataFrame
    moved: float


def find_stretch(
    market: Market, pairs: list[str], close: datetime, now: datetime, attempts: int
) -> Stretch:
    """Return a stretch in which the candle closing at `close` gives a long.

    Parameters
    ----------
    market
        The replay market; left shifted to the stretch found.
    pairs
        Pairs to look at.
    close
        The close that the paper trader will decide on, after `now`.
    now
        What time it is in the market.
    attempts
        Days to try.

    Raises
    ------
    SourceUnavailable
        When no day tried gives one.
    """
    settings = demanding()
    ahead = ceil((close + 2 * _ENTRY_TIME - now) / _CANDLE) * _CANDLE
    view = _View(market, pairs, close, ahead)
    enough = _CASES_MARGIN * settings.base_rate.min_samples
    for first in range(0, attempts, _DAYS_AT_ONCE):
        for days, pair in view.promising(first, settings)[:_LOOKED_AT]:
            if not view.enters(days, pair, settings):
                continue
            best = best_long(view.seen(days, settings), close, settings)
            if best is not None and view.past_cases(best.pair, settings) >= enough:
                market.shift(days=-days)
                return Stretch(-days, best.pair, close)
    raise SourceUnavailable(f"no signal at {close:%H:%M} UTC in {attempts} days of the market")


def demanding() -> Settings:
    """Return the shipped settings with a threshold that is cleared with a margin."""
    threshold = Settings().confluence.medium_threshold + _SCORE_MARGIN
    return with_overrides(Settings(), {"confluence.medium_threshold": threshold})


def best_long(seen: list[Seen], close: datetime, settings: Settings) -> Seen | None:
    """Return the pair whose long is a signal that nothing will take away; None without one."""
    longs = [one for one in seen if one.scripted["enter_long"]]
    is_panic = any(abs(one.moved) > _MOST_BTC_MOVE for one in seen if base_of(one.pair) == _BTC)
    if not longs or is_panic:
        return None
    best = max(longs, key=lambda one: one.scripted["confluence"])
    others = [one.alone["confluence"] for one in seen if one is not best]
    is_first = best.scripted["confluence"] >= max(others, default=0.0) + _LEAD_POINTS
    return best if is_first and _is_tradeable(best, close, settings) else None


def _is_tradeable(seen: Seen, close: datetime, settings: Settings) -> bool:
    """Whether the candle is no leap and the price stays where a signal may still be entered."""
    row, minutes = seen.scripted, seen.minutes
    if row["high"] - row["low"] > _MOST_RANGE_ATR * row[atr_column(settings)]:
        return False
    is_after = (minutes["date"] >= close) & (minutes["date"] < close + _ENTRY_TIME)
    distance = row["sl_pct"] / 100 * settings.risk.choppy_stop_factor
    drift_r = np.abs(minutes.loc[is_after, "close"] / row["close"] - 1) / distance
    return bool((drift_r <= settings.risk.max_entry_drift_r * _DRIFT_MARGIN).all())


class _View:
    """The market some time after now, so that the candles of the close and after it are there."""

    def __init__(self, market: Market, pairs: list[str], close: datetime, ahead: timedelta) -> None:
        self._market = market
        self._pairs = pairs
        self._close = close
        self._ahead = ahead

    def promising(self, first: int, settings: Settings) -> list[tuple[int, str]]:
        """Return days back, from `first` on, and pairs whose 15m candles allow a long; best first.

        That is quickly found; the candles of 1m and 5m can make more of it, or less.
        """
        self._shift(first)
        count = lookback(settings) + _DAYS_AT_ONCE * _CANDLES_A_DAY
        scores: dict[tuple[int, str], float] = {}
        for pair in self._pairs:
            promise = promised(self._candles(pair, "15m", count), settings)
            for days in range(_DAYS_AT_ONCE):
                score = promise.get(self._close - _CANDLE - timedelta(days=days), np.nan)
                if np.isfinite(score):
                    scores[first + days, pair] = score
        return sorted(scores, key=lambda key: -scores[key])

    def enters(self, days: int, pair: str, settings: Settings) -> bool:
        """Whether a pair gives a long, so many days back."""
        self._shift(days)
        return bool(self._seen(pair, settings).scripted["enter_long"])

    def seen(self, days: int, settings: Settings) -> list[Seen]:
        """Return every pair at the close, so many days back."""
        self._shift(days)
        return [self._seen(pair, settings) for pair in self._pairs]

    def _seen(self, pair: str, settings: Settings) -> Seen:
        counts = {"15m": lookback(settings) + 10, "5m": _LOWER_CANDLES, "1m": _LOWER_CANDLES}
        frames = {each: self._candles(pair, each, count) for each, count in counts.items()}
        scripted, alone = scored(frames["15m"], frames["5m"], frames["1m"], settings)
        is_row = scripted["date"] == self._close - _CANDLE
        moved = scripted["close"].pct_change(_HOUR)[is_row].iloc[0]
        rows = scripted[is_row].iloc[0], alone[is_row].iloc[0]
        return Seen(pair, *rows, frames["1m"], float(moved))

    def past_cases(self, pair: str, settings: Settings) -> float:
        """Return how often a pair's setup at the close came before, as the bot will count it.

        In the stretch that was seen last; NaN when the past says nothing of it.
        """
        frames = {}
        for each in self._pairs:
            candles = self._candles(each, "15m", HISTORY_DAYS * _CANDLES_A_DAY)
            medium = self._candles(each, "5m", 3 * LOWER_HISTORY_DAYS * _CANDLES_A_DAY)
            columns = technical_frame(candles, medium, None, settings)
            frames[each] = concat([candles, columns], axis=1)
        samples = base_rates(frames, settings)[pair][side_column("samples", "long")]
        return float(samples[frames[pair]["date"] == self._close - _CANDLE].iloc[0])

    def _shift(self, days: int) -> None:
        self._market.shift(days=-days, minutes=round(self._ahead.total_seconds() / 60))

    def _candles(self, pair: str, timeframe: str, count: int) -> DataFrame:
        candles = self._market.candles(pair, timeframe, count)
        return candles.assign(date=candles["date"] + self._ahead)


def promised(candles: DataFrame, settings: Settings) -> "Series[float]":
    """Return what 15m candles alone give a long with the script, by their open; NaN = no entry."""
    frame, _ = scored(candles, None, None, settings)
    score = frame["confluence_long"].where(passes_gates(frame, settings))
    return score.set_axis(frame["date"])


def scored(
    candles: DataFrame, medium: DataFrame | None, small: DataFrame | None, settings: Settings
) -> tuple[DataFrame, DataFrame]:
    """Return candles with scores and entries: with the script's layers, and without."""
    layer = technical_layer(candles, medium, small, settings)
    frame = concat([candles, layer], axis=1)
    frame = concat([frame, DataFrame(stop_columns(frame, settings), index=frame.index)], axis=1)
    return _weighed(frame.assign(**SUPPORT), settings), _weighed(frame, settings)


def _weighed(frame: DataFrame, settings: Settings) -> DataFrame:
    frame = concat([frame, confluence(frame, settings)], axis=1)
    return concat([frame, entry_columns(frame, settings, can_short=True)], axis=1)
