"""Solana: what changed hands, from balances before and after."""

import asyncio
import copy
from typing import Any

import pytest

from external_layers.sources import wallets
from external_layers.sources.facts import Transfer, Watched
from external_layers.sources.solana_rpc import fetch, parse
from scalp_strategy.errors import PayloadError, RateLimited, SourceUnavailable
from scalp_strategy.setting_groups.onchain import OnChainSettings
from tests.support.asked import NOW_MS, ScriptedClient, context_of
from tests.support.chain_samples import (
    BINANCE_SOLANA,
    CHAIN_SAMPLES,
    SOMEBODY_SOLANA,
    USDC_SOLANA,
)

SAMPLE = CHAIN_SAMPLES["solana_rpc"]
WIF = "EKpQGSJtjMFqKZ9KQanSqYXRcF8fBopzLHYxdM65zcjm"
WSOL = "So11111111111111111111111111111111111111112"
BINANCE_OTHER = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM"
COINBASE = "H8sMJSCQxfKiFTCfDR3DUMLPwcRbM61LGFJ8N4dK3WjS"


def balance(owner: str, mint: str, amount: int) -> dict[str, Any]:
    return {"mint": mint, "owner": owner, "uiTokenAmount": {"amount": str(amount), "decimals": 0}}


def tokens_moved(
    before: list[dict[str, Any]], after: list[dict[str, Any]]
) -> list[tuple[str, str, str, float]]:
    sample = copy.deepcopy(SAMPLE)
    meta = sample["result"]["meta"]
    meta |= {"preBalances": [], "postBalances": []}
    meta |= {"preTokenBalances": before, "postTokenBalances": after}
    found = parse(sample, NOW_MS)
    return [(each.token, each.origin.label, each.target.label, each.amount) for each in found]


def test_a_withdrawal_of_sol() -> None:
    (found,) = parse(SAMPLE, NOW_MS)
    assert (found.token, found.amount, found.direction) == ("SOL", 500.0, "withdrawal")
    assert found.origin.label == "Binance"
    assert (found.origin.address, found.target.address) == (BINANCE_SOLANA, SOMEBODY_SOLANA)
    assert found.observed_at_ms == 1_779_999_900_000


def test_a_deposit_of_a_token_of_listed_decimals() -> None:
    before = [balance(SOMEBODY_SOLANA, WIF, 5_000_000), balance(BINANCE_SOLANA, WIF, 1)]
    after = [balance(SOMEBODY_SOLANA, WIF, 2_000_000), balance(BINANCE_SOLANA, WIF, 3_000_001)]
    assert tokens_moved(before, after) == [("WIF", "unknown wallet", "Binance", 3.0)]


def test_a_new_account_had_nothing_before() -> None:
    before = [balance(BINANCE_SOLANA, USDC_SOLANA, 9_000_000)]
    after = [balance(SOMEBODY_SOLANA, USDC_SOLANA, 9_000_000)]
    assert tokens_moved(before, after) == [("USDC", "Binance", "unknown wallet", 9.0)]


def test_wallets_of_one_exchange_are_one() -> None:
    before = [balance(BINANCE_SOLANA, WIF, 5_000_000)]
    inside = [balance(BINANCE_OTHER, WIF, 5_000_000)]
    assert tokens_moved(before, inside) == []
    split = [balance(BINANCE_OTHER, WIF, 3_000_000), balance(COINBASE, WIF, 2_000_000)]
    assert tokens_moved(before, split) == [("WIF", "Binance", "Coinbase", 2.0)]


def test_a_token_that_is_not_listed_is_not_told() -> None:
    before, after = balance(BINANCE_SOLANA, "x", 5), balance(SOMEBODY_SOLANA, "x", 5)
    assert tokens_moved([before], [after]) == []


def test_wrapped_sol_is_sol() -> None:
    before, after = balance(BINANCE_SOLANA, WSOL, 10**9), balance(SOMEBODY_SOLANA, WSOL, 10**9)
    assert tokens_moved([before], [after]) == [("SOL", "Binance", "unknown wallet", 1.0)]


def test_what_failed_or_is_not_there_moves_nothing() -> None:
    failed = copy.deepcopy(SAMPLE)
    failed["result"]["meta"]["err"] = {"InstructionError": [0, "Custom"]}
    assert parse(failed, NOW_MS) == []
    assert parse({"jsonrpc": "2.0", "result": None, "id": 1}, NOW_MS) == []


@pytest.mark.parametrize("part", ["blockTime", "transaction", "meta"])
def test_not_an_answer(part: str) -> None:
    sample = copy.deepcopy(SAMPLE)
    del sample["result"][part]
    with pytest.raises(PayloadError):
        parse(sample, NOW_MS)


def signatures(*names: str) -> dict[str, Any]:
    found = [{"signature": name, "slot": 1, "err": None} for name in names]
    return {"jsonrpc": "2.0", "result": [*found, {"signature": "bad", "err": {}}], "id": 1}


def test_new_transactions_of_two_wallets() -> None:
    context = context_of({}, tokens=["SOL"], prices={"SOL": 2_000.0})
    client = ScriptedClient([signatures("s1"), SAMPLE, signatures()])
    found = asyncio.run(fetch(client, context))
    assert [each.amount_usd for each in found if isinstance(each, Transfer)] == [1_000_000.0]
    methods = [question.json["method"] for question in client.asked]
    assert methods == ["getSignaturesForAddress", "getTransaction", "getSignaturesForAddress"]
    assert "until" not in client.asked[0].json["params"][1]


def test_from_the_last_one_on() -> None:
    context = context_of({}, tokens=["SOL"])
    asked = wallets.asked("solana", OnChainSettings())
    rounds = len(asked) // 2
    client = ScriptedClient([signatures("s1"), SAMPLE, signatures()])
    asyncio.run(fetch(client, context))
    client.answers = [signatures()] * 2 * rounds
    told = [asyncio.run(fetch(client, context)) for _ in range(rounds)]
    assert client.asked[-2].json["params"][0] == asked[0]
    assert client.asked[-2].json["params"][1]["until"] == "s1"
    watched = [{each.subject for each in one if isinstance(each, Watched)} for one in told]
    assert watched[-3:] == [set(), {"SOL", "USDC", "USDT"}, {"SOL", "USDC", "USDT"}]


def test_a_sample_is_not_called_watching() -> None:
    context = context_of({}, tokens=["SOL"])
    many = signatures(*(f"s{number}" for number in range(9)))
    for _ in range(len(wallets.asked("solana", OnChainSettings()))):
        client = ScriptedClient([many, *[SAMPLE] * 8, signatures()])
        found = asyncio.run(fetch(client, context))
        assert not [each for each in found if isinstance(each, Watched)]


@pytest.mark.parametrize(
    ("code", "error"), [(429, RateLimited), (-32005, SourceUnavailable), (None, SourceUnavailable)]
)
def test_errors_of_the_node(code: Any, error: type[Exception]) -> None:
    refused = {"jsonrpc": "2.0", "error": {"code": code, "message": "no"}, "id": 1}
    with pytest.raises(error) as raised:
        asyncio.run(fetch(ScriptedClient([refused]), context_of({})))
    assert type(raised.value) is error
