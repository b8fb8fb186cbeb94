"""GDELT DOC 2.0: the mean tone of the world's press on crypto, every 15 minutes.

The shape is that of https://blog.gdeltproject.org/gdelt-doc-2-0-api-debuts/ (mode timelinetone):
up to three days come in steps of 15 minutes. What GDELT refuses it refuses in plain text, often
with status 200; and it sheds load with 429 even when asked rarely.
"""

from datetime import UTC, datetime
from typing import Any, Final

from external_layers.sources.facts import MARKET, NEWS_TONE, Reading
from external_layers.sources.reading import mapping, number, part, rows, some
from external_layers.sources.spec import CallRate, Client, FetchContext, Provider, SourceSpec
from scalp_strategy.errors import RateLimited

SPEC: Final = SourceSpec(
    name="gdelt",
    provider=Provider(
        name="gdelt",
        url="https://api.gdeltproject.org",
        rates=(CallRate(1, 6.0),),  # one per 5 s is allowed
        licence="free for any use, with attribution to the GDELT Project",
        docs="https://www.gdeltproject.org/about.html#termsofuse",
    ),
    layer="sentiment",
    feeds=("social_sentiment",),
    every_s=900.0,
    timeout_s=45.0,
    history="revised",
    honesty="Three months can be had, but late articles have been added to each step since.",
)
_PARAMS: Final = {
    "query": "(bitcoin OR cryptocurrency OR ethereum) sourcelang:english",
    "mode": "timelinetone",
    "format": "json",
    "timespan": "1d",
}
_STEP_MS: Final = 900_000
_KEPT: Final = 16  # steps: four hours
_TIME: Final = "%Y%m%dT%H%M%SZ"
_TIME_LENGTH: Final = 16
_STRONG: Final = 10.0  # tone in practice lies between -10 and 10
_REFUSAL: Final = b"limit requests"
_REFUSAL_WITHIN: Final = 300
_MS_PER_S: Final = 1_000


def parse(payload: Any, received_ms: int) -> list[Reading]:
    """Return the tone of the last four hours, -1..1, each step as of its end.

    The step that still runs is left out, and so is a tone of exactly 0: no article was there.

    Raises
    ------
    PayloadError
        When it is no such answer, or no step of it is readable.
    """
    timelines = rows(mapping(payload, "gdelt").get("timeline") or [], "gdelt")
    given = rows(part(timelines[0], "data"), "gdelt") if timelines else []
    steps = [(end_ms, number(row.get("value"))) for row in given if (end_ms := _end(row))]
    readable = sorted((end_ms, tone) for end_ms, tone in steps if abs(tone) < float("inf"))
    some(readable, given, "gdelt")
    over = [(end_ms, tone) for end_ms, tone in readable if end_ms <= received_ms and tone != 0.0]
    return [
        Reading(NEWS_TONE, MARKET, max(-1.0, min(1.0, tone / _STRONG)), end_ms, received_ms)
        for end_ms, tone in over[-_KEPT:]
    ]


async def fetch(client: Client, context: FetchContext) -> list[Reading]:
    """Return the tone of the last four hours.

    Raises
    ------
    RateLimited
        Also when that is said in plain text with status 200.
    """
    del context
    reply = await client.get("/api/v2/doc/doc", _PARAMS)
    if _REFUSAL in reply.body[:_REFUSAL_WITHIN].lower():
        raise RateLimited("gdelt: asks for fewer calls")
    return parse(reply.json(), reply.received_ms)


def _end(row: Any) -> int | None:
    """Return when a step ends, None when its time is unreadable."""
    written = row.get("date")
    if not isinstance(written, str) or len(written) != _TIME_LENGTH:
        return None
    try:
        start = datetime.strptime(written, _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
    return round(start.timestamp()) * _MS_PER_S + _STEP_MS
