"""What a pair offers a scalper: from the exchange's answers to two scores (pure)."""

from dataclasses import dataclass, replace
from math import isfinite, nan
from typing import Final

import numpy as np
import talib

from external_layers.scanner.answers import Book, BookTicker, Candles
from scalp_strategy.contract import CANDLE_MS
from scalp_strategy.setting_groups.scanner import LiquiditySettings, ScannerSettings

_FULL: Final = 100.0
_SPREAD_DECIMALS: Final = 9  # the rounding noise of a float quotient lies below


@dataclass(frozen=True, slots=True)
class Readings:
    """What is known of a pair at an instant; NaN and None are unknown.

    Attributes
    ----------
    volume_24h
        Quote volume of 24 hours, USDT.
    spread_pct
        See `spread_pct`.
    change_24h_pct
        Price change of 24 hours in percent, signed.
    price
        Last price.
    history_candles
        Closed 15m candles that the exchange has, counted up to the most that is asked for.
    atr_pct
        See `atr_pct`.
    depth_usdt
        See `depth_usdt`.
    """

    volume_24h: float = nan
    spread_pct: float = nan
    change_24h_pct: float = nan
    price: float = nan
    history_candles: int | None = None
    atr_pct: float = nan
    depth_usdt: float = nan


def spread_pct(ticker: BookTicker) -> float:
    """Return (ask - bid) / ask * 100; NaN while a side is empty."""
    if not (ticker.bid > 0 and ticker.ask > 0):
        return nan
    return round((ticker.ask - ticker.bid) / ticker.ask * 100.0, _SPREAD_DECIMALS)


def atr_pct(candles: Candles, period: int) -> float:
    """Return Wilder's ATR of the newest candle in percent of its close.

    TA-Lib's, as the strategy's `atr_pct`; both forget where they started within 200 candles (to
    1e-6 with a period of 14). Candles before a hole do not count.

    Returns
    -------
    float
        NaN with `period` candles or fewer.
    """
    holes = np.flatnonzero(np.diff(candles.open_ms) != CANDLE_MS)
    start = int(holes[-1]) + 1 if holes.size else 0
    high, low, close = (part[start:] for part in (candles.high, candles.low, candles.close))
    if close.size <= period:
        return nan
    percent = float(talib.ATR(high, low, close, period)[-1] / close[-1] * 100.0)
    return percent if isfinite(percent) else nan


def depth_usdt(book: Book, range_pct: float) -> float:
    """Return the notional of the thinner side within a distance of the middle.

    Where the book was asked for no further than that distance it is a lower bound.

    Parameters
    ----------
    book
        Best levels first.
    range_pct
        Distance from the middle price in percent; the edge counts.

    Returns
    -------
    float
        In quote currency; 0 when a side is empty.
    """
    if not book.bids or not book.asks:
        return 0.0
    middle = (book.bids[0][0] + book.asks[0][0]) / 2.0
    reach = middle * range_pct / 100.0 * (1.0 + 1e-12)
    bids = sum(price * amount for price, amount in book.bids if middle - price <= reach)
    asks = sum(price * amount for price, amount in book.asks if price - middle <= reach)
    return min(bids, asks)


def opportunity_score(readings: Readings, settings: ScannerSettings) -> float:
    """Return how much a pair offers a scalper.

    ::

        volume     = min(100, volume_24h / full_volume_usdt * 100)
        spread     = max(0, 100 - spread_pct / zero_spread_pct * 100)
        volatility = min(100, atr_pct / full_atr_pct * 100)
        momentum   = min(100, abs(change_24h_pct) / full_change_pct * 100)
        score      = 0.35 volume + 0.25 spread + 0.25 volatility + 0.15 momentum

    Returns
    -------
    float
        0..100; NaN when one of the four is unknown.
    """
    weights = settings.weights
    return (
        _mark(readings.volume_24h, settings.full_volume_usdt) * weights.volume
        + _narrowness(readings.spread_pct, settings.zero_spread_pct) * weights.spread
        + _mark(readings.atr_pct, settings.full_atr_pct) * weights.volatility
        + _mark(abs(readings.change_24h_pct), settings.full_change_pct) * weights.momentum
    )


def liquidity_score(readings: Readings, settings: LiquiditySettings) -> float:
    """Return how cheaply a position gets in and out.

    ::

        volume = min(100, volume_24h / full_volume_usdt * 100)
        spread = max(0, 100 - spread_pct / zero_spread_pct * 100)
        depth  = min(100, depth_usdt / full_depth_usdt * 100)
        score  = 0.4 volume + 0.3 spread + 0.3 depth

    Returns
    -------
    float
        0..100; NaN when one of the three is unknown.
    """
    weights = settings.weights
    return (
        _mark(readings.volume_24h, settings.full_volume_usdt) * weights.volume
        + _narrowness(readings.spread_pct, settings.zero_spread_pct) * weights.spread
        + _mark(readings.depth_usdt, settings.full_depth_usdt) * weights.depth
    )


def potential(readings: Readings, settings: ScannerSettings) -> float:
    """Return the opportunity score that a pair would have with the best volatility."""
    return opportunity_score(replace(readings, atr_pct=settings.full_atr_pct), settings)


def _mark(value: float, full: float) -> float:
    """Return 0..100 linear up to `full`; the order of the arguments keeps NaN."""
    return min(value / full * _FULL, _FULL)


def _narrowness(spread: float, zero: float) -> float:
    return max(_FULL - spread / zero * _FULL, 0.0)
