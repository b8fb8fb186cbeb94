from dataclasses import replace
from datetime import timedelta

import pytest

from scalp_strategy.account import Account, MemoryStore
from scalp_strategy.breakers import BREAKERS
from scalp_strategy.decision import NEVER_ASKED, DecisionDesk
from scalp_strategy.journal import MemoryLog
from scalp_strategy.settings import Settings, settings_hash, with_overrides
from scalp_strategy.signals import Status
from tests.support.host_stub import CLOSE, StubHost, desk_of, signal_pair
from tests.unit.core.decisions import NEXT, A, B, C, Fails, Refuses, by_pair, offered

# -------------------------------------------------------------------------------------- breakers


def test_all_breakers_are_asked_and_all_reasons_are_told():
    breakers = (Refuses("one", (A,)), Refuses("two"), Refuses("three", (A,)))
    desk = desk_of(breakers=breakers)
    desk.offer(signal_pair(A, atr_pct=0.1))
    (decision,) = desk.decide(CLOSE, [A])
    assert decision.status is Status.VETOED
    assert [breaker.asked for breaker in breakers] == [[A]] * 3
    assert [verdict.breaker for verdict in decision.verdicts] == ["one", "two", "three"]
    assert decision.reasons[:2] == ("one says no", "three says no")
    assert "ATR" in decision.reasons[2]


def test_a_veto_is_final_for_its_candle():
    breaker = Refuses(pairs=(A,))
    desk = desk_of(breakers=(breaker,))
    pairs = offered(desk, a=90)
    desk.decide(CLOSE, pairs)
    breaker.pairs = ()
    assert desk.decide(CLOSE, pairs) == []
    assert desk.approved(A, "long", CLOSE) is None
    desk.offer(signal_pair(A, at=NEXT))
    assert desk.decide(NEXT, pairs)[0].is_approved


def test_a_breaker_that_fails_vetoes():
    last = Refuses("last")
    desk = desk_of(breakers=(Fails("broken"), last))
    (decision,) = desk.decide(CLOSE, offered(desk, a=90))
    assert decision.status is Status.VETOED
    assert "no answer" in decision.reasons[0]
    assert last.asked == [A]


def test_size_factors_multiply():
    breakers = (Refuses(size_factor=0.5), Refuses(size_factor=0.8))
    desk = desk_of(breakers=breakers)
    desk.offer(signal_pair(A, regime="CHOPPY"))
    (decision,) = desk.decide(CLOSE, [A])
    assert decision.size.risk_pct == pytest.approx(1.5 * 0.5 * 0.8 * 0.5, rel=1e-3)


def test_a_vetoed_pair_takes_no_slot():
    settings = with_overrides(Settings(), {"breakers.max_concurrent_positions": 1})
    desk = desk_of(settings, breakers=(*BREAKERS, Refuses(pairs=(A,))))
    found = by_pair(desk.decide(CLOSE, offered(desk, a=95, b=70)))
    assert found[A].status is Status.VETOED
    assert found[B].is_approved


def test_the_drawdown_pause_vetoes():
    host = StubHost()
    desk = desk_of(host=host)
    desk.decide(CLOSE, [])
    host.capital = 9_400.0
    (decision,) = desk.decide(CLOSE, offered(desk, a=90))
    assert decision.status is Status.VETOED
    assert "paused" in decision.reasons[0]
    assert "6.00 %" in decision.reasons[0]


# ------------------------------------------------------------------- the last look before an order


@pytest.fixture
def approved():
    host = StubHost()
    desk = desk_of(host=host)
    (decision,) = desk.decide(CLOSE, offered(desk, a=90))
    return host, desk, decision


@pytest.mark.parametrize(
    ("rate", "is_refused"),
    [
        (100.0, False),
        (100.375, False),  # 0.25 R of 1.5
        (100.38, True),
        (99.625, False),
        (99.62, True),
        (float("nan"), True),
    ],
)
def test_a_price_that_drifted_is_refused_either_way(approved, rate, is_refused):
    _, desk, decision = approved
    reason = desk.refusal(decision, rate, CLOSE)
    assert (reason is not None) == is_refused
    assert reason is None or "drifted" in reason


