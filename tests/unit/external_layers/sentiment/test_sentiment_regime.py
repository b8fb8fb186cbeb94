"""The market regime: the truth table, what an unknown input leaves open, and hysteresis."""

from itertools import product

import pytest

from external_layers.sentiment.market_regime import Signs, btc_sign, possible_regimes
from external_layers.sentiment.regime_watch import UNKNOWN, Look, RegimeWatch
from external_layers.sentiment.state import SentimentState
from external_layers.sentiment.trend import Candles15m
from external_layers.sources.facts import BTC_DOMINANCE, TOTAL_CAP, Reading
from scalp_strategy.contract import CANDLE_MS, Component
from scalp_strategy.settings import Settings
from tests.unit.external_layers.sentiment.told import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    PAIRS,
    SETTINGS,
    START_MS,
    candles,
    cut,
    random_candles,
    reading,
    rows_of,
    settings,
    slope,
    told,
)

SIGNS = (-1, 0, 1)
END_MS = START_MS + 2 * DAY_MS
AT_ONCE = settings(regime_confirm_s=0)

# The table of the specification, one predicate each; BTC, dominance, cap.
TABLE = {
    "RISK_ON": lambda btc, dominance, cap: btc == 1 and dominance == -1 and cap == 1,
    "BTC_SEASON": lambda btc, dominance, cap: btc == 1 and dominance == 1,
    "RISK_OFF": lambda btc, dominance, cap: btc == -1 and cap == -1,
}


def regime_of(*inputs: int) -> str:
    named = [name for name, holds in TABLE.items() if holds(*inputs)]
    assert len(named) <= 1
    return named[0] if named else "CHOPPY"


def change(
    dominance: float, cap_pct: float, end_ms: int = END_MS, late_ms: int = 0
) -> list[Reading]:
    """Return a day's change of dominance, in points, and of the total cap, in percent."""
    since = end_ms - DAY_MS
    return [
        reading(BTC_DOMINANCE, 55.0, since, late_ms=late_ms),
        reading(TOTAL_CAP, 3e12, since, late_ms=late_ms),
        reading(BTC_DOMINANCE, 55.0 + dominance, end_ms, late_ms=late_ms),
        reading(TOTAL_CAP, 3e12 * (1.0 + cap_pct / 100.0), end_ms, late_ms=late_ms),
    ]


def regime(
    facts: list[Reading], shelf: Candles15m | None, with_settings: Settings = AT_ONCE
) -> Component:
    shelves = {"BTC": shelf} if shelf is not None else {}
    return rows_of(told(facts, with_settings), END_MS, shelves)["market_regime", "*"]


@pytest.mark.parametrize("given", list(product((*SIGNS, None), repeat=4)))
def test_possible_is_what_every_value_of_the_unknown_gives(given: tuple[int | None, ...]) -> None:
    each = [SIGNS if sign is None else (sign,) for sign in given]
    expected = set()
    for fast, slow, dominance, cap in product(*each):
        both = fast + slow
        btc = (both > 0) - (both < 0)
        expected.add(regime_of(btc, dominance, cap))
    assert possible_regimes(Signs(*given)) == expected


def test_timeframes_that_disagree_are_flat() -> None:
    assert [btc_sign(1, 0), btc_sign(0, 1), btc_sign(1, 1), btc_sign(1, -1)] == [1, 1, 1, 0]


@pytest.mark.parametrize(
    ("dominance", "cap_pct", "per_day_pct", "name", "scores"),
    [
        (-0.5, 2.0, 3.0, "RISK_ON", (80, 30)),
        (0.5, 2.0, 3.0, "BTC_SEASON", (50, 50)),
        (0.5, -2.0, -3.0, "RISK_OFF", (25, 80)),
        (0.5, 2.0, -3.0, "CHOPPY", (45, 45)),
        (0.0, 0.0, 0.0, "CHOPPY", (45, 45)),
        # Within the dead zones of 0.1 points and 0.5 %.
        (-0.09, 2.0, 3.0, "CHOPPY", (45, 45)),
        (-0.5, 0.4, 3.0, "CHOPPY", (45, 45)),
        (-0.11, 0.6, 3.0, "RISK_ON", (80, 30)),
    ],
)
def test_from_facts_to_scores(
    dominance: float, cap_pct: float, per_day_pct: float, name: str, scores: tuple[float, float]
) -> None:
    found = regime(change(dominance, cap_pct), slope(per_day_pct, 4, END_MS))
    assert (found.long, found.short) == scores
    assert found.flags == (f"regime={name}",)
    assert found.reason.startswith(f"Market regime {name}: ")


def test_unknown_without_what_would_settle_it() -> None:
    rising, falling = slope(3, 4, END_MS), slope(-3, 4, END_MS)
    assert not regime([], rising).is_known
    assert not regime([], None).is_known
    only_cap = change(0.0, -2.0)[1::2]
    assert regime(only_cap, falling).flags == ("regime=RISK_OFF",)
    assert not regime(only_cap, rising).is_known
    assert regime([], slope(0, 4, END_MS)).flags == ("regime=CHOPPY",)
    assert regime(only_cap, None).flags == ()


