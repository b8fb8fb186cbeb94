"""DEX Screener: trades by token, over the pools that count."""

import asyncio
import copy
from typing import Any

import pytest

from external_layers.sources.dexscreener import fetch, parse
from external_layers.sources.facts import DEX_BUYS, DEX_SELLS, Reading
from scalp_strategy.errors import PayloadError
from tests.support.asked import NOW_MS, ScriptedClient, context_of
from tests.support.chain_samples import CHAIN_SAMPLES

POOL = CHAIN_SAMPLES["dexscreener"][0]
LINK = "0x514910771AF9Ca656af840dff83E8264EcF986CA"


def pool(name: str, **changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(POOL), "pairAddress": name, **changes}


def trades(payload: Any, least: float = 1_000.0) -> dict[str, tuple[float, float]]:
    found = parse(payload, NOW_MS, None, least)
    values = {(each.subject, each.series): each.value for each in found}
    return {
        token: (values[token, DEX_BUYS], values[token, DEX_SELLS])
        for token in {each.subject for each in found}
    }


def test_buys_of_one_are_sells_of_the_other() -> None:
    assert trades([POOL]) == {"WIF": (140.0, 60.0), "SOL": (60.0, 140.0)}


def test_pools_add_up_and_one_told_twice_counts_once() -> None:
    other = pool("p2", txns={"h1": {"buys": 10, "sells": 5}})
    assert trades([POOL, other, POOL])["WIF"] == (150.0, 65.0)


@pytest.mark.parametrize("liquidity", [{"usd": 999.0}, {"usd": None}, None, {"usd": "nan"}])
def test_thin_pools_are_left_out(liquidity: Any) -> None:
    assert trades([POOL, pool("p2", liquidity=liquidity)])["WIF"] == (140.0, 60.0)


@pytest.mark.parametrize("txns", [None, {}, {"h1": {"buys": 3}}, {"h1": {"buys": -1, "sells": 2}}])
def test_unknown_trades_are_left_out(txns: Any) -> None:
    assert trades([POOL, pool("p2", txns=txns)])["WIF"] == (140.0, 60.0)
    assert trades([pool("p2", txns=txns)]) == {}


def test_addresses_of_evm_chains_in_any_spelling() -> None:
    moved = pool("p2", chainId="ethereum", baseToken={"address": LINK}, quoteToken={"address": "?"})
    assert trades([moved]) == {"LINK": (140.0, 60.0)}
    assert trades([{**moved, "chainId": "pulsechain"}]) == {}


def test_the_older_shape() -> None:
    assert trades({"schemaVersion": "1.0.0", "pairs": [POOL]})["WIF"] == (140.0, 60.0)
    assert trades({"schemaVersion": "1.0.0", "pairs": None}) == {}
    assert trades([]) == {}


@pytest.mark.parametrize("payload", [None, "<html>", 5, [1], [{"shape": "new"}]])
def test_not_an_answer(payload: Any) -> None:
    with pytest.raises(PayloadError):
        parse(payload, NOW_MS)


def test_a_fetch_asks_for_each_contract_of_the_watched_tokens() -> None:
    client = ScriptedClient([[POOL]])
    found = asyncio.run(fetch(client, context_of({}, tokens=["WIF", "XRP"])))
    assert found == [
        Reading(DEX_BUYS, "WIF", 140.0, NOW_MS, NOW_MS),
        Reading(DEX_SELLS, "WIF", 60.0, NOW_MS, NOW_MS),
    ]
    contract = "EKpQGSJtjMFqKZ9KQanSqYXRcF8fBopzLHYxdM65zcjm"
    assert [question.path for question in client.asked] == [f"/token-pairs/v1/solana/{contract}"]


def test_nothing_is_asked_of_tokens_without_a_contract() -> None:
    assert asyncio.run(fetch(ScriptedClient([]), context_of({}, tokens=["XRP"]))) == []
