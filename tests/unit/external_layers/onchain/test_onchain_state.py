"""What the state makes of facts: once, valued, in their windows, in words, over a restart."""

import json
from dataclasses import replace
from math import nan

import pytest

from external_layers.onchain.state import OnChainState
from external_layers.sources.facts import (
    DEX_BUYS,
    DEX_SELLS,
    EXCHANGE_NETFLOW,
    FEAR_GREED,
    MARKET,
    STABLECOIN_SUPPLY,
    Fact,
    Mentions,
    Party,
    Story,
    Transfer,
)
from scalp_strategy.errors import PayloadError
from scalp_strategy.setting_groups.onchain import OnChainSettings
from tests.unit.external_layers.onchain.chain_facts import (
    BINANCE,
    DAY_MS,
    HOUR_MS,
    ISSUER,
    KRAKEN,
    MILLION,
    MINUTE_MS,
    PAIRS,
    SOMEBODY,
    START_MS,
    as_text,
    deal,
    deposit,
    looked,
    looks,
    no_price,
    random_facts,
    reading,
    row,
    told,
    transfer,
    withdrawal,
)

NOW = START_MS + 3 * HOUR_MS
WATCHED = [looked("BTC", NOW), looked("SOL", NOW)]
SETTINGS = OnChainSettings()


def whales(facts: list[Fact], at_ms: int = NOW):
    return row(told(WATCHED + facts).components(PAIRS, at_ms), "whale_movements")


# ------------------------------------------------------------------------- once, and at its value


def test_a_transfer_is_told_once_whoever_tells_it_first() -> None:
    first = withdrawal("BTC", 2 * MILLION, NOW)
    again = replace(first, amount_usd=3 * MILLION, available_at_ms=NOW + 90_000)
    other_letters = replace(first, tx_hash=first.tx_hash.upper().replace("0X", ""))
    state = OnChainState(SETTINGS)
    assert state.add([first, other_letters], no_price) == [first]
    assert state.add([again], no_price) == []
    state.add(WATCHED, no_price)
    assert row(state.components(PAIRS, NOW + 90_000), "whale_movements").reason == (
        "$2M BTC withdrawn from Binance 1 min ago"
    )


def test_what_is_too_small_or_worth_nothing_known_is_not_told() -> None:
    state = OnChainState(SETTINGS)
    small = withdrawal("BTC", 499_999.0, NOW)
    absurd = withdrawal("BTC", 1e13, NOW)
    unvalued = replace(withdrawal("BTC", MILLION, NOW), amount_usd=nan)
    assert state.add([small, absurd, unvalued], no_price) == []
    assert state.unvalued == 2
    found = row(told([*WATCHED, small, absurd, unvalued]).components(PAIRS, NOW), "exchange_flow")
    assert (found.long, found.short) == (50.0, 50.0)


def test_a_transfer_without_value_is_valued_at_the_price_once_there_is_one() -> None:
    state = OnChainState(SETTINGS)
    one = replace(withdrawal("SOL", MILLION, NOW), amount=20_000.0, amount_usd=nan)
    assert state.add([one], no_price) == []
    assert state.add([one], {"SOL": 150.0}.__getitem__) == [replace(one, amount_usd=3 * MILLION)]
    assert state.add([one], {"SOL": 150.0}.__getitem__) == []


def test_a_stablecoin_is_a_dollar() -> None:
    one = replace(deposit("USDT", MILLION, NOW), amount=7 * MILLION, amount_usd=nan)
    (found,) = OnChainState(SETTINGS).add([one], no_price)
    assert found.amount_usd == 7 * MILLION


def test_transfers_of_all_kinds_are_told() -> None:
    parties = (BINANCE, KRAKEN, SOMEBODY, ISSUER)
    large = SETTINGS.wallets_transfer_usd
    facts = [
        transfer("BTC", large, (origin, target), NOW) for origin in parties for target in parties
    ]
    assert OnChainState(SETTINGS).add(facts, no_price) == facts


