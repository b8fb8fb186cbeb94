"""What futures have beside trades: mark and index price, funding, open interest, positioning."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from external_layers.replay.candles import Candles, aggregated
from external_layers.replay.market import ReplayMarket
from external_layers.replay.minutes import DAY_MINUTES, MINUTE_MS, Floats, Ints, Minutes
from external_layers.replay.randomness import salt, uniforms

FUNDING_MS: Final = 8 * 3_600_000
BASE_RATE: Final = 1e-4  # 0.01 % each eight hours, the exchange's interest part

_TREND_TO_RATE: Final = 0.003
_RATE_NOISE: Final = 4e-5
_RATE_CAP: Final = 0.003
_RATE_DIGITS: Final = 8
_WICK_SHARE: Final = 0.5  # of a last-price wick that the mark price follows
_OI_DAYS_OF_VOLUME: Final = 0.12
_OI_SLOW: Final = 0.25  # log amplitude of the daily part
_OI_FAST: Final = 0.03  # log amplitude of the hourly part
_OI_TREND: Final = 0.6  # log open interest per log return of the last four hours
_OI_TREND_MINUTES: Final = 240
_RATIO_SPREAD: Final = 0.5
_RATIO_TREND: Final = 4.0


@dataclass(frozen=True, slots=True)
class MarkPrice:
    """Mark and index price in USDT, the running funding rate and its next time (ms)."""

    mark: float
    index: float
    rate: float
    next_ms: int


class Derivatives:
    """Derives futures data from a market's candles; wall time in, wall time out."""

    def __init__(self, market: ReplayMarket) -> None:
        self._market = market

    def mark_candles(self, name: str, interval: str, span_ms: tuple[int, int]) -> Candles:
        """Return mark-price candles in ticks: the last price with half of its wicks."""
        start, stop = (-(-ms // MINUTE_MS) for ms in span_ms)
        last = self._market.candles("futures", name, interval, (start * MINUTE_MS, span_ms[1]))
        if not len(last):
            return last
        first = int(last.open_ms[0]) // MINUTE_MS
        minutes = self._market.minutes("futures", name, first, max(stop, self._end(last)))
        return aggregated(_marked(minutes), interval)

    def premium_candles(
        self, name: str, interval: str, span_ms: tuple[int, int]
    ) -> tuple[Ints, Ints, Floats]:
        """Return open times, close times and (rows, 4) premium of mark over index."""
        futures = self.mark_candles(name, interval, span_ms)
        if not len(futures):
            return futures.open_ms, futures.close_ms, np.empty((0, 4))
        span = (int(futures.open_ms[0]), int(futures.open_ms[-1]) + 1)
        spot = self._market.candles("spot", name, interval, span)
        ratio = self._tick("futures", name) / self._tick("spot", name)
        opened = futures.open * ratio / spot.open - 1.0
        closed = futures.close * ratio / spot.close - 1.0
        high, low = np.maximum(opened, closed), np.minimum(opened, closed)
        return futures.open_ms, futures.close_ms, np.stack([opened, high, low, closed], axis=1)

    def mark_price(self, name: str) -> MarkPrice:
        """Return mark, index and funding as of now."""
        now = self._market.now_ms()
        minute = now // MINUTE_MS
        rows = self._market.minutes("futures", name, minute, minute + 1)
        if len(rows):
            mark = float(_marked(rows).close[-1])
        else:
            mark = float(self._market.last_trade("futures", name, now)[0])
        premium = self._premium_before(name, minute)
        following = (now // FUNDING_MS + 1) * FUNDING_MS
        return MarkPrice(
            mark=mark * self._tick("futures", name),
            index=mark * self._tick("futures", name) / (1.0 + premium),
            rate=float(self.funding(name, np.array([following]))[0]),
            next_ms=following,
        )

    def funding(self, name: str, times_ms: Ints) -> Floats:
        """Return the funding rate at eight-hourly wall times: 0.01 % plus the trend's share.

        Recorded rates come first where the source has them. The trend is the log return of the
        24 hours that end at the time, or now.
        """
        market_ms = times_ms + self._market.shift_minutes * MINUTE_MS
        trend = self._trend(name, times_ms // MINUTE_MS, DAY_MINUTES)
        noise = uniforms(salt(self._seed, "funding", name), market_ms // FUNDING_MS) * 2.0 - 1.0
        rate = BASE_RATE + _TREND_TO_RATE * trend + _RATE_NOISE * noise
        derived = np.asarray(np.clip(rate, -_RATE_CAP, _RATE_CAP), dtype=np.float64)
        return self._recorded(name, market_ms, np.round(derived, _RATE_DIGITS))

    def open_interest(self, name: str, times_ms: Ints) -> Floats:
        """Return open interest in base units: slow noise and the last four hours' trend."""
        spec = self._market.spec("futures", name)
        base = spec.daily_volume_usd * _OI_DAYS_OF_VOLUME / spec.reference_price
        slow = self._smooth("oi-slow", name, times_ms, DAY_MINUTES)
        fast = self._smooth("oi-fast", name, times_ms, DAY_MINUTES // 24)
        trend = self._trend(name, times_ms // MINUTE_MS, _OI_TREND_MINUTES)
        log = _OI_SLOW * slow + _OI_FAST * fast + _OI_TREND * trend
        contracts = np.rint(base * np.exp(log) / float(spec.step))
        return contracts * float(spec.step)

    def price_at(self, name: str, times_ms: Ints) -> Floats:
        """Return the last futures price in USDT at wall times."""
        return self._prices(name, times_ms // MINUTE_MS) * self._tick("futures", name)

    def long_share(self, name: str, times_ms: Ints) -> Floats:
        """Return the share of accounts that are long, in (0, 1); the crowd fades trends."""
        noise = self._smooth("accounts", name, times_ms, DAY_MINUTES // 4)
        trend = self._trend(name, times_ms // MINUTE_MS, _OI_TREND_MINUTES)
        return 1.0 / (1.0 + np.exp(-(0.4 + _RATIO_SPREAD * noise - _RATIO_TREND * trend)))

    def _premium_before(self, name: str, minute: int) -> float:
        """Futures over spot at the last close: steadier than two last trades."""
        futures = self._market.minutes("futures", name, minute - 1, minute)
        spot = self._market.minutes("spot", name, minute - 1, minute)
        if not len(futures) or not len(spot):
            return 0.0
        ratio = float(futures.close[0]) / float(spot.close[0])
        return ratio * self._tick("futures", name) / self._tick("spot", name) - 1.0

    def _recorded(self, name: str, market_ms: Ints, derived: Floats) -> Floats:
        found = self._market.source.funding_rates(name)
        if found is None or not len(found[0]):
            return derived
        times, rates = found
        place = np.clip(np.searchsorted(times, market_ms, side="right") - 1, 0, len(times) - 1)
        is_close = np.abs(market_ms - times[place]) < FUNDING_MS
        return np.where(is_close, rates[place], derived)

    def _smooth(self, use: str, name: str, times_ms: Ints, knot_minutes: int) -> Floats:
        """Value noise in [-1, 1] with a knot every so many minutes."""
        position = times_ms / MINUTE_MS + self._market.shift_minutes
        knot = np.floor(position / knot_minutes).astype(np.int64)
        share = position / knot_minutes - knot
        salt_ = salt(self._seed, use, name)
        before, after = uniforms(salt_, knot), uniforms(salt_, knot + 1)
        return 2.0 * (before + (after - before) * share) - 1.0

    def _trend(self, name: str, minutes: Ints, back: int) -> Floats:
        return np.log(self._prices(name, minutes) / self._prices(name, minutes - back))

    def _prices(self, name: str, minutes: Ints) -> Floats:
        """Close in ticks of the last candle before each minute, the first open before that.

        Days are read one by one: a thousand funding times need no year of minutes at once.
        """
        prices = np.empty(len(minutes))
        for day in np.unique(minutes // DAY_MINUTES):
            chosen = minutes // DAY_MINUTES == day
            prices[chosen] = self._prices_of_day(name, int(day), minutes[chosen])
        return prices

    def _prices_of_day(self, name: str, day: int, minutes: Ints) -> Floats:
        start = day * DAY_MINUTES
        rows = self._market.minutes("futures", name, start - 1, start + DAY_MINUTES)
        if not len(rows):
            at_ms = min(start * MINUTE_MS, self._market.now_ms())
            price, _ = self._market.last_trade("futures", name, at_ms)
            return np.full(len(minutes), float(price))
        place = np.searchsorted(rows.minute, minutes, side="left") - 1
        found: Floats = np.where(place < 0, rows.open[0], rows.close[place.clip(0)])
        return found.astype(np.float64)

    def _end(self, candles: Candles) -> int:
        return (int(candles.close_ms[-1]) + 1) // MINUTE_MS

    def _tick(self, kind: str, name: str) -> float:
        return float(self._market.spec("spot" if kind == "spot" else "futures", name).tick)

    @property
    def _seed(self) -> int:
        return self._market.source.seed


def _marked(minutes: Minutes) -> Minutes:
    top, bottom = np.maximum(minutes.open, minutes.close), np.minimum(minutes.open, minutes.close)
    return replace(
        minutes,
        high=top + ((minutes.high - top) * _WICK_SHARE).astype(np.int64),
        low=bottom - ((bottom - minutes.low) * _WICK_SHARE).astype(np.int64),
    )
