"""What the journal answers: the bot's own rows, in order, beside whoever writes."""

from dataclasses import fields
from datetime import UTC, date, datetime, timedelta

import pytest

from scalp_strategy.errors import StoreError
from scalp_strategy.journal.days import Result, summed
from scalp_strategy.journal.models import (
    Base,
    BreakerEvent,
    DailyPerformance,
    PositionRow,
    Signal,
)
from scalp_strategy.journal.reader import JournalReader
from scalp_strategy.journal.views import BreakerView, DayView, PositionView, SignalRow
from scalp_strategy.signals import SignalKey
from tests.unit.journal.databases import journal_at
from tests.unit.journal.happenings import AT, AT_MS, MINUTE_MS
from tests.unit.journal.kept import (
    BOT,
    LAYERS,
    PAIR,
    STORY,
    breaker,
    cancelled,
    closed,
    day,
    locked,
    message,
    position,
    put,
    replay,
    signal,
    word,
)

HOUR_MS = 60 * MINUTE_MS
CANDLE_MS = 15 * MINUTE_MS
DAY = date(2026, 3, 2)  # of AT, 10:00 UTC
LATER = AT + timedelta(days=9)


@pytest.fixture
def reader(journal) -> JournalReader:
    return JournalReader(journal, BOT, lambda: LATER)


