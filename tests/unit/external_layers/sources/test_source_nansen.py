"""Nansen: which token a trade is about, and each trade told once."""

import asyncio
import copy
from math import isnan
from typing import Any

import pytest

from external_layers.sources.facts import WalletTrade, Watched
from external_layers.sources.nansen import KEY, fetch, parse
from scalp_strategy.errors import PayloadError
from tests.support.asked import NOW_MS, ScriptedClient, context_of
from tests.support.source_samples import SAMPLES


def trade(bought: Any, sold: Any, **changes: Any) -> dict[str, Any]:
    row = copy.deepcopy(SAMPLES["nansen"]["data"][0])
    return {**row, "token_bought_symbol": bought, "token_sold_symbol": sold, **changes}


def test_a_trade() -> None:
    (found,) = parse(SAMPLES["nansen"], NOW_MS)
    wallet = "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"
    told = ("PEPE", "buy", 12_500.0, wallet, "Smart Trader", "ethereum", "0x5f1d")
    assert found == WalletTrade(*told, 1_779_999_000_000, NOW_MS)


@pytest.mark.parametrize(
    ("bought", "sold", "sides"),
    [
        ("PEPE", "USDC", [("buy", "PEPE")]),
        ("USDC", "PEPE", [("sell", "PEPE")]),
        ("WETH", "USDT", [("buy", "ETH")]),
        ("USDC", "SOL", [("sell", "SOL")]),
        ("UNI", "WETH", [("buy", "UNI")]),
        ("UNI", "LINK", [("buy", "UNI"), ("sell", "LINK")]),
        ("CBBTC", "WETH", [("buy", "BTC"), ("sell", "ETH")]),
        ("WETH", "ETH", []),
        ("USDT", "USDC", []),
        ("scam token (claim)", "USDC", []),
    ],
)
def test_which_token_it_is_about(bought: str, sold: str, sides: list[tuple[str, str]]) -> None:
    found = parse({"data": [trade(bought, sold)]}, NOW_MS)
    assert [(each.side, each.token) for each in found] == sides


def test_an_unknown_value_is_unknown() -> None:
    (found,) = parse({"data": [trade("UNI", "USDC", trade_value_usd=None)]}, NOW_MS)
    assert isnan(found.amount_usd)


@pytest.mark.parametrize(
    "payload",
    [
        {"error": "invalid key"},
        {"data": [trade("UNI", "USDC", block_timestamp="soon")]},
        {"data": [trade("UNI", "USDC", transaction_hash=None)]},
        [],
    ],
)
def test_not_an_answer(payload: Any) -> None:
    with pytest.raises(PayloadError):
        parse(payload, NOW_MS)


def test_each_trade_is_told_once_and_its_token_is_watched_from_then_on() -> None:
    first = {"data": [trade("UNI", "USDC", transaction_hash="0x1")]}
    second = {"data": [trade("LINK", "USDC", transaction_hash="0x2"), *first["data"]]}
    client = ScriptedClient([first, second, {"data": []}])
    context = context_of({KEY: "k"}, tokens=["UNI", "LINK", "XRP"])
    told = [asyncio.run(fetch(client, context)) for _ in range(3)]
    trades = [[each.token for each in one if isinstance(each, WalletTrade)] for one in told]
    seen = [[each.subject for each in one if isinstance(each, Watched)] for one in told]
    assert trades == [["UNI"], ["LINK"], []]
    assert seen == [["UNI"], ["LINK", "UNI"], ["LINK", "UNI"]]
    assert client.asked[0].headers == {"apiKey": "k"}
    assert client.asked[0].json["order_by"] == [{"field": "block_timestamp", "direction": "DESC"}]


def test_who_was_cut_off_does_not_claim_to_have_watched() -> None:
    rows = [trade("UNI", "USDC", transaction_hash=f"0x{number}") for number in range(99)]
    old = trade("UNI", "USDC", block_timestamp="2026-05-28T19:00:00Z")
    context = context_of({KEY: "k"}, tokens=["UNI"])
    for last, is_watched in ((rows[0], False), (old, True)):
        found = asyncio.run(fetch(ScriptedClient([{"data": [*rows, last]}]), context))
        assert any(isinstance(each, Watched) for each in found) == is_watched
