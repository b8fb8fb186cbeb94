"""mempool.space: Bitcoin transactions of the exchanges' busy wallets, before they are in a block.

Three wallets each half minute, all of them in under four minutes, some 8,600 calls a day. The
limits are not published: a server of one's own can stand in through `sources.urls`.

The shapes are those of https://mempool.space/docs/api/rest#get-address-transactions.
"""

from collections.abc import Mapping
from math import isnan
from typing import Any, Final

from external_layers.sources import wallets
from external_layers.sources.bitcoin_flows import CHAIN, Coins, Transaction, transfers
from external_layers.sources.facts import Fact, Transfer, Watched
from external_layers.sources.reading import ms_of_seconds, number, part, past_ms, rows, some, text
from external_layers.sources.rotation import forget_others, note_seen, seen_until, turns
from external_layers.sources.spec import CallRate, Client, FetchContext, Provider, SourceSpec
from external_layers.sources.tokens import NATIVE
from external_layers.sources.transfers import Known, everything, known_of, merged, recent
from external_layers.sources.watching import untold

_CALLS: Final = 3  # of one fetch
SPEC: Final = SourceSpec(
    name="mempool_space",
    provider=Provider(
        name="mempool_space",
        url="https://mempool.space",
        rates=(CallRate(10, 60.0),),
        licence="public service without key; heavy users run their own",
        docs="https://mempool.space/docs/api/rest",
    ),
    layer="onchain",
    feeds=("whale_movements", "exchange_flow"),
    every_s=30.0,
    history="revised",
    honesty="The chain keeps its past, but not when a transaction was first seen, nor its owners.",
    calls=_CALLS,
)
_TOKEN: Final = NATIVE[CHAIN].ticker
_PAGE: Final = 25  # transactions in blocks that an answer holds at most
_LONGEST: Final = 100  # characters of an address or a hash


def parse(payload: Any, received_ms: int, known: Known | None = None) -> list[Transfer]:
    """Return the transfers of an `/api/address/:address/txs` answer.

    One that is in no block yet is true when it was received.

    Raises
    ------
    PayloadError
        When it is no such answer, or no row of it is readable.
    """
    found = rows(payload, SPEC.name)
    read = [each for row in found if (each := _transaction(row, received_ms))]
    some(read, found, SPEC.name)
    return merged(transfers(read, received_ms, known or everything(CHAIN)))


async def fetch(client: Client, context: FetchContext) -> list[Fact]:
    """Return the new transfers of the wallets whose turn it is; none while the price is unknown."""
    if isnan(context.price(_TOKEN)):
        return []
    known, memory = known_of(context, CHAIN), context.memory
    asked = wallets.asked(CHAIN, context.settings.onchain)
    forget_others(memory, asked)
    at_ms = context.now_ms()
    chosen = turns(memory, asked, _CALLS)
    context.deliver(())
    found: list[Transfer] = []
    whole: list[str] = []
    for address in chosen:
        reply = await client.get(f"/api/address/{address}/txs")
        payload = reply.json()
        found += parse(payload, reply.received_ms, known)
        whole += [address] if _is_whole(payload, seen_until(memory, [address])) else []
    note_seen(memory, whole, at_ms)
    facts: list[Fact] = [*untold(recent(found, context), lambda fact: fact.tx_hash, memory)]
    until_ms = seen_until(memory, asked)
    if until_ms is not None:
        facts.append(Watched("transfers", _TOKEN, SPEC.name, until_ms, at_ms))
    return facts


def _is_whole(payload: Any, last_ms: int | None) -> bool:
    """Tell whether a page reaches back to the last look; the first look need not go far."""
    mined = [part(row, "status", "block_time") for row in payload]
    times = [at_ms for each in mined if (at_ms := ms_of_seconds(each)) is not None]
    return len(times) < _PAGE or last_ms is None or min(times) <= last_ms


def _transaction(row: Mapping[str, Any], received_ms: int) -> Transaction | None:
    """Return a transaction, one that mints without inputs; None when it is unreadable."""
    tx_hash = text(row.get("txid"), _LONGEST)
    spent, paid = row.get("vin"), row.get("vout")
    block_ms = ms_of_seconds(part(row, "status", "block_time"))
    observed_ms = past_ms(received_ms if block_ms is None else block_ms, received_ms)
    if not tx_hash or observed_ms is None:
        return None
    if not isinstance(spent, list) or not isinstance(paid, list):
        return None
    inputs = tuple(_coins(part(each, "prevout")) for each in spent if part(each, "prevout"))
    return Transaction(tx_hash, inputs, tuple(_coins(each) for each in paid), observed_ms)


def _coins(output: Any) -> Coins:
    satoshis = number(part(output, "value"))
    address = text(part(output, "scriptpubkey_address"), _LONGEST)
    return Coins(address, int(satoshis) if satoshis > 0 else 0)