def test_as_old_as_the_oldest_input_that_settles_it() -> None:
    old = [
        reading(BTC_DOMINANCE, 55.0, END_MS - 3 * DAY_MS),
        reading(BTC_DOMINANCE, 56.0, END_MS - 2 * DAY_MS),
    ]
    cap = [one for one in change(0.0, -2.0, END_MS - HOUR_MS) if one.series == TOTAL_CAP]
    falling = regime(old + cap, slope(-3, 4, END_MS))
    assert falling.observed_at_ms == END_MS - HOUR_MS  # the dominance does not matter
    rising = regime(old + cap, slope(3, 4, END_MS))
    assert rising.flags == ("regime=BTC_SEASON",)
    assert rising.observed_at_ms == END_MS - 2 * DAY_MS  # and here the cap does not


def test_a_value_too_old_is_unknown() -> None:
    limit_ms = SETTINGS.sentiment.regime_freshness_s[-1] * 1_000
    within, beyond = (
        regime(change(-0.5, 2.0, END_MS - limit_ms + one), slope(3, 4, END_MS)) for one in (1, 0)
    )
    assert within.is_known
    assert not beyond.is_known


def test_a_change_needs_a_value_a_day_older() -> None:
    def with_base(age_ms: int) -> Component:
        facts = change(-0.5, 2.0)
        facts[0] = reading(BTC_DOMINANCE, 55.0, END_MS - age_ms)
        return regime(facts, slope(3, 4, END_MS))

    assert with_base(DAY_MS).flags == with_base(2 * DAY_MS).flags == ("regime=RISK_ON",)
    assert not with_base(DAY_MS - 1).is_known
    assert not with_base(2 * DAY_MS + 1).is_known


def test_btc_s_own_pair() -> None:
    biases = {"regime_biases": {"btc_season": (35, 60), "risk_on": (90, 20)}}
    with_settings = settings(regime_confirm_s=0, **biases)
    for dominance, alts, own in ((0.5, (35, 60), (50, 50)), (-0.5, (90, 20), (90, 20))):
        state = told(change(dominance, 2.0), with_settings)
        rows = rows_of(state, END_MS, {"BTC": slope(3, 4, END_MS)})
        both = [rows["market_regime", pair] for pair in ("*", "BTC/USDT:USDT")]
        assert [(one.long, one.short) for one in both] == [alts, own]
        assert both[0].flags == both[1].flags
        assert ("market_regime", "SOL/USDT:USDT") not in rows


def test_what_is_told_later_was_not_known_at_the_close() -> None:
    state = told(change(-0.5, 2.0, late_ms=MINUTE_MS), AT_ONCE)
    shelf = {"BTC": slope(3, 4, END_MS + HOUR_MS)}

    def asked(at_ms: int) -> bool:
        shelves = {"BTC": cut(shelf["BTC"], at_ms)}
        return rows_of(state, at_ms, shelves)["market_regime", "*"].is_known

    assert not asked(END_MS)
    assert not asked(END_MS + 2 * MINUTE_MS)  # known by now, but the last look was before
    assert asked(END_MS + CANDLE_MS)


def test_a_look_that_is_taken_late_knows_no_more_than_was_known() -> None:
    facts = change(-0.5, 2.0)
    facts[2:] = change(-0.5, 2.0, late_ms=MINUTE_MS)[2:]
    shelf = {"BTC": slope(3, 4, END_MS)}
    late = rows_of(told(facts, AT_ONCE), END_MS + 2 * MINUTE_MS, shelf)["market_regime", "*"]
    assert not late.is_known
    known = rows_of(told(change(-0.5, 2.0), AT_ONCE), END_MS + 2 * MINUTE_MS, shelf)
    assert known["market_regime", "*"].is_known


def test_pruning_leaves_what_the_oldest_change_needs() -> None:
    newest_ms = END_MS - SETTINGS.sentiment.regime_freshness_s[-1] * 1_000 + 1
    facts = change(-0.5, 2.0, newest_ms)
    facts[:2] = change(-0.5, 2.0, newest_ms - DAY_MS)[:2]
    state = told(facts, AT_ONCE)
    state.prune(END_MS)
    found = rows_of(state, END_MS, {"BTC": slope(3, 4, END_MS)})["market_regime", "*"]
    assert found.flags == ("regime=RISK_ON",)


# Hysteresis, on looks made by hand.


def watched(names: list[str], confirm_s: int = 3_600) -> list[str]:
    """Return what counts after each look, fifteen minutes apart."""
    watch = RegimeWatch(confirm_s)
    looks = {START_MS + each * CANDLE_MS: Look(name, 0) for each, name in enumerate(names)}
    found = []
    for close_ms in looks:
        watch.settle(close_ms, close_ms, lambda at_ms: looks.get(at_ms, Look(UNKNOWN, 0)))
        found.append(watch.regime)
    return found


