"""Several bots take the sidecar's events into one database: each is told all, each is kept once."""

import threading

import pytest
from sqlalchemy import insert, select

from scalp_strategy.journal.event_store import SOURCE, EventStore
from scalp_strategy.journal.models import EventCursor
from scalp_strategy.journal.outside import Cursor, OutsideEvent
from tests.unit.journal.databases import journal_at, rows
from tests.unit.journal.happenings import AT_MS, MINUTE_MS, change, snapshot, whale

EVENTS = [whale(1), change(2, "macro", None, "CALM"), snapshot(3, fear_greed=30.0), whale(5)]


def told(taken) -> list[int]:
    return [event.number for event in taken.fresh]


def numbers(url, table="whale_events") -> list[int]:
    return sorted(row["event_number"] for row in rows(url, table))


@pytest.fixture
def stores(journal) -> tuple[EventStore, EventStore]:
    return EventStore(journal, "bot-a"), EventStore(journal, "bot-b")


def test_each_bot_is_told_every_event_and_each_is_kept_once(stores, url):
    for store in stores:
        assert told(store.take(Cursor(), EVENTS)) == [1, 2, 3, 5]
    assert numbers(url) == [1, 5]
    assert numbers(url, "sentiment_snapshots") == [2, 3]
    assert [store.cursor().number for store in stores] == [5, 5]


def test_a_bots_cursor_is_its_own(stores):
    first, second = stores
    cursor = first.take(Cursor(), EVENTS[:2]).cursor
    assert second.cursor() == Cursor()
    assert told(second.take(Cursor(), EVENTS[:3])) == [1, 2, 3]
    assert first.cursor() == cursor
    assert told(first.take(cursor, EVENTS[2:])) == [3, 5]


def test_transfers_of_one_transaction_are_the_same_several_for_every_bot(stores, url):
    parts = [whale(number, tx_hash="0xcafe", amount=float(number)) for number in (1, 2, 3)]
    first, second = stores
    cursor = first.take(Cursor(), parts[:1]).cursor
    assert told(second.take(Cursor(), parts)) == [1, 2, 3]
    assert told(first.take(cursor, parts[1:])) == [2, 3]
    assert sorted(row["amount"] for row in rows(url, "whale_events")) == [1.0, 2.0, 3.0]


def test_a_folder_that_was_replaced_is_read_anew_by_each_and_told_once(stores, url):
    for store in stores:
        store.take(Cursor(), EVENTS)
    anew = [
        OutsideEvent(number, event.at_ms, event.kind, None, "", event.content)
        for number, event in enumerate(EVENTS, 11)
    ]
    for store in stores:
        cursor = store.begin_anew(store.cursor())
        assert told(store.take(cursor, [*anew, whale(20)])) == [20]
    assert numbers(url) == [1, 5, 20]


def test_a_bot_that_comes_when_the_folder_was_replaced_is_told_and_keeps_nothing_twice(stores, url):
    first, late = stores
    cursor = first.take(Cursor(), EVENTS).cursor
    anew = [OutsideEvent(2, AT_MS + MINUTE_MS, "whale", None, "", EVENTS[0].content), whale(9)]
    assert told(first.take(first.begin_anew(cursor), anew)) == [9]
    assert told(late.take(Cursor(), anew)) == [2, 9]
    assert numbers(url) == [1, 5, 9]


def test_the_shared_cursor_of_before_is_where_each_bot_begins(journal, stores, url):
    """As after the update from a version in which all bots had one."""
    shared = EventStore(journal)
    cursor = shared.take(Cursor(), EVENTS[:3]).cursor
    for store in stores:
        assert store.cursor() == cursor
        assert told(store.take(cursor, EVENTS[3:])) == [5]
    # What the shared one was told in an earlier folder is known to each.
    for store in stores:
        anew = store.begin_anew(store.cursor())
        same = OutsideEvent(1, AT_MS, "whale", None, "", EVENTS[0].content)
        assert told(store.take(anew, [same, whale(30)])) == [30]
    assert numbers(url) == [1, 5, 30]
    assert shared.cursor() == cursor


def test_names_as_long_as_they_may_be_are_told_apart(journal):
    name = "b" * 63
    cursor = EventStore(journal, f"{name}1").take(Cursor(), EVENTS).cursor
    assert EventStore(journal, f"{name}2").cursor() == Cursor()
    with journal.reading() as session:
        assert len(session.scalars(select(EventCursor)).all()) == 2
    assert EventStore(journal, f"{name}1").cursor() == cursor


def test_bots_that_write_together_are_each_told_each_event_once(url):
    """Two bots, one of them in two programs; each takes page after page."""
    last, page = 60, 5
    told_to: dict[str, list[int]] = {"bot-a": [], "bot-b": []}
    bots = ("bot-a", "bot-a", "bot-b")
    gate = threading.Barrier(len(bots))

    def write(bot: str) -> None:
        journal = journal_at(url)
        own = EventStore(journal, bot)
        gate.wait()
        cursor = own.cursor()
        while cursor.number < last:
            start = cursor.number + 1
            taken = own.take(cursor, [whale(n) for n in range(start, start + page)])
            cursor = taken.cursor
            told_to[bot].extend(told(taken))
        journal.close()

    threads = [threading.Thread(target=write, args=(bot,)) for bot in bots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = list(range(1, last + 1))
    assert sorted(told_to["bot-a"]) == sorted(told_to["bot-b"]) == numbers(url) == every


def test_a_shared_cursor_that_stands_nowhere_is_no_hindrance(journal):
    with journal.transaction() as session:
        values = {"source": SOURCE, "stream": 3, "number": 0, "at_ms": 0, "kind": ""}
        session.execute(insert(EventCursor).values(values))
    store = EventStore(journal, "bot-a")
    assert store.cursor() == Cursor(3)
    assert told(store.take(Cursor(3), EVENTS)) == [1, 2, 3, 5]
