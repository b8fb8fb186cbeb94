"""Bitcoin: who pays whom in a transaction, the same from both sources."""

import asyncio
import copy
from math import isnan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from external_layers.sources import blockchain_com, mempool_space
from external_layers.sources.bitcoin_flows import CHAIN, Coins, Transaction, transfer
from external_layers.sources.facts import Transfer, Watched
from external_layers.sources.transfers import everything
from scalp_strategy.errors import PayloadError
from tests.support.asked import NOW_MS, ScriptedClient, context_of
from tests.support.chain_samples import (
    BINANCE_BTC,
    CHAIN_SAMPLES,
    KRAKEN_BTC,
    OTHER_BTC,
    SOMEBODY_BTC,
)

BINANCE_COLD = "34xp4vRoCGJym3xR7yCVPFHoCNxv4Twseo"
THIRD_BTC = "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"
KNOWN = everything(CHAIN)
COIN = 100_000_000


def moved(
    inputs: list[tuple[str, float]], outputs: list[tuple[str, float]]
) -> tuple[str, str, float] | None:
    spent = tuple(Coins(address, round(amount * COIN)) for address, amount in inputs)
    paid = tuple(Coins(address, round(amount * COIN)) for address, amount in outputs)
    found = transfer(Transaction("h", spent, paid, NOW_MS), NOW_MS, KNOWN)
    return found and (found.origin.label, found.target.label, found.amount)


WALLET = "unknown wallet"


@pytest.mark.parametrize(
    ("inputs", "outputs", "expected"),
    [
        # An exchange pays out, the rest returns to it.
        (
            [(BINANCE_BTC, 500)],
            [(SOMEBODY_BTC, 100), (BINANCE_BTC, 400)],
            ("Binance", WALLET, 100.0),
        ),
        # To its own other wallet is change as well.
        (
            [(BINANCE_BTC, 500)],
            [(SOMEBODY_BTC, 100), (BINANCE_COLD, 400)],
            ("Binance", WALLET, 100.0),
        ),
        # Many are paid at once: their sum.
        (
            [(BINANCE_BTC, 500)],
            [(SOMEBODY_BTC, 100), (OTHER_BTC, 50), (BINANCE_BTC, 350)],
            ("Binance", WALLET, 150.0),
        ),
        # Nothing returns: the largest may be change to a fresh address.
        (
            [(BINANCE_BTC, 500)],
            [(SOMEBODY_BTC, 100), (OTHER_BTC, 400)],
            ("Binance", WALLET, 100.0),
        ),
        # All of it goes to one.
        ([(BINANCE_BTC, 500)], [(SOMEBODY_BTC, 500)], ("Binance", WALLET, 500.0)),
        # A deposit, with change to a fresh address.
        (
            [(SOMEBODY_BTC, 500)],
            [(BINANCE_BTC, 100), (OTHER_BTC, 400)],
            (WALLET, "Binance", 100.0),
        ),
        # Between exchanges.
        ([(BINANCE_BTC, 500)], [(KRAKEN_BTC, 500)], ("Binance", "Kraken", 500.0)),
        (
            [(BINANCE_BTC, 500)],
            [(KRAKEN_BTC, 60), (SOMEBODY_BTC, 40), (BINANCE_BTC, 400)],
            ("Binance", "Kraken", 60.0),
        ),
        # Within one exchange, deposit addresses swept beside its own wallet: nothing moved.
        ([(BINANCE_BTC, 5)], [(BINANCE_COLD, 5)], None),
        ([(BINANCE_BTC, 5), (SOMEBODY_BTC, 50)], [(BINANCE_BTC, 55)], None),
        # Between wallets: at least the smaller output, all of a single one.
        (
            [(SOMEBODY_BTC, 500)],
            [(OTHER_BTC, 100), (THIRD_BTC, 400)],
            (WALLET, WALLET, 100.0),
        ),
        (
            [(SOMEBODY_BTC, 500)],
            [(OTHER_BTC, 100), (SOMEBODY_BTC, 400)],
            (WALLET, WALLET, 100.0),
        ),
        ([(SOMEBODY_BTC, 500)], [(OTHER_BTC, 500)], (WALLET, WALLET, 500.0)),
        ([(SOMEBODY_BTC, 500)], [(SOMEBODY_BTC, 500)], None),
        # A miner's reward, an empty one, one without addresses.
        ([], [(SOMEBODY_BTC, 3.125)], None),
        ([(SOMEBODY_BTC, 500)], [], None),
        ([("", 500)], [(BINANCE_BTC, 500)], (WALLET, "Binance", 500.0)),
        # The spelling of an address does not matter where the chain says so.
        ([(SOMEBODY_BTC, 5)], [(BINANCE_BTC.upper(), 5)], (WALLET, "Binance", 5.0)),
    ],
)
def test_who_pays_whom(
    inputs: list[tuple[str, float]],
    outputs: list[tuple[str, float]],
    expected: tuple[str, str, float] | None,
) -> None:
    assert moved(inputs, outputs) == expected


