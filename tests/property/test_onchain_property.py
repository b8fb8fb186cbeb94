"""What holds for any stream of facts: equal to a batch computation, causal, mirrored, bounded."""

import json
import random
from dataclasses import replace
from math import inf, isnan, nan

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from external_layers.onchain.state import OnChainState
from external_layers.sources.facts import (
    DEX_BUYS,
    DEX_SELLS,
    EXCHANGE_NETFLOW,
    MARKET,
    SERIES,
    STABLECOIN_SUPPLY,
    Fact,
    Party,
    Reading,
    Transfer,
    WalletTrade,
    Watched,
)
from scalp_strategy.contract import Component
from scalp_strategy.errors import PayloadError
from scalp_strategy.setting_groups.onchain import OnChainSettings
from tests.unit.external_layers.onchain.chain_facts import (
    BINANCE,
    DAY_MS,
    HOUR_MS,
    KRAKEN,
    MINUTE_MS,
    PAIRS,
    SOMEBODY,
    START_MS,
    as_text,
    no_price,
    random_facts,
    told,
    transfer,
)
from tests.unit.external_layers.onchain.chain_reference import ChainReference

# Short histories, so that everything fills, is compared and expires within a day or two.
QUICK = OnChainSettings(
    flow_history_days=1, flow_min_hours=4, flow_hour_share=0.3, stablecoin_window_s=5_400
)
# Where a scale is the mirror of itself.
EVEN = QUICK.model_copy(
    update={
        "deposit_score": 20.0,
        "withdrawals_score": 80.0,
        "inflow_scores": (10.0, 30.0),
        "stablecoin_outflow_scores": (10.0, 25.0),
        "smart_sell_scores": (10.0, 30.0),
    }
)
ALL_PAIRS = PAIRS | {"PEPE/USDT": "PEPE", "ETH/USDT": "ETH", "USDC/USDT": "USDC"}
relaxed = examples(max_examples=60, deadline=None)


def assert_as_reference(found: list[Component], facts: list[Fact], at: int) -> None:
    reference = ChainReference(facts, QUICK, at)
    tokens = ALL_PAIRS | {MARKET: MARKET}
    by_pair = {pair: reference.scores(token) for pair, token in tokens.items()}
    told_of = {(one.pair, one.name) for one in found}
    for pair, scores in by_pair.items():
        for name, (long, _) in scores.items():
            is_said = isnan(long) or ALL_PAIRS.get(pair) == "USDC" or (pair, name) in told_of
            assert is_said, (pair, name)
    for one in found:
        expected = by_pair[one.pair][one.name]
        assert (one.long, one.short) == pytest.approx(expected, abs=1e-9, nan_ok=True), one
        assert one.available_at_ms == at


@pytest.mark.parametrize("seed", range(4))
def test_streaming_equals_batch_at_every_step(seed: int) -> None:
    facts = random_facts(seed, 3_000, 2 * DAY_MS)
    state = OnChainState(QUICK)
    spoken: dict[str, int] = {}
    done = 0
    for at in range(START_MS, START_MS + 2 * DAY_MS, 47 * MINUTE_MS):
        until = max((i + 1 for i, one in enumerate(facts) if one.available_at_ms <= at), default=0)
        state.add(facts[done:until], no_price)
        done = max(done, until)
        found = state.components(ALL_PAIRS, at)
        assert_as_reference(found, facts, at)
        for one in found:
            spoken[one.name] = spoken.get(one.name, 0) + (one.is_known and one.long != 50.0)
        if seed % 2:
            state.prune(at)
    assert min(spoken.values()) > 15, spoken


@pytest.mark.parametrize("seed", range(5))
def test_what_is_not_known_yet_changes_nothing(seed: int) -> None:
    facts = random_facts(10 + seed, 1_200)
    at = START_MS + random.Random(seed).randrange(DAY_MS)
    whole = told(facts, QUICK).components(ALL_PAIRS, at)
    cut = [one for one in facts if one.available_at_ms <= at]
    assert len(cut) < len(facts)
    assert as_text(told(cut, QUICK).components(ALL_PAIRS, at)) == as_text(whole)
    assert all(one.observed_at_ms <= at for one in whole)


