"""Request parameters as Binance checks them, and its JSON errors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from external_layers.binance.messages import MarketKind
from external_layers.replay.candles import INTERVALS
from external_layers.replay.market import ReplayMarket
from external_layers.replay.symbols import SymbolSpec

Params = Mapping[str, str]
Handler = Callable[[Params], Any]

MISSING: Final = -1102
ILLEGAL: Final = -1100
BAD_INTERVAL: Final = -1120
BAD_SYMBOL: Final = -1121
BAD_PARAMETER: Final = -1130
BAD_LIMIT: Final = -4021


class RequestError(Exception):
    """A request the exchange refuses: HTTP status 400 with its code and message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address: what answers it and what a request weighs."""

    handler: Handler
    weight: Callable[[Params], int]


def fixed(weight: int) -> Callable[[Params], int]:
    """Return a weight that does not depend on the request."""
    return lambda _: weight


def one_or_all(one: int, all_: int) -> Callable[[Params], int]:
    """Return the weight of an endpoint that answers for one symbol or for all."""
    return lambda params: one if params.get("symbol") else all_


def by_limit(default: int, *steps: tuple[int, int]) -> Callable[[Params], int]:
    """Return a weight by `limit`: the first step (up to, weight) that holds it, else the last."""

    def weight(params: Params) -> int:
        text = params.get("limit", "")
        limit = int(text) if text.isdigit() else default
        return next((cost for up_to, cost in steps if limit <= up_to), steps[-1][1])

    return weight


def symbol_of(params: Params, market: ReplayMarket, kind: MarketKind) -> tuple[str, SymbolSpec]:
    """Return the requested symbol and its specification.

    Raises
    ------
    RequestError
        -1102 when it is missing, -1121 when it is unknown or not listed yet.
    """
    name = params.get("symbol", "")
    if not name:
        raise RequestError(
            MISSING, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."
        )
    if not market.is_listed(kind, name):
        raise RequestError(BAD_SYMBOL, "Invalid symbol.")
    return name, market.spec(kind, name)


def names_of(params: Params) -> list[str]:
    """Return the names in the JSON list `symbols`; -1100 when it is none."""
    try:
        names = orjson.loads(params.get("symbols", "[]"))
    except orjson.JSONDecodeError:
        names = None
    if not isinstance(names, list):
        raise RequestError(ILLEGAL, "Illegal characters found in parameter 'symbols'.")
    return [str(name) for name in names]


def interval_of(params: Params, key: str = "interval") -> str:
    """Return the requested interval; -1102 when missing, -1120 when unknown."""
    interval = params.get(key, "")
    if not interval:
        raise RequestError(
            MISSING, f"Mandatory parameter '{key}' was not sent, was empty/null, or malformed."
        )
    if interval not in INTERVALS:
        raise RequestError(BAD_INTERVAL, "Invalid interval.")
    return interval


def integer_of(params: Params, key: str) -> int | None:
    """Return a non-negative integer parameter, None when absent; -1100 when it is no number."""
    text = params.get(key)
    if text is None:
        return None
    if not text.isdigit():
        raise RequestError(
            ILLEGAL,
            f"Illegal characters found in parameter '{key}'; legal range is '^[0-9]{{1,20}}$'.",
        )
    return int(text)


def limit_of(params: Params, default: int, most: int) -> int:
    """Return the row limit, capped at the exchange's most; -1130 when it is zero."""
    limit = integer_of(params, "limit")
    if limit is None:
        return default
    if limit == 0:
        raise RequestError(BAD_PARAMETER, "Data sent for parameter 'limit' is not valid.")
    return min(limit, most)


def span_of(params: Params, now_ms: int, window_ms: int) -> tuple[int, int, bool]:
    """Return start and stop (exclusive) in ms and whether rows count from the start.

    Without `startTime` the rows are the last ones before `endTime` or now.
    """
    start, end = integer_of(params, "startTime"), integer_of(params, "endTime")
    stop = min(now_ms, end if end is not None else now_ms) + 1
    if start is None:
        return max(0, stop - window_ms), stop, False
    return start, min(stop, start + window_ms), True
