"""Events over real HTTP into a real database: each once, whatever fails or is replaced."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from scalp_strategy.errors import (
    ConfigError,
    PayloadError,
    SourceRejected,
    SourceUnavailable,
    StoreError,
)
from scalp_strategy.events.client import EventClient
from scalp_strategy.events.puller import EventPuller, Pulled
from scalp_strategy.journal.event_store import EventStore
from scalp_strategy.journal.store import Journal
from scalp_strategy.setting_groups.journal import JournalSettings
from tests.support.event_server import TOKEN, EventSidecar, Fault, Handler, serving_events
from tests.unit.journal.databases import KINDS, empty_database, rows

NOW_MS = 1_772_445_600_000
PAGE = 5
MAX_BYTES = 100_000


@pytest.fixture
def sidecar(tmp_path) -> Iterator[EventSidecar]:
    with serving_events(EventSidecar(tmp_path / "first", NOW_MS)) as one:
        yield one


@dataclass
class Bot:
    """A bot that is started as often as it pulls: nothing is remembered but in the journal."""

    sidecar: EventSidecar
    database: str
    token: str = TOKEN
    timeout_s: float = 20.0
    pull_events: int = 1_000
    clock: Callable[[], float] = lambda: 0.0

    def pull(self) -> Pulled:
        client = EventClient(self.sidecar.url, self.token, self.timeout_s, MAX_BYTES, self.clock)
        journal = Journal(self.database, 0.2)
        settings = JournalSettings(page_events=PAGE, pull_events=self.pull_events)
        pulled = Pulled()
        try:
            EventPuller(client, EventStore(journal), settings).pull(pulled)
        finally:
            journal.close()
        return pulled

    def fresh(self) -> list[int]:
        return [event.number for event in self.pull().fresh]

    @property
    def hashes(self) -> list[int]:
        """The transfers in the journal, by what the sidecar called them."""
        return [int(row["tx_hash"], 16) for row in rows(self.database, "whale_events")]


@pytest.fixture
def bot(sidecar, tmp_path) -> Iterator[Bot]:
    with empty_database("sqlite", tmp_path) as url:
        yield Bot(sidecar, url)


# ---- what is taken ----


@pytest.mark.parametrize("kind", KINDS)
def test_all_there_is_page_by_page_and_then_only_what_is_new(sidecar, tmp_path, kind):
    with empty_database(kind, tmp_path) as url:
        bot = Bot(sidecar, url)
        assert bot.fresh() == []
        told = [sidecar.whale(number) for number in range(2 * PAGE + 3)]
        assert bot.fresh() == told
        assert bot.fresh() == []
        more = [sidecar.whale(50), sidecar.change("macro", "CALM", "EXTREME"), sidecar.whale(51)]
        assert bot.fresh() == more
        assert bot.hashes == [*range(2 * PAGE + 3), 50, 51]


def test_only_what_is_behind_the_cursor_is_asked_for(sidecar, bot):
    """The event under it comes along, to see whether it is still the same."""
    last = [sidecar.whale(number) for number in range(3)][-1]
    bot.pull()
    sidecar.asked.clear()
    bot.pull()
    assert sidecar.asked == [last - 1]


def test_gaps_between_numbers_are_none_of_ours(sidecar, bot):
    sidecar.whale(1)
    sidecar.open(sidecar.folder, is_clean=False)  # killed: its reserved numbers are never given
    after = sidecar.whale(2)
    assert after > 100
    assert bot.pull().is_anew is False
    sidecar.open(sidecar.folder, is_clean=False)
    sidecar.whale(3)
    pulled = bot.pull()
    assert (pulled.is_anew, bot.hashes) == (False, [1, 2, 3])


def test_one_look_takes_so_many_and_the_next_goes_on(sidecar, bot):
    bot.pull_events = 2 * PAGE
    told = [sidecar.whale(number) for number in range(20)]
    first = bot.fresh()
    assert first == told[: len(first)]
    assert PAGE <= len(first) <= 2 * PAGE
    assert [*first, *bot.fresh(), *bot.fresh(), *bot.fresh()] == told
    assert bot.hashes == list(range(20))


def test_events_that_the_sidecar_no_longer_keeps_do_not_hold_up_the_others(tmp_path):
    with (
        serving_events(EventSidecar(tmp_path / "kept", NOW_MS, kept=10)) as sidecar,
        empty_database("sqlite", tmp_path) as url,
    ):
        bot = Bot(sidecar, url)
        sidecar.whale(1)
        bot.pull()
        for number in range(2, 40):
            sidecar.whale(number)
        bot.pull()
        assert bot.hashes == [1, *range(30, 40)]
        assert bot.fresh() == []


# ---- another folder ----


@pytest.mark.parametrize("count", [0, 2, 4, 5, 30])
def test_a_replaced_folder_is_noticed_whatever_it_has_counted_up_to(sidecar, bot, tmp_path, count):
    for number in range(4):
        sidecar.whale(number)
    bot.pull()
    sidecar.open(tmp_path / "second")
    sidecar.now_ms += 60_000
    new = [sidecar.whale(100 + number) for number in range(count)]
    pulled = bot.pull()
    assert pulled.is_anew is True
    assert [event.number for event in pulled.fresh] == new
    assert bot.hashes == [*range(4), *range(100, 100 + count)]
    assert bot.pull().is_anew is False  # it is noticed once
    sidecar.whale(999)
    assert bot.hashes[-1] != 999
    bot.pull()
    assert bot.hashes[-1] == 999


def test_what_the_new_folder_tells_again_is_not_doubled(sidecar, bot, tmp_path):
    """The sidecar's memory is gone with its folder: it sees the same transfers anew."""
    for number in range(4):
        sidecar.whale(number)
    sidecar.change("macro", "CALM", "EXTREME")
    bot.pull()
    sidecar.open(tmp_path / "second")
    sidecar.whale(2, tx_hash=f"0x{2:064X}")
    new = sidecar.whale(7)
    sidecar.whale(3)
    assert bot.fresh() == [new]
    assert sorted(bot.hashes) == [0, 1, 2, 3, 7]


