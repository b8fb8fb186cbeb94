"""The wall-clock view: aggregation, the forming candle, shifts and price moves."""

import itertools
from dataclasses import fields

import numpy as np
import pytest

from external_layers.replay.candles import INTERVALS, aggregated
from external_layers.replay.market import ReplayMarket
from external_layers.replay.minutes import DAY_MINUTES, MINUTE_MS, Minutes
from external_layers.replay.moves import PriceMove
from scalp_strategy.errors import ConfigError
from tests.unit.external_layers.replay.conftest import NOW_MS, Clock

MINUTE = NOW_MS // MINUTE_MS


def row(minutes: Minutes, place: int) -> list[int]:
    return [int(getattr(minutes, field.name)[place]) for field in fields(Minutes)]


@pytest.mark.parametrize("interval", sorted(set(INTERVALS) - {"1m"}))
def test_every_interval_is_the_aggregate_of_its_minutes(
    market: ReplayMarket, interval: str
) -> None:
    length = INTERVALS[interval] * MINUTE_MS
    candles = market.candles("futures", "ADAUSDT", interval, (NOW_MS - 3 * length, NOW_MS + 1))
    assert len(candles) >= 3
    for place in range(len(candles)):
        first = int(candles.open_ms[place]) // MINUTE_MS
        stop = (int(candles.close_ms[place]) + 1) // MINUTE_MS
        minutes = market.minutes("futures", "ADAUSDT", first, stop)
        assert candles.open[place] == minutes.open[0]
        assert candles.high[place] == minutes.high.max()
        assert candles.low[place] == minutes.low.min()
        assert candles.close[place] == minutes.close[-1]
        assert candles.volume[place] == minutes.volume.sum()
        assert candles.trades[place] == minutes.trades.sum()
        assert candles.taker_buy[place] == minutes.taker_buy.sum()
    assert candles.close_ms[-1] >= NOW_MS
    assert (candles.close_ms[:-1] + 1 == candles.open_ms[1:]).all()


def test_weeks_start_on_monday_and_months_on_the_first(market: ReplayMarket) -> None:
    span = (NOW_MS - 90 * DAY_MINUTES * MINUTE_MS, NOW_MS + 1)
    weeks = market.candles("spot", "BTCUSDT", "1w", span).open_ms.astype("datetime64[ms]")
    months = market.candles("spot", "BTCUSDT", "1M", span).open_ms.astype("datetime64[ms]")
    assert {int(day) for day in (weeks.astype("datetime64[D]").astype(int) + 3) % 7} == {0}
    assert (months == months.astype("datetime64[M]")).all()


def test_the_forming_candle_grows_into_the_finished_one(market: ReplayMarket, clock: Clock) -> None:
    finished = row(market.source.minutes("spot", "SOLUSDT", MINUTE, MINUTE + 1), 0)
    seen: list[list[int]] = []
    for second in range(60):
        clock.ms = MINUTE * MINUTE_MS + second * 1_000
        forming = market.minutes("spot", "SOLUSDT", MINUTE, MINUTE + 1)
        assert len(forming) == 1
        seen.append(row(forming, 0))
    high, low, volume = 2, 3, 5
    for before, after in itertools.pairwise(seen):
        assert after[high] >= before[high]
        assert after[low] <= before[low]
        assert after[volume] >= before[volume]
    assert seen[10][volume] < seen[50][volume]
    clock.ms = (MINUTE + 1) * MINUTE_MS - 1
    assert row(market.minutes("spot", "SOLUSDT", MINUTE, MINUTE + 1), 0) == finished
    clock.ms += 60_000
    assert row(market.minutes("spot", "SOLUSDT", MINUTE, MINUTE + 1), 0) == finished


