import numpy as np
import pytest

from scalp_strategy.base_rate.outcomes import NOT_RESOLVED, pair_setups
from scalp_strategy.base_rate.setups import lookback, setup_codes, side_places
from scalp_strategy.settings import Settings, with_overrides
from tests.support.base_rates import analysed, candles_of, noise

ROWS = 2_000
SETTINGS = Settings()


@pytest.fixture(scope="module")
def frame():
    return analysed(candles_of(noise(ROWS, seed=5), seed=5))


@pytest.fixture(scope="module")
def setups(frame):
    return pair_setups(frame, SETTINGS)


def rows_of(setups):
    return setups.occurrences.candle - setups.candle[0]


def test_an_occurrence_is_a_candle_whose_setup_is_new(setups):
    found, row = setups.occurrences, rows_of(setups)
    side = side_places(found.group)
    assert (setups.group[side, row] == found.group).all()
    codes = setup_codes(setups.group)
    is_new = (codes[:, 1:] > 0) & (codes[:, 1:] != codes[:, :-1])
    expected = {(at + 1, place) for place, at in np.argwhere(is_new)}
    # Of the first row of all, what came before is not in the groups.
    expected = {(at, place) for at, place in expected if at > lookback(SETTINGS)}
    listed = {(at, place) for at, place in zip(row.tolist(), side.tolist(), strict=True)}
    assert {one for one in listed if one[0] > lookback(SETTINGS)} == expected
    assert len(listed) == len(row) > 500


def test_the_candles_of_the_start_up_have_no_setup(setups):
    first = lookback(SETTINGS)
    assert (setups.group[:, :first] == -1).all()
    assert (setups.group[:, first:] >= 0).any()
    assert rows_of(setups).min() >= first


def test_only_the_last_candles_are_not_resolved(setups):
    found, row = setups.occurrences, rows_of(setups)
    held = found.resolved - found.candle
    is_open = found.resolved == NOT_RESOLVED
    assert (row[is_open] >= ROWS - 9).all()
    assert ((held[~is_open] >= 1) & (held[~is_open] <= 9)).all()
    assert np.isnan(found.net_r[is_open]).all()
    assert np.isfinite(found.net_r[~is_open]).all()
    assert (found.net_r < found.gross_r)[~is_open].all()


def test_a_hole_before_its_end_leaves_an_occurrence_without_a_result(frame):
    row = lookback(SETTINGS) + 200
    holed = analysed(frame.iloc[:, :6].drop(index=row).reset_index(drop=True))
    found = pair_setups(holed, SETTINGS)
    missing = int(pair_setups(frame, SETTINGS).candle[row])
    across = (found.occurrences.candle < missing) & (found.occurrences.resolved > missing)
    assert across.any()
    assert (found.occurrences.resolved[across] == NOT_RESOLVED).all()
    assert not (found.occurrences.candle == missing + 1).any()


def test_without_a_valid_stop_nothing_is_entered(frame):
    narrow = {"risk.sl_max_pct": 0.5, "risk.sl_floor_pct": 0.4}
    found = pair_setups(frame, with_overrides(SETTINGS, narrow))
    atr_pct = frame["atr_pct"].to_numpy()[rows_of(found)]
    assert (atr_pct * 1.5 <= 0.5).all()
    whole = pair_setups(frame, SETTINGS)
    assert len(found.occurrences.candle) < len(whole.occurrences.candle)


def test_a_frame_shorter_than_the_start_up_has_nothing(frame):
    found = pair_setups(frame.iloc[:300], SETTINGS)
    assert (found.group == -1).all()
    assert not found.occurrences.candle.size
