"""Websocket addresses and stream names as Binance reads them."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from external_layers.binance.messages import MarketKind
from external_layers.replay.candles import INTERVALS

Category = Literal["public", "market", "all", "none"]

_CATEGORIES: Final[dict[str, Category]] = {
    "public": "public",
    "market": "market",
    "private": "none",
}
_PUBLIC: Final = ("depth", "bookTicker", "trade")
_DEPTH: Final = re.compile(r"depth(5|10|20)?(?:@(100|250|500|1000)ms)?")
_MARK: Final = re.compile(r"markPrice(@1s)?")
_DEPTH_SPEED_MS: Final[dict[MarketKind, int]] = {"spot": 1_000, "futures": 250}
_KLINE_SPEED_MS: Final[dict[MarketKind, int]] = {"spot": 1_000, "futures": 250}
_MARK_SPEED_MS: Final = (3_000, 1_000)  # plain, @1s
_TICKER_SPEED_MS: Final = 1_000
_TICK_MS: Final = 100
_PLAIN: Final[dict[str, int]] = {
    "aggTrade": _TICK_MS,
    "trade": _TICK_MS,
    "bookTicker": _TICK_MS,
    "forceOrder": _TICK_MS,
    "ticker": _TICKER_SPEED_MS,
    "miniTicker": _TICKER_SPEED_MS,
}
_FUTURES_ONLY: Final = ("markPrice", "forceOrder")


@dataclass(frozen=True, slots=True)
class Route:
    """A websocket address.

    Attributes
    ----------
    kind
        Spot or futures.
    category
        Which streams it carries: futures has `public` (depth, bookTicker, trade) and `market` (the
        rest); `none` is the old, unsplit futures address, which connects and stays silent.
    is_combined
        Whether pushes come in the envelope ``{"stream": ..., "data": ...}``.
    streams
        Streams named in the address.
    """

    kind: MarketKind
    category: Category
    is_combined: bool
    streams: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream: channel, symbol (``"BTCUSDT"``; None = all), argument and speed.

    `argument` is the interval of `kline`, the levels of a partial `depth`, else empty.
    """

    kind: MarketKind
    channel: str
    symbol: str | None
    argument: str
    speed_ms: int


def parse_route(path: str, streams_query: str | None) -> Route | None:
    """Return what a websocket address means, None when there is no such address.

    Examples
    --------
    >>> parse_route("/public/stream", "btcusdt@depth").category
    'public'
    >>> parse_route("/fstream/ws", None).category
    'none'
    >>> parse_route("/stream/ws/0", None).kind
    'spot'
    """
    parts = [part for part in path.split("/") if part]
    is_futures = bool(parts) and parts[0] == "fstream"
    if is_futures:
        parts = parts[1:]
    category: Category = "none" if is_futures else "all"
    if parts and parts[0] in _CATEGORIES:
        category = _CATEGORIES[parts[0]]
        is_futures, parts = True, parts[1:]
    if not parts or parts[0] not in ("ws", "stream"):
        return None
    is_combined = parts[0] == "stream" and parts[1:2] != ["ws"]
    names = parts[2:] if parts[:2] == ["stream", "ws"] else parts[1:]
    named = [*names, *(streams_query or "").split("/")]
    streams = tuple(name for name in named if "@" in name or name.startswith("!"))
    return Route("futures" if is_futures else "spot", category, is_combined, streams)


def parse_stream(name: str, kind: MarketKind) -> Stream | None:
    """Return what a stream name means, None when the market has no such stream."""
    lower, _, rest = name.partition("@")
    if name.startswith("!"):
        stream = _parsed(kind, None, name[1:].replace("@arr", ""))
    else:
        stream = _parsed(kind, lower.upper(), rest)
    is_missing = stream is not None and kind == "spot" and stream.channel in _FUTURES_ONLY
    return None if is_missing else stream


def category_of(stream: Stream) -> Category:
    """Return which futures address carries a stream."""
    return "public" if stream.channel in _PUBLIC else "market"


def _parsed(kind: MarketKind, symbol: str | None, rest: str) -> Stream | None:
    if rest in _PLAIN:
        return Stream(kind, rest, symbol, "", _PLAIN[rest])
    if mark := _MARK.fullmatch(rest):
        return Stream(kind, "markPrice", symbol, "", _MARK_SPEED_MS[bool(mark[1])])
    if depth := _DEPTH.fullmatch(rest):
        speed = int(depth[2]) if depth[2] else _DEPTH_SPEED_MS[kind]
        return Stream(kind, "depth", symbol, depth[1] or "", speed)
    prefix, _, interval = rest.partition("_")
    if prefix == "kline" and interval in INTERVALS:
        return Stream(kind, "kline", symbol, interval, _KLINE_SPEED_MS[kind])
    return None
