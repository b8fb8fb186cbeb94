"""A bot that falls silent is missed once and welcomed once, whatever clocks and restarts do."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest

from external_layers.binance.pacing import Timing
from external_layers.bot_watch import BACK, FILE, SILENT, BotWatch
from external_layers.store.event import Event, Fact
from scalp_strategy.errors import StoreError
from scalp_strategy.settings import Settings, with_overrides

LIMIT_S = 1_800
START_S = datetime.fromisoformat("2026-01-05T10:15:00+00:00").timestamp()
CLOSE_MS = 1_767_608_100_000
SILENCE = "The bot is silent: last heard 10:15 UTC, 30 minutes ago."


class House:
    """A watch on clocks of the test's own; a restart makes a new one over the same folder."""

    def __init__(self, folder: Path, **changes: object) -> None:
        self.folder = folder
        self.settings = with_overrides(
            Settings(), {f"sidecar.{name}": value for name, value in changes.items()}
        )
        self.wall_s, self.monotonic_s = START_S, 0.0
        self.events: list[Event] = []
        self.watch = self.start()

    def start(self) -> BotWatch:
        timing = Timing(
            lambda: round(self.wall_s * 1_000), lambda: self.monotonic_s, asyncio.sleep, lambda: 0.5
        )
        self.watch = BotWatch(self.folder / FILE, self.settings, timing, self.tell)
        self.watch.resume(self.events)
        return self.watch

    def tell(
        self, kind: str, text: str, pair: str | None, data: Mapping[str, Fact] | None = None
    ) -> None:
        number = len(self.events) + 1
        self.events.append(Event(number, round(self.wall_s * 1_000), kind, pair, text, data or {}))

    def look(self) -> None:
        asyncio.run(self.watch.look())

    def passes(self, seconds: float) -> None:
        """Let time pass, with a look as often as the service looks."""
        while seconds > 0:
            step = min(seconds, self.watch.look_s)
            self.wall_s, self.monotonic_s = self.wall_s + step, self.monotonic_s + step
            self.look()
            seconds -= step

    @property
    def told(self) -> list[str]:
        return [event.kind for event in self.events]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_bot_that_never_asked_is_not_missed(house: House) -> None:
    house.watch.asked_for_scores(None)  # a person, or the dashboard
    house.watch.asked_for_events()
    house.passes(2 * LIMIT_S)
    assert house.told == []
    assert house.watch.report()["last_heard_ms"] is None


def test_silence_and_return_are_told_once_each(house: House) -> None:
    house.watch.asked_for_scores(CLOSE_MS)
    house.passes(LIMIT_S - 1)
    assert house.told == []
    assert not house.watch.is_silent
    house.passes(1)
    assert house.watch.words() == SILENCE
    assert house.watch.is_silent
    house.passes(420)
    house.watch.asked_for_scores(CLOSE_MS)
    house.passes(100)
    assert not house.watch.is_silent
    assert house.told == [SILENT, BACK]
    assert house.events[0].text == SILENCE
    assert house.events[1].text == (
        "The bot is back: it asks again since 10:52 UTC, after 37 minutes of silence."
    )
    house.passes(LIMIT_S)
    assert house.told == [SILENT, BACK, SILENT]


def test_a_bot_that_has_nothing_to_score_but_takes_events_lives(house: House) -> None:
    house.watch.asked_for_scores(CLOSE_MS)
    for _ in range(5):
        house.passes(LIMIT_S - 1)
        house.watch.asked_for_events()
    assert house.told == []
    house.passes(LIMIT_S)
    assert house.told == [SILENT]


def test_one_that_reads_from_redis_is_known_by_its_questions_for_events(tmp_path: Path) -> None:
    house = House(tmp_path, transport="redis")
    house.watch.asked_for_events()
    house.passes(LIMIT_S)
    assert house.told == [SILENT]


