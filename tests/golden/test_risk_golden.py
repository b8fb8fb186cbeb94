"""Plan, size and replay against hand calculations; each test shows its arithmetic."""

import numpy as np
import pytest

from scalp_strategy.risk import (
    AccountView,
    Candles,
    LadderOutcome,
    Market,
    PositionSize,
    Rejection,
    TradePlan,
    liquidation_price,
    merged_legs,
    position_size,
    replay,
    trade_plan,
)
from scalp_strategy.setting_groups.risk import RiskSettings, SizingSettings

SETTINGS = RiskSettings()
FUTURES = Market(True, 5.0, 0.001, 0.01, max_leverage=125.0, maintenance_margin_ratio=0.01)
SPOT = Market(False, 5.0, 0.001, 0.01)


def planned(side="long", price=100.0, atr=1.6, settings=SETTINGS) -> TradePlan:
    """atr 1.6 * 1.5 = 2.4 stop distance, 2.4 % of 100."""
    plan = trade_plan(side, price, atr, settings)
    assert isinstance(plan, TradePlan)
    return plan


def account(equity=10_000.0, free=None, risk=0.0, exposure=0.0) -> AccountView:
    return AccountView(equity, equity if free is None else free, risk, exposure, 0)


def sized(plan=None, score=90.0, view=None, market=FUTURES, settings=SETTINGS) -> PositionSize:
    size = position_size(
        plan or planned(), score, view or account(), market, settings, max_positions=5
    )
    assert isinstance(size, PositionSize), size
    return size


def refused(plan=None, score=90.0, view=None, market=FUTURES, settings=SETTINGS) -> Rejection:
    size = position_size(
        plan or planned(), score, view or account(), market, settings, max_positions=5
    )
    assert isinstance(size, Rejection), size
    return size


# ------------------------------------------------------------------------------------------ plan


def test_plan_long():
    plan = planned("long", 100.0, 0.6)
    # 0.6 * 1.5 = 0.9; 100 - 0.9; 100 + 0.9 * 1.5 / 2.5 / 4
    assert plan.distance == pytest.approx(0.9)
    assert plan.stop == pytest.approx(99.1)
    assert plan.targets == pytest.approx((101.35, 102.25, 103.6))
    assert plan.sl_pct == pytest.approx(0.9)
    assert not plan.is_floored


def test_plan_short():
    plan = planned("short", 100.0, 0.6)
    assert plan.stop == pytest.approx(100.9)
    assert plan.targets == pytest.approx((98.65, 97.75, 96.4))


@pytest.mark.parametrize(
    ("fee_pct", "slippage_pct", "cost_r", "net_rr"),
    [
        # 2 * 0.15 % of 100 = 0.30; 0.30 / 0.9; (2.25 - 0.30) / (0.9 + 0.30) = 1.95 / 1.20
        (0.10, 0.05, 0.30 / 0.9, 1.625),
        # 2 * 0.07 % of 100 = 0.14; (2.25 - 0.14) / (0.9 + 0.14) = 2.11 / 1.04
        (0.05, 0.02, 0.14 / 0.9, 2.11 / 1.04),
        # 2 * 0.02 % of 100 = 0.04; (2.25 - 0.04) / (0.9 + 0.04) = 2.21 / 0.94
        (0.02, 0.00, 0.04 / 0.9, 2.21 / 0.94),
    ],
)
def test_plan_costs(fee_pct, slippage_pct, cost_r, net_rr):
    settings = RiskSettings(fee_pct=fee_pct, slippage_pct=slippage_pct)
    plan = planned("long", 100.0, 0.6, settings)
    assert plan.gross_rr == 2.5
    assert plan.cost_r == pytest.approx(cost_r)
    assert plan.net_rr == pytest.approx(net_rr)


def test_plan_floor_moves_stop_targets_and_cost():
    plan = planned("long", 50_000.0, 60.0)
    # 60 * 1.5 = 90 is 0.18 %; floor 0.3 % of 50,000 = 150; cost 0.3 % of 50,000 = 150 = 1 R
    assert plan.is_floored
    assert plan.distance == pytest.approx(150.0)
    assert plan.stop == pytest.approx(49_850.0)
    assert plan.targets == pytest.approx((50_225.0, 50_375.0, 50_600.0))
    assert plan.sl_pct == pytest.approx(0.3)
    assert plan.cost_r == pytest.approx(1.0)
    assert plan.net_rr == pytest.approx((375.0 - 150.0) / (150.0 + 150.0))


