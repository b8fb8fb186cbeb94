from datetime import UTC, datetime

import numpy as np
import pytest

from scalp_strategy.analysed import AnalysedPair, instant_ns
from scalp_strategy.contract import TIER_HIGH
from scalp_strategy.settings import Settings
from tests.support.host_stub import CANDLE, CLOSE, PAIR, analysed_frame, signal_pair

END = instant_ns(CLOSE)
STEP = instant_ns(CLOSE + CANDLE) - END
HOUR_NS = 3_600 * 10**9


def analysed(closes=(1.0, 4.0, 3.0, 2.0), **columns) -> AnalysedPair:
    return AnalysedPair(PAIR, analysed_frame(list(closes), CLOSE, **columns), Settings())


@pytest.mark.parametrize(
    "moment",
    [
        CLOSE,
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2262, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    ],
)
def test_instants_are_exact_to_the_microsecond(moment):
    assert instant_ns(moment) == np.datetime64(moment.replace(tzinfo=None), "ns").astype(np.int64)


def test_a_candle_is_named_by_its_close():
    pair = analysed()
    assert pair.has_candle(END)
    assert pair.has_candle(END - 3 * STEP)
    assert not pair.has_candle(END - 4 * STEP)  # the first one's open
    assert not pair.has_candle(END + STEP)
    assert not pair.has_candle(END - 1)


def test_nothing_later_than_the_instant_is_read():
    pair = analysed(atr_14=[0.1, 0.2, 0.3, 0.4], stop_factor=[1.0, 0.8, 1.0, 0.8])
    assert (pair.price_at(END), pair.atr_at(END), pair.stop_factor_at(END)) == (2.0, 0.4, 0.8)
    before = END - 1
    assert (pair.price_at(before), pair.atr_at(before)) == (3.0, 0.3)
    assert pair.stop_factor_at(before) == 1.0
    unknown = END - 3 * STEP - 1
    assert np.isnan(pair.price_at(unknown))
    assert np.isnan(pair.atr_at(unknown))
    assert pair.stop_factor_at(unknown) == 1.0


@pytest.mark.parametrize(
    ("since", "until", "long", "short"),
    [
        (-4, 0, 4.0, 1.0),
        (-2, 0, 3.0, 2.0),  # the candle closed at `since` is not part of it
        (-4, -2, 4.0, 1.0),
        (-1, 0, 2.0, 2.0),
        (0, 5, None, None),
        (-1, -1, None, None),
    ],
)
def test_the_best_close_of_a_stretch(since, until, long, short):
    pair = analysed()
    for side, best in (("long", long), ("short", short)):
        found = pair.best_close(side, END + since * STEP, END + until * STEP)
        assert np.isnan(found) if best is None else found == best


def test_a_candidate_carries_its_candle():
    pair = signal_pair(
        PAIR,
        score=83.5,
        side="short",
        tier=TIER_HIGH,
        coverage=0.62,
        regime="CHOPPY",
        stop_factor=0.8,
        is_tier_capped=True,
        setup_short=2,
    )
    one = pair.candidate(END)
    assert (one.pair, one.side, one.close_time) == (PAIR, "short", CLOSE)
    assert (one.price, one.atr, one.score, one.tier) == (100.0, 1.0, 84, TIER_HIGH)
    assert (one.coverage, one.stop_factor, one.size_factor) == (0.62, 0.8, 0.5)
    assert one.is_tier_capped
    assert one.gate is None
    assert (one.regime, one.threshold_shift) == ("CHOPPY", 0.0)
    assert one.tier_name == "HIGH"
    assert pair.candidate(END - STEP) is None
    assert signal_pair(PAIR, regime=None).candidate(END).size_factor == 1.0


def test_a_row_is_the_candle_s_or_empty():
    pair = analysed()
    assert pair.row(END)["close"] == 2.0
    assert pair.row(END - STEP)["close"] == 3.0
    assert pair.row(END + STEP) == {}
    assert pair.row(END - 1) == {}


def test_a_candidate_knows_how_much_higher_its_bar_was():
    pair = signal_pair(PAIR, threshold_shift=[0.0, 0.0, 5.0])
    assert pair.candidate(END).threshold_shift == 5.0


def test_the_closes_on_the_full_hour():
    closes = [float(number) for number in range(1, 11)]  # 07:45 to 10:00
    hours, found = analysed(closes).hour_closes()
    assert list(found) == [2.0, 6.0, 10.0]
    assert list(hours) == [END // HOUR_NS - 2, END // HOUR_NS - 1, END // HOUR_NS]


@pytest.mark.parametrize(
    ("low", "high", "reached"),
    [(0.9, 4.1, False), (1.0, 9.0, True), (0.0, 4.0, True), (2.0, 3.0, True)],
)
def test_whether_a_stretch_reaches_a_level(low, high, reached):
    pair = analysed(low=[0.0, 2.0, 1.0, 0.0], high=[9.0, 4.0, 3.0, 9.0])
    assert pair.leaves(low, high, END - 3 * STEP, END - STEP) is reached


def test_candles_without_a_range_reach_nothing_and_have_none():
    assert not analysed().leaves(0.0, 0.0, END - 4 * STEP, END)
    seen = analysed().volatility(END, 2)
    assert (seen.atr, seen.mean_atr) == (1.0, 1.0)
    assert np.isnan(seen.true_range)


def test_the_first_candle_has_no_true_range():
    pair = analysed(low=1.0, high=4.0)
    assert np.isnan(pair.volatility(END - 3 * STEP, 2).true_range)
    assert pair.volatility(END - 2 * STEP, 2).true_range == 3.0


def test_an_empty_frame_knows_nothing():
    pair = AnalysedPair(PAIR, analysed_frame([1.0], CLOSE).iloc[:0], Settings())
    assert not pair.has_candle(END)
    assert pair.candidate(END) is None
    assert pair.row(END) == {}
    assert np.isnan(pair.price_at(END))
    assert np.isnan(pair.best_close("long", 0, END))
    assert np.isnan(pair.volatility(END, 2).atr)
    assert pair.discarded(END, 0) is None
    assert len(pair.hour_closes()[0]) == 0
