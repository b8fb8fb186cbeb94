"""Records reach the database once in effect, whatever is locked, away, full or not understood."""

import socket
import threading
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgspec
import pytest
from sqlalchemy.engine import URL

from scalp_strategy.errors import StoreError
from scalp_strategy.journal.keeper import Keeper
from scalp_strategy.journal.records import to_line
from scalp_strategy.journal.spool import Spool
from tests.unit.journal.databases import empty_database, journal_at, run
from tests.unit.journal.happenings import AT_MS
from tests.unit.journal.kept import (
    BOT,
    STORY,
    breaker,
    closed,
    kept,
    locked,
    message,
    only,
    position,
    put,
    replay,
    signal,
    word,
)
from tests.unit.journal.test_journal_applied import told
from tests.unit.journal.test_journal_spool import full_disk

SHORT_S = 0.2
LIMIT_S = 60.0


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "journal.spool"


@pytest.fixture
def keeper(journal, path, clock) -> Keeper:
    return Keeper(journal, Spool(path), BOT, clock)


def aside(path: Path) -> list[dict[str, str]]:
    """What was put aside, and why."""
    file = path.with_name(path.name + ".rejected")
    return [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]


def numbers(journal) -> list[int]:
    return [int(row["reason"]) for row in kept(journal, "breaker_events")]


def numbered(number: int):
    return breaker(number, reason=str(number))


# ------------------------------------------------------------------------------------- in peace


def test_a_story_is_kept_as_it_would_be_at_once(keeper, journal):
    put(journal, *STORY)
    expected = told(journal)
    for table in ("positions", "signals", "breaker_events", "messages", "daily_performance"):
        with journal.transaction() as session:
            session.connection().exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608 - ours
    for record in STORY:
        keeper.record(record)
        keeper.pump()
        assert keeper.wait(LIMIT_S)
    assert told(journal) == expected
    assert (keeper.problem, keeper.rejected, keeper.dropped) == (None, 0, 0)


def test_nothing_goes_on_by_itself(keeper, journal):
    keeper.record(breaker())
    assert not keeper.is_busy
    assert kept(journal, "breaker_events") == []
    keeper.drain()
    assert len(kept(journal, "breaker_events")) == 1
    keeper.pump()
    assert not keeper.is_busy  # there is nothing to do


def test_many_records_come_in_their_order(keeper, journal):
    keeper.record_all(numbered(number) for number in range(1_203))
    keeper.drain()
    assert numbers(journal) == list(range(1_203))


def test_what_a_killed_program_left_is_kept_at_the_next_start(keeper, journal, path):
    keeper.record_all(STORY)
    left = path.read_bytes()
    keeper.drain()
    expected = told(journal)
    # Killed between the commit and the note that it was done: all of it comes again.
    path.write_bytes(left)
    again = Keeper(journal, Spool(path), BOT)
    again.drain()
    assert told(journal) == expected
    # And killed in the middle of it.
    path.write_bytes(b"\n".join(left.splitlines()[2:9]) + b"\n")
    path.with_name(path.name + ".part").write_bytes(left)
    again.record(breaker(77))
    again.drain()
    found = told(journal)
    assert found["breaker_events"][:1] == expected["breaker_events"]
    assert {**found, "breaker_events": None} == {**expected, "breaker_events": None}
    assert again.rejected == 0


# --------------------------------------------------------------------- what is no record, or wrong


def test_garbage_is_put_aside_and_holds_nothing_up(keeper, journal, path):
    keeper.record(numbered(1))
    with path.open("ab") as file:
        file.write(b"garbage\n\n\xff\xfe\n[1,2]\n{}\n" + b'{"type":"splendid"}\n')
        file.write(b"[" * 100_000 + b"\n")
        file.write(to_line(numbered(2))[:-9])  # torn by a kill
    keeper.record(numbered(3))
    keeper.drain()
    assert numbers(journal) == [1, 3]
    assert (keeper.rejected, keeper.problem) == (8, None)
    assert all("no record" in one["reason"] for one in aside(path))
    assert aside(path)[0]["line"] == "garbage"


