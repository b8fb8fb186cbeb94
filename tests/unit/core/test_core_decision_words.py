"""What is said of a signal beside its judgement: taken, expired, discarded, known from before."""

from datetime import timedelta

import numpy as np
import pytest

from scalp_strategy.risk import Market
from scalp_strategy.settings import Settings, with_overrides
from scalp_strategy.signals import SignalKey, Status
from tests.support.host_stub import CANDLE, CLOSE, MARKET, StubHost, desk_of, signal_pair
from tests.unit.core.decisions import NEXT, A, B, C, D, Refuses, by_pair, offered

SPOT = Market(False, 5.0, 0.001, 0.01)


def approved_desk(**options):
    desk = desk_of(**options)
    (decision,) = desk.decide(CLOSE, offered(desk, a=90))
    return desk, decision


def statuses(desk) -> list[Status]:
    return [one.status for one in desk.log]


# ------------------------------------------------------------------------------- taken and expired


def test_a_taken_signal_is_logged_as_taken_and_stays_approved_for_the_callbacks():
    desk, decision = approved_desk()
    desk.taken(decision)
    assert statuses(desk) == [Status.TAKEN]
    assert desk.approved(A, "long", CLOSE) is decision


def test_an_order_that_was_not_filled_expires_though_its_candle_is_over():
    desk, decision = approved_desk()
    desk.taken(decision)
    desk.decide(NEXT, [])
    assert desk.expired(decision.candidate.key)
    (logged,) = desk.log
    assert logged.status is Status.EXPIRED
    assert "not filled" in logged.reasons[0]
    assert not desk.expired(decision.candidate.key)  # once


@pytest.mark.parametrize(
    "key", [SignalKey(B, "long", CLOSE), SignalKey(A, "short", CLOSE), SignalKey(A, "long", NEXT)]
)
def test_nothing_is_said_of_an_order_that_nobody_knows(key):
    desk, decision = approved_desk()
    desk.taken(decision)
    assert not desk.expired(key)
    assert statuses(desk) == [Status.TAKEN]


def test_old_orders_are_forgotten():
    desk, decision = approved_desk()
    desk.taken(decision)
    desk.decide(CLOSE + timedelta(days=2), [])
    assert not desk.expired(decision.candidate.key)


# -------------------------------------------------------------------------------------- discarded


def discarding(settings=None, host=None, **options):
    return desk_of(settings or Settings(), host, keeps_discarded=True, **options)


def quiet(pair=A, score=58.0, side="long", **columns):
    """A pair whose last candle has a direction and reaches no tier."""
    return signal_pair(pair, score, side, is_candidate=False, tier=0, **columns)


def test_a_candle_below_every_tier_is_logged_and_not_decided():
    desk = discarding()
    desk.offer(quiet())
    assert desk.decide(CLOSE, [A]) == []
    (logged,) = desk.log
    assert (logged.status, logged.candidate.score) == (Status.DISCARDED, 58)
    assert logged.reasons == ("score 58 is below the 65 required",)
    assert logged.plan.price == 100.0
    assert (logged.size, logged.verdicts) == (None, ())
    assert logged.candidate.tier_name == "NONE"
    assert desk.decide(CLOSE, [A]) == []
    assert len(list(desk.log)) == 1


def test_it_takes_no_slot_and_is_no_signal_sent():
    desk = discarding()
    desk.offer(quiet())
    desk.decide(CLOSE, [A])
    assert desk.account.view().open_positions == 0
    assert desk.account.signals_in_hour(CLOSE) == 0


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        (
            {"score": 67.0, "threshold_shift": 5.0},
            "score 67 is below the 70 required (65 and 5 more in hour 10 UTC)",
        ),
        ({"score": 64.5, "coverage": 0.2}, "coverage 0.20 is below the 0.3 required"),  # 65
        ({"score": 64.49}, "score 64 is below the 65 required"),
    ],
)
def test_the_reason_is_what_was_missing(columns, reason):
    desk = discarding()
    desk.offer(quiet(**columns))
    desk.decide(CLOSE, [A])
    assert [one.reasons for one in desk.log] == [(reason,)]