def test_plan_too_wide():
    # 2.2667 * 1.5 = 3.4 % of 100; 2.0 * 1.5 = 3.0 % is the last that is allowed
    rejection = trade_plan("long", 100.0, 3.4 / 1.5, SETTINGS)
    assert rejection == Rejection("stop 3.4 % is wider than the 3 % allowed", "stop_too_wide")
    assert planned("long", 100.0, 2.0).distance == 3.0


def test_plan_choppy_factor():
    # 1.6 * 1.5 * 0.8 = 1.92
    plan = trade_plan("short", 100.0, 1.6, SETTINGS, factor=SETTINGS.choppy_stop_factor)
    assert isinstance(plan, TradePlan)
    assert plan.stop == pytest.approx(101.92)


# ------------------------------------------------------------------------------------------ size


@pytest.mark.parametrize(
    ("score", "risk", "notional", "leverage"),
    [
        # 1.5 % of 10,000 = 150 * share; / 0.024; margin cap 10,000 / 5 = 2,000 -> ceil
        (85, 150.0, 6_250.0, 4.0),
        (84, 112.5, 4_687.5, 3.0),
        (75, 112.5, 4_687.5, 3.0),
        (74, 75.0, 3_125.0, 2.0),
        (65, 75.0, 3_125.0, 2.0),
    ],
)
def test_size_by_score(score, risk, notional, leverage):
    size = sized(score=score)
    assert size.risk_quote == pytest.approx(risk)
    assert size.risk_pct == pytest.approx(risk / 100)
    assert size.notional == pytest.approx(notional)
    assert size.size_pct == pytest.approx(notional / 100)
    assert size.leverage == leverage
    assert size.stake == pytest.approx(notional / leverage)
    assert size.amount == pytest.approx(notional / 100)
    assert size.limited_by == "risk"


def test_size_below_the_last_tier():
    assert refused(score=64).code == "score"


def test_size_limited_by_leverage():
    # 150 / 0.009 = 16,667 needs 8.3x of 2,000; at 5x 10,000 -> amount 100, at the stop 100 * 0.9
    size = sized(planned("long", 100.0, 0.6))
    assert (size.leverage, size.amount, size.limited_by) == (5.0, 100.0, "leverage")
    assert size.stake == pytest.approx(2_000.0)
    assert size.risk_quote == pytest.approx(90.0)


def test_size_limited_by_the_markets_leverage():
    # the market allows 2.5x, whole steps 2x: 4,000 -> amount 40, at the stop 40 * 2.4 = 96
    size = sized(market=Market(True, 5.0, 0.001, 0.01, max_leverage=2.5))
    assert (size.leverage, size.amount, size.limited_by) == (2.0, 40.0, "leverage")
    assert size.risk_quote == pytest.approx(96.0)


def test_heat_reduces():
    # 6 % of 10,000 = 600; 600 - 480 = 120 left; 120 / 0.024 = 5,000; 2.5x -> 3x
    size = sized(view=account(risk=480.0))
    assert size.risk_quote == pytest.approx(120.0)
    assert size.amount == pytest.approx(50.0)
    assert (size.leverage, size.limited_by) == (3.0, "heat")


def test_heat_rejects_under_a_sixth():
    # 600 / 6 = 100 must be left for a trade that shrinks; 100 / 2.4 = 41.667, to steps 41.666
    assert sized(view=account(risk=500.0)).amount == 41.666
    rejection = refused(view=account(risk=501.0))
    assert rejection.code == "heat"
    assert rejection.reason == "0.99 % of the 6 % portfolio heat is left, 1.00 % needed"


def test_heat_keeps_what_fits_whole():
    # 99 left, 75 wanted: nothing to shrink
    size = sized(score=65, view=account(risk=501.0))
    assert (size.risk_quote, size.limited_by) == (pytest.approx(75.0), "risk")


def test_heat_as_exposure():
    settings = RiskSettings(sizing=SizingSettings(heat_basis="exposure"))
    # 2 % of 6 % used: 4 % = 400 -> amount 4, at the stop 4 * 2.4
    size = sized(view=account(exposure=200.0), settings=settings)
    assert (size.size_pct, size.limited_by) == (pytest.approx(4.0), "heat")
    assert size.risk_quote == pytest.approx(9.6)
    # 5.01 % used: 0.99 % is under the 1.0 of the rule
    assert refused(view=account(exposure=501.0), settings=settings).code == "heat"


