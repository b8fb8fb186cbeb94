"""Outcomes and rates worked out by hand."""

import numpy as np
import pytest

from scalp_strategy.base_rate.outcomes import Entries, PairSetups, joined, played
from scalp_strategy.base_rate.rates import (
    base_rate_columns,
    overlaps,
    past_of,
    sums_at,
    tally,
)
from scalp_strategy.settings import Settings, with_overrides
from scalp_strategy.technical.bars import bars_of
from tests.support.base_rates import occurrences
from tests.support.candles import candles_from_rows, mirrored

# Entry 100, 1 R = 1, so targets 101.5, 102.5 and 104; ATR 0.8; cost 0.1 % a side.
RISK = with_overrides(Settings(), {"risk.fee_pct": 0.06, "risk.slippage_pct": 0.04}).risk
QUIET = (100.0, 100.4, 99.6, 100.0)
CASES = {
    "stopped": ([QUIET, (100.0, 100.2, 98.9, 99.2)], 2, -1.0, 99.0),
    "gapped below the stop": ([(98.5, 98.8, 98.0, 98.2)], 1, -1.5, 98.5),
    "stop and target in one candle: the stop": ([(100.0, 101.6, 98.9, 100.0)], 1, -1.0, 99.0),
    # 40 % at 101.5, the rest at the entry.
    "break-even": ([(100.0, 101.6, 99.5, 101.0), (101.0, 101.2, 99.9, 100.5)], 2, 0.6, 100.6),
    # 40 % at 101.5, 40 % at 102.5; the best close of 103 less 0.8 stops the rest at 102.2.
    "trailed": (
        [(100.0, 102.6, 99.5, 102.4), (102.4, 103.2, 102.3, 103.0), (103.0, 103.1, 102.0, 102.1)],
        3,
        0.4 * 1.5 + 0.4 * 2.5 + 0.2 * 2.2,
        0.4 * 101.5 + 0.4 * 102.5 + 0.2 * 102.2,
    ),
    "all targets": (
        [(100.0, 104.5, 99.5, 104.2)],
        1,
        0.4 * 1.5 + 0.4 * 2.5 + 0.2 * 4.0,
        0.4 * 101.5 + 0.4 * 102.5 + 0.2 * 104.0,
    ),
    # After eight candles the open of the ninth.
    "time": ([QUIET] * 8 + [(100.3, 100.5, 99.9, 100.0)], 9, 0.3, 100.3),
    "not yet": ([QUIET] * 8, -1, np.nan, np.nan),
}


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("name", CASES)
def test_an_outcome(name, side):
    path, ended, gross, exit_value = CASES[name]
    candles = candles_from_rows([(*row, 1.0) for row in [(100.0, 100.1, 99.9, 100.0), *path]])
    if side < 0:
        candles, exit_value = mirrored(candles), 200.0 - exit_value
    entry = Entries(
        np.array([0]), np.array([len(candles)]), np.array([side]), np.array([1.0]), np.array([0.8])
    )
    row, gross_r, net_r = played(bars_of(candles), entry, RISK)
    assert row[0] == ended
    assert gross_r[0] == pytest.approx(gross, nan_ok=True)
    net = gross - 0.001 * (100.0 + exit_value)
    assert net_r[0] == pytest.approx(net, nan_ok=True)


# ---------------------------------------------------------------------------------------- rates

DAY = 96
SETTINGS = with_overrides(
    Settings(),
    {
        "base_rate.half_life_days": 1.0,
        "base_rate.prior_all": 2.0,
        "base_rate.prior_pair": 1.0,
        "base_rate.points_per_r": 20.0,
        "base_rate.min_samples": 0.5,
    },
)


def test_overlapping_occurrences_share_one_weight():
    candle = np.array([100, 100, 104, 108, 300])
    code = np.zeros(5, dtype=np.int64)
    assert overlaps(candle, code, 8).tolist() == [2, 2, 3, 2, 1]
    assert overlaps(candle, np.array([0, 1, 0, 0, 0]), 8).tolist() == [1, 1, 2, 2, 1]


def test_sums_halve_in_a_half_life_and_begin_the_candle_after_the_end():
    past = occurrences([(1_000, 6, 1_004, 2.0, 1.5), (1_050, 6, 1_052, -1.0, -1.2)])
    known = tally(past, past.group, SETTINGS)
    candle = np.array([1_004, 1_005, 1_004 + DAY + 1])
    sums = sums_at(known, np.full(3, 6), candle, float(DAY))
    assert sums[0].tolist() == [0.0, 0.0, 0.0, 0.0]
    assert sums[1] == pytest.approx([1.0, 2.0, 1.5, 1.0])
    second = 2.0 ** (-(1_004 + DAY - 1_052) / DAY)
    assert sums[2] == pytest.approx(
        [0.5 + second, 1.0 - second, 0.75 - 1.2 * second, 0.5], rel=1e-12
    )


def test_rates_are_shrunk_twice_and_scored_before_cost():
    long_group, other = 6, 12  # two setups of longs in the lowest tercile
    # All end at candle 2,000 and do not overlap; asked right after, so every weight is 1.
    own = occurrences([(1_900, long_group, 2_000, 3.0, 2.0)])
    rest = occurrences(
        [
            (1_910, long_group, 2_000, 1.0, 0.5),
            (1_930, other, 2_000, -1.0, -1.5),
            (1_950, other, 2_000, -1.0, -1.5),
        ]
    )
    everything = joined((rest, own))
    setups = PairSetups(np.array([2_001]), np.array([[long_group], [-1]]), own)
    columns = base_rate_columns(
        setups,
        past_of(everything, SETTINGS),
        tally(own, own.group, SETTINGS),
        SETTINGS,
        index=[0],
    )
    overall = (3.0 + 1.0 - 1.0 - 1.0) / 4
    rate_all = (2 * 2.0 + 2.0 * overall) / (2 + 2.0)
    rate = (1 * 3.0 + 1.0 * rate_all) / (1 + 1.0)
    row = columns.iloc[0]
    assert row["base_rate_long"] == pytest.approx(50 + 20 * (rate - overall))
    assert row["base_rate_samples_long"] == pytest.approx(2.0)
    assert row["base_rate_reliability"] == pytest.approx(2 / (2 + 2.0))
    won = (2 * 1.0 + 2.0 * 0.5) / 4
    assert row["base_rate_win_rate_long"] == pytest.approx((1 + won) / 2)
    net_overall = (2.0 + 0.5 - 1.5 - 1.5) / 4
    net_all = (2 * 1.25 + 2.0 * net_overall) / 4
    assert row["base_rate_mean_r_long"] == pytest.approx((2.0 + net_all) / 2)
    # The short has no setup here: it says nothing, and nothing is claimed to be known of it.
    assert row["base_rate_short"] == 50.0
    assert np.isnan(row["base_rate_win_rate_short"])
    assert np.isnan(row["base_rate_samples_short"])
