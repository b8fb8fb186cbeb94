"""LunarCrush: how much is said about coins on social platforms, how well, and how widely read.

The shapes are those of https://lunarcrush.com/developers/api (`public/coins/list/v2`).
"""

from collections.abc import Collection, Mapping
from math import isnan, nan
from typing import Any, Final

from external_layers.sentiment.names import plain_token
from external_layers.sources.facts import Fact, Mentions
from external_layers.sources.reading import (
    mapping,
    ms_of_seconds,
    number,
    part,
    past_ms,
    rows,
    some,
    ticker,
)
from external_layers.sources.spec import CallRate, Client, FetchContext, Provider, SourceSpec

KEY: Final = "LUNARCRUSH_API_KEY"
SPEC: Final = SourceSpec(
    name="lunarcrush",
    provider=Provider(
        name="lunarcrush",
        url="https://lunarcrush.com",
        rates=(CallRate(8, 60.0), CallRate(1_500, 86_400.0)),
        licence="paid plan; attribution, no redistribution",
        docs="https://lunarcrush.com/developers/api",
    ),
    layer="sentiment",
    feeds=("social_sentiment",),
    every_s=300.0,
    history="revised",
    honesty="Past hours can be had, counted anew after deletions and new filters for spam.",
    keys=(KEY,),
    needs_key=True,
)

_PATH: Final = "/api4/public/coins/list/v2"
_MOST_COINS: Final = 1_000
_DAY_S: Final = 86_400.0
_EVEN: Final = 50.0  # percent of positive posts at which neither side has more


def parse(payload: Any, received_ms: int, tokens: Collection[str] = ()) -> list[Mentions]:
    """Return what is said about coins; with `tokens`, about these only.

    ``polarity = (percent positive - 50) / 50``. The influence of a coin's posts is their reach,
    interactions per post, over that of all posts of the answer. Where coins share a ticker, the
    largest is meant.

    Raises
    ------
    PayloadError
        When it is no such answer, or no row of it is readable.
    """
    found = rows(mapping(payload, SPEC.name).get("data"), SPEC.name)
    largest: dict[str, Mapping[str, Any]] = {}
    for row in sorted(found, key=_rank, reverse=True):
        if number(row.get("social_volume_24h")) >= 0:
            largest[ticker(row.get("symbol"))] = row
    largest.pop("", None)
    some(list(largest), found, SPEC.name)
    wanted = {plain_token(token) for token in tokens} or set(largest)
    observed_ms = past_ms(ms_of_seconds(part(payload, "config", "generated")), received_ms)
    instants = (received_ms if observed_ms is None else observed_ms, received_ms)
    usual = _reach(list(largest.values()))
    return [
        _mentions(token, largest[token], usual, instants) for token in largest if token in wanted
    ]


async def fetch(client: Client, context: FetchContext) -> list[Fact]:
    """Return what is said about the watched tokens."""
    params: dict[str, str | int] = {"sort": "market_cap_rank", "limit": _MOST_COINS}
    headers = {"Authorization": f"Bearer {context.keys[KEY]}"}
    reply = await client.get(_PATH, params, headers)
    return list(parse(reply.json(), reply.received_ms, context.tokens))


def _rank(row: Mapping[str, Any]) -> float:
    rank = number(row.get("market_cap_rank"))
    return float("inf") if isnan(rank) else rank


def _reach(found: list[Mapping[str, Any]]) -> float:
    """Return interactions per post of some rows; NaN when they had no posts."""
    pairs = [
        (number(row.get("interactions_24h")), number(row.get("social_volume_24h"))) for row in found
    ]
    known = [(reached, posts) for reached, posts in pairs if reached >= 0 and posts > 0]
    posts = sum(posts for _, posts in known)
    return sum(reached for reached, _ in known) / posts if posts else nan


def _mentions(
    token: str, row: Mapping[str, Any], usual: float, instants: tuple[int, int]
) -> Mentions:
    positive_pct = number(row.get("sentiment"))
    is_percent = 0 <= positive_pct <= 2 * _EVEN
    return Mentions(
        platform=SPEC.name,
        token=token,
        count=number(row.get("social_volume_24h")),
        span_s=_DAY_S,
        polarity=(positive_pct - _EVEN) / _EVEN if is_percent else nan,
        observed_at_ms=instants[0],
        available_at_ms=instants[1],
        influence=number(_reach([row]) / usual) if usual > 0 else nan,
    )