def test_a_regime_counts_after_an_hour() -> None:
    assert watched(["A"] * 6) == ["", "", "", "", "A", "A"]
    assert watched(["A"] * 2, confirm_s=0) == ["A", "A"]


def test_a_new_one_replaces_the_old_after_an_hour_and_not_when_it_flickers() -> None:
    found = watched(["A"] * 5 + ["B"] * 3 + ["A"] + ["B"] * 5)
    assert found == [""] * 4 + ["A"] * 9 + ["B"]
    assert watched(["A"] * 5 + ["B", "C"] * 4)[-1] == "A"


def test_unknown_is_unknown_and_long_unknown_is_forgotten() -> None:
    short = watched(["A"] * 5 + [UNKNOWN] * 4 + ["A"])
    assert short[4:] == ["A", "", "", "", "", "A"]
    long = watched(["A"] * 5 + [UNKNOWN] * 5 + ["A"] * 5)
    assert long[4:] == ["A"] + [""] * 9 + ["A"]
    assert watched(["A"] * 5 + ["B", UNKNOWN, "B", "B", "B"])[-1] == "A"  # the run was broken


def test_a_look_waits_for_its_candle_until_the_next_close() -> None:
    watch, taken = RegimeWatch(0), []

    def look(at_ms: int) -> Look:
        taken.append(at_ms)
        return Look("A", 0)

    before = START_MS - CANDLE_MS
    watch.settle(START_MS + MINUTE_MS, before, look)
    assert taken == []
    watch.settle(START_MS + 2 * MINUTE_MS, START_MS, look)
    assert taken == [START_MS]
    watch.settle(START_MS + CANDLE_MS, START_MS, look)
    watch.settle(START_MS + 2 * CANDLE_MS, START_MS, look)
    assert taken == [START_MS, START_MS + CANDLE_MS]


def test_looks_missed_before_a_start_wait_for_the_first_candles() -> None:
    """The candles of a sidecar that has just started are still on their way."""
    watch, taken = RegimeWatch(3_600), []

    def look(at_ms: int) -> Look:
        taken.append(at_ms)
        return Look("A", 0)

    watch.settle(START_MS + MINUTE_MS, -1, look)
    assert taken == []
    watch.settle(START_MS + 2 * MINUTE_MS, START_MS, look)
    assert (watch.regime, len(taken)) == ("A", 5)
    without = RegimeWatch(3_600)
    without.settle(START_MS, -1, look)
    without.settle(START_MS + CANDLE_MS, -1, look)
    assert without.held_ms == 3_600_000 - CANDLE_MS  # no longer than for a candle


def test_a_long_pause_is_looked_at_for_a_day_only_and_forgets() -> None:
    watch, taken = RegimeWatch(3_600), []

    def look(at_ms: int) -> Look:
        taken.append(at_ms)
        return Look("A" if at_ms <= START_MS else UNKNOWN, 0)

    watch.settle(START_MS, START_MS, look)
    assert (watch.regime, len(taken)) == ("A", 5)
    later = START_MS + 10 * DAY_MS
    watch.settle(later, later, look)
    assert len(taken) == 5 + 97
    assert watch.regime == UNKNOWN


def test_a_run_does_not_reach_over_a_pause() -> None:
    watch, later = RegimeWatch(3_600), START_MS + 10 * DAY_MS
    first_after = later - DAY_MS

    def look(at_ms: int) -> Look:
        return Look("A" if at_ms <= first_after else str(at_ms // CANDLE_MS % 2), 0)

    watch.settle(START_MS, START_MS, look)
    watch.settle(later, later, look)
    assert watch.regime == UNKNOWN


def test_held_back_in_words() -> None:
    closes = [100.0] * 384
    shelf = {"BTC": candles(closes, END_MS)}
    state = told(change(0.0, -2.0))
    rows_of(state, END_MS, shelf)
    shelf["BTC"] = candles([*closes, *[90.0] * 3], END_MS + 3 * CANDLE_MS)
    found = rows_of(state, END_MS + 3 * CANDLE_MS, shelf)["market_regime", "*"]
    assert found.flags == ("regime=CHOPPY",)
    assert found.reason.endswith("; RISK_OFF for 30 min, not yet confirmed")


@pytest.mark.parametrize("rows", [288, 400, 499])
def test_how_far_back_candles_reach_changes_nothing(rows: int) -> None:
    whole = random_candles(8, 52)
    facts = change(-0.5, -2.0) + change(-1.0, 3.0, END_MS + 2 * HOUR_MS)
    states = [SentimentState(AT_ONCE) for _ in range(2)]
    for state in states:
        state.add(facts)
    seen = set()
    for step in range(17):
        at_ms = END_MS + step * CANDLE_MS
        full, part = (
            state.components(PAIRS, {"BTC": cut(whole, at_ms, count)}, at_ms)
            for state, count in zip(states, (None, rows), strict=True)
        )
        assert [repr(one) for one in full] == [repr(one) for one in part]
        seen |= {one.flags for one in full if one.name == "market_regime"}
    assert len(seen) > 1
