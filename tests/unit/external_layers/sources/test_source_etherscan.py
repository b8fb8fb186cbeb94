"""Etherscan: what rows become, whose turn it is, and what a refusal means."""

import asyncio
import copy
import json
from math import isnan
from typing import Any

import pytest

from external_layers.sources.etherscan import KEY, fetch, parse, refuse
from external_layers.sources.facts import Party, Transfer, WalletTrade, Watched
from external_layers.sources.tokens import coins
from external_layers.sources.transfers import Known
from external_layers.sources.wallets import owners
from scalp_strategy.errors import (
    PayloadError,
    RateLimited,
    SourceRejected,
    SourceUnavailable,
)
from scalp_strategy.setting_groups.onchain import OnChainSettings
from tests.support.asked import NOW_MS, ScriptedClient, Told, context_of
from tests.support.chain_samples import BINANCE_EVM, CHAIN_SAMPLES, SOMEBODY_EVM, USDT_EVM
from tests.support.recorded import recorded

EMPTY = {"status": "0", "message": "No transactions found", "result": []}
LINK = "0x514910771af9ca656af840dff83e8264ecf986ca"
WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
KRAKEN = "0x2910543af39aba0cd09dbb2d50200b3e800a63d2"
FOX = "0xabcdef0000000000000000000000000000000002"
POOL = "0x00000000000000000000000000000000000000aa"
NOBODY = "0x" + "0" * 40


def row(**changes: str) -> dict[str, Any]:
    return {**copy.deepcopy(CHAIN_SAMPLES["etherscan"]["result"][0]), **changes}


def answer(*found: dict[str, Any]) -> dict[str, Any]:
    return {"status": "1", "message": "OK", "result": list(found)}


def known(section: dict[str, Any] | None = None, **prices: float) -> Known:
    settings = OnChainSettings.model_validate(section or {})
    return Known(
        owners=owners("ethereum", settings),
        coins=coins("ethereum"),
        price=lambda token: prices.get(token, float("nan")),
        least_usd=settings.min_transfer_usd,
    )


def refused(words: str) -> dict[str, Any]:
    return {"status": "0", "message": "NOTOK", "result": words}


def test_a_withdrawal_of_a_stablecoin() -> None:
    (found,) = parse(CHAIN_SAMPLES["etherscan"], NOW_MS)
    assert found == Transfer(
        token="USDT",  # noqa: S106
        amount=2_300_000.5,
        amount_usd=2_300_000.5,
        origin=Party("exchange", "Binance", BINANCE_EVM),
        target=Party("wallet", "unknown wallet", SOMEBODY_EVM),
        blockchain="ethereum",
        tx_hash="0xe8c208398bd5ae8e4c237658580db56a2a94dfa0ca382c99b776fa6e7d31d5b4",
        observed_at_ms=1_779_999_600_000,
        available_at_ms=NOW_MS,
    )
    assert found.direction == "withdrawal"


def test_a_recorded_row() -> None:
    payload = json.loads(recorded("context", "etherscan_tokentx_row_usdt.json").read_text())
    (found,) = parse(payload, NOW_MS)
    assert isinstance(found, Transfer)
    assert (found.token, found.amount, found.origin.label) == ("USDT", 55.0, "Gate.io")
    assert found.observed_at_ms == 1_529_994_958_000


@pytest.mark.parametrize(
    ("origin", "target", "direction"),
    [
        (SOMEBODY_EVM, BINANCE_EVM, "deposit"),
        (KRAKEN, BINANCE_EVM, "between_exchanges"),
        (SOMEBODY_EVM, POOL, "between_wallets"),
        (NOBODY, BINANCE_EVM, "deposit"),
        (BINANCE_EVM.upper().replace("0X", "0x"), SOMEBODY_EVM, "withdrawal"),
    ],
)
def test_directions(origin: str, target: str, direction: str) -> None:
    (found,) = parse(answer(row(**{"from": origin, "to": target})), NOW_MS)
    assert isinstance(found, Transfer)
    assert found.direction == direction
    assert (found.origin.kind == "issuer") == (origin == NOBODY)


def test_a_token_that_only_calls_itself_usdt_is_not_told() -> None:
    assert parse(answer(row(contractAddress=POOL)), NOW_MS) == []


