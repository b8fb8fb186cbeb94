from typing import Any

import numpy as np
import pytest
from pandas import DataFrame

from scalp_strategy.base_rate import lookback
from scalp_strategy.base_rate.setups import (
    GROUPS,
    SETUP_LABELS,
    TERCILES,
    group_codes,
    setup_codes,
    setup_keys,
    side_places,
    volatility_terciles,
)
from scalp_strategy.settings import Settings, with_overrides
from scalp_strategy.technical import lookback as technical_lookback
from scalp_strategy.technical.setup import LEADING_NAMES, PATTERN_NAMES
from tests.support.base_rates import analysed, candles_of, noise


def row(**values: float) -> DataFrame:
    """Return one candle on which everything is neutral but what is named: indicators by the
    support for a long (a short has the rest), patterns by their signed confidence.
    """
    columns: dict[str, Any] = dict.fromkeys(PATTERN_NAMES, 0.0)
    for name in LEADING_NAMES:
        long = values.pop(name, 50.0)
        columns |= {f"{name}_long": long, f"{name}_short": 100.0 - long}
    assert values.keys() <= set(PATTERN_NAMES)
    return DataFrame([columns | values])


def labels(frame: DataFrame, settings: Settings | None = None) -> tuple[str, str]:
    long, short = setup_keys(frame, settings or Settings())[:, -1]
    return SETUP_LABELS[long], SETUP_LABELS[short]


@pytest.mark.parametrize(
    ("frame", "long", "short"),
    [
        (row(), "none", "none"),
        (row(macd=80), "macd", "none"),
        (row(macd=20), "none", "macd"),
        (row(macd=80, rsi=75), "rsi + macd", "none"),
        (row(macd=75, rsi=80), "rsi + macd", "none"),
        (row(macd=75, rsi=80, obv=90), "rsi + obv", "none"),
        (row(macd=80, rsi=10), "macd", "rsi"),
        (row(macd=59.9, rsi=60.0), "rsi", "none"),
        (row(rsi=70, ema_structure=70, vwap=70), "rsi + ema_structure", "none"),
        (row(macd=95, rsi=90, breakout=40), "breakout", "none"),
        (row(macd=95, breakout=-40), "macd", "breakout"),
        (row(breakout=55, fakeout=60), "fakeout", "none"),
        (row(breakout=60, fakeout=60), "breakout", "none"),
        (row(breakout=60, fakeout=-60), "breakout", "fakeout"),
        (row(macd=np.nan, rsi=80), "rsi", "none"),
        (row(breakout=np.nan, rsi=80), "rsi", "none"),
    ],
)
def test_a_setup_is_the_best_pattern_or_the_two_best_indicators(frame, long, short):
    assert labels(frame) == (long, short)


def test_no_weight_changes_a_setup():
    weights = {f"technical.weights.{name}": 0.1 for name in (*LEADING_NAMES, "volume", "pattern")}
    other = with_overrides(Settings(), weights)
    frame = analysed(candles_of(noise(1_500, seed=1), seed=1))
    keys = setup_keys(frame, Settings())
    assert (setup_keys(frame, other) == keys).all()
    assert len(set(keys.ravel())) > 20


def test_every_setup_has_a_name_of_its_own():
    assert len(set(SETUP_LABELS)) == len(SETUP_LABELS) == 1 + 6 + 8 + 28


def test_a_group_tells_its_setup_and_its_side():
    keys = np.arange(1, len(SETUP_LABELS), dtype=np.int8)
    seen = set()
    for tercile in range(TERCILES):
        terciles = np.full(keys.size, tercile, dtype=np.int8)
        groups = group_codes(np.array([keys, keys]), terciles)
        assert (setup_codes(groups) == keys).all()
        assert (side_places(groups) == [[0], [1]]).all()
        seen |= set(groups.ravel().tolist())
    assert len(seen) == 2 * keys.size * TERCILES
    assert min(seen) >= 0
    assert max(seen) < GROUPS


def test_without_a_setup_or_a_tercile_there_is_no_group():
    groups = group_codes(np.array([[0, 1], [0, 1]], dtype=np.int8), np.array([1, -1], np.int8))
    assert (groups == -1).all()


def test_terciles_split_a_window_in_three():
    rising = np.arange(9.0)
    assert volatility_terciles(rising, 9).tolist() == [-1] * 8 + [2]
    assert volatility_terciles(np.roll(rising, -3), 9)[-1] == 0
    assert volatility_terciles(np.roll(rising, -6), 9)[-1] == 1
    assert volatility_terciles(np.full(9, 0.4), 9)[-1] == 1


def test_an_unknown_volatility_makes_its_whole_window_unknown():
    values = np.arange(12.0)
    values[4] = np.nan
    assert volatility_terciles(values, 3).tolist() == [-1, -1, 2, 2, -1, -1, -1, 2, 2, 2, 2, 2]


def test_a_tercile_does_not_depend_on_where_the_data_starts():
    values = np.abs(noise(900, seed=3))
    whole = volatility_terciles(values, 100)
    assert (volatility_terciles(values[300:], 100)[99:] == whole[399:]).all()
    shares = np.bincount(whole[99:], minlength=TERCILES) / 801
    assert (np.abs(shares - 1 / 3) < 0.05).all()


def test_start_up_covers_the_window():
    assert lookback(Settings()) == technical_lookback(Settings())
    wide = with_overrides(Settings(), {"base_rate.tercile_candles": 2_000})
    assert lookback(wide) >= 2_000 + 14
