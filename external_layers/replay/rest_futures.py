"""The USD-M futures REST interface, `/fapi/v1` and `/futures/data`."""

from typing import Any, Final

import numpy as np

from external_layers.replay.derivatives import FUNDING_MS, Derivatives
from external_layers.replay.requests import (
    BAD_LIMIT,
    BAD_PARAMETER,
    Endpoint,
    Params,
    RequestError,
    by_limit,
    fixed,
    integer_of,
    interval_of,
    limit_of,
    one_or_all,
    symbol_of,
)
from external_layers.replay.rest_market import (
    DEFAULT_ROWS,
    MarketData,
    Row,
    kline_rows,
    price_text,
)
from external_layers.replay.rest_statistics import FuturesStatistics, grid_times
from external_layers.replay.symbols import QUOTE, SymbolSpec

_MOST_ROWS: Final = 1_500
_MOST_FUNDING: Final = 1_000
_LEVELS: Final = (5, 10, 20, 50, 100, 500, 1_000)
_PERPETUAL_DELIVERY: Final = 4_133_404_800_000
_KLINE_WEIGHT: Final = by_limit(500, (99, 1), (499, 2), (1_000, 5), (_MOST_ROWS, 10))


class FuturesRest:
    """Answers of the USD-M market; `endpoints` maps addresses to them."""

    def __init__(self, data: MarketData, derivatives: Derivatives) -> None:
        self._data = data
        self._market = data.market
        self._derivatives = derivatives
        depth = by_limit(500, (50, 2), (100, 5), (500, 10), (1_000, 20))
        self.endpoints = {
            "/fapi/v1/ping": Endpoint(lambda _: {}, fixed(1)),
            "/fapi/v1/time": Endpoint(self._time, fixed(1)),
            "/fapi/v1/exchangeInfo": Endpoint(self._exchange_info, fixed(1)),
            "/fapi/v1/klines": Endpoint(self._klines, _KLINE_WEIGHT),
            "/fapi/v1/markPriceKlines": Endpoint(self._mark_klines, _KLINE_WEIGHT),
            "/fapi/v1/premiumIndexKlines": Endpoint(self._premium_klines, _KLINE_WEIGHT),
            "/fapi/v1/fundingRate": Endpoint(self._funding_rates, fixed(1)),
            "/fapi/v1/premiumIndex": Endpoint(self._premium_index, one_or_all(1, 10)),
            "/fapi/v1/depth": Endpoint(self._depth, depth),
            "/fapi/v1/ticker/24hr": Endpoint(self._day_tickers, one_or_all(1, 40)),
            "/fapi/v1/ticker/bookTicker": Endpoint(self._book_tickers, one_or_all(2, 5)),
            "/fapi/v1/ticker/price": Endpoint(self._prices, one_or_all(1, 2)),
            "/fapi/v1/aggTrades": Endpoint(self._data.aggregate_trades, fixed(20)),
            "/fapi/v1/trades": Endpoint(self._data.recent_trades, fixed(5)),
            "/fapi/v1/openInterest": Endpoint(self._open_interest, fixed(1)),
            **FuturesStatistics(self._market, derivatives).endpoints,
            "/dapi/v1/exchangeInfo": Endpoint(self._no_inverse, fixed(1)),
        }

    def _time(self, _: Params) -> dict[str, int]:
        return {"serverTime": self._market.now_ms()}

    def _no_inverse(self, _: Params) -> dict[str, Any]:
        now = self._market.now_ms()
        empty: dict[str, Any] = {"rateLimits": [], "exchangeFilters": [], "symbols": []}
        return {"timezone": "UTC", "serverTime": now} | empty

    def _exchange_info(self, _: Params) -> dict[str, Any]:
        return {
            "timezone": "UTC",
            "serverTime": self._market.now_ms(),
            "futuresType": "U_MARGINED",
            "rateLimits": [
                {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE"}
                | {"intervalNum": 1, "limit": 2400}
            ],
            "exchangeFilters": [],
            "assets": [{"asset": QUOTE, "marginAvailable": True, "autoAssetExchange": "0"}],
            "symbols": [
                _listing(
                    self._market.spec("futures", name), self._market.listed_ms("futures", name)
                )
                for name in self._data.names
            ],
        }

    def _klines(self, params: Params) -> list[Row]:
        _check_rows(params)
        return self._data.klines(params, _MOST_ROWS)

    def _mark_klines(self, params: Params) -> list[Row]:
        _check_rows(params)
        name, spec = symbol_of(params, self._market, "futures")
        interval, limit = interval_of(params), limit_of(params, DEFAULT_ROWS, _MOST_ROWS)
        start, stop, from_start = self._data.candle_span(name, params, (interval, limit))
        rows = kline_rows(self._derivatives.mark_candles(name, interval, (start, stop)), spec, 5)
        rows = rows[:limit] if from_start else rows[-limit:]
        zero = "0"
        return [[*row[:5], zero, row[6], zero, row[8], zero, zero, zero] for row in rows]

    def _premium_klines(self, params: Params) -> list[Row]:
        _check_rows(params)
        name, _ = symbol_of(params, self._market, "futures")
        interval, limit = interval_of(params), limit_of(params, DEFAULT_ROWS, _MOST_ROWS)
        start, stop, from_start = self._data.candle_span(name, params, (interval, limit))
        opens, closes, premium = self._derivatives.premium_candles(name, interval, (start, stop))
        texts = [[f"{value:.8f}" for value in row] for row in premium.tolist()]
        times = zip(opens.tolist(), texts, closes.tolist(), strict=True)
        rows = [[first, *text, "0", last, "0", 0, "0", "0", "0"] for first, text, last in times]
        return rows[:limit] if from_start else rows[-limit:]

    def _funding_rates(self, params: Params) -> list[dict[str, Any]]:
        names = [symbol_of(params, self._market, "futures")[0]] if params.get("symbol") else None
        limit = limit_of(params, 100, _MOST_FUNDING)
        rows = [
            row
            for name in (names or self._data.names)
            for row in self._funding_of(name, params, limit)
        ]
        rows.sort(key=lambda row: row["fundingTime"])
        has_start = params.get("startTime") is not None
        return rows[:limit] if has_start else rows[-limit:]

    def _funding_of(self, name: str, params: Params, limit: int) -> list[dict[str, Any]]:
        times = grid_times(self._market, name, params, (FUNDING_MS, limit))
        rates = self._derivatives.funding(name, times).tolist()
        spec = self._market.spec("futures", name)
        prices = self._derivatives.price_at(name, times).tolist()
        return [
            {"symbol": name, "fundingTime": time_ms, "fundingRate": f"{rate:.8f}"}
            | {"markPrice": f"{price:.{spec.price_decimals}f}"}
            for time_ms, rate, price in zip(times.tolist(), rates, prices, strict=True)
        ]

    def _premium_index(self, params: Params) -> Any:
        return self._data.each(params, self.premium_of)

    def premium_of(self, name: str) -> dict[str, Any]:
        """Return mark price, index price and funding of a symbol."""
        price = self._derivatives.mark_price(name)
        decimals = self._market.spec("futures", name).price_decimals
        return {
            "symbol": name,
            "markPrice": f"{price.mark:.{decimals}f}",
            "indexPrice": f"{price.index:.8f}",
            "estimatedSettlePrice": f"{price.index:.8f}",
            "lastFundingRate": f"{price.rate:.8f}",
            "interestRate": "0.00010000",
            "nextFundingTime": price.next_ms,
            "time": self._market.now_ms(),
        }

    def _depth(self, params: Params) -> dict[str, Any]:
        limit = integer_of(params, "limit")
        if limit is not None and limit not in _LEVELS:
            raise RequestError(BAD_LIMIT, f"{limit} is not valid depth limit. Valid: {_LEVELS}.")
        now = self._market.now_ms()
        return {**self._data.depth(params, limit or DEFAULT_ROWS), "E": now, "T": now}

    def _day_tickers(self, params: Params) -> Any:
        return self._data.each(params, self._data.day_ticker)

    def _book_tickers(self, params: Params) -> Any:
        return self._data.each(params, self._book_ticker)

    def _book_ticker(self, name: str) -> dict[str, Any]:
        now = self._market.now_ms()
        return self._data.book_ticker(name) | {"time": now, "lastUpdateId": now}

    def _prices(self, params: Params) -> Any:
        return self._data.each(params, self._price)

    def _price(self, name: str) -> dict[str, Any]:
        now = self._market.now_ms()
        ticks, _ = self._market.last_trade("futures", name, now)
        text = price_text(ticks, self._market.spec("futures", name))
        return {"symbol": name, "price": text, "time": now}

    def _open_interest(self, params: Params) -> dict[str, Any]:
        name, spec = symbol_of(params, self._market, "futures")
        now = self._market.now_ms()
        amount = float(self._derivatives.open_interest(name, np.array([now]))[0])
        return {"symbol": name, "openInterest": f"{amount:.{spec.amount_decimals}f}", "time": now}


def _check_rows(params: Params) -> None:
    if (integer_of(params, "limit") or 0) > _MOST_ROWS:
        raise RequestError(BAD_PARAMETER, "Data sent for parameter 'limit' is not valid.")


def _listing(spec: SymbolSpec, listed_ms: int) -> dict[str, Any]:
    """One symbol of exchangeInfo."""
    step, tick = f"{spec.step.normalize():f}", f"{spec.tick.normalize():f}"
    largest = {"minQty": step, "maxQty": "100000000", "stepSize": step}
    return {
        "symbol": spec.name,
        "pair": spec.name,
        "contractType": "PERPETUAL",
        "deliveryDate": _PERPETUAL_DELIVERY,
        "onboardDate": max(listed_ms, 0),
        "status": "TRADING",
        "baseAsset": spec.base,
        "quoteAsset": QUOTE,
        "marginAsset": QUOTE,
        "pricePrecision": spec.price_decimals,
        "quantityPrecision": spec.amount_decimals,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "4529764"}
            | {"tickSize": tick},
            {"filterType": "LOT_SIZE"} | largest,
            {"filterType": "MARKET_LOT_SIZE"} | largest,
            {"filterType": "MAX_NUM_ORDERS", "limit": 200},
            {"filterType": "MIN_NOTIONAL", "notional": str(spec.min_notional)},
            {"filterType": "PERCENT_PRICE", "multiplierUp": "1.0500"}
            | {"multiplierDown": "0.9500", "multiplierDecimal": "4"},
        ],
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
    }
