"""What only a live host does: numbers given away again, orders that rest or fill partly."""

from datetime import timedelta
from types import SimpleNamespace

import pytest

from scalp_strategy.contract import sign_of
from scalp_strategy.exits import TIME_STOP, ExitDesk
from scalp_strategy.strategy import ScalpStrategy
from tests.support.host_stub import CLOSE, MARKET, PAIR, desk_of, opened_trade, signal_pair

pytestmark = pytest.mark.usefixtures("trades_in_memory")

OTHER = "ETH/USDT:USDT"


def exits_for(*analysed) -> ExitDesk:
    desk = desk_of()
    for pair in analysed:
        desk.offer(pair)
    desk.decide(CLOSE, [pair.pair for pair in analysed])
    return ExitDesk(desk, lambda pair, price: MARKET)


@pytest.mark.parametrize("side", ["long", "short"])
def test_a_number_given_away_again_brings_no_old_plan(side):
    """The host deletes an expired entry, and the next trade gets its number."""
    exits = exits_for(signal_pair(PAIR, side="long"), signal_pair(OTHER, side=side))
    expired = opened_trade("long", at=CLOSE)
    old = exits.plan(expired)
    following = opened_trade(side, pair=OTHER, at=CLOSE)
    following.id = expired.id
    plan = exits.plan(following)
    assert plan.side == side
    assert exits.stop(following, CLOSE) == pytest.approx(100.0 - sign_of(side) * plan.distance)
    assert exits.plan(expired) == old


def test_a_kept_plan_of_the_other_side_is_not_used():
    exits = exits_for(signal_pair(PAIR, side="long"))
    long = opened_trade("long")
    kept = exits.plan(long)
    short = opened_trade("short")
    short.set_custom_data("scalp_plan", kept.to_json())
    assert ExitDesk(desk_of(), lambda pair, price: MARKET).plan(short).side == "short"


# ---- orders that are not filled at once ----


@pytest.fixture(scope="module")
def strategy() -> ScalpStrategy:
    return ScalpStrategy({"stake_currency": "USDT", "trading_mode": "futures"})


def order(tag: str, filled: float) -> SimpleNamespace:
    return SimpleNamespace(ft_order_tag=tag, safe_filled=filled, order_date_utc=CLOSE)


def is_cancelled(check, tag: str, filled: float, seconds: float) -> bool:
    now = CLOSE + timedelta(seconds=seconds)
    return check(pair=PAIR, trade=None, order=order(tag, filled), current_time=now)


@pytest.mark.parametrize(
    ("tag", "filled", "seconds", "cancelled"),
    [
        ("MEDIUM 66 rsi", 0.0, 899, False),
        ("MEDIUM 66 rsi", 0.0, 900, True),  # the signal has expired
        ("MEDIUM 66 rsi", 0.4, 9, False),
        ("MEDIUM 66 rsi", 0.4, 10, True),  # no stop before the order is closed
    ],
)
def test_entries(strategy, tag, filled, seconds, cancelled):
    assert is_cancelled(strategy.check_entry_timeout, tag, filled, seconds) is cancelled


@pytest.mark.parametrize(
    ("tag", "filled", "seconds", "cancelled"),
    [
        ("tp1", 0.0, 7_000, False),  # a target rests
        ("tp1", 0.1, 29, False),
        ("tp1", 0.1, 30, True),  # booked, so that the rest can be exited
        (TIME_STOP, 0.0, 14, False),
        (TIME_STOP, 0.0, 15, True),  # priced anew
    ],
)
def test_exits(strategy, tag, filled, seconds, cancelled):
    assert is_cancelled(strategy.check_exit_timeout, tag, filled, seconds) is cancelled