@pytest.mark.parametrize(
    "wrong",
    [
        word("taken", pair="UNKNOWN"),
        replay(pair="UNKNOWN"),
        breaker(breaker="b" * 65),
        signal(status="splendid", pair="OTHER"),
        signal(at_ms=10**18, pair="OTHER"),
        position("open", trade_id=2**63, pair="OTHER"),
        signal(score=2**63, pair="OTHER"),
        message(revision=-(2**64)),
    ],
    ids=str,
)
def test_what_the_database_never_takes_is_put_aside_and_holds_nothing_up(
    keeper, journal, path, wrong
):
    before = [numbered(number) for number in range(20)]
    keeper.record_all([signal(), *before, wrong, word("taken"), *map(numbered, range(20, 41))])
    keeper.drain()
    assert numbers(journal) == list(range(41))
    assert only(journal, "signals")["status"] == "taken"
    assert (keeper.rejected, keeper.problem, len(aside(path))) == (1, None, 1)
    assert aside(path)[0]["line"].encode() == to_line(wrong)


def test_several_wrong_ones_are_each_put_aside(keeper, journal, path):
    for number in range(100):
        keeper.record(numbered(number))
        if number % 7 == 0:
            keeper.record(word("taken", pair=f"P{number}"))
    keeper.drain()
    assert numbers(journal) == list(range(100))
    assert keeper.rejected == len(aside(path)) == 15


def test_a_record_that_is_no_json_is_put_aside_and_raises_nothing(keeper, journal, path):
    keeper.record(signal(layers={"technical": object()}))
    keeper.record(breaker(reason="\ud800"))
    keeper.record(numbered(1))
    keeper.drain()
    assert numbers(journal) == [1]
    assert keeper.rejected == len(aside(path)) == 2


def test_a_required_number_that_is_none_is_put_aside(keeper, journal, path):
    keeper.record_all([signal(), position("open", 5, entry_price=float("nan")), closed()])
    keeper.drain()
    assert keeper.rejected == 1
    assert "entry_price" in aside(path)[0]["reason"]
    assert only(journal, "positions")["outcome"] == "tp2"


# ----------------------------------------------------------------------------------- in trouble


def test_a_locked_database_is_tried_again_and_nothing_is_lost(url, path, clock):
    journal = journal_at(url, SHORT_S)
    keeper = Keeper(journal, Spool(path), BOT, clock)
    keeper.record(signal())
    keeper.drain()
    with locked(url):
        for number in range(3):
            keeper.record(numbered(number))
            keeper.record(word("not_taken", str(number), after_ms=number))
            keeper.drain()
            assert keeper.problem is not None
        assert not keeper.wait(LIMIT_S)
    keeper.drain()
    assert keeper.problem is None
    assert numbers(journal) == [0, 1, 2]
    assert only(journal, "signals")["block_reason"] == "2"
    journal.close()


def test_a_database_in_trouble_is_left_alone_longer_and_longer(url, path, clock):
    journal = journal_at(url, SHORT_S)
    keeper = Keeper(journal, Spool(path), BOT, clock)
    keeper.record(signal())
    keeper.drain()
    keeper.record(word("taken"))
    tried = []
    with locked(url):
        for second in range(70):
            clock.now_s = float(second)
            keeper.pump()
            if keeper.is_busy:
                tried.append(second)
                keeper.wait(LIMIT_S)
    assert tried == [0, 1, 3, 7, 15, 31, 63]
    clock.now_s = 1_000.0
    keeper.pump()
    assert keeper.wait(LIMIT_S)
    keeper.record(breaker())
    keeper.pump()
    assert keeper.wait(LIMIT_S)  # at once: the trouble is over
    journal.close()


@contextmanager
def forwarded(url: URL):
    """Give an address that leads to a server for as long as `is_up` is set."""
    is_up = threading.Event()
    ends: list[socket.socket] = []

    def pass_on(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)

    def serve() -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                if not is_up.is_set():
                    near.close()
                    continue
                far = socket.create_connection((url.host, url.port))
                ends.extend((near, far))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=pass_on, args=pair, daemon=True).start()

    def cut() -> None:
        is_up.clear()
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        is_up.set()
        threading.Thread(target=serve, daemon=True).start()
        yield url.set(host="127.0.0.1", port=listener.getsockname()[1]), is_up, cut
        cut()
        for end in ends:
            end.close()


