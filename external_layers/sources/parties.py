"""Who stands at an end of a transfer, and how chains and tokens are named (pure)."""

from typing import Any, Final

from external_layers.sources.facts import Party, PartyKind
from external_layers.sources.reading import text

UNKNOWN_WALLET: Final = "unknown wallet"
# Their transactions have many ends; what is the same transfer is told by its hash alone.
WITHOUT_ACCOUNTS: Final = frozenset({"bitcoin", "bitcoin_cash", "litecoin", "dogecoin", "cardano"})
# Other names of a chain, and ours.
_CHAINS: Final = {
    "arbitrum_one": "arbitrum",
    "binancechain": "bsc",
    "binance_smart_chain": "bsc",
    "bnb": "bsc",
    "matic": "polygon",
}
# The coin that a wrapped or bridged token stands for.
_WRAPPED: Final = {
    "WETH": "ETH",
    "WBTC": "BTC",
    "CBBTC": "BTC",
    "BTCB": "BTC",
    "WBNB": "BNB",
    "WSOL": "SOL",
    "WAVAX": "AVAX",
    "WMATIC": "POL",
    "WPOL": "POL",
    "USDBC": "USDC",
    "USDT0": "USDT",
}
# For sources that give a name and not what it is.
_EXCHANGES: Final = frozenset(
    (
        "binance",
        "bitfinex",
        "bitget",
        "bithumb",
        "bitmex",
        "bitstamp",
        "bybit",
        "coinbase",
        "crypto.com",
        "deribit",
        "gate.io",
        "gemini",
        "htx",
        "huobi",
        "kraken",
        "kucoin",
        "mexc",
        "okex",
        "okx",
        "poloniex",
        "robinhood",
        "upbit",
    )
)
_NAME_LENGTH: Final = 60
_ADDRESS_LENGTH: Final = 120
_HEX_ADDRESS: Final = 40  # digits of an address of Ethereum and its like
_HEX_DIGITS: Final = frozenset("0123456789abcdefABCDEF")


def chain(value: Any) -> str:
    """Return our name of a chain, e.g. ``"arbitrum"`` for ``"arbitrum_one"``; empty when none."""
    name = text(value, _NAME_LENGTH).lower().replace(" ", "_")
    return _CHAINS.get(name, name)


def coin(token: str) -> str:
    """Return the coin that a token stands for: ``"ETH"`` for ``"WETH"``, others are themselves."""
    return _WRAPPED.get(token, token)


def address(value: Any, blockchain: str) -> str:
    """Return an address as its chain writes it; empty where it does not identify an end."""
    found = text(value, _ADDRESS_LENGTH)
    if blockchain in WITHOUT_ACCOUNTS or " " in found:
        return ""
    if len(found) == _HEX_ADDRESS and _HEX_DIGITS.issuperset(found):
        return f"0x{found}"
    return found


def party(kind: PartyKind, name: Any, where: str) -> Party:
    """Return an end of a transfer; one without a name is an unknown wallet."""
    label = text(name, _NAME_LENGTH)
    if label.lower() in ("", "unknown", UNKNOWN_WALLET):
        return Party(kind, UNKNOWN_WALLET, where)
    return Party(kind, label[0].upper() + label[1:], where)


def is_exchange_name(value: Any) -> bool:
    """Return whether a name is that of a large exchange, e.g. ``"Coinbase Institutional"``."""
    words = text(value, _NAME_LENGTH).lower().split()
    return bool(words) and words[0] in _EXCHANGES
