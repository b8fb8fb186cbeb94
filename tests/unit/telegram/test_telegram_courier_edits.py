"""Editing in place: only what is sent, only the newest, at the chat's pace, after new messages."""

import asyncio
from datetime import timedelta

import pytest

from tests.support.bot_api import running_bot_api
from tests.support.bot_api_faults import answer, cut_after, cut_before, refuse, silent_before
from tests.support.couriers import (
    CHANNEL,
    PERSON,
    SIGNALS_TOKEN,
    TOKEN,
    Desk,
    SleepingTime,
    notice,
    with_signals_channel,
)


@pytest.fixture
def time():
    return SleepingTime()


@pytest.fixture
def api(time):
    with running_bot_api(time.clock) as server:
        server.add_bot(TOKEN, [PERSON])
        server.add_bot(SIGNALS_TOKEN, [CHANNEL])
        yield server


@pytest.fixture
def desk(api, time):
    return Desk(api, time=time)


def versions(api):
    return [message.texts for message in api.history(TOKEN, PERSON)]


def edits(api):
    return api.calls_of("editMessageText")


def test_a_message_is_first_shown_as_posted_then_as_it_was_last_revised(desk, api):
    desk.courier.post(notice("a"))
    for text in ("one", "two", "<b>three</b>"):
        desk.courier.revise("a", text)
    assert desk.deliver()
    assert versions(api) == [["a", "three"]]
    record = desk.kept.of("a")
    assert (record.status, record.html, record.shown) == ("sent", "a", "<b>three</b>")


def test_new_messages_go_before_edits(desk, api):
    for key in "abc":
        desk.courier.post(notice(key))
        desk.courier.revise(key, f"{key} edited")
    assert desk.deliver()
    assert [call.method for call in api.calls] == ["sendMessage"] * 3 + ["editMessageText"] * 3


def test_what_a_message_shows_already_is_no_edit(desk, api):
    desk.courier.post(notice("a"))
    desk.deliver()
    desk.courier.revise("a", "b")
    desk.courier.revise("a", "a")
    desk.courier.revise("unknown", "b")
    assert desk.courier.is_idle
    assert desk.deliver()
    assert edits(api) == []


@pytest.mark.parametrize("fault", [refuse(9), answer(500, "no"), cut_before(), silent_before()])
def test_an_edit_is_tried_until_it_is_shown(desk, api, fault):
    desk.courier.post(notice("a"))
    api.fault("editMessageText", fault, 3)
    desk.courier.revise("a", "b")
    assert desk.deliver()
    assert versions(api) == [["a", "b"]]
    assert api.early == []


def test_an_edit_whose_answer_was_lost_shows_once(desk, api):
    desk.courier.post(notice("a"))
    api.fault("editMessageText", cut_after())
    desk.courier.revise("a", "b")
    assert desk.deliver()
    assert versions(api) == [["a", "b"]]
    assert desk.kept.of("a").problem == ""


def test_a_message_that_comes_while_an_edit_fails_goes_first(desk, api, time):
    desk.courier.post(notice("a"))
    desk.deliver()
    api.fault("editMessageText", cut_before(), 3)
    time.asleep = lambda _: desk.courier.post(notice("new"))
    desk.courier.revise("a", "b")
    assert desk.deliver()
    done = [call.method for call in api.calls if call.is_done]
    assert done == ["sendMessage", "sendMessage", "editMessageText"]


def test_while_an_edit_fails_only_the_newest_text_stays_wanted(desk, api, time):
    desk.courier.post(notice("a"))
    desk.deliver()
    api.fault("editMessageText", cut_before(), 3)
    time.asleep = lambda _: desk.courier.revise("a", f"at {time.passed_s:g}")
    desk.courier.revise("a", "first")
    desk.deliver()
    first, second = versions(api)[0]
    assert first == "a"
    assert second == f"at {time.passed_s:g}"


