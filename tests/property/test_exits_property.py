"""The ladder through Freqtrade's own arithmetic: stops land on the tick, legs on the step."""

import math
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scalp_strategy.analysed import AnalysedPair
from scalp_strategy.exits import ExitDesk
from scalp_strategy.risk import Market, price_to_tick
from tests.support.host_stub import (
    CANDLE,
    CLOSE,
    PAIR,
    analysed_frame,
    desk_of,
    exit_leg,
    fill,
    host_amount,
    opened_trade,
    place,
    signal_pair,
    without_database,
)

sides = st.sampled_from(["long", "short"])
leverages = st.sampled_from([1.0, 2.0, 3.0, 5.0])
# (price, tick): from a coin of a hundred-thousandth to one of a hundred thousand
prices = st.one_of(
    st.tuples(st.integers(1_000, 99_999), st.sampled_from([1e-8, 1e-7, 1e-5, 1e-4, 0.01, 0.1])),
    st.tuples(st.integers(2_000, 20_000), st.sampled_from([0.05, 0.0005, 0.5])),
).map(lambda pair: (price_to_tick(pair[0] * pair[1], pair[1], "long", "target"), pair[1]))
steps = st.sampled_from([1e-5, 0.001, 0.1, 1.0, 10.0])


def market(tick: float = 0.01, step: float = 0.001, contract_size: float = 1.0) -> Market:
    return Market(
        is_futures=True,
        min_notional=0.0,
        amount_step=step,
        price_tick=tick,
        max_leverage=50.0,
        contract_size=contract_size,
    )


def ladder(side: str, price: float, atr: float, rules: Market, **options):
    """Return the exit desk and a trade opened at `price`, planned from its candle."""
    desk = desk_of()
    desk.offer(signal_pair(PAIR, side=side, close=price, atr_14=atr))
    exits = ExitDesk(desk, lambda pair, rate: rules)
    return desk, exits, opened_trade(side, price, market=rules, **options)


def host_moves_stop(exits: ExitDesk, trade, rate: float, now=CLOSE) -> None:
    """Do with the answer what the host does: 0 and None leave the stop where it is."""
    ratio = exits.stop_ratio(trade, rate, now)
    if ratio:
        assert math.isfinite(ratio)
        trade.adjust_stop_loss(rate, ratio)


def is_on_tick(price: float, tick: float) -> bool:
    return math.isclose(price / tick, round(price / tick), rel_tol=1e-9)


@given(prices, sides, leverages, st.floats(0.002, 0.019), st.floats(-0.9, 3.0))
def test_the_stop_lands_on_its_tick(priced, side, leverage, atr_ratio, rate_r):
    price, tick = priced
    sign = 1 if side == "long" else -1
    with without_database():
        _, exits, trade = ladder(side, price, price * atr_ratio, market(tick), leverage=leverage)
        plan = exits.plan(trade)
        rate = price_to_tick(plan.at_r(rate_r), tick, side, "target")
        meant = price_to_tick(plan.stop, tick, side, "stop")
        assume(sign * (rate - meant) > tick)
        host_moves_stop(exits, trade, rate)
        assert trade.stop_loss == pytest.approx(meant, abs=tick * 1e-3)
        assert is_on_tick(trade.stop_loss, tick)
        assert exits.stop_ratio(trade, rate, CLOSE) is None


@given(prices, sides, leverages, st.floats(0.002, 0.019))
def test_every_stage_s_stop_lands_on_its_tick(priced, side, leverage, atr_ratio):
    price, tick = priced
    with without_database():
        _, exits, trade = ladder(side, price, price * atr_ratio, market(tick), leverage=leverage)
        plan = exits.plan(trade)
        for tag, reached_r, stop_r in (("tp1", 1.5, 0.0), ("tp2", 2.5, 1.5)):
            target = exits.target(trade, tag)
            exit_leg(trade, tag, exits.legs(trade, plan)[int(tag[-1]) - 1].amount, target)
            host_moves_stop(exits, trade, plan.at_r(reached_r + 0.4))
            meant = price_to_tick(plan.at_r(stop_r), tick, side, "stop")
            assert trade.stop_loss == pytest.approx(meant, abs=tick * 1e-3)


