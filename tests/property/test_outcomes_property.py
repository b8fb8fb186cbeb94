"""What must hold of outcomes on any candles: the ladder's reference, the base rates', no future."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalp_strategy.base_rate.outcomes import Entries, played
from scalp_strategy.outcomes.replay import MINUTE_MS, Asked, History, epoch_ms, history_of, resolved
from scalp_strategy.risk import LEG_TAGS, Candles, Leg, TradePlan, replay
from scalp_strategy.settings import Settings, with_overrides
from scalp_strategy.signals import SignalKey
from scalp_strategy.technical.bars import bars_of
from tests.support.candles import market, mirrored, random_candles
from tests.support.host_stub import CANDLE, PAIR
from tests.support.played import VALID

SHARES = st.tuples(st.integers(1, 8), st.integers(1, 8), st.integers(1, 8))
STEPS = st.tuples(st.floats(0.1, 2.0), st.floats(0.1, 2.0), st.floats(0.1, 2.0))
REASONS = {
    "sl": "stop_loss",
    "break_even": "break_even",
    "trailing_stop": "trailing_stop",
    "max_hold": "time_stop",
    "tp3": "tp3",
}


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
            "risk.max_entry_drift_r": 10.0,
        },
    ).risk


def asked(side, close_time, price, distance, atr, risk):
    plan = TradePlan(
        side=side,
        price=price,
        atr=atr,
        distance=distance,
        target_r=risk.ladder.target_r,
        legs=risk.ladder.legs,
        cost_ratio=2 * risk.cost_per_side,
        is_floored=False,
    )
    return Asked(SignalKey(PAIR, side, close_time), plan, close_time + VALID)


def whole_legs(plan):
    parts = zip(LEG_TAGS, plan.target_r, plan.legs, strict=True)
    return tuple(Leg(tag, target, share, tag == LEG_TAGS[-1]) for tag, target, share in parts)


@settings(max_examples=60, deadline=None)
@given(
    risk=risks(),
    seed=st.integers(0, 10_000),
    side=st.sampled_from(["long", "short"]),
    minutes=st.sampled_from([1, 5, 15]),
    distance=st.floats(0.2, 2.0),
)
def test_an_outcome_is_the_ladders(risk, seed, side, minutes, distance):
    frame = market(12, seed=seed)[minutes]
    row = 60 // minutes  # an hour in: on the grid of the main candles
    signal = asked(side, frame["date"][row], float(frame["open"][row]), distance, 0.4, risk)
    found = resolved(signal, [history_of(frame, minutes)], risk)
    columns = (frame[name].to_numpy()[row:] for name in ("open", "high", "low", "close"))
    candles = Candles(*columns, minutes, 15)
    expected = replay(signal.plan, whole_legs(signal.plan), candles, risk.cost_per_side, risk)
    assert REASONS[found.outcome] == expected.exit_reason
    assert (found.gross_r, found.net_r) == (expected.gross_r, expected.net_r)
    assert found.minutes == expected.duration_minutes
    assert found.is_ambiguous == expected.was_ambiguous
    assert found.resolution == f"{minutes}m"
    assert found.pnl_pct == pytest.approx(expected.net_r * distance / signal.plan.price * 100)


@settings(max_examples=40, deadline=None)
@given(risk=risks(), seed=st.integers(0, 10_000), volatility=st.sampled_from([0.001, 0.004, 0.02]))
def test_on_main_candles_an_outcome_is_the_base_rates_label(risk, seed, volatility):
    """They enter at the close: in these candles the next one's open."""
    frame = random_candles(80, seed=seed, volatility=volatility)
    random = np.random.default_rng(seed)
    row, sign = random.integers(0, 79, 20), random.choice([-1.0, 1.0], 20)
    distance, atr = random.uniform(0.1, 2.0, 20), random.uniform(0.1, 2.0, 20)
    entries = Entries(row, np.full(20, len(frame)), sign, distance, atr)
    ended, gross, net = played(bars_of(frame), entries, risk)
    for place in range(20):
        at = int(row[place])
        side = "long" if sign[place] > 0 else "short"
        price = float(frame["close"][at])
        signal = asked(side, frame["date"][at] + CANDLE, price, distance[place], atr[place], risk)
        found = resolved(signal, [history_of(frame, 15)], risk)
        if found is None:
            assert ended[place] == -1
            continue
        assert found.minutes == (ended[place] - at - 1) * 15
        assert found.gross_r == pytest.approx(gross[place], abs=1e-9)
        assert found.net_r == pytest.approx(net[place], abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    cut=st.integers(0, 200),
    missing=st.lists(st.integers(61, 200), max_size=40, unique=True),
)
def test_what_is_known_of_a_signal_never_changes(seed, cut, missing):
    """With less of the candles an outcome is the same or not there yet, holes or not."""
    risk = Settings().risk
    frame = market(5, seed=seed)[1].drop(index=missing)
    first = frame.loc[60]
    signal = asked("long", first["date"], float(first["open"]), 0.5, 0.3, risk)
    whole = resolved(signal, [history_of(frame, 1)], risk)
    part = resolved(signal, [history_of(frame[frame.index < 60 + cut], 1)], risk)
    assert part is None or part == whole


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), distance=st.floats(0.2, 2.0))
def test_a_short_is_a_long_upside_down(seed, distance):
    risk = with_overrides(Settings(), {"risk.fee_pct": 0.0, "risk.slippage_pct": 0.0}).risk
    frame = market(6, seed=seed)[1]
    price = float(frame["open"][60])
    found = {
        side: resolved(
            asked(side, frame["date"][60], price, distance, 0.3, risk),
            [history_of(candles, 1)],
            risk,
        )
        for side, candles in (("long", frame), ("short", mirrored(frame, price)))
    }
    assert found["short"].outcome == found["long"].outcome
    assert found["short"].minutes == found["long"].minutes
    assert found["short"].gross_r == pytest.approx(found["long"].gross_r, abs=1e-6)


PRICE = st.one_of(st.floats(90, 110), st.sampled_from([math.nan, 0.0, math.inf]))


@settings(max_examples=80, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 180), PRICE, PRICE, PRICE, PRICE), max_size=150),
    side=st.sampled_from(["long", "short"]),
)
def test_any_candles_give_a_sound_outcome_or_none(rows, side):
    risk = Settings().risk
    close = random_candles(1)["date"][0]
    opens = np.array([epoch_ms(close) + place * MINUTE_MS for place, *_ in rows], dtype=np.int64)
    prices = np.array([row[1:] for row in rows], dtype=float).reshape(-1, 4).T
    history = History.of(1, opens, prices)
    found = resolved(asked(side, close, 100.0, 1.0, 0.8, risk), [history], risk)
    if found is None or found.outcome == "expired":
        return
    assert math.isfinite(found.gross_r)
    assert found.net_r < found.gross_r
    assert 0 <= found.minutes < 135
