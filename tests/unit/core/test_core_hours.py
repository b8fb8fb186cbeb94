"""Hourly returns: from 1h candles while trading, from 15m candles in a backtest, the same."""

from datetime import datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from freqtrade.enums import CandleType, RunMode

from scalp_strategy.analysed import AnalysedPair, instant_ns
from scalp_strategy.decision import HourCloses
from scalp_strategy.decision.charts import CandidateChart, Charts
from scalp_strategy.decision.hours import HOUR_NS, HourlyReturns, correlation, hourly_returns
from scalp_strategy.host import FreqtradeHost
from scalp_strategy.setting_groups.breakers import BreakerSettings
from scalp_strategy.settings import Settings
from tests.support.candles import merged, random_candles
from tests.support.freqtrade import timerange, write_candles

A, B = "SOL/USDT:USDT", "ETH/USDT:USDT"
START = "2026-01-01 00:00"
DAYS = 50
MINUTES_A_DAY = 1_440
FRAME_ROWS = 1_000  # what the host shows live, about ten days
RULES = BreakerSettings()


@pytest.fixture(scope="module")
def market() -> dict[str, pd.DataFrame]:
    """15m candles of two pairs that move alike, in part."""
    rows = DAYS * MINUTES_A_DAY // 15
    one, noise = (random_candles(rows, seed=seed, start=START) for seed in (1, 2))
    mixed = one["close"] ** 0.7 * noise["close"] ** 0.3
    return {A: one, B: noise.assign(close=mixed)}


def analysed(pair: str, candles: pd.DataFrame) -> AnalysedPair:
    return AnalysedPair(pair, candles.assign(is_candidate=False), Settings())


def host_of(run_mode: RunMode, config: dict | None = None, ohlcv=None) -> FreqtradeHost:
    strategy = SimpleNamespace(
        dp=SimpleNamespace(runmode=run_mode, ohlcv=ohlcv), config=config or {}, timeframe="15m"
    )
    return FreqtradeHost(strategy, lambda trade, now: 0.0)


def correlated(host: FreqtradeHost, frames: dict[str, pd.DataFrame], close: datetime) -> float:
    charts = Charts(host)
    for pair, candles in frames.items():
        charts.offer(analysed(pair, candles))
    candidate = SimpleNamespace(pair=A, close_time=close)
    return CandidateChart(charts, candidate, RULES).correlation(B)


def known_at(candles: pd.DataFrame, close: pd.Timestamp, minutes: int) -> pd.DataFrame:
    return candles[candles["date"] + pd.Timedelta(minutes=minutes) <= close]


def live(market: dict[str, pd.DataFrame], close: pd.Timestamp, hours_late: int = 0) -> float:
    """Return the correlation as a bot sees it: ten days of 15m candles, months of 1h candles."""
    hours = {pair: merged(candles, 60) for pair, candles in market.items()}

    def ohlcv(pair: str, timeframe: str, copy: bool) -> pd.DataFrame:
        assert (timeframe, copy) == ("1h", False)
        return known_at(hours[pair], close - pd.Timedelta(hours=hours_late), 60)

    frames = {
        pair: known_at(candles, close, 15).tail(FRAME_ROWS).reset_index(drop=True)
        for pair, candles in market.items()
    }
    return correlated(host_of(RunMode.DRY_RUN, ohlcv=ohlcv), frames, close.to_pydatetime())


def backtest(market: dict[str, pd.DataFrame], close: pd.Timestamp, folder) -> float:
    """Return it as a backtest sees it that began a day before, with ten days of start-up."""
    began = (close - pd.Timedelta(days=1)).to_pydatetime()
    for pair, candles in market.items():
        write_candles(folder, pair, "15m", candles, CandleType.FUTURES)
    config = {
        "timerange": timerange(began, began + timedelta(days=9)),
        "datadir": folder,
        "dataformat_ohlcv": "feather",
        "candle_type_def": CandleType.FUTURES,
    }
    from_then = pd.Timestamp(began) - pd.Timedelta(days=10)
    frames = {
        pair: candles[candles["date"] >= from_then].reset_index(drop=True)
        for pair, candles in market.items()
    }
    return correlated(host_of(RunMode.BACKTEST, config), frames, close.to_pydatetime())


@pytest.mark.parametrize("minutes", [0, 15, 45, 60])
def test_live_and_backtest_know_the_same_correlation(market, tmp_path, minutes):
    close = pd.Timestamp("2026-02-10 11:00", tz="UTC") + pd.Timedelta(minutes=minutes)
    expected = reference(market, close)
    assert 0.3 < expected < 0.98
    assert live(market, close) == pytest.approx(expected, abs=1e-12)
    assert backtest(market, close, tmp_path) == live(market, close)


def test_an_hour_candle_that_is_late_changes_nothing(market):
    """The 15m candle that closed on the hour has its close."""
    close = pd.Timestamp("2026-02-10 11:00", tz="UTC")
    assert live(market, close, hours_late=1) == live(market, close)