def test_a_text_that_comes_while_another_is_being_shown_follows_it(desk, api):
    desk.courier.post(notice("a"))

    async def story(courier, bot):
        api.fault("editMessageText", cut_after())
        courier.revise("a", "b")
        await asyncio.to_thread(api.wait_for, lambda: edits(api), "the edit")
        courier.revise("a", "a")

    assert desk.deliver(story)
    assert api.chat(TOKEN, PERSON)[0].text == "a"


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_message_that_was_deleted_is_not_edited_nor_sent_again(desk, api, is_restarted):
    desk.courier.post(notice("a"))
    desk.deliver()
    api.delete(TOKEN, PERSON, 1)
    desk.courier.revise("a", "b")
    assert desk.deliver()
    if is_restarted:
        desk.restart()
        desk.courier.revise("a", "b")
    else:
        desk.courier.revise("a", "c")
    assert desk.deliver()
    assert len(edits(api)) == 1
    assert api.chat(TOKEN, PERSON) == []
    assert "to edit not found" in desk.kept.of("a").problem
    assert desk.courier.status()[0].counts.edited == 0


def test_an_edit_that_telegram_cannot_read_is_shown_as_text(desk, api):
    desk.courier.post(notice("a"))
    desk.courier.revise("a", "<b>b")
    assert desk.deliver()
    desk.courier.revise("a", "<b>c</b>")
    assert desk.deliver()
    assert versions(api) == [["a", "b", "c"]]
    assert api.chat(TOKEN, PERSON)[0].parse_mode == "HTML"


def test_an_edit_that_is_refused_in_any_form_leaves_the_message(desk, api):
    desk.courier.post(notice("a"))
    api.fault("editMessageText", answer(400, "Bad Request: some rule"), 2)
    desk.courier.revise("a", "b")
    assert desk.deliver()
    desk.courier.revise("a", "c")
    assert desk.deliver()
    assert versions(api) == [["a", "c"]]


def test_edits_keep_the_chats_pace(desk, api):
    api.limit(1, 1.0)
    for key in "abc":
        desk.courier.post(notice(key))
        desk.courier.revise(key, f"{key} edited")
    assert desk.deliver()
    assert desk.courier.status()[0].counts.retries == 0
    assert desk.courier.status()[0].counts.edited == 3


def test_both_channels_are_edited(desk, api):
    with_signals_channel(desk)

    async def story(courier, bot):
        courier.post(notice("a", kind="signal"))
        courier.revise("a", "b")

    assert desk.deliver(story)
    assert versions(api) == [["a", "b"]]
    assert api.chat(SIGNALS_TOKEN, CHANNEL)[0].texts == ["a", "b"]


def test_parts_are_edited_one_by_one_and_grow_and_shrink(desk, api):
    first, second, third = ("x" * 3_000, "y" * 3_000, "z" * 3_000)
    desk.courier.post(notice("a", f"{first}\n{second}"))
    desk.deliver()
    desk.courier.revise("a", f"{first}\nY{second}\n{third}")
    assert desk.deliver()
    assert api.texts(TOKEN, PERSON) == [first, f"Y{second}", third]
    assert len(edits(api)) == 1
    desk.restart()
    desk.courier.revise("a", "short")
    assert desk.deliver()
    assert api.texts(TOKEN, PERSON) == ["short"]
    assert desk.kept.of("a").message_ids == (1,)


def test_edits_end_after_some_days_over_restarts_too(desk, api, time):
    desk.courier.post(notice("a"))
    desk.deliver()
    time.passed_s = timedelta(days=3).total_seconds()
    desk.courier.post(notice("b", at=time.now()))
    desk.courier.revise("a", "too late")
    assert desk.deliver()
    assert versions(api) == [["a"], ["b"]]


def test_messages_of_another_chat_are_not_edited_in_this_one(desk, api):
    desk.courier.post(notice("a"))
    desk.deliver()
    api.add_bot(TOKEN, [7])
    desk.chats["main"] = (TOKEN, 7)
    desk.restart()
    desk.courier.revise("a", "b")
    desk.courier.post(notice("here"))
    assert desk.deliver()
    assert versions(api) == [["a"]]
    assert api.texts(TOKEN, 7) == ["here"]