def test_a_folder_that_lost_its_end_is_read_again_without_doubling(sidecar, bot, tmp_path):
    """A power cut, or an older backup: the events there are the ones that were taken."""
    for number in range(3):
        sidecar.whale(number)
    backup = (sidecar.folder / "events.jsonl").read_bytes()
    for number in range(3, 6):
        sidecar.whale(number)
    bot.pull()
    restored = tmp_path / "restored"
    restored.mkdir()
    (restored / "events.jsonl").write_bytes(backup)
    sidecar.open(restored)
    assert bot.fresh() == []
    last = sidecar.whale(9)
    assert bot.fresh() == [last]
    assert bot.hashes == [*range(6), 9]


# ---- failures: an error in words, nothing taken, nothing lost ----


def text(body: bytes, status: int = 200) -> Fault:
    return lambda handler: handler.answer(body, status, "text/html")


def drips(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while not handler.sidecar.released.is_set():
        handler.wfile.write(b" ")
        handler.wfile.flush()


def breaks_off(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"events": [')
    handler.close_connection = True


def packed(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", "4")
    handler.end_headers()
    handler.wfile.write(b"gzip")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (text(b"<html>Bad Gateway</html>", 502), SourceUnavailable),
        (text(b"<html>Welcome to the hotel</html>"), PayloadError),
        (text(b""), PayloadError),
        (text(b"slow down", 429), SourceUnavailable),
        (text(b"", 302), SourceRejected),
        (text(b"", 204), SourceRejected),
        (text(b" " * (MAX_BYTES + 1)), PayloadError),
        (drips, PayloadError),
        (breaks_off, SourceUnavailable),
        (packed, PayloadError),
    ],
)
def test_an_answer_that_is_none_is_told_and_the_next_one_is_taken(sidecar, bot, fault, error):
    sidecar.whale(1)
    bot.pull()
    sidecar.whale(2)
    sidecar.fault = fault
    with pytest.raises(error):
        bot.pull()
    sidecar.fault = None
    bot.pull()
    assert bot.hashes == [1, 2]


def test_an_answer_that_comes_too_slowly_is_cut_off(sidecar, bot):
    """Each step is in time; the whole is not."""
    ticks = iter(range(0, 10**6, 7))
    bot.clock = lambda: next(ticks)
    sidecar.fault = drips
    with pytest.raises(SourceUnavailable, match="no answer within 20 s"):
        bot.pull()


def test_a_wrong_token_is_told_without_being_shown(sidecar, bot):
    sidecar.whale(1)
    bot.token = "wr0ng-token"  # noqa: S105
    with pytest.raises(SourceRejected, match="401") as caught:
        bot.pull()
    assert "wr0ng" not in str(caught.value)
    bot.token = TOKEN
    bot.pull()
    assert bot.hashes == [1]


def test_a_sidecar_that_is_away_is_asked_again(sidecar, bot):
    sidecar.whale(1)
    there = sidecar.url
    sidecar.url = "http://127.0.0.1:1"
    with pytest.raises(SourceUnavailable):
        bot.pull()
    sidecar.url = there
    bot.pull()
    assert bot.hashes == [1]


def test_what_was_taken_before_a_failure_stays_and_is_told_of(sidecar, bot):
    told = [sidecar.whale(number) for number in range(3 * PAGE)]

    def fails_at_the_third(handler: Handler) -> None:
        if len(sidecar.asked) == 3:
            handler.answer(b"", 500)
        else:
            after = sidecar.asked[-1]
            handler.answer(sidecar.body(after, PAGE))

    sidecar.fault = fails_at_the_third
    client = EventClient(sidecar.url, TOKEN, 20.0, MAX_BYTES)
    journal = Journal(bot.database, 0.2)
    pulled = Pulled()
    puller = EventPuller(client, EventStore(journal), JournalSettings(page_events=PAGE))
    with pytest.raises(SourceUnavailable):
        puller.pull(pulled)
    journal.close()
    first = [event.number for event in pulled.fresh]
    assert first == told[: len(first)]
    assert len(first) > PAGE
    sidecar.fault = None
    assert [*first, *bot.fresh()] == told
    assert bot.hashes == list(range(3 * PAGE))


def test_a_journal_that_is_locked_in_the_middle_loses_nothing(sidecar, bot):
    sidecar.whale(1)
    bot.pull()
    sidecar.whale(2)
    other = sqlite3.connect(bot.database.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        bot.pull()
    other.close()
    bot.pull()
    assert bot.hashes == [1, 2]


def test_an_event_that_is_not_understood_is_passed_over_and_counted(sidecar, bot):
    sidecar.whale(1)
    sidecar.whale(2, direction="sideways")
    sidecar.whale(3)
    assert bot.pull().dropped == 1
    assert bot.hashes == [1, 3]
    assert bot.pull().dropped == 0


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("", ""),
        ("127.0.0.1:8090", ""),
        ("ftp://127.0.0.1", ""),
        ("http://user:pass@127.0.0.1", ""),
        ("http://127.0.0.1:port", ""),
        ("http://127.0.0.1", "two\nlines"),
        ("http://127.0.0.1", "naïve"),
    ],
)
def test_an_address_or_token_that_will_not_do_stops_the_start(url, token):
    with pytest.raises(ConfigError) as caught:
        EventClient(url, token, 1.0, MAX_BYTES)
    assert "pass@" not in str(caught.value)
    assert not token or token not in str(caught.value)
