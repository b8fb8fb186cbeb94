"""Whale Alert, listened to: alerts of large transfers as they are seen.

The shapes are those of https://developer.whale-alert.io/documentation. A plan sends a hundred
alerts an hour, so only whales are asked for. The same transfer from `whale_alert` has the same key.
"""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

from external_layers.sources import parties
from external_layers.sources.facts import Fact, Party, PartyKind, Transfer, Watched
from external_layers.sources.reading import (
    dollars,
    json_of,
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
from external_layers.sources.spec import CallRate, Client, FetchContext, Provider, SourceSpec
from external_layers.sources.watching import cover, watched
from external_layers.sources.whale_alert import ISSUER_END, KEY
from scalp_strategy.errors import (
    PayloadError,
    RateLimited,
    ScalpError,
    SourceRejected,
    SourceUnavailable,
)

SPEC: Final = SourceSpec(
    name="whale_alert_stream",
    provider=Provider(
        name="whale_alert_stream",
        url="wss://leviathan.whale-alert.io",
        rates=(CallRate(30, 3_600.0),),
        licence="paid plan; personal use, no redistribution",
        docs="https://developer.whale-alert.io/documentation",
        max_mb=1.0,
    ),
    layer="onchain",
    feeds=("whale_movements", "exchange_flow", "stablecoin_flow"),
    every_s=120.0,
    history="none",
    honesty="Nothing but what was heard live; an hour's alerts beyond the plan are never sent.",
    keys=(KEY,),
    needs_key=True,
    is_stream=True,
)

_LEAST_USD: Final = 100_000  # the service takes no smaller limit
_KEY_WORDS: Final = ("key", "auth", "plan", "subscri")  # what an error for good speaks of
_MOST_UNREADABLE: Final = 5  # messages in a row, then the stream counts as broken
_CONFIRMED: Final = "subscribed_alerts"


def parse(payload: Any, received_ms: int) -> list[Transfer]:
    """Return the transfers of a message; none when it confirms the subscription.

    Raises
    ------
    PayloadError
        When it is neither a confirmation nor a readable alert.
    """
    alert = mapping(payload, SPEC.name)
    if alert.get("type") == _CONFIRMED:
        return []
    kind = text(alert.get("transaction_type"))
    if ISSUER_END.get(kind, "") is None:
        return []
    amounts = rows(alert.get("amounts"), SPEC.name)
    transfers = [each for row in amounts if (each := _transfer(alert, row, received_ms))]
    some(transfers, alert, SPEC.name)
    return transfers


async def fetch(client: Client, context: FetchContext) -> list[Fact]:
    """Deliver transfers as they come, until the connection ends.

    Raises
    ------
    SourceRejected
        When the service refuses the subscription.
    PayloadError
        When nothing readable comes any more.
    """
    least_usd = max(int(context.settings.onchain.whale_transfer_usd), _LEAST_USD)
    opening = {
        "type": "subscribe_alerts",
        "id": "scalp-layers",
        "tx_types": ["transfer", "mint", "burn"],
        "min_value_usd": least_usd,
    }
    unreadable = 0
    stream = client.messages(f"/ws?api_key={context.keys[KEY]}", [opening])
    async with aclosing(stream):
        async for body, received_ms in stream:
            try:
                transfers = _heard(body, received_ms)
            except PayloadError:
                unreadable += 1
                if unreadable >= _MOST_UNREADABLE:
                    raise
                continue
            unreadable = 0
            context.deliver([*transfers, *_seen(transfers, context, received_ms)])
    return []


def _seen(transfers: Sequence[Transfer], context: FetchContext, received_ms: int) -> list[Watched]:
    cover(context.memory, (each.token for each in transfers))
    until = (received_ms, received_ms)
    return watched("transfers", SPEC.name, context.memory, context.tokens, until)


def _heard(body: bytes, received_ms: int) -> list[Transfer]:
    payload = json_of(body)
    if (error := part(payload, "error")) is not None:
        raise _refusal(text(error).lower())
    return parse(payload, received_ms)


def _refusal(error: str) -> ScalpError:
    """Return what an error of the service asks for; its text is not repeated."""
    if "limit" in error:
        return RateLimited(f"{SPEC.name}: too many alerts or connections")
    if any(word in error for word in _KEY_WORDS):
        return SourceRejected(f"{SPEC.name}: the key was refused")
    return SourceUnavailable(f"{SPEC.name}: the subscription was refused")


def _transfer(
    alert: Mapping[str, Any], amount_row: Mapping[str, Any], received_ms: int
) -> Transfer | None:
    """Return the transfer of one of an alert's amounts; None when something needed is missing."""
    token, blockchain = ticker(amount_row.get("symbol")), parties.chain(alert.get("blockchain"))
    amount, tx_hash = number(amount_row.get("amount")), text(part(alert, "transaction", "hash"))
    observed_ms = past_ms(ms_of_seconds(alert.get("timestamp")), received_ms)
    if not (token and blockchain and tx_hash and amount > 0) or observed_ms is None:
        return None
    issuer = ISSUER_END.get(text(alert.get("transaction_type")))
    movement = _movement(alert, token)
    return Transfer(
        token=parties.coin(token),
        amount=amount,
        amount_usd=dollars(amount_row.get("value_usd")),
        origin=_end(alert.get("from"), movement.get("inputs"), blockchain, issuer == "origin"),
        target=_end(alert.get("to"), movement.get("outputs"), blockchain, issuer == "target"),
        blockchain=blockchain,
        tx_hash=tx_hash,
        observed_at_ms=observed_ms,
        available_at_ms=received_ms,
    )


def _movement(alert: Mapping[str, Any], token: str) -> Mapping[str, Any]:
    """Return what the transaction did with a token; empty when the alert does not say."""
    parts = part(alert, "transaction", "sub_transactions")
    for each in parts if isinstance(parts, list) else []:
        if ticker(part(each, "symbol")) == token:
            return mapping(each, SPEC.name)
    return {}


def _end(name: Any, entries: Any, blockchain: str, is_issuer: bool) -> Party:
    """Return an end of a transfer: named by the alert, described by the transaction."""
    listed = entries if isinstance(entries, list) else []
    places = {parties.address(part(each, "address"), blockchain) for each in listed}
    where = places.pop() if len(places) == 1 else ""
    owners = {
        text(part(each, "owner")).lower()
        for each in listed
        if part(each, "owner_type") == "exchange"
    }
    is_exchange = parties.is_exchange_name(name) or text(name).lower() in owners - {""}
    kind: PartyKind = "exchange" if is_exchange else "wallet"
    return parties.party("issuer" if is_issuer else kind, name, where)
