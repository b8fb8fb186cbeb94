"""Arkham: large transfers into and out of exchanges, with the owners of addresses.

The shapes are those of https://docs.intel.arkm.com/openapi/transfers.
"""

from collections.abc import Mapping
from typing import Any, Final

from external_layers.sources import parties
from external_layers.sources.facts import Fact, Party, PartyKind, Transfer
from external_layers.sources.reading import (
    dollars,
    mapping,
    ms_of_iso,
    number,
    part,
    past_ms,
    rows,
    some,
    text,
    ticker,
)
from external_layers.sources.spec import CallRate, Client, FetchContext, Provider, SourceSpec
from external_layers.sources.watching import cover, is_whole, untold, watched

KEY: Final = "ARKHAM_API_KEY"
SPEC: Final = SourceSpec(
    name="arkham",
    provider=Provider(
        name="arkham",
        url="https://api.arkm.com",
        rates=(CallRate(1, 2.0), CallRate(2_000, 86_400.0)),
        licence="API plan on application; no redistribution",
        docs="https://docs.intel.arkm.com",
    ),
    layer="onchain",
    feeds=("whale_movements", "exchange_flow", "stablecoin_flow"),
    every_s=120.0,
    history="revised",
    honesty="The past can be had, with the owners of addresses that are known today.",
    keys=(KEY,),
    needs_key=True,
    calls=2,
)

_EXCHANGE: Final = "type:cex"
_EXCHANGE_TYPES: Final = ("cex", "exchange")
_PAGE: Final = 100
_LAST: Final = "at_ms"  # key of the memory: the last look
_MS_PER_S: Final = 1_000


def parse(payload: Any, received_ms: int) -> list[Transfer]:
    """Return the transfers of an answer; none when there were none.

    Raises
    ------
    PayloadError
        When it is no such answer, or no row of it is readable.
    """
    listed = mapping(payload, SPEC.name).get("transfers")
    found = rows([] if listed is None and "count" in payload else listed, SPEC.name)
    transfers = [each for row in found if (each := _transfer(row, received_ms))]
    some(transfers, found, SPEC.name)
    return transfers


async def fetch(client: Client, context: FetchContext) -> list[Fact]:
    """Return the transfers that were not told before, and what has been looked at."""
    options = context.settings.onchain
    window_ms = context.now_ms() - options.whale_window_s * _MS_PER_S
    last_ms = number(context.memory.get(_LAST))
    params: dict[str, str | int] = {
        "usdGte": int(options.min_transfer_usd),
        "timeGte": window_ms,
        "sortKey": "time",
        "sortDir": "desc",
        "limit": _PAGE,
    }
    transfers: list[Transfer] = []
    is_all = True
    for end in ("from", "to"):
        headers = {"API-Key": context.keys[KEY]}
        reply = await client.get("/transfers", {**params, end: _EXCHANGE}, headers)
        payload = reply.json()
        found = parse(payload, reply.received_ms)
        count, times = len(payload.get("transfers") or ()), (each.observed_at_ms for each in found)
        is_all &= is_whole(times, count, _PAGE, int(max(window_ms, last_ms)))
        transfers += found
    cover(context.memory, (each.token for each in transfers))
    context.memory[_LAST] = reply.received_ms
    until = (reply.received_ms, reply.received_ms)
    seen = watched("transfers", SPEC.name, context.memory, context.tokens, until)
    return [*untold(transfers, _identity, context.memory), *(seen if is_all else ())]


def _identity(transfer: Transfer) -> str:
    return " ".join(transfer.key)


def _transfer(row: Mapping[str, Any], received_ms: int) -> Transfer | None:
    """Return the transfer of a row; None when what makes it one is missing."""
    token, blockchain = ticker(row.get("tokenSymbol")), parties.chain(row.get("chain"))
    amount = number(row.get("unitValue"))
    tx_hash = text(row.get("transactionHash")) or text(row.get("txid"))
    observed_ms = past_ms(ms_of_iso(row.get("blockTimestamp")), received_ms)
    if not (token and blockchain and tx_hash and amount > 0) or observed_ms is None:
        return None
    return Transfer(
        token=parties.coin(token),
        amount=amount,
        amount_usd=dollars(row.get("historicalUSD")),
        origin=_end(row, "fromAddress", blockchain),
        target=_end(row, "toAddress", blockchain),
        blockchain=blockchain,
        tx_hash=tx_hash,
        observed_at_ms=observed_ms,
        available_at_ms=received_ms,
    )


def _end(row: Mapping[str, Any], key: str, blockchain: str) -> Party:
    """Return an end of a transfer; where it has many, the first one tells whose they are."""
    end, many = row.get(key), row.get(f"{key}es")
    if end is None and isinstance(many, list) and many:
        end = part(many[0], "address")
    owner_type = text(part(end, "arkhamEntity", "type"))
    kind: PartyKind = "exchange" if owner_type in _EXCHANGE_TYPES else "wallet"
    name = part(end, "arkhamEntity", "name") or part(end, "arkhamLabel", "name")
    return parties.party(kind, name, parties.address(part(end, "address"), blockchain))
