import json
from datetime import timedelta

import numpy as np
import pytest

from scalp_strategy.errors import ContractViolation
from scalp_strategy.outcomes.replay import (
    MAX_GAP_MINUTES,
    History,
    end_of,
    epoch_ms,
    history_of,
    plan_of,
    resolved,
)
from scalp_strategy.settings import Settings, with_overrides
from tests.support.candles import flat_candles, random_candles
from tests.support.host_stub import CLOSE
from tests.support.played import frame_of, history_from, plan_at, signal_at

RISK = Settings().risk
FLAT = (100.0, 100.1, 99.9, 100.0)
STOPPED = (100.0, 100.1, 98.0, 98.5)
MINUTE = timedelta(minutes=1)


def outcome(*histories, signal=None):
    found = resolved(signal or signal_at(), histories, RISK)
    return found and (found.outcome, found.minutes, found.resolution)


# ---------------------------------------------------------------------------------- not yet, never


@pytest.mark.parametrize("count", [0, 1, 120])
def test_nothing_is_said_before_the_end_is_reached(count):
    assert outcome(history_from([FLAT] * count)) is None


def test_the_first_candle_after_the_time_decides():
    assert outcome(history_from([FLAT] * 121)) == ("max_hold", 120, "1m")


def test_candles_after_the_time_change_nothing():
    rows = [FLAT] * 121
    assert resolved(signal_at(), [history_from([*rows, *[STOPPED] * 50])], RISK) == resolved(
        signal_at(), [history_from(rows)], RISK
    )


def test_candles_before_the_close_change_nothing():
    history = history_from([STOPPED] * 60 + [FLAT] * 121, start=CLOSE - 60 * MINUTE)
    assert outcome(history) == ("max_hold", 120, "1m")


def test_candles_that_begin_after_the_close_say_nothing():
    late = history_from([STOPPED] * 200, start=CLOSE + MINUTE)
    assert outcome(late) is None


def test_no_candles_say_nothing():
    assert resolved(signal_at(), [], RISK) is None


@pytest.mark.parametrize("minutes", [60, 2])
def test_candles_that_do_not_fill_a_main_one_are_refused(minutes):
    with pytest.raises(ContractViolation):
        resolved(signal_at(), [history_from([FLAT], minutes)], RISK)


# ------------------------------------------------------------------------------------------- gaps


def test_the_entry_is_the_first_trade_after_the_close():
    rows = [FLAT, FLAT, FLAT, (100.1, 100.2, 99.0, 99.05)]
    found = resolved(signal_at(), [history_from(rows, missing=[0, 1, 2])], RISK)
    assert (found.outcome, found.minutes) == ("sl", 0)
    assert found.gross_r == pytest.approx(-1.0)  # from 100.1 to 99.1


def test_a_gap_is_no_trade():
    rows = [FLAT] * 20 + [STOPPED]
    gap = range(1, 1 + MAX_GAP_MINUTES)
    assert outcome(history_from(rows, missing=gap)) == ("sl", 20, "1m")


def test_a_hole_ends_what_is_known():
    rows = [FLAT] * 20 + [STOPPED] * 120
    hole = range(1, 2 + MAX_GAP_MINUTES)
    assert outcome(history_from(rows, missing=hole)) is None


@pytest.mark.parametrize("first", [MAX_GAP_MINUTES + 1, 15, 40])
def test_a_hole_at_the_close_leaves_no_entry(first):
    assert outcome(history_from([STOPPED] * 150, missing=range(first))) is None


def test_an_entry_is_made_while_the_signal_is_valid():
    signal = signal_at()
    history = history_from([STOPPED] * 5, missing=[0, 1])
    short_lived = type(signal)(signal.key, signal.plan, CLOSE + 2 * MINUTE)
    assert outcome(history, signal=short_lived) is None
    just_valid = type(signal)(signal.key, signal.plan, CLOSE + 2 * MINUTE + MINUTE / 60)
    assert outcome(history, signal=just_valid) == ("sl", 0, "1m")


@pytest.mark.parametrize("missing", [[], [14], [12, 13, 14]])
def test_a_quarter_that_nobody_traded_at_the_end_of_still_trails(missing):
    """The stop follows the quarter's close, which is where the last trade was."""
    up = [(100.0, 102.6, 99.8, 103.2), *[(103.2, 103.2, 103.2, 103.2)] * 14]
    rows = [*up, (103.0, 103.0, 102.3, 102.3)]
    found = resolved(signal_at(), [history_from(rows, missing=missing)], RISK)
    assert (found.outcome, found.minutes) == ("trailing_stop", 15)
    assert found.gross_r == pytest.approx(0.4 * 1.5 + 0.4 * 2.5 + 0.2 * 2.4)


