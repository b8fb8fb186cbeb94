from datetime import timedelta

import pytest

from scalp_strategy.exits import PLAN_KEY, ExitDesk, candle_open, exited
from scalp_strategy.risk import Market, TradePlan
from tests.support.host_stub import (
    CANDLE,
    CLOSE,
    MARKET,
    PAIR,
    desk_of,
    exit_leg,
    fill,
    host_amount,
    opened_trade,
    ordered_trade,
    place,
    signal_pair,
)

pytestmark = pytest.mark.usefixtures("trades_in_memory")

SIDES = ("long", "short")
NEXT = CLOSE + CANDLE


def exit_desk(desk=None, market: Market = MARKET) -> ExitDesk:
    return ExitDesk(desk or desk_of(), lambda pair, price: market)


def decided_desk(side="long", **columns):
    """A desk that approved a trade at 100 with a stop distance of 1.5 at CLOSE."""
    desk = desk_of()
    desk.offer(signal_pair(PAIR, side=side, **columns))
    (decision,) = desk.decide(CLOSE, [PAIR])
    assert decision.is_approved
    return desk


def offered_desk(side="long", **columns):
    """A desk that knows the candles and decided nothing."""
    desk = desk_of()
    desk.offer(signal_pair(PAIR, side=side, **columns))
    return desk


def at_r(side: str, multiple: float) -> float:
    """Return the price at a multiple of the stop distance of 1.5, from an entry at 100."""
    return 100.0 + (1 if side == "long" else -1) * multiple * 1.5


# -------------------------------------------------------------------------------- finding the plan


@pytest.mark.parametrize("side", SIDES)
def test_the_plan_of_the_approved_decision(side):
    desk = decided_desk(side)
    trade = opened_trade(side, at=CLOSE + timedelta(seconds=7))
    assert exit_desk(desk).plan(trade) == desk.approved(PAIR, side, CLOSE).plan


def test_the_plan_is_kept_with_the_trade_and_found_after_a_restart():
    plan = exit_desk(decided_desk()).plan(trade := opened_trade())
    assert TradePlan.from_json(trade.get_custom_data(PLAN_KEY)) == plan
    assert exit_desk().plan(trade) == plan


def test_the_plan_in_memory_outlives_the_decision():
    desk = decided_desk()
    exits = exit_desk(desk)
    trade = opened_trade()
    plan = exits.plan(trade)
    desk.decide(NEXT, [])
    assert exits.plan(trade) == plan


@pytest.mark.parametrize("side", SIDES)
def test_a_lost_plan_is_made_again_from_its_candle(side):
    trade = opened_trade(side, at=CLOSE + timedelta(minutes=3))
    plan = exit_desk(offered_desk(side, atr_14=0.8, stop_factor=0.8)).plan(trade)
    assert (plan.side, plan.price, plan.atr) == (side, 100.0, 0.8)
    assert plan.distance == pytest.approx(0.8 * 1.5 * 0.8)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("columns", [{"atr_14": float("nan")}, {"atr_14": 3.0}, None])
def test_a_trade_nobody_planned_gets_the_widest_stop(side, columns):
    desk = desk_of() if columns is None else offered_desk(side, **columns)
    plan = exit_desk(desk).plan(opened_trade(side, price=50.0))
    assert plan.distance == pytest.approx(1.5)  # 3 % of 50
    assert plan.side == side
    assert plan.price == 50.0


@pytest.mark.parametrize("garbage", ["", "{", "[]", '{"v":1}', '{"v":0}', "null", "NaN"])
def test_a_garbage_plan_is_made_again(garbage):
    trade = opened_trade()
    trade.set_custom_data(PLAN_KEY, garbage)
    plan = exit_desk(offered_desk()).plan(trade)
    assert plan.distance == pytest.approx(1.5)
    assert exit_desk().plan(trade) == plan  # what was made again was kept


@pytest.mark.parametrize("garbage", [7, 0.5, True, {"v": 1}])
def test_garbage_that_is_no_text_is_no_plan_and_hides_no_later_one(garbage):
    """The host keeps the type of a key's first value: a text under it is unreadable."""
    trade = opened_trade()
    trade.set_custom_data(PLAN_KEY, garbage)
    plan = exit_desk(offered_desk()).plan(trade)
    assert exit_desk(offered_desk()).plan(trade) == plan


def test_a_plan_made_before_the_candles_came_gives_way_to_theirs():
    """After a restart the open trades are looked at before any pair is analysed."""
    desk = desk_of()
    exits = exit_desk(desk)
    trade = opened_trade()
    assert exits.plan(trade).distance == pytest.approx(3.0)
    desk.offer(signal_pair(PAIR))
    assert exits.plan(trade).distance == pytest.approx(1.5)


