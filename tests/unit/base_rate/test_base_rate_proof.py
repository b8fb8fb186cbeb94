"""A true edge is found, and nothing is found where there is none."""

import numpy as np
import pytest

from scalp_strategy.base_rate import SETUP_LABELS, base_rates
from scalp_strategy.settings import Settings, with_overrides
from tests.support.base_rates import analysed, candles_of, noise, planted

PLANTED = "fair_value_gap"
SETTINGS = Settings()


@pytest.fixture(scope="module")
def rates():
    """Return the rates of two markets in which one setup of longs truly precedes a rise."""
    frames = {
        f"P{seed}": analysed(planted(noise(4_500, seed=seed), seed, PLANTED, drift=0.002))
        for seed in (1, 2)
    }
    return base_rates(frames, SETTINGS)


def test_a_planted_edge_is_found(rates):
    for columns in rates.values():
        late = columns.iloc[-1_000:]
        is_known = late["base_rate_samples_long"].notna()
        is_it = late["base_rate_setup_long"] == SETUP_LABELS.index(PLANTED)
        found = late["base_rate_long"][is_known & is_it]
        others = late["base_rate_long"][is_known & ~is_it]
        assert found.size > 50
        assert found.min() > 50.0
        assert found.mean() > 58.0
        assert found.mean() > others.mean() + 8.0
        assert found.mean() > late["base_rate_short"].mean() + 8.0
        won = late["base_rate_win_rate_long"]
        assert won[is_known & is_it].mean() > won[is_known & ~is_it].mean()


@pytest.mark.parametrize("seed", range(4))
def test_noise_stays_at_50_although_every_trade_costs(seed):
    frames = {
        f"P{pair}": analysed(candles_of(noise(5_000, seed=100 * seed + pair), seed=pair))
        for pair in range(4)
    }
    rates = base_rates(frames, SETTINGS)
    for side in ("long", "short"):
        score, mean_r = (
            np.concatenate([columns[name].dropna() for columns in rates.values()])
            for name in (f"base_rate_{side}", f"base_rate_mean_r_{side}")
        )
        assert score.size > 10_000
        assert abs(score.mean() - 50.0) < 2.0
        assert score.std() < 6.0
        assert (np.abs(score - 50.0) < 10.0).mean() > 0.95
        assert mean_r.mean() < -0.2


def test_costs_move_the_result_that_is_told_and_not_the_score():
    frames = {"P0": analysed(candles_of(noise(3_000, seed=7), seed=7))}
    free = with_overrides(SETTINGS, {"risk.fee_pct": 0.0, "risk.slippage_pct": 0.0})
    paid, unpaid = base_rates(frames, SETTINGS)["P0"], base_rates(frames, free)["P0"]
    np.testing.assert_allclose(paid["base_rate_long"], unpaid["base_rate_long"], rtol=1e-9)
    told = (unpaid["base_rate_mean_r_long"] - paid["base_rate_mean_r_long"]).dropna()
    assert told.size > 100
    assert (told > 0.1).all()