def test_between_wallets_only_the_largest_are_told_and_remembered() -> None:
    state = OnChainState(SETTINGS)
    just = SETTINGS.wallets_transfer_usd
    small, large = (transfer("BTC", usd, (SOMEBODY, SOMEBODY), NOW) for usd in (just - 1, just))
    minted = transfer("USDT", MILLION, (ISSUER, SOMEBODY), NOW)
    assert state.add([small, large, minted], no_price) == [large, minted]
    assert len(state.to_json()["seen"]) == 2


def test_a_transfer_told_too_late_to_know_repetitions_is_left_out() -> None:
    late_ms = SETTINGS.duplicate_memory_s * 1_000
    just = withdrawal("BTC", MILLION, NOW - late_ms, NOW)
    later = withdrawal("BTC", MILLION, NOW - late_ms - 1, NOW)
    assert OnChainState(SETTINGS).add([just, later], no_price) == [just]


def test_pruning_forgets_no_transfer_that_may_still_be_repeated() -> None:
    end = NOW + SETTINGS.duplicate_memory_s * 1_000
    first = withdrawal("BTC", MILLION, NOW)
    state = told([first])
    for at in (end, end + 1):
        state.prune(at)
        assert state.add([replace(first, available_at_ms=at)], no_price) == []


def test_stories_and_mentions_are_nobodys() -> None:
    facts = [
        Story("1", "t", "p", ("BTC",), 0.5, NOW, NOW),
        Mentions("x", "BTC", 9.0, 60.0, 0.5, NOW, NOW),
        reading(FEAR_GREED, MARKET, 20.0, NOW),
        reading(FEAR_GREED, "BTC", 20.0, NOW),
        looked("BTC", NOW, "stories"),
    ]
    assert as_text(told(facts).components(PAIRS, NOW)) == as_text(told([]).components(PAIRS, NOW))


# --------------------------------------------------------------------------------- whale movements


def test_only_what_goes_to_or_from_an_exchange_moves_the_score() -> None:
    neutral = ((BINANCE, KRAKEN), (SOMEBODY, SOMEBODY), (ISSUER, KRAKEN), (BINANCE, ISSUER))
    found = whales([transfer("BTC", 9 * MILLION, ends, NOW) for ends in neutral])
    assert (found.long, found.short, found.reason) == (50.0, 50.0, "")


def test_whales_start_at_their_size() -> None:
    assert whales([withdrawal("BTC", 999_000.0, NOW)]).long == 50.0
    assert whales([withdrawal("BTC", MILLION, NOW)]).long == 80.0
    assert whales([deposit("BTC", MILLION, NOW)]).long == 25.0


def test_one_whale_in_words() -> None:
    found = whales([withdrawal("BTC", 2_345_678.0, NOW - 8 * MINUTE_MS)])
    assert found.reason == "$2.3M BTC withdrawn from Binance 8 min ago"
    assert found.observed_at_ms == NOW - 8 * MINUTE_MS
    found = whales([deposit("BTC", 41e6, NOW - 30_000)])
    assert found.reason == "$41M BTC deposited to Kraken 30 s ago"


def test_several_whales_in_words() -> None:
    rows = [withdrawal("BTC", 10e6, NOW - each * MINUTE_MS) for each in (1, 5, 20)]
    found = whales(rows)
    assert (found.long, found.reason) == (90.0, "3 withdrawals of BTC worth $30M in 30 min")
    found = whales([*rows, deposit("BTC", 30e6, NOW)])
    assert found.long == 52.5  # one half each of 80 and 25: nothing followed the deposit
    assert found.reason == (
        "3 withdrawals of BTC worth $30M, 1 deposit of BTC worth $30M in 30 min"
    )


