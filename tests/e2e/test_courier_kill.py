"""A process that tells messages is killed anywhere; none is lost, each kill repeats one at most."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scalp_strategy.journal.records import MessageRecord, from_line
from tests.support.bot_api import BotApi, running_bot_api
from tests.support.bot_api_faults import Fault, silent_after, silent_before
from tests.support.couriers import PERSON, TOKEN

COUNT = 6
_END_S = 60.0


@pytest.fixture
def api() -> Iterator[BotApi]:
    with running_bot_api() as server:
        server.add_bot(TOKEN, [PERSON])
        yield server


def start(folder: Path, api: BotApi) -> subprocess.Popen[bytes]:
    words = [str(folder), api.base_url, TOKEN, str(PERSON), str(COUNT)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.courier_process", *words], start_new_session=True
    )


def kill(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(_END_S)


def killed_at(folder: Path, api: BotApi, method: str, fault: Fault) -> None:
    """Run until a call of the method meets a fault that never answers; kill it then."""
    seen = len(api.calls)
    api.fault(method, fault)
    process = start(folder, api)
    try:
        api.wait_for(
            lambda: any(call.outcome == fault.kind for call in api.calls[seen:]), "the fault"
        )
    finally:
        kill(process)


def brought(folder: Path, api: BotApi) -> list[str]:
    """Run to the end; return what the chat shows."""
    assert start(folder, api).wait(_END_S) == 0
    return api.texts(TOKEN, PERSON)


def test_killed_between_the_record_and_the_message(tmp_path: Path, api: BotApi) -> None:
    killed_at(tmp_path, api, "sendMessage", silent_before())
    assert api.chat(TOKEN, PERSON) == []
    records = [from_line(line) for line in (tmp_path / "spool.jsonl").read_bytes().splitlines()]
    waiting = [one.key for one in records if isinstance(one, MessageRecord)]
    assert waiting == [f"key {number}" for number in range(COUNT)]
    assert brought(tmp_path, api) == [f"{number} edited" for number in range(COUNT)]


def test_killed_between_the_message_and_its_record(tmp_path: Path, api: BotApi) -> None:
    killed_at(tmp_path, api, "sendMessage", silent_after())
    texts = brought(tmp_path, api)
    assert texts == ["0", *(f"{number} edited" for number in range(COUNT))]


def test_killed_between_an_edit_and_its_record(tmp_path: Path, api: BotApi) -> None:
    killed_at(tmp_path, api, "editMessageText", silent_after())
    assert brought(tmp_path, api) == [f"{number} edited" for number in range(COUNT)]
    assert [message.texts for message in api.chat(TOKEN, PERSON)] == [
        [str(number), f"{number} edited"] for number in range(COUNT)
    ]


def test_killed_again_and_again(tmp_path: Path, api: BotApi) -> None:
    kills = [silent_after(), silent_before(), silent_after(), silent_after()]
    for fault in kills:
        killed_at(tmp_path, api, "sendMessage", fault)
    texts = brought(tmp_path, api)
    numbers = [int(text.split()[0]) for text in texts]
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(COUNT))
    assert len(numbers) <= COUNT + sum(fault.kind == "silent after" for fault in kills)


def test_a_second_run_tells_nothing_again(tmp_path: Path, api: BotApi) -> None:
    first = brought(tmp_path, api)
    count = len(api.calls)
    assert brought(tmp_path, api) == first
    assert len(api.calls) == count
