"""DEX Screener: how many trades of the last hour bought and sold a token on its DEX pools.

Each watched token that has a contract in the list is asked on each of its chains, every five
minutes: with thirty tokens some 10,000 calls a day, far below the 300 a minute that are allowed.
Pools with little liquidity are left out: a few dollars make thousands of trades there.

The shapes are those of https://docs.dexscreener.com/api/reference (``token-pairs``).
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from external_layers.sources import tokens
from external_layers.sources.facts import DEX_BUYS, DEX_SELLS, Reading
from external_layers.sources.reading import number, part, rows, some, text
from external_layers.sources.spec import CallRate, Client, FetchContext, Provider, SourceSpec
from external_layers.sources.wallets import canonical
from scalp_strategy.setting_groups.onchain import OnChainSettings

SPEC: Final = SourceSpec(
    name="dexscreener",
    provider=Provider(
        name="dexscreener",
        url="https://api.dexscreener.com",
        rates=(CallRate(4, 1.0), CallRate(150, 60.0)),
        licence="public API without key; terms forbid resale",
        docs="https://docs.dexscreener.com/api/api-terms-and-conditions",
    ),
    layer="onchain",
    feeds=("smart_money",),
    every_s=300.0,
    timeout_s=90.0,
    history="none",
    honesty="Only the last hours are told; nothing of it can be had for a backtest.",
    calls=40,
)
_CHAINS: Final = ("ethereum", "bsc", "base", "arbitrum", "polygon", "solana")
_LONGEST: Final = 100  # characters of an address


def parse(
    payload: Any,
    received_ms: int,
    contracts: Mapping[tuple[str, str], str] | None = None,
    least_liquidity_usd: float = OnChainSettings().dex_min_liquidity_usd,
) -> list[Reading]:
    """Return buys and sells of the last hour by token, over all pools that are told.

    Parameters
    ----------
    payload
        A list of pools (`/token-pairs/v1`, `/tokens/v1`, several of them joined), or an object
        with them under ``"pairs"`` (`/latest/dex/tokens`). A pool told twice counts once.
    received_ms
        When it was received.
    contracts
        Tickers by chain and canonical contract; None = the whole list. Where a token is the quote
        of a pool, its buys are the pool's sells.
    least_liquidity_usd
        Pools with less are left out, and those that do not tell.

    Raises
    ------
    PayloadError
        When it is no such answer, or no pool of it is readable.
    """
    known = _contracts() if contracts is None else contracts
    pools = payload.get("pairs") or [] if isinstance(payload, Mapping) else payload
    found = {_name(row): row for row in rows(pools, SPEC.name) if _name(row)}
    some(list(found), pools, SPEC.name)
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for row in found.values():
        if not number(part(row, "liquidity", "usd")) >= least_liquidity_usd:
            continue
        buys, sells = (_count(part(row, "txns", "h1", side)) for side in ("buys", "sells"))
        for side, (more, less) in (("baseToken", (buys, sells)), ("quoteToken", (sells, buys))):
            token = known.get(_contract(row, side))
            if token is not None and more + less >= 0:
                sums[token][0] += more
                sums[token][1] += less
    return [
        Reading(series, token, value, received_ms, received_ms)
        for token, values in sums.items()
        for series, value in zip((DEX_BUYS, DEX_SELLS), values, strict=True)
    ]


async def fetch(client: Client, context: FetchContext) -> list[Reading]:
    """Return the trades of the last hour of the watched tokens; none where none has a contract."""
    known = {where: token for where, token in _contracts().items() if token in set(context.tokens)}
    pools: list[Any] = []
    for chain, contract in known:
        reply = await client.get(f"/token-pairs/v1/{chain}/{contract}")
        pools += rows(reply.json(), SPEC.name)
    least_usd = context.settings.onchain.dex_min_liquidity_usd
    return parse(pools, context.now_ms(), known, least_usd) if pools else []


def _contracts() -> dict[tuple[str, str], str]:
    return {
        (row.chain, canonical(row.chain, row.contract)): row.coin.ticker
        for row in tokens.listed()
        if row.chain in _CHAINS
    }


def _name(row: Mapping[str, Any]) -> tuple[str, str] | None:
    chain, pool = text(row.get("chainId")), text(row.get("pairAddress"), _LONGEST)
    return (chain, pool) if chain and pool else None


def _contract(row: Mapping[str, Any], side: str) -> tuple[str, str]:
    chain = text(row.get("chainId"))
    return chain, canonical(chain, text(part(row, side, "address"), _LONGEST))


def _count(value: Any) -> float:
    """Return a number of trades; NaN when it is none."""
    found = number(value)
    return found if found >= 0 else float("nan")