@pytest.mark.parametrize("side", ["long", "short"])
def test_liquidation_limits_leverage(side):
    settings = RiskSettings(sizing=SizingSettings(max_leverage=50.0))
    # usable 200 * 0.99 = 198; 6,250 / 198 = 31.6x wanted; safe: 1 / (0.024 * 1.5 + 0.01) = 21.7
    size = sized(planned(side), view=account(free=200.0), settings=settings)
    assert (size.leverage, size.limited_by) == (21.0, "liquidation")
    assert size.amount == pytest.approx(41.58)  # 198 * 21 / 100
    # 100 * (1/21 - 0.01) = 3.762 and 100 * (1/22 - 0.01) = 3.545; needed 2.4 * 1.5 = 3.6
    away = [abs(100 - liquidation_price(side, 100.0, leverage, 0.01)) for leverage in (21, 22)]
    assert away == pytest.approx([3.7619, 3.5455], abs=1e-4)
    assert away[1] < 3.6 <= away[0]


def test_liquidation_rejects():
    # 0.024 * 1.5 + 0.97 = 1.006 of the price: not even unleveraged
    market = Market(True, 5.0, 0.001, 0.01, max_leverage=20.0, maintenance_margin_ratio=0.97)
    assert refused(market=market).code == "liquidation"


def test_spot_caps():
    # 6,250 wanted, 10,000 / 5 = 2,000 a position; with 1,000 free 99 % of it
    size = sized(market=SPOT)
    assert (size.leverage, size.amount, size.limited_by) == (1.0, 20.0, "margin per position")
    size = sized(market=SPOT, view=account(free=1_000.0))
    assert (size.leverage, size.amount, size.limited_by) == (1.0, 9.9, "free balance")
    assert refused(market=SPOT, view=account(free=0.0)).code == "free_balance"


@pytest.mark.parametrize(
    ("equity", "legs"),
    [
        # least 1.5 * 5 = 7.50, valued at the stop 97.6
        # 0.4 * 97.6 = 39.0, 39.0, 19.5
        (500.0, [("tp1", 0.4), ("tp2", 0.4), ("tp3", 0.2)]),
        # 0.2: last leg 0.04 * 97.6 = 3.9 -> 0.08 * 97.6 = 7.81 and 0.12 * 97.6 = 11.7
        (100.0, [("tp1", 0.08), ("tp2", 0.12)]),
        # 0.16: 0.064 * 97.6 = 6.2 -> one leg, 15.6
        (80.0, [("tp2", 0.16)]),
    ],
)
def test_legs_merge_at_the_minimum(equity, legs):
    size = sized(view=account(equity), market=SPOT)
    assert [(leg.tag, leg.amount) for leg in size.legs] == legs
    assert [leg.is_last for leg in size.legs] == [False] * (len(legs) - 1) + [True]


def test_below_the_minimum_is_rejected_not_rounded_up():
    # equity 38 / 5 = 7.60 -> 0.076 * 97.6 = 7.42 < 7.50, although 0.076 * 100 = 7.60
    rejection = refused(view=account(38.0), market=SPOT)
    assert rejection.code == "minimum"
    assert "7.60" in rejection.reason
    assert "7.50" in rejection.reason


def test_coarse_amount_step():
    # 62.5 floors to 60: 4 % lost; with a step of 40 to 40: 36 % lost
    size = sized(market=Market(True, 5.0, 10.0, 0.01, max_leverage=125.0))
    assert (size.amount, size.limited_by) == (60.0, "risk")
    size = sized(market=Market(True, 5.0, 4.0, 0.01, max_leverage=125.0, contract_size=10.0))
    assert (size.amount, size.limited_by, size.leverage) == (40.0, "amount step", 2.0)


# ---------------------------------------------------------------------------------------- replay
# Entry 100, 1 R = 1, ATR 1: long stop 99, targets 101.5, 102.5, 104; ten units, so 4 / 4 / 2.

AMOUNT = 10.0


def unit_plan(side="long") -> TradePlan:
    return TradePlan(side, 100.0, 1.0, 1.0, (1.5, 2.5, 4.0), (0.4, 0.4, 0.2), 0.003, False)


def run(rows, side="long", plan=None, cost=0.0, minutes=15, market=FUTURES) -> LadderOutcome:
    plan = plan or unit_plan(side)
    legs = merged_legs(plan, AMOUNT, market, SETTINGS)
    columns = np.array(rows, dtype=float).T
    return replay(plan, legs, Candles(*columns, minutes, 15), cost, SETTINGS)


def test_replay_stopped_out():
    outcome = run([(100, 100.5, 98.9, 99.2)], cost=0.0015)
    assert [(exit_.index, exit_.price, exit_.amount) for exit_ in outcome.exits] == [(0, 99.0, 10)]
    assert (outcome.exit_reason, outcome.was_ambiguous) == ("stop_loss", False)
    assert outcome.gross_r == -1.0
    # (10 * 100 + 10 * 99) * 0.0015 = 2.985 over a risk of 10
    assert outcome.net_r == pytest.approx(-1.2985)


