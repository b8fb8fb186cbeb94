"""Whose an address is: the wallets of exchanges, as public lists name them.

`wallets.csv` beside this file: `chain` (``evm`` = one key, the same owner on every EVM chain),
`address`, `exchange`, `asked_on` (the chains on which the wallet is asked for its transfers: the
busy hot wallets), `listed_on` (the day of the list) and `listed_by`:

- ``defillama+dune``: the exchange's proof of reserves as DefiLlama's adapters carry it, and Dune's
  table of exchange addresses, name the same owner.
- ``dune``: that table alone, for wallets that block explorers label too.

Cold wallets are named as well, though never asked: without them a move into one's own vault would
read as a withdrawal. Exchanges add wallets all the time, so what is not listed is an unknown
wallet, and deposit addresses of customers are never listed: a deposit shows when it is swept.
"""

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from external_layers.sources.facts import Party, PartyKind
from external_layers.sources.parties import UNKNOWN_WALLET
from external_layers.sources.tokens import is_caseless
from scalp_strategy.setting_groups.onchain import OnChainSettings

EVM: Final = "evm"
_FILE: Final = Path(__file__).with_name("wallets.csv")
_BECH32: Final = "bc1"  # such addresses of Bitcoin are caseless, all others are not
# Where minted tokens come from and burnt ones go.
_NOWHERE: Final = {
    EVM: "0x0000000000000000000000000000000000000000",
    "tron": "T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb",
}


class Wallet(NamedTuple):
    """A row of the list."""

    chain: str
    address: str
    exchange: str
    asked_on: tuple[str, ...]
    listed_on: str
    listed_by: str


@cache
def listed() -> tuple[Wallet, ...]:
    """Return the whole list."""
    with _FILE.open(encoding="utf-8", newline="") as lines:
        return tuple(
            Wallet(
                row["chain"],
                row["address"],
                row["exchange"],
                tuple(row["asked_on"].split()),
                row["listed_on"],
                row["listed_by"],
            )
            for row in csv.DictReader(lines)
        )


def canonical(chain: str, address: str) -> str:
    """Return an address in the one spelling in which it is compared.

    Examples
    --------
    >>> canonical("ethereum", "0xABC"), canonical("tron", "TAbC"), canonical("bitcoin", "BC1QX")
    ('0xabc', 'TAbC', 'bc1qx')
    """
    lower = address.lower()
    is_bech32 = chain == "bitcoin" and lower.startswith(_BECH32)
    return lower if is_bech32 or is_caseless(chain) else address


@cache
def _known(chain: str) -> dict[str, Party]:
    family = EVM if is_caseless(chain) else chain
    found = {
        wallet.address: Party("exchange", wallet.exchange, wallet.address)
        for wallet in listed()
        if wallet.chain == family
    }
    if family in _NOWHERE:
        found[_NOWHERE[family]] = Party("issuer", "the issuer", _NOWHERE[family])
    return found


def owners(chain: str, settings: OnChainSettings | None = None) -> dict[str, Party]:
    """Return whose an address of a chain is: the list, and what the settings add or overrule."""
    found = dict(_known(chain))
    if settings is not None:
        found |= _added(chain, settings.exchange_wallets, "exchange")
        found |= _added(chain, settings.smart_wallets, "smart")
    return found


def asked(chain: str, settings: OnChainSettings) -> tuple[str, ...]:
    """Return the exchange wallets that are asked on a chain: the busy ones and the user's own."""
    busy = [wallet.address for wallet in listed() if chain in wallet.asked_on]
    return tuple(dict.fromkeys((*busy, *_added(chain, settings.exchange_wallets, "exchange"))))


def smart(chain: str, settings: OnChainSettings) -> tuple[str, ...]:
    """Return the wallets on a chain that are known to trade well."""
    return tuple(_added(chain, settings.smart_wallets, "smart"))


def party(known: Mapping[str, Party], address: str) -> Party:
    """Return whose a canonical address is."""
    return known.get(address) or Party("wallet", UNKNOWN_WALLET, address)


def _added(chain: str, wallets: Mapping[str, str], kind: PartyKind) -> dict[str, Party]:
    # By canonical address; a key of the family, ``evm:0x...``, holds on each of its chains.
    families = {chain, EVM} if is_caseless(chain) else {chain}
    found: dict[str, Party] = {}
    for key, label in wallets.items():
        family, _, raw = key.partition(":")
        if family in families:
            address = canonical(chain, raw)
            found[address] = Party(kind, label, address)
    return found
