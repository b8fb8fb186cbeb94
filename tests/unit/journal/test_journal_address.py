import pytest

from scalp_strategy.errors import ConfigError, StoreError
from scalp_strategy.journal.address import journal_url, shown
from tests.unit.journal.databases import journal_at

SECRET = "hunter2-secret"  # noqa: S105


def address(**environment: str) -> str:
    return journal_url(environment, "unused").render_as_string(hide_password=False)


@pytest.mark.parametrize(
    "scheme",
    ["postgresql+asyncpg", "postgresql", "postgres", "postgresql+psycopg2", "postgresql+psycopg"],
)
def test_every_name_of_postgresql_means_the_driver_that_is_there(scheme):
    """The specification's own address names an asynchronous driver."""
    found = address(DATABASE_URL=f"{scheme}://user:{SECRET}@db:5433/scalp_engine")
    assert found == f"postgresql+psycopg://user:{SECRET}@db:5433/scalp_engine"


def test_our_own_variable_wins_and_an_empty_one_is_none(tmp_path):
    own = {"SCALP_JOURNAL_URL": "sqlite:////a/b.sqlite", "DATABASE_URL": "postgresql://h/d"}
    assert journal_url(own, tmp_path).database == "/a/b.sqlite"
    assert address(SCALP_JOURNAL_URL="", DATABASE_URL="postgresql://h/d").endswith("//h/d")


@pytest.mark.parametrize("name", ["plain", "with space", "100%", "q?a=b#c"])
def test_the_file_is_where_it_is_said_to_be(tmp_path, name):
    file = tmp_path / name / "journal.sqlite"
    one = journal_at(journal_url({}, file))
    with one.transaction():
        assert file.exists()
    one.close()


@pytest.mark.parametrize(
    "text",
    [
        f"mysql://user:{SECRET}@db/scalp",
        f"user:{SECRET}@db/scalp",
        f"postgresql://user:{SECRET}@db",
        f"postgresql://user:{SECRET}@db:port/scalp",
        f"postgresql://user:begins@{SECRET}@db/scalp",
        f"postgresql://user:begins@middle/{SECRET}@db/scalp",
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
def test_an_address_that_will_not_do_stops_the_start_and_is_not_quoted(text):
    with pytest.raises(ConfigError) as caught:
        address(DATABASE_URL=text)
    assert "DATABASE_URL" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_what_is_shown_has_no_secret():
    url = journal_url(
        {"DATABASE_URL": f"postgresql://{SECRET}u:{SECRET}@db:5433/d?password={SECRET}"}, "unused"
    )
    assert shown(url) == "postgresql+psycopg://db:5433/d"
    assert SECRET not in str(journal_at(url))


def test_a_database_that_cannot_be_reached_is_told_without_its_password(closed_port):
    """One of those that a driver quotes back must not reach a log."""
    for options in ("", f"?password={SECRET}", f"?{SECRET}=1"):
        text = f"postgresql://user:{SECRET}@127.0.0.1:{closed_port}/scalp{options}"
        one = journal_at(journal_url({"DATABASE_URL": text}, "unused"), 1.0)
        with pytest.raises(StoreError) as caught, one.transaction():
            pass
        assert SECRET not in str(caught.value)
        assert f":{closed_port}/scalp" in str(caught.value)
        one.close()
