"""Whale Alert, listened to: the transfer that is told when asked, and bad messages are borne."""

import asyncio
import copy
from typing import Any

import pytest

from external_layers.sources import whale_alert
from external_layers.sources.facts import Transfer, Watched
from external_layers.sources.whale_alert_stream import KEY, fetch, parse
from scalp_strategy.errors import PayloadError, RateLimited, SourceRejected, SourceUnavailable
from tests.support.asked import NOW_MS, ScriptedClient, Told, context_of
from tests.support.source_samples import SAMPLES

CONFIRMED = {"id": "8QFdN74g", "type": "subscribed_alerts", "min_value_usd": 1_000_000}


def alert(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(SAMPLES["whale_alert_stream"]), **changes}


def listen(*messages: Any, **section: Any) -> tuple[ScriptedClient, Told]:
    client, context = ScriptedClient(list(messages)), context_of({KEY: "k"}, section=section)
    assert asyncio.run(fetch(client, context)) == []
    return client, context


def test_it_is_the_transfer_that_is_told_when_asked() -> None:
    (heard,) = parse(alert(), NOW_MS)
    (asked,) = whale_alert.parse(SAMPLES["whale_alert"], NOW_MS)
    assert heard.key == asked.key
    assert heard == Transfer(
        **{name: getattr(asked, name) for name in ("token", "amount", "amount_usd", "origin")},
        **{name: getattr(asked, name) for name in ("target", "blockchain")},
        tx_hash=heard.tx_hash,
        observed_at_ms=asked.observed_at_ms,
        available_at_ms=NOW_MS,
    )


def test_it_is_so_on_chains_without_accounts() -> None:
    many = [{"address": f"bc1q{each}"} for each in range(3)]
    movement = {"symbol": "BTC", "inputs": many, "outputs": many}
    changes = {"blockchain": "bitcoin", "amounts": [{"symbol": "BTC", "amount": 100}]}
    tx = {"hash": "ab", "sub_transactions": [movement]}
    (heard,) = parse(alert(**changes, transaction=tx), NOW_MS)
    row = {**SAMPLES["whale_alert"]["transactions"][0], "blockchain": "bitcoin", "symbol": "btc"}
    row = {**row, "hash": "ab", "from": {"address": "Multiple Addresses"}}
    (asked,) = whale_alert.parse({"transactions": [row]}, NOW_MS)
    assert heard.key == asked.key


def test_change_that_returns_to_an_exchange_makes_no_exchange_of_a_wallet() -> None:
    outputs = [
        {"address": "0x1", "owner": "", "owner_type": "unknown"},
        {"address": "0x2", "owner": "binance", "owner_type": "exchange"},
    ]
    tx = {"hash": "ab", "sub_transactions": [{"symbol": "USDT", "outputs": outputs}]}
    (found,) = parse(alert(to="unknown wallet", transaction=tx), NOW_MS)
    assert found.target.kind == "wallet"
    (found,) = parse(alert(to="Binance", transaction=tx), NOW_MS)
    assert found.target.kind == "exchange"


def test_several_amounts_are_several_transfers() -> None:
    amounts = [{"symbol": "USDC", "amount": 2}, {"symbol": "ETH", "amount": 3}, {"symbol": "?"}]
    found = parse(alert(amounts=amounts), NOW_MS)
    assert [(each.token, each.amount) for each in found] == [("USDC", 2.0), ("ETH", 3.0)]


def test_mints_come_from_the_issuer() -> None:
    (found,) = parse(alert(transaction_type="mint", **{"from": "Tether Treasury"}), NOW_MS)
    assert (found.origin.kind, found.origin.label) == ("issuer", "Tether Treasury")


def test_a_confirmation_is_no_transfer() -> None:
    assert parse(CONFIRMED, NOW_MS) == []


@pytest.mark.parametrize("changes", [{"transaction": {}}, {"amounts": []}, {"blockchain": 5}])
def test_an_alert_without_what_makes_a_transfer(changes: dict[str, Any]) -> None:
    with pytest.raises(PayloadError):
        parse(alert(**changes), NOW_MS)


def test_it_asks_for_whales_and_delivers_as_they_come() -> None:
    client, context = listen(CONFIRMED, alert(), onchain={"whale_transfer_usd": 2_000_000})
    (question,) = client.asked
    assert question.json[0]["min_value_usd"] == 2_000_000
    assert question.json[0]["type"] == "subscribe_alerts"
    transfer, seen = context.delivered
    assert isinstance(transfer, Transfer)
    assert seen == Watched("transfers", "USDT", "whale_alert_stream", NOW_MS, NOW_MS)


def test_the_service_takes_no_limit_below_its_own() -> None:
    client, _ = listen(onchain={"whale_transfer_usd": 1_000, "min_transfer_usd": 500})
    assert client.asked[0].json[0]["min_value_usd"] == 100_000


def test_some_bad_messages_are_borne_and_many_are_not() -> None:
    _, context = listen(b"\xff", b"{}", {"amounts": 1}, alert(), b"[", b"[", b"[", b"[")
    assert len(context.delivered) == 2
    with pytest.raises(PayloadError):
        listen(*[b"<html>"] * 5)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("invalid api key k-secret", SourceRejected),
        ("your plan k-secret does not cover this", SourceRejected),
        ("too many alerts, limit of k-secret reached", RateLimited),
        ("internal k-secret", SourceUnavailable),
    ],
)
def test_a_refusal_is_told_by_what_it_asks_for_without_its_text(
    error: str, kind: type[Exception]
) -> None:
    with pytest.raises(kind) as caught:
        listen({"error": error})
    assert type(caught.value) is kind
    assert "secret" not in str(caught.value)


def test_wrapped_coins_are_the_same_transfer_as_on_the_chain() -> None:
    sample = alert()
    amounts = [{**sample["amounts"][0], "symbol": "WETH"}]
    (found,) = parse({**sample, "amounts": amounts}, NOW_MS)
    assert found.token == "ETH"  # noqa: S105