def test_withdrawals_in_a_row_begin_after_the_last_deposit() -> None:
    before = withdrawal("BTC", MILLION, NOW - 9)
    between = deposit("BTC", MILLION, NOW - 5)
    after = [withdrawal("BTC", MILLION, NOW - each) for each in (5, 4, 1)]  # one at the same time
    assert whales([before, between, *after[:2]]).long == pytest.approx((3 * 80 + 25) / 4)
    assert whales([before, between, *after]).long == pytest.approx((4 * 90 + 25) / 5)


def test_a_label_is_cut_and_never_empty() -> None:
    odd = Party("exchange", "a\nvery" + "-long" * 20, "0x1")
    found = whales([transfer("BTC", MILLION, (odd, SOMEBODY), NOW)])
    assert f"from a very{'-long' * 6}-lon 0 s ago" in found.reason
    nameless = whales([transfer("BTC", MILLION, (Party("exchange", " "), SOMEBODY), NOW)])
    assert "from an exchange" in nameless.reason


def test_a_whale_leaves_its_window_by_when_it_was_observed() -> None:
    window_ms = SETTINGS.whale_window_s * 1_000
    late = withdrawal("BTC", MILLION, NOW - 20 * MINUTE_MS, NOW)
    state = told([*WATCHED, late, looked("BTC", NOW + 15 * MINUTE_MS)])
    end = late.observed_at_ms + window_ms
    assert row(state.components(PAIRS, end - 1), "whale_movements").long == 80.0
    gone = row(state.components(PAIRS, end), "whale_movements")
    assert (gone.long, gone.observed_at_ms) == (50.0, NOW)
    too_late = withdrawal("BTC", MILLION, NOW - 31 * MINUTE_MS, NOW)
    assert whales([too_late]).long == 50.0


def test_what_was_observed_after_it_was_available_was_observed_then() -> None:
    ahead = withdrawal("BTC", MILLION, NOW + HOUR_MS, NOW)  # a block's time runs ahead
    assert whales([ahead]).observed_at_ms == NOW
    assert whales([ahead, looked("BTC", NOW + 29 * MINUTE_MS)], NOW + 30 * MINUTE_MS).long == 50.0


# ------------------------------------------------------------------------------ known, or not


def test_nothing_happened_is_not_nobody_looked() -> None:
    max_age_ms = SETTINGS.watched_max_age_s * 1_000
    state = told([looked("BTC", NOW), withdrawal("BTC", 2 * MILLION, NOW - 1)])
    quiet = row(told(WATCHED).components(PAIRS, NOW + 1), "whale_movements")
    assert (quiet.long, quiet.short, quiet.observed_at_ms) == (50.0, 50.0, NOW)
    known = state.components(PAIRS, NOW + max_age_ms)
    assert row(known, "exchange_flow").is_known
    lapsed = state.components(PAIRS, NOW + max_age_ms + 1)
    for name in ("whale_movements", "exchange_flow"):
        one = row(lapsed, name)
        assert not one.is_known
        assert one.reason == ""
        assert one.observed_at_ms == NOW


def test_own_rows_only_of_what_was_ever_told() -> None:
    found = told([looked("SOL", NOW), deal("BTC", "0x1", NOW)]).components(PAIRS, NOW)
    own = {(one.name, one.pair) for one in found if one.pair != MARKET}
    assert own == {("whale_movements", "SOL/USDT:USDT"), ("exchange_flow", "SOL/USDT:USDT")}
    everything = told([looked(MARKET, NOW)]).components(PAIRS, NOW)
    assert len([one for one in everything if one.pair != MARKET]) == 4


def test_stablecoins_are_no_coins() -> None:
    facts = [looked("USDC", NOW), withdrawal("USDC", 9 * MILLION, NOW), deal("USDC", "0x1", NOW)]
    found = told([*facts, looked("USDC", NOW, "smart_trades")]).components(
        {"USDC/USDT": "USDC"}, NOW
    )
    assert {one.pair for one in found} == {MARKET}
    assert row(found, "stablecoin_flow", MARKET).long == 40.0


# ------------------------------------------------------------------------------------ exchange flow


