"""The spot REST interface, `/api/v3`."""

from typing import Any, Final

from external_layers.replay.requests import (
    Endpoint,
    Params,
    by_limit,
    fixed,
    limit_of,
    one_or_all,
)
from external_layers.replay.rest_market import MarketData, Row
from external_layers.replay.symbols import QUOTE, SymbolSpec

_MOST_ROWS: Final = 1_000
_MOST_LEVELS: Final = 5_000
_DEFAULT_LEVELS: Final = 100
_MOST_NOTIONAL: Final = "9000000.00000000"
_PRECISION: Final = 8


class SpotRest:
    """Answers of the spot market; `endpoints` maps addresses to them."""

    def __init__(self, data: MarketData) -> None:
        self._data = data
        self.endpoints = {
            "/api/v3/ping": Endpoint(lambda _: {}, fixed(1)),
            "/api/v3/time": Endpoint(self._time, fixed(1)),
            "/api/v3/exchangeInfo": Endpoint(self._exchange_info, fixed(20)),
            "/api/v3/klines": Endpoint(self._klines, fixed(2)),
            "/api/v3/depth": Endpoint(
                self._depth, by_limit(100, (100, 5), (500, 25), (1000, 50), (5000, 250))
            ),
            "/api/v3/ticker/24hr": Endpoint(self._day_tickers, one_or_all(2, 80)),
            "/api/v3/ticker/bookTicker": Endpoint(self._book_tickers, one_or_all(2, 4)),
            "/api/v3/ticker/price": Endpoint(self._prices, one_or_all(2, 4)),
            "/api/v3/aggTrades": Endpoint(self._data.aggregate_trades, fixed(4)),
            "/api/v3/trades": Endpoint(self._data.recent_trades, fixed(25)),
        }

    def _time(self, _: Params) -> dict[str, int]:
        return {"serverTime": self._data.market.now_ms()}

    def _exchange_info(self, params: Params) -> dict[str, Any]:
        names = self._data.each(params, str)
        names = [names] if isinstance(names, str) else names
        return {
            "timezone": "UTC",
            "serverTime": self._data.market.now_ms(),
            "rateLimits": [
                {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE"}
                | {"intervalNum": 1, "limit": 6000}
            ],
            "exchangeFilters": [],
            "symbols": [_listing(self._data.market.spec("spot", name)) for name in names],
        }

    def _klines(self, params: Params) -> list[Row]:
        return self._data.klines(params, _MOST_ROWS)

    def _depth(self, params: Params) -> dict[str, Any]:
        return self._data.depth(params, limit_of(params, _DEFAULT_LEVELS, _MOST_LEVELS))

    def _day_tickers(self, params: Params) -> Any:
        return self._data.each(params, self._day_ticker)

    def _day_ticker(self, name: str) -> dict[str, Any]:
        ticker = self._data.day_ticker(name)
        best = self._data.book_ticker(name)
        return ticker | best | {"prevClosePrice": ticker["openPrice"]}

    def _book_tickers(self, params: Params) -> Any:
        return self._data.each(params, self._data.book_ticker)

    def _prices(self, params: Params) -> Any:
        return self._data.each(params, self._price)

    def _price(self, name: str) -> dict[str, str]:
        return {"symbol": name, "price": self._data.day_ticker(name)["lastPrice"]}


def _listing(spec: SymbolSpec) -> dict[str, Any]:
    """One symbol of exchangeInfo; the key `contractType` must not appear on spot."""
    tick, step = f"{spec.tick:.8f}", f"{spec.step:.8f}"
    return {
        "symbol": spec.name,
        "status": "TRADING",
        "baseAsset": spec.base,
        "baseAssetPrecision": _PRECISION,
        "quoteAsset": QUOTE,
        "quotePrecision": _PRECISION,
        "quoteAssetPrecision": _PRECISION,
        "baseCommissionPrecision": _PRECISION,
        "quoteCommissionPrecision": _PRECISION,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"],
        "icebergAllowed": True,
        "ocoAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000.00000000"}
            | {"tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": step, "maxQty": "9000000000.00000000"}
            | {"stepSize": step},
            {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000"}
            | {"maxQty": "900000000.00000000", "stepSize": "0.00000000"},
            {"filterType": "NOTIONAL", "minNotional": f"{spec.min_notional:.8f}"}
            | {"applyMinToMarket": True, "maxNotional": _MOST_NOTIONAL}
            | {"applyMaxToMarket": False, "avgPriceMins": 5},
        ],
        "permissions": ["SPOT"],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_MAKER"],
    }
