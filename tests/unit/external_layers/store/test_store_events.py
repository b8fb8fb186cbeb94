import os
from math import inf
from pathlib import Path

import pytest

from external_layers.store.event import Event, from_line, to_line
from external_layers.store.events import EventLog
from scalp_strategy.errors import ConfigError, PayloadError, StoreError
from scalp_strategy.setting_groups.store import EventSettings
from tests.unit.external_layers.store.full_disk import largest_file
from tests.unit.external_layers.store.samples import BTC, NOON_MS

SMALL = EventSettings(kept=10, reserve=10, is_synced=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def opened(path: Path, settings: EventSettings = SMALL) -> EventLog:
    return EventLog(path, settings, lambda: NOON_MS)


def numbers(events: list[Event]) -> list[int]:
    return [event.number for event in events]


def test_events_are_numbered_and_served_after_a_number(path: Path) -> None:
    log = opened(path)
    first = log.append("whale", "größer 🐋", BTC, {"usd": 2.5e6, "is_buy": True, "hash": None})
    assert first == Event(
        1, NOON_MS, "whale", BTC, "größer 🐋", {"usd": 2.5e6, "is_buy": True, "hash": None}
    )
    others = [log.append("pairlist", str(n)) for n in range(3)]
    assert log.after(0, 10) == [first, *others]
    assert log.after(2, 10) == others[1:]
    assert log.after(1, 2) == others[:2]
    assert log.after(4, 10) == log.after(99, 10) == log.after(0, 0) == []


def test_numbers_go_on_after_a_restart(path: Path) -> None:
    with opened(path) as log:
        before = [log.append("a", str(n)) for n in range(3)]
    with opened(path) as log:
        assert log.after(0, 10) == before
        assert log.append("a", "next").number == 4
        assert log.error is None


def test_only_the_newest_are_kept_and_the_file_stays_short(path: Path) -> None:
    with opened(path) as log:
        for n in range(57):
            log.append("a", str(n))
        assert numbers(log.after(0, 99)) == list(range(48, 58))
    assert len(path.read_bytes().splitlines()) < 20
    with opened(path) as log:
        assert numbers(log.after(0, 99)) == list(range(48, 58))


def test_a_partial_last_line_is_cut_off(path: Path) -> None:
    with opened(path) as log:
        events = [log.append("a", str(n)) for n in range(3)]
    whole = path.read_bytes()
    for cut in (1, 20, len(to_line(events[2])) - 1):
        path.write_bytes(whole[:-cut])
        with opened(path) as log:
            assert log.after(0, 10) == events[:2]
            assert log.append("a", "next").number > 3
            assert log.dropped_lines == 0
        with opened(path) as log:
            assert len(log.after(0, 10)) == 3


def test_lines_that_are_no_events_are_left_out(path: Path) -> None:
    path.write_bytes(b"garbage\n" + to_line(Event(7, 1, "a", None, "")) + b'{"number": 8}\n\n')
    with opened(path) as log:
        assert numbers(log.after(0, 10)) == [7]
        assert log.dropped_lines == 3
        assert log.append("a", "").number > 7


def test_a_lost_reservation_gives_no_number_twice(path: Path) -> None:
    with opened(path) as log:
        log.append("a", "")
    path.with_name("events.jsonl.reserved").write_bytes(b"?")
    with opened(path) as log:
        assert log.append("a", "").number > 1 + SMALL.reserve


def test_a_full_disk_delays_writing_and_doubles_no_number(path: Path) -> None:
    log = opened(path, EventSettings(kept=1_000, reserve=10, is_synced=False))
    with largest_file(1_024):
        events = [log.append("a", "x" * 100) for _ in range(40)]
        assert isinstance(log.error, StoreError)
        assert log.after(0, 99) == events
        assert log.flush() > 30
        held = path.read_bytes()
        assert held.endswith(b"\n")
        assert len(held) <= 1_024
        log.close()
    with opened(path) as log:
        assert log.append("a", "").number > events[-1].number


def test_a_disk_that_takes_writes_again_gets_what_waited(path: Path) -> None:
    with opened(path, EventSettings(kept=1_000, reserve=10, is_synced=False)) as log:
        with largest_file(1_024):
            events = [log.append("a", "x" * 100) for _ in range(40)]
        assert log.flush() == 0
        assert log.error is None
    assert [from_line(line) for line in path.read_bytes().splitlines()] == events


def test_without_any_number_left_an_event_is_refused(path: Path) -> None:
    with opened(path) as log:
        with largest_file(0):
            events = [log.append("a", "") for _ in range(SMALL.reserve)]
            with pytest.raises(StoreError, match="number"):
                log.append("a", "")
        assert log.after(0, 99) == events
        assert log.append("a", "").number == events[-1].number + 1


def test_two_logs_cannot_share_a_file(path: Path) -> None:
    first = opened(path)
    with pytest.raises(ConfigError, match=str(os.getpid())):
        opened(path)
    first.close()
    opened(path).close()


def test_a_folder_in_the_way_is_an_error_and_holds_no_lock(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreError):
        opened(path)
    path.rmdir()
    opened(path).close()


def test_odd_values_make_no_bad_lines(path: Path) -> None:
    with opened(path) as log:
        log.append("a", "line\nbreak \ud800", None, {"ratio": inf, "text": "\udfff"})
    with opened(path) as log:
        (event,) = log.after(0, 9)
    assert event.text == "line\nbreak ?"
    assert event.data == {"ratio": None, "text": "?"}


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"{}", b"\xff", to_line(Event(1, 2, "a", None, "")).replace(b"1", b'"1"')]
)
def test_a_line_that_is_no_event_is_refused(line: bytes) -> None:
    with pytest.raises(PayloadError):
        from_line(line)