def history(token: str, hours: int, dollars: float) -> list[Fact]:
    """Return so many watched hours before NOW with a withdrawal or a deposit each, in turn."""
    start = NOW // HOUR_MS - 1 - hours
    facts: list[Fact] = list(looks(token, start * HOUR_MS, NOW))
    for each in range(hours):
        make = withdrawal if each % 2 else deposit
        facts.append(make(token, dollars, (start + each) * HOUR_MS + 1))
    return facts


def test_a_flow_is_compared_with_its_own_history() -> None:
    facts = history("BTC", 24, 5 * MILLION)
    state = told([*facts, withdrawal("BTC", 12 * MILLION, NOW - 1)])
    found = row(state.components(PAIRS, NOW), "exchange_flow")
    assert found.long == pytest.approx(92.0)  # 2.4 sigma: a fifth of the way from 90 to 100
    assert found.reason == "BTC net outflow $12M in 1 h (2.4 sigma)"
    assert found.observed_at_ms == NOW - 1
    inflow = told([*facts, deposit("BTC", 12 * MILLION, NOW - 1)])
    assert row(inflow.components(PAIRS, NOW), "exchange_flow").long == pytest.approx(8.0)


def test_too_short_a_history_is_none() -> None:
    facts = history("BTC", 23, 5 * MILLION)
    found = row(
        told([*facts, withdrawal("BTC", 12 * MILLION, NOW)]).components(PAIRS, NOW), "exchange_flow"
    )
    assert (found.long, found.reason) == (70.0, "BTC net outflow $12M in 1 h")


def test_an_hour_nobody_watched_is_unknown_not_zero() -> None:
    facts = history("BTC", 48, 5 * MILLION)
    gap = range(NOW - 30 * HOUR_MS, NOW - 20 * HOUR_MS)
    watched = [one for one in facts if one.available_at_ms not in gap]
    spike = withdrawal("BTC", 8 * MILLION, NOW - 1)
    found = row(told([*watched, spike]).components(PAIRS, NOW), "exchange_flow")
    assert "(1.6 sigma)" in found.reason
    quiet = [one for one in watched if one.available_at_ms > gap.start]
    assert "sigma" not in row(told([*quiet, spike]).components(PAIRS, NOW), "exchange_flow").reason


def test_the_current_hour_is_no_part_of_its_own_history() -> None:
    facts = history("BTC", 30, 5 * MILLION)
    for minutes in (1, 59):
        spike = withdrawal("BTC", 10 * MILLION, NOW - minutes * MINUTE_MS)
        found = row(told([*facts, spike]).components(PAIRS, NOW), "exchange_flow")
        assert "(2.0 sigma)" in found.reason


def test_a_late_transfer_counts_in_the_hour_in_which_it_was_observed() -> None:
    facts = history("BTC", 24, 5 * MILLION)
    late = withdrawal("BTC", 95 * MILLION, NOW - 5 * HOUR_MS + 1, NOW)
    state = told([*facts, withdrawal("BTC", 10 * MILLION, NOW)])
    assert "(2.0 sigma)" in row(state.components(PAIRS, NOW), "exchange_flow").reason
    state.add([late], no_price)  # 24 hours of 5 million become 23, and one of 90 or 100
    assert "(0.5 sigma)" in row(state.components(PAIRS, NOW), "exchange_flow").reason


def test_hours_become_known_when_looks_are_told_late() -> None:
    facts = [one for one in history("BTC", 24, 5 * MILLION) if isinstance(one, Transfer)]
    state = told([*WATCHED, *facts, withdrawal("BTC", 10 * MILLION, NOW)])
    assert "sigma" not in row(state.components(PAIRS, NOW), "exchange_flow").reason
    late = looks(MARKET, NOW - 26 * HOUR_MS, NOW)
    state.add([replace(one, available_at_ms=NOW) for one in late], no_price)
    assert "(2.0 sigma)" in row(state.components(PAIRS, NOW), "exchange_flow").reason


