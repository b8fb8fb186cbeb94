"""Ended trades as the breakers ask for them: the host's database and its backtester agree."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from freqtrade.enums import RunMode
from freqtrade.persistence import LocalTrade, Trade, init_db
from freqtrade.persistence.usedb_context import enable_database_use

from scalp_strategy.host import BacktestTrades, FreqtradeHost, StoredTrades
from tests.support.host_stub import (
    exit_leg,
    fill,
    opened_trade,
    place,
    without_database,
)

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LONG_AGO = NOW - timedelta(days=400)
A, B = "AAA/USDT:USDT", "BBB/USDT:USDT"
STOPS = ("stop_loss", "trailing_stop_loss", "stoploss_on_exchange", "liquidation")
OTHERS = ("time_stop", "force_exit", "emergency_exit", "exit_signal", "tp3")


@dataclass(frozen=True)
class Ended:
    """A trade to make: ten bought at 100, so many of them out at targets, the rest at a price."""

    at: datetime
    price: float = 99.0
    reason: str = "stop_loss"
    pair: str = A
    targets: tuple[tuple[str, float], ...] = ()


def make(ended: Ended, kind: type[LocalTrade]) -> LocalTrade:
    trade = opened_trade("long", 100.0, at=ended.at - 5 * MINUTE, pair=ended.pair, kind=kind)
    for tag, amount in ended.targets:
        exit_leg(trade, tag, amount, 101.0)
    order = place(trade, trade.exit_side, trade.amount, ended.price, ended.reason)
    fill(trade, order)
    trade.exit_reason, trade.close_date = ended.reason, ended.at
    trade.close(ended.price, show_msg=False)
    return trade


class Database:
    """The host's database."""

    def add(self, ended: Ended) -> None:
        Trade.session.add(make(ended, Trade))
        Trade.commit()

    def open(self) -> None:
        Trade.session.add(opened_trade(at=NOW, kind=Trade))
        Trade.commit()

    @property
    def history(self) -> StoredTrades:
        return StoredTrades()


class Memory:
    """The trades of a backtest, as one desk looks at them."""

    def __init__(self) -> None:
        LocalTrade.reset_trades()
        self._history = BacktestTrades(timedelta(0))

    def add(self, ended: Ended) -> None:
        LocalTrade.add_bt_trade(make(ended, LocalTrade))

    def open(self) -> None:
        LocalTrade.add_bt_trade(opened_trade(at=NOW))

    @property
    def history(self) -> BacktestTrades:
        self._history.look()
        return self._history


@pytest.fixture
def memory() -> Iterator[Memory]:
    with without_database():
        yield Memory()
        LocalTrade.reset_trades()


@pytest.fixture
def database(tmp_path) -> Iterator[Database]:
    enable_database_use()
    init_db(f"sqlite:///{tmp_path / 'trades.sqlite'}")
    yield Database()
    Trade.session.remove()


@pytest.fixture(params=["memory", "database"])
def trades(request) -> Memory | Database:
    return request.getfixturevalue(request.param)


# ------------------------------------------------------------------------------------ full stops


@pytest.mark.parametrize("reason", STOPS)
def test_a_stop_before_any_target_is_a_full_one_whatever_the_host_calls_it(trades, reason):
    trades.add(Ended(NOW, reason=reason))
    assert trades.history.last_full_stop(A, LONG_AGO) == NOW


@pytest.mark.parametrize("reason", OTHERS)
def test_other_exits_are_none_however_much_they_lost(trades, reason):
    trades.add(Ended(NOW, 90.0, reason=reason))
    assert trades.history.last_full_stop(A, LONG_AGO) is None


@pytest.mark.parametrize(("targets", "is_full"), [((("tp1", 4.0),), False), ((), True)])
def test_after_a_target_the_stop_has_moved(trades, targets, is_full):
    trades.add(Ended(NOW, 100.0, "trailing_stop_loss", targets=targets))
    assert (trades.history.last_full_stop(A, LONG_AGO) is not None) is is_full


def test_a_target_that_was_half_filled_did_not_move_the_stop(memory):
    trade = opened_trade(at=NOW)
    fill(trade, place(trade, trade.exit_side, 4.0, 101.0, "tp1"), 1.5)
    fill(trade, place(trade, trade.exit_side, trade.amount, 98.0, "stop_loss"))
    trade.exit_reason, trade.close_date = "stop_loss", NOW
    trade.close(98.0, show_msg=False)
    LocalTrade.add_bt_trade(trade)
    assert memory.history.last_full_stop(A, LONG_AGO) is None  # of another pair
    assert memory.history.last_full_stop(trade.pair, LONG_AGO) == NOW


def test_the_last_one_of_the_pair_counts_from_the_instant_asked(trades):
    for minutes, pair in ((30, A), (10, A), (20, A), (1, B)):
        trades.add(Ended(NOW - minutes * MINUTE, pair=pair))
    last = NOW - 10 * MINUTE
    assert trades.history.last_full_stop(A, LONG_AGO) == last
    assert trades.history.last_full_stop(A, last) == last
    assert trades.history.last_full_stop(A, last + timedelta(seconds=1)) is None
    assert trades.history.last_full_stop(B, LONG_AGO) == NOW - MINUTE


