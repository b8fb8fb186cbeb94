"""GDELT's tone: whole steps only, nothing out of nothing, and refusals in plain text."""

import asyncio
from typing import Any

import pytest

from external_layers.sources.facts import MARKET, NEWS_TONE, Reading
from external_layers.sources.gdelt import fetch, parse
from scalp_strategy.errors import PayloadError, RateLimited
from tests.support.asked import NOW_MS, ScriptedClient, context_of
from tests.support.source_samples import SAMPLES

EIGHT_MS = 1_779_998_400_000  # 2026-05-28 20:00; NOW_MS is 20:26:40


def timeline(*steps: tuple[Any, Any]) -> dict[str, Any]:
    data = [{"date": written, "value": value} for written, value in steps]
    return {"timeline": [{"series": "Average Tone", "data": data}]}


def test_a_step_is_of_its_end() -> None:
    assert parse(timeline(("20260528T194500Z", -2.5)), NOW_MS) == [
        Reading(NEWS_TONE, MARKET, -0.25, EIGHT_MS, NOW_MS)
    ]


def test_the_step_that_still_runs_is_left_out() -> None:
    steps = timeline(("20260528T200000Z", 1.0), ("20260528T201500Z", 9.0))
    assert [one.value for one in parse(steps, NOW_MS)] == [0.1]


def test_no_article_is_no_tone() -> None:
    assert parse(timeline(("20260528T194500Z", 0)), NOW_MS) == []


@pytest.mark.parametrize(("tone", "value"), [(25.0, 1.0), (-25.0, -1.0), ("-5", -0.5)])
def test_the_range(tone: Any, value: float) -> None:
    assert parse(timeline(("20260528T194500Z", tone)), NOW_MS)[0].value == value


def test_four_hours_are_kept() -> None:
    steps = [(f"20260528T{hour:02}{minute:02}00Z", 1.0) for hour in range(20) for minute in (0, 30)]
    found = parse(timeline(*steps), NOW_MS)
    assert len(found) == 16
    assert found[-1].observed_at_ms == EIGHT_MS - 900_000


@pytest.mark.parametrize("payload", [{}, {"timeline": []}, {"timeline": [{"data": []}]}])
def test_an_empty_answer(payload: Any) -> None:
    assert parse(payload, NOW_MS) == []


@pytest.mark.parametrize(
    "payload",
    [
        None, [], {"timeline": 3}, {"timeline": [{}]}, timeline(("today", 1.0)),
        timeline(("20260528T194500Z", None)), timeline((7, 1.0)), timeline(("20269928T194500Z", 1)),
    ],
)  # fmt: skip
def test_what_is_no_answer(payload: Any) -> None:
    with pytest.raises(PayloadError, match="gdelt"):
        parse(payload, NOW_MS)


def test_refusals_in_plain_text() -> None:
    client = ScriptedClient(
        [
            b"Please limit requests to one every 5 seconds or contact us.",
            b"Your query was too short or too long.",
            SAMPLES["gdelt"],
        ]
    )
    with pytest.raises(RateLimited):
        asyncio.run(fetch(client, context_of({})))
    with pytest.raises(PayloadError):
        asyncio.run(fetch(client, context_of({})))
    assert len(asyncio.run(fetch(client, context_of({})))) == 2
    assert client.asked[0].params["mode"] == "timelinetone"
