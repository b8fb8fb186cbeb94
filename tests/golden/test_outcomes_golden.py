"""Outcomes of signals worked out by hand, long and short, minute by minute."""

import pytest

from scalp_strategy.outcomes.replay import resolved
from scalp_strategy.settings import Settings, with_overrides
from tests.support.played import history_from, seen_from, signal_at

# Entry 100, 1 R = 1: stop 99, targets 101.5, 102.5 and 104; ATR 0.8; cost 0.1 % a side.
RISK = with_overrides(Settings(), {"risk.fee_pct": 0.06, "risk.slippage_pct": 0.04}).risk
SIDES = ("long", "short")
QUIET = (100.0, 100.4, 99.6, 100.0)
FIRST_TARGET = (100.0, 101.6, 99.8, 101.4)
BOTH_TARGETS = (101.4, 102.6, 101.3, 102.4)


def at(price: float) -> tuple[float, float, float, float]:
    return (price, price, price, price)


def quarter(last: float, *rows) -> list:
    """The rest of a 15m candle after some minutes, flat at its close."""
    return [*rows, *[at(last)] * (15 - len(rows))]


CASES = {
    # minutes; outcome, minutes held, R before costs, value of the exits for a long
    "stopped": ([QUIET, (100.0, 100.2, 98.9, 99.2)], "sl", 1, -1.0, 99.0),
    "gapped below the stop": ([QUIET, (98.5, 98.8, 98.0, 98.2)], "sl", 1, -1.5, 98.5),
    "stop and target in one minute": ([(100.0, 101.6, 98.9, 100.0)], "sl", 0, -1.0, 99.0),
    # 40 % at 101.5, the rest at the entry.
    "break-even": (
        [FIRST_TARGET, (101.4, 101.4, 99.9, 100.0)],
        "break_even",
        1,
        0.4 * 1.5,
        0.4 * 101.5 + 0.6 * 100.0,
    ),
    # 80 % at the targets; before the quarter closes the stop is at the first one.
    "back to the first target": (
        [FIRST_TARGET, BOTH_TARGETS, (102.4, 102.5, 101.4, 101.5)],
        "trailing_stop",
        2,
        0.4 * 1.5 + 0.4 * 2.5 + 0.2 * 1.5,
        0.4 * 101.5 + 0.4 * 102.5 + 0.2 * 101.5,
    ),
    # The quarter closes at 103.2: the stop follows to 102.4.
    "trailed": (
        [*quarter(103.2, FIRST_TARGET, BOTH_TARGETS), (103.2, 103.2, 102.3, 102.5)],
        "trailing_stop",
        15,
        0.4 * 1.5 + 0.4 * 2.5 + 0.2 * 2.4,
        0.4 * 101.5 + 0.4 * 102.5 + 0.2 * 102.4,
    ),
    "all targets": (
        [FIRST_TARGET, BOTH_TARGETS, (102.4, 104.5, 102.3, 104.2)],
        "tp3",
        2,
        0.4 * 1.5 + 0.4 * 2.5 + 0.2 * 4.0,
        0.4 * 101.5 + 0.4 * 102.5 + 0.2 * 104.0,
    ),
    # After eight quarters the open of the next minute.
    "time": ([QUIET] * 120 + [at(100.3)], "max_hold", 120, 0.3, 100.3),
    "time after a target": (
        [FIRST_TARGET] + [at(101.0)] * 119 + [at(100.7)],
        "max_hold",
        120,
        0.4 * 1.5 + 0.6 * 0.7,
        0.4 * 101.5 + 0.6 * 100.7,
    ),
}


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", CASES)
def test_an_outcome(name, side):
    path, outcome, minutes, gross, value = CASES[name]
    value = value if side == "long" else 200.0 - value
    found = resolved(signal_at(side), [history_from(seen_from(side, path))], RISK)
    assert (found.outcome, found.minutes, found.resolution) == (outcome, minutes, "1m")
    assert found.gross_r == pytest.approx(gross)
    net = gross - 0.001 * (100.0 + value)
    assert found.net_r == pytest.approx(net)
    assert found.pnl_pct == pytest.approx(net)  # 1 R is 1 % of the entry
    assert found.is_ambiguous == (name == "stop and target in one minute")


@pytest.mark.parametrize("side", SIDES)
def test_an_entry_at_another_price_moves_every_level(side):
    # 100.2: the stop is 99.2, the first target 101.7, which 101.6 does not reach.
    path = [(100.2, 101.6, 99.9, 100.0), (100.0, 100.1, 99.2, 99.5)]
    found = resolved(signal_at(side), [history_from(seen_from(side, path))], RISK)
    entry = 100.2 if side == "long" else 99.8
    stop = 99.2 if side == "long" else 100.8
    assert (found.outcome, found.gross_r) == ("sl", pytest.approx(-1.0))
    net = -1.0 - 0.001 * (entry + stop)
    assert found.net_r == pytest.approx(net)
    assert found.pnl_pct == pytest.approx(net * 100.0 / entry)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("offset", [0.26, -0.26])
def test_an_entry_that_drifted_is_not_made(side, offset):
    path = [at(100.0 + offset), (100.0, 105.0, 95.0, 100.0)]
    found = resolved(signal_at(side), [history_from(seen_from(side, path))], RISK)
    assert found.outcome == "expired"
    assert (found.gross_r, found.net_r, found.pnl_pct, found.minutes) == (None, None, None, 0)


@pytest.mark.parametrize("side", SIDES)
def test_an_entry_that_drifted_less_than_a_quarter_r_is_made(side):
    path = [(100.25, 100.3, 99.2, 99.3)]
    found = resolved(signal_at(side), [history_from(seen_from(side, path))], RISK)
    assert found.outcome == "sl"
