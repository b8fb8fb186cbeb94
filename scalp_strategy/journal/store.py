"""The journal's database: one transaction at a time, all of it or nothing."""

import contextlib
import math
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    SQLAlchemyError,
    StatementError,
)
from sqlalchemy.orm import Session

from scalp_strategy.errors import ConfigError, StoreError
from scalp_strategy.journal.address import shown
from scalp_strategy.journal.models import VERSION_TABLE, Base

_MIGRATIONS: Final = "scalp_strategy.journal:migrations"
_MIGRATION_LOCK: Final = 0x5CA1_B0_01  # PostgreSQL's advisory lock: one program migrates
_CONNECTIONS: Final = 4  # the loop's, the keeper's, the events' and the chat's
_IS_READING: Final = "scalp_is_reading"
_MS_PER_S: Final = 1_000
_MESSAGE_LENGTH: Final = 200


class RowRefused(StoreError):
    """The database is there and will not take these rows, now or later."""


class Journal:
    """Opens the database at first use and brings its tables up to date; any thread.

    Parameters
    ----------
    url
        SQLite or PostgreSQL, as `journal_url` returns it.
    timeout_s
        How long to wait for the database: to connect, for a lock, for a statement.

    Raises
    ------
    ConfigError
        When the database's driver is not installed.
    """

    def __init__(self, url: URL, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._guard = threading.Lock()
        self._file: tuple[int, int] | None = None
        self._is_current = False
        self._engine = _engine(url, timeout_s)
        self._reading = self._engine.execution_options(**{_IS_READING: True})

    def __str__(self) -> str:
        return shown(self._url)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Session]:
        """Give a session whose work is kept as a whole when the block ends, or not at all.

        Raises
        ------
        RowRefused
            When the database will never take what it was given.
        StoreError
            When the database cannot be had or refuses: in words, without any secret.
        """
        with self._session(self._engine) as session:
            yield session

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session that sees one moment and can change nothing; it waits for no writer.

        Raises
        ------
        StoreError
            As for `transaction`.
        """
        with self._session(self._reading) as session:
            yield session

    @contextlib.contextmanager
    def _session(self, engine: Engine) -> Iterator[Session]:
        try:
            self._bring_up_to_date()
            with Session(engine) as session, session.begin():
                yield session
        # The driver's own error where it refuses before a statement of ours.
        except (SQLAlchemyError, sqlite3.Error, CommandError, OSError) as error:
            words = f"{self}: {self._words(error)}"
            if _is_of_rows(error):
                raise RowRefused(words) from None
            # The database may have been replaced: look at its tables again.
            self._is_current = False
            raise StoreError(words) from None

    def close(self) -> None:
        """Close the connections; the next use opens new ones."""
        self._engine.dispose()

    def _bring_up_to_date(self) -> None:
        with self._guard:
            if self._is_current and self._file == self._identity():
                return
            if self._is_file:
                # Connections to a file that is no longer there would write into nowhere.
                self._engine.dispose()
                Path(str(self._url.database)).parent.mkdir(parents=True, exist_ok=True)
            with self._reading.begin() as connection:
                has_all = _has_all_migrations(connection)
            if not has_all:
                with self._engine.begin() as connection:
                    _migrate(connection)
            self._file = self._identity()
            self._is_current = True

    @property
    def _is_file(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    def _identity(self) -> tuple[int, int] | None:
        """Return what tells the file from another of its name, None without one."""
        if not self._is_file:
            return None
        try:
            found = Path(str(self._url.database)).stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _words(self, error: Exception) -> str:
        # A statement's text and values would be whole pages; the driver's first line says it.
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        text = " ".join(str(cause).split())[:_MESSAGE_LENGTH]
        for secret in (self._url.password, self._url.query.get("password")):
            text = text.replace(str(secret), "***") if secret else text
        return text


def insert_into(session: Session, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    """Return an insert that can say what is to be done with a row that is there already."""
    is_server = session.get_bind().dialect.name == "postgresql"
    return postgresql.insert(table) if is_server else sqlite.insert(table)


def _is_of_rows(error: Exception) -> bool:
    if isinstance(error, DBAPIError):
        return isinstance(error, (DataError, IntegrityError))
    return isinstance(error, StatementError)  # a value that is none for its column


def _engine(url: URL, timeout_s: float) -> Engine:
    is_file = url.get_backend_name() == "sqlite"
    arguments: dict[str, Any] = (
        {"timeout": timeout_s}
        if is_file
        else {
            "connect_timeout": math.ceil(timeout_s),
            "tcp_user_timeout": math.ceil(timeout_s * _MS_PER_S),
            "application_name": "scalp-journal",
        }
    )
    try:
        engine = create_engine(
            url,
            connect_args=arguments,
            pool_size=_CONNECTIONS,
            max_overflow=0,
            pool_timeout=timeout_s,
            pool_pre_ping=not is_file,
            hide_parameters=True,
            json_serializer=_json,
            json_deserializer=msgspec.json.decode,
        )
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{shown(url)}: {error.name} is missing; install scalp-engine[postgres]"
        ) from None
    if is_file:
        event.listen(engine, "connect", _prepare_file)
        event.listen(engine, "begin", _begin_file)
    else:
        limit = f"SET LOCAL statement_timeout = {math.ceil(timeout_s * _MS_PER_S)}"
        event.listen(engine, "begin", lambda connection: _begin_server(connection, limit))
    return engine


def _json(value: object) -> str:
    # Fast, and what is no number becomes null: JSON has no NaN.
    return msgspec.json.encode(value).decode()


def _prepare_file(connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own transactions would leave out changes of tables, and begin too late.
    connection.isolation_level = None
    with contextlib.suppress(sqlite3.OperationalError):
        # It does not wait for the lock. It is the file's, so whoever holds the lock sets it.
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_file(connection: Connection) -> None:
    # At once for writing: one that reads first may be refused when it comes to write.
    is_reading = connection.get_execution_options().get(_IS_READING)
    connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")


def _begin_server(connection: Connection, limit: str) -> None:
    if connection.get_execution_options().get(_IS_READING):
        # One picture of all tables; otherwise each statement would see a later moment.
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    connection.exec_driver_sql(limit)


def _has_all_migrations(connection: Connection) -> bool:
    """Whether there is nothing to migrate; to know it nobody is waited for."""
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    heads = ScriptDirectory.from_config(_migrations()).get_heads()
    return set(context.get_current_heads()) == set(heads)


def _migrate(connection: Connection) -> None:
    """Run the migrations that are missing, all or none."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    config = _migrations()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", _MIGRATIONS)
    return config
