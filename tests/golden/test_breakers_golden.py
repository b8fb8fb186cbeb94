"""The circuit breakers against hand calculations; each test shows its arithmetic."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import nan, sqrt

import numpy as np
import pytest

from scalp_strategy.account import Account, MemoryStore
from scalp_strategy.analysed import AnalysedPair, instant_ns
from scalp_strategy.breakers import BreakerState, Volatility, verdicts
from scalp_strategy.confluence import threshold_shift
from scalp_strategy.decision.charts import CandidateChart, Charts
from scalp_strategy.setting_groups.breakers import BreakerSettings
from scalp_strategy.settings import Settings
from scalp_strategy.signals import Verdict
from tests.support.breaker_stubs import CANDIDATE, NOW, ToldChart, ToldTrades, held, state
from tests.support.host_stub import StubHost, analysed_frame

SOL, ETH, OP = "SOL/USDT:USDT", "ETH/USDT:USDT", "OP/USDT:USDT"
CANDLE_NS = 15 * 60 * 10**9
PER_HOUR = 4
DAYS, HOURS = 30, 24 * 30


def said(breaker: str, at: BreakerState, candidate=CANDIDATE) -> Verdict:
    return next(one for one in verdicts(candidate, at) if one.breaker == breaker)


# ---- 1 revenge: 900 s from the exit to the candle's close ----


@pytest.mark.parametrize(
    ("seconds", "remaining"),
    [(0, 900), (1, 899), (899, 1), (899.5, 1), (900, None), (901, None), (86_400 + 10, None)],
)
def test_the_cooldown_lasts_900_seconds_in_total(seconds, remaining):
    """A day and ten seconds are not ten seconds."""
    stopped = ToldTrades({SOL: NOW - timedelta(seconds=seconds)})
    verdict = said("revenge_trade", state(history=stopped))
    assert verdict.blocks is (remaining is not None)
    assert remaining is None or f"{remaining} s remaining" in verdict.reason


def test_another_pair_s_stop_and_a_cooldown_of_an_hour():
    elsewhere = ToldTrades({ETH: NOW})
    assert not said("revenge_trade", state(history=elsewhere)).blocks
    old = ToldTrades({SOL: NOW - timedelta(seconds=3_599)})
    assert said("revenge_trade", state(history=old, revenge_cooldown_s=3_600)).blocks


# ---- 2 overtrading: ten signals in an hour ----


@pytest.mark.parametrize(("sent", "blocks"), [(0, False), (9, False), (10, True), (11, True)])
def test_the_tenth_signal_is_sent_and_the_eleventh_is_not(sent, blocks):
    verdict = said("overtrading", state(sent=(NOW,) * sent))
    assert verdict.blocks is blocks
    assert not blocks or f"{sent}/10 signals this hour" in verdict.reason


@pytest.mark.parametrize(
    ("minutes", "counts"), [(0, True), (15, True), (45, True), (60, False), (75, False)]
)
def test_an_hour_is_four_candles(minutes, counts):
    sent = (NOW - timedelta(minutes=minutes),)
    assert said("overtrading", state(sent=sent, max_signals_per_hour=1)).blocks is counts


# ---- 3 daily drawdown: 5 % of 10,000 is 500 ----


@pytest.mark.parametrize(("equity", "blocks"), [(9_500.01, False), (9_500.0, True), (9_400, True)])
def test_five_percent_of_the_day_s_start_pauses(equity, blocks):
    verdict = said("daily_drawdown", state((10_000.0, equity)))
    assert (verdict.blocks, verdict.is_pause) == (blocks, blocks)


# ---- 4 win streak ----


@pytest.mark.parametrize(("streak", "factor"), [(0, 1.0), (4, 1.0), (5, 0.5), (6, 0.5)])
def test_five_wins_in_a_row_halve_the_size(streak, factor):
    verdict = said("win_streak", state(history=ToldTrades(streak=streak)))
    assert (verdict.blocks, verdict.size_factor) == (False, factor)
    assert factor == 1.0 or f"{streak} wins" in verdict.reason


# ---- 5 correlation, on planted returns ----


def planted(value: float) -> np.ndarray:
    """Return hourly returns whose correlation with `planted(1)` is exactly `value`.

    Two patterns of +-1, of period 2 and 4, each with mean 0 and spread 1, and orthogonal to each
    other: value * a + sqrt(1 - value^2) * b has spread 1, and its product with a is `value`.
    """
    hour = np.arange(HOURS)
    a, b = np.where(hour % 2, -1.0, 1.0), np.where(hour % 4 < 2, 1.0, -1.0)
    return 0.004 * (value * a + sqrt(1.0 - value**2) * b)


def market(pair: str, returns: np.ndarray, close: datetime = NOW) -> AnalysedPair:
    """Return candles of 15 minutes whose closes on the full hour, up to `close`, have them."""
    closes = 100.0 * np.exp(np.concatenate([[0.0], np.cumsum(returns)]))
    return AnalysedPair(
        pair, analysed_frame(list(np.repeat(closes, PER_HOUR)[3:]), close), Settings()
    )


def with_open(*others: AnalysedPair, own: AnalysedPair, side="long", **settings) -> BreakerState:
    """Return the state at NOW with positions in the others, on one side."""
    charts = Charts(StubHost())
    for pair in (own, *others):
        charts.offer(pair)
    rules = BreakerSettings(**settings)
    account = Account(rules, MemoryStore(), resumes_next_day=True)
    account.mark(NOW, 10_000, 10_000, [held(pair.pair, side) for pair in others])
    chart = CandidateChart(charts, CANDIDATE, rules)
    return BreakerState(rules, account, (0.0,), ToldTrades(), chart)


@pytest.mark.parametrize("value", [-1.0, -0.5, 0.0, 0.3, 0.69, 0.71, 0.84, 0.86, 1.0])
def test_a_planted_correlation_is_found(value):
    at = with_open(market(ETH, planted(value)), own=market(SOL, planted(1.0)))
    assert at.chart.correlation(ETH) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize(
    ("value", "blocks"), [(0.84, False), (0.86, True), (1.0, True), (-0.99, False)]
)
@pytest.mark.parametrize("side", ["long", "short"])
def test_above_085_one_position_of_the_same_side_blocks(value, blocks, side):
    at = with_open(market(ETH, planted(value)), own=market(SOL, planted(1.0)), side=side)
    verdict = said("correlation", at, replace(CANDIDATE, side=side))
    assert verdict.blocks is blocks
    assert not blocks or f"{value:.2f} with open {ETH}" in verdict.reason
    other_side = replace(CANDIDATE, side="short" if side == "long" else "long")
    assert said("correlation", at, other_side) == Verdict("correlation")


@pytest.mark.parametrize(
    ("first", "second", "blocks"),
    [(0.71, 0.71, True), (0.71, 0.69, False), (0.69, 0.69, False), (0.71, 0.84, True)],
)
def test_two_of_a_cluster_are_enough(first, second, blocks):
    at = with_open(
        market(ETH, planted(first)), market(OP, planted(second)), own=market(SOL, planted(1.0))
    )
    verdict = said("correlation", at)
    assert verdict.blocks is blocks
    assert not blocks or "2/2 positions" in verdict.reason


def test_a_cluster_is_made_by_the_candidate_not_by_its_neighbours():
    """ETH and OP are as one to each other, and nothing to SOL: they are not of its cluster."""
    twins = market(ETH, planted(0.0)), market(OP, planted(0.0))
    assert said("correlation", with_open(*twins, own=market(SOL, planted(1.0)))).blocks is False


@pytest.mark.parametrize(("hours", "is_known"), [(167, False), (168, True), (300, True)])
def test_168_common_hours_are_needed(hours, is_known):
    young = market(ETH, planted(0.9)[-hours:])
    at = with_open(young, own=market(SOL, planted(1.0)))
    assert bool(np.isfinite(at.chart.correlation(ETH))) is is_known
    assert said("correlation", at).blocks is is_known


def test_older_hours_than_thirty_days_do_not_count():
    """For 30 days they move as one; before, and with much more force, against each other."""
    before = np.where(np.arange(HOURS) % 2, -0.02, 0.02)
    one = market(SOL, np.concatenate([before, planted(1.0)]))
    other = market(ETH, np.concatenate([-before, planted(1.0)]))
    assert with_open(other, own=one).chart.correlation(ETH) == pytest.approx(1.0)
    assert with_open(other, own=one, correlation_days=60).chart.correlation(ETH) < 0


@pytest.mark.parametrize(
    "other",
    [
        market(ETH, np.zeros(HOURS)),  # a price that stands still
        market(ETH, np.full(HOURS, 0.001)),  # or that only ever rises alike
        market(ETH, planted(0.9)[:100]),
        AnalysedPair(ETH, analysed_frame([100.0], NOW).iloc[:0], Settings()),
    ],
)
def test_an_unknown_correlation_is_of_one_cluster_and_does_not_block_alone(other):
    own = market(SOL, planted(1.0))
    alone = said("correlation", with_open(other, own=own))
    assert not alone.blocks
    assert f"unknown: the correlation with {ETH}" in alone.reason
    assert not said("correlation", with_open(other, market(OP, planted(0.5)), own=own)).blocks
    full = said("correlation", with_open(other, market(OP, planted(0.75)), own=own))
    assert full.blocks
    assert f"{ETH} unknown" in full.reason


def test_the_hour_that_is_not_over_does_not_count():
    """At a quarter past, the last whole hour is the one that ended at ten."""
    quarter = NOW + timedelta(minutes=15)
    own, other = market(SOL, planted(1.0)), market(ETH, planted(0.86))
    before = with_open(other, own=own).chart.correlation(ETH)
    charts = Charts(StubHost())
    for pair, returns in ((SOL, planted(1.0)), (ETH, planted(0.86))):
        closes = 100.0 * np.exp(np.concatenate([[0.0], np.cumsum(returns)]))
        leap = [*np.repeat(closes, PER_HOUR)[3:], 500.0]
        charts.offer(AnalysedPair(pair, analysed_frame(leap, quarter), Settings()))
    late = CandidateChart(charts, replace(CANDIDATE, close_time=quarter), BreakerSettings())
    assert late.correlation(ETH) == before


# ---- 6 time of day: hours 4-7 and 20-23 UTC, 5 points ----


@pytest.mark.parametrize(
    ("time", "shift"),
    [
        ("03:45", 0),
        ("03:59", 0),
        ("04:00", 5),
        ("07:45", 5),
        ("07:59", 5),
        ("08:00", 0),
        ("19:45", 0),
        ("20:00", 5),
        ("23:45", 5),
        ("00:00", 0),
        ("12:00", 0),
    ],
)
def test_the_bar_is_five_points_higher_in_quiet_hours(time, shift):
    close = datetime.fromisoformat(f"2026-03-02T{time}:00+00:00")
    points = threshold_shift(np.array([instant_ns(close) - CANDLE_NS]), Settings())
    frame = analysed_frame([100.0], close, is_candidate=True, threshold_shift=points)
    candidate = AnalysedPair(SOL, frame, Settings()).candidate(instant_ns(close))
    verdict = said("time_of_day", state(), candidate)
    assert (verdict.blocks, verdict.threshold_shift) == (False, shift)
    assert not shift or f"hour {time[:2]} UTC" in verdict.reason


# ---- 7 positions ----


@pytest.mark.parametrize(("count", "blocks"), [(0, False), (4, False), (5, True), (6, True)])
def test_five_positions_are_the_limit_and_pending_ones_count(count, blocks):
    opened = [held(f"P{number}", is_pending=number % 2 == 0) for number in range(count)]
    assert said("max_positions", state(positions=opened)).blocks is blocks


# ---- 8 volatility ----


@pytest.mark.parametrize(
    ("atr", "mean", "true_range", "blocks"),
    [
        (3.0, 1.0, 1.0, False),  # three times is not above three times
        (3.0001, 1.0, 1.0, True),
        (1.0, 1.0, 3.0, False),
        (1.0, 1.0, 3.0001, True),
        (4.0, 1.0, 13.0, True),
        (4.0, nan, 1.0, False),
        (4.0, nan, 13.0, True),
        (nan, 1.0, 13.0, False),
        (4.0, 1.0, nan, True),
        (nan, nan, nan, False),
    ],
)
def test_three_times_the_mean_or_three_times_the_atr(atr, mean, true_range, blocks):
    at = state(chart=ToldChart(Volatility(atr, mean, true_range)))
    verdict = said("volatility", at)
    assert verdict.blocks is blocks
    is_unknown = not np.isfinite([atr, mean, true_range]).all()
    assert ("unknown" in verdict.reason) is (is_unknown and not blocks)


def test_the_volatility_of_a_candle_by_hand():
    """The mean of 20 ATRs with this candle's: (19 x 1 + 3) / 20 = 1.1. The range: 103 - 96 = 7."""
    frame = analysed_frame(
        [99.0] * 20 + [96.0, 101.0],
        NOW,
        atr_14=[9.0, 9.0] + [1.0] * 19 + [3.0],
        high=[99.0] * 21 + [103.0],
        low=[99.0] * 21 + [100.0],
    )
    pair = AnalysedPair(SOL, frame, Settings())
    seen = pair.volatility(instant_ns(NOW), 20)
    assert (seen.atr, seen.true_range) == (3.0, 7.0)
    assert seen.mean_atr == pytest.approx(1.1)
    # A day earlier nothing is known, nor is a mean of more candles than there are.
    assert np.isnan(pair.volatility(instant_ns(NOW - timedelta(days=1)), 20).atr)
    assert np.isnan(pair.volatility(instant_ns(NOW), 23).mean_atr)


# ---- 9 macro: in tests/unit/core/test_macro_danger.py ----


def test_the_reasons_name_utc():
    stopped = ToldTrades({SOL: datetime(2026, 3, 2, 9, 58, 4, tzinfo=UTC)})
    assert "09:58:04 UTC" in said("revenge_trade", state(history=stopped)).reason