@pytest.mark.parametrize(
    ("side", "row"), [("long", (100, 100.5, 99, 99.5)), ("short", (100, 101, 99.5, 100.5))]
)
def test_replay_a_stop_just_touched_is_filled(side, row):
    outcome = run([row], side)
    assert (outcome.gross_r, outcome.exit_reason) == (-1.0, "stop_loss")


@pytest.mark.parametrize("side", ["long", "short"])
def test_replay_both_touched_in_one_candle(side):
    row = (100, 101.6, 98.9, 101.0) if side == "long" else (100, 101.1, 98.4, 99.0)
    outcome = run([row], side)
    assert (outcome.gross_r, outcome.exit_reason) == (-1.0, "stop_loss")
    assert outcome.was_ambiguous


@pytest.mark.parametrize(("side", "opened"), [("long", 98.0), ("short", 102.0)])
def test_replay_gap_through_the_stop(side, opened):
    gap = (opened, 103.0, 97.0, opened)
    outcome = run([(100, 100.4, 99.6, 100), gap], side)
    assert outcome.exits[0].price == opened
    # 2 away from the entry at 1 R = 1
    assert (outcome.gross_r, outcome.exit_reason) == (-2.0, "stop_loss")
    assert not outcome.was_ambiguous


@pytest.mark.parametrize(
    ("cost", "net_r"),
    [
        # 0.4 * 1.5 + 0.4 * 2.5 + 0.2 * 4 = 2.4; turnover 1,000 + 406 + 410 + 208 = 2,024, risk 10
        (0.0015, 2.4 - 0.3036),
        (0.0007, 2.4 - 0.14168),
        (0.0002, 2.4 - 0.04048),
    ],
)
def test_replay_all_three_targets(cost, net_r):
    rows = [(100, 101.5, 99.5, 101.2), (101.2, 102.6, 101, 102.4), (102.4, 104.2, 102.3, 104)]
    outcome = run(rows, cost=cost)
    assert [(e.index, e.price, e.amount, e.tag) for e in outcome.exits] == [
        (0, 101.5, 4.0, "tp1"),
        (1, 102.5, 4.0, "tp2"),
        (2, 104.0, 2.0, "tp3"),
    ]
    assert outcome.gross_r == pytest.approx(2.4)
    assert outcome.net_r == pytest.approx(net_r)
    assert (outcome.exit_reason, outcome.duration_minutes) == ("tp3", 30)


def test_replay_targets_gapped_over_fill_at_their_price():
    outcome = run([(100, 100.4, 99.6, 100), (105, 106, 104.5, 105)])
    assert [e.price for e in outcome.exits] == [101.5, 102.5, 104.0]
    assert outcome.exit_reason == "tp3"


def test_replay_break_even_after_the_first_target():
    # 0.4 * 1.5 = 0.6, the rest at the entry; the first row's low of 99.5 came too early to count
    outcome = run([(100, 101.6, 99.5, 101.0), (101, 101.2, 99.9, 100.2)])
    assert [(e.price, e.amount, e.tag) for e in outcome.exits] == [
        (101.5, 4.0, "tp1"),
        (100.0, 6.0, "break_even"),
    ]
    assert (outcome.gross_r, outcome.exit_reason) == (pytest.approx(0.6), "break_even")


@pytest.mark.parametrize(
    ("best_close", "stop", "gross_r"),
    [
        # best close 103.2 - 1 ATR = 102.2 is above TP1: 0.6 + 1.0 + 0.2 * 2.2
        (103.2, 102.2, 2.04),
        # best close 102.0 - 1 ATR = 101.0 is below TP1 = 101.5: 0.6 + 1.0 + 0.2 * 1.5
        (102.0, 101.5, 1.9),
    ],
)
def test_replay_trails_after_the_second_target(best_close, stop, gross_r):
    rows = [
        (100, 101.6, 99.5, 101.2),
        (101.2, 103.3, 101.1, best_close),
        (best_close, best_close, 101.9, 101.9),
        (101.9, 102.0, 101.0, 101.2),
    ]
    outcome = run(rows)
    assert outcome.exits[-1].price == pytest.approx(stop)
    assert outcome.gross_r == pytest.approx(gross_r)
    assert outcome.exit_reason == "trailing_stop"


