"""What must hold for every plan, size and ladder, whatever the market does."""

import math
from itertools import accumulate

import numpy as np
import pytest
from ccxt.base.decimal_to_precision import TICK_SIZE, TRUNCATE, decimal_to_precision
from hypothesis import assume, given
from hypothesis import strategies as st

from scalp_strategy.contract import sign_of
from scalp_strategy.risk import (
    AccountView,
    Candles,
    LadderOutcome,
    Market,
    PositionSize,
    TradePlan,
    current_stop,
    exit_fraction,
    liquidation_price,
    merged_legs,
    next_leg,
    position_size,
    price_to_tick,
    replay,
    stop_distance,
    trade_plan,
)
from scalp_strategy.setting_groups.risk import RiskSettings, SizingSettings

SETTINGS = RiskSettings()
ROUNDING = 1e-9

sides = st.sampled_from(["long", "short"])
steps = st.sampled_from([1e-6, 0.001, 0.1, 0.5, 1.0, 10.0])


@st.composite
def plans(draw, side=sides):
    price = draw(st.floats(1e-6, 1e6))
    atr_ratio = draw(st.floats(1e-5, 0.0199))
    plan = trade_plan(draw(side), price, price * atr_ratio, SETTINGS)
    assert isinstance(plan, TradePlan)
    return plan


@st.composite
def markets(draw):
    return Market(
        is_futures=draw(st.booleans()),
        min_notional=draw(st.floats(0.0, 100.0)),
        amount_step=draw(steps),
        price_tick=0.01,
        max_leverage=draw(st.floats(1.0, 125.0)),
        contract_size=draw(st.sampled_from([1.0, 0.01, 10.0])),
        maintenance_margin_ratio=draw(st.floats(0.0, 0.5)),
    )


sizings = st.builds(
    SizingSettings,
    risk_per_trade_pct=st.floats(0.1, 10.0),
    max_heat_pct=st.floats(1.0, 20.0),
    heat_basis=st.sampled_from(["risk", "exposure"]),
    min_heat_share=st.floats(0.0, 1.0),
    max_leverage=st.floats(1.0, 50.0),
    leverage_step=st.sampled_from([0.1, 0.5, 1.0, 2.0]),
    liquidation_buffer=st.floats(0.0, 3.0),
)


@st.composite
def requests(draw):
    """Arguments of `position_size`; the account is large enough for most to be granted."""
    plan, market = draw(plans()), draw(markets())
    least = 1.6 * market.min_notional + plan.price * market.step
    equity = least * 10 ** draw(st.floats(0.5, 6.0))
    shares = draw(st.tuples(st.floats(0.05, 1.0), st.floats(0.0, 0.05), st.floats(0.0, 0.05)))
    account = AccountView(equity, *(equity * share for share in shares), open_positions=1)
    return {
        "plan": plan,
        "score": draw(st.floats(65.0, 100.0)),
        "account": account,
        "market": market,
        "settings": RiskSettings(sizing=draw(sizings)),
        "size_factor": draw(st.floats(0.1, 1.0)),
        "max_positions": draw(st.integers(1, 10)),
    }


@given(request=requests())
def test_a_size_respects_every_limit(request):
    size = position_size(**request)
    assume(isinstance(size, PositionSize))
    plan, account, market = request["plan"], request["account"], request["market"]
    sizing, score, max_positions = (
        request["settings"].sizing,
        request["score"],
        request["max_positions"],
    )
    more = 1 + ROUNDING
    loss_at_stop = abs(plan.price - plan.stop) * size.amount
    share = 1.0 if score >= 85 else 0.75 if score >= 75 else 0.5
    intended = account.equity * sizing.risk_per_trade_pct / 100 * share * request["size_factor"]
    assert loss_at_stop <= intended * (1 + 1e-6)  # entry - stop loses digits at tight stops
    assert size.risk_quote <= intended * more

    heat = account.open_risk if sizing.heat_basis == "risk" else account.open_exposure
    new_heat = size.risk_quote if sizing.heat_basis == "risk" else size.notional
    assert heat + new_heat <= account.equity * sizing.max_heat_pct / 100 * more

    assert size.stake <= account.equity / max_positions * more
    assert size.stake <= account.free_balance * more
    assert size.stake * size.leverage == pytest.approx(size.notional)
    assert 1.0 <= size.leverage <= max(1.0, min(sizing.max_leverage, market.max_leverage)) * more
    assert size.amount / market.step == pytest.approx(round(size.amount / market.step), rel=1e-9)
    if market.is_futures:
        liquidation = liquidation_price(
            plan.side, plan.price, size.leverage, market.maintenance_margin_ratio
        )
        beyond = sign_of(plan.side) * (plan.stop - liquidation)
        assert beyond >= plan.distance * sizing.liquidation_buffer - plan.price * ROUNDING
    else:
        assert size.leverage == 1.0


