"""CoinGecko's view of the whole market: the share of BTC and the total capitalisation.

The shape is that of https://docs.coingecko.com/reference/crypto-global. A demo key is optional; it
raises the limit.
"""

from collections.abc import Mapping
from typing import Any, Final

from external_layers.sources.facts import BTC_DOMINANCE, MARKET, TOTAL_CAP, Reading
from external_layers.sources.reading import mapping, ms_of_seconds, number, part, past_ms
from external_layers.sources.spec import CallRate, Client, FetchContext, Provider, SourceSpec
from scalp_strategy.errors import PayloadError

KEY: Final = "COINGECKO_API_KEY"
SPEC: Final = SourceSpec(
    name="coingecko",
    provider=Provider(
        name="coingecko",
        url="https://api.coingecko.com",
        rates=(CallRate(4, 60.0), CallRate(300, 86_400.0)),  # a demo key has 10,000 a month
        licence="free for personal use, attribution to CoinGecko",
        docs="https://www.coingecko.com/en/api_terms",
    ),
    layer="sentiment",
    feeds=("market_regime",),
    every_s=600.0,
    history="none",
    honesty="Only the present is free; the past of dominance and total cap comes from files.",
    keys=(KEY,),
)
_WHOLE: Final = 100.0  # percent
_DAY_MS: Final = 86_400_000


def parse(payload: Any, received_ms: int) -> list[Reading]:
    """Return BTC's dominance in percent and the total capitalisation in dollars.

    They are of the answer's `updated_at`; where it names none, of when it was received. What the
    total was a day before follows from its change: so the trend is known from the first answer on.

    Raises
    ------
    PayloadError
        When neither is there, or its time is absurd.
    """
    data = mapping(part(payload, "data"), "coingecko")
    observed_ms = _observed(data.get("updated_at"), received_ms)
    dominance = number(part(data, "market_cap_percentage", "btc"))
    total_cap = number(part(data, "total_market_cap", "usd"))
    found = []
    if 0.0 < dominance <= _WHOLE:
        found.append(Reading(BTC_DOMINANCE, MARKET, dominance, observed_ms, received_ms))
    if total_cap > 0.0:
        found.append(Reading(TOTAL_CAP, MARKET, total_cap, observed_ms, received_ms))
        found += _day_before(total_cap, data, (observed_ms, received_ms))
    if not found:
        raise PayloadError("coingecko: neither dominance nor total cap")
    return found


async def fetch(client: Client, context: FetchContext) -> list[Reading]:
    """Return both as they are now."""
    key = context.keys.get(KEY)
    headers = {"x-cg-demo-api-key": key} if key else None
    reply = await client.get("/api/v3/global", headers=headers)
    return parse(reply.json(), reply.received_ms)


def _day_before(
    total_cap: float, data: Mapping[str, Any], times_ms: tuple[int, int]
) -> list[Reading]:
    change_pct = number(data.get("market_cap_change_percentage_24h_usd"))
    observed_ms, received_ms = times_ms
    if not change_pct > -_WHOLE or observed_ms < _DAY_MS:
        return []
    before = total_cap / (1.0 + change_pct / _WHOLE)
    return [Reading(TOTAL_CAP, MARKET, before, observed_ms - _DAY_MS, received_ms)]


def _observed(updated_at: Any, received_ms: int) -> int:
    if updated_at is None:
        return received_ms
    observed_ms = past_ms(ms_of_seconds(updated_at), received_ms)
    if observed_ms is None:
        raise PayloadError("coingecko: updated_at is no past time")
    return observed_ms
