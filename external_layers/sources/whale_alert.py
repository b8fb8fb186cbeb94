"""Whale Alert, asked: large transfers on some fifteen chains, with the owners of addresses.

The shapes are those of https://docs.whale-alert.io (v1, which is still served to old plans; new
ones get the stream, see `whale_alert_stream`).
"""

from collections.abc import Mapping
from typing import Any, Final

from external_layers.sources import parties
from external_layers.sources.facts import Fact, Party, PartyKind, Transfer
from external_layers.sources.reading import (
    dollars,
    mapping,
    ms_of_seconds,
    number,
    part,
    past_ms,
    rows,
    some,
    text,
    ticker,
)
from external_layers.sources.spec import (
    CallRate,
    Client,
    FetchContext,
    Params,
    Provider,
    SourceSpec,
)
from external_layers.sources.watching import cover, watched
from scalp_strategy.errors import PayloadError

KEY: Final = "WHALE_ALERT_API_KEY"
SPEC: Final = SourceSpec(
    name="whale_alert",
    provider=Provider(
        name="whale_alert",
        url="https://api.whale-alert.io",
        rates=(CallRate(8, 60.0),),
        licence="paid plan; personal use, no redistribution",
        docs="https://docs.whale-alert.io",
    ),
    layer="onchain",
    feeds=("whale_movements", "exchange_flow", "stablecoin_flow"),
    every_s=30.0,
    history="revised",
    honesty="A month can be had, but owners of addresses are those known today.",
    keys=(KEY,),
    needs_key=True,
)

# Which end of what is no plain transfer is the issuer or a contract of his; None = moves nothing.
ISSUER_END: Final[Mapping[str, str | None]] = {
    "mint": "origin",
    "unlock": "origin",
    "burn": "target",
    "lock": "target",
    "freeze": None,
    "unfreeze": None,
}
_MOST_PAGES: Final = 3
_PAGE: Final = 100
_STATUS_EVERY_MS: Final = 86_400_000
_MS_PER_S: Final = 1_000
_CURSOR_LENGTH: Final = 200


def parse(payload: Any, received_ms: int) -> list[Transfer]:
    """Return the transfers of a `/v1/transactions` answer; none when there were none.

    Raises
    ------
    PayloadError
        When it is no such answer, or no row of it is readable.
    """
    answer = mapping(payload, "whale_alert")
    found = rows(answer.get("transactions") or [], "whale_alert")
    moving = [row for row in found if _moves(row)]
    transfers = [each for row in moving if (each := _transfer(row, received_ms))]
    some(transfers, moving, "whale_alert")
    if not found and answer.get("result") != "success":
        raise PayloadError("whale_alert: neither transactions nor success")
    return transfers


def parse_covered(payload: Any) -> set[str]:
    """Return the tokens that a `/v1/status` answer says are followed.

    Raises
    ------
    PayloadError
        When it is no such answer.
    """
    chains = rows(part(payload, "blockchains"), "whale_alert status")
    names = [each.get("symbols") for each in chains if each.get("status") == "connected"]
    symbols = {ticker(symbol) for each in names if isinstance(each, list) for symbol in each}
    return symbols - {""}


async def fetch(client: Client, context: FetchContext) -> list[Fact]:
    """Return the transfers since the last fetch, and what has been looked at."""
    await _learn_coverage(client, context)
    memory = context.memory
    start_ms = context.now_ms() - context.settings.onchain.whale_window_s * _MS_PER_S
    is_recent = number(memory.get("at_ms")) >= start_ms  # an older cursor points before `start`
    cursor = text(memory.get("cursor"), _CURSOR_LENGTH) if is_recent else ""
    facts: list[Fact] = []
    for _ in range(_MOST_PAGES):
        reply = await client.get("/v1/transactions", _question(context, start_ms, cursor))
        payload = reply.json()
        transfers = parse(payload, reply.received_ms)
        facts += transfers
        cursor = text(payload.get("cursor"), _CURSOR_LENGTH) or cursor
        if is_whole := len(payload.get("transactions") or []) < _PAGE:
            break
    told_ms = max((each.observed_at_ms for each in transfers), default=start_ms)
    until = (reply.received_ms if is_whole else told_ms, reply.received_ms)
    facts += watched("transfers", SPEC.name, memory, context.tokens, until)
    memory.update(cursor=cursor, at_ms=reply.received_ms)
    return facts


def _question(context: FetchContext, start_ms: int, cursor: str) -> Params:
    params: dict[str, str | int] = {
        "api_key": context.keys[KEY],
        "start": start_ms // _MS_PER_S,
        "min_value": int(context.settings.onchain.min_transfer_usd),
        "limit": _PAGE,
    }
    return {**params, "cursor": cursor} if cursor else params


async def _learn_coverage(client: Client, context: FetchContext) -> None:
    memory, now_ms = context.memory, context.now_ms()
    if now_ms - number(memory.get("status_ms")) < _STATUS_EVERY_MS:
        return
    reply = await client.get("/v1/status", {"api_key": context.keys[KEY]})
    cover(memory, parse_covered(reply.json()))
    memory["status_ms"] = now_ms


def _moves(row: Mapping[str, Any]) -> bool:
    return ISSUER_END.get(text(row.get("transaction_type")), "") is not None


def _transfer(row: Mapping[str, Any], received_ms: int) -> Transfer | None:
    """Return the transfer of a row; None when what makes it one is missing."""
    token, blockchain = ticker(row.get("symbol")), parties.chain(row.get("blockchain"))
    amount, tx_hash = number(row.get("amount")), text(row.get("hash"))
    observed_ms = past_ms(ms_of_seconds(row.get("timestamp")), received_ms)
    if not (token and blockchain and tx_hash and amount > 0) or observed_ms is None:
        return None
    kind = text(row.get("transaction_type"))
    return Transfer(
        token=parties.coin(token),
        amount=amount,
        amount_usd=dollars(row.get("amount_usd")),
        origin=_end(row.get("from"), blockchain, is_issuer=ISSUER_END.get(kind) == "origin"),
        target=_end(row.get("to"), blockchain, is_issuer=ISSUER_END.get(kind) == "target"),
        blockchain=blockchain,
        tx_hash=tx_hash,
        observed_at_ms=observed_ms,
        available_at_ms=received_ms,
    )


def _end(value: Any, blockchain: str, *, is_issuer: bool) -> Party:
    kind: PartyKind = "exchange" if part(value, "owner_type") == "exchange" else "wallet"
    where = parties.address(part(value, "address"), blockchain)
    return parties.party("issuer" if is_issuer else kind, part(value, "owner"), where)