def test_readings_win_while_they_are_fresh() -> None:
    own = [*WATCHED, deposit("BTC", 9 * MILLION, NOW)]
    readings = [
        reading(EXCHANGE_NETFLOW, "BTC", 10e6 * (-1) ** each, NOW - each * HOUR_MS)
        for each in range(1, 30)
    ]
    newest = reading(EXCHANGE_NETFLOW, "BTC", 12.5e6, NOW)
    state = told([*own, *readings, newest, looked("BTC", NOW + 2 * HOUR_MS)])
    found = row(state.components(PAIRS, NOW + 60_000), "exchange_flow")
    assert (found.long, found.observed_at_ms) == (pytest.approx(80.0), NOW)
    assert found.reason == "BTC net outflow $12M in 1 h (1.2 sigma)"
    after = row(state.components(PAIRS, NOW + 2 * HOUR_MS + 1), "exchange_flow")
    assert (after.long, after.observed_at_ms) == (50.0, NOW + 2 * HOUR_MS)


def test_a_reading_is_revised_and_never_nan() -> None:
    first = reading(EXCHANGE_NETFLOW, "BTC", 12e6, NOW)
    revised = replace(first, value=-12e6, available_at_ms=NOW + 5)
    nothing = replace(first, value=nan, observed_at_ms=NOW + 6, available_at_ms=NOW + 6)
    state = told([first, revised, nothing])
    assert row(state.components(PAIRS, NOW), "exchange_flow").long == 70.0
    assert row(state.components(PAIRS, NOW + 6), "exchange_flow").long == 40.0


# -------------------------------------------------------------------------------- the whole market


def test_what_happens_to_other_tokens_says_nothing_of_a_pair() -> None:
    two = [withdrawal("SOL", 2_300_000.0, NOW - minutes * MINUTE_MS) for minutes in (8, 4)]
    found = told([*WATCHED, *two]).components(PAIRS | {"XRP/USDT": "XRP"}, NOW)
    assert row(found, "whale_movements").long == 50.0
    assert [one for one in found if one.pair == "XRP/USDT"] == []
    assert {one.name for one in found if one.pair == MARKET} == {"stablecoin_flow"}


def test_the_stablecoins_row_is_always_there() -> None:
    found = told([]).components({}, NOW)
    assert [(one.name, one.pair, one.is_known) for one in found] == [
        ("stablecoin_flow", MARKET, False)
    ]


# ---------------------------------------------------------------------------------- stablecoin flow


def stable(facts: list[Fact], at_ms: int = NOW):
    return row(told(facts).components({}, at_ms), "stablecoin_flow", MARKET)


def test_stablecoins_that_arrive_will_buy() -> None:
    facts = history("USDT", 24, 50 * MILLION)
    for token in ("USDT", "USDC"):
        found = stable([*facts, deposit(token, 100e6, NOW - 10 * MINUTE_MS)])
        assert found.long == pytest.approx(90.0)
    assert found.reason == "$100M of stablecoins net came to exchanges in 1 h (2.0 sigma)"
    leaving = stable([*facts, withdrawal("USDT", 25e6, NOW)])
    assert leaving.long == pytest.approx(40.0)
    assert leaving.reason == "$25M of stablecoins net left exchanges in 1 h (0.5 sigma)"


def test_an_issuer_that_fills_an_exchange_brings_buying_power() -> None:
    filled = transfer("USDT", 9 * MILLION, (ISSUER, BINANCE), NOW)
    assert stable([looked("USDT", NOW), filled]).long == 75.0
    minted = transfer("USDT", 900 * MILLION, (ISSUER, SOMEBODY), NOW)
    assert stable([looked("USDT", NOW), minted]).long == 50.0


