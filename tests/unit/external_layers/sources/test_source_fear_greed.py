"""Fear & Greed: today's value, and the whole history as it is known."""

import asyncio
import json
from typing import Any

import pytest

from external_layers.sources.facts import FEAR_GREED, MARKET, Reading
from external_layers.sources.fear_greed import fetch, fetch_history, history, parse
from scalp_strategy.errors import PayloadError
from tests.support.asked import NOW_MS, ScriptedClient, context_of
from tests.support.recorded import recorded
from tests.support.source_samples import SAMPLES

DAY_MS = 86_400_000
TODAY_MS = 1_779_926_400_000  # 2026-05-28


def day(value: Any = "22", timestamp: Any = "1779926400") -> dict[str, Any]:
    return {"value": value, "timestamp": timestamp, "value_classification": "Fear"}


def test_a_value_is_of_its_day_and_known_when_received() -> None:
    assert parse({"data": [day()]}, NOW_MS) == [Reading(FEAR_GREED, MARKET, 22.0, TODAY_MS, NOW_MS)]


def test_a_time_within_the_day_is_its_start() -> None:
    (found,) = parse({"data": [day(timestamp="1779964000")]}, NOW_MS)
    assert found.observed_at_ms == TODAY_MS


@pytest.mark.parametrize("bad", [day("101"), day("-1"), day(None), day(timestamp="soon"), "x", 7])
def test_a_bad_row_harms_no_other(bad: Any) -> None:
    assert [one.value for one in parse({"data": [bad, day()]}, NOW_MS)] == [22.0]


def test_a_day_that_has_not_begun_is_left_out() -> None:
    tomorrow = day(timestamp=str(TODAY_MS // 1_000 + 86_400))
    assert [one.value for one in parse({"data": [tomorrow, day("30")]}, NOW_MS)] == [30.0]


@pytest.mark.parametrize(
    "payload", [None, {}, {"data": None}, {"data": {}}, [day("x")], {"metadata": {"error": "no"}}]
)
def test_what_is_no_answer(payload: Any) -> None:
    with pytest.raises(PayloadError, match="fear_greed"):
        parse(payload, NOW_MS)


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"data": rows}])
def test_history_is_known_some_time_after_each_day(wrap: Any) -> None:
    rows = [day("30"), day("20", str(TODAY_MS // 1_000 - 86_400))]
    assert history(wrap(rows), 3_600) == [
        Reading(FEAR_GREED, MARKET, 20.0, TODAY_MS - DAY_MS, TODAY_MS - DAY_MS + 3_600_000),
        Reading(FEAR_GREED, MARKET, 30.0, TODAY_MS, TODAY_MS + 3_600_000),
    ]


def test_asks_for_two_days_or_for_all() -> None:
    client = ScriptedClient([SAMPLES["fear_greed"]] * 2)
    assert len(asyncio.run(fetch(client, context_of({})))) == 2
    assert len(asyncio.run(fetch_history(client, 86_400))) == 2
    assert [(each.path, each.params) for each in client.asked] == [
        ("/fng/", {"limit": 2}),
        ("/fng/", {"limit": 0}),
    ]


def test_the_recorded_history() -> None:
    path = recorded("context", "fng_alternative_me_full_to_2026-06-06.json")
    found = history(json.loads(path.read_text()), 86_400)
    assert len(found) > 3_000
    days = [one.observed_at_ms for one in found]
    assert days == sorted(set(days))
    assert all(one.available_at_ms - one.observed_at_ms == DAY_MS for one in found)
