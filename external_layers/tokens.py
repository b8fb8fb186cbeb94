"""From the name of a pair to the token behind it (pure)."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from external_layers.binance.messages import MarketKind

# Coins of tiny prices are listed by the thousand or the million: 1000PEPE, 1000000MOG, 1MBABYDOGE.
_BUNDLE: Final = re.compile(r"(1000000|10000|1000|1M)(?=[A-Z])")
_PAIRS: Final = 4_096  # names at hand: every transfer asks for the token of every pair
_SIZES: Final = {"1000": 1e3, "10000": 1e4, "1000000": 1e6, "1M": 1e6}

# Always watched: the market regime and the macro state are made from it.
REFERENCE_PAIR: Final[dict[MarketKind, str]] = {"futures": "BTC/USDT:USDT", "spot": "BTC/USDT"}


class Token(NamedTuple):
    """A ticker, and how many of it one unit of the pair is."""

    ticker: str
    bundle: float


@lru_cache(maxsize=_PAIRS)
def token_of(pair: str) -> Token:
    """Return the token that a pair trades.

    Parameters
    ----------
    pair
        Freqtrade's name.

    Examples
    --------
    >>> token_of("BTC/USDT:USDT")
    Token(ticker='BTC', bundle=1.0)
    >>> token_of("1000PEPE/USDT:USDT"), token_of("1INCH/USDT")
    (Token(ticker='PEPE', bundle=1000.0), Token(ticker='1INCH', bundle=1.0))
    """
    base = pair.partition("/")[0].upper()
    bundle = _BUNDLE.match(base)
    return Token(unbundled(base), _SIZES[bundle[1]] if bundle else 1.0)


def unbundled(word: str) -> str:
    """Return a ticker without the multiple by which it is listed.

    Examples
    --------
    >>> [unbundled(word) for word in ("1000PEPE", "1MBABYDOGE", "1INCH", "1000")]
    ['PEPE', 'BABYDOGE', '1INCH', '1000']
    """
    bundle = _BUNDLE.match(word)
    return word[bundle.end() :] if bundle else word
