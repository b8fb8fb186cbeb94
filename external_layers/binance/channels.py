"""Which streams are read, and how: the parser, the checks and the sequence of each channel."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from external_layers.binance import payloads, sequences
from external_layers.binance.counters import ChannelCounts, DropReason
from external_layers.binance.messages import (
    AggTrade,
    DepthSnapshot,
    DepthUpdate,
    Kline,
    Liquidation,
    MarketKind,
)
from external_layers.binance.payloads import LARGEST
from external_layers.binance.sequences import Sequence

Check = Callable[[Any], DropReason | None]

_DEPTH: Final = re.compile(r"depth(?P<levels>5|10|20)?(?:@\d+ms)?")
_KLINE: Final = re.compile(r"kline_(?P<interval>\d+[smhdw])")
_LENGTH_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_CLOCKS_MS: Final = 1_000  # by which the clocks of matching and of sending may differ
_LONGEST_DELAY_MS: Final = 3_600_000
_MARK_PRICE: Final = re.compile(r"markPrice(?:@1s)?")


@dataclass(frozen=True, slots=True)
class Channel:
    """A kind of stream.

    Attributes
    ----------
    name
        Under which its messages are counted.
    parse
        Makes the message; raises what msgspec raises.
    check
        Why a message contradicts itself, or None.
    sequence
        Makes the memory of one stream.
    has_time
        Whether the exchange says when the event was.
    """

    name: str
    parse: payloads.Parse
    check: Check
    sequence: Callable[[ChannelCounts], Sequence]
    has_time: bool = True


def channel_of(name: str, kind: MarketKind) -> tuple[Channel, str | None] | None:
    """Return the channel and the symbol of a stream; None for one that is not read.

    The symbol is None where the stream carries all symbols.

    Examples
    --------
    >>> channel, symbol = channel_of("btcusdt@depth20@100ms", "futures")
    >>> channel.name, symbol
    ('depth20', 'BTCUSDT')
    >>> channel_of("btcusdt@bookTicker", "futures") is None
    True
    """
    if name == "!forceOrder@arr":
        return (_FORCE_ORDER, None) if kind == "futures" else None
    symbol, _, rest = name.partition("@")
    channel = _channel(rest, kind) if symbol else None
    return (channel, symbol.upper()) if channel else None


def _channel(rest: str, kind: MarketKind) -> Channel | None:
    if rest == "aggTrade":
        return _AGG_TRADE
    if depth := _DEPTH.fullmatch(rest):
        return (_PARTIAL if depth["levels"] else _CHANGES)[kind]
    if kline := _KLINE.fullmatch(rest):
        interval = kline["interval"]
        return Channel(
            "kline",
            payloads.parse_kline,
            _candle_fault,
            lambda counts: sequences.Candles(counts, interval),
        )
    if kind == "spot":
        return None
    if _MARK_PRICE.fullmatch(rest):
        return _MARK
    return _FORCE_ORDER if rest == "forceOrder" else None


def _no_fault(_message: Any) -> DropReason | None:
    return None


def _trade_fault(trade: AggTrade) -> DropReason | None:
    if 0.0 < trade.price < LARGEST and 0.0 < trade.quantity < LARGEST and trade.id >= 0:
        delay_ms = trade.event_ms - trade.time_ms
        return None if -_CLOCKS_MS <= delay_ms <= _LONGEST_DELAY_MS else "time"
    return "invalid"


def _order_fault(order: Liquidation) -> DropReason | None:
    delay_ms = order.event_ms - order.time_ms
    return None if -_CLOCKS_MS <= delay_ms <= _LONGEST_DELAY_MS else "time"


def _book_fault(book: DepthSnapshot) -> DropReason | None:
    """Prices must rise from the lowest bid to the highest ask."""
    bids, asks = book.bids, book.asks
    if bids and asks and bids[0][0] >= asks[0][0]:
        return "crossed"
    levels = bids[::-1] + asks
    return None if levels == sorted(levels) else "unsorted"


def _change_fault(update: DepthUpdate) -> DropReason | None:
    previous = update.previous_id
    is_forward = update.first_id <= update.last_id
    is_after = previous is None or previous < update.first_id
    return None if is_forward and is_after else "inconsistent"


def _candle_fault(candle: Kline) -> DropReason | None:
    body = (candle.open, candle.close)
    is_fair = (
        candle.low <= min(body)
        and max(body) <= candle.high
        and candle.taker_buy_volume <= candle.volume
        and candle.close_ms - candle.open_ms + 1 == _length_ms(candle.interval)
        and candle.open_ms <= candle.event_ms
    )
    return None if is_fair else "inconsistent"


def _length_ms(interval: str) -> int:
    number, unit = interval[:-1], interval[-1:]
    return int(number) * _LENGTH_MS.get(unit, 0) if number.isdecimal() else 0


_AGG_TRADE: Final = Channel("aggTrade", payloads.parse_agg_trade, _trade_fault, sequences.Trades)
_PARTIAL: Final[dict[MarketKind, Channel]] = {
    "spot": Channel(
        "depth20", payloads.parse_spot_book, _book_fault, sequences.Books, has_time=False
    ),
    "futures": Channel("depth20", payloads.parse_futures_book, _book_fault, sequences.Books),
}
_CHANGES: Final[dict[MarketKind, Channel]] = {
    "spot": Channel("depth", payloads.parse_spot_change, _change_fault, sequences.Unordered),
    "futures": Channel("depth", payloads.parse_futures_change, _change_fault, sequences.Unordered),
}
_MARK: Final = Channel("markPrice", payloads.parse_mark_price, _no_fault, sequences.Prices)
_FORCE_ORDER: Final = Channel(
    "forceOrder", payloads.parse_force_order, _order_fault, sequences.Orders
)