@given(plan=plans(), market=markets(), steps_held=st.integers(1, 10_000_000))
def test_legs_sum_to_the_amount_and_keep_the_minimum(plan, market, steps_held):
    amount = steps_held * market.step
    legs = merged_legs(plan, amount, market, SETTINGS)
    counts = [leg.amount / market.step for leg in legs]
    assert counts == pytest.approx([round(count) for count in counts], rel=1e-9)
    assert sum(round(count) for count in counts) == steps_held
    assert [leg.is_last for leg in legs] == [False] * (len(legs) - 1) + [True]
    if len(legs) > 1:
        least = 1.5 * market.min_notional
        prices = (plan.price, plan.stop, *plan.targets)
        for leg in legs:
            assert leg.amount > 0
            assert min(prices) * leg.amount >= least * (1 - ROUNDING)


@given(plan=plans(), step=steps, steps_held=st.integers(1, 1_000_000), stake=st.floats(10, 1e5))
def test_the_host_closes_exactly_the_legs(plan, step, steps_held, stake):
    """Hand fractions to the host as stake; it turns them to amounts and truncates to the step."""
    amount = float(decimal_to_precision(steps_held * step, TRUNCATE, step, TICK_SIZE))
    legs = merged_legs(plan, amount, Market(True, 0.0, step, 0.01), SETTINGS)
    remaining, filled = amount, []
    while leg := next_leg(legs, filled):
        stake_out = stake * exit_fraction(leg, remaining, step)
        wanted = stake_out * remaining / stake
        closed = float(decimal_to_precision(wanted, TRUNCATE, step, TICK_SIZE))
        if leg.is_last:
            assert wanted == pytest.approx(remaining, rel=1e-12)
            closed = remaining
        assert closed == pytest.approx(leg.amount, rel=1e-9)
        stake *= 1 - closed / remaining
        remaining -= closed
        filled.append(leg.tag)
    assert remaining == 0


@given(plan=plans())
def test_json_round_trip_is_exact(plan):
    assert TradePlan.from_json(plan.to_json()) == plan


@given(plan=plans(), ratio=st.floats(0.99, 1.01))
def test_anchoring_is_reversible_and_keeps_money_per_unit(plan, ratio):
    moved = plan.anchored(plan.price * ratio)
    assert moved.anchored(plan.price) == plan
    assert moved.stop - moved.price == pytest.approx(plan.stop - plan.price, abs=plan.price * 1e-9)


@given(
    atr=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=20),
    price=st.floats(1e-6, 1e6) | st.just(math.nan),
    factor=st.floats(0.5, 2.0),
)
def test_stop_distances_are_within_range_or_unknown(atr, price, factor):
    prices = np.full(len(atr), price)
    distance = stop_distance(np.array(atr), prices, SETTINGS, factor)
    assert distance.shape == prices.shape
    known = distance[~np.isnan(distance)] / price
    assert ((known >= 0.003 * (1 - ROUNDING)) & (known <= 0.03 * (1 + ROUNDING))).all()
    single = [stop_distance(value, price, SETTINGS, factor) for value in atr]
    np.testing.assert_array_equal(distance, single)


@given(price=st.floats(0.01, 1e5), tick=st.sampled_from([1e-4, 0.01, 0.05, 0.5, 2.5]), side=sides)
def test_ticks_are_towards_the_entry(price, tick, side):
    stop = price_to_tick(price, tick, side, "stop")
    target = price_to_tick(price, tick, side, "target")
    near = tick * ROUNDING + price * 1e-10
    for rounded, sign in ((stop, sign_of(side)), (target, -sign_of(side))):
        assert -near <= sign * (rounded - price) < tick + near
        assert rounded / tick == pytest.approx(round(rounded / tick), rel=1e-9)


