"""CoinGecko's global market: dominance and total cap, each for itself."""

import asyncio
import json
from typing import Any

import pytest

from external_layers.sources.coingecko import KEY, fetch, parse
from external_layers.sources.facts import BTC_DOMINANCE, MARKET, TOTAL_CAP, Reading
from scalp_strategy.errors import PayloadError
from tests.support.asked import NOW_MS, ScriptedClient, context_of
from tests.support.recorded import recorded
from tests.support.source_samples import SAMPLES

UPDATED_MS = NOW_MS - 60_000


def market(**changes: Any) -> dict[str, Any]:
    data = {
        "market_cap_percentage": {"btc": 55.5},
        "total_market_cap": {"usd": 3e12, "btc": 1e6},
        "updated_at": UPDATED_MS // 1_000,
    }
    return {"data": data | changes}


def test_both_are_of_the_answers_time() -> None:
    assert parse(market(), NOW_MS) == [
        Reading(BTC_DOMINANCE, MARKET, 55.5, UPDATED_MS, NOW_MS),
        Reading(TOTAL_CAP, MARKET, 3e12, UPDATED_MS, NOW_MS),
    ]


def test_the_total_of_a_day_before_follows_from_its_change() -> None:
    found = parse(market(market_cap_change_percentage_24h_usd=25.0), NOW_MS)
    assert found[-1] == Reading(TOTAL_CAP, MARKET, 2.4e12, UPDATED_MS - 86_400_000, NOW_MS)


@pytest.mark.parametrize("change", [None, "x", -100.0, -250.0, float("nan"), float("inf"), True])
def test_an_absurd_change_tells_nothing_of_the_day_before(change: Any) -> None:
    assert len(parse(market(market_cap_change_percentage_24h_usd=change), NOW_MS)) == 2


def test_without_a_time_they_are_of_when_they_came() -> None:
    assert {one.observed_at_ms for one in parse(market(updated_at=None), NOW_MS)} == {NOW_MS}


def test_a_clock_that_is_a_little_ahead_is_cut() -> None:
    ahead = market(updated_at=NOW_MS / 1_000 + 30)
    assert {one.observed_at_ms for one in parse(ahead, NOW_MS)} == {NOW_MS}


@pytest.mark.parametrize("bad", [None, {}, {"btc": "x"}, {"btc": 0}, {"btc": 100.5}, []])
def test_one_is_told_without_the_other(bad: Any) -> None:
    assert [one.series for one in parse(market(market_cap_percentage=bad), NOW_MS)] == [TOTAL_CAP]


@pytest.mark.parametrize(
    "payload",
    [
        None, {}, {"data": []}, {"data": {}}, market(updated_at=9e9), market(updated_at="soon"),
        {"status": {"error_code": 429}},
        market(market_cap_percentage={}, total_market_cap={"usd": -1}),
    ],
)  # fmt: skip
def test_what_is_no_answer(payload: Any) -> None:
    with pytest.raises(PayloadError, match="coingecko"):
        parse(payload, NOW_MS)


def test_a_key_goes_into_a_header_and_none_is_needed() -> None:
    client = ScriptedClient([SAMPLES["coingecko"]] * 2)
    for keys in ({}, {KEY: "secret"}):
        assert len(asyncio.run(fetch(client, context_of(keys)))) == 2
    assert [each.headers for each in client.asked] == [{}, {"x-cg-demo-api-key": "secret"}]
    assert [each.params for each in client.asked] == [{}, {}]


@pytest.mark.parametrize(
    ("name", "dominance"),
    [
        ("coingecko_global_real_2023-12-21_trimmed.json", 49.6),
        ("coingecko_global_fixture_alloc-context.json", 62.15),
        ("coingecko_global_fixture_finance-terminal.json", 51.2),
    ],
)
def test_recorded_answers(name: str, dominance: float) -> None:
    found = parse(json.loads(recorded("context", name).read_text()), NOW_MS)
    assert found[0].value == pytest.approx(dominance, abs=0.01)
    assert found[1].value > 1e12
