"""CryptoQuant: net flow of BTC, ETH and stablecoins into all exchanges, by the hour.

The shapes are those of https://userguide.cryptoquant.com (`exchange-flows/netflow`).
"""

from collections.abc import Mapping
from math import isnan
from typing import Any, Final

from external_layers.sources.facts import Fact, Reading
from external_layers.sources.netflow import hours_to_ask, note_hours, outflow
from external_layers.sources.reading import ms_of_iso, part, rows, some
from external_layers.sources.spec import (
    CallRate,
    Client,
    FetchContext,
    Params,
    Provider,
    SourceSpec,
)

KEY: Final = "CRYPTOQUANT_API_KEY"
SPEC: Final = SourceSpec(
    name="cryptoquant",
    provider=Provider(
        name="cryptoquant",
        url="https://api.cryptoquant.com",
        rates=(CallRate(8, 60.0), CallRate(1_000, 86_400.0)),
        licence="paid plan (Professional and above); no redistribution",
        docs="https://userguide.cryptoquant.com",
    ),
    layer="onchain",
    feeds=("exchange_flow", "stablecoin_flow"),
    every_s=900.0,
    history="revised",
    honesty="New exchange wallets change the past every Tuesday: what was known then is lost.",
    keys=(KEY,),
    needs_key=True,
    calls=4,
)

# Token -> path, the parameters that name it, and whether its unit is a dollar.
_ASKED: Final[Mapping[str, tuple[str, Params, bool]]] = {
    "BTC": ("/v1/btc/exchange-flows/netflow", {}, False),
    "ETH": ("/v1/eth/exchange-flows/netflow", {}, False),
    "USDT": ("/v1/stablecoin/exchange-flows/netflow", {"token": "usdt_eth"}, True),
    "USDC": ("/v1/stablecoin/exchange-flows/netflow", {"token": "usdc"}, True),
}


def parse(
    payload: Any, received_ms: int, asset: str = "USDT", price_usd: float = 1.0
) -> list[Reading]:
    """Return the hours of a netflow answer that are over, oldest first.

    Hours are valued at `price_usd`, the price now, since the answer counts coins.

    Raises
    ------
    PayloadError
        When it is no such answer, or no hour of it is readable.
    """
    hours = rows(part(payload, "result", "data"), SPEC.name)
    found = [
        each
        for row in hours
        if (
            each := outflow(asset, _start_ms(row), row.get("netflow_total"), price_usd, received_ms)
        )
    ]
    some(found, hours[1:], SPEC.name)  # the only one may be the hour that is not over
    return sorted(found, key=lambda each: each.observed_at_ms)


async def fetch(client: Client, context: FetchContext) -> list[Fact]:
    """Return the newest hours of each token that can be valued."""
    facts: list[Fact] = []
    headers = {"Authorization": f"Bearer {context.keys[KEY]}"}
    for token, (path, named, is_dollar) in _ASKED.items():
        price_usd = 1.0 if is_dollar else context.price(token)
        if isnan(price_usd):
            continue
        hours = hours_to_ask(context.memory, token, context.now_ms())
        params = {"exchange": "all_exchange", "window": "hour", "limit": hours, **named}
        reply = await client.get(path, params, headers)
        facts += parse(reply.json(), reply.received_ms, token, price_usd)
    note_hours(context.memory, facts)
    return facts


def _start_ms(row: Mapping[str, Any]) -> int | None:
    return ms_of_iso(row.get("datetime"))