@pytest.mark.parametrize("side", SIDES)
def test_the_plan_is_anchored_to_the_fill(side):
    exits = exit_desk(decided_desk(side))
    trade = opened_trade(side, price=100.2)
    plan = exits.plan(trade)
    assert plan.price == 100.2
    assert plan.distance == pytest.approx(1.5)
    trade.open_rate = 100.3  # another fill
    assert exits.plan(trade).price == 100.3
    assert exit_desk().plan(trade).price == 100.3


def test_two_trades_have_two_plans_and_a_reset_forgets_both():
    exits = exit_desk(decided_desk())
    first, second = opened_trade(), opened_trade(price=50.0)
    assert exits.plan(first).price == 100.0
    assert exits.plan(second).price == 50.0
    exits.reset()
    assert exits.plan(first).price == 100.0


# ---------------------------------------------------------------------------------------- the stop


@pytest.mark.parametrize("side", SIDES)
def test_the_stop_before_and_after_each_target(side):
    desk = decided_desk(side)
    exits, trade = exit_desk(desk), opened_trade(side)
    assert exits.stop(trade, CLOSE) == pytest.approx(at_r(side, -1))
    exit_leg(trade, "tp1", 4.0, at_r(side, 1.5))
    assert exits.stop(trade, CLOSE) == pytest.approx(100.0)
    exit_leg(trade, "tp2", 4.0, at_r(side, 2.5))
    # no candle closed since: the first target
    assert exits.stop(trade, CLOSE) == pytest.approx(at_r(side, 1.5))


@pytest.mark.parametrize("side", SIDES)
def test_the_stop_trails_the_best_close_and_never_goes_back(side):
    sign = 1 if side == "long" else -1
    desk = decided_desk(side)
    exits, trade = exit_desk(desk), opened_trade(side)
    exits.plan(trade)
    exit_leg(trade, "tp1", 4.0, at_r(side, 1.5))
    exit_leg(trade, "tp2", 4.0, at_r(side, 2.5))
    closes = [100 + sign * move for move in (3.0, 5.0, 4.0)]
    desk.offer(signal_pair(PAIR, side=side, at=CLOSE + 3 * CANDLE, close=closes))
    # entry ATR 1: the trail is 1 behind the best close, at least the first target's 2.25
    for candles, offset in ((1, 2.25), (2, 4.0), (3, 4.0)):
        stop = exits.stop(trade, CLOSE + candles * CANDLE)
        assert stop == pytest.approx(100 + sign * offset)
        trade.stop_loss = stop
    trade.stop_loss = 100 + sign * 4.5
    assert exits.stop(trade, CLOSE + 3 * CANDLE) == pytest.approx(100 + sign * 4.5)


def test_a_close_before_the_entry_does_not_trail():
    desk = decided_desk(close=[110.0, 110.0, 100.0])
    exits, trade = exit_desk(desk), opened_trade()
    exit_leg(trade, "tp1", 4.0, 102.25)
    exit_leg(trade, "tp2", 4.0, 103.75)
    assert exits.stop(trade, CLOSE) == pytest.approx(102.25)


@pytest.mark.parametrize("side", SIDES)
def test_a_pending_entry_has_the_planned_stop(side):
    exits, trade = exit_desk(decided_desk(side)), ordered_trade(side)
    assert exits.stop(trade, CLOSE) == pytest.approx(at_r(side, -1))


@pytest.mark.parametrize("side", SIDES)
def test_a_trade_without_a_stop_of_the_host_s_has_the_planned_one(side):
    exits, trade = exit_desk(decided_desk(side)), opened_trade(side)
    trade.stop_loss = 0.0  # the host's "not set yet"
    assert exits.stop(trade, CLOSE) == pytest.approx(at_r(side, -1))


# -------------------------------------------------------------------------------- the exit orders


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("leverage", [1.0, 5.0])
def test_three_orders_close_the_whole_position(side, leverage):
    exits, trade = exit_desk(decided_desk(side)), opened_trade(side, leverage=leverage)
    for tag, amount, multiple in (("tp1", 4.0, 1.5), ("tp2", 4.0, 2.5), ("tp3", 2.0, 4.0)):
        stake, asked = exits.exit_order(trade, 100.0, CLOSE)
        assert asked == tag
        assert host_amount(trade, stake) == amount
        assert exits.target(trade, asked) == pytest.approx(at_r(side, multiple))
        exit_leg(trade, asked, amount, at_r(side, multiple))
    assert exited(trade, "tp3") == 2.0


def test_no_target_for_another_tag():
    exits, trade = exit_desk(decided_desk()), opened_trade()
    assert exits.target(trade, "time_stop") is None
    assert exits.target(trade, "") is None