@given(
    plan=plans(),
    moves=st.lists(
        st.tuples(st.sampled_from(["tp1", "tp2", "tp3", "entry"]), st.floats(-0.2, 0.2)),
        max_size=12,
    ),
)
def test_the_stop_never_moves_back(plan, moves):
    sign = sign_of(plan.side)
    stop, filled, closes = plan.stop, [], []
    for tag, change in moves:
        filled.append(tag)
        closes.append(plan.price * (1 + change))
        best = sign * max(sign * close for close in closes)
        moved = current_stop(plan, filled, best, SETTINGS, stop)
        assert sign * moved >= sign * stop
        stop = moved


# Prices on a grid of quarters, 1 R = 8: every level is exact, so that "touched" is never a matter
# of rounding.
ENTRY, DISTANCE = 1024.0, 8.0


@st.composite
def paths(draw):
    rows = draw(st.integers(1, 40))
    quarter = st.integers(-24, 24)
    opens_at = draw(st.lists(quarter, min_size=rows, max_size=rows))
    moves = draw(st.lists(quarter, min_size=rows, max_size=rows))
    wick = st.integers(0, 12) | st.integers(0, 80)
    wicks = draw(st.lists(st.tuples(wick, wick), min_size=rows, max_size=rows))
    closes = list(accumulate(moves, initial=0))[1:]
    opens = [0, *(close + gap // 6 for close, gap in zip(closes, opens_at[1:], strict=False))]
    body = np.array([opens, closes]) / 4 + ENTRY
    high = body.max(axis=0) + np.array([up for up, _ in wicks]) / 4
    low = body.min(axis=0) - np.array([down for _, down in wicks]) / 4
    return body[0], high, low, body[1]


def played(side, path, market, cost=0.0015) -> LadderOutcome:
    plan = TradePlan(side, ENTRY, 6.0, DISTANCE, (1.5, 2.5, 4.0), (0.4, 0.4, 0.2), 0.003, False)
    legs = merged_legs(plan, 10.0, market, SETTINGS)
    return replay(plan, legs, Candles(*path, 5, 15), cost, SETTINGS)


@given(path=paths())
def test_a_short_is_the_mirror_of_a_long(path):
    opened, high, low, close = path
    mirrored = tuple(2 * ENTRY - prices for prices in (opened, low, high, close))
    market = Market(True, 0.0, 0.001, 0.01)
    long, short = played("long", path, market), played("short", mirrored, market)
    assert [(e.index, 2 * ENTRY - e.price, e.amount, e.tag) for e in long.exits] == [
        (e.index, e.price, e.amount, e.tag) for e in short.exits
    ]
    assert long.exit_reason == short.exit_reason
    assert long.was_ambiguous == short.was_ambiguous
    assert long.gross_r == pytest.approx(short.gross_r, nan_ok=True, abs=1e-12)


@given(path=paths(), side=sides, min_notional=st.sampled_from([0.0, 2000.0, 4000.0]))
def test_a_replayed_trade_is_consistent(path, side, min_notional):
    outcome = played(side, path, Market(True, min_notional, 0.001, 0.01))
    closed = sum(exit_.amount for exit_ in outcome.exits)
    indices = [exit_.index for exit_ in outcome.exits]
    assert indices == sorted(indices)
    if outcome.exit_reason == "unresolved":
        assert math.isnan(outcome.net_r)
        assert closed < 10.0
        return
    assert closed == pytest.approx(10.0)
    assert outcome.exits[-1].tag == outcome.exit_reason
    assert indices[-1] <= 24
    for exit_ in outcome.exits:
        assert path[2][exit_.index] <= exit_.price <= path[1][exit_.index] or exit_.tag in {
            "tp1",
            "tp2",
            "tp3",
        }
    assert outcome.net_r < outcome.gross_r <= 2.5
    # two sides of 0.15 % on a price within a quarter of the entry, in units of 8
    assert outcome.gross_r - outcome.net_r == pytest.approx(0.003 * ENTRY / DISTANCE, rel=0.25)


@given(path=paths(), side=sides)
def test_the_future_does_not_change_the_past(path, side):
    market = Market(True, 0.0, 0.001, 0.01)
    whole = played(side, path, market)
    rows = len(path[0])
    cut = played(side, tuple(prices[: rows // 2] for prices in path), market)
    assert cut.exits == tuple(exit_ for exit_ in whole.exits if exit_.index < rows // 2)
