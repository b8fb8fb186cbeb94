"""Which symbols of the exchange can be traded, and what Freqtrade calls them."""

from collections.abc import Callable
from math import isfinite
from typing import Any, Final

import msgspec

from external_layers.binance.messages import MarketKind
from scalp_strategy.errors import PayloadError

QUOTE: Final = "USDT"
_SAMPLE_LENGTH: Final = 120


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol that can be traded.

    Attributes
    ----------
    symbol
        The exchange's name, e.g. ``"BTCUSDT"``.
    pair
        Freqtrade's name: ``"BTC/USDT:USDT"`` on futures, ``"BTC/USDT"`` on spot.
    base
        Base asset, e.g. ``"BTC"`` or ``"1000SHIB"``.
    tick, step
        Price and amount increments, in quote and base units.
    listed_ms
        Since when it is traded, epoch milliseconds; None on spot, which does not tell.
    """

    symbol: str
    pair: str
    base: str
    tick: float
    step: float
    listed_ms: int | None


class _Listing(msgspec.Struct, rename="camel"):
    symbol: str
    status: str
    base_asset: str
    quote_asset: str
    filters: list[dict[str, Any]] = []
    contract_type: str = ""
    margin_asset: str = ""
    onboard_date: int | None = None
    is_spot_trading_allowed: bool = False
    permissions: list[str] = []
    permission_sets: list[list[str]] = []


def parse_exchange_info(
    payload: Any, kind: MarketKind, drop: Callable[[PayloadError], None] = lambda _: None
) -> dict[str, Market]:
    """Return the tradeable USDT symbols of an `exchangeInfo` answer, by symbol.

    Futures keep contracts of type ``PERPETUAL`` that are ``TRADING`` with USDT as quote and
    margin. Dated contracts (``CURRENT_QUARTER``) end; ``TRADIFI_PERPETUAL`` (shares, metals)
    follows markets that close, which leaves empty candles, and no layer has evidence on it. Spot
    keeps what is ``TRADING``, open to spot orders and to accounts with the ``SPOT`` permission,
    which older answers list in `permissions` and newer ones in `permissionSets`.

    Parameters
    ----------
    payload
        The decoded JSON of ``/fapi/v1/exchangeInfo`` or ``/api/v3/exchangeInfo``.
    kind
        Which of the two it is.
    drop
        Gets the error of each unreadable row; the row is skipped.

    Returns
    -------
    dict of str to Market
        In the order of the answer, never empty.

    Raises
    ------
    PayloadError
        When it is no such answer, or no symbol in it can be traded: believed, an exchange under
        maintenance would end every pair.
    """
    rows = payload.get("symbols") if isinstance(payload, dict) else None
    if not isinstance(rows, list):
        raise PayloadError(f"no exchangeInfo: {str(payload)[:_SAMPLE_LENGTH]}")
    markets: dict[str, Market] = {}
    for row in rows:
        try:
            market = _market(row, kind)
        except PayloadError as error:
            drop(error)
            continue
        if market is not None:
            markets[market.symbol] = market
    if not markets:
        raise PayloadError(f"exchangeInfo: none of {len(rows)} symbols can be traded")
    return markets


def _market(row: Any, kind: MarketKind) -> Market | None:
    try:
        listing = msgspec.convert(row, _Listing)
    except msgspec.ValidationError as error:
        raise PayloadError(f"no symbol ({error}): {str(row)[:_SAMPLE_LENGTH]}") from error
    is_futures = kind == "futures"
    if listing.status != "TRADING" or listing.quote_asset != QUOTE:
        return None
    if not (_is_perpetual(listing) if is_futures else _is_open_to_spot(listing)):
        return None
    base = listing.base_asset.upper()
    return Market(
        symbol=listing.symbol,
        pair=f"{base}/{QUOTE}:{QUOTE}" if is_futures else f"{base}/{QUOTE}",
        base=base,
        tick=_increment(listing, "PRICE_FILTER", "tickSize"),
        step=_increment(listing, "LOT_SIZE", "stepSize"),
        listed_ms=listing.onboard_date if is_futures else None,
    )


def _is_perpetual(listing: _Listing) -> bool:
    return listing.contract_type == "PERPETUAL" and listing.margin_asset == QUOTE


def _is_open_to_spot(listing: _Listing) -> bool:
    groups = [listing.permissions, *listing.permission_sets]
    return listing.is_spot_trading_allowed and any("SPOT" in group for group in groups)


def _increment(listing: _Listing, filter_type: str, key: str) -> float:
    """Return an increment; without one the symbol cannot be traded."""
    for each in listing.filters:
        if each.get("filterType") == filter_type:
            value = _positive(each.get(key))
            if value is not None:
                return value
    raise PayloadError(f"{listing.symbol[:_SAMPLE_LENGTH]}: no {key}")


def _positive(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if isfinite(number) and number > 0 else None
