"""The reader against results that the host wrote."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from host_results import PAIR, at, candles, host_trade, loser, winner

from scalp_strategy.errors import PayloadError
from scalp_strategy.validation.results import newest_result, read_run, timeframe_ms
from scalp_strategy.validation.trade_table import (
    host_gap,
    net_profit,
    net_r,
    trade_table,
    with_signals,
)

Store = Callable[..., Path]


def test_reads_what_the_host_writes(store: Store) -> None:
    run = read_run(store([winner(funding=-2.0), loser(funding=1.0)]))
    assert (run.strategy, run.timeframe, run.detail_timeframe) == ("ScalpStrategy", "15m", "15m")
    assert (run.starting_balance, run.currency, run.is_futures) == (10_000.0, "USDT", True)
    assert list(run.trades["enter_tag"]) == ["HIGH 84", "MEDIUM 70"]
    assert list(run.trades["risk"]) == pytest.approx([10.0, 10.0])
    assert run.start_ms == at(0).timestamp() * 1000
    assert run.end_ms == at(399).timestamp() * 1000


def test_orders_reproduce_the_host_profit_with_fees_and_funding(store: Store) -> None:
    trades = [winner(funding=-2.0), loser(funding=1.0), winner(40), loser(50)]
    run = read_run(store(trades))
    assert net_profit(run.trades, 0.0015) == pytest.approx(run.trades["host_profit"], abs=1e-7)
    assert host_gap(run.trades) < 1e-9
    run.trades.loc[0, "host_profit"] += 1.0
    assert host_gap(run.trades) == pytest.approx(1e-3)


def test_trades_come_in_closing_order(store: Store) -> None:
    run = read_run(store([loser(90), winner(10)]))
    assert run.trades["closed_ms"].is_monotonic_increasing
    assert list(run.trades["is_short"]) == [False, True]


def test_risk_comes_from_the_candle_that_closed_at_the_opening(store: Store) -> None:
    frame = candles()
    frame.loc[frame.index == 9, "sl_pct"] = 2.0  # closes as the winner opens
    frame.loc[frame.index == 10, "sl_pct"] = 3.0  # closes a candle later
    run = read_run(store([winner(10)], {PAIR: frame}))
    assert run.trades["stop_distance"].iloc[0] == pytest.approx(2.0)
    assert net_r(run.trades, 0.0)[0] == pytest.approx(24.0 / 20.0)


def test_absolute_distance_is_frozen_at_the_signal_close(store: Store) -> None:
    run = read_run(store([winner(10)], {PAIR: candles(pair_close=90.0, sl_pct=1.0)}))
    assert run.trades["risk"].iloc[0] == pytest.approx(10.0 * 0.9)


@pytest.mark.parametrize("stop", [np.nan, 0.0, -1.0, np.inf])
def test_a_stop_that_is_no_stop_is_unknown(store: Store, stop: float) -> None:
    run = read_run(store([winner(10)], {PAIR: candles(sl_pct=stop)}))
    assert np.isnan(net_r(run.trades, 0.0015)).all()
    assert len(run.trades) == 1


def test_a_trade_without_a_fresh_signal_candle_is_kept_with_unknown_risk() -> None:
    trades = [winner(10), loser(20)]
    table = trade_table([trade.to_json(minified=True) for trade in trades])
    frame = candles()
    stale = frame[frame.index < 15]  # candle 14 closed five candles before the second opened
    joined = with_signals(table, {PAIR: stale}, 900_000)
    assert list(joined["risk"].isna()) == [False, True]
    assert "risk" not in table


def test_a_signal_candle_still_open_is_not_used() -> None:
    late = host_trade((at(10, 2), 100.0, 1.0, "HIGH"), [(at(11), 101.0, 1.0, "time_stop")])
    table = trade_table([late.to_json(minified=True)])
    frame = candles()
    assert with_signals(table, {PAIR: frame[frame.index == 10]}, 900_000)["risk"].isna().all()
    assert with_signals(table, {PAIR: frame[frame.index == 9]}, 900_000)["risk"].notna().all()


def test_a_pair_without_candles_is_unknown_and_order_is_kept(store: Store) -> None:
    other = "ETH/USDT:USDT"
    trades = [winner(10), winner(12, pair=other), loser(20)]
    run = read_run(store(trades, {PAIR: candles()}))
    assert list(run.trades["pair"]) == [PAIR, other, PAIR]
    assert list(run.trades["risk"].isna()) == [False, True, False]


def test_regime_and_coverage_are_carried_over(store: Store) -> None:
    frame = candles()
    frame["regime"], frame["coverage"] = "RISK_ON", 0.7
    run = read_run(store([winner(10)], {PAIR: frame}))
    assert run.trades["regime"].iloc[0] == "RISK_ON"
    assert run.trades["coverage"].iloc[0] == 0.7


def test_candles_without_stop_column_say_where_it_belongs(store: Store) -> None:
    with pytest.raises(PayloadError, match=r"sl_pct.*populate_indicators"):
        read_run(store([winner()], {PAIR: candles().drop(columns="sl_pct")}))


def test_no_trades_is_a_result_even_without_signals(store: Store) -> None:
    assert read_run(store([])).trades.empty
    assert read_run(store([], export="trades")).trades.empty


def test_trades_without_signals_name_the_missing_option(store: Store) -> None:
    with pytest.raises(PayloadError, match="--export signals"):
        read_run(store([winner()], export="trades"))


def test_several_strategies_need_a_choice(store: Store) -> None:
    path = store([winner()], strategies=("First", "Second"))
    with pytest.raises(PayloadError, match=r"First, Second.*--strategy"):
        read_run(path)
    with pytest.raises(PayloadError, match=r"Third is not in.*First, Second"):
        read_run(path, "Third")
    assert read_run(path, "Second").strategy == "Second"


def test_newest_result_is_the_one_written_last(store: Store, tmp_path: Path) -> None:
    older = store([winner()])
    newer = older.with_name("a-result.zip")
    newer.write_bytes(older.read_bytes())
    os.utime(older, ns=(1, 1))
    assert newest_result(tmp_path / "user_data") == newer


def test_no_result_says_where_it_looked_and_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(PayloadError, match=r"backtest_results.*freqtrade backtesting"):
        newest_result(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PayloadError, match=r"no file .*gone\.zip"):
        read_run(tmp_path / "gone.zip")


def test_damaged_files_are_payload_errors(store: Store, tmp_path: Path) -> None:
    path = store([winner()])
    truncated = tmp_path / path.name
    truncated.write_bytes(path.read_bytes()[:200])
    with pytest.raises(PayloadError, match="not a readable zip"):
        read_run(truncated)
    renamed = path.rename(path.with_name("renamed.zip"))
    with pytest.raises(PayloadError, match=r"renamed\.json is not in it"):
        read_run(renamed)


@pytest.mark.parametrize(
    ("member", "content", "message"),
    [
        ("{}.json", b"{", "not JSON"),
        ("{}.json", b"[]", "not an object"),
        ("{}.json", b'{"strategy": {"S": {"timeframe": "15m"}}}', "lacks 'trades'"),
        ("{}_signals.pkl", b"\x80garbage", "cannot be read"),
    ],
)
def test_damaged_members_are_payload_errors(
    store: Store, member: str, content: bytes, message: str
) -> None:
    path = store([winner()])
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[member.format(path.stem)] = content
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(PayloadError, match=message):
        read_run(path)


@pytest.mark.parametrize("key", ["orders", "profit_abs", "open_timestamp", "fee_close"])
def test_a_trade_without_what_the_host_writes_is_named(key: str) -> None:
    trade = winner().to_json(minified=True)
    del trade[key]
    with pytest.raises(PayloadError, match=rf"{PAIR} opened 2026-01-01.*{key}"):
        trade_table([trade])


def test_an_exit_order_that_never_filled_is_left_out() -> None:
    trade = winner().to_json(minified=True)
    resting = {**trade["orders"][-1], "order_filled_timestamp": None, "amount": 99.0}
    plain = trade_table([trade])
    with_resting = trade_table([{**trade, "orders": [*trade["orders"], resting]}])
    pd.testing.assert_frame_equal(plain, with_resting)


@pytest.mark.parametrize(
    ("name", "expected"), [("1m", 60_000), ("15m", 900_000), ("1h", 3_600_000)]
)
def test_timeframe_ms(name: str, expected: int) -> None:
    assert timeframe_ms(name) == expected


def test_timeframe_that_is_none() -> None:
    with pytest.raises(PayloadError, match="fortnight"):
        timeframe_ms("fortnight")