def test_decimals_are_the_lists_not_the_contracts_word() -> None:
    moved = row(contractAddress=LINK, value="150000000000000000000000", tokenDecimal="0")
    (found,) = parse(answer(moved), NOW_MS, "ethereum", known(LINK=15.0))
    assert isinstance(found, Transfer)
    assert (found.token, found.amount, found.amount_usd) == ("LINK", 150_000.0, 2_250_000.0)


def test_wrapped_ether_counts_as_ether() -> None:
    moved = row(contractAddress=WETH, value="1000000000000000000000")
    (found,) = parse(answer(moved), NOW_MS, "ethereum", known(ETH=3_000.0))
    assert isinstance(found, Transfer)
    assert (found.token, found.amount, found.amount_usd) == ("ETH", 1_000.0, 3_000_000.0)


def test_small_ones_are_not_told_but_those_nobody_can_value_are() -> None:
    small = row(value="499999000000")
    unknown = row(contractAddress=LINK, value="150000000000000000000000", hash="0x2")
    (found,) = parse(answer(small, unknown), NOW_MS, "ethereum", known())
    assert isinstance(found, Transfer)
    assert (found.token, found.amount) == ("LINK", 150_000.0)
    assert isnan(found.amount_usd)


def test_what_one_transaction_pays_in_parts_is_one_transfer() -> None:
    (found,) = parse(answer(row(), row(value="1000000")), NOW_MS)
    assert isinstance(found, Transfer)
    assert found.amount == 2_300_001.5


@pytest.mark.parametrize(
    "changes",
    [
        {"value": "0"},
        {"value": "-5"},
        {"value": "1e18"},
        {"value": "9" * 79},
        {"value": "9" * 78},
        {"timeStamp": "1780000400"},  # in the future
        {"from": ""},
        {"isError": "1"},
    ],
)
def test_what_moves_nothing_is_left_out(changes: dict[str, str]) -> None:
    assert len(parse(answer(row(), row(hash="0x9", **changes)), NOW_MS)) == 1


def test_the_chains_own_coin() -> None:
    moved = row(contractAddress="", value="2500000000000000000000", isError="0")
    (found,) = parse(answer(moved), NOW_MS, "bsc", known(BNB=600.0), is_coin=True)
    assert isinstance(found, Transfer)
    assert (found.token, found.amount, found.amount_usd) == ("BNB", 2_500.0, 1_500_000.0)
    assert found.blockchain == "bsc"


def test_no_transactions_is_empty() -> None:
    assert parse(EMPTY, NOW_MS) == []


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        "<html>",
        {"status": "1", "message": "OK", "result": None},
        {"status": "1", "message": "OK", "result": [{"shape": "new"}]},
        refused("Something else"),
        {},
    ],
)
def test_not_an_answer(payload: Any) -> None:
    with pytest.raises(PayloadError):
        parse(payload, NOW_MS)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("Max rate limit reached, please use API Key for higher rate limit", RateLimited),
        ("Max calls per sec rate limit reached (3/sec)", RateLimited),
        ("Max daily rate limit reached. 110000 (100%) of 100000", RateLimited),
        ("Invalid API Key (#err2)|secret", SourceRejected),
        ("Missing/Invalid API Key", SourceRejected),
        ("Free API access is not supported for this chain. Please upgrade", SourceRejected),
        ("Missing or unsupported chainid parameter (required for v2 api)", SourceRejected),
        ("Query Timeout occured. Please select a smaller result dataset", SourceUnavailable),
        ("Unexpected error, timeout or server too busy. Please try again later", SourceUnavailable),
    ],
)
def test_refusals(words: str, error: type[Exception]) -> None:
    with pytest.raises(error) as raised:
        refuse(refused(words))
    assert type(raised.value) is error or error is SourceRejected
    assert "secret" not in str(raised.value)


SMART = {"smart_wallets": {f"ethereum:{FOX}": "The fox"}}


def swap(given: str, got: str, **amounts: str) -> dict[str, Any]:
    out = row(contractAddress=given, value=amounts["out"], **{"from": FOX, "to": POOL})
    back = row(contractAddress=got, value=amounts["back"], **{"from": POOL, "to": FOX})
    return answer(out, back)


