"""FRED and ALFRED: daily macro series, today and as they were known.

The shape is that of https://fred.stlouisfed.org/docs/api/fred/series_observations.html. Readings
have the source's name as subject, for changes are computed within one source only.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from functools import partial
from typing import Any, Final

from external_layers.sources.facts import DOLLAR_INDEX, SP500, TREASURY_10Y, VIX, Fact, Reading
from external_layers.sources.parts import facts_of_parts
from external_layers.sources.reading import mapping, ms_of_iso, number, rows, some
from external_layers.sources.spec import (
    CallRate,
    Client,
    FetchContext,
    Provider,
    SourceSpec,
)
from scalp_strategy.errors import SourceRejected

KEY: Final = "FRED_API_KEY"
SPEC: Final = SourceSpec(
    name="fred",
    provider=Provider(
        name="fred",
        url="https://api.stlouisfed.org",
        rates=(CallRate(30, 60.0),),  # 120 a minute are allowed
        licence="free key; S&P 500 and VIX are their owners', for personal use",
        docs="https://fred.stlouisfed.org/docs/api/terms_of_use.html",
        max_mb=32.0,
    ),
    layer="sentiment",
    feeds=("macro_correlation",),
    every_s=3_600.0,
    calls=4,
    history="full",
    honesty="ALFRED keeps what was known when; S&P 500 and VIX have no vintages, are not revised "
    "and count as known two days after.",
    keys=(KEY,),
    needs_key=True,
)
IDS: Final[Mapping[str, str]] = {
    SP500: "SP500",
    DOLLAR_INDEX: "DTWEXBGS",
    VIX: "VIXCLS",
    TREASURY_10Y: "DGS10",
}
_PATH: Final = "/fred/series/observations"
_LAST: Final = 10  # observations of a live answer
_MISSING: Final = "."
_DAY_MS: Final = 86_400_000
# Days from an observation to when it was surely known, where no vintage tells: the S&P 500 is there
# in the night, VIX the next morning, the yield the day after, the dollar index once a week.
_KNOWN_AFTER_DAYS: Final[Mapping[str, int]] = {SP500: 2, VIX: 2, TREASURY_10Y: 3, DOLLAR_INDEX: 9}
_WINDOW: Final = timedelta(days=1_800)  # of vintages in one question: 2,000 are allowed


def parse(payload: Any, received_ms: int, series: str = SP500) -> list[Reading]:
    """Return the observations of an answer, the oldest first, known since it was received.

    Raises
    ------
    PayloadError
        When it is no such answer, or none of its observations is readable.
    """
    return [
        Reading(series, SPEC.name, value, day_ms, received_ms)
        for day_ms, value, _ in _observations(payload)
        if day_ms <= received_ms
    ]


def history(payload: Any, series: str) -> list[Reading]:
    """Return the observations of an answer with vintages as they became known.

    A value is known from the start of the day after its `realtime_start`; a revision is a later
    reading of the same day.

    Raises
    ------
    PayloadError
        As `parse`.
    """
    found = [
        Reading(series, SPEC.name, value, day_ms, vintage_ms + _DAY_MS)
        for day_ms, value, vintage_ms in _observations(payload)
        if vintage_ms is not None and vintage_ms >= day_ms
    ]
    return sorted(found, key=lambda one: (one.available_at_ms, one.observed_at_ms))


async def fetch(client: Client, context: FetchContext) -> list[Fact]:
    """Return the last observations of each series; one that fails does not lose the others."""

    async def ask(series: str) -> list[Reading]:
        params = {**_question(context, series), "sort_order": "desc", "limit": _LAST}
        reply = await client.get(_PATH, params)
        return parse(reply.json(), reply.received_ms, series)

    return await facts_of_parts(context, {IDS[series]: partial(ask, series) for series in IDS})


async def fetch_history(
    client: Client, context: FetchContext, first_day: date, last_day: date
) -> list[Reading]:
    """Return what was known of the days of a span, and when.

    Raises
    ------
    SourceUnavailable, SourceRejected, PayloadError
        When a series cannot be had.
    """
    found: list[Reading] = []
    for series in IDS:
        known: list[Reading] = []
        for start, end in _windows(first_day, last_day):
            known += await _window(client, context, series, (first_day, start, end))
        found += _first_known(known)
    return found


async def _window(
    client: Client, context: FetchContext, series: str, days: tuple[date, date, date]
) -> list[Reading]:
    """Return what became known in a window; series that have no vintages are refused there."""
    first, start, end = (day.isoformat() for day in days)
    question = _question(context, series) | {"observation_end": end}
    vintages = {"observation_start": first, "realtime_start": start, "realtime_end": end}
    try:
        reply = await client.get(_PATH, {**question, **vintages, "output_type": 1})
    except SourceRejected:
        reply = await client.get(_PATH, {**question, "observation_start": start})
        delay_ms = _KNOWN_AFTER_DAYS[series] * _DAY_MS
        return [
            Reading(series, SPEC.name, value, day_ms, day_ms + delay_ms)
            for day_ms, value, _ in _observations(reply.json())
        ]
    return history(reply.json(), series)


def _question(context: FetchContext, series: str) -> dict[str, str | int | float]:
    return {"series_id": IDS[series], "api_key": context.keys[KEY], "file_type": "json"}


def _windows(first_day: date, last_day: date) -> Iterator[tuple[date, date]]:
    start = first_day
    while start <= last_day:
        end = min(last_day, start + _WINDOW)
        yield start, end
        start = end + timedelta(days=1)


def _first_known(readings: list[Reading]) -> list[Reading]:
    """Return readings without those that repeat what was known: windows begin with such."""
    found: list[Reading] = []
    values: dict[int, float] = {}
    for one in sorted(readings, key=lambda one: (one.available_at_ms, one.observed_at_ms)):
        if values.get(one.observed_at_ms) != one.value:
            values[one.observed_at_ms] = one.value
            found.append(one)
    return found


def _observations(payload: Any) -> list[tuple[int, float, int | None]]:
    """Return day, value and vintage of each observation that is not missing, by day."""
    given = rows(mapping(payload, "fred").get("observations"), "fred")
    told = [row for row in given if row.get("value") != _MISSING]
    found = [
        (day_ms, value, ms_of_iso(row.get("realtime_start")))
        for row in told
        if (day_ms := ms_of_iso(row.get("date"))) is not None
        and abs(value := number(row.get("value"))) < float("inf")
    ]
    some(found, told, "fred")
    return sorted(found, key=lambda one: one[0])