addresses = st.sampled_from([BINANCE_BTC, BINANCE_COLD, KRAKEN_BTC, SOMEBODY_BTC, OTHER_BTC, ""])
# An input of nothing pays nobody; which of several such comes first says nothing.
coins = st.lists(st.tuples(addresses, st.integers(1, 21_000_000)), max_size=5)


@given(inputs=coins, outputs=coins)
def test_never_more_than_was_paid_out_and_never_to_oneself(
    inputs: list[tuple[str, float]], outputs: list[tuple[str, float]]
) -> None:
    found = moved(inputs, outputs)
    if found is not None:
        origin, target, amount = found
        assert 0 < amount <= sum(paid for _, paid in outputs)
        assert origin == WALLET or origin != target
        assert moved(inputs[::-1], outputs[::-1]) is not None


def test_both_sources_tell_the_same_transfer() -> None:
    (early,) = mempool_space.parse(CHAIN_SAMPLES["mempool_space"], NOW_MS)
    (mined,) = blockchain_com.parse(CHAIN_SAMPLES["blockchain_com"], NOW_MS)
    assert early == mined
    assert early.key == mined.key
    assert (early.token, early.amount, early.direction) == ("BTC", 100.0, "withdrawal")
    assert isnan(early.amount_usd)
    assert early.observed_at_ms == 1_779_999_700_000


def test_what_is_in_no_block_yet_is_true_when_it_is_seen() -> None:
    sample = copy.deepcopy(CHAIN_SAMPLES["mempool_space"])
    sample[0]["status"] = {"confirmed": False}
    (found,) = mempool_space.parse(sample, NOW_MS)
    assert found.observed_at_ms == found.available_at_ms == NOW_MS


@pytest.mark.parametrize("parse", [mempool_space.parse, blockchain_com.parse])
@pytest.mark.parametrize("payload", [None, "Too many requests", {"error": 1}, [{"txid": 5}]])
def test_not_an_answer(parse: Any, payload: Any) -> None:
    with pytest.raises(PayloadError):
        parse(payload, NOW_MS)


def btc_context(**more: Any) -> Any:
    return context_of({}, tokens=["BTC"], prices={"BTC": 80_000.0}, **more)


def test_mempool_tells_a_transaction_once() -> None:
    context, client = btc_context(), ScriptedClient([CHAIN_SAMPLES["mempool_space"]] * 6)
    first = asyncio.run(mempool_space.fetch(client, context))
    second = asyncio.run(mempool_space.fetch(client, context))
    assert [each.amount_usd for each in first if isinstance(each, Transfer)] == [8_000_000.0]
    assert [each for each in second if isinstance(each, Transfer)] == []
    paths = [question.path for question in client.asked]
    assert len(paths) == len(set(paths)) == 6
    assert all(path.startswith("/api/address/") and path.endswith("/txs") for path in paths)


