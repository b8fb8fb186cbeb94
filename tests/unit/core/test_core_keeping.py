"""What is answered is what was kept; one bot a name; each step of the loop alone."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scalp_strategy.account import Account
from scalp_strategy.errors import ConfigError, StoreError
from scalp_strategy.files import FileLock, set_aside
from scalp_strategy.journal.told import QUEUED, expired_record
from scalp_strategy.settings import Settings
from scalp_strategy.signals import Status
from scalp_strategy.state_file import FileStore
from tests.support.host_stub import CLOSE, PAIR, StubHost, desk_of, signal_pair
from tests.unit.external_layers.store.full_disk import largest_file

pytestmark = pytest.mark.usefixtures("trades_in_memory")


# ---- a disk that refuses ----


def desk_on(path: Path):
    desk = desk_of(host=StubHost())
    desk.account = Account(Settings().breakers, FileStore(path), resumes_next_day=False)
    desk.offer(signal_pair(PAIR))
    return desk


def test_no_entry_is_approved_while_the_account_cannot_be_kept(tmp_path: Path) -> None:
    desk = desk_on(tmp_path / "account.json")
    with largest_file(10):
        (decision,) = desk.decide(CLOSE, [PAIR])
    assert decision.status is Status.REJECTED
    assert any("cannot be kept" in reason for reason in decision.reasons)


def test_an_approved_entry_is_refused_once_the_account_cannot_be_kept(tmp_path: Path) -> None:
    desk = desk_on(tmp_path / "account.json")
    (decision,) = desk.decide(CLOSE, [PAIR])
    assert decision.is_approved
    assert desk.refusal(decision, 100.0, CLOSE) is None
    with largest_file(10):
        desk.account.pause(CLOSE, "test")
        desk.account.resume(CLOSE, is_confirmed=True)
        assert "cannot be kept" in str(desk.refusal(decision, 100.0, CLOSE))
    assert desk.refusal(decision, 100.0, CLOSE) is None  # it is tried again, and kept


# ---- requests that cannot be read ----


@pytest.mark.parametrize("body", [b"\xff\xfe", "folder"])
def test_a_request_that_cannot_be_read_is_set_aside(tmp_path: Path, body: bytes | str) -> None:
    store = FileStore(tmp_path / "account.json")
    request = tmp_path / "account.json.request"
    if isinstance(body, bytes):
        request.write_bytes(body)
    else:
        request.mkdir()
    assert store.take_request() is None
    assert not request.exists()
    store.request("pause")
    assert store.take_request() == "pause"


def test_few_of_what_was_set_aside_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "words.json"
    for number in range(9):
        path.write_text(str(number))
        set_aside(path, "test")
    kept = sorted(one.read_text() for one in tmp_path.iterdir())
    assert kept == ["4", "5", "6", "7", "8"]
    assert set_aside(path, "it is not there") is None


# ---- one bot a name ----


HOLD = (
    "import sys; from pathlib import Path; from scalp_strategy.files import FileLock\n"
    "lock = FileLock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
)


def test_a_second_bot_of_one_name_is_refused_and_told_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "bot-scalp-dry-run-futures.lock"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(ConfigError, match=rf"process {other.pid} .*another bot_name"):
            FileLock(path, "two bots need two names: give this one another bot_name")
        other.kill()
    FileLock(path).release()


def test_a_folder_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreError):
        FileLock(tmp_path / "file" / "bot.lock")


# ---- messages that nobody brings any more ----


def test_the_record_of_a_message_that_is_given_up() -> None:
    from tests.unit.journal.kept import message  # noqa: PLC0415

    waiting = message(status=QUEUED)
    ended = expired_record(waiting)
    assert (ended.status, ended.revision) == ("expired", waiting.revision + 1)
    assert json.dumps(ended.key) == json.dumps(waiting.key)