def test_readings_of_stablecoins_add_up() -> None:
    hours = [
        reading(EXCHANGE_NETFLOW, token, 10e6 * (-1) ** each, NOW - each * HOUR_MS)
        for token in ("USDT", "USDC")
        for each in range(1, 30)
    ]
    newest = [reading(EXCHANGE_NETFLOW, token, -20e6, NOW) for token in ("USDT", "USDC")]
    found = stable([*hours, *newest, looked("USDT", NOW), withdrawal("USDT", 90e6, NOW)])
    assert found.long == pytest.approx(90.0)
    assert found.reason == "$40M of stablecoins net came to exchanges in 1 h (2.0 sigma)"


@pytest.mark.parametrize(
    ("change", "long", "reason"),
    [
        (5e8, 52.5, ""),
        (2e9, 55.0, "$2B of stablecoins made in a day"),
        (-2e9, 45.0, "$2B of stablecoins burnt in a day"),
    ],
)
def test_their_supply_stands_in(change: float, long: float, reason: str) -> None:
    facts = [
        reading(STABLECOIN_SUPPLY, MARKET, 250e9, START_MS - DAY_MS),
        reading(STABLECOIN_SUPPLY, MARKET, 250e9 + change, START_MS),
        reading(STABLECOIN_SUPPLY, "USDT", 1.0, START_MS),
    ]
    found = stable(facts)
    assert (found.long, found.reason, found.flags) == (
        pytest.approx(long),
        reason,
        ("supply_only",),
    )
    assert found.observed_at_ms == START_MS
    assert stable([*facts, looked("USDT", NOW)]).flags == ()
    too_old = START_MS + SETTINGS.supply_max_age_s * 1_000 + 1
    assert not stable(facts, too_old).is_known


def test_supplies_of_single_stablecoins_add_up() -> None:
    facts = [
        reading(STABLECOIN_SUPPLY, token, 100e9 + day * 4e8, START_MS + (day - 2) * DAY_MS)
        for token in ("USDT", "USDC")
        for day in (0, 2)
    ]
    assert stable(facts).long == pytest.approx(54.0)  # two tokens, 4e8 a day each


def test_what_issuers_make_stands_in_for_the_supply() -> None:
    minted = transfer("USDT", 1e9, (ISSUER, SOMEBODY), NOW - HOUR_MS)
    burnt = transfer("USDC", 4e8, (SOMEBODY, ISSUER), NOW)
    found = stable([minted, burnt])
    assert (found.long, found.flags) == (pytest.approx(53.0), ("supply_only",))
    assert not stable([minted, burnt], NOW + DAY_MS).is_known


# -------------------------------------------------------------------------------------- smart money


def smart(facts: list[Fact], at_ms: int = NOW):
    return row(told(facts).components(PAIRS, at_ms), "smart_money")


def test_distinct_smart_wallets_count() -> None:
    seen = looked("BTC", NOW, "smart_trades")
    assert (smart([seen]).long, smart([seen]).observed_at_ms) == (50.0, NOW)
    twice = [deal("BTC", name, NOW - 1) for name in ("0xA", "0xa", "0xb")]
    assert smart([seen, *twice]).long == 70.0
    three = smart([seen, *twice, deal("BTC", "0xc", NOW - 5)])
    assert (three.long, three.reason) == (90.0, "3 smart wallets bought BTC in 1 h")
    assert three.observed_at_ms == NOW - 1
    sold = smart([seen, deal("BTC", "0xa", NOW, buy=False)])
    assert (sold.long, sold.reason) == (30.0, "1 smart wallet sold BTC in 1 h")
    both = smart([seen, *twice, deal("BTC", "0xd", NOW, buy=False)])
    assert (both.long, both.reason) == (70.0, "2 smart wallets bought BTC, 1 sold in 1 h")


def test_smart_wallets_count_for_an_hour() -> None:
    first = looked("BTC", NOW, "smart_trades")
    again = looked("BTC", NOW + 50 * MINUTE_MS, "smart_trades")
    facts = [deal("BTC", "0xa", NOW), first, again]
    assert smart(facts, NOW + HOUR_MS - 1).long == 70.0
    assert smart(facts, NOW + HOUR_MS).long == 50.0
    assert not smart(facts[:2], NOW + HOUR_MS - 1).is_known


