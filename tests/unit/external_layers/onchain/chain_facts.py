"""Facts of chains written by hand or drawn from a seed, and a state that is told them."""

import random
from collections.abc import Iterable
from itertools import count
from math import nan

from external_layers.onchain.state import OnChainState
from external_layers.sources.facts import (
    DEX_BUYS,
    DEX_SELLS,
    EXCHANGE_NETFLOW,
    MARKET,
    STABLECOIN_SUPPLY,
    Fact,
    Feed,
    Party,
    Reading,
    Transfer,
    WalletTrade,
    Watched,
)
from scalp_strategy.contract import Component
from scalp_strategy.setting_groups.onchain import OnChainSettings

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
START_MS = 1_750_000_000_000 // DAY_MS * DAY_MS
MILLION = 1_000_000.0
PAIRS = {"BTC/USDT:USDT": "BTC", "SOL/USDT:USDT": "SOL"}

BINANCE = Party("exchange", "Binance", "0xb1")
KRAKEN = Party("exchange", "Kraken", "0xc2")
SOMEBODY = Party("wallet", "unknown wallet", "0xd3")
ISSUER = Party("issuer", "Tether Treasury", "0xe4")
_numbers = count()


def no_price(_token: str) -> float:
    return nan


def transfer(
    token: str,
    usd: float,
    ends: tuple[Party, Party],
    observed_ms: int,
    available_ms: int | None = None,
    *,
    tx_hash: str = "",
) -> Transfer:
    return Transfer(
        token=token,
        amount=usd / 100.0,
        amount_usd=usd,
        origin=ends[0],
        target=ends[1],
        blockchain="ethereum",
        tx_hash=tx_hash or f"0x{next(_numbers):x}",
        observed_at_ms=observed_ms,
        available_at_ms=observed_ms if available_ms is None else available_ms,
    )


def withdrawal(
    token: str, usd: float, observed_ms: int, available_ms: int | None = None
) -> Transfer:
    return transfer(token, usd, (BINANCE, SOMEBODY), observed_ms, available_ms)


def deposit(token: str, usd: float, observed_ms: int, available_ms: int | None = None) -> Transfer:
    return transfer(token, usd, (SOMEBODY, KRAKEN), observed_ms, available_ms)


def looked(token: str, at_ms: int, feed: Feed = "transfers") -> Watched:
    return Watched(feed, token, "somebody", at_ms, at_ms)


def looks(
    token: str, from_ms: int, to_ms: int, feed: Feed = "transfers", step_ms: int = 10 * MINUTE_MS
) -> list[Watched]:
    return [looked(token, at, feed) for at in range(from_ms, to_ms + 1, step_ms)]


def deal(token: str, wallet: str, at_ms: int, *, buy: bool = True) -> WalletTrade:
    side = "buy" if buy else "sell"
    return WalletTrade(token, side, nan, wallet, "fund", "ethereum", "0x1", at_ms, at_ms)


def reading(series: str, subject: str, value: float, at_ms: int) -> Reading:
    return Reading(series, subject, value, at_ms, at_ms)


def told(facts: Iterable[Fact], settings: OnChainSettings | None = None) -> OnChainState:
    state = OnChainState(settings or OnChainSettings())
    state.add(sorted(facts, key=lambda fact: fact.available_at_ms), no_price)
    return state


def row(found: list[Component], name: str, pair: str = "BTC/USDT:USDT") -> Component:
    (one,) = [one for one in found if (one.name, one.pair) == (name, pair)]
    return one


def as_text(found: list[Component]) -> str:
    return repr(found)  # NaN equals NaN, floats to the last digit


def random_facts(seed: int, number: int, span_ms: int = DAY_MS) -> list[Fact]:
    """Return facts of three tokens and two stablecoins, some told late, by availability."""
    chance = random.Random(seed)
    facts: list[Fact] = []
    for _ in range(number):
        observed = START_MS + chance.randrange(span_ms // MINUTE_MS) * MINUTE_MS
        delay = chance.choice((0, 0, 30_000, 5 * MINUTE_MS, 50 * MINUTE_MS))
        facts.append(_random_fact(chance, observed, observed + delay))
    return sorted(facts, key=lambda fact: fact.available_at_ms)


def _random_fact(chance: random.Random, observed: int, available: int) -> Fact:
    token = chance.choice(("BTC", "SOL", "PEPE", "USDT", "USDC"))
    kind = chance.random()
    if kind < 0.45:
        ends = [chance.choice((BINANCE, KRAKEN, SOMEBODY, ISSUER)) for _ in range(2)]
        usd = round(chance.lognormvariate(14.0, 1.0), 2)
        return transfer(token, usd, (ends[0], ends[1]), observed, available)
    if kind < 0.8:
        feed: Feed = "transfers" if chance.random() < 0.6 else "smart_trades"
        subject = MARKET if chance.random() < 0.03 else token
        return Watched(feed, subject, "somebody", observed, available)
    if kind < 0.94:
        side = "buy" if chance.random() < 0.5 else "sell"
        wallet = f"0x{chance.randrange(8)}"
        return WalletTrade(token, side, nan, wallet, "fund", "base", "0x1", observed, available)
    series = chance.choice((DEX_BUYS, DEX_SELLS, EXCHANGE_NETFLOW, STABLECOIN_SUPPLY))
    value = chance.randrange(40, 400) * (1e6 if series == EXCHANGE_NETFLOW else 1.0)
    value *= 1e9 if series == STABLECOIN_SUPPLY else 1.0
    return Reading(series, token, float(value), observed, available)