@given(prices, sides, leverages, st.integers(0, 50))
def test_a_stop_that_price_has_passed_makes_the_host_exit_at_once(priced, side, leverage, beyond):
    price, tick = priced
    sign = 1 if side == "long" else -1
    with without_database():
        _, exits, trade = ladder(side, price, price * 0.005, market(tick), leverage=leverage)
        rate = round(exits.stop(trade, CLOSE) / tick) * tick - sign * beyond * tick
        ratio = exits.stop_ratio(trade, rate, CLOSE)
        assert ratio > 0
        trade.adjust_stop_loss(rate, ratio)
        assert sign * (trade.stop_loss - rate) >= -tick * 1e-3


@given(sides, st.lists(st.floats(90, 110), min_size=1, max_size=10), st.integers(0, 2))
def test_the_stop_never_moves_back(side, closes, filled):
    sign = 1 if side == "long" else -1
    with without_database():
        desk, exits, trade = ladder(side, 100.0, 1.0, market())
        plan = exits.plan(trade)
        for leg in exits.legs(trade, plan)[:filled]:
            exit_leg(trade, leg.tag, leg.amount, plan.at_r(leg.target_r))
        end = CLOSE + CANDLE * len(closes)
        desk.offer(AnalysedPair(PAIR, analysed_frame([100.0, *closes], end), desk.settings))
        stops = []
        for index, close in enumerate(closes, start=1):
            now = CLOSE + CANDLE * index
            host_moves_stop(exits, trade, close, now)
            stops.append(exits.stop(trade, now))
        assert all(sign * (after - before) >= 0 for before, after in pairwise(stops))
        best = max(sign * close for close in closes)
        known = plan.stop if not filled else (plan.price if filled == 1 else plan.targets[0])
        wanted = max(sign * known, best - 1.0) if filled == 2 else sign * known
        assert sign * stops[-1] >= wanted - 0.011


@given(
    st.integers(1, 5_000_000),
    steps,
    st.sampled_from([1.0, 0.01, 10.0]),
    sides,
    leverages,
)
def test_the_host_s_arithmetic_gives_the_exact_legs(count, step, contract_size, side, leverage):
    rules = market(step=step, contract_size=contract_size)
    amount = round(count * step * contract_size, 8)
    with without_database():
        _, exits, trade = ladder(side, 100.0, 1.0, rules, amount=amount, leverage=leverage)
        legs = exits.legs(trade, exits.plan(trade))
        for leg in legs:
            stake, tag = exits.exit_order(trade, 100.0, CLOSE)
            assert tag == leg.tag
            closed = host_amount(trade, stake)
            assert closed == pytest.approx(leg.amount, abs=rules.step * 1e-6)
            exit_leg(trade, tag, closed, exits.target(trade, tag))
        assert math.fsum(o.filled for o in trade.orders[1:]) == pytest.approx(amount)
        assert len(trade.orders) == 1 + len(legs)


@given(st.integers(10, 100_000), st.lists(st.floats(0, 1), min_size=1, max_size=8), sides)
def test_partial_fills_add_up_to_the_legs(count, shares, side):
    """Orders cancelled half-way: each leg is finished before the next, nothing is closed twice."""
    step = 0.001
    amount = round(count * step, 3)
    with without_database():
        _, exits, trade = ladder(side, 100.0, 1.0, market(step=step), amount=amount)
        legs = exits.legs(trade, exits.plan(trade))
        for share in shares:
            order = ask(exits, trade)
            fill(trade, order, round(math.floor(share * round(order.amount / step)) * step, 3))
            if math.fsum(done.filled for done in trade.orders[1:]) > amount - step / 2:
                return  # all out: the host closes the trade
        remaining = {leg.tag: leg.amount for leg in legs}
        for order in trade.orders[1:]:
            remaining[order.ft_order_tag] -= order.filled
        assert all(left > -step * 1e-6 for left in remaining.values())
        is_waiting = [left > step / 2 for left in remaining.values()]
        if any(is_waiting):
            assert exits.exit_order(trade, 100.0, CLOSE)[1] == legs[is_waiting.index(True)].tag


def ask(exits: ExitDesk, trade):
    stake, tag = exits.exit_order(trade, 100.0, CLOSE)
    return place(trade, trade.exit_side, host_amount(trade, stake), 100.0, tag)
