"""X: how often tokens are named, by the hour, a few tokens at a time.

The shapes are those of https://docs.x.com/x-api/posts/counts. Counts are paid by the request and
posts by the piece, so posts are not read: what is said about a token is unknown here, only how
often it is named.
"""

from collections.abc import Mapping
from math import nan
from typing import Any, Final

from external_layers.sentiment.names import names_of, plain_token
from external_layers.sources.facts import Fact, Mentions
from external_layers.sources.reading import mapping, ms_of_iso, number, part, rows, some
from external_layers.sources.spec import CallRate, Client, FetchContext, Provider, SourceSpec

KEY: Final = "TWITTER_BEARER_TOKEN"
TOKENS_A_FETCH: Final = 4
SPEC: Final = SourceSpec(
    name="x_mentions",
    provider=Provider(
        name="x",
        url="https://api.x.com",
        rates=(CallRate(60, 900.0), CallRate(500, 86_400.0)),
        licence="paid by the request; counts may be kept, posts may not be passed on",
        docs="https://docs.x.com/x-api/posts/counts/introduction",
    ),
    layer="sentiment",
    feeds=("social_sentiment",),
    every_s=900.0,
    history="none",
    honesty="Only seven days back, and deleted posts no longer count.",
    keys=(KEY,),
    needs_key=True,
    calls=TOKENS_A_FETCH,
)

_PATH: Final = "/2/tweets/counts/recent"
_HOUR_MS: Final = 3_600_000
_MS_PER_S: Final = 1_000
_LONGEST_QUERY: Final = 400
_ONLY: Final = "lang:en -is:retweet"


def parse(payload: Any, received_ms: int, asset: str = "BTC", since_ms: int = 0) -> list[Mentions]:
    """Return the whole hours of a counts answer that ended after `since_ms`, oldest first.

    Raises
    ------
    PayloadError
        When it is no such answer, or no hour of it is readable.
    """
    hours = rows(mapping(payload, SPEC.name).get("data"), SPEC.name)
    spans = [span for row in hours if (span := _span(row))]
    some(spans, hours, SPEC.name)
    return [
        Mentions(SPEC.name, asset, count, _HOUR_MS / _MS_PER_S, nan, ended_ms, received_ms)
        for began_ms, ended_ms, count in sorted(spans)
        if ended_ms - began_ms == _HOUR_MS and since_ms < ended_ms <= received_ms
    ]


def query(token: str) -> str:
    """Return the search for a token: any of its names, in English, no reposts.

    Examples
    --------
    >>> query("OP")
    '(#OP OR "op mainnet" OR "optimism network" OR "optimism foundation") lang:en -is:retweet'
    """
    first, *names = names_of(token)
    parts = [first.replace("$", "#"), *(f'"{name}"' for name in names)]
    while len(" OR ".join(parts)) > _LONGEST_QUERY:
        parts.pop()
    return f"({' OR '.join(parts)}) {_ONLY}"


async def fetch(client: Client, context: FetchContext) -> list[Fact]:
    """Return the new hours of the tokens that were not asked about for longest."""
    asked, until = (_times(context.memory, name) for name in ("asked", "until"))
    tokens = sorted({plain_token(token) for token in context.tokens})
    turn = sorted(tokens, key=lambda token: asked.get(token, 0))[:TOKENS_A_FETCH]
    # Their turn is had even if the fetch fails: a token that is refused must not be asked for ever.
    asked |= dict.fromkeys(turn, context.now_ms())
    context.memory["asked"] = asked
    context.deliver(())
    facts: list[Fact] = []
    for token in turn:
        params = {"query": query(token), "granularity": "hour"}
        headers = {"Authorization": f"Bearer {context.keys[KEY]}"}
        reply = await client.get(_PATH, params, headers)
        found = parse(reply.json(), reply.received_ms, token, until.get(token, 0))
        facts += found
        asked[token] = reply.received_ms
        until[token] = found[-1].observed_at_ms if found else until.get(token, 0)
    for name, times in (("asked", asked), ("until", until)):
        context.memory[name] = {token: times[token] for token in tokens if token in times}
    return facts


def _span(row: Mapping[str, Any]) -> tuple[int, int, float] | None:
    began_ms, ended_ms = ms_of_iso(row.get("start")), ms_of_iso(row.get("end"))
    count = number(row.get("tweet_count"))
    return (began_ms, ended_ms, count) if began_ms and ended_ms and count >= 0 else None


def _times(memory: dict[str, Any], name: str) -> dict[str, int]:
    known = memory.get(name)
    names = known if isinstance(known, dict) else {}
    return {token: int(ms) for token in names if (ms := number(part(names, token))) >= 0}
