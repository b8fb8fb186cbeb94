import json
import subprocess
import sys
from pathlib import Path

import pytest

from scalp_strategy.errors import ConfigError, StoreError
from scalp_strategy.state_file import ADMIN_REQUESTS, FileStore

# A file size limit of zero is a full disk that needs no disk: every write is refused.
FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from scalp_strategy.errors import StoreError
from scalp_strategy.state_file import ADMIN_REQUESTS, FileStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
try:
    FileStore(Path(sys.argv[1])).save({"n": 2})
except StoreError as error:
    print(error)
"""
# A process that dies between writing the temporary file and replacing the state.
KILLED = """
import os, sys
from pathlib import Path
from scalp_strategy.state_file import ADMIN_REQUESTS, FileStore
sys.addaudithook(lambda event, _: os._exit(9) if event == "os.rename" else None)
FileStore(Path(sys.argv[1])).save({"n": 2})
"""


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "deep" / "account.json"


def run(script: str, path: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False
    )


def test_there_and_back(path):
    assert FileStore(path).load() is None
    FileStore(path).save({"n": 1, "text": "ä", "share": 0.1})
    assert FileStore(path).load() == {"n": 1, "text": "ä", "share": 0.1}
    FileStore(path).save({"n": 2})
    assert FileStore(path).load() == {"n": 2}
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b"null", b'"text"', b"\xff\xfe", b"{'n': 1}"]
)
def test_a_corrupt_file_stops_the_start_and_is_named(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        FileStore(path).load()
    assert str(path) in str(caught.value)
    assert path.read_bytes() == content


def test_a_folder_in_the_file_s_place_is_named(path):
    path.mkdir(parents=True)
    with pytest.raises(ConfigError, match=path.name):
        FileStore(path).load()
    with pytest.raises(StoreError, match=path.name):
        FileStore(path).save({"n": 1})
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "deep").write_text("a file, not a folder")
    with pytest.raises(StoreError, match=r"account\.json"):
        FileStore(tmp_path / "deep" / "account.json").save({"n": 1})


def test_a_full_disk_keeps_the_last_good_file(path):
    FileStore(path).save({"n": 1})
    told = run(FULL_DISK, path)
    assert str(path) in told.stdout, told.stderr
    assert FileStore(path).load() == {"n": 1}
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_process_killed_before_the_replace_keeps_the_last_good_file(path):
    FileStore(path).save({"n": 1})
    assert run(KILLED, path).returncode == 9
    assert FileStore(path).load() == {"n": 1}
    left = [file for file in path.parent.iterdir() if file != path]
    assert [json.loads(file.read_text()) for file in left] == [{"n": 2}]
    assert FileStore(path).take_request() is None
    FileStore(path).save({"n": 3})
    assert FileStore(path).load() == {"n": 3}


@pytest.mark.parametrize("request_", ADMIN_REQUESTS)
def test_a_request_is_taken_once(path, request_):
    path.parent.mkdir(exist_ok=True)
    bot, admin = FileStore(path), FileStore(path)
    assert bot.take_request() is None
    admin.request(request_)
    assert bot.take_request() == request_
    assert bot.take_request() is None


def test_the_last_request_counts(path):
    path.parent.mkdir(exist_ok=True)
    admin = FileStore(path)
    admin.request("resume")
    admin.request("resume confirmed")
    assert FileStore(path).take_request() == "resume confirmed"


def test_a_request_nobody_knows_is_dropped(path):
    path.parent.mkdir(exist_ok=True)
    path.with_name(path.name + ".request").write_text("sell everything")
    assert FileStore(path).take_request() is None
    assert list(path.parent.iterdir()) == []


def test_a_request_is_no_state(path):
    path.parent.mkdir(exist_ok=True)
    FileStore(path).request("pause")
    assert FileStore(path).load() is None
