"""Events in the journal: what is kept, each once, whoever else writes, reads or begins anew."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, select, update

from scalp_strategy.journal.event_store import EventStore
from scalp_strategy.journal.models import EventCursor, SentimentSnapshot, UtcDateTime, WhaleEvent
from scalp_strategy.journal.outside import Cursor, OutsideEvent, StateChange
from tests.unit.journal.databases import journal_at, rows
from tests.unit.journal.happenings import (
    AT,
    AT_MS,
    MINUTE_MS,
    change,
    movement,
    other,
    snapshot,
    whale,
)


@pytest.fixture
def store(journal) -> EventStore:
    return EventStore(journal)


def numbers(url, table="whale_events") -> list[int]:
    return [row["event_number"] for row in rows(url, table)]


# ------------------------------------------------------------------------------------ what is kept


def test_a_transfer_is_kept_with_all_that_is_known_of_it(store, journal):
    unpriced = {"token": "USDT", "amount": None, "amount_usd": None}
    store.take(Cursor(), [whale(3), whale(4, **unpriced)])
    with journal.transaction() as session:
        known, unknown = session.scalars(select(WhaleEvent).order_by(WhaleEvent.event_number))
        assert (known.token, known.pair, known.direction) == ("BTC", "BTC/USDT:USDT", "deposit")
        assert (known.from_label, known.to_label) == ("unknown wallet", "Binance")
        assert (known.blockchain, known.tx_hash) == ("bitcoin", "0xAB0003")
        assert (known.amount, float(known.amount_usd)) == (100.0, 6_500_000.55)
        assert known.timestamp == AT + timedelta(minutes=3, seconds=-5)
        assert known.told_at == AT + timedelta(minutes=3)
        assert known.told_at.tzinfo is UTC
        assert (known.text, known.impact.partition(":")[0]) == ("transfer 3", "bearish")
        assert unknown.amount is None
        assert unknown.amount_usd is None
        assert unknown.impact.startswith("bullish")  # money that comes to buy


def test_moods_and_changes_are_kept_and_unknown_is_null(store, journal):
    mood = snapshot(
        2, fear_greed=22.0, btc_dominance=57.256, social=1234.4, regime="RISK_OFF", macro="CALM"
    )
    events = [
        change(1, "regime", None, "CHOPPY"),
        mood,
        snapshot(3),
        change(4, "macro", "CALM", "EXTREME"),
        change(5, "regime", "CHOPPY", None),
    ]
    store.take(Cursor(), events)
    with journal.transaction() as session:
        table = SentimentSnapshot
        found = [
            (
                one.kind,
                one.fear_greed_index,
                one.btc_dominance and round(float(one.btc_dominance), 2),
                one.social_volume_score,
                one.market_regime,
                one.macro_status,
            )
            for one in session.scalars(select(table).order_by(table.event_number))
        ]
    assert found == [
        ("regime", None, None, None, "CHOPPY", None),
        ("sentiment", 22, 57.26, 1234, "RISK_OFF", "CALM"),
        ("sentiment", None, None, None, None, None),
        ("macro", None, None, None, None, "EXTREME"),
        ("regime", None, None, None, None, None),
    ]


def test_other_kinds_move_the_cursor_only(store, url):
    taken = store.take(Cursor(), [other(1), other(7)])
    assert (taken.cursor, len(taken.fresh)) == (Cursor(1, 7, AT_MS + 7 * MINUTE_MS, "pairlist"), 2)
    assert store.cursor() == taken.cursor
    assert numbers(url) == numbers(url, "sentiment_snapshots") == []


@pytest.mark.parametrize(
    "hostile", ["a\0b", "\ud800", "x" * 5_000, "'; DROP TABLE x; --", "🐋\n_*"]
)
def test_a_text_of_others_can_neither_be_refused_nor_do_harm(store, url, hostile):
    """What a database refuses would be refused for ever, and every event behind it too."""
    names = ("token", "from_label", "to_label", "blockchain", "tx_hash")
    content = movement(1, **dict.fromkeys(names, hostile))
    event = OutsideEvent(1, AT_MS, "whale", hostile, hostile, content)
    mood = OutsideEvent(2, AT_MS, "regime", None, hostile, StateChange(None, hostile))
    store.take(Cursor(), [event, mood])
    (row,) = rows(url, "whale_events")
    assert len(row["token"]) <= 64
    assert "\0" not in row["from_label"]
    assert "\n" not in row["text"]
    assert numbers(url, "sentiment_snapshots") == [2]


def test_the_largest_numbers_that_are_let_in_can_be_kept(store, url):
    event = whale(2**63 - 1, amount=9.9e14, amount_usd=9.9e14, observed_at_ms=253_402_300_799_000)
    event = OutsideEvent(2**63 - 1, 253_402_300_799_000, "whale", None, "", event.content)
    cursor = store.take(Cursor(), [event]).cursor
    assert store.cursor() == cursor
    assert numbers(url) == [2**63 - 1]


def test_a_moment_without_a_time_zone_is_a_mistake():
    with pytest.raises(ValueError, match="no time zone"):
        UtcDateTime().process_bind_param(datetime(2026, 3, 2), None)  # noqa: DTZ001


# ------------------------------------------------------------------------------------ each once


def test_what_was_taken_is_not_taken_again(store, url):
    """The caller's cursor is old: it was slow, or another bot was faster."""
    first = store.take(Cursor(), [whale(1), whale(2)])
    again = store.take(Cursor(), [whale(1), whale(2), whale(3)])
    assert (again.cursor, again.fresh) == (first.cursor, ())
    assert numbers(url) == [1, 2]


