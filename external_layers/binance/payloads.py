"""Payloads of the market streams as the exchange sends them, and the messages they become.

Numbers come as text and are converted while decoding, where their ranges are checked as well: a
price is positive and finite, a quantity finite and not negative. The shapes are those of
https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams and
https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, field

from external_layers.binance.messages import (
    AggTrade,
    DepthSnapshot,
    DepthUpdate,
    Kline,
    Level,
    Liquidation,
    MarkPrice,
    Message,
)

LARGEST: Final = 1e18  # of any price or amount

_Positive = Annotated[float, Meta(gt=0, lt=LARGEST)]
_Amount = Annotated[float, Meta(ge=0, lt=LARGEST)]
_Rate = Annotated[float, Meta(ge=-1, le=1)]
_Whole = Annotated[int, Meta(ge=0, lt=2**63 - 1)]
_Resting = list[tuple[_Positive, _Positive]]
_Changed = list[tuple[_Positive, _Amount]]


class _FuturesBook(msgspec.Struct, gc=False):
    s: str
    u: _Whole
    E: _Whole
    b: _Resting
    a: _Resting


class _SpotBook(msgspec.Struct, gc=False, rename="camel"):
    last_update_id: _Whole
    bids: _Resting
    asks: _Resting


class _SpotChange(msgspec.Struct, gc=False):
    s: str
    E: _Whole
    U: _Whole
    u: _Whole
    b: _Changed
    a: _Changed


class _FuturesChange(_SpotChange, gc=False):
    pu: _Whole


class _Candle(msgspec.Struct, gc=False):
    s: str
    i: str
    open_ms: _Whole = field(name="t")
    close_ms: _Whole = field(name="T")
    open: _Positive = field(name="o")
    high: _Positive = field(name="h")
    low: _Positive = field(name="l")
    close: _Positive = field(name="c")
    volume: _Amount = field(name="v")
    quote_volume: _Amount = field(name="q")
    taker_buy_volume: _Amount = field(name="V")
    trades: _Whole = field(name="n")
    is_closed: bool = field(name="x")


class _Kline(msgspec.Struct, gc=False):
    E: _Whole
    s: str
    k: _Candle


class _MarkPrice(msgspec.Struct, gc=False):
    s: str
    E: _Whole
    p: _Positive
    i: _Positive
    r: _Rate
    T: _Whole


class _Order(msgspec.Struct, gc=False):
    s: str
    side: Literal["BUY", "SELL"] = field(name="S")
    price: _Positive = field(name="p")
    quantity: _Positive = field(name="q")
    time_ms: _Whole = field(name="T")
    average_price: _Amount = field(name="ap", default=0.0)
    filled: _Amount = field(name="z", default=0.0)


class _ForceOrder(msgspec.Struct, gc=False):
    E: _Whole
    o: _Order


def _decoder(shape: type[Any]) -> Callable[[bytes], Any]:
    return msgspec.json.Decoder(shape, strict=False).decode


_read_trade = _decoder(AggTrade)
_read_futures_book = _decoder(_FuturesBook)
_read_spot_book = _decoder(_SpotBook)
_read_futures_change = _decoder(_FuturesChange)
_read_spot_change = _decoder(_SpotChange)
_read_kline = _decoder(_Kline)
_read_mark_price = _decoder(_MarkPrice)
_read_force_order = _decoder(_ForceOrder)

Parse = Callable[[bytes, str, int], Message]


def parse_agg_trade(data: bytes, _symbol: str, _received_ms: int) -> AggTrade:
    """Return the trade of an ``aggTrade`` payload; its numbers are still to be checked.

    Trades are by far the most messages, so they are decoded into what is handed on.
    """
    trade: AggTrade = _read_trade(data)
    return trade


def parse_futures_book(data: bytes, _symbol: str, _received_ms: int) -> DepthSnapshot:
    """Return the best levels of a futures ``depth20`` payload."""
    raw = _read_futures_book(data)
    bids: list[Level] = raw.b
    return DepthSnapshot(symbol=raw.s, update_id=raw.u, event_ms=raw.E, bids=bids, asks=raw.a)


def parse_spot_book(data: bytes, symbol: str, received_ms: int) -> DepthSnapshot:
    """Return the best levels of a spot ``depth20`` payload, which names no symbol and no time."""
    raw = _read_spot_book(data)
    return DepthSnapshot(
        symbol=symbol,
        update_id=raw.last_update_id,
        event_ms=received_ms,
        bids=raw.bids,
        asks=raw.asks,
    )


def parse_futures_change(data: bytes, _symbol: str, _received_ms: int) -> DepthUpdate:
    """Return the changed levels of a futures ``depth`` payload."""
    raw = _read_futures_change(data)
    return _depth_update(raw, raw.pu)


def parse_spot_change(data: bytes, _symbol: str, _received_ms: int) -> DepthUpdate:
    """Return the changed levels of a spot ``depth`` payload."""
    return _depth_update(_read_spot_change(data), None)


def _depth_update(raw: _SpotChange, previous_id: int | None) -> DepthUpdate:
    return DepthUpdate(
        symbol=raw.s,
        event_ms=raw.E,
        first_id=raw.U,
        last_id=raw.u,
        previous_id=previous_id,
        bids=raw.b,
        asks=raw.a,
    )


def parse_kline(data: bytes, _symbol: str, _received_ms: int) -> Kline:
    """Return the candle of a ``kline`` payload; it must name its symbol twice alike."""
    raw = _read_kline(data)
    candle = raw.k
    if candle.s != raw.s:
        raise msgspec.ValidationError(f"a candle of {candle.s} in a message of {raw.s}")
    return Kline(
        symbol=raw.s,
        interval=candle.i,
        open_ms=candle.open_ms,
        close_ms=candle.close_ms,
        open=candle.open,
        high=candle.high,
        low=candle.low,
        close=candle.close,
        volume=candle.volume,
        quote_volume=candle.quote_volume,
        taker_buy_volume=candle.taker_buy_volume,
        trades=candle.trades,
        is_closed=candle.is_closed,
        event_ms=raw.E,
    )


def parse_mark_price(data: bytes, _symbol: str, _received_ms: int) -> MarkPrice:
    """Return the prices and the funding rate of a ``markPrice`` payload."""
    raw = _read_mark_price(data)
    return MarkPrice(
        symbol=raw.s,
        event_ms=raw.E,
        mark=raw.p,
        index=raw.i,
        funding_rate=raw.r,
        next_funding_ms=raw.T,
    )


def parse_force_order(data: bytes, _symbol: str, _received_ms: int) -> Liquidation:
    """Return the order of a ``forceOrder`` payload: what was filled, else what was asked."""
    raw = _read_force_order(data)
    order = raw.o
    return Liquidation(
        symbol=order.s,
        time_ms=order.time_ms,
        price=order.average_price or order.price,
        quantity=order.filled or order.quantity,
        is_buy=order.side == "BUY",
        event_ms=raw.E,
    )