def test_the_time_is_up_at_the_first_trade_after_it():
    rows = [FLAT] * 120 + [FLAT, FLAT, (100.2, 100.2, 100.2, 100.2)]
    assert outcome(history_from(rows, missing=[120, 121])) == ("max_hold", 122, "1m")


# ------------------------------------------------------------------------------------- resolutions


def test_the_finest_candles_that_decide_are_taken():
    fine = history_from([FLAT] * 20 + [STOPPED])
    middle = history_from([FLAT] * 30, 5)
    coarse = history_from([FLAT] * 10, 15)
    assert outcome(fine, middle, coarse) == ("sl", 20, "1m")
    assert outcome(history_from([FLAT] * 20), middle, coarse) == ("max_hold", 120, "5m")
    holed = history_from([FLAT] * 30, 5, missing=[2, 3])
    assert outcome(holed, coarse) == ("max_hold", 120, "15m")


def test_one_missing_candle_of_five_minutes_is_a_gap_and_one_of_fifteen_a_hole():
    assert outcome(history_from([FLAT] * 30, 5, missing=[2])) == ("max_hold", 120, "5m")
    assert outcome(history_from([FLAT] * 10, 15, missing=[2])) is None


def test_minutes_that_decide_before_their_hole_need_no_longer_candles():
    fine = history_from([FLAT, STOPPED, *[FLAT] * 100], missing=range(10, 100))
    assert outcome(fine, history_from([FLAT] * 10, 15)) == ("sl", 1, "1m")


def test_another_hold_is_another_end():
    settings = with_overrides(Settings(), {"risk.ladder.max_hold_candles": 4}).risk
    assert end_of(CLOSE, settings) == CLOSE + timedelta(minutes=75)
    found = resolved(signal_at(), [history_from([FLAT] * 61)], settings)
    assert (found.outcome, found.minutes) == ("max_hold", 60)


# ------------------------------------------------------------------------------------------ plans


@pytest.mark.parametrize("side", ["long", "short"])
def test_a_plan_is_read_as_it_was_written(side):
    plan = plan_at(side, 63_123.1, 311.7, 250.3)
    assert plan_of(json.loads(plan.to_json()), side) == plan


@pytest.mark.parametrize(
    "document", [None, {}, {"v": 1}, {"v": 2}, {"v": 1, "side": "long"}, {"v": float("nan")}]
)
def test_what_is_no_plan_is_none(document):
    assert plan_of(document, "long") is None


def test_a_plan_of_the_other_side_is_none():
    assert plan_of(json.loads(plan_at("short").to_json()), "long") is None


# -------------------------------------------------------------------------------------- histories


def test_a_frame_of_the_host_becomes_a_history():
    frame = random_candles(50, minutes=1)
    history = history_of(frame, 1)
    assert history.open_ms[0] == frame["date"].iloc[0].timestamp() * 1_000
    assert history.prices[3] == pytest.approx(frame["close"].to_numpy())
    assert history.since_ms == history.open_ms[0]
    assert history.until_ms == history.open_ms[-1] + 60_000


def test_a_history_is_a_copy_of_the_frame():
    frame = flat_candles(5)
    history = history_of(frame, 15)
    frame.loc[:, "close"] = 7.0
    assert (history.prices == 100.0).all()
    history.prices[:] = 1.0
    assert (frame["open"] == 100.0).all()


def test_rows_that_are_no_candles_are_left_out():
    frame = flat_candles(6).assign(close=[100.0, np.nan, 0.0, -1.0, np.inf, 101.0])
    history = history_of(frame, 15)
    assert history.prices[3].tolist() == [100.0, 101.0]


def test_rows_may_come_in_any_order_and_twice_the_last_counts():
    at = epoch_ms(CLOSE)
    opens = np.array([at + 60_000, at, at + 60_000, at + 30_000])
    prices = np.array([[2.0, 1.0, 3.0, 9.0]] * 4)
    history = History.of(1, opens, prices)
    assert history.open_ms.tolist() == [at, at + 60_000]  # what is off the grid is none
    assert history.prices[0].tolist() == [1.0, 3.0]


def test_an_empty_frame_is_an_empty_history():
    history = history_of(flat_candles(3).iloc[:0], 15)
    assert history.open_ms.size == 0
    assert resolved(signal_at(), [history], RISK) is None


def test_the_forming_candle_is_left_out():
    history = history_from([FLAT] * 10)
    cut = history.closed_by(CLOSE + 4 * MINUTE + MINUTE / 2)
    assert cut.open_ms.size == 4
    assert history.closed_by(CLOSE + 10 * MINUTE).open_ms.size == 10
    assert history.closed_by(CLOSE).open_ms.size == 0


def test_a_frame_made_of_a_history_is_the_same_history():
    history = history_from([FLAT, STOPPED])
    again = history_of(frame_of(history), 1)
    assert again.open_ms.tolist() == history.open_ms.tolist()
    assert (again.prices == history.prices).all()
