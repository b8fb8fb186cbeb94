"""DefiLlama: stablecoins in sum and one by one, live and as they could be known."""

import asyncio
from typing import Any

import pytest

from external_layers.sources.defillama import fetch, history, parse
from external_layers.sources.facts import STABLECOIN_SUPPLY, Reading
from scalp_strategy.errors import PayloadError
from tests.support.asked import NOW_MS, ScriptedClient, context_of
from tests.support.chain_samples import CHAIN_SAMPLES

DAY_MS = 86_400_000
CHART = CHAIN_SAMPLES["defillama"]
LIST = {
    "peggedAssets": [
        {"symbol": "USDT", "circulating": {"peggedUSD": 190e9}, "chains": ["Tron"]},
        {"symbol": "USDC", "circulating": {"peggedUSD": 75e9}},
        {"symbol": "EURC", "circulating": {"peggedEUR": 3e8}},
        {"symbol": "USDT", "circulating": {"peggedUSD": 5.0}},  # a namesake further down
    ]
}


def day(number: int, usd: float = 3e11) -> dict[str, Any]:
    return {"date": str(1_779_926_400 - 86_400 * number), "totalCirculatingUSD": {"peggedUSD": usd}}


def test_the_newest_days_are_known_when_they_are_received() -> None:
    found = parse(CHART, NOW_MS)
    assert found[-1] == Reading(
        STABLECOIN_SUPPLY, "*", 310_581_000_000.0, 1_779_926_400_000, NOW_MS
    )
    many = parse([day(number) for number in range(30)], NOW_MS)
    assert len(many) == 9
    assert [each.observed_at_ms for each in many] == sorted(each.observed_at_ms for each in many)
    assert many[-1].observed_at_ms == 1_779_926_400_000


def test_single_coins_are_those_first_in_the_list() -> None:
    found = {each.subject: each.value for each in parse(LIST, NOW_MS)}
    assert found == {"USDT": 190e9, "USDC": 75e9}


@pytest.mark.parametrize("delay_s", [86_400.0, 90_000.0])
def test_history_is_known_so_long_after_its_day_began(delay_s: float) -> None:
    found = history(CHART, delay_s)
    assert [each.observed_at_ms for each in found] == [1_779_840_000_000, 1_779_926_400_000]
    for each in found:
        assert each.available_at_ms == each.observed_at_ms + delay_s * 1_000


def test_history_is_whole_in_order_and_has_a_day_once() -> None:
    found = history([day(1, 2e11), day(0), day(2), day(1, 2.5e11)], 86_400.0)
    assert [each.value for each in found] == [3e11, 2.5e11, 3e11]
    assert len(history([day(number) for number in range(3_000)], 86_400.0)) == 3_000


@pytest.mark.parametrize("usd", [None, "x", -1, 0, float("inf"), {}])
def test_an_unknown_amount_is_left_out(usd: Any) -> None:
    assert len(history([day(0), day(1, usd)], 86_400.0)) == 1


@pytest.mark.parametrize(
    "payload", [None, "<html>", {}, [1], [{"date": "soon"}], {"peggedAssets": [{"symbol": "USDT"}]}]
)
def test_not_an_answer(payload: Any) -> None:
    with pytest.raises(PayloadError):
        parse(payload, NOW_MS)


def test_a_fetch_asks_both() -> None:
    client = ScriptedClient([CHART, LIST])
    found = asyncio.run(fetch(client, context_of({})))
    assert {each.subject for each in found} == {"*", "USDT", "USDC"}
    assert [question.path for question in client.asked] == ["/stablecoincharts/all", "/stablecoins"]
