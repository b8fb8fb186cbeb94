"""Signals on the board: told once, edited only when something happened, also over restarts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from scalp_strategy.board import Board, replay_of, signal_notice_key
from scalp_strategy.journal.records import MessageRecord, ReplayRecord
from scalp_strategy.notice import NOTICE_KEY_LENGTH
from scalp_strategy.settings import Settings, with_overrides
from scalp_strategy.signals import SignalKey, Status
from scalp_strategy.telegram.html import message
from scalp_strategy.tracking import position_record, trade_of
from tests.support.messages import CLOSE, KEY, PAIR, decision, fill, trade, veto

NOW = CLOSE + timedelta(seconds=5)
BASE = "<b>a signal</b>"
TEXT = message([BASE])
TP1 = fill("tp1", 152.02, 4.0, 16)
CLOSE_MS = int(CLOSE.timestamp() * 1_000)


def board(**settings) -> Board:
    return Board(with_overrides(Settings(), settings))


def told(one: Board) -> Board:
    """The board after it has told of the signal."""
    one.decided([decision()], lambda _: TEXT, NOW)
    return one


def record(**changes) -> MessageRecord:
    """The signal's message as the journal has it."""
    values = {
        "bot": "b",
        "key": signal_notice_key(KEY),
        "channel": "main",
        "kind": "signal",
        "revision": 0,
        "at_ms": CLOSE_MS + 5_000,
        "status": "sent",
        "html": BASE,
        "shown": BASE,
        "pair": PAIR,
        "side": "long",
        "close_ms": CLOSE_MS,
    }
    return MessageRecord(**values | changes)


def replay(**changes) -> ReplayRecord:
    values = {
        "bot": "b",
        "pair": PAIR,
        "side": "long",
        "close_ms": CLOSE_MS,
        "at_ms": CLOSE_MS,
        "outcome": "tp2",
        "net_r": 1.5,
        "minutes": 45,
        "resolution": "1m",
    }
    return ReplayRecord(**values | changes)


# ---- decided ----


def test_an_approved_signal_is_told_with_its_message():
    (notice,) = board().decided([decision()], lambda _: TEXT, NOW)
    assert (notice.kind, notice.html, notice.plain) == ("signal", BASE, "a signal")
    assert notice.key == "signal:SOL/USDT:USDT:long:2026-03-02T10:15:00Z"
    assert (notice.signal, notice.at) == (KEY, NOW)
    assert notice.expires_at == CLOSE + timedelta(minutes=15)


def test_only_approved_signals_are_told_and_the_others_harm_none():
    others = [replace(decision(), status=status) for status in Status if status != "approved"]
    made = [*others, decision(), decision("BAD/USDT:USDT")]
    notices = board().decided(made, lambda one: None if "BAD" in one.candidate.pair else TEXT, NOW)
    assert [notice.signal for notice in notices] == [KEY]


def test_a_signal_is_told_once_over_a_restart():
    one = told(board())
    assert one.decided([decision()], lambda _: TEXT, NOW) == []
    again = board()
    again.restore([record()])
    assert again.decided([decision()], lambda _: TEXT, NOW) == []


def test_signals_come_before_vetoes():
    made = [decision("A/USDT:USDT", verdicts=(veto(),)), decision()]
    assert [one.kind for one in board().decided(made, lambda _: TEXT, NOW)] == [
        "signal",
        "breaker",
    ]


def test_the_longest_pair_makes_no_key_too_long():
    key = SignalKey("X" * 64, "short", CLOSE)
    assert len(signal_notice_key(key)) <= NOTICE_KEY_LENGTH


# ---- edits ----


def test_a_trade_edits_its_message_when_something_happened():
    one = told(board())
    ((key, filled),) = one.traded([trade()])
    assert key == signal_notice_key(KEY)
    assert filled.startswith(BASE)
    assert one.traded([trade(price=151.0, unrealised=10.0)]) == []
    ((_, target),) = one.traded([trade(fills=(TP1,), stop=150.0)])
    assert target.count("STATUS") == 1
    assert "TP1 ✅" in target


def test_a_trade_without_a_message_edits_nothing():
    one = told(board())
    other = KEY._replace(pair="ETH/USDT:USDT")
    assert one.traded([trade(key=other)]) == []
    assert board().traded([trade()]) == []


@pytest.mark.parametrize("state", [trade(), trade(fills=(TP1,), stop=150.0)])
def test_a_restart_edits_only_what_is_not_shown(state):
    ((_, html),) = told(board()).traded([state])
    for shown, is_edited in ((html, False), (BASE, True), ("", True)):
        again = board()
        again.restore([record(shown=shown)])
        assert again.traded([state]) == [(signal_notice_key(KEY), html)] * is_edited


