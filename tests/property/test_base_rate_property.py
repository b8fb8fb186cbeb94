"""What must hold on any candles: the ladder's outcomes, plain sums, no future, no order."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from scalp_strategy.base_rate import Memory, base_rates, remembered_rates
from scalp_strategy.base_rate.outcomes import NOT_RESOLVED, Entries, joined, played
from scalp_strategy.base_rate.rates import past_of, sums_at, tally
from scalp_strategy.risk import LEG_TAGS, Candles, Leg, TradePlan, replay
from scalp_strategy.settings import Settings, with_overrides
from scalp_strategy.technical.bars import bars_of
from tests.support.base_rates import analysed, candles_of, noise, occurrences
from tests.support.candles import random_candles

SHARES = st.tuples(st.integers(1, 8), st.integers(1, 8), st.integers(1, 8))
STEPS = st.tuples(st.floats(0.1, 2.0), st.floats(0.1, 2.0), st.floats(0.1, 2.0))


@st.composite
def risks(draw):
    parts, steps = draw(SHARES), draw(STEPS)
    return with_overrides(
        Settings(),
        {
            "risk.ladder.target_r": np.cumsum(steps).tolist(),
            "risk.ladder.legs": (np.array(parts) / sum(parts)).tolist(),
            "risk.ladder.trail_atr": draw(st.floats(0.1, 4.0)),
            "risk.ladder.max_hold_candles": draw(st.integers(4, 12)),
            "risk.fee_pct": draw(st.floats(0.0, 0.3)),
        },
    ).risk


def replayed(candles, entry, risk):
    """Play one trade by the ladder's plain reference."""
    row, sign, distance, atr = entry
    ladder = risk.ladder
    plan = TradePlan(
        side="long" if sign > 0 else "short",
        price=float(candles["close"].iloc[row]),
        atr=atr,
        distance=distance,
        target_r=ladder.target_r,
        legs=ladder.legs,
        cost_ratio=2 * risk.cost_per_side,
        is_floored=False,
    )
    parts = zip(LEG_TAGS, ladder.target_r, ladder.legs, strict=True)
    legs = tuple(Leg(tag, target, share, tag == LEG_TAGS[-1]) for tag, target, share in parts)
    columns = (candles[name].to_numpy()[row + 1 :] for name in ("open", "high", "low", "close"))
    return replay(plan, legs, Candles(*columns, 15, 15), risk.cost_per_side, risk)


@settings(max_examples=60, deadline=None)
@given(risk=risks(), seed=st.integers(0, 10_000), volatility=st.sampled_from([0.001, 0.004, 0.02]))
def test_outcomes_are_the_ladders(risk, seed, volatility):
    candles = random_candles(80, seed=seed, volatility=volatility)
    random = np.random.default_rng(seed)
    row = random.integers(0, 79, 40)
    sign = random.choice([-1.0, 1.0], 40)
    distance, atr = random.uniform(0.1, 2.0, 40), random.uniform(0.1, 2.0, 40)
    end = np.full(40, len(candles))
    ended, gross, net = played(bars_of(candles), Entries(row, end, sign, distance, atr), risk)
    for place, entry in enumerate(zip(row, sign, distance, atr, strict=True)):
        outcome = replayed(candles, entry, risk)
        if outcome.exit_reason == "unresolved":
            assert ended[place] == -1
            assert math.isnan(gross[place])
            assert math.isnan(net[place])
            continue
        assert ended[place] == row[place] + 1 + outcome.exits[-1].index
        assert gross[place] == pytest.approx(outcome.gross_r, abs=1e-9)
        assert net[place] == pytest.approx(outcome.net_r, abs=1e-9)


ROWS = st.lists(
    st.tuples(
        st.integers(0, 400),
        st.integers(0, 3),
        st.one_of(st.none(), st.integers(1, 9)),
        st.floats(-1.5, 4.0),
    ),
    max_size=40,
)


def plain_sums(past, code, candle, half_life, hold):
    """Add up what had ended before a candle, one by one."""
    total = np.zeros(4)
    for at, group, resolved, gross, net in zip(*past, strict=True):
        if group != code or resolved >= candle:
            continue
        overlap = ((past.group == code) & (past.candle <= at) & (past.candle > at - hold)).sum()
        weight = 2.0 ** (-(candle - 1 - resolved) / half_life) / overlap
        total += weight * np.array([1.0, gross, net, net > 0])
    return total


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, code=st.integers(0, 3), candle=st.integers(0, 450), days=st.floats(0.5, 100.0))
def test_sums_are_those_of_a_plain_loop(rows, code, candle, days):
    found = [
        (at, group, None if held is None else at + held, gross, gross - 0.2)
        for at, group, held, gross in rows
    ]
    past = occurrences(found) if found else joined(())
    rules = with_overrides(Settings(), {"base_rate.half_life_days": days})
    known = tally(past, past.group, rules)
    asked = np.array([code]), np.array([candle])
    sums = sums_at(known, *asked, days * 96)[0]
    assert sums == pytest.approx(plain_sums(past, code, candle, days * 96, 8), abs=1e-9)


# Few samples are enough to speak, so that short markets say something.
RULES = with_overrides(Settings(), {"base_rate.min_samples": 1.0})
MARKET = {
    pair: analysed(candles_of(noise(1_700, seed=seed), seed=seed), RULES)
    for seed, pair in enumerate(("AAA", "BBB", "CCC"))
}