# ---------------------------------------------------------------------------------------- streaks


def test_a_streak_ends_with_a_loss_and_an_open_trade_is_none(trades):
    streaks = []
    for minutes, price in enumerate((101.0, 102.0, 99.0, 103.0, 101.0, 104.0)):
        trades.add(Ended(NOW + minutes * MINUTE, price, "time_stop"))
        streaks.append(trades.history.win_streak())
    assert streaks == [1, 2, 0, 1, 2, 3]
    trades.open()
    assert trades.history.win_streak() == 3


def test_a_gain_that_fees_eat_is_a_loss(trades):
    trades.add(Ended(NOW, 101.0))
    trades.add(Ended(NOW + MINUTE, 100.05, "time_stop"))  # 0.05 % gained, 0.1 % paid
    assert trades.history.win_streak() == 0


def test_the_order_is_that_of_the_closes_not_of_the_entries_in_the_books(trades):
    trades.add(Ended(NOW, 101.0))
    trades.add(Ended(NOW - MINUTE, 99.0))  # noticed later, after the bot was away
    assert trades.history.win_streak() == 1
    trades.add(Ended(NOW - 2 * MINUTE, 101.0))
    assert trades.history.win_streak() == 1


def test_nothing_traded_yet(trades):
    assert trades.history.win_streak() == 0
    assert trades.history.last_full_stop(A, LONG_AGO) is None


# --------------------------------------------------------------------------- the two side by side


@pytest.mark.parametrize("seed", range(4))
def test_database_and_backtest_say_the_same_of_the_same_trades(seed, tmp_path):
    """Asked after each trade, with closes that come out of order and at the same minute."""
    random = np.random.default_rng(seed)
    some = [
        Ended(
            NOW + (number + int(random.integers(-3, 3))) * MINUTE,
            float(random.choice([97.0, 100.05, 102.0, 103.0, 104.0])),
            str(random.choice([*STOPS, *OTHERS])),
            str(random.choice([A, B])),
            ((("tp1", 4.0),) if random.random() < 0.3 else ()),
        )
        for number in range(30)
    ]

    def told(trades: Memory | Database) -> list[tuple]:
        answers = []
        for ended in some:
            trades.add(ended)
            for since in (LONG_AGO, ended.at - 10 * MINUTE):
                stops = tuple(trades.history.last_full_stop(pair, since) for pair in (A, B))
                answers.append((trades.history.win_streak(), *stops))
        return answers

    with without_database():
        in_memory = told(Memory())
        LocalTrade.reset_trades()
    enable_database_use()
    init_db(f"sqlite:///{tmp_path / 'trades.sqlite'}")
    assert told(Database()) == in_memory
    assert len(set(in_memory)) > 10
    Trade.session.remove()


# --------------------------------------------------------------------------------- what is special


def test_a_restart_finds_what_ended_before_it(tmp_path, database):
    database.add(Ended(NOW))
    Trade.session.remove()
    init_db(f"sqlite:///{tmp_path / 'trades.sqlite'}")
    assert StoredTrades().last_full_stop(A, LONG_AGO) == NOW


def test_a_backtest_dates_an_exit_by_the_end_of_its_candle(memory):
    """Else a stop within a candle of 15 minutes would be 15 minutes old at that candle's close."""
    memory.add(Ended(NOW - 15 * MINUTE))
    history = BacktestTrades(timedelta(minutes=15))
    history.look()
    assert history.last_full_stop(A, LONG_AGO) == NOW


@pytest.mark.parametrize(
    ("detail", "length"),
    [({}, 15), ({"timeframe_detail": "1m"}, 1), ({"timeframe_detail": ""}, 15)],
)
def test_that_candle_is_the_finest_there_is(memory, detail, length):
    strategy = SimpleNamespace(
        dp=SimpleNamespace(runmode=RunMode.BACKTEST), config=detail, timeframe="15m"
    )
    host = FreqtradeHost(strategy, lambda trade, now: 0.0)
    memory.add(Ended(NOW))
    assert host.trade_history().last_full_stop(A, LONG_AGO) == NOW + length * MINUTE


def test_an_epoch_begins_without_the_trades_of_the_last(memory):
    for minutes in range(5):
        memory.add(Ended(NOW + minutes * MINUTE, 101.0))
    assert memory.history.win_streak() == 5
    LocalTrade.reset_trades()
    assert memory.history.win_streak() == 0
    memory.add(Ended(NOW, 101.0, pair=B))
    assert memory.history.win_streak() == 1


def test_each_trade_of_a_backtest_is_looked_at_once(memory, monkeypatch):
    taken = []
    original = BacktestTrades._take

    def counted(self, trade):
        taken.append(trade)
        original(self, trade)

    monkeypatch.setattr(BacktestTrades, "_take", counted)
    for minutes in range(20):
        memory.add(Ended(NOW + minutes * MINUTE))
        memory.history.win_streak()
    assert len(taken) == 20
