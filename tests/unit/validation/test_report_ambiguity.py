"""Candles that touch target and stop, bounded both ways by hand (long at 100, stop 1 % away)."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType
from host_results import PAIR, at, candles, host_trade, loser, winner

from scalp_strategy.errors import PayloadError
from scalp_strategy.setting_groups.risk import LadderSettings
from scalp_strategy.validation.ambiguity import Ambiguity, count_ambiguous, load_candles
from scalp_strategy.validation.results import BacktestRun, read_run

Store = Callable[..., Path]
Range = dict[int, tuple[float, float]]


def _candles(ranges: Range) -> pd.DataFrame:
    frame = candles()
    for candle, (low, high) in ranges.items():
        frame.loc[candle, ["low", "high"]] = [low, high]
    return frame


def _count(run: BacktestRun, ranges: Range, cost: float = 0.0) -> Ambiguity:
    return count_ambiguous(run, {PAIR: _candles(ranges)}, LadderSettings(), cost)


def _stopped_long(funding: float = 0.0) -> Any:
    exits = [(at(12), 99.0, 10.0, "stop_loss")]
    return host_trade((at(10), 100.0, 10.0, "HIGH"), exits, funding=funding)


def test_a_stop_in_a_candle_that_reached_the_first_target(store: Store) -> None:
    run = read_run(store([_stopped_long()]))
    found = _count(run, {12: (99.0, 101.5)})
    assert (found.checked, found.ambiguous) == (1, 1)
    assert found.average_r == found.pessimistic_r == pytest.approx(-1.0)
    # target first: 0.4 * 1.5, the rest at break-even
    assert found.optimistic_r == pytest.approx(0.6)


def test_target_first_fills_every_target_in_reach(store: Store) -> None:
    run = read_run(store([_stopped_long()]))
    two = _count(run, {12: (98.0, 102.6)})
    assert two.optimistic_r == pytest.approx(0.4 * 1.5 + 0.4 * 2.5 + 0.2 * 1.5)
    three = _count(run, {12: (98.0, 104.0)})
    assert three.optimistic_r == pytest.approx(0.4 * 1.5 + 0.4 * 2.5 + 0.2 * 4.0)


@pytest.mark.parametrize("touched", [(99.01, 101.5), (99.0, 101.49), (99.0, 99.5), (100, 105)])
def test_touching_one_level_only_is_not_ambiguous(
    store: Store, touched: tuple[float, float]
) -> None:
    found = _count(read_run(store([_stopped_long()])), {12: touched})
    assert (found.checked, found.ambiguous) == (1, 0)
    assert found.pessimistic_r == found.optimistic_r == found.average_r


def test_a_short_is_the_mirror(store: Store) -> None:
    run = read_run(store([loser(20)]))  # stopped at 101 in candle 22
    found = _count(run, {22: (98.5, 101.0)})
    assert (found.pessimistic_r, found.optimistic_r) == pytest.approx((-1.0, 0.6))


def test_after_the_first_target_the_stop_is_the_entry(store: Store) -> None:
    exits = [(at(11), 101.5, 4.0, "tp1"), (at(12), 102.5, 4.0, "tp2"), (at(13), 104.0, 2.0, "tp3")]
    run = read_run(store([host_trade((at(10), 100.0, 10.0, "HIGH"), exits)]))
    found = _count(run, {12: (99.9, 102.5)})
    assert found.ambiguous == 1
    assert found.average_r == pytest.approx(2.4)
    assert found.pessimistic_r == pytest.approx(0.4 * 1.5)  # the rest at break-even
    assert found.optimistic_r == pytest.approx(0.4 * 1.5 + 0.4 * 2.5 + 0.2 * 1.5)
    assert _count(run, {12: (100.1, 102.5)}).ambiguous == 0


def test_after_the_second_target_the_stop_is_the_first(store: Store) -> None:
    found = _count(read_run(store([winner(10)])), {13: (101.5, 104.0)})
    assert found.ambiguous == 1
    assert found.pessimistic_r == pytest.approx(0.4 * 1.5 + 0.4 * 2.5 + 0.2 * 1.5)
    assert found.optimistic_r == pytest.approx(2.4)


def test_candles_outside_the_trade_do_not_count(store: Store) -> None:
    run = read_run(store([_stopped_long()]))
    assert _count(run, {9: (90.0, 110.0), 13: (90.0, 110.0)}).ambiguous == 0
    assert _count(run, {10: (90.0, 110.0)}).ambiguous == 1


def test_what_a_candle_does_after_an_exit_at_its_open_does_not_count(store: Store) -> None:
    exits = [(at(18), 100.0, 10.0, "time_stop")]  # the candle opens at 100
    run = read_run(store([host_trade((at(10), 100.0, 10.0, "HIGH"), exits)]))
    assert _count(run, {18: (90.0, 110.0)}).ambiguous == 0


def test_costs_and_funding_stay_as_recorded(store: Store) -> None:
    run = read_run(store([_stopped_long(funding=-1.0)]))
    found = _count(run, {12: (99.0, 101.5)}, cost=0.0015)
    spent = 0.0015 * 199.0 + 0.1  # in R of 10 USDT: both sides' notional 1000 + 990, funding 1
    assert found.average_r == pytest.approx(-1.0 - spent)
    assert found.optimistic_r == pytest.approx(0.6 - spent)


def test_means_cover_checked_trades_alone(store: Store) -> None:
    other = "ETH/USDT:USDT"
    frame = candles()
    frame.loc[frame.index == 39, "sl_pct"] = np.nan
    trades = [_stopped_long(), winner(20, pair=other), winner(40), winner(60)]
    run = read_run(store(trades, {PAIR: frame, other: candles()}))
    found = count_ambiguous(run, {PAIR: _candles({12: (99.0, 101.5)})}, LadderSettings(), 0.0)
    assert (found.checked, found.ambiguous) == (2, 1)
    assert found.average_r == pytest.approx((-1.0 + 2.4) / 2)
    assert found.optimistic_r == pytest.approx((0.6 + 2.4) / 2)


def test_no_trades_and_no_candles_check_nothing(store: Store) -> None:
    for run in (read_run(store([])), read_run(store([winner()]))):
        found = count_ambiguous(run, {}, LadderSettings(), 0.0)
        assert (found.checked, found.ambiguous) == (0, 0)
        assert np.isnan(found.average_r)


def test_other_targets_move_the_question(store: Store) -> None:
    run = read_run(store([_stopped_long()]))
    near = LadderSettings(target_r=(0.5, 2.5, 4.0))
    found = count_ambiguous(run, {PAIR: _candles({12: (99.0, 100.5)})}, near, 0.0)
    assert found.optimistic_r == pytest.approx(0.4 * 0.5)


def test_candles_are_found_where_the_host_keeps_them(store: Store, tmp_path: Path) -> None:
    run = read_run(store([winner()]))
    with pytest.raises(PayloadError, match=r"BTC_USDT_USDT-15m-futures\.feather"):
        load_candles(tmp_path, run)
    _store_candles(tmp_path, PAIR, "futures")
    assert list(load_candles(tmp_path, run)) == [PAIR]
    spot = dataclasses.replace(run, is_futures=False, trades=run.trades.assign(pair="BTC/USDT"))
    _store_candles(tmp_path, "BTC/USDT", "spot")
    assert list(load_candles(tmp_path, spot)) == ["BTC/USDT"]


def _store_candles(datadir: Path, pair: str, candle_type: str) -> None:
    frame = candles(10).assign(volume=1.0)
    (datadir / "futures").mkdir(exist_ok=True)
    get_datahandler(datadir, "feather").ohlcv_store(pair, "15m", frame, CandleType(candle_type))
