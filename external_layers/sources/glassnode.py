"""Glassnode: net flow of BTC, ETH and stablecoins into all exchanges, by the hour, in dollars.

The shapes are those of https://docs.glassnode.com (`transactions/transfers_volume_exchanges_net`).
"""

from typing import Any, Final

from external_layers.sources.facts import Fact, Reading
from external_layers.sources.netflow import HOUR_MS, hours_to_ask, note_hours, outflow
from external_layers.sources.reading import ms_of_seconds, rows, some
from external_layers.sources.spec import CallRate, Client, FetchContext, Provider, SourceSpec

KEY: Final = "GLASSNODE_API_KEY"
SPEC: Final = SourceSpec(
    name="glassnode",
    provider=Provider(
        name="glassnode",
        url="https://api.glassnode.com",
        rates=(CallRate(60, 60.0), CallRate(1_000, 86_400.0)),
        licence="paid plan with API access; internal use, no redistribution",
        docs="https://docs.glassnode.com/basic-api/endpoints/transactions",
    ),
    layer="onchain",
    feeds=("exchange_flow", "stablecoin_flow"),
    every_s=900.0,
    history="revised",
    honesty="Labels of wallets change the past; only its point-in-time metrics do not.",
    keys=(KEY,),
    needs_key=True,
    calls=4,
)

_PATH: Final = "/v1/metrics/transactions/transfers_volume_exchanges_net"
_TOKENS: Final = ("BTC", "ETH", "USDT", "USDC")
_MS_PER_S: Final = 1_000


def parse(payload: Any, received_ms: int, asset: str = "BTC") -> list[Reading]:
    """Return the hours of a metric's answer that are over, oldest first.

    Raises
    ------
    PayloadError
        When it is no such answer, or no hour of it is readable.
    """
    hours = rows(payload, SPEC.name)
    found = [
        each
        for row in hours
        if (each := outflow(asset, ms_of_seconds(row.get("t")), row.get("v"), 1.0, received_ms))
    ]
    some(found, hours[1:], SPEC.name)  # the only one may be the hour that is not over
    return sorted(found, key=lambda each: each.observed_at_ms)


async def fetch(client: Client, context: FetchContext) -> list[Fact]:
    """Return the newest hours of each token."""
    facts: list[Fact] = []
    headers = {"X-Api-Key": context.keys[KEY]}
    for token in _TOKENS:
        now_ms = context.now_ms()
        start_ms = now_ms - hours_to_ask(context.memory, token, now_ms) * HOUR_MS
        params = {"a": token, "i": "1h", "c": "USD", "s": start_ms // _MS_PER_S}
        reply = await client.get(_PATH, params, headers)
        facts += parse(reply.json(), reply.received_ms, token)
    note_hours(context.memory, facts)
    return facts
