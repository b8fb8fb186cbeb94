"""No look-ahead: whatever is cut off the future changes nothing before the cut.

All candles known at an instant (15m, 5m and 1m alike) are kept, the rest is cut off and everything
is computed again; every column of every row before the cut must stay bit-identical.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pytest
from freqtrade.enums import RunMode
from freqtrade.resolvers import StrategyResolver
from pandas import DataFrame, Timedelta, Timestamp, concat
from pandas.testing import assert_frame_equal

from scalp_strategy.confluence import confluence
from scalp_strategy.entries import entry_columns, stop_columns
from scalp_strategy.settings import Settings, load_settings
from scalp_strategy.technical import technical_layer
from tests.support.candles import market
from tests.support.freqtrade import ROOT
from tests.support.sections import CHART_WEIGHTS

PAIR: Final = "SOL/USDT:USDT"
HOURS: Final = 24 * 20
CUTS: Final = 12
SEED: Final = 20
CANDLE: Final = Timedelta(minutes=15)
# More weight on the chart, so that it makes signals without the lower timeframes too.
SECTION: Final = {
    "entry": {"min_volume_ratio": 0.5},
    "confluence": {"weights": CHART_WEIGHTS},
}

Frames = dict[int, DataFrame]
Compute = Callable[[Frames], DataFrame]


def present(frames: Frames) -> Frames:
    return frames


def gapped(frames: Frames) -> Frames:
    """Return the frames with random candles missing, of the lower ones many in a row as well."""
    random = np.random.default_rng(SEED)
    holes = {}
    for minutes, frame in frames.items():
        is_kept = random.random(len(frame)) > (0.002 if minutes == 15 else 0.05)
        start = int(random.integers(len(frame) // 2))
        is_kept[start : start + len(frame) // 20] &= minutes == 15
        holes[minutes] = frame[is_kept].reset_index(drop=True)
    return holes


def absent(frames: Frames) -> Frames:
    return {15: frames[15], 5: frames[5].head(0), 1: frames[1].head(0)}


KINDS: Final = (present, gapped, absent)


def known_at(frames: Frames, instant: Timestamp) -> Frames:
    """Return the candles closed at or before an instant."""
    return {
        minutes: frame[frame["date"] + Timedelta(minutes=minutes) <= instant]
        for minutes, frame in frames.items()
    }


def assert_causal(compute: Compute, frames: Frames, cuts: int = CUTS) -> DataFrame:
    """Cut the input at random instants and compare; return the whole result."""
    whole = compute(frames)
    random = np.random.default_rng(SEED)
    for row in random.integers(len(whole) // 4, len(whole) - 1, cuts):
        instant = whole["date"].iloc[row] + CANDLE
        part = compute(known_at(frames, instant))
        assert len(part) == row + 1
        assert_frame_equal(part, whole.iloc[: row + 1], check_exact=True)
    return whole


# --------------------------------------------------------------------------- composed functions


def composed(frames: Frames, settings: Settings) -> DataFrame:
    """Return every column of the strategy, from its functions, without a host."""
    candles = frames[15]
    layer = technical_layer(candles, frames[5], frames[1], settings)
    frame = concat([candles, layer], axis=1)
    frame = concat([frame, DataFrame(stop_columns(frame, settings), index=frame.index)], axis=1)
    frame = concat([frame, confluence(frame, settings)], axis=1)
    return concat([frame, entry_columns(frame, settings, can_short=True)], axis=1)


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load_settings({"scalp": SECTION})


@pytest.fixture(scope="module")
def frames() -> Frames:
    return market(HOURS, seed=SEED)


@pytest.mark.parametrize("kind", KINDS)
def test_no_column_knows_the_future(kind, frames, settings):
    whole = assert_causal(lambda known: composed(known, settings), kind(frames))
    assert whole["sl_pct"].notna().any()
    assert whole["is_candidate"].any()


@pytest.mark.parametrize(
    "peek",
    [
        lambda frame: frame.assign(rsi_14=frame["rsi_14"].shift(-1)),
        lambda frame: frame.assign(atr_14=frame["atr_14"].rolling(3, center=True).mean()),
        lambda frame: frame.assign(sl_pct=frame["sl_pct"] / frame["sl_pct"].max()),
    ],
    ids=["next row", "centred window", "scaled by the whole"],
)
def test_a_planted_look_ahead_is_caught(peek, frames, settings):
    with pytest.raises(AssertionError):
        assert_causal(lambda known: peek(composed(known, settings)), frames)


def test_a_lower_candle_that_is_still_open_is_caught(frames, settings):
    def peek(known: Frames) -> DataFrame:
        later = known[1].assign(date=known[1]["date"] - Timedelta(minutes=5))
        return composed({**known, 1: later}, settings)

    with pytest.raises(AssertionError):
        assert_causal(peek, frames)


# --------------------------------------------------------------------------- the whole strategy


class Candles:
    """The host's data provider as far as the strategy asks it for candles."""

    runmode = RunMode.BACKTEST

    def __init__(self) -> None:
        self.frames: Frames = {}

    def get_pair_dataframe(self, pair: str, timeframe: str) -> DataFrame:
        return self.frames[int(timeframe.removesuffix("m"))]


@pytest.fixture(scope="module")
def strategy(tmp_path_factory) -> Any:
    config = {
        "strategy": "ScalpStrategy",
        "strategy_path": str(ROOT / "user_data" / "strategies"),
        "user_data_dir": tmp_path_factory.mktemp("user_data"),
        "trading_mode": "futures",
        "stake_currency": "USDT",
        "scalp": SECTION,
    }
    loaded = StrategyResolver.load_strategy(config)
    loaded.dp = Candles()
    loaded.ft_load_hyper_params(hyperopt=False)
    return loaded


def advised(strategy: Any, known: Frames, run_mode: RunMode) -> DataFrame:
    strategy.dp.runmode, strategy.dp.frames = run_mode, known
    frame = strategy.advise_indicators(known[15].copy(), {"pair": PAIR})
    return strategy.ft_advise_signals(frame, {"pair": PAIR})


@pytest.mark.parametrize("run_mode", [RunMode.BACKTEST, RunMode.HYPEROPT])
@pytest.mark.parametrize("kind", KINDS)
def test_the_loaded_strategy_knows_no_future(kind, run_mode, frames, strategy):
    def compute(known: Frames) -> DataFrame:
        return advised(strategy, known, run_mode)

    whole = assert_causal(compute, kind(frames), CUTS // 2)
    assert (whole["enter_long"] + whole["enter_short"]).any()
    assert whole["enter_tag"].notna().any()