@pytest.mark.parametrize(("seconds", "is_refused"), [(0, False), (899, False), (900, True)])
def test_a_signal_expires(approved, seconds, is_refused):
    _, desk, decision = approved
    reason = desk.refusal(decision, 100.0, CLOSE + timedelta(seconds=seconds))
    assert (reason is not None) == is_refused
    assert reason is None or "expired" in reason


def test_the_pause_is_looked_at_again(approved):
    host, desk, decision = approved
    host.capital = 9_000.0
    assert "paused" in desk.refusal(decision, 100.0, CLOSE + timedelta(minutes=1))


# ------------------------------------------------------------------------------------------- log


def test_the_log_has_every_candidate():
    desk = desk_of(breakers=(Refuses(pairs=(B,)),))
    pairs = offered(desk, a=90, b=80)
    desk.offer(signal_pair(C, atr_pct=0.1))
    desk.decide(CLOSE, [*pairs, C])
    statuses = {one.candidate.pair: one.status for one in desk.log}
    assert statuses == {A: Status.APPROVED, B: Status.VETOED, C: Status.REJECTED}


def test_what_the_host_never_asked_for_is_not_taken():
    desk = desk_of()
    desk.decide(CLOSE, offered(desk, a=90, b=80))
    desk.taken(desk.approved(A, "long", CLOSE))
    desk.decide(NEXT, [])
    found = by_pair(desk.log)
    assert found[A].status is Status.TAKEN
    assert (found[B].status, found[B].reasons) == (Status.NOT_TAKEN, (NEVER_ASKED,))


def test_the_reason_of_a_refused_entry_stays_in_the_log():
    desk = desk_of()
    desk.decide(CLOSE, offered(desk, a=90))
    desk.not_taken(desk.approved(A, "long", CLOSE), "price drifted")
    desk.decide(NEXT, [])
    (logged,) = desk.log
    assert (logged.status, logged.reasons) == (Status.NOT_TAKEN, ("price drifted",))


def test_an_entry_refused_first_may_be_taken_later():
    desk = desk_of()
    (decision,) = desk.decide(CLOSE, offered(desk, a=90))
    desk.not_taken(decision, "price drifted")
    again = desk.approved(A, "long", CLOSE)
    desk.taken(again)
    desk.decide(NEXT, [])
    assert [one.status for one in desk.log] == [Status.TAKEN]


def test_a_reset_forgets_decisions_log_and_account():
    host = StubHost()
    desk = desk_of(host=host)
    pairs = offered(desk, a=90)
    desk.decide(CLOSE, pairs)
    host.capital = 9_000.0
    desk.decide(CLOSE, pairs)
    assert desk.account.state.is_paused
    desk.reset()
    host.capital = 10_000.0
    assert list(desk.log) == []
    assert desk.approved(A, "long", CLOSE) is None
    assert not desk.account.state.is_paused
    assert desk.decide(CLOSE, pairs)[0].is_approved


def test_new_settings_hold_from_the_next_decision():
    desk = desk_of()
    stricter = with_overrides(desk.settings, {"risk.sl_max_pct": 1.0})
    desk.use(stricter)
    (decision,) = desk.decide(CLOSE, offered(desk, a=90))
    assert decision.status is Status.REJECTED
    assert decision.settings_hash == settings_hash(stricter)


def test_the_mark_price_is_the_last_close():
    desk = desk_of()
    offered(desk, a=90)
    assert desk.mark_price(A, CLOSE) == 100.0
    assert desk.mark_price(B, CLOSE) != desk.mark_price(B, CLOSE)  # NaN: unknown


def test_a_log_of_limited_size_keeps_the_newest():
    desk = DecisionDesk(
        Settings(),
        StubHost(),
        Account(Settings().breakers, MemoryStore(), resumes_next_day=True),
        MemoryLog(capacity=2),
    )
    decisions = desk.decide(CLOSE, offered(desk, a=90, b=80, c=70))
    assert [one.candidate.pair for one in desk.log] == [B, C]
    desk.log.record(replace(decisions[1], reasons=("later",)))
    assert [one.reasons for one in desk.log] == [("later",), decisions[2].reasons]
    desk.log.clear()
    assert list(desk.log) == []
