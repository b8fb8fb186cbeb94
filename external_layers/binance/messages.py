"""What the market says, as the readers hand it on: one type per kind of message, units converted.

Prices in quote currency, quantities in base currency, times in epoch milliseconds on the
exchange's clock. `symbol` is the exchange's name, e.g. ``BTCUSDT``. Levels are (price, quantity).
"""

from typing import Literal

import msgspec

MarketKind = Literal["spot", "futures"]
Level = tuple[float, float]


class AggTrade(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Trades of one taker order at one price; `is_buyer_maker` means that the taker sold."""

    symbol: str = msgspec.field(name="s")
    id: int = msgspec.field(name="a")
    price: float = msgspec.field(name="p")
    quantity: float = msgspec.field(name="q")
    time_ms: int = msgspec.field(name="T")
    is_buyer_maker: bool = msgspec.field(name="m")
    event_ms: int = msgspec.field(name="E")


class DepthSnapshot(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The best levels of a book, best first on both sides (`depth20@100ms`).

    Spot sends no time: there `event_ms` is when the message came.
    """

    symbol: str
    update_id: int
    event_ms: int
    bids: list[Level]
    asks: list[Level]


class DepthUpdate(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Changed levels of a book; quantity 0 removes one.

    `first_id..last_id` are the updates in it; `previous_id` is the last one of the message before,
    None on spot, where `first_id` continues it.
    """

    symbol: str
    event_ms: int
    first_id: int
    last_id: int
    previous_id: int | None
    bids: list[Level]
    asks: list[Level]


class BookSnapshot(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A whole book from REST, up to and with update `update_id`."""

    symbol: str
    update_id: int
    bids: list[Level]
    asks: list[Level]


class Kline(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A candle, forming or closed; `close_ms` is the last millisecond that belongs to it."""

    symbol: str
    interval: str
    open_ms: int
    close_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float
    taker_buy_volume: float
    trades: int
    is_closed: bool
    event_ms: int


class MarkPrice(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Mark price, index price and the running funding rate (a ratio per funding interval)."""

    symbol: str
    event_ms: int
    mark: float
    index: float
    funding_rate: float
    next_funding_ms: int


class Liquidation(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A forced order; `is_buy` closes a short, else it closes a long."""

    symbol: str
    time_ms: int
    price: float
    quantity: float
    is_buy: bool
    event_ms: int


class OpenInterest(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Open contracts of a perpetual, in base currency."""

    symbol: str
    time_ms: int
    quantity: float


class TakerBar(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Taker volume of a stretch of time, where single trades are not to be had (klines)."""

    symbol: str
    open_ms: int
    close_ms: int  # exclusive
    buy_quantity: float
    sell_quantity: float
    trades: int
    close: float


Message = AggTrade | DepthSnapshot | DepthUpdate | Kline | MarkPrice | Liquidation