@pytest.mark.parametrize("seed", range(5))
def test_facts_of_one_instant_may_come_in_any_order(seed: int) -> None:
    chance = random.Random(seed)
    # A coarse clock, so that many facts share an instant.
    facts = [
        replace(one, available_at_ms=-(-one.available_at_ms // HOUR_MS) * HOUR_MS)
        for one in random_facts(20 + seed, 1_500)
        if not isinstance(one, Reading)  # of two values of one instant one must win
    ]
    shuffled = chance.sample(facts, len(facts))
    shuffled.sort(key=lambda one: one.available_at_ms)
    assert shuffled != facts
    for hours in (5, 12, 25):
        at = START_MS + hours * HOUR_MS
        expected = as_text(told(facts, QUICK).components(ALL_PAIRS, at))
        assert as_text(told(shuffled, QUICK).components(ALL_PAIRS, at)) == expected


def mirrored(fact: Fact) -> Fact:
    """Turn deposits into withdrawals, buys into sells, and back."""
    if isinstance(fact, Transfer):
        return replace(fact, origin=fact.target, target=fact.origin)
    if isinstance(fact, WalletTrade):
        return replace(fact, side="sell" if fact.side == "buy" else "buy")
    if isinstance(fact, Reading) and fact.series == EXCHANGE_NETFLOW:
        return replace(fact, value=-fact.value)
    if isinstance(fact, Reading) and fact.series != STABLECOIN_SUPPLY:
        return replace(fact, series=DEX_SELLS if fact.series == DEX_BUYS else DEX_BUYS)
    return fact


@pytest.mark.parametrize("seed", range(4))
def test_mirrored_facts_mirror_the_scores(seed: int) -> None:
    facts = [
        one
        for one in random_facts(30 + seed, 1_200)
        if not (isinstance(one, Reading) and one.series == STABLECOIN_SUPPLY)
    ]
    plain, swapped = told(facts, EVEN), told(map(mirrored, facts), EVEN)
    known = 0
    for at in range(START_MS + HOUR_MS, START_MS + DAY_MS, HOUR_MS):
        pairs = zip(plain.components(ALL_PAIRS, at), swapped.components(ALL_PAIRS, at), strict=True)
        for one, other in pairs:
            expected = (other.short, other.long)
            assert (one.long, one.short) == pytest.approx(expected, abs=1e-9, nan_ok=True)
            known += one.is_known and one.long != 50.0
    assert known > 50


@pytest.mark.parametrize("seed", range(3))
def test_a_restart_at_any_time_changes_no_answer(seed: int) -> None:
    facts = random_facts(40 + seed, 1_500)
    state = OnChainState(QUICK)
    for index in range(0, len(facts), 150):
        state.add(facts[index : index + 150], no_price)
        at = facts[min(index + 120, len(facts) - 1)].available_at_ms  # some still wait
        resumed = OnChainState.from_json(QUICK, json.loads(json.dumps(state.to_json())))
        expected = as_text(state.components(ALL_PAIRS, at))
        assert as_text(resumed.components(ALL_PAIRS, at)) == expected
        state = resumed


def test_memory_is_bounded_over_weeks() -> None:
    """Four weeks of new tokens, new wallets and endless repetitions."""
    settings = OnChainSettings(flow_history_days=2, duplicate_memory_s=7_200)
    state, chance = OnChainState(settings), random.Random(1)
    sizes = []
    for hour in range(28 * 24):
        at = START_MS + hour * HOUR_MS
        facts: list[Fact] = []
        for each in range(12):
            token = f"T{hour // 24}X{each % 4}" if each % 3 else ("BTC", "USDT")[each % 2]
            ends = chance.choice(((BINANCE, SOMEBODY), (SOMEBODY, KRAKEN)))
            facts.append(transfer(token, 2e6, ends, at))
            wallet = f"0x{hour}{each}"
            facts.append(WalletTrade(token, "buy", nan, wallet, "", "base", "0x1", at, at))
            facts.append(Watched("transfers", token, "somebody", at, at))
            facts.append(Watched("smart_trades", token, "somebody", at, at))
            facts += [Reading(series, token, 1e3 + hour, at, at) for series in SERIES]
        state.add(facts, no_price)
        state.add(facts, no_price)
        state.components(ALL_PAIRS, at)
        state.prune(at)
        if hour % 168 == 167:
            sizes.append(len(json.dumps(state.to_json())))
    assert max(sizes) < 1.1 * sizes[0], sizes
    end = START_MS + 70 * DAY_MS
    state.prune(end)
    assert len(json.dumps(state.to_json())) < 2_000


parties = st.builds(
    Party,
    st.sampled_from(["exchange", "smart", "issuer", "wallet"]),
    st.text(max_size=60),
    st.text(max_size=5),
)
tokens = st.sampled_from(["BTC", "SOL", "USDT", "USDC", MARKET, ""])
times = st.integers(-10, 3 * DAY_MS).map(lambda offset: START_MS + offset)
numbers = st.one_of(
    st.floats(), st.sampled_from([nan, inf, -inf, 0.0, -1.0, 1e300, 5e5, 1e6, 9e11])
)
weird_facts = st.one_of(
    st.builds(Transfer, tokens, numbers, numbers, parties, parties, tokens, tokens, times, times),
    st.builds(
        WalletTrade,
        tokens,
        st.sampled_from(["buy", "sell"]),
        numbers,
        st.text(max_size=5),
        tokens,
        tokens,
        tokens,
        times,
        times,
    ),
    st.builds(Reading, st.sampled_from(SERIES), tokens, numbers, times, times),
    st.builds(
        Watched,
        st.sampled_from(["transfers", "smart_trades", "stories", "mentions"]),
        tokens,
        tokens,
        times,
        times,
    ),
)


@relaxed
@given(
    facts=st.lists(weird_facts, max_size=50),
    instants=st.lists(times, min_size=1, max_size=4),
    price=numbers,
)
def test_weird_facts_never_raise_nor_poison(
    facts: list[Fact], instants: list[int], price: float
) -> None:
    state = OnChainState(QUICK.model_copy(update={"flow_min_hours": 2}))
    for one in state.add(facts, lambda _token: price):
        assert one.amount_usd >= QUICK.min_transfer_usd
    for at in instants:
        for one in state.components(ALL_PAIRS, at):  # Component checks range and times
            assert one.is_known == (not isnan(one.short))
            assert one.is_known or not one.reason
        state.prune(at)
    again = OnChainState.from_json(QUICK, json.loads(json.dumps(state.to_json(), allow_nan=False)))
    latest = START_MS + 4 * DAY_MS
    assert len(again.components(ALL_PAIRS, latest)) == len(state.components(ALL_PAIRS, latest))


saved = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
GOOD = told(random_facts(7, 200), QUICK).to_json()


@relaxed
@given(st.sampled_from(["seen", "waiting", "chains", "version"]), saved)
def test_any_document_is_read_or_refused(name: str, part: object) -> None:
    try:
        state = OnChainState.from_json(QUICK, GOOD | {name: part})
    except PayloadError:
        return
    assert name != "chains"
    assert state.components(ALL_PAIRS, START_MS + DAY_MS)