def test_several_transfers_of_one_transaction_are_several(store, url):
    """An exchange pays out many at once: same hash, token and direction."""
    parts = [whale(number, tx_hash="0xcafe", amount=float(number)) for number in (1, 2, 3)]
    assert len(store.take(Cursor(), parts).fresh) == 3
    assert numbers(url) == [1, 2, 3]


def test_a_folder_that_tells_it_all_again_adds_only_what_is_new(store, url):
    events = [whale(5), change(6, "macro", "CALM", "DANGER"), snapshot(7, fear_greed=30.0)]
    cursor = store.take(Cursor(), events).cursor
    anew = store.begin_anew(cursor)
    assert anew == Cursor(2)
    assert store.cursor() == anew
    # The same transfer, seen by another source that writes hashes differently.
    told = OutsideEvent(1, AT_MS, "whale", None, "", whale(5, tx_hash="AB0005").content)
    same = [OutsideEvent(n, e.at_ms, e.kind, None, "", e.content) for n, e in enumerate(events, 2)]
    taken = store.take(anew, [told, *same, whale(9), change(10, "macro", "DANGER", "CALM")])
    assert [event.number for event in taken.fresh] == [9, 10]
    assert numbers(url) == [5, 9]
    assert numbers(url, "sentiment_snapshots") == [6, 7, 10]


def test_a_number_of_another_folder_is_another_event(store, url):
    cursor = store.take(Cursor(), [whale(1)]).cursor
    fresh = store.take(store.begin_anew(cursor), [whale(1, tx_hash="0xother")]).fresh
    assert len(fresh) == 1
    assert numbers(url) == [1, 1]


def test_only_one_of_two_begins_anew(store):
    cursor = store.take(Cursor(), [whale(1)]).cursor
    assert store.begin_anew(cursor) == store.begin_anew(cursor) == Cursor(2)


# ------------------------------------------------------------------------------ beside one another


def test_programs_that_write_together_keep_each_event_once(url):
    """Two bots on one database; each takes page after page from where the cursor is."""
    last, page = 120, 5
    told, ended, gate = [], [], threading.Barrier(3)

    def write() -> None:
        journal = journal_at(url)
        own = EventStore(journal)
        gate.wait()
        cursor = own.cursor()
        while cursor.number < last:
            start = cursor.number + 1
            taken = own.take(cursor, [whale(n) for n in range(start, start + page)])
            cursor = taken.cursor
            told.extend(event.number for event in taken.fresh)
        journal.close()
        ended.append(cursor)

    threads = [threading.Thread(target=write) for _ in range(gate.parties)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ended) == gate.parties
    assert sorted(told) == numbers(url) == list(range(1, last + 1))


def test_a_reader_waits_for_nobody_and_sees_whole_takes_only(store, journal, url):
    store.take(Cursor(), [whale(1)])
    with journal.transaction() as session:
        session.execute(delete(WhaleEvent))
        assert numbers(url) == [1]
    assert numbers(url) == []


def test_a_block_that_fails_keeps_nothing(journal, url, store):
    store.cursor()
    with pytest.raises(ZeroDivisionError), journal.transaction() as session:
        _ = session.execute(update(EventCursor).values(number=99)).rowcount / 0
    assert store.cursor() == Cursor()
