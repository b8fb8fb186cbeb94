"""A database that is locked, full of others' work, away or killed: an error in words, no half."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from scalp_strategy.errors import StoreError
from scalp_strategy.journal.event_store import EventStore
from scalp_strategy.journal.outside import Cursor
from tests.unit.journal.databases import empty_database, journal_at, rows
from tests.unit.journal.happenings import whale

SHORT_S = 0.05
# Dies without a word at a statement, or when all is done; what it takes is what the parent takes.
CHILD = """
import os, signal, sys
from sqlalchemy import Engine, event
from scalp_strategy.journal.event_store import EventStore
from scalp_strategy.journal.outside import Cursor
from sqlalchemy.engine import make_url
from tests.unit.journal.databases import journal_at
from tests.unit.journal.happenings import change, whale

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def at_statement(connection, cursor, statement, *_):
    if moment in statement:
        die()

moment = sys.argv[2]
store = EventStore(journal_at(make_url(sys.argv[1])))
if not moment.startswith("CREATE"):
    store.cursor()
event.listen(Engine, "before_cursor_execute", at_statement)
if moment == "before the commit":
    event.listen(Engine, "commit", die)
store.take(Cursor(), [whale(1), change(2, "macro", "CALM", "EXTREME"), whale(3)])
if moment == "when all is done":
    die()
"""


@pytest.mark.parametrize(
    ("moment", "is_kept"),
    [
        ("CREATE TABLE sentiment_snapshots", False),
        ("INSERT INTO whale_events", False),
        ("INSERT INTO sentiment_snapshots", False),
        ("UPDATE event_cursors", False),  # the rows are written, the cursor stands where it was
        ("before the commit", False),
        ("when all is done", True),
    ],
)
def test_killed_at_any_moment_it_is_all_kept_or_nothing(url, moment, is_kept):
    address = url.render_as_string(hide_password=False)
    child = subprocess.run(
        [sys.executable, "-c", CHILD, address, moment], check=False, env=os.environ
    )
    assert child.returncode == -signal.SIGKILL
    journal = journal_at(url)
    store = EventStore(journal)
    cursor = store.cursor()
    assert (cursor.number, len(rows(url, "whale_events"))) == ((3, 2) if is_kept else (0, 0))
    behind = [one for one in (whale(1), whale(3), whale(4)) if one.number > cursor.number]
    store.take(cursor, behind)
    assert [row["event_number"] for row in rows(url, "whale_events")] == [1, 3, 4]
    journal.close()


@pytest.fixture
def file(tmp_path):
    with empty_database("sqlite", tmp_path) as url:
        yield url


def test_a_locked_file_is_told_and_nothing_is_lost(file):
    journal = journal_at(file, SHORT_S)
    store = EventStore(journal)
    cursor = store.take(Cursor(), [whale(1)]).cursor
    other = sqlite3.connect(file.database, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    for _ in range(2):
        with pytest.raises(StoreError, match="locked"):
            store.take(cursor, [whale(2)])
    other.execute("ROLLBACK")
    assert store.take(cursor, [whale(2)]).cursor.number == 2
    other.close()
    journal.close()


def test_a_file_that_is_locked_at_the_start_is_opened_later(file):
    other = sqlite3.connect(file.database, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    journal = journal_at(file, SHORT_S)
    store = EventStore(journal)
    with pytest.raises(StoreError, match="locked"):
        store.cursor()
    other.close()
    assert store.take(Cursor(), [whale(1)]).cursor.number == 1
    journal.close()


def test_a_full_disk_is_told_and_nothing_is_half_written(file):
    journal = journal_at(file)
    store = EventStore(journal)
    cursor = store.take(Cursor(), [whale(1)]).cursor
    with journal.transaction() as session:
        (pages,) = session.connection().exec_driver_sql("PRAGMA page_count").one()
    with journal.transaction() as session:
        session.connection().exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    many = [whale(number, from_label="x" * 90) for number in range(2, 500)]
    with pytest.raises(StoreError, match="full"):
        store.take(cursor, many)
    assert store.cursor() == cursor
    assert len(rows(file, "whale_events")) == 1
    with journal.transaction() as session:
        session.connection().exec_driver_sql("PRAGMA max_page_count = 1000000")
    assert len(store.take(cursor, many).fresh) == len(many)
    journal.close()


@pytest.mark.parametrize("content", [b"no database at all, but a text of some length" * 9, None])
def test_a_file_that_is_none_of_ours_is_left_as_it_is(file, content):
    path = Path(file.database)
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    journal = journal_at(file)
    with pytest.raises(StoreError):
        EventStore(journal).cursor()
    left = None if path.is_dir() else path.read_bytes()
    assert left == content
    journal.close()


def test_a_server_that_makes_wait_is_not_waited_for(tmp_path):
    with empty_database("postgresql", tmp_path) as url:
        journal = journal_at(url, SHORT_S * 4)
        store = EventStore(journal)
        cursor = store.take(Cursor(), [whale(1)]).cursor
        with psycopg.connect(
            host=url.host,
            port=url.port,
            user=url.username,
            password=url.password,
            dbname=url.database,
            options=url.query["options"],
        ) as other:
            other.execute("LOCK TABLE event_cursors IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(StoreError, match="timeout"):
                store.take(cursor, [whale(2)])
        assert store.take(cursor, [whale(2)]).cursor.number == 2
        journal.close()


def test_a_server_that_cut_the_connection_is_asked_again(tmp_path):
    """It was started anew; the kept connection is dead, the next one is not."""
    with empty_database("postgresql", tmp_path) as url:
        journal = journal_at(url)
        store = EventStore(journal)
        with journal.transaction() as session:
            (own,) = session.connection().exec_driver_sql("SELECT pg_backend_pid()").one()
        rows_of = journal_at(url)
        with rows_of.transaction() as session:
            session.connection().exec_driver_sql(f"SELECT pg_terminate_backend({own})")
        assert store.take(Cursor(), [whale(1)]).cursor.number == 1
        rows_of.close()
        journal.close()