def test_without_hour_candles_the_analysed_ones_are_enough(market):
    close = pd.Timestamp("2026-02-10 11:00", tz="UTC")
    host = host_of(RunMode.DRY_RUN, ohlcv=lambda *_, **__: pd.DataFrame())
    frames = {pair: known_at(candles, close, 15) for pair, candles in market.items()}
    found = correlated(host, frames, close.to_pydatetime())
    assert found == pytest.approx(reference(market, close), abs=1e-12)


def reference(market: dict[str, pd.DataFrame], close: pd.Timestamp) -> float:
    """Return it by pandas: 720 returns of the closes on the hour."""
    returns = []
    for pair in (A, B):
        candles = known_at(market[pair], close, 15)
        closes = candles.set_index(candles["date"] + pd.Timedelta(minutes=15))["close"]
        hourly = closes[closes.index.minute == 0]
        returns.append(np.log(hourly).diff().tail(24 * 30))
    return float(returns[0].corr(returns[1]))


def test_a_backtest_without_stored_candles_or_without_a_start_uses_its_frames(market, tmp_path):
    stored = {"datadir": tmp_path, "dataformat_ohlcv": "feather"}
    futures = {"candle_type_def": CandleType.FUTURES}
    for config in ({}, {**stored, **futures}, {**stored, **futures, "timerange": "20260201-"}):
        assert host_of(RunMode.BACKTEST, config).hour_closes(A, 30) is None


def test_hours_of_the_host_are_the_same_object_until_one_is_new(market):
    hours = merged(market[A], 60)
    shown = [hours.head(500)]
    host = host_of(RunMode.DRY_RUN, ohlcv=lambda *_, **__: shown[0].copy())
    first = host.hour_closes(A, 30)
    assert host.hour_closes(A, 30) is first
    shown[0] = hours.head(501)
    assert len(host.hour_closes(A, 30).hours) == 501


# ---------------------------------------------------------------------------- returns, by the hour


def closes(first: int, *values: float) -> HourCloses:
    return HourCloses(np.arange(first, first + len(values)), np.array(values, dtype=float))


def test_a_return_ends_at_its_hour():
    returns = hourly_returns(closes(10, 1.0, np.e, np.e**1.5))
    assert returns.first == 10
    np.testing.assert_allclose(returns.returns, [np.nan, 1.0, 0.5])


@pytest.mark.parametrize("factor", [1_000.0, 0.001])
def test_another_unit_of_price_is_no_return(factor):
    returns = hourly_returns(closes(0, 1.0, 1.1, 1.1 * factor, 1.2 * factor)).returns
    np.testing.assert_array_equal(np.isnan(returns), [True, False, True, False])


def test_the_later_part_counts_where_two_know_an_hour():
    returns = hourly_returns(closes(10, 1.0, 5.0), closes(11, np.e, np.e**2))
    np.testing.assert_allclose(returns.returns, [np.nan, 1.0, 1.0])


@pytest.mark.parametrize("bad", [np.nan, 0.0, -1.0, np.inf])
def test_a_close_that_is_none_makes_both_returns_unknown(bad):
    returns = hourly_returns(closes(0, 1.0, bad, 1.0, 1.0)).returns
    np.testing.assert_array_equal(np.isnan(returns), [True, True, True, False])


def test_a_hole_makes_its_returns_unknown():
    hours = HourCloses(np.array([0, 1, 3, 4]), np.ones(4))
    np.testing.assert_array_equal(
        np.isnan(hourly_returns(hours).returns), [True, False, True, True, False]
    )


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        (12, [10, 11, 12]),
        (10, [np.nan, np.nan, 10]),
        (14, [12, 13, np.nan]),
        (5, [np.nan] * 3),
        (99, [np.nan] * 3),
    ],
)
def test_a_window_is_unknown_beyond_both_ends(until, expected):
    returns = HourlyReturns(10, np.array([10.0, 11.0, 12.0, 13.0]))
    np.testing.assert_array_equal(returns.window(until, 3), expected)


def test_nothing_known_of_either_is_unknown():
    nothing, one = hourly_returns(), hourly_returns(closes(0, 1.0, 2.0, 1.0, 2.0))
    assert np.isnan(correlation(nothing, one, 3, 4, 2))
    assert np.isnan(correlation(nothing, nothing, 3, 4, 0))
    assert np.isnan(correlation(one, one, 100, 4, 2))


def test_what_comes_later_changes_nothing(market):
    close = pd.Timestamp("2026-02-10 11:15", tz="UTC")
    until = instant_ns(close.to_pydatetime()) // HOUR_NS

    def found(frames: dict[str, pd.DataFrame]) -> float:
        one, other = (
            hourly_returns(HourCloses(*analysed(pair, frames[pair]).hour_closes()))
            for pair in (A, B)
        )
        return correlation(one, other, until, 720, 168)

    cut = {pair: known_at(candles, close, 15) for pair, candles in market.items()}
    assert found(cut) == found(market)