def test_a_server_that_goes_and_comes_back_gets_it_all(tmp_path, path):
    with (
        empty_database("postgresql", tmp_path) as url,
        forwarded(url) as (address, is_up, cut),
    ):
        journal = journal_at(address)
        keeper = Keeper(journal, Spool(path), BOT)
        keeper.record(numbered(0))
        keeper.drain()
        cut()
        for number in (1, 2):
            keeper.record(numbered(number))
            keeper.drain()
            assert keeper.problem is not None
        is_up.set()
        keeper.drain()
        assert keeper.problem is None
        assert numbers(journal) == [0, 1, 2]
        journal.close()


def test_a_schema_that_was_dropped_is_made_again(tmp_path, path):
    with empty_database("postgresql", tmp_path) as url:
        journal = journal_at(url)
        keeper = Keeper(journal, Spool(path), BOT)
        keeper.record(numbered(0))
        keeper.drain()
        (schema,) = url.query["options"].split("=")[1:]
        run(url, f"DROP SCHEMA {schema} CASCADE")
        run(url, f"CREATE SCHEMA {schema}")
        keeper.record(numbered(1))
        keeper.drain()
        assert keeper.problem is not None
        keeper.drain()
        assert (keeper.problem, numbers(journal)) == (None, [1])
        journal.close()


def test_a_file_that_was_moved_away_is_not_written_into_nowhere(tmp_path, path):
    with empty_database("sqlite", tmp_path) as url:
        journal = journal_at(url)
        keeper = Keeper(journal, Spool(path), BOT)
        keeper.record(numbered(0))
        keeper.drain()
        file = Path(url.database)
        for name in (file.name, f"{file.name}-wal", f"{file.name}-shm"):
            if file.with_name(name).exists():
                file.with_name(name).rename(file.with_name(f"old-{name}"))
        keeper.record(numbered(1))
        keeper.drain()
        assert (keeper.problem, numbers(journal)) == (None, [1])
        old = journal_at(url.set(database=str(file.with_name(f"old-{file.name}"))))
        assert numbers(old) == [0]
        old.close()
        journal.close()


def test_a_place_where_no_file_can_be_is_tried_again(tmp_path, path):
    with empty_database("sqlite", tmp_path) as url:
        file = Path(url.database)
        file.mkdir()
        journal = journal_at(url)
        keeper = Keeper(journal, Spool(path), BOT)
        keeper.record(numbered(0))
        keeper.drain()
        assert keeper.problem is not None
        file.rmdir()
        keeper.drain()
        assert (keeper.problem, numbers(journal)) == (None, [0])
        journal.close()


def test_a_full_disk_loses_nothing(tmp_path, path):
    """The database's and the spool's, which is mostly the same."""
    with empty_database("sqlite", tmp_path) as url:
        journal = journal_at(url)
        keeper = Keeper(journal, Spool(path), BOT)
        keeper.record(numbered(0))
        keeper.drain()
        with full_disk(0):
            for number in range(1, 50):
                keeper.record(numbered(number))
            keeper.drain()
            assert keeper.problem is not None
        keeper.record(numbered(50))
        keeper.drain()
        assert keeper.problem is None
        assert numbers(journal) == list(range(51))
        journal.close()


def test_a_full_disk_does_not_keep_records_from_a_server(tmp_path, path):
    with empty_database("postgresql", tmp_path) as url:
        journal = journal_at(url)
        keeper = Keeper(journal, Spool(path), BOT)
        keeper.record(numbered(0))
        keeper.drain()
        with full_disk(0):
            keeper.record_all(map(numbered, range(1, 20)))
            assert keeper.problem is not None
            keeper.drain()
            assert numbers(journal) == list(range(20))
        journal.close()


# ------------------------------------------------------------------------------ beside one another


