"""Which contract is which token, on the chains where transfers are looked up.

`tokens.csv` beside this file: liquid perpetuals that are ERC-20, SPL or TRC-20 tokens, the
stablecoins, and wrapped coins, which count as what they wrap. A token that only calls itself USDT
has another contract and is not here. `listed_on` is the day of the public list that says so,
`listed_by` that list: the Uniswap default token list, DefiLlama's core assets, Jupiter's list.
"""

import csv
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from external_layers.sources.parties import coin

STABLECOINS: Final = frozenset({"USDT", "USDC", "DAI", "FDUSD", "PYUSD", "USD1"})
# What swaps are paid with beside stablecoins.
_MONEY: Final = frozenset({"BTC", "ETH", "BNB", "POL", "SOL"})
_FILE: Final = Path(__file__).with_name("tokens.csv")
_CASELESS: Final = ("ethereum", "bsc", "base", "arbitrum", "polygon")


class Coin(NamedTuple):
    """A ticker, and by how many decimals the chain's whole numbers are shifted."""

    ticker: str
    decimals: int


# Coins that need no contract on their own chain.
NATIVE: Final = {
    "bitcoin": Coin("BTC", 8),
    "ethereum": Coin("ETH", 18),
    "bsc": Coin("BNB", 18),
    "polygon": Coin("POL", 18),
    "solana": Coin("SOL", 9),
}


class Listed(NamedTuple):
    """A row of the list."""

    chain: str
    contract: str
    coin: Coin
    listed_on: str
    listed_by: str


@cache
def listed() -> tuple[Listed, ...]:
    """Return the whole list."""
    with _FILE.open(encoding="utf-8", newline="") as lines:
        return tuple(
            Listed(
                row["chain"],
                row["contract"],
                Coin(coin(row["ticker"]), int(row["decimals"])),
                row["listed_on"],
                row["listed_by"],
            )
            for row in csv.DictReader(lines)
        )


def coins(chain: str, tickers: Iterable[str] | None = None) -> dict[str, Coin]:
    """Return the coins of a chain by contract.

    Parameters
    ----------
    chain
        E.g. ``"ethereum"``.
    tickers
        The tokens that matter, beside what swaps are paid with; None = all that are listed.
    """
    wanted = None if tickers is None else STABLECOINS | _MONEY | set(tickers)
    return {
        row.contract: row.coin
        for row in listed()
        if row.chain == chain and (wanted is None or row.coin.ticker in wanted)
    }


def is_caseless(chain: str) -> bool:
    """Tell whether addresses of a chain mean the same in upper and lower case."""
    return chain in _CASELESS
