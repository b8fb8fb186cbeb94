"""Real trades of the host, in its own database, in every way they can go and end."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from freqtrade.persistence import Order, Trade
from sqlalchemy import event

from scalp_strategy.exits import TIME_STOP, ExitDesk
from scalp_strategy.journal.records import PositionRecord, from_line, to_line
from scalp_strategy.risk import Market
from scalp_strategy.setting_groups.journal import JournalSettings
from scalp_strategy.signals import SignalKey
from scalp_strategy.tracking import TradeTracker, position_record
from tests.support import host_stub
from tests.support.host_stub import CANDLE, CLOSE, MARKET, PAIR, desk_of, signal_pair
from tests.support.live_trades import (
    FEE,
    SECOND,
    done,
    left,
    opened,
    ordered,
    placed,
    told,
    trades_in,
)

SIDES = ("long", "short")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
NOW = CLOSE + CANDLE + SECOND
DISTANCE = 1.5  # of the plan that the desk decides at 100
LATER = CLOSE + 20 * MINUTE


@pytest.fixture(autouse=True)
def database() -> Iterator[None]:
    with trades_in():
        yield


def sign(side: str) -> int:
    return 1 if side == "long" else -1


def at_r(side: str, multiple: float) -> float:
    return 100.0 + sign(side) * multiple * DISTANCE


@dataclass
class Rooms:
    tracker: TradeTracker
    kept: list[PositionRecord]
    prices: dict[str, float]

    def look(self, now=NOW):
        return self.tracker.look(now)

    def one(self, now=NOW):
        (state,) = self.tracker.look(now)
        return state


def rooms(side: str = "long", market: Market = MARKET, price: float = math.nan) -> Rooms:
    """A tracker beside a desk that approved a trade at 100 with a stop distance of 1.5."""
    desk = desk_of()
    desk.offer(signal_pair(PAIR, side=side))
    desk.decide(CLOSE, [PAIR])
    exits = ExitDesk(desk, lambda pair, rate: market)
    kept: list[PositionRecord] = []
    prices = {PAIR: price}
    tracker = TradeTracker(
        exits, lambda pair, now: prices[pair], kept.append, "bot", JournalSettings()
    )
    return Rooms(tracker, kept, prices)


def fees(*values: float) -> float:
    return FEE * sum(values)


# ---------------------------------------------------------------------------------------- the entry


@pytest.mark.parametrize("side", SIDES)
def test_an_entry_that_rests(side):
    trade = ordered(side, leverage=5.0)
    state = rooms(side).one()
    assert state.key == SignalKey(PAIR, side, CLOSE)
    assert (state.trade_id, state.opened_at) == (trade.id, CLOSE + SECOND)
    assert (state.entry_price, state.amount, state.profit, state.unrealised) == (
        100.0,
        0.0,
        0.0,
        0.0,
    )
    assert state.stop == pytest.approx(at_r(side, -1))
    assert (state.stake, state.leverage) == (200.0, 5.0)
    assert math.isnan(state.risk)
    assert (state.is_filled, state.is_over, state.fills) == (False, False, ())


@pytest.mark.parametrize("seconds", [0, 1, 899])
def test_a_trade_belongs_to_the_signal_of_the_candle_before(seconds):
    ordered(at=CLOSE + seconds * SECOND)
    assert rooms().one(CLOSE + 899 * SECOND).key.close_time == CLOSE


@pytest.mark.parametrize("side", SIDES)
def test_an_entry_that_is_half_filled_and_rests(side):
    trade = ordered(side)
    told(trade, trade.orders[0], "open", 4.0, average=99.9)
    state = rooms(side).one()
    assert (state.amount, state.entry_price) == (4.0, 99.9)
    assert state.is_filled
    assert not state.is_over


@pytest.mark.parametrize("side", SIDES)
def test_a_position_at_a_price(side):
    opened(side, leverage=4.0)
    state = rooms(side, price=at_r(side, 1)).one()
    assert (state.entry_price, state.amount, state.stake) == (100.0, 10.0, 250.0)
    assert state.stop == pytest.approx(at_r(side, -1))
    assert (state.price, state.profit) == (at_r(side, 1), 0.0)
    # The entry's fee is paid, the exit's is not.
    assert state.unrealised == pytest.approx(15.0 - fees(1_000.0))
    assert state.risk == pytest.approx(15.0)
    assert state.net_r == pytest.approx((15.0 - 0.5) / 15.0)
    assert state.outcome is None


def test_before_a_candle_has_closed_the_price_is_the_entrys():
    opened(at=CLOSE + MINUTE)
    state = rooms(price=70.0).one(CLOSE + 14 * MINUTE)
    assert (state.price, state.unrealised) == (100.0, pytest.approx(-0.5))


def test_an_unknown_price_makes_an_unknown_result():
    opened()
    state = rooms().one()
    assert math.isnan(state.price)
    assert math.isnan(state.unrealised)
    assert math.isnan(state.net_r)


def test_an_entry_cut_short_is_a_smaller_position():
    trade = ordered()
    told(trade, trade.orders[0], "canceled", 4.0, average=100.1)
    state = rooms(price=100.1).one()
    assert (state.amount, state.entry_price) == (4.0, 100.1)
    assert state.risk == pytest.approx(4.0 * DISTANCE)


# --------------------------------------------------------------------------------------- the ladder


@pytest.mark.parametrize("side", SIDES)
def test_after_the_first_target(side):
    trade = opened(side)
    left(trade, "tp1", 4.0, at_r(side, 1.5), at=LATER)
    state = rooms(side, price=at_r(side, 2)).one()
    (fill,) = state.fills
    assert (fill.tag, fill.price, fill.amount, fill.at) == ("tp1", at_r(side, 1.5), 4.0, LATER)
    assert state.stop == pytest.approx(100.0)
    gained = 4.0 * 1.5 * DISTANCE - fees(400.0, 4.0 * at_r(side, 1.5))
    assert state.profit == pytest.approx(gained)
    assert state.unrealised == pytest.approx(6.0 * 2 * DISTANCE - fees(600.0))
    assert (state.amount, state.risk, state.stake) == (10.0, 15.0, 500.0)
    assert not state.is_over


def test_a_target_that_rests_half_filled_is_no_exit_yet():
    trade = opened()
    order = placed(trade, "sell", 4.0, 102.25, "tp1")
    told(trade, order, "open", 1.5)
    view = rooms(price=102.0)
    assert view.one().fills == ()
    told(trade, order, "canceled", 1.5)
    left(trade, "tp1", 2.5, 102.25, at=LATER)
    state = view.one()
    assert [(fill.tag, fill.amount) for fill in state.fills] == [("tp1", 1.5), ("tp1", 2.5)]
    assert state.stop == pytest.approx(100.0)


@pytest.mark.parametrize("side", SIDES)
def test_all_targets(side):
    trade = opened(side)
    view = rooms(side, price=at_r(side, 1))
    view.look()
    value = gain = 0.0
    for tag, amount, multiple in (("tp1", 4.0, 1.5), ("tp2", 4.0, 2.5), ("tp3", 2.0, 4.0)):
        left(trade, tag, amount, at_r(side, multiple), at=LATER)
        value += amount * at_r(side, multiple)
        gain += amount * multiple * DISTANCE
    state = view.one()
    assert state.outcome == "tp3"
    assert [fill.tag for fill in state.fills] == ["tp1", "tp2", "tp3"]
    assert (state.closed_at, state.price) == (LATER, at_r(side, 4.0))
    assert state.profit == pytest.approx(gain - fees(1_000.0, value))
    assert state.unrealised == 0.0
    assert state.net_r == pytest.approx(state.profit / 15.0)
    assert view.look() == []


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("reason", ["stop_loss", "trailing_stop_loss"])
@pytest.mark.parametrize(
    ("filled", "stop_r", "outcome"),
    [(0, -1.0, "sl"), (1, 0.0, "break_even"), (2, 1.5, "trailing_stop")],
)
def test_a_stop_is_named_by_the_targets_before_it(side, reason, filled, stop_r, outcome):
    """The host calls it trailing once the stop was moved, and ours moves it at the start."""
    trade = opened(side)
    for tag, multiple in (("tp1", 1.5), ("tp2", 2.5))[:filled]:
        left(trade, tag, 4.0, at_r(side, multiple), at=LATER)
    rest = 10.0 - 4.0 * filled
    left(trade, reason, rest, at_r(side, stop_r), at=LATER + MINUTE)
    state = rooms(side).one()
    assert (state.outcome, state.closed_at) == (outcome, LATER + MINUTE)
    assert state.fills[-1].tag == reason


def test_a_target_filled_in_part_does_not_make_a_stop_break_even():
    trade = opened()
    order = placed(trade, "sell", 4.0, 102.25, "tp1")
    told(trade, order, "canceled", 3.9)
    left(trade, "stop_loss", 6.1, 98.5, at=LATER)
    assert rooms().one().outcome == "sl"


def test_a_stop_that_fills_in_two_parts():
    trade = opened()
    order = placed(trade, "sell", 10.0, 98.5, "stop_loss")
    told(trade, order, "canceled", 7.0)
    left(trade, "stop_loss", 3.0, 98.0, at=LATER)
    state = rooms().one()
    assert state.outcome == "sl"
    assert state.profit == pytest.approx(-7 * 1.5 - 3 * 2.0 - fees(1_000.0, 7 * 98.5 + 3 * 98.0))


@pytest.mark.parametrize("stopped", ["sl", "break_even"])
def test_a_stop_on_the_exchange(stopped):
    trade = opened()
    rest = 10.0
    if stopped == "break_even":
        left(trade, "tp1", 4.0, 102.25, at=LATER)
        rest = 6.0
    left(trade, None, rest, 98.5, at=LATER + MINUTE, side="stoploss")
    state = rooms().one()
    assert state.outcome == stopped
    assert state.fills[-1].tag == "stoploss_on_exchange"


# ----------------------------------------------------------------------------- positions too small


@pytest.mark.parametrize(
    ("amount", "exits", "outcome"),
    [
        # least leg: 1.5 * 5 / 98.5 = 0.0761
        (0.3, [("tp1", 0.12), ("tp2", 0.18)], "tp2"),
        (0.3, [("tp1", 0.12), ("stop_loss", 0.18)], "break_even"),
        (0.3, [("stop_loss", 0.3)], "sl"),
        (0.15, [("tp2", 0.15)], "tp2"),
        (0.15, [("trailing_stop_loss", 0.15)], "sl"),
    ],
)
def test_positions_of_fewer_legs(amount, exits, outcome):
    trade = opened(amount=amount)
    for place, (tag, part) in enumerate(exits):
        left(trade, tag, part, 102.0, at=LATER + place * MINUTE)
    assert rooms().one().outcome == outcome


def test_an_amount_that_does_not_split_evenly():
    """0.39 in steps of 0.001: 0.156, 0.156 and 0.078."""
    trade = opened(amount=0.391)
    left(trade, "tp1", 0.156, 102.25, at=LATER)
    left(trade, "stop_loss", 0.235, 100.0, at=LATER + MINUTE)
    assert rooms().one().outcome == "break_even"


# --------------------------------------------------------------------------------- the other ends


@pytest.mark.parametrize(
    ("tag", "outcome"),
    [
        (TIME_STOP, "max_hold"),
        ("liquidation", "liquidation"),
        ("force_exit", "other"),
        ("emergency_exit", "other"),
        ("exit_signal", "other"),
        ("roi", "other"),
    ],
)
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("filled", [0, 1])
def test_an_end_of_another_kind(side, tag, outcome, filled):
    trade = opened(side)
    if filled:
        left(trade, "tp1", 4.0, at_r(side, 1.5), at=LATER)
    left(trade, tag, 10.0 - 4.0 * filled, 100.5, at=LATER + MINUTE)
    state = rooms(side).one()
    assert state.outcome == outcome
    assert state.is_over


def test_what_was_sold_at_the_exchange_by_hand():
    trade = opened()
    left(trade, None, 10.0, 101.0, at=LATER)
    trade.exit_reason = "sold_on_exchange"
    Trade.commit()
    state = rooms().one()
    assert (state.outcome, state.fills[0].tag) == ("other", "")


def test_a_time_stop_after_a_target_that_was_cancelled():
    trade = opened()
    order = placed(trade, "sell", 4.0, 102.25, "tp1")
    told(trade, order, "canceled", 0.0)
    left(trade, TIME_STOP, 10.0, 100.2, at=LATER)
    state = rooms().one()
    assert state.outcome == "max_hold"
    assert len(state.fills) == 1


def test_an_entry_that_was_cancelled_unfilled_is_deleted_by_the_host():
    trade = ordered()
    view = rooms()
    view.look()
    told(trade, trade.orders[0], "canceled", 0.0)
    trade.delete()
    Trade.commit()
    state = view.one(NOW + MINUTE)
    assert (state.outcome, state.closed_at, state.amount) == ("expired", NOW + MINUTE, 0.0)
    assert view.kept[-1].status == "cancelled"
    assert view.look(NOW + 2 * MINUTE) == []


def test_a_position_that_an_admin_deletes_is_other():
    trade = opened()
    left(trade, "tp1", 4.0, 102.25, at=LATER)
    view = rooms(price=101.0)
    profit = view.one().profit
    trade.delete()
    Trade.commit()
    state = view.one(NOW + MINUTE)
    assert (state.outcome, state.profit, state.unrealised) == ("other", profit, 0.0)
    assert view.kept[-1].status == "closed"


def test_the_number_of_a_deleted_trade_is_given_again():
    """SQLite does so; the new trade is another one, even when it is gone at the next look."""
    trade = ordered()
    view = rooms(price=100.0)
    view.look()
    number = trade.id
    trade.delete()
    Trade.commit()
    Trade.session.remove()
    again = opened(at=CLOSE + 5 * MINUTE)
    assert again.id == number
    states = view.look(NOW + MINUTE)
    assert sorted((state.opened_at, state.outcome) for state in states) == [
        (CLOSE + SECOND, "expired"),
        (CLOSE + 5 * MINUTE, None),
    ]


@pytest.mark.parametrize("looks_between", [True, False])
def test_a_trade_that_opened_and_closed_between_two_looks(looks_between):
    view = rooms(price=100.0)
    ordered(at=CLOSE)
    view.look()
    first = Trade.get_open_trades()[0]
    first.delete()
    Trade.commit()
    Trade.session.remove()
    if looks_between:
        view.look(NOW + SECOND)
    trade = opened(at=CLOSE + 5 * MINUTE)
    left(trade, "force_exit", 10.0, 100.0, at=LATER)
    ended = [state for state in view.look(NOW + MINUTE) if state.outcome == "other"]
    assert [state.opened_at for state in ended] == [CLOSE + 5 * MINUTE]
    assert view.look(NOW + 2 * MINUTE) == []


# ------------------------------------------------------------------------------------------- money


@pytest.mark.parametrize("side", SIDES)
def test_funding_counts_once(side):
    """The host adds what exits have realised of it to the open part again."""
    trade = opened(side)
    trade.set_funding_fees(-0.30)
    left(trade, "tp1", 4.0, at_r(side, 1.5), at=LATER)
    trade.set_funding_fees(-0.20)
    Trade.commit()
    price = at_r(side, 2)
    state = rooms(side, price=price).one()
    gained = 4.0 * 1.5 * DISTANCE - fees(400.0, 4.0 * at_r(side, 1.5)) - 0.30
    assert state.profit == pytest.approx(gained)
    assert state.unrealised == pytest.approx(6.0 * 2 * DISTANCE - fees(600.0) - 0.20)
    before = state.profit + state.unrealised
    left(trade, TIME_STOP, 6.0, price, at=LATER + MINUTE)
    state = rooms(side).one()
    assert state.profit == pytest.approx(before - fees(6.0 * price))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("exits", [0, 1, 2])
def test_the_result_is_what_was_shown_before_the_last_exit_less_its_fee(side, exits):
    trade = opened(side, price=99.97, leverage=3.0)
    for place in range(exits):
        left(trade, f"tp{place + 1}", 4.0, at_r(side, 1 + place), at=LATER)
    price = at_r(side, 0.37)
    state = rooms(side, price=price).one()
    before = state.profit + state.unrealised
    rest = 10.0 - 4.0 * exits
    left(trade, "force_exit", rest, price, at=LATER + MINUTE)
    ended = rooms(side).one()
    assert ended.profit == pytest.approx(before - fees(rest * price))
    assert ended.profit == pytest.approx(trade.close_profit_abs)


def test_spot_fees_in_base_currency():
    spot = Market(is_futures=False, min_notional=5.0, amount_step=0.001, price_tick=0.01)
    trade = ordered(leverage=1.0, market=spot)
    trade.orders[0].ft_fee_base = 0.01
    done(trade, trade.orders[0])
    state = rooms(market=spot, price=101.0).one()
    assert state.amount == 10.0
    # 9.99 are held; the host counts its fee rate on both sides.
    assert state.unrealised == pytest.approx(9.99 - fees(999.0))


@pytest.mark.usefixtures("trades_in_memory")
@pytest.mark.parametrize("side", SIDES)
def test_a_trade_of_a_backtest_reads_the_same(side):
    live = opened_by_the_backtester(side)
    view = rooms(side, price=at_r(side, 1))
    state = view.tracker.state(live, NOW)
    assert state.key == SignalKey(PAIR, side, CLOSE)
    assert state.unrealised == pytest.approx(15.0 - fees(1_000.0))
    host_stub.exit_leg(live, "tp1", 4.0, at_r(side, 1.5))
    order = host_stub.place(live, live.exit_side, 6.0, 100.0, "trailing_stop_loss")
    order.close_bt_order(live.open_date, live)
    live.close_date = LATER
    live.close(100.0, show_msg=False)
    state = view.tracker.state(live, NOW)
    assert (state.outcome, state.closed_at) == ("break_even", LATER)
    value = 4.0 * at_r(side, 1.5) + 600.0
    assert state.profit == pytest.approx(4.0 * 1.5 * DISTANCE - fees(1_000.0, value))


def opened_by_the_backtester(side: str):
    return host_stub.opened_trade(side, at=CLOSE + SECOND)


# ------------------------------------------------------------------------------------- the records


def test_a_change_is_recorded_at_once_and_what_stays_the_same_once_a_minute():
    trade = opened()
    view = rooms(price=100.5)
    for second in range(0, 60, 5):
        view.prices[PAIR] += 0.01
        view.look(NOW + second * SECOND)
    assert len(view.kept) == 1
    view.look(NOW + 60 * SECOND)
    assert len(view.kept) == 2
    left(trade, "tp1", 4.0, 102.25, at=LATER)
    view.look(NOW + 65 * SECOND)
    view.look(NOW + 70 * SECOND)
    assert [len(record.fills) for record in view.kept] == [0, 0, 1]


def test_a_stop_that_moves_is_a_change():
    opened()
    view = rooms(price=100.5)
    view.look()
    trade = Trade.get_open_trades()[0]
    trade.stop_loss = 99.0
    Trade.commit()
    assert view.one(NOW + SECOND).stop == pytest.approx(99.0)
    assert [record.stop for record in view.kept] == [pytest.approx(98.5), pytest.approx(99.0)]


def test_a_clock_that_is_set_back_does_not_silence_the_records():
    opened()
    view = rooms(price=100.5)
    view.look(NOW + DAY)
    view.look(NOW)
    assert len(view.kept) == 2


@pytest.mark.parametrize("side", SIDES)
def test_a_record_says_what_the_state_says(side):
    trade = opened(side)
    left(trade, "tp1", 4.0, at_r(side, 1.5), at=LATER)
    view = rooms(side, price=at_r(side, 2))
    state = view.one()
    (record,) = view.kept
    assert (record.bot, record.pair, record.side, record.status) == ("bot", PAIR, side, "open")
    assert record.close_ms == CLOSE.timestamp() * 1_000
    assert (record.trade_id, record.opened_ms) == (trade.id, record.close_ms + 1_000)
    assert (record.amount, record.leverage, record.risk) == (10.0, 2.0, 15.0)
    assert (record.profit, record.unrealised) == (state.profit, state.unrealised)
    assert record.unrealised_pct == pytest.approx(state.unrealised / 1_000 * 100)
    assert (record.profit_pct, record.net_r) == (state.profit_pct, state.net_r)
    assert record.fills == (
        {"tag": "tp1", "price": at_r(side, 1.5), "amount": 4.0}
        | {"at_ms": LATER.timestamp() * 1_000},
    )
    assert from_line(to_line(record)) == record


def test_what_is_unknown_is_none_in_a_record():
    opened()
    state = rooms().one()
    record = position_record(state, "bot", NOW)
    unknown = (record.price, record.unrealised_pct, record.profit_pct, record.net_r)
    assert unknown == (None, None, None, None)
    assert from_line(to_line(record)) == record


def test_the_status_of_each_stage():
    trade = ordered()
    view = rooms(price=100.0)
    view.look()
    done(trade, trade.orders[0])
    view.look()
    left(trade, "stop_loss", 10.0, 98.5, at=LATER)
    view.look()
    assert [record.status for record in view.kept] == ["pending", "open", "closed"]
    assert view.kept[-1].outcome == "sl"
    assert view.kept[-1].closed_ms == LATER.timestamp() * 1_000


# ---------------------------------------------------------------------------------------- restarts


@dataclass(frozen=True)
class View:
    """A position as the journal gives it."""

    trade_id: int
    pair: str = PAIR
    direction: str = "long"
    close_time: object = CLOSE
    opened_at: object = CLOSE + SECOND
    entry_price: float = 100.0
    amount: float = 10.0
    leverage: float = 2.0
    stop_loss: float | None = 98.5
    profit: float = 0.0
    risk: float | None = 15.0
    fills: tuple = ()
    outcome: str | None = None
    current_price: float | None = None
    unrealized_pnl: float = 0.0
    closed_at: object = None


def test_a_trade_is_known_again_by_the_milliseconds_that_the_journal_keeps():
    ordered = CLOSE + timedelta(seconds=1, microseconds=234_567)
    trade = opened(at=ordered)
    view = rooms(price=100.0)
    view.tracker.begin([View(trade.id, opened_at=CLOSE + timedelta(seconds=1, milliseconds=234))])
    assert [state.outcome for state in view.look()] == [None]


def test_what_closed_while_the_bot_was_down_is_noticed():
    trade = opened()
    left(trade, "stop_loss", 10.0, 98.5, at=LATER)
    view = rooms()
    view.tracker.begin([View(trade.id)])
    Trade.session.remove()
    state = view.one(NOW + 2 * DAY)
    assert (state.outcome, state.closed_at) == ("sl", LATER)
    assert view.kept[0].status == "closed"
    assert view.look(NOW + 2 * DAY + MINUTE) == []


def test_what_closed_longer_ago_than_the_outcomes_reach_is_noticed_too():
    trade = opened()
    left(trade, "stop_loss", 10.0, 98.5, at=LATER)
    view = rooms()
    view.tracker.begin([View(trade.id)])
    assert view.one(NOW + 30 * DAY).outcome == "sl"


@pytest.mark.parametrize(("amount", "outcome"), [(0.0, "expired"), (10.0, "other")])
def test_what_was_deleted_while_the_bot_was_down_is_noticed(amount, outcome):
    view = rooms()
    view.tracker.begin([View(7, amount=amount, direction="short", profit=1.25)])
    state = view.one(NOW + DAY)
    assert state.key == SignalKey(PAIR, "short", CLOSE)
    assert (state.outcome, state.amount, state.profit) == (outcome, amount, 1.25)
    assert (state.risk, state.stop) == (15.0, 98.5)
    assert view.look(NOW + DAY + MINUTE) == []


def test_the_exits_of_a_position_that_was_deleted_stay_known():
    trade = opened()
    left(trade, "tp1", 4.0, 102.25, at=LATER)
    view = rooms(price=101.0)
    view.look()
    (known,) = view.kept
    again = rooms()
    again.tracker.begin([View(trade.id, fills=known.fills, profit=known.profit)])
    trade.delete()
    Trade.commit()
    again.look(NOW + DAY)
    assert again.kept[0].fills == known.fills


def test_a_position_that_is_still_open_goes_on():
    trade = opened()
    view = rooms(price=101.0)
    view.tracker.begin([View(trade.id)])
    assert view.one().outcome is None
    assert len(view.kept) == 1
    left(trade, "tp1", 4.0, 102.25, at=LATER)
    assert len(view.one().fills) == 1


def test_a_journal_that_was_behind_is_told_what_it_missed():
    told_of = opened()
    left(told_of, "stop_loss", 10.0, 98.5, at=LATER)
    missed = opened(at=CLOSE + 5 * SECOND)
    left(missed, TIME_STOP, 10.0, 100.5, at=LATER)
    view = rooms()
    view.tracker.begin([View(told_of.id, outcome="sl")])
    assert view.one(NOW + DAY).trade_id == missed.id
    assert view.kept[0].outcome == "max_hold"


def test_an_old_database_beside_a_new_journal_is_not_told_whole():
    for _ in range(3):
        left(opened(), "stop_loss", 10.0, 98.5, at=LATER)
    assert rooms().look(LATER + 8 * DAY) == []


def test_a_restart_on_a_file(tmp_path):
    """Two lives of a bot on one database: each ending is told once, nothing is forgotten."""
    url = f"sqlite:///{tmp_path / 'trades.sqlite'}"
    with trades_in(url):
        first, second = opened(), opened(at=CLOSE + 2 * SECOND)
        view = rooms(price=100.0)
        assert len(view.look()) == 2
        left(first, "stop_loss", 10.0, 98.5, at=LATER)
        assert [state.outcome for state in view.look()] == [None, "sl"]
        views = [
            View(first.id, outcome="sl"),
            View(second.id, opened_at=CLOSE + 2 * SECOND),
        ]
        left(second, "tp1", 4.0, 102.25, at=LATER)
        left(second, "stop_loss", 6.0, 100.0, at=LATER)
    with trades_in(url):
        again = rooms(price=100.0)
        again.tracker.begin(views)
        assert [state.outcome for state in again.look()] == ["break_even"]
        assert again.look() == []


# -------------------------------------------------------------------------------------------- cost


class Statements:
    """Counts what is asked of the database."""

    def __init__(self):
        self.count = 0

    def __call__(self, *_):
        self.count += 1


@pytest.fixture
def statements() -> Iterator[Statements]:
    engine = Trade.session.get_bind()
    counter = Statements()
    event.listen(engine, "before_cursor_execute", counter)
    yield counter
    event.remove(engine, "before_cursor_execute", counter)


def quiet_cost(view: Rooms, statements: Statements) -> int:
    view.look()
    statements.count = 0
    view.look(NOW + SECOND)
    return statements.count


def test_closed_trades_cost_nothing(statements):
    view = rooms(price=100.0)
    opened()
    before = quiet_cost(view, statements)
    for place in range(30):
        left(opened(at=CLOSE + (2 + place) * SECOND), "stop_loss", 10.0, 98.5, at=LATER)
    assert len(view.look()) == 31
    assert quiet_cost(view, statements) == before
    assert before <= 4


def test_orders_of_the_host_are_only_read(statements):
    opened()
    view = rooms(price=100.0)
    view.look()
    before = [(order.order_id, order.status) for order in Order.session.query(Order)]
    view.look(NOW + MINUTE)
    assert not Trade.session.dirty
    assert [(order.order_id, order.status) for order in Order.session.query(Order)] == before