def test_bots_and_reloads_that_write_together_keep_each_record_once(url, tmp_path):
    """Two bots with a spool each on one database; one of them twice, as after a reload."""
    bots = ("bot-a", "bot-a", "bot-b")
    gate = threading.Barrier(len(bots))
    count = 60

    def write(bot: str) -> None:
        journal = journal_at(url)
        keeper = Keeper(journal, Spool(tmp_path / f"{bot}.spool"), bot)
        gate.wait()
        for number in range(count):
            keeper.record_all([signal(bot=bot, close_ms=AT_MS + number), breaker(number, bot=bot)])
            keeper.record(word("taken", bot=bot, close_ms=AT_MS + number))
            keeper.pump()
        assert keeper.wait(LIMIT_S) is not None
        keeper.drain()
        assert (keeper.problem, keeper.rejected) == (None, 0)
        journal.close()

    threads = [threading.Thread(target=write, args=(bot,)) for bot in bots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal = journal_at(url)
    for bot in set(bots):
        signals = kept(journal, "signals", bot)
        assert len(signals) == len(kept(journal, "breaker_events", bot)) == count
        assert {row["status"] for row in signals} == {"taken"}
    journal.close()


def test_two_programs_with_a_spool_each_may_say_the_same(url, tmp_path):
    """The same bot from two folders: no row twice, no later word lost."""
    gate = threading.Barrier(2)

    def write(number: int) -> None:
        journal = journal_at(url)
        keeper = Keeper(journal, Spool(tmp_path / f"{number}.spool"), BOT)
        keeper.record_all(STORY)
        gate.wait()
        keeper.drain()
        while keeper.problem is not None:  # two that wait for each other: one of them is refused
            keeper.drain()
        journal.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal = journal_at(url)
    found = told(journal)
    put(journal, *STORY)
    assert told(journal) == found
    assert [len(rows) for rows in found.values()] == [1, 1, 1, 1, 1]
    journal.close()


# -------------------------------------------------------------------------------------- chores


def test_chores_are_done_after_the_writing_each_time(keeper, journal):
    seen = []
    keeper.add_chore(lambda: seen.append(numbers(journal)))
    for number in range(3):
        keeper.record(numbered(number))
        keeper.pump()
        assert keeper.wait(LIMIT_S)
    keeper.pump()
    keeper.wait(LIMIT_S)
    assert seen == [[0], [0, 1], [0, 1, 2], [0, 1, 2]]
    keeper.drain()
    assert len(seen) == 4


def test_a_chore_that_fails_harms_neither_another_nor_the_writing(keeper, journal):
    done = []

    def fail() -> None:
        done.append("failed")
        raise StoreError if len(done) % 2 else ZeroDivisionError

    keeper.add_chore(fail)
    keeper.add_chore(lambda: done.append("done"))
    keeper.add_chore(lambda: keeper.record(breaker(len(done))))
    for _ in range(2):
        keeper.pump()
        keeper.wait(LIMIT_S)
    keeper.drain()
    assert done == ["failed", "done", "failed", "done"]
    assert len(kept(journal, "breaker_events")) == 2
    assert keeper.problem is None


def test_chores_wait_while_the_database_is_away(url, path, clock):
    journal = journal_at(url, SHORT_S)
    keeper = Keeper(journal, Spool(path), BOT, clock)
    done = []
    keeper.record(signal())
    keeper.drain()
    keeper.add_chore(lambda: done.append(1))
    keeper.record(word("taken"))
    with locked(url):
        keeper.pump()
        keeper.wait(LIMIT_S)
    assert done == []
    clock.now_s = 2.0
    keeper.pump()
    keeper.wait(LIMIT_S)
    assert done == [1]
    journal.close()


def test_a_secret_is_in_no_problem(tmp_path, path, closed_port):
    secret = "hunter2-secret"  # noqa: S105
    url = URL.create("postgresql+psycopg", "user", secret, "127.0.0.1", closed_port, "scalp")
    journal = journal_at(url, 1.0)
    keeper = Keeper(journal, Spool(path), BOT)
    keeper.record(breaker())
    keeper.drain()
    assert keeper.problem is not None
    assert secret not in keeper.problem
    journal.close()
