"""Edges of the performance measures; values by hand are in the golden tests."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalp_strategy.validation import metrics

EMPTY = np.empty(0)
profits = st.lists(st.floats(-100, 100), min_size=1, max_size=60).map(np.array)


@pytest.mark.parametrize(
    "measure",
    [
        metrics.mean,
        metrics.win_rate,
        metrics.profit_factor,
        metrics.payoff_ratio,
        metrics.average_winner,
        metrics.average_loser,
        metrics.sharpe_ratio,
    ],
)
def test_without_trades_a_measure_is_unknown(measure: object) -> None:
    assert np.isnan(measure(EMPTY))  # type: ignore[operator]


def test_without_trades_there_is_no_drawdown_and_no_losing_run() -> None:
    assert metrics.max_drawdown_pct(EMPTY, 100.0) == 0
    assert metrics.longest_losing_run(EMPTY) == 0
    assert np.isnan(metrics.wilson_interval(0, 0, 0.95)).all()


def test_without_a_loss_factor_and_payoff_are_unknown_not_infinite() -> None:
    wins = np.array([1.0, 2.0])
    assert np.isnan(metrics.profit_factor(wins))
    assert np.isnan(metrics.payoff_ratio(wins))
    assert np.isnan(metrics.payoff_ratio(np.array([1.0, 0.0])))


def test_unknown_trades_are_left_out() -> None:
    net, with_unknown = np.array([2.0, -1.0]), np.array([np.nan, 2.0, np.nan, -1.0])
    for measure in (metrics.win_rate, metrics.mean, metrics.profit_factor, metrics.payoff_ratio):
        assert measure(with_unknown) == measure(net)


@given(profits)
def test_losing_run_equals_a_plain_count(net: np.ndarray) -> None:
    longest = current = 0
    for value in net:
        current = 0 if value > 0 else current + 1
        longest = max(longest, current)
    assert metrics.longest_losing_run(net) == longest


@given(profits)
def test_drawdown_equals_a_plain_walk(net: np.ndarray) -> None:
    equity = peak = 10_000.0
    deepest = 0.0
    for value in net:
        equity += value
        peak = max(peak, equity)
        deepest = max(deepest, (peak - equity) / peak)
    assert metrics.max_drawdown_pct(net, 10_000.0) == pytest.approx(100 * deepest)


@given(profits)
def test_at_the_break_even_win_rate_this_payoff_earns_nothing(net: np.ndarray) -> None:
    payoff = metrics.payoff_ratio(net)
    if np.isnan(payoff):
        return
    share = metrics.break_even_win_rate(payoff)
    earned = share * metrics.average_winner(net) + (1 - share) * metrics.average_loser(net)
    assert earned == pytest.approx(0, abs=1e-9)
    assert (
        np.sign(round(metrics.mean(net), 9)) == np.sign(round(metrics.win_rate(net) - share, 9))
        or abs(metrics.mean(net)) < 1e-6
    )


@given(st.integers(1, 500), st.floats(0, 1))
def test_wilson_interval_holds_the_rate_and_shrinks_with_the_sample(n: int, share: float) -> None:
    wins = round(share * n)
    low, high = metrics.wilson_interval(wins, n, 0.95)
    assert 0 <= low <= wins / n <= high <= 1
    wider = metrics.wilson_interval(wins, n, 0.99)
    assert wider[0] <= low <= high <= wider[1]
    more = metrics.wilson_interval(4 * wins, 4 * n, 0.95)
    assert more[1] - more[0] < high - low


def test_drawdown_of_a_lost_account_is_above_100_pct() -> None:
    assert metrics.max_drawdown_pct(np.array([-150.0]), 100.0) == 150.0


def test_daily_returns_are_zero_without_trades_and_unknown_once_the_account_is_lost() -> None:
    returns = metrics.daily_returns(np.array([-100.0, 5.0]), np.array([1, 3]), 5, 100.0)
    assert returns[:2].tolist() == [0.0, -1.0]
    assert np.isnan(returns[2:]).all()
    assert np.isnan(metrics.sharpe_ratio(returns))


def test_sharpe_is_unknown_without_variation() -> None:
    assert np.isnan(metrics.sharpe_ratio(np.zeros(30)))
    assert np.isnan(metrics.sharpe_ratio(np.array([0.1])))


def _clustered(seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    days = np.repeat(np.arange(40), 10)
    shared = generator.normal(0, 1, 40)[days]
    return shared + generator.normal(0, 0.1, days.size), days


def test_clustered_interval_is_wider_when_days_move_together() -> None:
    values, days = _clustered(5)
    alone = np.arange(values.size)
    low, high = metrics.clustered_mean_interval(values, days, 0.95, 1000, 1)
    tight_low, tight_high = metrics.clustered_mean_interval(values, alone, 0.95, 1000, 1)
    assert low < values.mean() < high
    assert high - low > 2 * (tight_high - tight_low)


def test_clustered_interval_of_independent_trades_is_that_of_t() -> None:
    values = np.random.default_rng(7).normal(0.1, 1.0, 400)
    low, high = metrics.clustered_mean_interval(values, np.arange(400), 0.95, 4000, 3)
    half = 1.966 * values.std(ddof=1) / np.sqrt(400)  # Student's t, 399 degrees of freedom
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.01)


def test_clustered_interval_repeats_leaves_out_unknown_and_needs_two_days() -> None:
    values, days = np.array([1.0, -1.0, np.nan, 2.0]), np.array([0, 1, 2, 1])
    kept = ~np.isnan(values)
    first = metrics.clustered_mean_interval(values, days, 0.95, 500, 1)
    assert first == metrics.clustered_mean_interval(values[kept], days[kept], 0.95, 500, 1)
    one_day = metrics.clustered_mean_interval(values, np.zeros(4, dtype=np.int64), 0.95, 500, 1)
    assert np.isnan(one_day).all()


def test_cost_share_without_movement_is_unknown() -> None:
    assert np.isnan(metrics.cost_share(np.array([1.0]), np.array([0.0])))
    assert metrics.cost_share(np.array([1.0, 2.0]), np.array([-4.0, 2.0])) == 0.5
