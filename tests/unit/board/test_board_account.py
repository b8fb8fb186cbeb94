"""Pauses, days and the bot's own health on the board."""

from datetime import UTC, datetime, timedelta

import pytest

from scalp_strategy.account import Account, AccountState, MemoryStore, ResumeResult
from scalp_strategy.board import Board
from scalp_strategy.journal.records import MessageRecord
from scalp_strategy.notice import NOTICE_KEY_LENGTH
from scalp_strategy.settings import Settings, with_overrides
from scalp_strategy.telegram.html import Text
from tests.support.messages import DayOfJournal, checked

NOW = datetime(2026, 3, 2, 10, 15, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


class House:
    """A real account and the board that hears of its changes."""

    def __init__(self) -> None:
        self.account = Account(Settings().breakers, MemoryStore(), resumes_next_day=False)
        self.board = Board(Settings())
        self.notices = []

    def after(self, change, now: datetime, by: str = "") -> list[str]:
        before = self.account.state
        change()
        found = self.board.account_changed(before, self.account.state, now, by)
        for notice in found:
            checked(Text(notice.html, notice.plain))
            assert len(notice.key) <= NOTICE_KEY_LENGTH
        self.notices += found
        return [notice.plain for notice in found]

    def marked(self, equity: float, now: datetime) -> list[str]:
        return self.after(lambda: self.account.mark(now, equity, equity, ()), now)

    def restart(self) -> None:
        self.board = Board(Settings())
        self.board.restore(records(self.notices))


def records(notices) -> list[MessageRecord]:
    return [
        MessageRecord(
            bot="b",
            key=notice.key,
            channel="main",
            kind=notice.kind,
            revision=0,
            at_ms=int(notice.at.timestamp() * 1_000),
            status="sent",
            html=notice.html,
        )
        for notice in notices
    ]


@pytest.fixture
def house() -> House:
    one = House()
    assert one.marked(10_000.0, NOW) == []
    return one


# ---- pauses ----


def test_a_drawdown_pauses_with_the_specification_s_alert(house):
    (text,) = house.marked(9_400.0, NOW + MINUTE)
    lines = text.splitlines()
    assert lines[0] == "🚨 CIRCUIT BREAKER ACTIVATED"
    assert lines[2].startswith("Reason: daily drawdown 6.00 %")
    assert lines[3] == "Action: Signals PAUSED"
    assert lines[4].startswith("Resume: Use /resume command")
    assert "confirmation" in lines[4]
    assert house.notices[0].kind == "breaker"
    assert house.marked(9_300.0, NOW + 2 * MINUTE) == []


def test_an_override_is_told_as_one_and_by_whom(house):
    house.marked(9_400.0, NOW + MINUTE)
    later = NOW + 5 * MINUTE
    result = []
    (text,) = house.after(
        lambda: result.append(house.account.resume(later, is_confirmed=True)), later, "alice"
    )
    assert result == [ResumeResult.OVERRIDDEN]
    assert text.startswith("⚠️ DAILY DRAWDOWN OVERRIDDEN by alice")
    (again,) = house.marked(8_900.0, later + MINUTE)  # the same day may pause once more
    assert "CIRCUIT BREAKER" in again


def test_a_resume_on_the_next_day_is_none(house):
    house.marked(9_400.0, NOW + MINUTE)
    result = []
    (text,) = house.after(
        lambda: result.append(house.account.resume(NOW + DAY, is_confirmed=False)), NOW + DAY, "bob"
    )
    assert result == [ResumeResult.RESUMED]
    assert text.startswith("✅ SIGNALS RESUMED by bob")


def test_an_admin_s_pause_and_its_end_the_same_day(house):
    (text,) = house.after(lambda: house.account.pause(NOW, "news at 14:00"), NOW, "alice")
    assert text.splitlines()[0] == "⏸ SIGNALS PAUSED BY alice"
    assert "Reason: news at 14:00" in text
    (text,) = house.after(
        lambda: house.account.resume(NOW + MINUTE, is_confirmed=False), NOW + MINUTE, "alice"
    )
    assert text.startswith("✅ SIGNALS RESUMED by alice")
    assert [notice.kind for notice in house.notices] == ["admin", "admin"]


def test_a_refused_resume_is_no_change(house):
    house.marked(9_400.0, NOW + MINUTE)
    assert house.after(lambda: house.account.resume(NOW, is_confirmed=False), NOW) == []


def test_a_pause_that_a_kill_left_untold_is_told_at_the_start_and_once(house):
    house.account.mark(NOW, 9_400.0, 9_400.0, ())
    fresh = Board(Settings())
    found = fresh.account_changed(AccountState(), house.account.state, NOW + MINUTE)
    assert len(found) == 1
    again = Board(Settings())
    again.restore(records(found))
    assert again.account_changed(AccountState(), house.account.state, NOW + MINUTE) == []


# ---- the day ----


def test_the_day_is_reported_when_it_is_over_and_once():
    day, midnight = DayOfJournal(), datetime(2026, 3, 3, tzinfo=UTC)
    one = Board(Settings())
    assert one.day_ended(day, midnight - MINUTE) == []
    (notice,) = one.day_ended(day, midnight)
    assert (notice.key, notice.kind) == ("daily:2026-03-02", "daily")
    assert notice.expires_at == midnight + DAY
    assert one.day_ended(day, midnight + MINUTE) == []


def test_a_day_that_is_long_over_is_not_reported():
    midnight = datetime(2026, 3, 3, tzinfo=UTC)
    assert len(Board(Settings()).day_ended(DayOfJournal(), midnight + DAY - MINUTE)) == 1
    assert Board(Settings()).day_ended(DayOfJournal(), midnight + DAY) == []


def test_the_report_can_be_switched_off():
    quiet = Board(with_overrides(Settings(), {"telegram.daily_report": False}))
    assert quiet.day_ended(DayOfJournal(), datetime(2026, 3, 3, tzinfo=UTC)) == []


# ---- health ----


def health(one: Board, name: str, problem: str | None, minutes: float) -> list[str]:
    found = one.health(name, problem, NOW + timedelta(minutes=minutes))
    for notice in found:
        checked(Text(notice.html, notice.plain))
    return [notice.plain.splitlines()[0] for notice in found]


def test_a_hiccup_of_the_journal_is_not_told():
    one = Board(Settings())
    assert health(one, "journal", "locked", 0) == []
    assert health(one, "journal", "locked", 0.9) == []
    assert health(one, "journal", None, 1) == []
    assert health(one, "journal", "locked", 2) == []


def test_a_lasting_failure_and_its_end_are_told_once():
    one = Board(Settings())
    said = [health(one, "sidecar", "no answer", minutes) for minutes in range(10)]
    assert said == [[], ["⚠️ SIDECAR SILENT"], *[[]] * 8]
    assert health(one, "sidecar", None, 10) == ["✅ The sidecar answers again"]
    assert health(one, "sidecar", None, 11) == []


def test_the_two_do_not_disturb_each_other():
    one = Board(Settings())
    for minutes in (0, 2):
        health(one, "sidecar", None, minutes)
        said = health(one, "journal", "disk full", minutes)
    assert said == ["⚠️ JOURNAL NOT WRITTEN"]


def test_after_a_restart_the_end_is_told_and_the_failure_not_again():
    one = Board(Settings())
    one.health("journal", "disk full", NOW)
    found = one.health("journal", "disk full", NOW + 2 * MINUTE)
    again = Board(Settings())
    again.restore(records(found))
    assert health(again, "journal", "disk full", 3) == []
    assert health(again, "journal", None, 4) == ["✅ The journal is written again"]