@pytest.mark.parametrize("side", SIDES)
def test_an_open_target_is_left_alone_until_price_gapped_over_it(side):
    exits, trade = exit_desk(decided_desk(side)), opened_trade(side)
    place(trade, trade.exit_side, 4.0, at_r(side, 1.5), "tp1")
    assert exits.exit_order(trade, at_r(side, 1.0), CLOSE) == (None, "")
    assert exits.exit_order(trade, at_r(side, 1.5), CLOSE) == (None, "")
    stake, tag = exits.exit_order(trade, at_r(side, 1.6), CLOSE)
    assert (host_amount(trade, stake), tag) == (4.0, "tp1")


@pytest.mark.parametrize("rate", [100.0, 110.0])
def test_no_exit_while_an_entry_order_is_open(rate):
    exits = exit_desk(decided_desk())
    assert exits.exit_order(ordered_trade(), rate, CLOSE) == (None, "")
    trade = opened_trade()
    place(trade, trade.entry_side, 1.0, 100.0)
    assert exits.exit_order(trade, rate, CLOSE) == (None, "")


def test_a_stop_order_on_the_exchange_does_not_hinder_a_target():
    exits, trade = exit_desk(decided_desk()), opened_trade()
    place(trade, "stoploss", 10.0, 98.5)
    assert exits.exit_order(trade, 100.0, CLOSE)[1] == "tp1"


@pytest.mark.parametrize("side", SIDES)
def test_a_target_filled_in_part_is_ordered_to_its_end_before_the_stop_moves(side):
    exits, trade = exit_desk(decided_desk(side)), opened_trade(side)
    order = place(trade, trade.exit_side, 4.0, at_r(side, 1.5), "tp1")
    fill(trade, order, 1.5)
    assert trade.amount == 8.5
    assert exits.stop(trade, CLOSE) == pytest.approx(at_r(side, -1))
    stake, tag = exits.exit_order(trade, 100.0, CLOSE)
    assert (host_amount(trade, stake), tag) == (2.5, "tp1")
    exit_leg(trade, tag, 2.5, at_r(side, 1.5))
    assert exits.stop(trade, CLOSE) == pytest.approx(100.0)
    stake, tag = exits.exit_order(trade, 100.0, CLOSE)
    assert (host_amount(trade, stake), tag) == (4.0, "tp2")


def test_an_order_cancelled_unfilled_is_placed_again():
    exits, trade = exit_desk(decided_desk()), opened_trade()
    fill(trade, place(trade, "sell", 4.0, 102.25, "tp1"), 0.0)
    stake, tag = exits.exit_order(trade, 100.0, CLOSE)
    assert (host_amount(trade, stake), tag) == (4.0, "tp1")


def test_an_exit_of_another_kind_is_no_target():
    exits, trade = exit_desk(decided_desk()), opened_trade()
    exit_leg(trade, "force_exit", 4.0, 101.0)
    assert exits.stop(trade, CLOSE) == pytest.approx(98.5)
    stake, tag = exits.exit_order(trade, 100.0, CLOSE)
    assert (host_amount(trade, stake), tag) == (4.0, "tp1")


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        # least leg: 1.5 * 5 / 98.5 = 0.0761
        (0.39, [("tp1", 0.156), ("tp2", 0.156), ("tp3", 0.078)]),
        (0.3, [("tp1", 0.12), ("tp2", 0.18)]),
        (0.15, [("tp2", 0.15)]),
        (0.02, [("tp2", 0.02)]),
    ],
)
def test_legs_too_small_to_trade_are_merged(amount, expected):
    exits, trade = exit_desk(decided_desk()), opened_trade(amount=amount)
    for tag, part in expected:
        stake, asked = exits.exit_order(trade, 100.0, CLOSE)
        assert (host_amount(trade, stake), asked) == (part, tag)
        if (tag, part) != expected[-1]:
            exit_leg(trade, tag, part, 102.0)


# ------------------------------------------------------------------------------------ the time stop


@pytest.mark.parametrize("seconds_after_open", [0, 1, 899])
def test_the_time_is_up_eight_candles_after_the_first_one_opened(seconds_after_open):
    exits = exit_desk(decided_desk())
    trade = opened_trade(at=CLOSE + timedelta(seconds=seconds_after_open))
    end = CLOSE + 8 * CANDLE
    assert not exits.is_time_up(trade, end - timedelta(seconds=1))
    assert exits.exit_order(trade, 100.0, end - timedelta(seconds=1))[1] == "tp1"
    assert exits.is_time_up(trade, end)
    assert exits.exit_order(trade, 100.0, end) == (None, "")
    assert exits.exit_order(trade, 200.0, end) == (None, "")


@pytest.mark.parametrize(("minute", "opened"), [(0, 0), (14, 0), (15, 15), (44, 30), (59, 45)])
def test_the_candle_that_holds_a_moment(minute, opened):
    moment = CLOSE.replace(minute=minute, second=59, microsecond=999_999)
    assert candle_open(moment) == CLOSE.replace(minute=opened)
