"""Whale Alert, asked: who moved what, page after page, and what was looked at."""

import asyncio
import copy
import json
from math import isnan
from typing import Any

import pytest

from external_layers.sources.facts import Transfer, Watched
from external_layers.sources.whale_alert import KEY, fetch, parse, parse_covered
from scalp_strategy.errors import PayloadError, SourceUnavailable
from tests.support.asked import NOW_MS, ScriptedClient, Told, context_of
from tests.support.recorded import recorded
from tests.support.source_samples import SAMPLES

STATUS = {
    "result": "success",
    "blockchains": [
        {"name": "ethereum", "symbols": ["eth", "usdt", "", 7], "status": "connected"},
        {"name": "ripple", "symbols": ["xrp"], "status": "down"},
    ],
}


def move(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(SAMPLES["whale_alert"]["transactions"][0]), **changes}


def answer(*moves: dict[str, Any], cursor: str = "c1") -> dict[str, Any]:
    return {"result": "success", "cursor": cursor, "transactions": list(moves)}


def told(client: ScriptedClient, context: Told) -> list[Any]:
    return list(asyncio.run(fetch(client, context)))


def test_a_deposit() -> None:
    (found,) = parse(answer(move()), NOW_MS)
    assert found.direction == "deposit"
    assert (found.token, found.amount, found.amount_usd) == ("USDT", 5e6, 5_000_150.5)
    assert found.origin.label == "unknown wallet"
    assert found.target.label == "Kraken"
    assert found.target.address == "0xae2d4617c862309a3d75a0ffb358c7a5009c673f"
    assert (found.observed_at_ms, found.available_at_ms) == (1_779_999_800_000, NOW_MS)


@pytest.mark.parametrize(
    ("kind", "ends"),
    [
        ("mint", ("issuer", "exchange")),
        ("burn", ("wallet", "issuer")),
        ("lock", ("wallet", "issuer")),
        ("unlock", ("issuer", "exchange")),
        ("transfer", ("wallet", "exchange")),
    ],
)
def test_issuers(kind: str, ends: tuple[str, str]) -> None:
    (found,) = parse(answer(move(transaction_type=kind)), NOW_MS)
    assert (found.origin.kind, found.target.kind) == ends


def test_what_moves_nothing_is_no_transfer() -> None:
    assert parse(answer(move(transaction_type="freeze")), NOW_MS) == []


def test_chains_without_accounts_are_known_by_the_transaction() -> None:
    (found,) = parse(answer(move(blockchain="bitcoin", symbol="btc")), NOW_MS)
    assert found.origin.address == found.target.address == ""
    assert found.key == ("bitcoin", move()["hash"], "BTC", "", "")


def test_an_unknown_value_is_unknown_and_a_bad_row_is_left_out() -> None:
    found = parse(
        answer(move(amount_usd=None), move(amount=0), move(hash=""), move(timestamp=9e9)), NOW_MS
    )
    assert len(found) == 1
    assert isnan(found[0].amount_usd)


@pytest.mark.parametrize(
    "payload",
    [
        {"result": "error", "message": "invalid api_key"},
        answer(move(symbol=None)),
        {"result": "success", "transactions": "none"},
        [],
        "<html>",
    ],
)
def test_not_an_answer(payload: Any) -> None:
    with pytest.raises(PayloadError):
        parse(payload, NOW_MS)


def test_covered_tokens() -> None:
    assert parse_covered(STATUS) == {"ETH", "USDT"}
    with pytest.raises(PayloadError):
        parse_covered({"result": "error"})


def test_a_quiet_market_was_looked_at() -> None:
    client = ScriptedClient([STATUS, answer()])
    context = context_of({KEY: "secret"}, tokens=["ETH", "PIPPIN"])
    assert told(client, context) == [
        Watched("transfers", token, "whale_alert", NOW_MS, NOW_MS) for token in ("ETH", "USDT")
    ]
    assert client.asked[1].params == {
        "api_key": "secret",
        "start": NOW_MS // 1_000 - 1_800,
        "min_value": 500_000,
        "limit": 100,
    }
    assert "secret" not in json.dumps(context.memory)


def test_pages_follow_the_cursor_and_the_next_fetch_goes_on() -> None:
    full = answer(*(move(hash=f"h{each}") for each in range(100)), cursor="c1")
    client = ScriptedClient([STATUS, full, answer(move(), cursor="c2"), answer(cursor="")])
    context = context_of({KEY: "k"})
    facts = told(client, context)
    assert len([each for each in facts if isinstance(each, Transfer)]) == 101
    assert client.asked[2].params["cursor"] == "c1"
    told(client, context)
    assert client.asked[3].params["cursor"] == "c2"  # and the status was not asked for again
    assert context.memory["cursor"] == "c2"


def test_too_many_pages_are_watched_only_as_far_as_they_go() -> None:
    full = answer(*(move(hash=f"h{each}") for each in range(100)))
    facts = told(ScriptedClient([STATUS, full, full, full]), context_of({KEY: "k"}, ["ETH"]))
    seen = [each for each in facts if isinstance(each, Watched)]
    assert {each.observed_at_ms for each in seen} == {1_779_999_800_000}


def test_a_page_that_fails_loses_nothing() -> None:
    full = answer(*(move(hash=f"h{each}") for each in range(100)), cursor="c1")
    client = ScriptedClient([STATUS, full, SourceUnavailable("down"), full, answer()])
    context = context_of({KEY: "k"})
    with pytest.raises(SourceUnavailable):
        told(client, context)
    facts = told(client, context)
    assert len([each for each in facts if isinstance(each, Transfer)]) == 100


def test_a_cursor_of_long_ago_is_dropped() -> None:
    client = ScriptedClient([STATUS, answer()])
    context = context_of({KEY: "k"})
    context.memory.update(cursor="old", at_ms=NOW_MS - 86_400_000)
    told(client, context)
    assert "cursor" not in client.asked[1].params


@pytest.mark.parametrize(("name", "number"), [("transaction", 2), ("transactions", 2)])
def test_recorded_answers(name: str, number: int) -> None:
    body = recorded("context", f"whale_alert_{name}.json").read_bytes()
    found = parse(json.loads(body), NOW_MS)
    assert len(found) == number
    assert {each.blockchain for each in found} == {"ethereum"}
    assert all(each.origin.address.startswith("0x") for each in found)


def test_recorded_status() -> None:
    body = recorded("context", "whale_alert_status.json").read_bytes()
    assert {"BTC", "ETH", "USDT", "USDC"} < parse_covered(json.loads(body))


def test_wrapped_coins_are_the_same_transfer_as_on_the_chain() -> None:
    (found,) = parse({"result": "success", "transactions": [move(symbol="wbtc")]}, NOW_MS)
    assert found.token == "BTC"  # noqa: S105
