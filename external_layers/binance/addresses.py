"""Where the exchange's market data is: REST and websocket addresses, and which carries what."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from external_layers.binance.messages import MarketKind
from scalp_strategy.errors import ConfigError

Category = Literal["public", "market", "all"]

_PUBLIC_CHANNELS: Final = ("depth", "bookTicker")
_WEIGHT_A_MINUTE: Final[dict[MarketKind, int]] = {"spot": 6_000, "futures": 2_400}
_REST: Final[dict[MarketKind, str]] = {
    "spot": "https://data-api.binance.vision",
    "futures": "https://fapi.binance.com",
}
_SOCKETS: Final[dict[MarketKind, str]] = {
    "spot": "wss://data-stream.binance.vision",
    "futures": "wss://fstream.binance.com",
}
_PATHS: Final[dict[MarketKind, dict[Category, str]]] = {
    "spot": {"all": "/stream"},
    "futures": {"public": "/public/stream", "market": "/market/stream"},
}
_SECURE: Final = {"http": "ws", "https": "wss"}


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of one market.

    Attributes
    ----------
    kind
        Spot or futures.
    rest
        Base of REST requests, without a slash at the end.
    sockets
        Websocket address of combined streams, by category.
    """

    kind: MarketKind
    rest: str
    sockets: Mapping[Category, str]

    @property
    def prefix(self) -> str:
        """Path before the name of a REST call, e.g. ``/fapi/v1``."""
        return "/fapi/v1" if self.kind == "futures" else "/api/v3"

    @property
    def weight_limit(self) -> int:
        """Request weight that the exchange grants an IP address in a minute."""
        return _WEIGHT_A_MINUTE[self.kind]


def addresses(kind: MarketKind, base_url: str | None = None) -> Addresses:
    """Return the official addresses of a market, or those of a stand-in.

    Parameters
    ----------
    kind
        Spot or futures.
    base_url
        ``http(s)://host[:port]`` of another Binance-compatible market, which then serves REST and
        websockets on the official paths; None or empty = the exchange itself.

    Raises
    ------
    ConfigError
        When `base_url` is no such address.

    Notes
    -----
    Spot uses the hosts that the exchange names for public market data only.
    Source: developers.binance.com, "General API Information" and "Market Data Only".

    Examples
    --------
    >>> addresses("futures").sockets["market"]
    'wss://fstream.binance.com/market/stream'
    >>> addresses("spot", "http://127.0.0.1:18080").sockets["all"]
    'ws://127.0.0.1:18080/stream'
    """
    rest, socket = _stand_in(base_url) if base_url else (_REST[kind], _SOCKETS[kind])
    paths = _PATHS[kind].items()
    return Addresses(kind, rest, {category: socket + path for category, path in paths})


def category_of(stream: str, kind: MarketKind) -> Category:
    """Return which websocket address carries a stream.

    Futures are split: the public address carries order books and best prices, the market address
    the rest. The wrong address accepts the subscription and stays silent.

    Examples
    --------
    >>> category_of("btcusdt@depth20@100ms", "futures"), category_of("btcusdt@aggTrade", "futures")
    ('public', 'market')
    >>> category_of("btcusdt@aggTrade", "spot")
    'all'
    """
    if kind == "spot":
        return "all"
    return "public" if channel_of(stream).startswith(_PUBLIC_CHANNELS) else "market"


def channel_of(stream: str) -> str:
    """Return the channel of a stream: ``depth20`` of ``btcusdt@depth20@100ms``.

    Examples
    --------
    >>> channel_of("btcusdt@kline_1m"), channel_of("!forceOrder@arr")
    ('kline_1m', 'forceOrder')
    """
    if stream.startswith("!"):
        return stream[1:].partition("@")[0]
    return stream.partition("@")[2].partition("@")[0]


def _stand_in(base_url: str) -> tuple[str, str]:
    """REST and websocket base of another market; a URL with a password is not repeated."""
    parts = urlsplit(base_url.strip())
    shown = "with a user name" if "@" in base_url else repr(base_url)
    allowed = "allowed: http://host:port or https://host:port"
    if parts.scheme not in _SECURE or not parts.hostname or "@" in base_url:
        raise ConfigError(f"exchange address {shown}; {allowed}")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ConfigError(f"exchange address {shown} has a path; {allowed}")
    return f"{parts.scheme}://{parts.netloc}", f"{_SECURE[parts.scheme]}://{parts.netloc}"
