"""Trades inside a minute add up to its candle."""

from hypothesis import given, settings
from hypothesis import strategies as st

from external_layers.replay.intraminute import MinuteRow, minute_trades


@st.composite
def rows(draw: st.DrawFn) -> MinuteRow:
    low = draw(st.integers(1, 5_000))
    high = low + draw(st.integers(0, 400))
    trades = draw(st.integers(4, 300))
    volume = trades + draw(st.integers(0, 10**7))
    return MinuteRow(
        minute=draw(st.integers(0, 10**8)),
        open=draw(st.integers(low, high)),
        high=high,
        low=low,
        close=draw(st.integers(low, high)),
        volume=volume,
        taker_buy=draw(st.integers(1, volume - 1)),
        trades=trades,
        first_id=draw(st.integers(0, 10**12)),
    )


@settings(max_examples=200, deadline=None)
@given(row=rows(), seed=st.integers(0, 99))
def test_trades_aggregate_to_the_candle(row: MinuteRow, seed: int) -> None:
    trades = minute_trades(row, seed, "futures:X")
    assert trades.price[0] == row.open
    assert trades.price[-1] == row.close
    assert trades.price.max() == row.high
    assert trades.price.min() == row.low
    assert trades.amount.sum() == row.volume
    assert trades.amount.min() >= 1
    assert trades.amount[trades.is_buy].sum() == row.taker_buy
    assert trades.id.tolist() == list(range(row.first_id, row.first_id + row.trades))
    assert (trades.time_ms[1:] >= trades.time_ms[:-1]).all()
    assert row.minute * 60_000 <= trades.time_ms[0]
    assert trades.time_ms[-1] < (row.minute + 1) * 60_000


def test_the_same_minute_gives_the_same_trades() -> None:
    row = MinuteRow(7, 100, 120, 90, 110, 5_000, 2_000, 40, 9)
    one, again = minute_trades(row, 1, "a"), minute_trades(row, 1, "a")
    assert one.price.tolist() == again.price.tolist()
    assert one.time_ms.tolist() != minute_trades(row, 2, "a").time_ms.tolist()


def test_a_minute_without_trades_is_empty() -> None:
    assert len(minute_trades(MinuteRow(7, 5, 5, 5, 5, 0, 0, 0, 9), 1, "a")) == 0
