"""TronGrid: transfers of USDT on TRON, by the exchanges' busy wallets.

Four wallets each twenty seconds, all of them in about two minutes, some 17,000 calls a day (of the
100,000 that an account has). It works without a key, at a pace the provider may slow; the key goes
in a header. Of a wallet with more than 600 new transfers between two looks the oldest are missed,
and then the source does not claim to have watched.

The shapes are those of
https://developers.tron.network/reference/get-trc20-transaction-info-by-account-address.
"""

from collections.abc import Mapping
from typing import Any, Final

from external_layers.sources import tokens, wallets
from external_layers.sources.facts import Fact, Transfer, Watched
from external_layers.sources.reading import mapping, number, part, past_ms, rows, some, text
from external_layers.sources.rotation import (
    forget_others,
    mark,
    note_marks,
    note_seen,
    seen_until,
    turns,
)
from external_layers.sources.spec import (
    CallRate,
    Client,
    FetchContext,
    Params,
    Provider,
    Reply,
    SourceSpec,
)
from external_layers.sources.transfers import (
    Known,
    Move,
    everything,
    known_of,
    merged,
    recent,
    units,
)
from scalp_strategy.errors import PayloadError, RateLimited, SourceRejected

KEY: Final = "TRONGRID_API_KEY"
_CALLS: Final = 4  # of one fetch
SPEC: Final = SourceSpec(
    name="tron",
    provider=Provider(
        name="trongrid",
        url="https://api.trongrid.io",
        rates=(CallRate(1, 1.0), CallRate(50_000, 86_400.0)),
        licence="public service; free key raises the limits",
        docs="https://developers.tron.network/reference/rate-limits",
    ),
    layer="onchain",
    feeds=("whale_movements", "stablecoin_flow"),
    every_s=20.0,
    history="revised",
    honesty="The chain keeps its past, but owners of addresses are those known today.",
    keys=(KEY,),
    calls=_CALLS,
)
CHAIN: Final = "tron"
_TOKEN: Final = "USDT"  # noqa: S105
_HEADER: Final = "TRON-PRO-API-KEY"
_PAGE: Final = 200  # the most that the provider gives
_MOST_PAGES: Final = 3
_LONGEST: Final = 100  # characters of an address or a hash
_MS_PER_S: Final = 1_000


def parse(payload: Any, received_ms: int, known: Known | None = None) -> list[Transfer]:
    """Return the transfers of a `/v1/accounts/:address/transactions/trc20` answer.

    Raises
    ------
    PayloadError
        When it is no such answer, or no row of it is readable.
    """
    answer = mapping(payload, SPEC.name)
    if answer.get("success") is not True:
        raise PayloadError(f"{SPEC.name}: no success")
    known = known or everything(CHAIN)
    found = rows(answer.get("data"), SPEC.name)
    some([row for row in found if text(row.get("transaction_id"))], found, SPEC.name)
    moves = [each for row in found if (each := _move(row, received_ms, known))]
    told = merged(known.transfer(move, received_ms) for move in moves)
    return [each for each in told if known.is_told(each)]


async def fetch(client: Client, context: FetchContext) -> list[Fact]:
    """Return the new transfers of the wallets whose turn it is, and what has been looked at."""
    memory, at_ms = context.memory, context.now_ms()
    asked = wallets.asked(CHAIN, context.settings.onchain)
    forget_others(memory, asked)
    chosen = turns(memory, asked, _CALLS)
    context.deliver(())
    facts: list[Fact] = []
    marks: dict[str, int] = {}
    whole: list[str] = []
    for address in chosen:
        found, marks[address], is_whole = await _ask(client, context, address)
        facts += found
        whole += [address] if is_whole else []
    note_marks(memory, marks)
    note_seen(memory, whole, at_ms)
    facts = recent(facts, context)
    until_ms = seen_until(memory, asked)
    if until_ms is not None:
        facts.append(Watched("transfers", _TOKEN, SPEC.name, until_ms, at_ms))
    return facts


async def _ask(
    client: Client, context: FetchContext, address: str
) -> tuple[list[Transfer], int, bool]:
    """Return a wallet's transfers since the last look, the newest's time, and if they are all."""
    kept_ms = context.settings.onchain.raw_event_ttl_s * _MS_PER_S
    last_ms = mark(context.memory, address)
    start_ms = max(last_ms, context.now_ms() - kept_ms)
    params: dict[str, str | int] = {
        "only_confirmed": "true",
        "limit": _PAGE,
        "contract_address": _contract(),
        "min_timestamp": start_ms,
        "order_by": "block_timestamp,desc",
    }
    known = known_of(context, CHAIN)
    found: list[Transfer] = []
    newest_ms = start_ms
    for _ in range(_MOST_PAGES if last_ms else 1):  # the past before the first look is not needed
        reply = await _page(client, context, address, params)
        payload = reply.json()
        found += parse(payload, reply.received_ms, known)
        listed = rows(payload["data"], SPEC.name)
        times = (number(row.get("block_timestamp")) for row in listed)
        past = [int(at_ms) for at_ms in times if at_ms <= reply.received_ms]
        newest_ms = max([newest_ms, *past])
        further = text(part(payload, "meta", "fingerprint"))
        if len(listed) < _PAGE or not further:
            break
        params["fingerprint"] = further
    return found, newest_ms, len(listed) < _PAGE


async def _page(client: Client, context: FetchContext, address: str, params: Params) -> Reply:
    key = context.keys.get(KEY)
    path = f"/v1/accounts/{address}/transactions/trc20"
    try:
        return await client.get(path, params, {_HEADER: key} if key else None)
    except SourceRejected:
        if key:
            raise
        # Without a key a refusal means: too fast. The provider answers 403 for half a minute.
        raise RateLimited(f"{SPEC.name}: refused without a key") from None


def _contract() -> str:
    coins = tokens.coins(CHAIN)
    return next(contract for contract, coin in coins.items() if coin.ticker == _TOKEN)


def _move(row: Mapping[str, Any], received_ms: int, known: Known) -> Move | None:
    """Return what a row moves; None when that is nothing, or no listed token."""
    coin = known.coins.get(text(part(row, "token_info", "address"), _LONGEST))
    at_ms = number(row.get("block_timestamp"))
    observed_ms = past_ms(int(at_ms) if at_ms > 0 else None, received_ms)
    tx_hash = text(row.get("transaction_id"), _LONGEST)
    origin, target = text(row.get("from"), _LONGEST), text(row.get("to"), _LONGEST)
    if coin is None or observed_ms is None or row.get("type") != "Transfer":
        return None
    amount = units(row.get("value"), coin.decimals)
    if not (amount > 0 and tx_hash and origin and target):
        return None
    return Move(coin.ticker, amount, origin, target, CHAIN, tx_hash, observed_ms)