@pytest.mark.parametrize(
    ("columns", "is_logged"),
    [
        ({"score": 49.5}, True),
        ({"score": 49.49}, False),
        ({"score": float("nan")}, False),
        ({"direction": np.int8(0)}, False),
    ],
)
def test_from_fifty_points_on_with_a_direction(columns, is_logged):
    desk = discarding()
    desk.offer(quiet(**columns))
    desk.decide(CLOSE, [A])
    assert bool(list(desk.log)) is is_logged


@pytest.mark.parametrize(("market", "is_logged"), [(MARKET, True), (SPOT, False), (None, False)])
def test_shorts_are_discarded_only_where_they_could_be_made(market, is_logged):
    class Host(StubHost):
        def market(self, pair, price):
            if market is None:
                raise KeyError(pair)
            return market

    desk = discarding(host=Host())
    desk.offer(quiet(side="short"))
    desk.decide(CLOSE, [A])
    assert bool(list(desk.log)) is is_logged


def test_without_a_possible_stop_it_has_no_plan():
    desk = discarding()
    desk.offer(quiet(atr_14=3.0))
    desk.decide(CLOSE, [A])
    assert [one.plan for one in desk.log] == [None]


def test_a_backtest_keeps_none():
    desk = desk_of()
    desk.offer(quiet())
    desk.decide(CLOSE, [A])
    assert list(desk.log) == []


def test_candidates_are_no_discarded_ones():
    desk = discarding()
    decisions = desk.decide(CLOSE, offered(desk, a=90, b=70))
    assert {one.status for one in desk.log} == {one.status for one in decisions}


# --------------------------------------------------------------------------------- signals an hour


def test_those_approved_in_this_candle_count_and_so_do_those_before():
    settings = with_overrides(
        Settings(),
        {"breakers.max_signals_per_hour": 2, "breakers.correlation_cluster_max": 9},
    )
    desk = desk_of(settings)
    desk.decide(CLOSE, offered(desk, a=90))
    for pair, score in ((B, 95.0), (C, 80.0)):
        desk.offer(signal_pair(pair, score, at=NEXT, settings=settings))
    found = by_pair(desk.decide(NEXT, [B, C]))
    assert found[B].is_approved
    assert found[C].status is Status.VETOED
    assert "2/2 signals this hour" in found[C].reasons[0]
    later = CLOSE + 4 * CANDLE  # the first is an hour old
    desk.offer(signal_pair(D, at=later, settings=settings))
    assert desk.decide(later, [D])[0].is_approved


def test_what_was_vetoed_or_rejected_is_no_signal():
    settings = with_overrides(Settings(), {"breakers.max_signals_per_hour": 1})
    desk = desk_of(settings, breakers=(Refuses(pairs=(A,)),))
    desk.offer(signal_pair(B, atr_pct=0.1, settings=settings))
    desk.decide(CLOSE, [*offered(desk, a=90), B])
    assert desk.account.signals_in_hour(CLOSE) == 0


# ---------------------------------------------------------------------------------- after a restart


def test_what_was_decided_before_a_restart_is_not_decided_again():
    breaker = Refuses()
    desk = desk_of(breakers=(breaker,))
    decided = {
        SignalKey(A, "long", CLOSE): Status.VETOED,
        SignalKey(B, "short", CLOSE): Status.APPROVED,
        SignalKey(C, "long", CLOSE - CANDLE): Status.APPROVED,
    }
    desk.restore(CLOSE, decided)
    decisions = desk.decide(CLOSE, offered(desk, a=90, b=80, c=70))
    assert [one.candidate.pair for one in decisions] == [C]
    assert breaker.asked == [C]
    assert desk.approved(A, "long", CLOSE) is None
    assert desk.approved(B, "short", CLOSE) is None


def test_the_next_candle_is_decided_as_ever():
    desk = desk_of()
    desk.restore(CLOSE, {SignalKey(A, "long", CLOSE): Status.VETOED})
    desk.offer(signal_pair(A, at=NEXT))
    assert desk.decide(NEXT, [A])[0].is_approved
