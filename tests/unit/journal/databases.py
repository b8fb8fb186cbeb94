"""Empty databases of both kinds, and rows to look at in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import URL

from scalp_strategy.journal.address import journal_url
from scalp_strategy.journal.store import Journal
from tests.support.services import postgres_url

KINDS = ("sqlite", "postgresql")
TIMEOUT_S = 20.0


@contextmanager
def empty_database(kind: str, folder: Path) -> Iterator[URL]:
    """Give the address of a database without tables; PostgreSQL's is a schema of its own."""
    if kind == "sqlite":
        yield journal_url({}, folder / "journal.sqlite")
        return
    plain = journal_url({"DATABASE_URL": postgres_url()}, folder)
    schema = f"scalp_{uuid4().hex}"
    run(plain, f"CREATE SCHEMA {schema}")
    try:
        yield plain.update_query_dict({"options": f"-csearch_path={schema}"})
    finally:
        run(plain, f"DROP SCHEMA {schema} CASCADE")


def run(url: URL, statement: str) -> None:
    """Run one statement on a connection of its own."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def rows(url: URL, table: str) -> list[dict[str, Any]]:
    """Return what a reader beside the bot sees, in the order of the events."""
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.execute(text(f"SELECT * FROM {table}"))  # noqa: S608 - ours
        given = [dict(row) for row in found.mappings()]
    engine.dispose()
    return sorted(given, key=lambda row: (row.get("stream"), row.get("event_number", 0)))


def tables(url: URL) -> set[str]:
    """Return the tables there are."""
    engine = create_engine(url)
    names = set(inspect(engine).get_table_names())
    engine.dispose()
    return names


def journal_at(url: URL, timeout_s: float = TIMEOUT_S) -> Journal:
    return Journal(url, timeout_s)
