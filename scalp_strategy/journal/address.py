"""Where the journal lies: a database named in the environment, or a file of its own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from scalp_strategy.errors import ConfigError

VARIABLES: Final = ("SCALP_JOURNAL_URL", "DATABASE_URL")  # the second is the specification's
# Names that addresses of these databases go by, asynchronous drivers included.
_DRIVERS: Final[dict[str, str]] = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "sqlite": "sqlite+pysqlite",
}


def journal_url(environment: Mapping[str, str], default: Path) -> URL:
    """Return the address of the journal.

    Parameters
    ----------
    environment
        `SCALP_JOURNAL_URL`, else `DATABASE_URL`: `postgresql://...` or `sqlite:///...`, whatever
        driver they name.
    default
        The SQLite file without them.

    Raises
    ------
    ConfigError
        When the address is malformed or of another database; it is not quoted, it may hold a
        password.
    """
    for name in VARIABLES:
        if environment.get(name):
            return _checked(name, environment[name])
    return URL.create("sqlite+pysqlite", database=str(default))


def shown(url: URL) -> str:
    """Return an address for messages: without user, password and options."""
    return str(URL.create(url.drivername, None, None, url.host, url.port, url.database))


def _checked(name: str, text: str) -> URL:
    try:
        url = make_url(text.strip())
    except (ArgumentError, ValueError):
        raise ConfigError(f"{name}: not the address of a database") from None
    driver = _DRIVERS.get(url.drivername.partition("+")[0])
    if driver is None:
        raise ConfigError(f"{name}: must begin with postgresql:// or sqlite:///")
    if driver != _DRIVERS["sqlite"] and "@" in f"{url.host}{url.database}":
        # What follows the first @ of a password would be taken for the server, and shown.
        raise ConfigError(f"{name}: write an @ within the password as %40")
    if not url.database or url.database == ":memory:":
        raise ConfigError(f"{name}: names no database that outlives the program")
    return url.set(drivername=driver)
