"""CryptoQuant: hours of net outflow in dollars, valued when they count coins."""

import asyncio
from typing import Any

import pytest

from external_layers.sources.cryptoquant import KEY, fetch, parse
from external_layers.sources.facts import EXCHANGE_NETFLOW, Reading
from scalp_strategy.errors import PayloadError, SourceUnavailable
from tests.support.asked import NOW_MS, ScriptedClient, context_of
from tests.support.source_samples import SAMPLES

HOUR_MS = 3_600_000
EIGHT_PM = NOW_MS // HOUR_MS * HOUR_MS


def answer(*hours: tuple[str, Any]) -> dict[str, Any]:
    rows = [{"datetime": time, "netflow_total": net} for time, net in hours]
    return {"status": {"code": 200}, "result": {"window": "hour", "data": rows}}


COINS = answer(("2026-05-28 19:00:00", 3.0))


def test_inflow_is_negative_and_hours_end() -> None:
    assert parse(SAMPLES["cryptoquant"], NOW_MS) == [
        Reading(EXCHANGE_NETFLOW, "USDT", -900_000.0, EIGHT_PM - HOUR_MS, NOW_MS),
        Reading(EXCHANGE_NETFLOW, "USDT", 1_500_000.25, EIGHT_PM, NOW_MS),
    ]


def test_an_hour_counts_when_it_is_over() -> None:
    assert parse(answer(("2026-05-28 20:00:00", 5)), NOW_MS) == []
    (found,) = parse(answer(("2026-05-28 20:00:00", 5)), EIGHT_PM + HOUR_MS)
    assert found.observed_at_ms == found.available_at_ms == EIGHT_PM + HOUR_MS


def test_coins_are_valued() -> None:
    (found,) = parse(COINS, NOW_MS, "BTC", 100_000.0)
    assert (found.subject, found.value) == ("BTC", -300_000.0)


@pytest.mark.parametrize(
    "payload",
    [
        {"status": {"code": 401, "message": "unauthorized"}},
        answer(("2026-05-28 19:00:00", None), ("2026-05-28 18:00:00", "much")),
        answer(("yesterday", 1), ("2026-13-28 18:00:00", 1)),
        [],
    ],
)
def test_not_an_answer(payload: Any) -> None:
    with pytest.raises(PayloadError):
        parse(payload, NOW_MS)


def test_a_coin_without_a_price_is_not_asked_about() -> None:
    client = ScriptedClient([COINS] * 3)
    facts = asyncio.run(fetch(client, context_of({KEY: "k"}, prices={"ETH": 3_000.0})))
    assert [each.path for each in client.asked] == [
        "/v1/eth/exchange-flows/netflow",
        "/v1/stablecoin/exchange-flows/netflow",
        "/v1/stablecoin/exchange-flows/netflow",
    ]
    assert client.asked[0].headers == {"Authorization": "Bearer k"}
    assert client.asked[1].params == {
        "exchange": "all_exchange",
        "window": "hour",
        "limit": 168,
        "token": "usdt_eth",
    }
    values = {each.subject: each.value for each in facts if isinstance(each, Reading)}
    assert values == {"ETH": -9_000.0, "USDT": -3.0, "USDC": -3.0}


def test_after_the_first_week_only_new_hours_are_asked_for() -> None:
    client, context = ScriptedClient([COINS] * 4), context_of({KEY: "k"})
    asyncio.run(fetch(client, context))
    asyncio.run(fetch(client, context))
    assert [each.params["limit"] for each in client.asked] == [168, 168, 12, 12]


def test_a_call_that_fails_loses_no_week() -> None:
    client, context = ScriptedClient([COINS, SourceUnavailable("down")]), context_of({KEY: "k"})
    with pytest.raises(SourceUnavailable):
        asyncio.run(fetch(client, context))
    client.answers = [COINS, COINS]
    asyncio.run(fetch(client, context))
    assert client.asked[2].params["limit"] == 168
