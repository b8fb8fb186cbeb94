"""TRON: transfers of USDT, with and without a key."""

import asyncio
import copy
import json
from typing import Any

import pytest

from external_layers.sources import wallets
from external_layers.sources.facts import Party, Transfer, Watched
from external_layers.sources.tron import KEY, fetch, parse
from scalp_strategy.errors import PayloadError, RateLimited, SourceRejected
from scalp_strategy.setting_groups.onchain import OnChainSettings
from tests.support.asked import NOW_MS, ScriptedClient, context_of
from tests.support.chain_samples import BINANCE_TRON, CHAIN_SAMPLES, SOMEBODY_TRON, USDT_TRON

SAMPLE = CHAIN_SAMPLES["tron"]
EMPTY = {"data": [], "success": True, "meta": {"page_size": 0}}


def answer(**changes: Any) -> dict[str, Any]:
    sample = copy.deepcopy(SAMPLE)
    sample["data"][0] |= changes
    return sample


def test_a_deposit() -> None:
    (found,) = parse(SAMPLE, NOW_MS)
    assert found == Transfer(
        token="USDT",  # noqa: S106
        amount=1_500_000.0,
        amount_usd=1_500_000.0,
        origin=Party("wallet", "unknown wallet", SOMEBODY_TRON),
        target=Party("exchange", "Binance", BINANCE_TRON),
        blockchain="tron",
        tx_hash=SAMPLE["data"][0]["transaction_id"],
        observed_at_ms=1_779_999_642_000,
        available_at_ms=NOW_MS,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "Approval"},
        {"value": "0"},
        {"value": "1.5"},
        {"token_info": {"symbol": "USDT", "address": SOMEBODY_TRON, "decimals": 6}},
        {"token_info": None},
        {"block_timestamp": 1_780_000_400_000},
        {"to": None},
    ],
)
def test_what_is_no_transfer_of_usdt_is_left_out(changes: dict[str, Any]) -> None:
    assert parse(answer(**changes), NOW_MS) == []


def test_the_contracts_decimals_are_not_believed() -> None:
    info = {"symbol": "USDT", "address": USDT_TRON, "decimals": 0}
    assert parse(answer(token_info=info), NOW_MS)[0].amount == 1_500_000.0


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        {"success": False, "error": "account not found"},
        {"data": []},
        {"data": [{"a": 1}], "success": True},
    ],
)
def test_not_an_answer(payload: Any) -> None:
    with pytest.raises(PayloadError):
        parse(payload, NOW_MS)


def test_each_wallet_in_turn_from_where_it_ended() -> None:
    asked = wallets.asked("tron", OnChainSettings())
    rounds = -(-len(asked) // 4)
    context, client = context_of({KEY: "k3y"}), ScriptedClient([SAMPLE] * 4 * (rounds + 1))
    told = [asyncio.run(fetch(client, context)) for _ in range(rounds + 1)]
    seen = [bool([each for each in one if isinstance(each, Watched)]) for one in told]
    assert seen == [*[False] * (rounds - 1), True, True]
    assert {question.path.split("/")[3] for question in client.asked} == set(asked)
    assert {question.headers["TRON-PRO-API-KEY"] for question in client.asked} == {"k3y"}
    assert "k3y" not in json.dumps([context.memory, [question.path for question in client.asked]])
    starts = [question.params["min_timestamp"] for question in client.asked]
    assert starts[0] == NOW_MS - 1_800_000
    assert starts[-1] == 1_779_999_642_000
    assert {question.params["contract_address"] for question in client.asked} == {USDT_TRON}


def test_small_ones_are_not_told() -> None:
    client = ScriptedClient([answer(value="499999000000"), EMPTY, EMPTY, EMPTY])
    assert asyncio.run(fetch(client, context_of({}))) == []
    assert client.asked[0].headers == {}


def test_a_refusal_without_a_key_means_too_fast() -> None:
    refused = SourceRejected("tron: 403")
    with pytest.raises(RateLimited):
        asyncio.run(fetch(ScriptedClient([refused]), context_of({})))
    with pytest.raises(SourceRejected):
        asyncio.run(fetch(ScriptedClient([refused]), context_of({KEY: "k"})))


def test_a_busy_wallet_is_read_page_by_page_and_not_watched_when_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wallets, "asked", lambda _chain, _settings: (BINANCE_TRON,))
    rows = [answer(transaction_id=f"{number:064x}")["data"][0] for number in range(200)]
    full = {**SAMPLE, "data": rows, "meta": {"fingerprint": "next"}}
    context = context_of({})

    def watches(*answers: Any) -> tuple[bool, list[Any]]:
        client = ScriptedClient(list(answers))
        found = asyncio.run(fetch(client, context))
        asked = [question.params.get("fingerprint") for question in client.asked]
        return any(isinstance(each, Watched) for each in found), asked

    assert watches(full) == (False, [None]), "the past before the first look is not read"
    assert watches(full, full, full) == (False, [None, "next", "next"])
    assert watches(full, SAMPLE) == (True, [None, "next"])
