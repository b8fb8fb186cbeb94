"""Who pays whom in a Bitcoin transaction, from its inputs and outputs (pure).

A transaction has no sender and no amount, so both are read from it:

- All inputs are taken to have one owner: the exchange with the most in them, else an unknown
  wallet. (A sweep spends deposit addresses, which no list knows, beside the exchange's own.)
- What returns to the owner is change: outputs to addresses that were spent, or to wallets of the
  same exchange; of an unknown wallet, every unknown output beside those to exchanges.
- Where no output returns and several go to unknown addresses, the largest may be change to a fresh
  address: it is left out. So an amount is what was moved at least.

Of what remains the largest payment to one owner is told, so that a transaction is one transfer
whoever tells of it. Addresses stay out of it: there are many, and sources choose differently.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from external_layers.sources.facts import Party, Transfer
from external_layers.sources.parties import UNKNOWN_WALLET
from external_layers.sources.tokens import NATIVE
from external_layers.sources.transfers import Known, units
from external_layers.sources.wallets import canonical

CHAIN: Final = "bitcoin"
_COIN: Final = NATIVE[CHAIN]
_NOBODY: Final = Party("wallet", UNKNOWN_WALLET)


class Coins(NamedTuple):
    """An input or an output: an address, empty where there is none, and satoshis."""

    address: str
    satoshis: int


class Transaction(NamedTuple):
    """A transaction of the chain."""

    tx_hash: str
    inputs: tuple[Coins, ...]
    outputs: tuple[Coins, ...]
    observed_ms: int


def transfer(transaction: Transaction, received_ms: int, known: Known) -> Transfer | None:
    """Return what a transaction moves; None when it pays nobody, or mints.

    Parameters
    ----------
    transaction
        Its addresses may be in any spelling.
    received_ms
        When it was received.
    known
        Owners of addresses and the price.
    """
    if not transaction.inputs:
        return None
    origin = _spender(transaction.inputs, known)
    paid = _payments(transaction, origin, known)
    target = max(paid, key=lambda owner: paid[owner], default=None)
    if target is None:
        return None
    amount = units(paid[target], _COIN.decimals)
    if not amount > 0:
        return None
    return Transfer(
        token=_COIN.ticker,
        amount=amount,
        amount_usd=known.worth(_COIN.ticker, amount),
        origin=origin,
        target=target,
        blockchain=CHAIN,
        tx_hash=transaction.tx_hash,
        observed_at_ms=transaction.observed_ms,
        available_at_ms=received_ms,
    )


def transfers(found: Iterable[Transaction], received_ms: int, known: Known) -> list[Transfer]:
    """Return the transfers that are not known to be too small."""
    moved = (transfer(each, received_ms, known) for each in found)
    return [each for each in moved if each is not None and known.is_told(each)]


def _spender(inputs: tuple[Coins, ...], known: Known) -> Party:
    spent: dict[Party, int] = defaultdict(int)
    for each in inputs:
        spent[_owner(each.address, known.owners)] += each.satoshis
    spent.pop(_NOBODY, None)
    return max(spent, key=lambda owner: spent[owner], default=_NOBODY)


def _payments(transaction: Transaction, origin: Party, known: Known) -> dict[Party, int]:
    """Return satoshis by who got them, without the change."""
    spent = {canonical(CHAIN, each.address) for each in transaction.inputs}
    paid: dict[Party, int] = defaultdict(int)
    to_unknown: list[int] = []
    has_change = False
    for each in transaction.outputs:
        owner = _owner(each.address, known.owners)
        if canonical(CHAIN, each.address) in spent or (owner == origin != _NOBODY):
            has_change = True
        elif owner == _NOBODY:
            to_unknown.append(each.satoshis)
        else:
            paid[owner] += each.satoshis
    if origin == _NOBODY and paid:
        return paid
    if not has_change and len(to_unknown) > 1:
        to_unknown.remove(max(to_unknown))
    if to_unknown:
        paid[_NOBODY] = sum(to_unknown)
    return paid


def _owner(address: str, owners: Mapping[str, Party]) -> Party:
    found = owners.get(canonical(CHAIN, address))
    return _NOBODY if found is None else Party(found.kind, found.label)