def test_before_the_first_trade_the_candle_is_flat_at_the_last_close(
    market: ReplayMarket, clock: Clock
) -> None:
    trades = market.trades_of_minute("spot", "PHBUSDT", MINUTE)
    clock.ms = max(MINUTE * MINUTE_MS, int(trades.time_ms[0]) - 1)
    close = market.source.minutes("spot", "PHBUSDT", MINUTE - 1, MINUTE).close[0]
    forming = market.minutes("spot", "PHBUSDT", MINUTE, MINUTE + 1)
    assert row(forming, 0)[1:8] == [close, close, close, close, 0, 0, 0]


def test_nothing_of_the_future_is_served(market: ReplayMarket) -> None:
    later = NOW_MS + 10 * MINUTE_MS
    assert market.candles("spot", "BTCUSDT", "1m", (NOW_MS - 120_000, later)).open_ms[-1] <= NOW_MS
    trades = market.trades("spot", "BTCUSDT", NOW_MS - 1_000, later)
    assert max(int(part.time_ms[-1]) for part in trades) <= NOW_MS


def test_a_shift_moves_content_but_not_timestamps(market: ReplayMarket) -> None:
    span = (NOW_MS - 30 * MINUTE_MS, NOW_MS - 10 * MINUTE_MS)
    market.set_shift(-3 * DAY_MINUTES - 7)
    shifted = market.candles("futures", "BTCUSDT", "1m", span)
    offset = (3 * DAY_MINUTES + 7) * MINUTE_MS
    market.set_shift(0)
    plain = market.candles("futures", "BTCUSDT", "1m", (span[0] - offset, span[1] - offset))
    assert shifted.close.tolist() == plain.close.tolist()
    assert (shifted.open_ms - offset).tolist() == plain.open_ms.tolist()
    assert span[0] <= shifted.open_ms[0] < span[1]


def test_a_shift_out_of_the_content_is_refused(market: ReplayMarket) -> None:
    with pytest.raises(ConfigError, match="no candles at market time"):
        market.set_shift(50_000 * DAY_MINUTES)


@pytest.mark.parametrize("minutes", [0.0, 2.5])
def test_a_move_applies_from_its_instant_on(
    market: ReplayMarket, clock: Clock, minutes: float
) -> None:
    at = NOW_MS
    clock.ms = NOW_MS + 10 * MINUTE_MS
    plain = market.minutes("futures", "BTCUSDT", MINUTE - 5, MINUTE + 10)
    market.add_move(PriceMove("BTCUSDT", 0.9, at, minutes))
    moved = market.minutes("futures", "BTCUSDT", MINUTE - 5, MINUTE + 10)
    assert moved.close[:5].tolist() == plain.close[:5].tolist()
    assert moved.close[-5:].tolist() == np.rint(plain.close[-5:] * 0.9).astype(int).tolist()
    assert plain.high[5] >= moved.high[5] > moved.low[5]
    assert moved.low[5:].min() < plain.low.min() * 0.92
    assert moved.volume.tolist() == plain.volume.tolist()
    untouched = market.minutes("futures", "ETHUSDT", MINUTE, MINUTE + 1)
    assert len(untouched) == 1


def test_moved_trades_add_up_to_moved_candles(market: ReplayMarket, clock: Clock) -> None:
    clock.ms = NOW_MS + 10 * MINUTE_MS
    market.add_move(PriceMove("SOLUSDT", 1.07, NOW_MS, 3.0))
    candles = market.minutes("spot", "SOLUSDT", MINUTE - 1, MINUTE + 9)
    for place in range(len(candles)):
        trades = market.trades_of_minute("spot", "SOLUSDT", int(candles.minute[place]))
        assert candles.open[place] == trades.price[0]
        assert candles.high[place] == trades.price.max()
        assert candles.low[place] == trades.price.min()
        assert candles.close[place] == trades.price[-1]


def test_no_minutes_give_no_candles(market: ReplayMarket) -> None:
    empty = market.minutes("spot", "BTCUSDT", 10, 20)
    assert len(aggregated(empty, "15m")) == 0
