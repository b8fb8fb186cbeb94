"""A restart after every record that was kept, and what waits when one begins."""

import pytest

from scalp_strategy.telegram.courier import Courier
from tests.support.bot_api import running_bot_api
from tests.support.bot_api_faults import cut_after, refuse
from tests.support.couriers import (
    PERSON,
    TOKEN,
    Desk,
    Kept,
    Killed,
    SleepingTime,
    notice,
    settings,
)

LONG = "\n".join(letter * 3_000 for letter in "xyz")
STORY = {"a": "a", "b": "b", "long": LONG, "c": "c", "d": "d"}
REVISED = {"b": "b edited", "long": "x" * 3_000 + "\nedited", "d": "d edited"}
SHOWN = ["a", "b edited", "x" * 3_000 + "\nedited", "c", "d edited"]
# More than the story has: posts, parts and their ends, edits, a deletion.
RECORDS = 40


class Dying(Kept):
    """Keeps so many records; then the process is killed."""

    def __init__(self, records, lives):
        super().__init__(records)
        self.lives = lives

    def __call__(self, record):
        if not self.lives:
            raise Killed
        self.lives -= 1
        super().__call__(record)


@pytest.fixture(scope="module")
def server():
    with running_bot_api() as api:
        yield api


@pytest.fixture
def api(server):
    server.mend()
    server.add_bot(TOKEN)
    server.revoke(TOKEN)
    server.add_bot(TOKEN, [PERSON])
    return server


def play(desk):
    """What the bot does in each life: it posts and revises whatever the journal makes it."""
    for key, html in STORY.items():
        desk.courier.post(notice(key, html))
    for key, html in REVISED.items():
        desk.courier.revise(key, html)
    return desk.deliver()


def is_killed(desk):
    try:
        play(desk)
    except (Killed, BaseExceptionGroup) as end:
        return isinstance(end, Killed) or end.subgroup(Killed) is not None
    return False


@pytest.mark.parametrize("lives", range(0, RECORDS, 3))
def test_a_kill_at_any_record_loses_nothing_and_repeats_one_at_most(api, lives):
    time = SleepingTime()
    first = Desk(api, time=time, kept=Dying([], lives))
    was_killed = is_killed(first)
    second = Desk(api, time=time, kept=Kept(list(first.kept.records)))
    assert play(second)

    shown = api.texts(TOKEN, PERSON)
    in_order = [text for number, text in enumerate(shown) if text not in shown[:number]]
    left = [text for text in in_order if text in SHOWN]
    assert left == SHOWN
    assert len(shown) <= len(SHOWN) + was_killed
    done = {one.key: (one.status, one.shown) for one in second.kept.messages()}
    assert done == {key: ("sent", REVISED.get(key, html)) for key, html in STORY.items()}


def test_the_kills_went_through_the_whole_story(api):
    desk = Desk(api)
    desk.time = SleepingTime()
    desk.restart()
    assert play(desk)
    assert len(desk.kept.records) < RECORDS


def test_what_waits_comes_in_the_old_order_before_all_else(api):
    time = SleepingTime()
    old = Desk(api, time=time)
    for key in ("b", "a", "c"):
        old.courier.post(notice(key))
    new = Desk(api, time=time, kept=Kept())
    new.courier.post(notice("new"))
    new.courier.restore(old.kept.messages())
    assert new.deliver()
    assert api.texts(TOKEN, PERSON) == ["b", "a", "c", "new"]


def test_what_was_told_failed_or_expired_is_not_told_again(api):
    time = SleepingTime()
    desk = Desk(api, time=time)
    desk.courier.post(notice("late", expires_at=time.now()))
    desk.courier.post(notice("empty", " "))
    desk.courier.post(notice("told"))
    desk.deliver()
    desk.restart()
    for key in ("late", "empty", "told"):
        desk.courier.post(notice(key))
    assert desk.deliver()
    assert api.texts(TOKEN, PERSON) == ["told"]


def test_an_edit_that_was_not_shown_is_made_after_a_restart(api):
    desk = Desk(api, time=SleepingTime())
    desk.courier.post(notice("a"))
    desk.deliver()
    desk.courier.revise("a", "b")
    desk.restart()
    desk.courier.revise("a", "b")
    assert desk.deliver()
    assert api.chat(TOKEN, PERSON)[0].texts == ["a", "b"]


def test_a_restart_that_finds_nothing_changed_sends_nothing(api):
    desk = Desk(api, time=SleepingTime())
    play(desk)
    count = len(api.calls)
    desk.restart()
    assert play(desk)
    assert len(api.calls) == count


def test_restarts_under_loss_repeat_only_what_was_lost(api):
    desk = Desk(api, settings(min_interval_s=0), SleepingTime())
    keys = [str(number) for number in range(12)]
    for number, key in enumerate(keys):
        desk.courier.post(notice(key))
        if number % 3 == 0:
            api.fault("sendMessage", cut_after())
            api.fault("sendMessage", refuse(1))
        desk.deliver()
        desk.restart()
    shown = api.texts(TOKEN, PERSON)
    assert [key for key in keys if shown.count(key) == 2] == keys[::3]
    assert sorted(set(shown), key=int) == keys
    assert shown == sorted(shown, key=int)


def test_records_of_others_channels_are_left_alone():
    courier = Courier(settings(), "test", Kept())
    courier.restore([])
    assert courier.is_idle
