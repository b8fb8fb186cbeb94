"""What the sources of chains share: amounts, sizes, owners, trades of wallets (pure)."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import isnan, nan
from typing import Any, Final, NamedTuple, TypeVar

from external_layers.sources import tokens, wallets
from external_layers.sources.facts import Fact, Party, Transfer, WalletTrade
from external_layers.sources.reading import LARGEST
from external_layers.sources.spec import FetchContext

_MS_PER_S: Final = 1_000
_MOST_DIGITS: Final = 78  # of the largest number that a contract can hold

_Fact = TypeVar("_Fact", bound=Fact)


class Move(NamedTuple):
    """Tokens that went from one address to another, as a chain writes it."""

    token: str
    amount: float
    origin: str
    target: str
    blockchain: str
    tx_hash: str
    observed_ms: int


def no_price(_token: str) -> float:
    """Return that a price is unknown."""
    return nan


@dataclass(frozen=True, slots=True)
class Known:
    """What a parser is told of the world beside its payload.

    Attributes
    ----------
    owners
        Whose an address is, by canonical address.
    coins
        The coins of the chain by contract.
    followed
        The tokens of which transfers are told; None = all.
    price
        US dollars of a token, NaN unknown.
    least_usd
        What is worth less is not told; what nobody can value is.
    """

    owners: Mapping[str, Party]
    coins: Mapping[str, tokens.Coin]
    followed: frozenset[str] | None = None
    price: Callable[[str], float] = field(default=no_price)
    least_usd: float = 0.0

    def transfer(self, move: "Move", received_ms: int) -> Transfer:
        """Return a move with its owners and its worth."""
        return Transfer(
            token=move.token,
            amount=move.amount,
            amount_usd=self.worth(move.token, move.amount),
            origin=wallets.party(self.owners, move.origin),
            target=wallets.party(self.owners, move.target),
            blockchain=move.blockchain,
            tx_hash=move.tx_hash,
            observed_at_ms=move.observed_ms,
            available_at_ms=received_ms,
        )

    def follows(self, token: str) -> bool:
        """Tell whether a token's transfers are told."""
        return self.followed is None or token in self.followed

    def worth(self, token: str, amount: float) -> float:
        """Return the US dollars of an amount: of a stablecoin itself, else by the price; or NaN."""
        if token in tokens.STABLECOINS:
            return amount
        value = amount * self.price(token)
        return value if 0.0 < value <= LARGEST else nan

    def is_told(self, transfer: Transfer) -> bool:
        """Tell whether a transfer is of a followed token and not known to be too small."""
        is_small = transfer.amount_usd < self.least_usd
        return self.follows(transfer.token) and not is_small


def everything(chain: str) -> Known:
    """Return what is known of a chain without settings and prices: the lists."""
    return Known(wallets.owners(chain), tokens.coins(chain))


def known_of(context: FetchContext, chain: str) -> Known:
    """Return what a fetch knows of a chain."""
    options = context.settings.onchain
    return Known(
        owners=wallets.owners(chain, options),
        coins=tokens.coins(chain, context.tokens),
        followed=tokens.STABLECOINS | frozenset(context.tokens),
        price=context.price,
        least_usd=options.min_transfer_usd,
    )


def units(value: Any, decimals: int) -> float:
    """Return an amount of a whole number of the smallest units, NaN when it is none.

    Examples
    --------
    >>> units("55000000", 6), units("-1", 6), units("1e9", 0)
    (55.0, nan, nan)
    """
    if isinstance(value, bool):
        return nan
    if isinstance(value, str):
        is_number = value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS
        value = int(value) if is_number else None
    if not isinstance(value, int) or not 0 <= value < 10**_MOST_DIGITS:
        return nan
    amount: float = value / 10**decimals
    return amount if amount <= LARGEST else nan


def recent(facts: Iterable[_Fact], context: FetchContext) -> list[_Fact]:
    """Return the facts that are not older than raw events are kept."""
    kept_ms = context.settings.onchain.raw_event_ttl_s * _MS_PER_S
    return [each for each in facts if each.observed_at_ms >= context.now_ms() - kept_ms]


def merged(transfers: Iterable[Transfer]) -> list[Transfer]:
    """Return one transfer for all that have the same key: a transaction may pay in parts."""
    found: dict[tuple[str, ...], Transfer] = {}
    for each in transfers:
        first = found.get(each.key)
        found[each.key] = each if first is None else _sum(first, each)
    return list(found.values())


def _sum(first: Transfer, other: Transfer) -> Transfer:
    amount, usd = first.amount + other.amount, first.amount_usd + other.amount_usd
    return replace(first, amount=amount, amount_usd=usd)


class _Leg(NamedTuple):
    amount: float  # above 0 when it came in
    usd: float


def smart_trades(transfers: Iterable[Transfer]) -> list[WalletTrade]:
    """Return the swaps among the transfers of wallets that are known to trade well.

    A swap is a transaction in which such a wallet gave one token and got another. Every token in
    it that is no stablecoin is a trade: bought when it came, sold when it left. It is worth itself
    at its price, else the stablecoins on the other side. What only comes or only goes is a payment
    or a gift, and so is a swap paid in the chain's own coin, whose other leg does not show: it is
    not counted rather than guessed.
    """
    by_swap: dict[tuple[str, str], list[Transfer]] = defaultdict(list)
    for each in transfers:
        for end in {each.origin, each.target}:
            if end.kind == "smart" and each.origin != each.target:
                by_swap[each.tx_hash, end.address].append(each)
    return [trade for (_, who), moves in by_swap.items() for trade in _swap(who, moves)]


def _swap(who: str, moves: list[Transfer]) -> list[WalletTrade]:
    legs: dict[str, _Leg] = {}
    for each in moves:
        sign = 1.0 if each.target.address == who else -1.0
        leg = legs.get(each.token, _Leg(0.0, 0.0))
        legs[each.token] = _Leg(leg.amount + sign * each.amount, leg.usd + sign * each.amount_usd)
    given = {token: leg for token, leg in legs.items() if leg.amount < 0}
    got = {token: leg for token, leg in legs.items() if leg.amount > 0}
    if not given or not got:
        return []
    bought = [_trade(who, moves[0], token, leg, given) for token, leg in got.items()]
    sold = [_trade(who, moves[0], token, leg, got) for token, leg in given.items()]
    return [each for each in (*bought, *sold) if each.token not in tokens.STABLECOINS]


def _trade(
    who: str, move: Transfer, token: str, leg: _Leg, others: Mapping[str, _Leg]
) -> WalletTrade:
    stable = sum(abs(leg.usd) for name, leg in others.items() if name in tokens.STABLECOINS)
    usd = (stable or nan) if isnan(leg.usd) else abs(leg.usd)
    owner = move.target if move.target.address == who else move.origin
    return WalletTrade(
        token=token,
        side="buy" if leg.amount > 0 else "sell",
        amount_usd=usd,
        wallet=who,
        label=owner.label,
        blockchain=move.blockchain,
        tx_hash=move.tx_hash,
        observed_at_ms=move.observed_at_ms,
        available_at_ms=move.available_at_ms,
    )