def trades(payload: Any, **prices: float) -> list[tuple[str, str, float]]:
    found = parse(payload, NOW_MS, "ethereum", known(SMART, **prices))
    told = [each for each in found if isinstance(each, WalletTrade)]
    assert {(each.wallet, each.label) for each in told} <= {(FOX, "The fox")}
    return [(each.side, each.token, each.amount_usd) for each in told]


def test_a_smart_wallet_buys() -> None:
    bought = swap(USDT_EVM, LINK, out="30000000000", back="2000000000000000000000")
    assert trades(bought, LINK=15.0) == [("buy", "LINK", 30_000.0)]
    assert trades(bought) == [("buy", "LINK", 30_000.0)], "worth the dollars it cost"


def test_a_smart_wallet_sells() -> None:
    sold = swap(LINK, USDT_EVM, out="2000000000000000000000", back="30000000000")
    assert trades(sold, LINK=15.0) == [("sell", "LINK", 30_000.0)]


def test_one_token_for_another_is_two_trades() -> None:
    changed = swap(WETH, LINK, out="10000000000000000000", back="2000000000000000000000")
    found = trades(changed, ETH=3_000.0, LINK=15.0)
    assert found == [("buy", "LINK", 30_000.0), ("sell", "ETH", 30_000.0)]


def test_a_gift_or_a_payment_is_no_trade() -> None:
    gift = row(contractAddress=LINK, **{"from": POOL, "to": FOX})
    paid = row(contractAddress=USDT_EVM, hash="0x77", **{"from": FOX, "to": POOL})
    assert trades(answer(gift, paid), LINK=15.0) == []


def told_once(client: ScriptedClient, context: Told) -> list[Any]:
    return asyncio.run(fetch(client, context))


ONE_WALLET = ["0x" + "1" * 40]


def only(monkeypatch: pytest.MonkeyPatch, wallets: dict[str, list[str]]) -> None:
    asked = "external_layers.sources.etherscan.wallets.asked"
    monkeypatch.setattr(asked, lambda chain, _settings: tuple(wallets.get(chain, [])))


def test_a_fetch_asks_for_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, {"ethereum": [BINANCE_EVM]})
    context = context_of({KEY: "k3y"}, tokens=["LINK"], prices={"LINK": 15.0})
    client = ScriptedClient([CHAIN_SAMPLES["etherscan"], EMPTY])
    first, second = told_once(client, context), told_once(client, context)
    assert [each.token for each in first if isinstance(each, Transfer)] == ["USDT"]
    assert [each for each in second if isinstance(each, Transfer)] == []
    assert {each.subject for each in second if isinstance(each, Watched)} >= {"USDT", "LINK"}
    asked = [question.params for question in client.asked]
    assert [each["startblock"] for each in asked] == [0, 25_200_000]
    assert {each["address"] for each in asked} == {BINANCE_EVM}
    assert {each["chainid"] for each in asked} == {1}
    assert {each["apikey"] for each in asked} == {"k3y"}
    assert "k3y" not in json.dumps(context.memory)


