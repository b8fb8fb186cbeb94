"""FRED: the last observations, and vintages as they became known."""

import asyncio
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import pytest

from external_layers.sources.facts import DOLLAR_INDEX, SP500, TREASURY_10Y, VIX
from external_layers.sources.fred import IDS, KEY, fetch, fetch_history, history, parse
from external_layers.sources.parts import PartsMissing
from scalp_strategy.errors import PayloadError, SourceRejected, SourceUnavailable
from tests.support.asked import NOW_MS, ScriptedClient, context_of

SECRET = "abcdef"  # noqa: S105 - made up
CONTEXT = context_of({KEY: SECRET})


def row(day: str, value: Any, known: str = "2026-05-28") -> dict[str, Any]:
    return {"date": day, "value": value, "realtime_start": known, "realtime_end": "9999-12-31"}


def answer(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"observations": list(rows), "count": len(rows)}


def ms(day: str) -> int:
    return round(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1_000


def known(readings: list[Any]) -> list[tuple[int, float, int]]:
    return [(one.observed_at_ms, one.value, one.available_at_ms) for one in readings]


def past(client: ScriptedClient, first: str, last: str) -> list[Any]:
    days = date.fromisoformat(first), date.fromisoformat(last)
    return asyncio.run(fetch_history(client, CONTEXT, *days))


def test_observations_are_known_since_they_came() -> None:
    found = parse(answer(row("2026-05-27", "7691.76"), row("2026-05-26", "7745.06")), NOW_MS)
    expected = [(ms("2026-05-26"), 7745.06, NOW_MS), (ms("2026-05-27"), 7691.76, NOW_MS)]
    assert known(found) == expected
    assert {(one.series, one.subject) for one in found} == {(SP500, "fred")}


def test_a_missing_value_is_skipped() -> None:
    found = parse(answer(row("2026-05-25", "."), row("2026-05-26", "5")), NOW_MS, VIX)
    assert [(one.series, one.value) for one in found] == [(VIX, 5.0)]
    assert parse(answer(row("2026-05-25", ".")), NOW_MS) == []


@pytest.mark.parametrize(
    "payload",
    [
        None, {}, {"observations": {}}, {"error_code": 400, "error_message": "Bad Request"},
        answer(row("soon", "1")), answer(row("2026-05-25", "x")), {"observations": [1, 2]},
    ],
)  # fmt: skip
def test_what_is_no_answer(payload: Any) -> None:
    with pytest.raises(PayloadError, match="fred"):
        parse(payload, NOW_MS)
    with pytest.raises(PayloadError, match="fred"):
        history(payload, SP500)


def test_a_revision_is_a_later_reading_of_the_same_day() -> None:
    rows = answer(
        row("2026-05-04", "120.5", "2026-05-18"),  # revised a week later
        row("2026-05-04", "120.1", "2026-05-11"),
        row("2026-05-05", "121.0", "2026-05-11"),
        row("2026-05-09", "9", "2026-05-01"),  # known before its day: garbage
    )
    assert known(history(rows, DOLLAR_INDEX)) == [
        (ms("2026-05-04"), 120.1, ms("2026-05-12")),
        (ms("2026-05-05"), 121.0, ms("2026-05-12")),
        (ms("2026-05-04"), 120.5, ms("2026-05-19")),
    ]


def test_each_series_is_asked_for_by_its_id() -> None:
    client = ScriptedClient([answer(row("2026-05-27", "1"))] * 4)
    found = asyncio.run(fetch(client, CONTEXT))
    assert {one.series for one in found} == {SP500, DOLLAR_INDEX, VIX, TREASURY_10Y}
    assert {each.params["series_id"] for each in client.asked} == set(IDS.values())
    assert {each.params["api_key"] for each in client.asked} == {SECRET}


def test_a_series_that_fails_does_not_lose_the_others() -> None:
    good = answer(row("2026-05-27", "1"))
    context = context_of({KEY: SECRET})
    with pytest.raises(PartsMissing, match="without VIXCLS"):
        asyncio.run(fetch(ScriptedClient([good, good, SourceUnavailable("down"), good]), context))
    assert {one.series for one in context.delivered} == {SP500, DOLLAR_INDEX, TREASURY_10Y}
    with pytest.raises(SourceRejected):
        asyncio.run(fetch(ScriptedClient([SourceRejected("key")] * 4), context))


def test_a_long_past_is_asked_for_in_windows_and_told_once() -> None:
    first = answer(row("2016-01-04", "10", "2016-01-05"))
    repeated = answer(
        row("2016-01-04", "10", "2020-12-06"),  # the window's beginning, not news
        row("2020-12-07", "12", "2020-12-08"),
    )
    client = ScriptedClient([first, repeated, answer()] * 4)
    found = [one for one in past(client, "2016-01-01", "2026-05-01") if one.series == SP500]
    assert known(found) == [
        (ms("2016-01-04"), 10.0, ms("2016-01-06")),
        (ms("2020-12-07"), 12.0, ms("2020-12-09")),
    ]
    spans = [(q.params["realtime_start"], q.params["realtime_end"]) for q in client.asked[:3]]
    assert spans[0][0] == "2016-01-01"
    assert spans[-1][1] == "2026-05-01"
    for (_, end), (start, _) in pairwise(spans):
        assert (date.fromisoformat(start) - date.fromisoformat(end)).days == 1
    lengths = [(date.fromisoformat(end) - date.fromisoformat(start)).days for start, end in spans]
    assert max(lengths) < 2_000  # vintages that one question may span


def test_a_series_without_vintages_is_known_some_days_after() -> None:
    plain = answer(row("2026-05-04", "7", "2026-11-25"))
    refused = SourceRejected("status 400: the series does not exist in ALFRED")
    found = past(ScriptedClient([refused, plain] * 4), "2026-05-01", "2026-05-20")
    days = {one.series: (one.available_at_ms - one.observed_at_ms) / 86_400_000 for one in found}
    assert days == {SP500: 2, VIX: 2, TREASURY_10Y: 3, DOLLAR_INDEX: 9}


def test_a_refused_key_ends_the_past() -> None:
    with pytest.raises(SourceRejected):
        past(ScriptedClient([SourceRejected("key")] * 2), "2026-05-01", "2026-05-20")
