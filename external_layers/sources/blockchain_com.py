"""Blockchain.com: every large Bitcoin transaction, block by block.

The newest block is looked up every two minutes and fetched once, with up to three that were missed
between: some 870 calls a day. A block is several megabytes of JSON.

The shapes are those of https://www.blockchain.com/explorer/api/blockchain_api.
"""

from asyncio import to_thread
from collections.abc import Mapping
from dataclasses import replace
from math import isnan
from typing import Any, Final

from external_layers.sources.bitcoin_flows import CHAIN, Coins, Transaction, transfers
from external_layers.sources.facts import Fact, Transfer, Watched
from external_layers.sources.reading import (
    mapping,
    ms_of_seconds,
    number,
    part,
    past_ms,
    rows,
    some,
    text,
)
from external_layers.sources.spec import CallRate, Client, FetchContext, Provider, Reply, SourceSpec
from external_layers.sources.tokens import NATIVE
from external_layers.sources.transfers import Known, everything, known_of, merged, recent
from scalp_strategy.errors import PayloadError

SPEC: Final = SourceSpec(
    name="blockchain_com",
    provider=Provider(
        name="blockchain_com",
        url="https://blockchain.info",
        rates=(CallRate(5, 60.0),),
        licence="public service without key; personal use",
        docs="https://www.blockchain.com/explorer/api/blockchain_api",
        max_mb=32.0,
    ),
    layer="onchain",
    feeds=("whale_movements", "exchange_flow"),
    every_s=120.0,
    timeout_s=90.0,
    history="revised",
    honesty="The chain keeps its past, but owners of addresses are those known today.",
    calls=2,
)
_TOKEN: Final = NATIVE[CHAIN].ticker
_MOST_BLOCKS: Final = 4  # of one fetch
_LONGEST: Final = 100  # characters of an address or a hash
_NEWEST: Final = "block"  # key of the memory


def parse(payload: Any, received_ms: int, known: Known | None = None) -> list[Transfer]:
    """Return the transfers of a `/rawblock/<hash>` answer.

    Raises
    ------
    PayloadError
        When it is no such answer, or no transaction of it is readable.
    """
    block = mapping(payload, SPEC.name)
    block_ms = past_ms(ms_of_seconds(block.get("time")), received_ms)
    if block_ms is None:
        raise PayloadError(f"{SPEC.name}: a block without a time")
    found = rows(block.get("tx"), SPEC.name)
    read = [each for row in found if (each := _transaction(row, block_ms))]
    some(read, found, SPEC.name)
    return merged(transfers(read, received_ms, known or everything(CHAIN)))


async def fetch(client: Client, context: FetchContext) -> list[Fact]:
    """Return the transfers of the blocks since the last fetch; none while the price is unknown.

    At first that is the newest block.
    """
    if isnan(context.price(_TOKEN)):
        return []
    at_ms, price = context.now_ms(), context.price(_TOKEN)
    known = replace(known_of(context, CHAIN), price=lambda _token: price)
    newest = _hash(mapping((await client.get("/latestblock")).json(), SPEC.name).get("hash"))
    last = context.memory.get(_NEWEST)
    facts: list[Fact] = []
    block = newest
    for _ in range(_MOST_BLOCKS if last else 1):
        if block == last:
            break
        reply = await client.get(f"/rawblock/{block}")
        # Some tenths of a second of work, which must not hold up the streams.
        found, block = await to_thread(_read, reply, known)
        facts += found
    context.memory[_NEWEST] = newest
    is_whole = block == last  # else blocks were passed over, or nobody had looked before
    seen = [Watched("transfers", _TOKEN, SPEC.name, at_ms, at_ms)] if is_whole else []
    return [*recent(facts, context), *seen]


def _read(reply: Reply, known: Known) -> tuple[list[Transfer], str]:
    """Return the transfers of a block, and the block before it."""
    payload = reply.json()
    return parse(payload, reply.received_ms, known), _hash(part(payload, "prev_block"))


def _hash(value: Any) -> str:
    """Return a block's hash, which becomes a part of a path."""
    found = text(value, _LONGEST)
    if not found.isalnum():
        raise PayloadError(f"{SPEC.name}: no hash of a block")
    return found


def _transaction(row: Mapping[str, Any], block_ms: int) -> Transaction | None:
    """Return a transaction, one that mints without inputs; None when it is unreadable."""
    tx_hash = text(row.get("hash"), _LONGEST)
    spent, paid = row.get("inputs"), row.get("out")
    if not tx_hash or not isinstance(spent, list) or not isinstance(paid, list):
        return None
    inputs = tuple(_coins(part(each, "prev_out")) for each in spent if part(each, "prev_out"))
    return Transaction(tx_hash, inputs, tuple(_coins(each) for each in paid), block_ms)


def _coins(output: Any) -> Coins:
    satoshis = number(part(output, "value"))
    address = text(part(output, "addr"), _LONGEST)
    return Coins(address, int(satoshis) if satoshis > 0 else 0)
