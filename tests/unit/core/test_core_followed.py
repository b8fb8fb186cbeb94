"""Signals that are only told count as positions of whoever follows them."""

import pytest

from scalp_strategy.analysed import AnalysedPair
from scalp_strategy.decision import FollowedSignal
from scalp_strategy.settings import Settings, with_overrides
from scalp_strategy.signals import SignalKey, Status
from tests.support.host_stub import CANDLE, CLOSE, analysed_frame, desk_of, signal_pair
from tests.unit.core.decisions import NEXT, A, B, by_pair, offered

ONLY = {"signals_only": True}


def following(side="long", **settings):
    """A desk that has told one signal: at 100, with the stop 1.5 away and the last target 6."""
    desk = desk_of(with_overrides(Settings(), ONLY | settings))
    desk.offer(signal_pair(A, side=side, settings=desk.settings))
    (decision,) = desk.decide(CLOSE, [A])
    return desk, decision


def pairs_held(desk, at) -> list[str]:
    desk.decide(at, [])
    return [position.pair for position in desk.account.positions]


def candles_after(desk, *rows: tuple[float, float]) -> None:
    """Show the candles that follow CLOSE, each by its low and its high."""
    low, high = zip(*[(100.0, 100.0), *rows], strict=True)
    closes = [100.0] * len(low)
    frame = analysed_frame(closes, CLOSE + CANDLE * len(rows), low=list(low), high=list(high))
    desk.offer(AnalysedPair(A, frame, desk.settings))


def test_it_counts_after_its_candle_too():
    desk, decision = following()
    view = desk.account.view()
    assert pairs_held(desk, NEXT) == [A]
    assert desk.account.view() == view
    assert view.open_risk == pytest.approx(decision.size.amount * 1.5)
    assert view.free_balance == pytest.approx(10_000 - decision.size.stake)
    assert {one.status for one in desk.log} == {Status.NOT_TAKEN}


def test_slots_and_the_pair_itself_are_taken():
    desk, _ = following(**{"breakers.max_concurrent_positions": 1})
    for pair in (A, B):
        desk.offer(signal_pair(pair, at=NEXT, settings=desk.settings))
    found = by_pair(desk.decide(NEXT, [A, B]))
    assert found[B].status is Status.VETOED
    assert "1/1" in found[B].reasons[0]
    assert any("already has a position" in reason for reason in found[A].reasons)


def test_the_time_stop_ends_it():
    desk, _ = following()
    assert pairs_held(desk, CLOSE + 7 * CANDLE) == [A]
    assert pairs_held(desk, CLOSE + 8 * CANDLE) == []


@pytest.mark.parametrize(
    ("side", "low", "high", "is_over"),
    [
        ("long", 98.51, 105.99, False),
        ("long", 98.5, 100.0, True),  # the stop
        ("long", 100.0, 106.0, True),  # the last target
        ("long", 90.0, 110.0, True),
        ("short", 94.01, 101.49, False),
        ("short", 94.0, 100.0, True),
        ("short", 100.0, 101.5, True),
    ],
)
def test_its_stop_or_its_last_target_ends_it(side, low, high, is_over):
    desk, _ = following(side)
    candles_after(desk, (100.0, 100.0), (low, high), (100.0, 100.0))
    assert pairs_held(desk, NEXT) == [A]  # what comes later is not known
    assert pairs_held(desk, CLOSE + 2 * CANDLE) == ([] if is_over else [A])


def test_the_signal_s_own_candle_does_not_end_it():
    desk, _ = following()
    frame = analysed_frame([100.0, 100.0], CLOSE, low=[50.0, 50.0], high=[150.0, 150.0])
    desk.offer(AnalysedPair(A, frame, desk.settings))
    assert pairs_held(desk, CLOSE) == [A]


def test_a_bot_that_trades_follows_nothing():
    desk = desk_of()
    desk.decide(CLOSE, offered(desk, a=90))
    assert pairs_held(desk, NEXT) == []


def test_it_is_followed_on_after_a_restart():
    _, decision = following()
    desk = desk_of(with_overrides(Settings(), ONLY))
    again = FollowedSignal(
        decision.candidate.key, decision.plan, decision.size.amount, decision.size.leverage
    )
    old = FollowedSignal(SignalKey(B, "long", CLOSE - 9 * CANDLE), decision.plan, 1.0)
    desk.restore_followed([again, old])
    assert pairs_held(desk, NEXT) == [A]
    assert desk.account.view().free_balance == pytest.approx(10_000 - decision.size.stake)
    assert pairs_held(desk, CLOSE + 8 * CANDLE) == []


def test_a_reset_forgets_it():
    desk, _ = following()
    desk.reset()
    assert pairs_held(desk, CLOSE) == []
