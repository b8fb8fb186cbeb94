"""From facts to what is kept of them: whose money moved where, in dollars."""

from collections.abc import Callable, Collection
from dataclasses import replace
from hashlib import blake2b
from math import isnan, nan
from typing import Final, assert_never

from external_layers.onchain.notes import LARGEST, Deal, Look, Mint, Move, Note, Value
from external_layers.sources.facts import (
    Fact,
    Mentions,
    Reading,
    Story,
    Transfer,
    WalletTrade,
    Watched,
)

_MAX_USD: Final = 1e12  # a transfer worth more is a mistake
_KEY_BYTES: Final = 12
_NAME_LETTERS: Final = 40
_NAMELESS: Final = "an exchange"


def valued(
    transfer: Transfer, price: Callable[[str], float], stablecoins: Collection[str]
) -> Transfer:
    """Return a transfer with its value: as told, else at the price; a stablecoin is a dollar.

    The value stays NaN when it cannot be told, and where it is none that money has.
    """
    usd = transfer.amount_usd
    if isnan(usd):
        one = 1.0 if transfer.token in stablecoins else price(transfer.token)
        usd = transfer.amount * one
    return replace(transfer, amount_usd=usd if 0.0 < usd <= _MAX_USD else nan)


def key_of(transfer: Transfer) -> str:
    """Return a short text that tells a transfer from every other one."""
    return blake2b("\n".join(transfer.key).encode(), digest_size=_KEY_BYTES).hexdigest()


def note_of(fact: Fact, stablecoins: Collection[str]) -> Note | None:
    """Return what is kept of a fact, None when no component needs it.

    A fact that was observed after it was available (clocks differ) counts as observed then.
    """
    observed_ms = min(fact.observed_at_ms, fact.available_at_ms)
    match fact:
        case Transfer():
            return _movement(fact, observed_ms, fact.token in stablecoins)
        case WalletTrade():
            side = 1 if fact.side == "buy" else -1
            wallet = (fact.wallet or fact.label).lower()
            return Deal(observed_ms, fact.token, wallet, side)
        case Reading():
            is_number = abs(fact.value) <= LARGEST  # NaN is none
            value = Value(observed_ms, fact.series, fact.subject, float(fact.value))
            return value if is_number else None
        case Watched():
            return Look(observed_ms, fact.feed, fact.subject)
        case Story() | Mentions():
            return None
        case _:
            assert_never(fact)


def _movement(transfer: Transfer, observed_ms: int, is_stable: bool) -> Move | Mint | None:
    """Return what a transfer says; nothing where it goes between exchanges, or between wallets.

    An issuer is neither buyer nor seller of a coin. What it makes of a stablecoin is supply, and a
    deposit like any other where it goes straight to an exchange.
    """
    dollars = max(1, round(transfer.amount_usd))
    makes, burns = (each.kind == "issuer" for each in (transfer.origin, transfer.target))
    if (makes or burns) and not is_stable:
        return None
    match transfer.direction:
        case "withdrawal":
            return Move(observed_ms, dollars, transfer.token, _place(transfer.origin.label))
        case "deposit":
            return Move(observed_ms, -dollars, transfer.token, _place(transfer.target.label))
    if makes != burns:
        return Mint(observed_ms, dollars if makes else -dollars, transfer.token)
    return None


def _place(label: str) -> str:
    return " ".join(label.split())[:_NAME_LETTERS] or _NAMELESS
