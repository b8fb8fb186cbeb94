"""The archive and the event log survive a writer that is killed at any moment."""

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

from external_layers.store.archive import ArchiveWriter
from external_layers.store.archive_reader import ArchiveReader
from external_layers.store.events import EventLog
from scalp_strategy.setting_groups.store import ArchiveSettings, EventSettings
from tests.unit.external_layers.store.samples import NOON_MS, component

DAY_MS = 86_400_000
KILLS = 15
READY = -1


def write_archive(root: Path, first: int, told: Connection) -> None:
    """Append, flush and merge for ever; tell the last row of every flush that was counted."""
    clock = NOON_MS + 9 * DAY_MS
    writer = ArchiveWriter(root, ArchiveSettings(merge_parts=2, group_rows=4), lambda: clock)
    told.send(READY)
    for start in range(first, first + 1_000_000, 7):
        rows = range(start, start + 7)
        writer.append(
            component(NOON_MS + n + DAY_MS * (n % 2), pair=f"P{n % 3}", reason=str(n)) for n in rows
        )
        if writer.flush() == len(rows):
            told.send(rows[-1])
        if start % 3 == 0:
            writer.merge_due()


def write_events(root: Path, _: int, told: Connection) -> None:
    """Append events for ever; tell the number of each."""
    settings = EventSettings(kept=200, reserve=10)
    log = EventLog(root / "events.jsonl", settings, lambda: NOON_MS)
    told.send(READY)
    while True:
        told.send(log.append("test", "x" * 300).number)


class Killed:
    """Runs a writer, kills it at some moment, and returns what it told until then."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._context = multiprocessing.get_context("forkserver")
        # Arrow imports pandas at its first array: half a second that each child would pay.
        self._context.set_forkserver_preload([__name__, "pandas"])

    def __call__(self, work: object, root: Path, first: int) -> list[int]:
        receiver, sender = self._context.Pipe(duplex=False)
        process = self._context.Process(target=work, args=(root, first, sender), daemon=True)
        process.start()
        sender.close()
        assert receiver.recv() == READY
        told = [receiver.recv() for _ in range(self._random.randint(0, 6))]
        ends = time.monotonic() + self._random.uniform(0.0, 0.02)
        while (left := ends - time.monotonic()) > 0:
            if receiver.poll(left):
                told.append(receiver.recv())
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        try:
            while True:
                told.append(receiver.recv())
        except EOFError:
            return told


def test_a_row_that_was_counted_is_there_once_after_any_kill(tmp_path: Path) -> None:
    kill, reader = Killed(11), ArchiveReader(tmp_path)
    counted: set[int] = set()
    first = 0
    for _ in range(KILLS):
        told = kill(write_archive, tmp_path, first)
        if told:
            counted |= set(range(first, told[-1] + 1))
        rows = [int(one.reason) for one in reader.components("orderflow")]
        assert not reader.skipped
        assert max(Counter(rows).values(), default=1) == 1
        assert counted <= set(rows)
        assert rows == sorted(rows, key=lambda n: (n % 2, n))
        first = max(rows, default=-1) + 1
    assert len(counted) > KILLS
    with ArchiveWriter(tmp_path, ArchiveSettings(merge_parts=2), lambda: NOON_MS) as writer:
        assert writer.state.error is None
    assert not list(tmp_path.rglob("*.tmp"))
    assert [int(one.reason) for one in reader.components("orderflow")] == rows


def test_no_event_is_lost_or_numbered_twice_after_any_kill(tmp_path: Path) -> None:
    kill = Killed(12)
    numbers: list[int] = []
    for _ in range(KILLS):
        told = kill(write_events, tmp_path, 0)
        assert numbers[-1:] < told or not told
        numbers += told
        log = EventLog(tmp_path / "events.jsonl", EventSettings(kept=200, reserve=10), lambda: 0)
        kept = [event.number for event in log.after(0, 1_000)]
        log.close()
        assert kept == sorted(set(kept))
        assert set(numbers[-100:]) <= set(kept)
        assert log.dropped_lines == 0
    assert numbers == sorted(set(numbers))
    assert len(numbers) > KILLS