def test_mempool_has_watched_when_every_wallet_was_asked() -> None:
    context = btc_context()
    watched: list[Any] = []
    for rounds in range(8):
        context.now_ms = lambda rounds=rounds: NOW_MS + rounds
        found = asyncio.run(mempool_space.fetch(ScriptedClient([[]] * 3), context))
        watched.append([each.observed_at_ms for each in found if isinstance(each, Watched)])
    assert watched == [[], [], [], [], [], [], [NOW_MS], [NOW_MS + 1]]


@pytest.mark.parametrize("fetch", [mempool_space.fetch, blockchain_com.fetch])
def test_nothing_is_asked_while_no_size_can_be_told(fetch: Any) -> None:
    client = ScriptedClient([])
    assert asyncio.run(fetch(client, context_of({}, tokens=["BTC"]))) == []
    assert client.asked == []


def block(name: str, before: str, transaction: str) -> dict[str, Any]:
    sample = copy.deepcopy(CHAIN_SAMPLES["blockchain_com"])
    sample["tx"][1]["hash"] = transaction
    return {**sample, "hash": name, "prev_block": before}


def test_missed_blocks_are_made_up_for() -> None:
    context = btc_context()
    client = ScriptedClient([{"hash": "a1"}, block("a1", "a0", "t1")])
    first = asyncio.run(blockchain_com.fetch(client, context))
    assert [each.tx_hash for each in first if isinstance(each, Transfer)] == ["t1"]
    client.answers = [{"hash": "a1"}]
    idle = asyncio.run(blockchain_com.fetch(client, context))
    assert [type(each) for each in idle] == [Watched]
    client.answers = [{"hash": "a3"}, block("a3", "a2", "t3"), block("a2", "a1", "t2")]
    third = asyncio.run(blockchain_com.fetch(client, context))
    assert [each.tx_hash for each in third if isinstance(each, Transfer)] == ["t3", "t2"]
    assert [question.path for question in client.asked][-2:] == ["/rawblock/a3", "/rawblock/a2"]


def test_a_long_gap_is_not_made_up_for() -> None:
    context = btc_context()
    context.memory["block"] = "long-ago"
    blocks = [block(f"b{number}", f"b{number - 1}", f"t{number}") for number in (9, 8, 7, 6)]
    client = ScriptedClient([{"hash": "b9"}, *blocks])
    asyncio.run(blockchain_com.fetch(client, context))
    assert len(client.asked) == 5


@pytest.mark.parametrize("name", ["../../q", "", None, 7, "a?b"])
def test_what_is_no_hash_is_not_asked_for(name: Any) -> None:
    with pytest.raises(PayloadError):
        asyncio.run(blockchain_com.fetch(ScriptedClient([{"hash": name}]), btc_context()))


def test_blocks_that_were_passed_over_are_not_called_watched() -> None:
    context = btc_context()
    blocks = [block(f"b{number}", f"b{number - 1}", f"t{number}") for number in range(9, 5, -1)]
    answers = [[{"hash": "b9"}, blocks[0]], [{"hash": "b9"}]]
    context.memory["block"] = ""
    assert [any_watched(blockchain_com.fetch, each, context) for each in answers] == [False, True]
    context.memory["block"] = "long-ago"
    assert not any_watched(blockchain_com.fetch, [{"hash": "b9"}, *blocks], context)


def test_a_wallet_with_more_than_a_page_since_the_last_look_is_not_watched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mempool_space.wallets, "asked", lambda _chain, _settings: (BINANCE_BTC,))
    context = btc_context()
    full = [{**CHAIN_SAMPLES["mempool_space"][0], "txid": f"{number:064x}"} for number in range(25)]
    block_ms = 1_779_999_700_000
    for last_ms, is_watched in ((block_ms - 1, False), (block_ms, True)):
        context.memory["seen"] = {BINANCE_BTC: last_ms}
        found = asyncio.run(mempool_space.fetch(ScriptedClient([full]), context))
        until = [each.observed_at_ms for each in found if isinstance(each, Watched)]
        assert until == [NOW_MS if is_watched else last_ms]


def any_watched(fetch: Any, answers: list[Any], context: Any) -> bool:
    found = asyncio.run(fetch(ScriptedClient(answers), context))
    return any(isinstance(each, Watched) for each in found)
