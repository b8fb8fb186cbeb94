"""The schema: up from nothing, the same as the models, all or nothing, one program at a time."""

import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from scalp_strategy.errors import StoreError
from scalp_strategy.journal import migrations
from scalp_strategy.journal.event_store import EventStore
from scalp_strategy.journal.models import VERSION_TABLE, Base
from scalp_strategy.journal.outside import Cursor
from tests.unit.journal.databases import journal_at, rows, run, tables
from tests.unit.journal.happenings import whale

SCRIPTS = ScriptDirectory(str(Path(migrations.__file__).parent))


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
