"""No breaker sees beyond the close; what cannot be known is never a number."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from scalp_strategy.analysed import AnalysedPair
from scalp_strategy.breakers import BREAKERS
from scalp_strategy.contract import TIER_MEDIUM
from scalp_strategy.decision.hours import HourCloses, correlation, hourly_returns
from scalp_strategy.settings import Settings, with_overrides
from tests.support.breaker_stubs import held
from tests.support.host_stub import CANDLE, CLOSE, StubHost, analysed_frame, desk_of

OWN, HELD = "SOL/USDT:USDT", ("ETH/USDT:USDT", "OP/USDT:USDT")
BTC = "BTC/USDT:USDT"
ROWS, AFTER = 240, 12
# Sensitive, so that a candle more or less would show.
RULES = with_overrides(
    Settings(),
    {
        "breakers.correlation_min_hours": 24,
        "breakers.correlation_days": 2,
        "breakers.volatility_range_ratio": 1.2,
        "breakers.volatility_atr_ratio": 1.1,
        "breakers.macro_btc_move_pct": 0.5,
    },
)
seeds = st.integers(0, 10_000)


def frames(seed: int) -> dict[str, pd.DataFrame]:
    """Return candles of all pairs that move together in part, `AFTER` of them after CLOSE."""
    random = np.random.default_rng(seed)
    common = random.normal(0, 0.003, ROWS)
    found = {}
    for pair in (OWN, *HELD, BTC):
        moves = common * random.uniform(0, 1) + random.normal(0, 0.002, ROWS)
        closes = 100.0 * np.exp(np.cumsum(moves))
        reach = np.abs(random.normal(0, 0.002, (2, ROWS)))
        found[pair] = analysed_frame(
            list(closes),
            CLOSE + AFTER * CANDLE,
            high=closes * (1 + reach[0]),
            low=closes * (1 - reach[1]),
            atr_14=random.uniform(0.2, 1.0, ROWS),
            is_candidate=pair == OWN,
            tier=TIER_MEDIUM,
            confluence=90.0,
        )
    return found


def verdicts_at_close(candles: dict[str, pd.DataFrame]):
    """Let a desk decide CLOSE, with positions in two other pairs."""
    desk = desk_of(RULES, StubHost(positions=[held(pair) for pair in HELD]))
    for pair, frame in candles.items():
        desk.offer(AnalysedPair(pair, frame, RULES))
    (decision,) = desk.decide(CLOSE, [OWN])
    return decision.verdicts


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_candles_after_the_close_change_no_verdict(seed):
    whole = frames(seed)
    cut = {pair: frame.iloc[:-AFTER].reset_index(drop=True) for pair, frame in whole.items()}
    spoken = verdicts_at_close(cut)
    assert verdicts_at_close(whole) == spoken
    assert [one.breaker for one in spoken] == [one.name for one in BREAKERS]


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(1, AFTER))
def test_nor_does_any_of_them_alone(seed, kept):
    whole = frames(seed)
    part = {
        pair: frame.iloc[: ROWS - AFTER + kept].reset_index(drop=True)
        for pair, frame in whole.items()
    }
    assert verdicts_at_close(part) == verdicts_at_close(whole)


hours = st.integers(0, 60)
prices = st.one_of(
    st.floats(1e-6, 1e6),
    st.sampled_from([0.0, -1.0, float("nan"), float("inf"), 1.0]),
)
series = st.dictionaries(hours, prices, max_size=61).map(
    lambda known: HourCloses(
        np.array(sorted(known), dtype=np.int64),
        np.array([known[hour] for hour in sorted(known)], dtype=np.float64),
    )
)


@settings(max_examples=200, deadline=None)
@given(series, series, st.integers(-5, 70), st.integers(2, 70))
def test_a_correlation_is_symmetric_and_in_its_range_or_unknown(one, other, until, span):
    x, y = hourly_returns(one), hourly_returns(other)
    found = correlation(x, y, until, span, 2)
    assert np.isnan(found) or -1.0 <= found <= 1.0
    np.testing.assert_allclose(correlation(y, x, until, span, 2), found, rtol=0, atol=1e-9)


@settings(max_examples=100, deadline=None)
@given(series, series, st.integers(0, 60))
def test_closes_after_the_hour_do_not_count(one, other, until):
    def before(part: HourCloses) -> HourCloses:
        is_early = part.hours <= until
        return HourCloses(part.hours[is_early], part.closes[is_early])

    whole = correlation(hourly_returns(one), hourly_returns(other), until, 48, 3)
    early = correlation(hourly_returns(before(one)), hourly_returns(before(other)), until, 48, 3)
    np.testing.assert_equal(whole, early)