def test_trades_on_dexes_stand_in() -> None:
    dex = [reading(DEX_BUYS, "BTC", 650.0, NOW), reading(DEX_SELLS, "BTC", 350.0, NOW - 1)]
    found = smart(dex)
    assert (found.long, found.flags) == (60.0, ("dex_only",))
    assert found.reason == "65% of 1,000 DEX trades of BTC bought"
    assert found.observed_at_ms == NOW - 1
    assert smart([*dex, looked("BTC", NOW, "smart_trades")]).long == 50.0
    assert not smart(dex, NOW + SETTINGS.watched_max_age_s * 1_000).is_known
    few = [reading(DEX_BUYS, "BTC", 80.0, NOW), reading(DEX_SELLS, "BTC", 19.0, NOW)]
    assert not smart(few).is_known


# ---------------------------------------------------------------------------------------- a restart


def test_a_restart_forgets_nothing_and_tells_nothing_twice() -> None:
    facts = random_facts(3, 3_000)
    state = OnChainState(SETTINGS)
    state.add(facts, no_price)
    half = START_MS + DAY_MS // 2
    state.components(PAIRS, half)
    document = json.loads(json.dumps(state.to_json()))
    resumed = OnChainState.from_json(SETTINGS, document)
    assert resumed.add(facts[-500:], no_price) == []
    for at in (half, half + HOUR_MS, START_MS + DAY_MS, START_MS + DAY_MS + 20 * MINUTE_MS):
        assert as_text(resumed.components(PAIRS, at)) == as_text(state.components(PAIRS, at))
    assert any(one.is_known and one.reason for one in state.components(PAIRS, START_MS + DAY_MS))


def documents() -> list[object]:
    """Return what is no saved state: pieces missing, of another type, of another version."""
    state = told(random_facts(4, 400))
    state.components(PAIRS, START_MS + DAY_MS // 2)
    good = json.dumps(state.to_json())
    swaps = [
        ('"version": 1', '"version": 2'),
        ('"version": 1', '"versions": 1'),
        ('"seen": [[', '"seen": [[7, '),
        ('"waiting": [[', '"waiting": [[null, '),
        ('"move"', '"moved"'),
        ('"chains"', '"chain"'),
        ('"coins": {', '"coins": {"ETH": [], '),
        ('"flows": [[', '"flows": [[1.5, '),
        ('"newest_ms": 1', '"newest_ms": 1.'),
        ('"hours": [[', '"hours": [[true, '),
        ('"deals": [[', '"deals": [{}, ['),
        ('"netflow": [[', '"netflow": [[NaN, '),
    ]
    assert all(old in good for old, _ in swaps)
    broken = [json.loads(good.replace(old, new, 1)) for old, new in swaps]
    return [None, [], "state", 7, {}, *broken]


@pytest.mark.parametrize("document", documents())
def test_what_is_no_saved_state_is_refused(document: object) -> None:
    with pytest.raises(PayloadError):
        OnChainState.from_json(SETTINGS, document)


def test_time_never_runs_back() -> None:
    state = told([*WATCHED, withdrawal("BTC", MILLION, NOW, NOW + 5)])
    later = state.components(PAIRS, NOW + 5)
    assert as_text(state.components(PAIRS, NOW)) == as_text(later)
    assert {one.available_at_ms for one in later} == {NOW + 5}


def test_pruning_changes_no_answer() -> None:
    facts = random_facts(5, 3_000, 3 * DAY_MS)
    plain, pruned = OnChainState(SETTINGS), OnChainState(SETTINGS)
    for index in range(0, len(facts), 100):
        at = facts[index].available_at_ms
        for state in (plain, pruned):
            state.add(facts[index : index + 100], no_price)
        pruned.prune(at)
        assert as_text(pruned.components(PAIRS, at)) == as_text(plain.components(PAIRS, at))