@pytest.fixture(scope="module")
def whole():
    return base_rates(MARKET, RULES)


@settings(max_examples=12, deadline=None)
@given(cut=st.integers(1_200, 1_700))
def test_no_row_knows_the_future(cut):
    part = base_rates({pair: frame.iloc[:cut] for pair, frame in MARKET.items()}, RULES)
    for pair, columns in base_rates(MARKET, RULES).items():
        assert_frame_equal(part[pair], columns.iloc[:cut], check_exact=True)


def test_the_order_of_the_pairs_changes_nothing(whole):
    for pair, columns in base_rates(dict(reversed(MARKET.items())), RULES).items():
        assert_frame_equal(columns, whole[pair], check_exact=True)


def test_other_pairs_are_heard(whole):
    alone = base_rates({"AAA": MARKET["AAA"]}, RULES)["AAA"]
    more = whole["AAA"]["base_rate_samples_long"] - alone["base_rate_samples_long"]
    assert (more.dropna() > 0).any()


def test_a_pair_listed_lately_asks_nothing_and_costs_the_others_nothing():
    memory = Memory(RULES)
    remembered_rates(memory, "AAA", MARKET["AAA"], RULES)
    last = int(MARKET["AAA"]["date"].iloc[-1].timestamp()) // 900
    known = memory.past(last - 400, last)
    young = remembered_rates(memory, "NEW", MARKET["BBB"].iloc[-300:], RULES)
    assert (young["base_rate_reliability"] == 0.0).all()
    assert young["base_rate_long"].isna().all()
    assert memory.past(last - 400, last) is known


@settings(max_examples=8, deadline=None)
@given(
    orders=st.lists(st.permutations(sorted(MARKET)), min_size=12, max_size=12),
    steps=st.lists(st.integers(1, 4), min_size=12, max_size=12),
)
def test_a_memory_that_hears_candle_by_candle_says_the_same(orders, steps):
    memory, end = Memory(RULES), 1_500
    columns = base_rates(MARKET, RULES)
    for pair in MARKET:
        remembered_rates(memory, pair, MARKET[pair].iloc[:end], RULES)
    for order, step in zip(orders, steps, strict=True):
        # Whatever happens in between, each pair is analysed at the candle before this one.
        for at in range(end + 1, end + step + 1):
            said = {
                pair: remembered_rates(memory, pair, MARKET[pair].iloc[:at], RULES)
                for pair in order
            }
        end += step
        for pair, frame in said.items():
            assert_frame_equal(frame, columns[pair].iloc[:end], rtol=1e-9)


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 600),
        st.integers(0, 2),
        st.integers(0, 1),
        st.integers(1, 9),
        st.floats(-1.5, 4.0),
    ),
    max_size=60,
    unique_by=lambda event: event[:3],
)


@settings(max_examples=40, deadline=None)
@given(events=EVENTS, late=st.integers(0, 130), step=st.integers(8, 70))
def test_what_is_added_up_daily_is_what_is_added_up_at_once(events, late, step):
    """A pair's candles may come `late`; whatever is known is in every answer."""
    memory, start = Memory(RULES), 1_000_000
    events = sorted(events)
    for last in range(20, 640, step):
        known = []
        for pair in range(3):
            seen = last - late if pair == 2 else last
            rows = [
                (start + at, 6 + 3 * side, start + at + held, gross, gross - 0.2)
                if at + held <= seen
                else (start + at, 6 + 3 * side, None, np.nan, np.nan)
                for at, whose, side, held, gross in events
                if whose == pair and at <= seen
            ]
            if rows:
                known.append(occurrences(rows))
                memory.add(f"P{pair}", known[-1])
        first, asked = start + last - 50, np.arange(start + last - 50, start + last + 1)
        direct = past_of(joined(known), RULES)
        remembered = memory.past(first, start + last)
        for code in (6, 9):
            codes = np.full(asked.size, code)
            expected = sums_at(direct.by_group, codes, asked, 45.0 * 96)
            assert sums_at(remembered.by_group, codes, asked, 45.0 * 96) == pytest.approx(expected)
        if (held := memory.pairs.get("P0")) is not None:
            codes = np.full(asked.size, 6)
            expected = sums_at(tally(held, held.group, RULES), codes, asked, 45.0 * 96)
            own = memory.own("P0", first, start + last)
            assert sums_at(own, codes, asked, 45.0 * 96) == pytest.approx(expected)


def test_scores_keep_their_range(whole):
    for columns in whole.values():
        for side in ("long", "short"):
            known = columns[f"base_rate_{side}"].dropna()
            assert known.size > 300
            assert known.between(0.0, 100.0).all()
            assert columns[f"base_rate_win_rate_{side}"].dropna().between(0.0, 1.0).all()
        assert columns["base_rate_reliability"].between(0.0, 1.0).all()
        is_silent = columns["base_rate_long"].isna()
        assert (columns["base_rate_short"].isna() == is_silent).all()
        assert (columns["base_rate_reliability"][is_silent] == 0.0).all()


def test_what_never_ended_has_no_weight():
    past = occurrences([(10, 0, None, np.nan, np.nan), (200, 0, 203, 1.0, 0.8)])
    assert past.resolved[0] == NOT_RESOLVED
    sums = sums_at(tally(past, past.group, RULES), np.array([0]), np.array([204]), 96.0)
    assert sums[0] == pytest.approx([1.0, 1.0, 0.8, 1.0])
