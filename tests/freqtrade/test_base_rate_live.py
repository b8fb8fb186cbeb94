"""The base rates of a running bot are those of a backtest, whatever it was shown in between.

Live the host gives short frames, one candle later each time, pair after pair; a backtest gives all
candles of all pairs at once. The strategy, its engine and the host's data provider are real.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from freqtrade.enums import CandleType, RunMode
from pandas import DataFrame, Timedelta, Timestamp
from pandas.testing import assert_frame_equal

from scalp_strategy.base_rate import lookback
from scalp_strategy.base_rate_desk import memory_path
from scalp_strategy.settings import load_settings
from tests.freqtrade.test_decisions_live_and_backtest import (
    PAIRS,
    StubExchange,
    clock_at,
    started,
)
from tests.support.base_rates import candles_of, noise
from tests.support.freqtrade import write_candles
from tests.support.host_stub import without_database

# A recursion that has settled to the last digits makes a short frame agree with a long one.
SECTION: Final = {
    "lower_timeframes": [],
    "technical": {"settle_tolerance": 1e-9},
    "base_rate": {"min_samples": 2.0},
}
SETTINGS: Final = load_settings({"scalp": SECTION})
LIVE_CANDLES: Final = 40
SHOWN: Final = lookback(SETTINGS) + 60
ROWS: Final = lookback(SETTINGS) + 500
CANDLE: Final = timedelta(minutes=15)
OFFLINE: Final = slice(18, 23)  # candles during which the bot is not running

Candles = dict[str, DataFrame]


@pytest.fixture(scope="module")
def candles() -> Candles:
    start = "2025-01-01 00:00"
    return {
        pair: candles_of(noise(ROWS, seed=seed), seed, start) for seed, pair in enumerate(PAIRS)
    }


@pytest.fixture(autouse=True)
def _settings_and_no_database(monkeypatch):
    monkeypatch.setattr("tests.freqtrade.test_decisions_live_and_backtest.SECTION", SECTION)
    with without_database():
        yield


@pytest.fixture
def whole(candles, tmp_path) -> Candles:
    """The base rates of a backtest over all candles."""
    strategy = started(RunMode.BACKTEST, tmp_path / "data", tmp_path / "user", StubExchange())
    frames = strategy.advise_all_indicators({pair: one.copy() for pair, one in candles.items()})
    return {pair: base_rate_part(frame) for pair, frame in frames.items()}


def base_rate_part(frame: DataFrame) -> DataFrame:
    columns = ["date", *(name for name in frame.columns if name.startswith("base_rate"))]
    return frame[columns].set_index("date")


class Bot:
    """A bot that is shown candles close by close."""

    def __init__(self, folder: Path, candles: Candles, patch: pytest.MonkeyPatch) -> None:
        self.exchange = StubExchange()
        self.candles = candles
        self.patch = patch
        self.strategy: Any = started(
            RunMode.DRY_RUN, folder / "data", folder / "user", self.exchange
        )

    def live(self, close: Timestamp, pairs: list[str]) -> Candles:
        """Let a candle close and the pairs be analysed in this order; return their base rates."""
        for pair, frame in self.candles.items():
            known = frame[frame["date"] < close]
            self.exchange.known[pair, "15m"] = known.tail(SHOWN).reset_index(drop=True)
        now = close.to_pydatetime() + timedelta(seconds=1)
        self.patch.setattr("scalp_strategy.strategy.datetime", clock_at(now))
        self.strategy.bot_loop_start(current_time=now)
        self.strategy.analyze(pairs)
        frames = (self.strategy.dp.get_analyzed_dataframe(pair, "15m")[0] for pair in pairs)
        return {pair: base_rate_part(frame) for pair, frame in zip(pairs, frames, strict=True)}


def test_a_running_bot_says_what_a_backtest_says(candles, whole, tmp_path, monkeypatch):
    closes = candles[PAIRS[0]]["date"].iloc[-LIVE_CANDLES:]
    for pair, frame in candles.items():
        downloaded = frame[frame["date"] < closes.iloc[0]]
        write_candles(tmp_path / "data", pair, "15m", downloaded, CandleType.FUTURES)
    bot = Bot(tmp_path, candles, monkeypatch)
    known, random = 0, np.random.default_rng(1)
    for number, close in enumerate(closes):
        if OFFLINE.start <= number < OFFLINE.stop:
            continue
        if number == OFFLINE.stop:
            bot = Bot(tmp_path, candles, monkeypatch)
        said = bot.live(close, [str(pair) for pair in random.permutation(PAIRS)])
        for pair, columns in said.items():
            last = columns.iloc[[-1]]
            assert last.index[0] == close - Timedelta(CANDLE)
            assert_frame_equal(last, whole[pair].loc[last.index], rtol=1e-6)
            known += int(last["base_rate_samples_long"].notna().sum())
    assert known > 40
    assert memory_path({"user_data_dir": tmp_path / "user", "trading_mode": "futures"}).is_file()


def test_a_backtest_begins_with_the_past_that_lies_on_disk(candles, whole, tmp_path):
    """From the middle on it says what one over all candles says, and what a bot would."""
    first = lookback(SETTINGS) + 250
    start = first - lookback(SETTINGS)
    later = {pair: frame.iloc[start:].reset_index(drop=True) for pair, frame in candles.items()}

    def said(folder: Path) -> Candles:
        strategy = started(RunMode.BACKTEST, folder, tmp_path / "user", StubExchange())
        frames = strategy.advise_all_indicators({pair: one.copy() for pair, one in later.items()})
        return {pair: base_rate_part(frame) for pair, frame in frames.items()}

    cold = said(tmp_path / "empty")
    for pair, frame in candles.items():
        write_candles(tmp_path / "disk", pair, "15m", frame, CandleType.FUTURES)
    warm = said(tmp_path / "disk")
    for pair in PAIRS:
        from_here = candles[pair]["date"].iloc[first:]
        assert_frame_equal(warm[pair].loc[from_here], whole[pair].loc[from_here], rtol=1e-6)
        begun = candles[pair]["date"].iloc[first]
        reliabilities = [each[pair].loc[begun, "base_rate_reliability"] for each in (warm, cold)]
        assert reliabilities[0] > reliabilities[1] == 0.0


def test_a_backtest_reads_no_memory(candles, whole, tmp_path, monkeypatch):
    user = tmp_path / "user"
    bot = Bot(tmp_path, candles, monkeypatch)
    bot.live(candles[PAIRS[0]]["date"].iloc[-1], list(PAIRS))
    assert memory_path({"user_data_dir": user, "trading_mode": "futures"}).is_file()
    strategy = started(RunMode.BACKTEST, tmp_path / "data", user, StubExchange())
    frames = strategy.advise_all_indicators({pair: one.copy() for pair, one in candles.items()})
    for pair, frame in frames.items():
        assert_frame_equal(base_rate_part(frame), whole[pair], check_exact=True)


def test_an_analysis_of_one_pair_says_what_an_analysis_of_all_says(candles, tmp_path):
    strategy = started(RunMode.UTIL_NO_EXCHANGE, tmp_path, tmp_path / "user", StubExchange())
    together = strategy.advise_all_indicators({pair: one.copy() for pair, one in candles.items()})
    pair = PAIRS[0]
    alone = strategy.advise_all_indicators({pair: candles[pair].copy()})
    assert_frame_equal(alone[pair], together[pair], check_exact=True)
    assert alone[pair]["base_rate_samples_long"].notna().any()


@pytest.mark.parametrize("run_mode", [RunMode.BACKTEST, RunMode.HYPEROPT])
def test_all_pairs_together_know_no_future(run_mode, candles, tmp_path):
    strategy = started(RunMode.BACKTEST, tmp_path / "data", tmp_path / "user", StubExchange())
    strategy.config["runmode"] = run_mode

    def compute(rows: int) -> Candles:
        known = {pair: one.iloc[:rows].copy() for pair, one in candles.items()}
        frames = strategy.advise_all_indicators(known)
        return {
            pair: strategy.ft_advise_signals(frame, {"pair": pair})
            for pair, frame in frames.items()
        }

    whole = compute(ROWS)
    for cut in np.random.default_rng(2).integers(lookback(SETTINGS) + 100, ROWS, 5):
        for pair, frame in compute(int(cut)).items():
            assert_frame_equal(frame, whole[pair].iloc[:cut], check_exact=True)
    known = whole[PAIRS[0]]["base_rate_long"]
    assert known.notna().sum() > 100
    # What the past says reaches the score.
    assert whole[PAIRS[0]]["coverage"][known.notna()].min() > 0.35