def test_replay_trails_a_short():
    # best close 96.8 + 1 ATR = 97.8, below TP1 = 98.5: 0.6 + 1.0 + 0.2 * 2.2
    rows = [(100, 100.5, 97.4, 97.5), (97.5, 97.6, 96.7, 96.8), (96.8, 98, 96.8, 97.9)]
    outcome = run(rows, "short")
    assert outcome.exits[-1].price == pytest.approx(97.8)
    assert outcome.gross_r == pytest.approx(2.04)


def test_replay_time_stop():
    rows = [(100, 100.4, 99.6, 100.1)] * 8 + [(100.3, 104.5, 98.0, 100.2)]
    outcome = run(rows)
    # the ninth candle's open, whatever happens later in it
    assert [(e.index, e.price, e.tag) for e in outcome.exits] == [(8, 100.3, "time_stop")]
    assert outcome.gross_r == pytest.approx(0.3)
    assert (outcome.duration_minutes, outcome.was_ambiguous) == (120, False)


def test_replay_time_stop_after_a_target():
    rows = [(100, 101.6, 99.6, 101)] + [(101, 101.4, 100.5, 101)] * 7 + [(100.5, 101, 100, 101)]
    # 0.4 * 1.5 + 0.6 * 0.5
    outcome = run(rows)
    assert (outcome.gross_r, outcome.exit_reason) == (pytest.approx(0.9), "time_stop")


def test_replay_minutes_trail_on_main_candles_and_stop_after_two_hours():
    flat = [(103.0, 103.1, 102.9, 103.0)] * 121
    rows = [(100, 102.6, 99.5, 102.6), (102.6, 103.9, 102.6, 103.9), *flat]
    outcome = run([*rows[:15], (103, 103.1, 101.95, 103), *rows[16:]], minutes=1)
    # the minute that closed at 103.9 does not count, the main candle that closed at 103.0 does:
    # its trail of 102.0 is hit in row 15: 0.6 + 1.0 + 0.2 * 2.0
    assert (outcome.exits[-1].index, outcome.exits[-1].price) == (15, 102.0)
    assert outcome.gross_r == pytest.approx(2.0)
    # undisturbed, row 120 ends it: 0.6 + 1.0 + 0.2 * 3.0
    outcome = run(rows, minutes=1)
    assert (outcome.exits[-1].index, outcome.exit_reason) == (120, "time_stop")
    assert outcome.gross_r == pytest.approx(2.2)


def test_replay_of_an_entry_filled_in_part_and_elsewhere():
    plan = unit_plan().anchored(100.2)
    # distances stay 1: stop 99.2, targets 101.7, 102.7, 104.2
    assert plan.stop == pytest.approx(99.2)
    assert plan.targets == pytest.approx((101.7, 102.7, 104.2))
    legs = merged_legs(plan, 5.5, FUTURES, SETTINGS)
    assert [leg.amount for leg in legs] == [2.2, 2.2, 1.1]
    rows = np.array([(100.2, 101.65, 99.3, 101), (101, 101.8, 100.5, 101), (101, 101, 100, 100)])
    outcome = replay(plan, legs, Candles(*rows.T, 15, 15), 0.0, SETTINGS)
    # 101.65 is short of the moved target; then 0.4 * 1.5 and break-even at 100.2
    assert [(e.index, e.tag) for e in outcome.exits] == [(1, "tp1"), (2, "break_even")]
    assert outcome.gross_r == pytest.approx(0.6)


def test_replay_of_merged_legs_ends_at_the_second_target():
    # least amount 1.5 * 400 / 99 = 6.06: ten units are one leg, at TP2
    outcome = run(
        [(100, 101.6, 99.5, 101), (101, 102.6, 99.5, 102)],
        market=Market(True, 400.0, 0.001, 0.01),
    )
    assert [(e.index, e.amount, e.tag) for e in outcome.exits] == [(1, 10.0, "tp2")]
    assert (outcome.gross_r, outcome.exit_reason) == (2.5, "tp2")


def test_replay_unresolved():
    outcome = run([(100, 101.6, 99.5, 101), (101, 101.2, 100.4, 101)])
    assert [e.tag for e in outcome.exits] == ["tp1"]
    assert outcome.exit_reason == "unresolved"
    assert np.isnan([outcome.gross_r, outcome.net_r]).all()


def test_replay_skips_unknown_rows():
    unknown = (np.nan,) * 4
    rows = [(100, 100.4, 99.6, 100.1)] * 7 + [unknown, unknown, (100.3, 101, 98, 100)]
    outcome = run(rows)
    assert [(e.index, e.price, e.tag) for e in outcome.exits] == [(9, 100.3, "time_stop")]