def test_old_ones_are_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, {"ethereum": [BINANCE_EVM]})
    old = answer(row(timeStamp=str(NOW_MS // 1_000 - 1_900)))
    found = told_once(ScriptedClient([old]), context_of({KEY: "k"}))
    assert [each for each in found if isinstance(each, Transfer)] == []


def test_a_full_page_is_followed_by_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, {"ethereum": [BINANCE_EVM]})
    context = context_of({KEY: "k"})
    full = answer(*(row(hash=f"0x{number:x}") for number in range(1_000)))
    client = ScriptedClient([full, full, answer(row(hash="0xffff"))])
    assert len([each for each in told_once(client, context) if isinstance(each, Transfer)]) == 1_000
    assert len([each for each in told_once(client, context) if isinstance(each, Transfer)]) == 1_001
    assert [question.params["page"] for question in client.asked] == [1, 1, 2]


def test_every_wallet_has_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [f"0x{number:040x}" for number in range(1, 31)]
    only(monkeypatch, {"ethereum": many})
    context = context_of({KEY: "k"}, tokens=["ETH"])
    client = ScriptedClient([EMPTY] * 60)
    told = [told_once(client, context) for _ in range(5)]
    asked = [(question.params["action"], question.params["address"]) for question in client.asked]
    assert len(asked) == len(set(asked)) == 60
    assert {action for action, _ in asked} == {"tokentx", "txlist"}
    seen = [{each.subject for each in one if isinstance(each, Watched)} for one in told]
    assert seen[:2] == [set(), set()], "nothing is watched before every wallet was asked"
    assert "USDT" in seen[2], "tokens are told by the first thirty polls"
    assert "ETH" in seen[4]
    assert "ETH" not in seen[3]


def test_a_refused_chain_is_left_alone_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    only(monkeypatch, {"ethereum": [BINANCE_EVM], "bsc": ONE_WALLET, "polygon": ONE_WALLET})
    context = context_of({KEY: "k"})
    no_bsc = refused("Free API access is not supported for this chain.")
    client = ScriptedClient([CHAIN_SAMPLES["etherscan"], no_bsc, EMPTY, EMPTY, EMPTY])
    first = told_once(client, context)
    assert [each.token for each in first if isinstance(each, Transfer)] == ["USDT"]
    second = told_once(client, context)
    assert [question.params["chainid"] for question in client.asked] == [1, 56, 137, 1, 137]
    assert "USDT" in {each.subject for each in second if isinstance(each, Watched)}
    context.now_ms = lambda: NOW_MS + 86_400_001
    client.answers = [EMPTY] * 3
    told_once(client, context)
    assert {question.params["chainid"] for question in client.asked[5:]} == {1, 56, 137}


def test_what_a_broken_fetch_found_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, {"ethereum": [BINANCE_EVM, *ONE_WALLET]})
    context = context_of({KEY: "k"})
    client = ScriptedClient([CHAIN_SAMPLES["etherscan"], refused("Max rate limit reached")])
    with pytest.raises(RateLimited):
        told_once(client, context)
    client.answers = [CHAIN_SAMPLES["etherscan"], EMPTY]
    found = told_once(client, context)
    assert [each.token for each in found if isinstance(each, Transfer)] == ["USDT"]


@pytest.mark.parametrize("block", ["9" * 30, "-1", "soon", None, ""])
def test_an_absurd_block_does_not_hide_what_follows(
    monkeypatch: pytest.MonkeyPatch, block: Any
) -> None:
    only(monkeypatch, {"ethereum": [BINANCE_EVM]})
    context = context_of({KEY: "k"})
    client = ScriptedClient([answer(row(), row(hash="0x2", blockNumber=block)), EMPTY])
    told_once(client, context)
    told_once(client, context)
    assert client.asked[1].params["startblock"] == 25_200_000


def test_a_broken_memory_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, {"ethereum": [BINANCE_EVM]})
    context = context_of({KEY: "k"})
    context.memory.update(turn="x", seen=[1], marks={"a": None}, off="gone")
    assert told_once(ScriptedClient([CHAIN_SAMPLES["etherscan"]]), context)
    json.dumps(context.memory)


def watched_by(client: ScriptedClient, context: Told) -> set[str]:
    return {each.subject for each in told_once(client, context) if isinstance(each, Watched)}


def test_who_was_cut_off_does_not_claim_to_have_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, {"ethereum": [BINANCE_EVM]})
    context = context_of({KEY: "k"})
    rows = [row(hash=f"0x{number:x}") for number in range(999)]
    cut = answer(row(), *rows)
    back = answer(*rows, row(timeStamp=str(NOW_MS // 1_000 - 1_900)))
    client = ScriptedClient([cut, cut, cut, cut, answer(row())])
    told = [watched_by(client, context) for _ in range(3)]
    assert told[:2] == [set(), set()]
    assert "USDT" in told[2]
    fresh = context_of({KEY: "k"})
    assert "USDT" in watched_by(ScriptedClient([back]), fresh), "what is older does not matter"


def test_a_wrapped_coin_does_not_stand_for_its_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sees WBTC has not watched Bitcoin, nor BNB while its chain is not served."""
    only(monkeypatch, {"ethereum": [BINANCE_EVM], "polygon": [BINANCE_EVM]})
    context = context_of({KEY: "k"}, tokens=["BTC", "ETH", "BNB", "POL", "SOL", "LINK"])
    told = watched_by(ScriptedClient([EMPTY] * 4), context)
    assert told >= {"ETH", "POL", "LINK", "USDT"}
    assert told.isdisjoint({"BTC", "BNB", "SOL"})
