"""The schema: up from nothing, the same as the models, all or nothing, one program at a time."""

import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from scalp_strategy.errors import StoreError
from scalp_strategy.journal import migrations
from scalp_strategy.journal.event_store import EventStore, content_key
from scalp_strategy.journal.models import VERSION_TABLE, Base
from scalp_strategy.journal.outside import Cursor, OutsideEvent
from tests.unit.journal.databases import journal_at, rows, run, tables
from tests.unit.journal.happenings import AT_MS, MINUTE_MS, whale
from tests.unit.journal.kept import BOT, STORY, kept, put

SCRIPTS = ScriptDirectory(str(Path(migrations.__file__).parent))


NAME_LENGTH = 63  # PostgreSQL cuts what is longer


def migrated(url, revision: str) -> None:
    """Bring an empty database to an earlier version."""
    config = Config()
    config.set_main_option("script_location", "scalp_strategy.journal:migrations")
    engine = create_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def first_version(url) -> None:
    """A database as the first version left it: two folders of the sidecar, and their events."""
    migrated(url, "0001")
    engine = create_engine(url)
    whales = """INSERT INTO whale_events (stream, event_number, content_key, token, amount_usd,
        direction, from_label, to_label, blockchain, tx_hash, impact, text, timestamp, told_at)
        VALUES (:stream, :number, :key, 'BTC', 1.5, 'deposit', 'a', 'b', 'bitcoin', 'h', 'i', 't',
        '2026-03-02 10:00:00', '2026-03-02 10:01:00')"""
    moods = """INSERT INTO sentiment_snapshots (stream, event_number, content_key, kind, text,
        timestamp) VALUES (:stream, :number, :key, 'macro', 't', '2026-03-02 10:00:00')"""
    with engine.begin() as connection:
        for stream, number, key in [(1, 1, OLD_KEY), (1, 2, "k"), (1, 4, "k"), (2, 1, "other")]:
            values = {"stream": stream, "number": number, "key": key}
            connection.execute(text(whales), values)
        connection.execute(text(moods), {"stream": 1, "number": 3, "key": "mood"})
        connection.execute(
            text("INSERT INTO event_cursors VALUES ('sidecar', 2, 1, :at_ms, 'whale')"),
            {"at_ms": AT_MS},
        )
    engine.dispose()


OLD_KEY = content_key(whale(1))


def opened(url) -> None:
    one = journal_at(url)
    with one.transaction():
        pass
    one.close()


def test_up_from_nothing_is_what_the_models_say(url):
    opened(url)
    engine = create_engine(url)
    with engine.connect() as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []
        assert context.get_current_revision() == SCRIPTS.get_current_head()
    engine.dispose()


def test_there_is_one_line_of_versions_and_each_has_its_file():
    (head,) = SCRIPTS.get_heads()
    walked = [script.revision for script in SCRIPTS.walk_revisions("base", head)]
    files = list(Path(SCRIPTS.versions).glob("v*.py"))
    assert len(walked) == len(files) > 0


def test_no_name_is_longer_than_a_database_takes():
    tables = Base.metadata.tables.values()
    names = [one.name for table in tables for one in (*table.constraints, *table.indexes)]
    assert max(len(name) for name in names) <= NAME_LENGTH
    assert len(set(names)) == len(names)


def test_what_the_first_version_kept_is_kept_and_goes_on(url):
    """Two folders, of one transaction two transfers; then the bots get cursors of their own."""
    first_version(url)
    before = rows(url, "whale_events")
    opened(url)
    after = rows(url, "whale_events")
    assert [row.pop("part") for row in after] == [1, 1, 2, 1]
    assert after == before
    assert [row["content_key"] for row in rows(url, "sentiment_snapshots")] == ["mood"]
    told = {(row["content_key"], row["stream"]): row["count"] for row in rows(url, "told_events")}
    assert told == {(OLD_KEY, 1): 1, ("k", 1): 2, ("mood", 1): 1, ("other", 2): 1}

    one = journal_at(url)
    store = EventStore(one, BOT)
    cursor = store.cursor()
    assert cursor == Cursor(2, 1, AT_MS, "whale")
    known = OutsideEvent(2, AT_MS + MINUTE_MS, "whale", None, "", whale(1).content)
    assert [event.number for event in store.take(cursor, [known, whale(3)]).fresh] == [3]
    put(one, *STORY)
    assert len(kept(one, "signals")) == 1
    assert len(rows(url, "whale_events")) == len(before) + 1
    one.close()


def test_a_first_version_is_what_the_models_say_when_it_is_migrated(url):
    first_version(url)
    test_up_from_nothing_is_what_the_models_say(url)


def test_programs_that_migrate_a_first_version_together_do_it_once(url):
    first_version(url)
    test_programs_that_start_together_migrate_once(url)
    assert len(rows(url, "whale_events")) == 4
    assert [row["part"] for row in rows(url, "whale_events")] == [1, 1, 2, 1]


def test_a_migration_that_fails_leaves_the_first_version_as_it_was(url):
    first_version(url)
    run(url, "CREATE TABLE messages (id INTEGER)")
    before = tables(url)
    with pytest.raises(StoreError, match="messages"):
        opened(url)
    assert tables(url) == before
    assert "part" not in rows(url, "whale_events")[0]
    run(url, "DROP TABLE messages")
    opened(url)
    assert len(rows(url, "whale_events")) == 4


def test_opening_again_changes_nothing(url):
    one = journal_at(url)
    EventStore(one).take(Cursor(), [whale(1)])
    one.close()
    opened(url)
    assert len(rows(url, "whale_events")) == 1


def test_a_migration_that_fails_leaves_nothing_behind(url):
    """Half a schema could be neither used nor migrated."""
    run(url, "CREATE TABLE sentiment_snapshots (id INTEGER)")
    one = journal_at(url)
    for _ in range(2):
        with pytest.raises(StoreError, match="sentiment_snapshots"), one.transaction():
            pass
    assert tables(url) == {"sentiment_snapshots"}
    run(url, "DROP TABLE sentiment_snapshots")
    assert EventStore(one).take(Cursor(), [whale(1)]).fresh
    one.close()


def test_a_schema_that_is_newer_than_the_program_is_left_alone(url):
    opened(url)
    run(url, f"UPDATE {VERSION_TABLE} SET version_num = '9999'")  # noqa: S608 - ours
    with pytest.raises(StoreError, match="9999"):
        opened(url)
    assert rows(url, VERSION_TABLE) == [{"version_num": "9999"}]


def test_programs_that_start_together_migrate_once(url):
    """Both would make the tables, and one of them would fail."""
    failed = []
    gate = threading.Barrier(4)

    def start() -> None:
        gate.wait()
        try:
            opened(url)
        except StoreError as error:
            failed.append(error)

    threads = [threading.Thread(target=start) for _ in range(gate.parties)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert {"whale_events", "sentiment_snapshots", "event_cursors"} < tables(url)
