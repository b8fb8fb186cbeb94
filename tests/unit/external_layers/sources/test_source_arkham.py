"""Arkham: transfers in and out of exchanges, each told once."""

import asyncio
import copy
from typing import Any

import pytest

from external_layers.sources.arkham import KEY, fetch, parse
from external_layers.sources.facts import Transfer, Watched
from scalp_strategy.errors import PayloadError
from tests.support.asked import NOW_MS, ScriptedClient, context_of
from tests.support.source_samples import SAMPLES


def move(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(SAMPLES["arkham"]["transfers"][0]), **changes}


def test_a_withdrawal() -> None:
    (found,) = parse(SAMPLES["arkham"], NOW_MS)
    assert found.direction == "withdrawal"
    assert (found.origin.label, found.target.label) == ("Binance", "unknown wallet")
    assert (found.token, found.amount, found.amount_usd) == ("LINK", 150_000.0, 2_300_000.0)
    assert found.observed_at_ms == 1_779_999_611_000


def test_a_label_names_an_owner_that_is_no_entity() -> None:
    (found,) = parse({"transfers": [move(toAddress={"arkhamLabel": {"name": "vb.eth"}})]}, NOW_MS)
    assert (found.target.kind, found.target.label) == ("wallet", "Vb.eth")


def test_a_transaction_with_many_ends() -> None:
    entity = {"name": "Kraken", "type": "cex"}
    many = [{"address": {"address": "bc1qa", "arkhamEntity": entity}, "value": 1}] * 2
    row = move(chain="bitcoin", tokenSymbol="BTC", transactionHash=None, txid="ab")
    row = {**row, "fromAddress": None, "fromAddresses": many}
    (found,) = parse({"transfers": [row]}, NOW_MS)
    assert (found.origin.kind, found.origin.label) == ("exchange", "Kraken")
    assert found.key == ("bitcoin", "ab", "BTC", "", "")


def test_names_of_chains_are_ours() -> None:
    (found,) = parse({"transfers": [move(chain="arbitrum_one")]}, NOW_MS)
    assert found.blockchain == "arbitrum"


def test_nothing_is_nothing() -> None:
    assert parse({"transfers": None, "count": 0}, NOW_MS) == []
    assert parse({"transfers": []}, NOW_MS) == []


@pytest.mark.parametrize(
    "payload", [{"error": "bad key"}, {"transfers": [move(unitValue=0)]}, {"transfers": {}}, None]
)
def test_not_an_answer(payload: Any) -> None:
    with pytest.raises(PayloadError):
        parse(payload, NOW_MS)


def test_both_directions_are_asked_and_each_transfer_is_told_once() -> None:
    client = ScriptedClient([SAMPLES["arkham"]] * 4)
    context = context_of({KEY: "k"}, tokens=["LINK", "XRP"])
    first, second = (asyncio.run(fetch(client, context)) for _ in range(2))
    assert [type(each) for each in first] == [Transfer, Watched]
    assert second == [Watched("transfers", "LINK", "arkham", NOW_MS, NOW_MS)]
    assert client.asked[0].params == {
        "usdGte": 500_000,
        "timeGte": NOW_MS - 1_800_000,
        "sortKey": "time",
        "sortDir": "desc",
        "limit": 100,
        "from": "type:cex",
    }
    assert client.asked[1].params["to"] == "type:cex"
    assert client.asked[0].headers == {"API-Key": "k"}


def test_who_was_cut_off_does_not_claim_to_have_watched() -> None:
    def page(last: str) -> dict[str, Any]:
        rows = [move(transactionHash=f"0x{number}") for number in range(99)]
        return {"transfers": [*rows, move(blockTimestamp=last)]}

    context = context_of({KEY: "k"}, tokens=["LINK"])
    cut, back = page("2026-05-28T20:20:11Z"), page("2026-05-28T19:50:00Z")
    for answers, is_watched in (([cut, back], False), ([back, back], True), ([back, cut], False)):
        context.memory.pop("at_ms", None)
        found = asyncio.run(fetch(ScriptedClient(answers), context))
        assert any(isinstance(each, Watched) for each in found) == is_watched
    found = asyncio.run(fetch(ScriptedClient([cut, cut]), context))
    assert any(isinstance(each, Watched) for each in found), "nothing is new since the last look"


def test_wrapped_coins_are_the_same_transfer_as_on_the_chain() -> None:
    (found,) = parse({"transfers": [move(tokenSymbol="WETH")]}, NOW_MS)
    assert found.token == "ETH"  # noqa: S105
