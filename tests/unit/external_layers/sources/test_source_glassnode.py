"""Glassnode: hours of net outflow in dollars."""

import asyncio
from typing import Any

import pytest

from external_layers.sources.facts import EXCHANGE_NETFLOW, Reading
from external_layers.sources.glassnode import KEY, fetch, parse
from scalp_strategy.errors import PayloadError
from tests.support.asked import NOW_MS, ScriptedClient, context_of
from tests.support.source_samples import SAMPLES

HOUR_MS = 3_600_000
EIGHT_PM = NOW_MS // HOUR_MS * HOUR_MS


def test_inflow_is_negative_and_hours_end() -> None:
    assert parse(SAMPLES["glassnode"], NOW_MS) == [
        Reading(EXCHANGE_NETFLOW, "BTC", 25_000_000.5, EIGHT_PM - HOUR_MS, NOW_MS),
        Reading(EXCHANGE_NETFLOW, "BTC", -4_000_000.0, EIGHT_PM, NOW_MS),
    ]


def test_a_gap_is_left_out_and_nothing_is_zero() -> None:
    rows = [{"t": 1_779_991_200, "v": None}, {"t": 1_779_994_800, "v": 0}]
    (found,) = parse(rows, NOW_MS)
    assert (found.value, found.observed_at_ms) == (0.0, EIGHT_PM)
    assert parse([], NOW_MS) == []


@pytest.mark.parametrize(
    "payload", ["Unauthorized", {"error": "x"}, [{"t": 1_779_991_200}, {"v": 5}], [1, 2]]
)
def test_not_an_answer(payload: Any) -> None:
    with pytest.raises(PayloadError):
        parse(payload, NOW_MS)


def test_each_token_is_asked_about_and_then_only_what_is_new() -> None:
    client, context = ScriptedClient([SAMPLES["glassnode"]] * 8), context_of({KEY: "k"})
    facts = asyncio.run(fetch(client, context))
    assert [each.params["a"] for each in client.asked] == ["BTC", "ETH", "USDT", "USDC"]
    assert all(each.headers == {"X-Api-Key": "k"} for each in client.asked)
    assert all("k" not in each.params.values() for each in client.asked)
    assert len(facts) == 8
    asyncio.run(fetch(client, context))
    starts = [each.params["s"] for each in client.asked if each.params["a"] == "ETH"]
    assert starts == [NOW_MS // 1_000 - 168 * 3_600, NOW_MS // 1_000 - 12 * 3_600]


def test_a_memory_that_was_damaged_starts_anew() -> None:
    client, context = ScriptedClient([SAMPLES["glassnode"]] * 4), context_of({KEY: "k"})
    context.memory["until"] = {"BTC": "x", "ETH": None}
    asyncio.run(fetch(client, context))
    assert client.asked[0].params["s"] == NOW_MS // 1_000 - 168 * 3_600
    assert context.memory["until"]["BTC"] == EIGHT_PM
