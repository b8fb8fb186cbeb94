"""Futures statistics, `/futures/data`: open interest, accounts and taker volume of 30 days."""

from typing import Any, Final

import numpy as np

from external_layers.replay.candles import INTERVALS
from external_layers.replay.derivatives import Derivatives
from external_layers.replay.market import ReplayMarket
from external_layers.replay.minutes import DAY_MINUTES, MINUTE_MS, Ints
from external_layers.replay.requests import (
    BAD_PARAMETER,
    Endpoint,
    Params,
    RequestError,
    fixed,
    integer_of,
    interval_of,
    limit_of,
    span_of,
    symbol_of,
)

_MOST_ROWS: Final = 500
_DEFAULT_ROWS: Final = 30
_DAYS: Final = 30
_PERIODS: Final = ("5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d")


class FuturesStatistics:
    """Answers of the statistics addresses; `endpoints` maps addresses to them."""

    def __init__(self, market: ReplayMarket, derivatives: Derivatives) -> None:
        self._market = market
        self._derivatives = derivatives
        self.endpoints = {
            "/futures/data/openInterestHist": Endpoint(self._open_interest_history, fixed(0)),
            "/futures/data/globalLongShortAccountRatio": Endpoint(self._accounts, fixed(0)),
            "/futures/data/takerlongshortRatio": Endpoint(self._taker_ratio, fixed(0)),
        }

    def _open_interest_history(self, params: Params) -> list[dict[str, Any]]:
        name, times, _ = self._statistics(params)
        amounts = self._derivatives.open_interest(name, times)
        values = amounts * self._derivatives.price_at(name, times)
        columns = zip(times.tolist(), amounts.tolist(), values.tolist(), strict=True)
        return [
            {"symbol": name, "sumOpenInterest": f"{amount:.8f}"}
            | {"sumOpenInterestValue": f"{value:.8f}", "timestamp": time_ms}
            for time_ms, amount, value in columns
        ]

    def _accounts(self, params: Params) -> list[dict[str, Any]]:
        name, times, _ = self._statistics(params)
        shares = self._derivatives.long_share(name, times).tolist()
        return [
            {"symbol": name, "longAccount": f"{share:.4f}", "shortAccount": f"{1 - share:.4f}"}
            | {"longShortRatio": f"{share / (1 - share):.4f}", "timestamp": time_ms}
            for time_ms, share in zip(times.tolist(), shares, strict=True)
        ]

    def _taker_ratio(self, params: Params) -> list[dict[str, Any]]:
        _, times, period = self._statistics(params)
        if not len(times):
            return []
        name, spec = symbol_of(params, self._market, "futures")
        length = INTERVALS[period] * MINUTE_MS
        span = (int(times[0]) - length, int(times[-1]))
        candles = self._market.candles("futures", name, period, span)
        bought = candles.taker_buy * float(spec.step)
        sold = (candles.volume - candles.taker_buy) * float(spec.step)
        ratio = bought / np.maximum(sold, float(spec.step))
        ends = (candles.close_ms + 1).tolist()
        columns = zip(ratio.tolist(), bought.tolist(), sold.tolist(), ends, strict=True)
        return [
            {"buySellRatio": f"{share:.4f}", "buyVol": f"{buy:.4f}", "sellVol": f"{sell:.4f}"}
            | {"timestamp": end}
            for share, buy, sell, end in columns
        ]

    def _statistics(self, params: Params) -> tuple[str, Ints, str]:
        """Symbol, times and period of a statistics request: the last 30 days only."""
        name, _ = symbol_of(params, self._market, "futures")
        period = interval_of(params, "period")
        if period not in _PERIODS:
            raise RequestError(BAD_PARAMETER, "Data sent for parameter 'period' is not valid.")
        earliest = self._market.now_ms() - _DAYS * DAY_MINUTES * MINUTE_MS
        start = integer_of(params, "startTime")
        if start is not None and start < earliest:
            raise RequestError(BAD_PARAMETER, "parameter 'startTime' is invalid.")
        limit = limit_of(params, _DEFAULT_ROWS, _MOST_ROWS)
        every = INTERVALS[period] * MINUTE_MS
        times = grid_times(self._market, name, params, (every, limit))
        return name, times[times >= earliest], period


def grid_times(market: ReplayMarket, name: str, params: Params, rows: tuple[int, int]) -> Ints:
    """Return the multiples of a period (ms) in the requested span and the content.

    `rows` is the period and the most rows.
    """
    every_ms, limit = rows
    now = market.now_ms()
    listed = market.listed_ms("futures", name)
    start = integer_of(params, "startTime")
    if start is not None and start < listed:
        params = {**params, "startTime": str(max(listed, 0))}
    start, stop, _ = span_of(params, now, every_ms * limit)
    first = -(-max(start, listed) // every_ms)
    return np.arange(first, -(-stop // every_ms), dtype=np.int64)[:limit] * every_ms