def closes(rows) -> list[int]:
    """Which candles after the first."""
    return [(row.close_time - AT) // timedelta(minutes=15) for row in rows]


def nth(number: int, **values):
    """A signal so many candles after the first."""
    return signal(close_ms=AT_MS + number * CANDLE_MS, **values)


@pytest.mark.parametrize(
    ("view", "table"),
    [
        (SignalRow, Signal),
        (PositionView, PositionRow),
        (BreakerView, BreakerEvent),
        (DayView, DailyPerformance),
    ],
)
def test_a_view_names_columns_and_leaves_out_no_unknown_one(view, table):
    named = {field.name for field in fields(view)}
    columns = set(Base.metadata.tables[table.__tablename__].columns.keys())
    assert named <= columns
    inner = {"id", "bot", "signal_id", "status_at", "equity_at", "updated_at"}
    assert columns - named <= inner


# ---------------------------------------------------------------------------------------- signals


def test_a_signal_comes_back_as_it_is(reader, journal):
    put(journal, *STORY)
    row = reader.signal(SignalKey(PAIR, "long", AT))
    assert (row.pair, row.direction, row.close_time) == (PAIR, "long", AT)
    assert (row.valid_until, row.created_at) == (AT + timedelta(minutes=15), AT)
    assert (row.status, row.outcome, row.actual_rr) == ("taken", "tp2", 0.8)
    assert (row.layers, row.plan) == (LAYERS, {"stop": 64_500.0})
    assert row.verdicts == [{"breaker": "overtrading", "blocks": False}]
    assert (row.ta_score, row.orderflow_score, row.onchain_score) == (82, 70, None)
    assert (row.replay_outcome, row.replay_is_ambiguous) == ("sl", False)
    assert reader.signal(SignalKey(PAIR, "short", AT)) is None
    assert reader.signal(SignalKey(PAIR, "long", AT + timedelta(minutes=15))) is None


def test_the_last_signals_are_the_newest_that_reached_a_tier(reader, journal):
    statuses = ["approved", "vetoed", "discarded", "rejected", "approved"]
    put(journal, *(nth(number, status=status) for number, status in enumerate(statuses)))
    put(journal, nth(9, bot="other"))
    assert closes(reader.last_signals(10)) == [4, 3, 1, 0]
    assert closes(reader.last_signals(2)) == [4, 3]
    assert closes(reader.last_signals(10, sent_only=True)) == [4, 0]
    assert reader.last_signals(0) == []


def test_a_sent_signal_stays_sent_whatever_becomes_of_it(reader, journal):
    words = ["not_taken", "taken", "expired"]
    for number, status in enumerate(words):
        put(journal, nth(number), word(status, close_ms=AT_MS + number * CANDLE_MS))
    assert closes(reader.last_signals(10, sent_only=True)) == [2, 1, 0]


def test_a_candles_signals_come_with_the_best_first(reader, journal):
    put(journal, signal(pair="A", score=66), signal(pair="B", score=90), nth(1))
    put(journal, signal(pair="C", score=51, status="discarded", tier="NONE"))
    assert [row.pair for row in reader.signals_of(AT)] == ["B", "A", "C"]


def test_between_takes_the_first_instant_and_leaves_the_last(reader, journal):
    put(
        journal, *(nth(number) for number in (2, 0, 1, 3)), nth(1, status="discarded", side="short")
    )
    found = reader.signals_between(AT, AT + timedelta(minutes=45))
    assert closes(found) == [0, 1, 2]


def test_unresolved_are_the_oldest_without_a_replay_discarded_ones_too(reader, journal):
    put(journal, nth(0), nth(1, status="discarded"), nth(2), nth(3), nth(4))
    put(journal, word("taken"), closed(), replay(close_ms=AT_MS + 2 * CANDLE_MS))
    assert closes(reader.unresolved(AT, AT + timedelta(hours=1), 9)) == [0, 1, 3]
    assert closes(reader.unresolved(AT, AT + timedelta(hours=1), 2)) == [0, 1]
    assert closes(reader.unresolved(AT + timedelta(seconds=1), LATER, 9)) == [1, 3, 4]


# ----------------------------------------------------------------------- trades, breakers, messages


def test_open_trades_are_those_that_have_not_ended(reader, journal):
    put(
        journal,
        position("open", trade_id=2, opened_ms=AT_MS + 2),
        position("pending", trade_id=1, opened_ms=AT_MS + 1),
        closed(trade_id=3),
        cancelled(trade_id=4),
        position("open", bot="other"),
    )
    first, second = reader.open_positions()
    assert (first.trade_id, second.trade_id, second.status) == (1, 2, "open")
    assert second.opened_at == AT + timedelta(milliseconds=2)
    assert (second.closed_at, second.outcome, second.fills) == (None, None, [])


def test_ended_trades_come_by_their_end(reader, journal):
    put(
        journal,
        closed(after_ms=2 * HOUR_MS, trade_id=1),
        closed(after_ms=HOUR_MS, trade_id=2, fills=({"tag": "tp1", "price": 1.5},)),
        cancelled(after_ms=HOUR_MS // 2, trade_id=3),
        position("open", trade_id=4),
    )
    found = reader.closed_positions(AT, AT + timedelta(hours=2))
    assert [(one.trade_id, one.status) for one in found] == [(3, "cancelled"), (2, "closed")]
    assert (found[1].profit, found[1].net_r, found[1].outcome) == (12.0, 0.8, "tp2")
    assert found[1].fills == [{"tag": "tp1", "price": 1.5}]


def test_what_breakers_did_comes_in_order(reader, journal):
    put(journal, breaker(2, reason="b"), breaker(1, reason="a"), breaker(3), breaker(1, bot="x"))
    found = reader.breaker_events(AT, AT + timedelta(milliseconds=3))
    assert [(one.reason, one.action_taken) for one in found] == [("a", "blocked"), ("b", "blocked")]
    assert found[0].timestamp == AT + timedelta(milliseconds=1)


def test_messages_come_back_as_they_were_recorded(reader, journal):
    sent = message(
        3,
        status="sent",
        shown="<b>x</b>",
        expires_ms=AT_MS + 5,
        sent_ms=AT_MS + 4,
        chat_id="-100",
        message_ids=(4, 5),
        attempts=2,
        problem="once",
        pair=PAIR,
        side="long",
        close_ms=AT_MS,
    )
    put(journal, sent)
    assert reader.messages(AT) == [sent]


def test_messages_that_wait_come_back_however_old(reader, journal):
    put(
        journal,
        message(key="old and queued", at_ms=AT_MS - HOUR_MS),
        message(key="old and sent", at_ms=AT_MS - HOUR_MS, status="sent"),
        message(key="new and failed", at_ms=AT_MS + 1, status="failed"),
        message(key="theirs", bot="other"),
    )
    assert [one.key for one in reader.messages(AT)] == ["old and queued", "new and failed"]


# ------------------------------------------------------------------------------------------- days


def test_a_day_of_trades(reader, journal):
    put(
        journal,
        nth(0),
        nth(1, status="vetoed"),
        nth(2, status="rejected"),
        nth(3, status="discarded"),
        nth(4),
        nth(56),  # closes at midnight: the next day's
        word("not_taken", "slot", close_ms=AT_MS + 4 * CANDLE_MS),
        replay("sl", net_r=-1.0, close_ms=AT_MS + 4 * CANDLE_MS),
        closed("tp3", HOUR_MS, trade_id=1, profit=20.0, profit_pct=1.5, net_r=2.0),
        closed("tp2", HOUR_MS, trade_id=2, profit=6.0, profit_pct=0.5, net_r=1.0),
        closed("sl", HOUR_MS, trade_id=3, profit=-10.0, profit_pct=-0.8, net_r=-1.0),
        closed("max_hold", HOUR_MS, trade_id=4, profit=0.0, profit_pct=0.0, net_r=0.0),
        closed("sl", 14 * HOUR_MS, trade_id=5, profit=-99.0),  # ends at midnight
        cancelled(HOUR_MS, trade_id=6),
        position("open", HOUR_MS, trade_id=7),
        breaker(0),
        breaker(1, action="paused"),
        breaker(2, action="size_reduced"),
        breaker(3, action="resumed"),
        breaker(14 * HOUR_MS),
        day(start_equity=1_000.0, end_equity=1_016.0, max_drawdown_pct=1.2),
    )
    made = reader.make_day(DAY)
    assert made == DayView(
        bot=BOT,
        date=DAY,
        total_signals=4,
        signals_sent=2,
        signals_blocked=2,
        wins=2,
        losses=2,
        win_rate=50.0,
        total_pnl=16.0,
        total_pnl_pct=pytest.approx(1.6),
        max_drawdown_pct=1.2,
        avg_rr_achieved=pytest.approx(3.0),  # 1.5 R won, 0.5 R lost
        best_trade_pnl=1.5,
        worst_trade_pnl=-0.8,
        breaker_activations=2,
        start_equity=1_000.0,
        end_equity=1_016.0,
    )
    assert reader.day(DAY) == made
    assert reader.days(DAY, DAY) == [made]


def test_a_day_without_orders_counts_what_became_of_its_signals(reader, journal):
    put(
        journal,
        nth(0, risk_quote=10.0),
        nth(1, risk_quote=20.0),
        nth(2, status="vetoed"),
        nth(3),
        nth(55),  # its replay ends after midnight
        nth(4),
    )
    ends = [("tp3", 2.0, 0), ("sl", -1.1, 1), ("sl", -1.0, 2), ("tp2", 0.5, 55)]
    for outcome, net_r, number in ends:
        put(
            journal,
            replay(outcome, net_r=net_r, pnl_pct=net_r / 2, close_ms=AT_MS + number * CANDLE_MS),
        )
    put(journal, replay("expired", net_r=None, pnl_pct=None, close_ms=AT_MS + 4 * CANDLE_MS))
    made = reader.make_day(DAY)
    assert (made.signals_sent, made.wins, made.losses) == (5, 1, 1)
    assert made.total_pnl == pytest.approx(-2.0)
    assert (made.best_trade_pnl, made.worst_trade_pnl) == (1.0, -0.55)
    assert made.total_pnl_pct is made.max_drawdown_pct is made.start_equity is None
    assert reader.make_day(DAY + timedelta(days=1)).wins == 1


def test_a_day_with_a_trade_that_is_open_counts_no_replays(reader, journal):
    put(journal, nth(0), replay("tp3"), position("open", trade_id=9, close_ms=AT_MS + 1))
    made = reader.make_day(DAY)
    assert (made.wins, made.losses, made.win_rate) == (0, 0, None)


def test_an_empty_day_is_one_too(reader):
    assert reader.day(DAY) is None
    made = reader.make_day(DAY)
    assert (made.total_signals, made.win_rate, made.avg_rr_achieved) == (0, None, None)
    assert reader.day(DAY) == made


def test_a_day_that_is_made_again_follows_what_has_changed(reader, journal):
    put(journal, closed("tp3", trade_id=1), breaker())
    assert reader.make_day(DAY).wins == 1
    put(journal, closed("sl", trade_id=2, profit=-1.0), day())
    made = reader.make_day(DAY)
    assert (made.wins, made.losses, made.start_equity) == (1, 1, 1_000.0)
    put(journal, day(60_000, end_equity=7.0))
    assert (reader.day(DAY).wins, reader.day(DAY).end_equity) == (1, 7.0)


def test_days_are_the_bots_own_in_order(reader, journal):
    for number in (2, 0, 1):
        reader.make_day(DAY + timedelta(days=number))
    JournalReader(journal, "other").make_day(DAY)
    found = reader.days(DAY, DAY + timedelta(days=1))
    assert [one.date for one in found] == [DAY, DAY + timedelta(days=1)]


@pytest.mark.parametrize(
    ("results", "ratio"),
    [
        ([], None),
        ([(5.0, 1.0)], None),
        ([(-5.0, -1.0)], None),
        ([(5.0, 3.0), (4.0, 1.0), (-5.0, -1.0), (-1.0, -0.6)], 2.5),
        ([(5.0, 3.0), (0.0, 0.0)], None),
        ([(5.0, None), (-5.0, -1.0)], None),
    ],
)
def test_the_average_winner_over_the_average_loser(results, ratio):
    counted = summed([Result(money, None, net_r) for money, net_r in results])
    expected = None if ratio is None else pytest.approx(ratio)
    assert counted["avg_rr_achieved"] == expected


# ------------------------------------------------------------------------------ beside one another


def test_a_reader_waits_for_no_writer(reader, journal, url):
    put(journal, *STORY)
    reader.make_day(DAY)
    other = journal_at(url)
    with other.transaction() as session:
        session.connection().exec_driver_sql("UPDATE signals SET status = 'expired'")
        own = JournalReader(journal_at(url, 0.5), BOT)  # a program that has just started
        for each in (reader, own):
            assert each.signal(SignalKey(PAIR, "long", AT)).status == "taken"
            assert len(each.messages(AT)) == 1
    assert reader.signal(SignalKey(PAIR, "long", AT)).status == "expired"
    other.close()


def test_a_reader_sees_one_moment(journal, url):
    put(journal, signal())
    other = journal_at(url)
    with journal.reading() as session:
        first = session.connection().exec_driver_sql("SELECT count(*) FROM signals").scalar_one()
        put(other, nth(1))
        again = session.connection().exec_driver_sql("SELECT count(*) FROM signals").scalar_one()
    assert first == again == 1
    other.close()


def test_a_server_lets_a_reader_change_nothing(journal, url):
    if url.get_backend_name() == "sqlite":
        pytest.skip("a file knows no such transactions")
    put(journal, signal())
    with pytest.raises(StoreError, match="read-only"), journal.reading() as session:
        session.connection().exec_driver_sql("DELETE FROM signals")


def test_a_locked_database_is_told_by_who_writes(url):
    journal = journal_at(url, 0.3)
    reader = JournalReader(journal, BOT)
    reader.make_day(DAY)
    with locked(url, "daily_performance"), pytest.raises(StoreError):
        reader.make_day(DAY)
    assert reader.make_day(DAY).date == DAY
    journal.close()


def test_the_counting_is_dated(journal):
    JournalReader(journal, BOT, lambda: LATER).make_day(DAY)
    with journal.reading() as session:
        row = session.execute(Base.metadata.tables["daily_performance"].select()).one()
    assert row.updated_at == LATER
    assert row.updated_at.tzinfo is UTC
    before = datetime.now(UTC)
    JournalReader(journal, BOT).make_day(DAY)
    with journal.reading() as session:
        row = session.execute(Base.metadata.tables["daily_performance"].select()).one()
    assert before <= row.updated_at <= datetime.now(UTC)
