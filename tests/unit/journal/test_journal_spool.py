"""Lines on disk: whole or not at all, in order, one holder at a time, whatever the disk does."""

import os
import resource
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from scalp_strategy.journal.spool import Spool


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "scalp" / "journal.spool"


@pytest.fixture
def spool(path) -> Spool:
    return Spool(path)


def taken(spool: Spool, most: int = 100) -> list[bytes]:
    """Take over all that waits."""
    found = []
    with spool.claim() as backlog:
        while lines := backlog.read(most):
            found += lines
            backlog.done(len(lines))
    return found


@contextmanager
def full_disk(size: int):
    """No file of this process grows beyond a size, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# -------------------------------------------------------------------------------- in and out


def test_lines_come_out_as_they_went_in_once(spool, path):
    spool.append([b"one", b"two"])
    spool.append([b"three"])
    assert path.read_bytes() == b"one\ntwo\nthree\n"
    assert not spool.is_empty
    assert taken(spool, most=2) == [b"one", b"two", b"three"]
    assert spool.is_empty
    assert taken(spool) == []
    spool.append([b"four"])
    assert taken(Spool(path)) == [b"four"]


def test_what_is_not_done_stays_and_comes_first(spool, path):
    spool.append([b"1", b"2", b"3"])
    with spool.claim() as backlog:
        assert backlog.read(2) == [b"1", b"2"]
        backlog.done(1)
        spool.append([b"4"])
    assert not spool.is_empty
    assert taken(Spool(path)) == [b"2", b"3", b"4"]


def test_nothing_is_done_when_the_holder_is_killed(spool, path):
    spool.append([b"1", b"2"])
    with spool.claim() as backlog:
        backlog.read(2)
    spool.append([b"3"])
    assert taken(spool) == [b"1", b"2", b"3"]


def test_what_is_added_while_lines_are_taken_is_taken_too(spool):
    spool.append([b"1"])
    with spool.claim() as backlog:
        assert backlog.read(5) == [b"1"]
        spool.append([b"2"])
        backlog.done(1)
        assert backlog.read(5) == [b"2"]
        backlog.done(1)
        assert backlog.read(5) == []
    assert spool.is_empty


@pytest.mark.parametrize("torn", [b'{"half', b"\xff\x00", b"x" * 100_000])
def test_a_line_torn_by_a_kill_spoils_no_other(path, torn):
    path.parent.mkdir()
    path.write_bytes(b"one\n" + torn)
    spool = Spool(path)
    spool.append([b"two"])
    assert taken(spool) == [b"one", torn, b"two"]


def test_a_torn_line_at_the_very_end_is_taken_for_what_it_is(path):
    path.parent.mkdir()
    path.write_bytes(b"one\n{")
    assert taken(Spool(path)) == [b"one", b"{"]


def test_a_rejected_line_is_kept_with_its_reason(spool, path):
    spool.reject(b'{"a": "\xff"}', "no record")
    spool.reject(b"2", "other")
    aside = path.with_name("journal.spool.rejected")
    first, second = map(msgspec.json.decode, aside.read_bytes().splitlines())
    assert first == {"reason": "no record", "line": '{"a": "\\xff"}'}
    assert second["line"] == "2"


# -------------------------------------------------------------------------------- several holders


def test_one_holder_at_a_time_of_threads_and_reloads(spool, path):
    spool.append([b"1"])
    with spool.claim() as mine, Spool(path).claim() as other, spool.claim() as again:
        assert mine is not None
        assert other is again is None
    with Spool(path).claim() as other:
        assert other.read(1) == [b"1"]


def test_one_holder_at_a_time_of_programs(spool, path):
    child = "import sys; from pathlib import Path; from scalp_strategy.journal.spool import Spool\n"
    child += "with Spool(Path(sys.argv[1])).claim() as held: print(held is None)"
    asked = [sys.executable, "-c", child, str(path)]
    with spool.claim():
        said = subprocess.run(asked, capture_output=True, check=True, text=True).stdout
        assert said.strip() == "True"
    said = subprocess.run(asked, capture_output=True, check=True, text=True).stdout
    assert said.strip() == "False"


def test_a_holder_is_waited_for(spool, path):
    holds, waits = threading.Event(), threading.Event()

    def hold() -> None:
        with Spool(path).claim():
            holds.set()
            waits.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    holds.wait()
    threading.Timer(0.05, waits.set).start()
    with spool.claim(wait_s=60.0) as backlog:
        assert backlog is not None
    thread.join()


def test_many_writers_and_takers_lose_nothing_and_take_nothing_twice(path):
    """Writers of several spools of one file, as after a reload, and takers that take turns."""
    writers, lines = 4, 300
    found, ended = [], threading.Event()

    def write(number: int) -> None:
        own = Spool(path)
        for line in range(lines):
            own.append([b"%d %d" % (number, line)])

    def take() -> None:
        own = Spool(path)
        while not (ended.is_set() and own.is_empty):
            with own.claim() as backlog:
                if backlog is not None and (some := backlog.read(7)):
                    found.extend(some)
                    backlog.done(len(some))

    takers = [threading.Thread(target=take) for _ in range(2)]
    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in (*takers, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    ended.set()
    for thread in takers:
        thread.join()
    for number in range(writers):
        own = [int(line.split()[1]) for line in found if line.startswith(b"%d " % number)]
        assert own == list(range(lines))


# -------------------------------------------------------------------------------- a full disk


def test_a_full_disk_keeps_lines_in_memory_and_in_order(spool, path):
    spool.append([b"1"])
    with full_disk(6):
        spool.append([b"2" * 10])
        spool.append([b"3", b"4"])
        assert spool.problem is not None
        assert path.read_bytes() == b"1\n"  # no half of a line
    assert not spool.is_empty
    spool.append([b"5"])
    assert spool.problem is None
    assert taken(spool) == [b"1", b"2" * 10, b"3", b"4", b"5"]
    assert (spool.dropped, spool.is_empty) == (0, True)


def test_lines_in_memory_are_taken_when_the_disk_stays_full(spool):
    """The database may be on another machine."""
    with full_disk(0):
        spool.append([b"1", b"2", b"3"])
        assert taken(spool, most=2) == [b"1", b"2", b"3"]
        assert spool.is_empty


def test_a_line_that_reached_the_disk_meanwhile_is_not_forgotten_for_another(spool):
    with spool.claim() as backlog:
        with full_disk(0):
            spool.append([b"1"])
            assert backlog.read(5) == [b"1"]
        spool.append([b"2"])
        with full_disk(0):
            spool.append([b"3"])
            backlog.done(1)
    assert taken(spool) == [b"1", b"2", b"3"]  # the first once more, which does no harm


def test_memory_has_a_bound_and_what_is_lost_is_counted(path):
    spool = Spool(path, most_held=3)
    with full_disk(0):
        for number in range(5):
            spool.append([b"%d" % number])
    assert spool.dropped == 2
    assert taken(spool) == [b"0", b"1", b"2"]


def test_more_than_memory_would_hold_is_no_trouble_for_a_disk(path):
    spool = Spool(path, most_held=600)
    lines = [b"%d" % number for number in range(2_000)]
    spool.append(lines)
    assert spool.dropped == 0
    assert taken(spool) == lines


def test_a_folder_that_cannot_be_written_loses_nothing(path):
    path.parent.write_bytes(b"a file where the folder should be")
    spool = Spool(path)
    spool.append([b"1"])
    assert spool.problem is not None
    with pytest.raises(OSError, match="scalp"), spool.claim():
        pass
    path.parent.unlink()
    spool.append([b"2"])
    assert taken(spool) == [b"1", b"2"]


def test_a_rest_that_the_disk_refuses_to_keep_apart_is_taken_again(spool):
    spool.append([b"1" * 50, b"2" * 50])
    with full_disk(0), spool.claim() as backlog:
        backlog.read(1)
        backlog.done(1)
    assert taken(spool) == [b"1" * 50, b"2" * 50]
    assert [file.name for file in spool.part.parent.iterdir()] == ["journal.spool.lock"]


def test_nobody_else_may_read_it(spool, path):
    spool.append([b"1"])
    assert os.stat(path).st_mode & 0o077 == 0
