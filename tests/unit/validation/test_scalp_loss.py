"""The hyperopt loss: its terms, and the shim through the host's own resolver."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from freqtrade.data.btanalysis import trade_list_to_dataframe
from freqtrade.resolvers.hyperopt_resolver import HyperOptLossResolver
from host_results import BALANCE, PAIR, candles, loser, winner
from hypothesis import given
from hypothesis import strategies as st

from scalp_strategy.errors import ConfigError, PayloadError
from scalp_strategy.setting_groups.report import LossSettings
from scalp_strategy.validation.loss import epoch_loss, loss, shrunk_t

SETTINGS = LossSettings()
HYPEROPTS = Path(__file__).parents[3] / "user_data" / "hyperopts"
CONFIG: dict[str, Any] = {"timeframe": "15m"}
seeded = np.random.default_rng(11).normal(0.1, 1.2, 400)


def test_loss_by_hand() -> None:
    settings = LossSettings(
        prior_trades=4, min_trades=8, min_std_r=0.5, shortage_weight=20, drawdown_weight=2
    )
    net_r = np.array([1.0, -1.0, 2.0, 2.0])  # mean 1, variance (0 + 4 + 1 + 1) / 3 = 2
    t = 4 / 8 * 1 / np.sqrt(2) * 2
    penalty = 2 * (30 / 15 - 1) + 20 * (1 - 4 / 8)
    assert loss(net_r, 30.0, settings) == pytest.approx(penalty - t)


def test_without_trades_the_loss_is_the_whole_shortage() -> None:
    assert loss(np.empty(0), 0.0, SETTINGS) == SETTINGS.shortage_weight
    assert loss(np.array([np.nan]), 0.0, SETTINGS) == SETTINGS.shortage_weight


def test_a_losing_set_that_trades_beats_one_that_does_not() -> None:
    losing = np.random.default_rng(3).normal(-0.39, 1.2, 1000)
    assert loss(losing, 14.0, SETTINGS) < loss(np.empty(0), 0.0, SETTINGS)


def test_more_evidence_of_the_same_edge_is_better() -> None:
    half, whole = np.tile([1.5, -1.0], 60), np.tile([1.5, -1.0], 120)
    assert loss(whole, 5.0, SETTINGS) < loss(half, 5.0, SETTINGS)


def test_a_lucky_few_do_not_beat_a_steady_many() -> None:
    lucky = np.full(5, 2.4)
    assert loss(seeded, 10.0, SETTINGS) < loss(lucky, 0.0, SETTINGS)
    assert np.isfinite(shrunk_t(lucky, SETTINGS))


def test_drawdown_counts_only_above_its_threshold() -> None:
    at_threshold = loss(seeded, SETTINGS.max_drawdown_pct, SETTINGS)
    assert loss(seeded, 1.0, SETTINGS) == at_threshold
    assert loss(seeded, 2 * SETTINGS.max_drawdown_pct, SETTINGS) == pytest.approx(
        at_threshold + SETTINGS.drawdown_weight
    )


@given(st.lists(st.floats(-20, 20), max_size=80), st.floats(0, 500))
def test_loss_is_finite_and_falls_with_every_r(net_r: list[float], drawdown_pct: float) -> None:
    values = np.array(net_r)
    value = loss(values, drawdown_pct, SETTINGS)
    assert np.isfinite(value)
    assert loss(values + 1.0, drawdown_pct, SETTINGS) <= value


def _epoch(trades: list[Any], config: dict[str, Any] | None = None) -> float:
    return epoch_loss(
        trade_list_to_dataframe(trades), {PAIR: candles()}, BALANCE, CONFIG | (config or {})
    )


def test_epoch_is_the_loss_of_net_r_at_the_fees_of_the_run() -> None:
    net_r = np.array([2.4 - 0.3036, -1.0 - 0.3015])
    drawdown_pct = 100 * 13.015 / (BALANCE + 20.964)
    expected = loss(net_r, drawdown_pct, SETTINGS)
    assert _epoch([winner(), loser()]) == pytest.approx(expected, abs=1e-6)


def test_epoch_without_trades() -> None:
    assert _epoch([]) == SETTINGS.shortage_weight


def test_epoch_reads_the_scalp_section() -> None:
    weighted = _epoch([], {"scalp": {"loss": {"shortage_weight": 7.0}}})
    assert weighted == 7.0
    with pytest.raises(ConfigError, match=r"scalp\.loss"):
        _epoch([], {"scalp": {"loss": {"min_trades": 0}}})


def test_epoch_without_stop_column_is_an_error_not_a_bad_score() -> None:
    frames = {PAIR: candles().drop(columns="sl_pct")}
    with pytest.raises(PayloadError, match="sl_pct"):
        epoch_loss(trade_list_to_dataframe([winner()]), frames, BALANCE, CONFIG)


def test_the_host_resolves_and_calls_the_shim() -> None:
    config = {
        **CONFIG,
        "hyperopt_loss": "ScalpHyperOptLoss",
        "hyperopt_path": str(HYPEROPTS),
        "user_data_dir": HYPEROPTS.parent,
    }
    resolved = HyperOptLossResolver.load_hyperoptloss(config)
    trades = [winner(), loser()]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    value = resolved.hyperopt_loss_function(
        results=trade_list_to_dataframe(trades),
        trade_count=2,
        min_date=start,
        max_date=start,
        config=config,
        processed={PAIR: candles()},
        backtest_stats={},
        starting_balance=BALANCE,
    )
    assert value == pytest.approx(_epoch(trades))
    assert isinstance(value, float)
    assert resolved.__class__.__name__ == "ScalpHyperOptLoss"


def test_inputs_are_not_changed() -> None:
    results, frame = trade_list_to_dataframe([winner(), loser()]), candles()
    before = results.copy(deep=True), frame.copy(deep=True)
    epoch_loss(results, {PAIR: frame}, BALANCE, CONFIG)
    pd.testing.assert_frame_equal(results, before[0])
    pd.testing.assert_frame_equal(frame, before[1])
