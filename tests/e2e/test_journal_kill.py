"""What the bot has recorded is in the database once, at whatever instant its process is killed."""

import multiprocessing
import os
import random
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from scalp_strategy.journal.keeper import Keeper
from scalp_strategy.journal.spool import Spool
from tests.unit.journal import kept
from tests.unit.journal.databases import KINDS, empty_database, journal_at
from tests.unit.journal.happenings import AT_MS

KILLS = 5
READY = -1


def keep(address: str, path: Path, first: int, told: Connection) -> None:
    """Record for ever, and tell the number of what was recorded, while it is being written."""
    keeper = Keeper(journal_at(make_url(address)), Spool(path), kept.BOT)
    keeper.drain()
    told.send(READY)
    for number in range(first, first + 1_000_000):
        at = {"close_ms": AT_MS + number, "at_ms": AT_MS + number}
        trade = at | {"trade_id": number, "opened_ms": AT_MS + number}
        keeper.record(kept.signal(**at))
        keeper.record(kept.breaker(number, reason=str(number)))
        keeper.record(kept.word("taken", **at))
        keeper.record(kept.position("open", **trade))
        keeper.record(kept.closed(after_ms=number, **trade))
        told.send(number)
        keeper.pump()


class Killed:
    """Runs a keeper, kills it at some moment, and returns the last number that it told."""

    def __init__(self, seed: int, address: str, path: Path) -> None:
        self._random = random.Random(seed)
        self._address, self._path = address, path
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__])

    def __call__(self, first: int) -> int:
        receiver, sender = self._context.Pipe(duplex=False)
        arguments = (self._address, self._path, first, sender)
        process = self._context.Process(target=keep, args=arguments, daemon=True)
        process.start()
        sender.close()
        assert receiver.recv() == READY
        last = first - 1
        for _ in range(self._random.randint(0, 20)):
            last = receiver.recv()
        ends = time.monotonic() + self._random.uniform(0.0, 0.02)
        while (left := ends - time.monotonic()) > 0:
            if receiver.poll(left):
                last = receiver.recv()
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        try:
            while True:
                last = receiver.recv()
        except EOFError:
            return last


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_recorded_is_kept_once_after_any_kill(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "journal.spool"
    with empty_database(kind, tmp_path) as url:
        kill = Killed(5, url.render_as_string(hide_password=False), path)
        journal = journal_at(url)
        recorded: set[int] = set()
        first = 0
        for _ in range(KILLS):
            last = kill(first)
            recorded |= set(range(first, last + 1))
            first = last + 2  # the one under way may have been recorded in part
        keeper = Keeper(journal, Spool(path), kept.BOT)
        keeper.drain()
        assert (keeper.problem, keeper.dropped) == (None, 0)
        assert keeper.wait(0)
        assert len(recorded) > KILLS
        _check(journal, recorded, last_possible=first)
        journal.close()


def _check(journal, recorded: set[int], last_possible: int) -> None:
    found = kept.kept(journal, "breaker_events")
    numbers = [int(row["reason"]) for row in found]
    assert len(numbers) == len(set(numbers))
    assert recorded <= set(numbers) <= set(range(last_possible))
    trades = {row["trade_id"]: row for row in kept.kept(journal, "positions")}
    signals = {row["id"]: row for row in kept.kept(journal, "signals")}
    assert len(trades) == len(kept.kept(journal, "positions"))
    for number in recorded:
        assert trades[number]["status"] == "closed"
        of_trade = signals[trades[number]["signal_id"]]
        assert (of_trade["status"], of_trade["outcome"]) == ("taken", "tp2")
