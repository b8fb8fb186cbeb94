"""The journal's database: one transaction at a time, all of it or nothing."""

import contextlib
import math
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from scalp_strategy.errors import ConfigError, StoreError
from scalp_strategy.journal.address import shown

_MIGRATIONS: Final = "scalp_strategy.journal:migrations"
_MIGRATION_LOCK: Final = 0x5CA1_B0_01  # PostgreSQL's advisory lock: one program migrates
_CONNECTIONS: Final = 2  # the loop's and the background's
_MS_PER_S: Final = 1_000
_MESSAGE_LENGTH: Final = 200


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
        self._is_current = False
        self._engine = _engine(url, timeout_s)

    def __str__(self) -> str:
        return shown(self._url)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Session]:
        """Give a session whose work is kept as a whole when the block ends, or not at all.

        Raises
        ------
        StoreError
            When the database cannot be had or refuses: in words, without any secret.
        """
        try:
            self._bring_up_to_date()
            with Session(self._engine) as session, session.begin():
                yield session
        # The driver's own error where it refuses before a statement of ours.
        except (SQLAlchemyError, sqlite3.Error, CommandError, OSError) as error:
            raise StoreError(f"{self}: {self._words(error)}") from None

    def close(self) -> None:
        """Close the connections; the next use opens new ones."""
        self._engine.dispose()

    def _bring_up_to_date(self) -> None:
        with self._guard:
            if self._is_current:
                return
            if self._url.get_backend_name() == "sqlite":
                Path(str(self._url.database)).parent.mkdir(parents=True, exist_ok=True)
            with self._engine.begin() as connection:
                _migrate(connection)
            self._is_current = True

    def _words(self, error: Exception) -> str:
        # A statement's text and values would be whole pages; the driver's first line says it.
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        text = " ".join(str(cause).split())[:_MESSAGE_LENGTH]
        for secret in (self._url.password, self._url.query.get("password")):
            text = text.replace(str(secret), "***") if secret else text
        return text


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
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(limit))
    return engine


def _prepare_file(connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own transactions would leave out changes of tables, and begin too late.
    connection.isolation_level = None
    with contextlib.suppress(sqlite3.OperationalError):
        # It does not wait for the lock. It is the file's, so whoever holds the lock sets it.
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_file(connection: Connection) -> None:
    # At once for writing: one that reads first may be refused when it comes to write.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _migrate(connection: Connection) -> None:
    """Run the migrations that are missing, all or none."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    config = Config()
    config.set_main_option("script_location", _MIGRATIONS)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