def test_a_channel_that_lags_is_brought_up_to_date():
    ((_, html),) = told(board()).traded([trade()])
    records = [record(shown=html), record(channel="signals")]
    for order in (records, records[::-1]):
        again = board()
        again.restore(order)
        assert again.traded([trade()]) == [(signal_notice_key(KEY), html)]
        assert again.traded([trade()]) == []


def test_a_refusal_and_an_expiry_are_shown():
    one = told(board())
    refused = replace(decision(), status=Status.NOT_TAKEN, reasons=("price drifted",))
    ((_, html),) = one.refused([refused])
    assert "Not taken: price drifted" in html
    assert one.refused([refused]) == []
    expired = replace(decision(), status=Status.EXPIRED, reasons=("no fill",))
    ((_, html),) = one.refused([expired])
    assert "Expired: no fill" in html
    assert one.refused([replace(decision(), status=Status.TAKEN)]) == []


def test_a_trade_is_not_overwritten_by_what_would_have_been():
    one = told(board())
    ((_, html),) = one.traded([trade()])
    expired = replace(decision(), status=Status.EXPIRED, reasons=("no fill",))
    assert one.refused([expired]) == []
    assert one.replayed([replay()]) == []
    again = board()
    again.restore([record(shown=html)])
    assert again.replayed([replay()]) == []


def test_an_untaken_signal_shows_what_it_would_have_become():
    one = told(board())
    ((key, html),) = one.replayed([replay()])
    assert key == signal_notice_key(KEY)
    assert "would have ended by second target, +1.50 R" in html
    assert one.replayed([replay()]) == []
    assert one.replayed([replay(pair="ETH/USDT:USDT")]) == []


def test_a_service_without_orders_follows_its_signals():
    one = told(board(signals_only=True))
    never = replace(decision(), status=Status.NOT_TAKEN, reasons=("signals only",))
    assert one.refused([never]) == []
    ((_, html),) = one.replayed([replay()])
    assert "Followed: ended by second target" in html


def test_old_messages_are_not_edited_any_more():
    one = told(board())
    later = CLOSE + timedelta(days=2, minutes=1)
    fresh = decision("ETH/USDT:USDT", close=later)
    one.decided([fresh], lambda _: TEXT, later)
    assert one.traded([trade()]) == []
    assert len(one.traded([trade(key=fresh.candidate.key)])) == 1


# ---- what the journal keeps ----


def kept(record) -> SimpleNamespace:
    """A row of positions, as a reader gives it."""
    at = {
        name: None if ms is None else datetime.fromtimestamp(ms / 1_000, UTC)
        for name, ms in (
            ("close_time", record.close_ms),
            ("opened_at", record.opened_ms),
            ("closed_at", record.closed_ms),
        )
    }
    return SimpleNamespace(
        trade_id=record.trade_id,
        pair=record.pair,
        direction=record.side,
        entry_price=record.entry_price,
        amount=record.amount,
        leverage=record.leverage,
        stop_loss=record.stop,
        current_price=record.price,
        profit=record.profit,
        unrealized_pnl=record.unrealised,
        risk=record.risk,
        outcome=record.outcome,
        fills=list(record.fills),
        **at,
    )


@pytest.mark.parametrize(
    "state",
    [
        trade(),
        trade(amount=0.0, risk=float("nan"), outcome="expired", closed_at=NOW),
        trade(
            fills=(TP1, fill("stop_loss", 150.0, 6.0, 33.3333)),
            closed_at=CLOSE + timedelta(minutes=33, microseconds=1_999),
            outcome="break_even",
            profit=8.0,
        ),
    ],
)
def test_a_trade_from_the_journal_reads_as_the_one_that_was_kept(state):
    one = told(board())
    shown = one.traded([state])
    assert shown
    assert one.traded([trade_of(kept(position_record(state, "b", NOW)))]) == []


def test_an_outcome_from_the_journal_reads_as_the_one_that_was_kept():
    one = told(board())
    assert one.replayed([replay(pnl_pct=1.2, is_ambiguous=True)])
    row = SimpleNamespace(
        bot="b",
        pair=PAIR,
        direction="long",
        close_time=CLOSE,
        replay_outcome="tp2",
        replay_net_r=1.5,
        replay_pnl_pct=1.2,
        replay_minutes=45,
        replay_resolution="1m",
        replay_is_ambiguous=True,
    )
    assert one.replayed([replay_of(row)]) == []
    row.replay_outcome = None
    assert replay_of(row) is None
