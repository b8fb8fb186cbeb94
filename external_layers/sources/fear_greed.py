"""Fear & Greed index of alternative.me: 0 = extreme fear, 100 = extreme greed, once a day.

The shape is that of https://alternative.me/crypto/fear-and-greed-index/ (API section): times are
epoch seconds of the day's start, numbers are texts, the newest comes first.
"""

from collections.abc import Mapping
from typing import Any, Final

from external_layers.sources.facts import FEAR_GREED, MARKET, Reading
from external_layers.sources.reading import ms_of_seconds, number, rows, some
from external_layers.sources.spec import CallRate, Client, FetchContext, Provider, SourceSpec

SPEC: Final = SourceSpec(
    name="fear_greed",
    provider=Provider(
        name="alternative_me",
        url="https://api.alternative.me",
        rates=(CallRate(6, 60.0),),
        licence="free, also commercially, with attribution next to the data",
        docs="https://alternative.me/crypto/fear-and-greed-index/",
    ),
    layer="sentiment",
    feeds=("fear_greed",),
    every_s=1_800.0,
    history="full",
    honesty="Every day since February 2018 can be had and is not known to be revised; "
    "a backtest knows a day's value when `backfill` says so, by default a day later.",
)
_PATH: Final = "/fng/"
_DAY_MS: Final = 86_400_000
_MS_PER_S: Final = 1_000
_HIGHEST: Final = 100.0


def parse(payload: Any, received_ms: int) -> list[Reading]:
    """Return the days of an answer, known since it was received.

    Raises
    ------
    PayloadError
        When it is no such answer, or no row of it is readable.
    """
    return [
        Reading(FEAR_GREED, MARKET, value, day_ms, received_ms)
        for day_ms, value in _days(payload)
        if day_ms <= received_ms
    ]


def history(payload: Any, delay_s: int) -> list[Reading]:
    """Return the days of an answer, the oldest first, each known some time after its start.

    Parameters
    ----------
    payload
        The whole answer, or the bare list of its rows.
    delay_s
        Seconds from a day's start until its value counts as known.

    Raises
    ------
    PayloadError
        As `parse`.
    """
    return [
        Reading(FEAR_GREED, MARKET, value, day_ms, day_ms + delay_s * _MS_PER_S)
        for day_ms, value in _days(payload)
    ]


async def fetch(client: Client, context: FetchContext) -> list[Reading]:
    """Return today's value and yesterday's."""
    del context
    reply = await client.get(_PATH, {"limit": 2})
    return parse(reply.json(), reply.received_ms)


async def fetch_history(client: Client, delay_s: int) -> list[Reading]:
    """Return every day there is, see `history`."""
    reply = await client.get(_PATH, {"limit": 0})
    return history(reply.json(), delay_s)


def _days(payload: Any) -> list[tuple[int, float]]:
    listed = payload.get("data") if isinstance(payload, Mapping) else payload
    given = rows(listed, "fear_greed")
    days = {day[0]: day[1] for row in given if (day := _day(row))}
    some(list(days), given, "fear_greed")
    return sorted(days.items())


def _day(row: Mapping[str, Any]) -> tuple[int, float] | None:
    instant_ms, value = ms_of_seconds(row.get("timestamp")), number(row.get("value"))
    if instant_ms is None or not 0.0 <= value <= _HIGHEST:
        return None
    return instant_ms // _DAY_MS * _DAY_MS, value