@pytest.mark.parametrize("jump_s", [-86_400, 86_400])
def test_a_clock_that_is_set_makes_no_silence(house: House, jump_s: float) -> None:
    house.watch.asked_for_scores(CLOSE_MS)
    house.passes(60)
    house.wall_s += jump_s
    house.passes(LIMIT_S - 61)
    assert house.told == []
    house.passes(1)
    assert house.told == [SILENT]


@pytest.mark.parametrize("ticks_asleep", [False, True])
def test_a_machine_that_slept_did_not_listen(house: House, ticks_asleep: bool) -> None:
    """Some clocks that never jump go on while a machine sleeps or a process is stopped."""
    house.watch.asked_for_scores(CLOSE_MS)
    house.passes(60)
    house.wall_s += 30_000
    house.monotonic_s += 30_000 if ticks_asleep else 0
    house.look()
    house.passes(60)
    assert house.told == []
    house.watch.asked_for_scores(CLOSE_MS)
    house.passes(LIMIT_S)
    assert house.told == [SILENT]


def test_zero_never_misses_anybody(tmp_path: Path) -> None:
    house = House(tmp_path, bot_silence_s=0)
    house.watch.asked_for_scores(CLOSE_MS)
    house.passes(100_000)
    asyncio.run(house.watch.stop())
    assert house.told == []
    assert not (tmp_path / FILE).exists()
    assert house.watch.report()["last_heard_ms"] == round(START_S * 1_000)


def test_a_restart_amid_a_silence_forgets_nothing(house: House) -> None:
    """Killed again and again before the time is over, it comes to an end all the same."""
    house.watch.asked_for_scores(CLOSE_MS)
    for _ in range(4):
        house.passes(LIMIT_S / 4)
        house.start()
    house.passes(120)
    assert house.told == [SILENT]
    assert "last heard 10:15 UTC" in house.events[0].text


def test_a_restart_after_it_was_told_repeats_nothing(house: House) -> None:
    house.watch.asked_for_scores(CLOSE_MS)
    house.passes(LIMIT_S)
    house.start()
    house.passes(2 * LIMIT_S)
    assert house.told == [SILENT]
    house.watch.asked_for_scores(CLOSE_MS)
    house.start()  # within seconds: the bot asks again anyway
    house.watch.asked_for_scores(CLOSE_MS)
    house.passes(10)
    assert house.told == [SILENT, BACK]


@pytest.mark.parametrize("is_return", [False, True])
def test_killed_between_event_and_memory_it_is_told_once(house: House, is_return: bool) -> None:
    house.watch.asked_for_scores(CLOSE_MS)
    house.passes(LIMIT_S - 1)
    if is_return:
        house.passes(60)
        house.watch.asked_for_scores(CLOSE_MS)
    before = house.folder / FILE
    kept = before.read_bytes()
    house.passes(5)
    before.write_bytes(kept)
    house.start()
    house.passes(60)
    assert house.told == ([SILENT, BACK] if is_return else [SILENT])
    assert house.watch.is_silent != is_return


@pytest.mark.parametrize("content", [b"", b"[]", b'{"heard_ms": "x"}', b'{"other": 1}'])
def test_a_memory_that_is_not_understood_is_left(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    house = House(tmp_path)
    house.passes(2 * LIMIT_S)
    assert house.told == []
    house.watch.asked_for_scores(CLOSE_MS)
    house.passes(LIMIT_S)
    assert house.told == [SILENT]


def test_a_disk_that_refuses_is_told_to_the_service_and_nothing_is_repeated(
    house: House,
) -> None:
    house.watch.asked_for_scores(CLOSE_MS)
    house.passes(LIMIT_S - 5)
    (house.folder / FILE).unlink()
    (house.folder / FILE).mkdir()
    house.wall_s, house.monotonic_s = house.wall_s + 5, house.monotonic_s + 5
    with pytest.raises(StoreError):
        house.look()
    (house.folder / FILE).rmdir()
    house.passes(120)
    assert house.told == [SILENT]
    assert (house.folder / FILE).is_file()
