"""Delivery of new messages: order, once-ness, refusals, expiry, two channels."""

import asyncio
import logging
import threading
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from tests.support.bot_api import running_bot_api
from tests.support.bot_api_faults import (
    answer,
    cut_after,
    cut_before,
    garbage,
    refuse,
    silent_after,
)
from tests.support.couriers import (
    CHANNEL,
    GROUP,
    PERSON,
    SIGNALS_TOKEN,
    START,
    TOKEN,
    Desk,
    Kept,
    SleepingTime,
    notice,
    settings,
    with_signals_channel,
)
from tests.support.messages import HOSTILE

KEYS = [f"key {number}" for number in range(6)]
ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), min_size=1, max_size=300)


@pytest.fixture
def time():
    return SleepingTime()


@pytest.fixture
def api(time):
    with running_bot_api(time.clock) as server:
        server.add_bot(TOKEN, [PERSON, GROUP])
        server.add_bot(SIGNALS_TOKEN, [CHANNEL])
        yield server


@pytest.fixture
def desk(api, time):
    return Desk(api, time=time)


def post_all(desk, keys=KEYS, **changes):
    for key in keys:
        desk.courier.post(notice(key, **changes))


def statuses(desk, channel="main"):
    return [one.status for one in desk.kept.messages() if one.channel == channel]


# ------------------------------------------------------------------------------- order, once-ness


def test_messages_arrive_in_order_and_are_kept_before_and_after(desk, api):
    post_all(desk)
    assert statuses(desk) == ["queued"] * 6
    assert api.calls == []
    assert desk.deliver()
    assert api.texts(TOKEN, PERSON) == KEYS
    assert statuses(desk) == ["sent"] * 6
    record = desk.kept.of(KEYS[1])
    assert record.message_ids == (api.chat(TOKEN, PERSON)[1].id,)
    assert (record.shown, record.chat_id, record.attempts) == (KEYS[1], str(PERSON), 1)


def test_the_same_key_is_sent_once(desk, api):
    post_all(desk)
    post_all(desk, html="another text")
    desk.deliver()
    post_all(desk)
    desk.restart()
    post_all(desk)
    desk.deliver()
    assert api.texts(TOKEN, PERSON) == KEYS


@pytest.mark.parametrize(
    "fault",
    [refuse(3), answer(500, "Internal Server Error"), answer(502, "Bad Gateway"), cut_before(),
     garbage()],
    ids=lambda fault: fault.refusal.words if fault.refusal else fault.kind,
)  # fmt: skip
@pytest.mark.parametrize("count", [1, 5])
def test_what_fails_is_tried_again_before_anything_else(desk, api, fault, count):
    post_all(desk, KEYS[:2])
    api.fault("sendMessage", fault, count)
    post_all(desk, KEYS[2:])
    assert desk.deliver()
    assert api.texts(TOKEN, PERSON) == KEYS
    assert api.early == []
    assert desk.courier.status()[0].counts.retries == count


def test_a_pause_that_telegram_asks_for_is_kept_to_the_second(desk, api, time):
    api.fault("sendMessage", refuse(17))
    post_all(desk, KEYS[:1])
    desk.deliver()
    assert time.slept[0] == 17
    assert api.early == []


@pytest.mark.parametrize("fault", [cut_after(), silent_after()], ids=lambda fault: fault.kind)
def test_a_message_whose_answer_was_lost_comes_twice_rather_than_never(desk, api, fault):
    api.fault("sendMessage", fault)
    post_all(desk)
    assert desk.deliver()
    assert api.texts(TOKEN, PERSON) == [KEYS[0], *KEYS]


def test_a_server_that_was_away_gets_all_of_it(desk, api, time):
    tries = []

    def back_after_ten(seconds):
        tries.append(seconds)
        if len(tries) == 10:
            api.up()

    api.down()
    time.asleep = back_after_ten
    post_all(desk)
    assert desk.deliver()
    assert api.texts(TOKEN, PERSON) == KEYS
    waits = time.slept[:10]
    assert waits[0] <= 1.0
    assert max(waits) <= 60.0
    assert sum(waits) > 120.0


def test_the_chats_own_pace_is_kept(api, time):
    for chat_id, every_s in ((PERSON, 1.0), (GROUP, 3.0)):
        desk = Desk(api, time=time, chats={"main": (TOKEN, chat_id)})
        api.limit(1, every_s)
        post_all(desk)
        desk.deliver()
        assert api.texts(TOKEN, chat_id) == KEYS
        assert desk.courier.status()[0].counts.retries == 0


def test_a_lost_answer_does_not_quicken_the_pace(api, time):
    desk = Desk(api, time=time, chats={"main": (TOKEN, GROUP)})
    api.limit(1, 3.0)
    api.fault("sendMessage", cut_after())
    post_all(desk, KEYS[:1])
    assert desk.deliver()
    assert api.texts(TOKEN, GROUP) == [KEYS[0]] * 2
    assert desk.courier.status()[0].counts.retries == 1


def test_many_threads_may_post(desk, api):
    keys = [[f"{name}{number}" for number in range(5)] for name in "abcd"]
    threads = [threading.Thread(target=post_all, args=(desk, each * 2)) for each in keys]

    async def story(courier, bot):
        for thread in threads:
            thread.start()
        await asyncio.to_thread(lambda: [thread.join() for thread in threads])

    desk.deliver(story)
    texts = api.texts(TOKEN, PERSON)
    assert sorted(texts) == sorted(key for each in keys for key in each)
    for each in keys:
        assert [text for text in texts if text in each] == each


def test_what_is_posted_after_the_loop_has_ended_is_kept_for_the_next(desk, api):
    desk.deliver()
    post_all(desk)
    desk.restart()
    assert desk.deliver()
    assert api.texts(TOKEN, PERSON) == KEYS


# --------------------------------------------------------------------------------------- refusals


def test_what_telegram_cannot_read_comes_as_plain_text(desk, api):
    desk.courier.post(notice("bad", "<b>1 &lt; 2"))
    post_all(desk)
    assert desk.deliver()
    assert api.texts(TOKEN, PERSON) == ["1 < 2", *KEYS]
    assert desk.kept.of("bad").status == "sent"


def test_what_telegram_refuses_in_any_form_is_passed_over(desk, api):
    api.fault("sendMessage", answer(400, "Bad Request: some rule"), 2)
    post_all(desk)
    assert desk.deliver()
    assert api.texts(TOKEN, PERSON) == KEYS[1:]
    record = desk.kept.of(KEYS[0])
    assert (record.status, record.attempts) == ("failed", 2)
    assert "some rule" in record.problem.lower()


def test_a_message_without_text_is_passed_over(desk, api):
    desk.courier.post(notice("empty", " \n"))
    post_all(desk)
    desk.deliver()
    assert api.texts(TOKEN, PERSON) == KEYS
    assert desk.kept.of("empty").status == "failed"


@pytest.mark.parametrize("is_known", [True, False])
def test_a_chat_that_takes_nothing_gets_everything_later(desk, api, time, is_known):
    tries = []

    def let_in(seconds):
        tries.append(seconds)
        if len(tries) == 3:
            api.add_bot(TOKEN, [PERSON])
            api.block(TOKEN, PERSON, is_blocked=False)

    time.asleep = let_in
    if is_known:
        api.block(TOKEN, PERSON)
    else:
        api.revoke(TOKEN)
    post_all(desk)
    assert desk.deliver()
    assert api.texts(TOKEN, PERSON) == KEYS
    assert min(tries[:3]) > 30.0


def test_a_chat_nobody_knows_loses_nothing(api, time):
    desk = Desk(api, time=time, chats={"main": (TOKEN, 77)})
    time.asleep = lambda _: api.add_bot(TOKEN, [77])
    post_all(desk)
    assert desk.deliver()
    assert api.texts(TOKEN, 77) == KEYS


def test_a_page_in_place_of_telegrams_answer_refuses_nothing(desk, api):
    # A captive portal may answer anything, with any status.
    api.fault("sendMessage", garbage(), 3)
    post_all(desk)
    assert desk.deliver()
    assert statuses(desk) == ["sent"] * 6


def test_no_secret_is_logged_or_kept(desk, api, time, caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpx").setLevel(logging.DEBUG)
    time.asleep = lambda _: api.add_bot(TOKEN, [PERSON])
    api.fault("sendMessage", cut_before())
    api.fault("sendMessage", answer(400, f"Bad Request: no such bot {TOKEN}"), 2)
    post_all(desk)
    desk.deliver()
    api.revoke(TOKEN)
    desk.courier.post(notice("more"))
    desk.deliver()
    assert caplog.records
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(desk.kept.records)
    assert TOKEN not in repr(desk.courier.status())


# ----------------------------------------------------------------------------------------- expiry


def test_what_is_late_is_passed_over_and_nothing_else(desk, api, time):
    late = START + timedelta(seconds=30)
    for number, key in enumerate(KEYS):
        desk.courier.post(notice(key, expires_at=late if number % 2 else None))
    api.fault("sendMessage", refuse(30))
    assert desk.deliver()
    assert api.texts(TOKEN, PERSON) == KEYS[::2]
    assert statuses(desk) == ["sent", "expired"] * 3


def test_what_expires_while_it_is_tried_is_passed_over(desk, api):
    late = START + timedelta(seconds=10)
    desk.courier.post(notice("late", expires_at=late))
    desk.courier.post(notice("other"))
    api.fault("sendMessage", cut_before(), 5)
    assert desk.deliver()
    assert api.texts(TOKEN, PERSON) == ["other"]
    assert desk.kept.of("late").status == "expired"
    desk.courier.revise("late", "edit")
    assert desk.deliver()
    assert api.texts(TOKEN, PERSON) == ["other"]


def test_what_is_half_sent_is_finished_even_late(desk, api):
    html = "\n".join(["x" * 3_000] * 3)
    desk.courier.post(notice("long", html, expires_at=START + timedelta(seconds=0.5)))
    assert desk.deliver()
    assert api.texts(TOKEN, PERSON) == ["x" * 3_000] * 3


# ----------------------------------------------------------------------------------------- length


def test_a_long_message_comes_in_parts_at_the_chats_pace(desk, api):
    api.limit(1, 1.0)
    html = "\n".join(f"<b>{number}</b> {'x' * 95}" for number in range(100))
    desk.courier.post(notice("long", html))
    post_all(desk)
    assert desk.deliver()
    texts = api.texts(TOKEN, PERSON)
    assert texts[3:] == KEYS
    assert "\n".join(texts[:3]).split("\n")[99] == f"99 {'x' * 95}"
    assert len(desk.kept.of("long").message_ids) == 3
    assert desk.courier.status()[0].counts.retries == 0


# ----------------------------------------------------------------------------------- two channels


def test_signals_go_to_both_chats_and_all_else_to_one(desk, api):
    with_signals_channel(desk)

    async def story(courier, bot):
        for number, key in enumerate(KEYS):
            courier.post(notice(key, kind="signal" if number % 2 else "whale"))

    assert desk.deliver(story)
    assert api.texts(TOKEN, PERSON) == KEYS
    assert api.texts(SIGNALS_TOKEN, CHANNEL) == KEYS[1::2]
    assert statuses(desk, "signals") == ["sent"] * 3


def test_a_chat_that_is_stuck_does_not_hold_the_other(desk, api):
    with_signals_channel(desk)
    api.fault("sendMessage", cut_before(), 100_000, token=TOKEN)

    async def story(courier, bot):
        post_all(desk, kind="signal")
        await asyncio.to_thread(
            api.wait_for, lambda: len(api.chat(SIGNALS_TOKEN, CHANNEL)) == 6, "all signals"
        )
        assert api.chat(TOKEN, PERSON) == []
        assert courier.status()[0].waiting == 6
        assert courier.status()[0].problem
        assert not courier.status()[1].problem
        api.mend()

    assert desk.deliver(story)
    assert api.texts(TOKEN, PERSON) == KEYS


def test_the_main_chat_as_second_channel_is_told_once(desk, api):
    desk.chats["signals"] = (TOKEN, PERSON)

    async def story(courier, bot):
        post_all(desk, kind="signal")

    assert desk.deliver(story)
    assert api.texts(TOKEN, PERSON) == KEYS


def test_a_channel_that_is_taken_away_and_comes_back_goes_on(desk, api):
    with_signals_channel(desk)

    async def story(courier, bot):
        courier.post(notice("first", kind="signal"))
        api.fault("*", cut_before(), 100_000, token=SIGNALS_TOKEN)
        await asyncio.to_thread(
            api.wait_for,
            lambda: api.chat(TOKEN, PERSON) and api.calls_of("sendMessage", token=SIGNALS_TOKEN),
            "the first signal",
        )

    desk.deliver(story, limit_s=0.1)
    api.mend()
    del desk.chats["signals"]
    desk.restart()
    assert desk.deliver()
    with_signals_channel(desk).restart()
    assert desk.deliver()
    assert api.texts(SIGNALS_TOKEN, CHANNEL) == ["first"]


# ------------------------------------------------------------------------------- whatever is said


@given_settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(ANY_TEXT, min_size=1, max_size=5))
def test_any_text_at_all_harms_no_other_message(api, time, texts):
    before = len(api.history(TOKEN, PERSON))
    desk = Desk(api, settings(min_interval_s=0), time)
    for number, text in enumerate(texts):
        desk.courier.post(notice(f"odd {number}", text))
        desk.courier.post(notice(f"plain {number}"))
    assert desk.deliver()
    shown = [message.text for message in api.history(TOKEN, PERSON)[before:]]
    assert [text for text in shown if text.startswith("plain ")] == [
        f"plain {number}" for number in range(len(texts))
    ]
    done = {one.status for one in desk.kept.messages()}
    assert done <= {"sent", "failed"}


def test_hostile_texts_harm_no_other_message(desk, api):
    for number, text in enumerate(HOSTILE):
        desk.courier.post(notice(f"{number}", text))
    post_all(desk)
    assert desk.deliver()
    assert api.texts(TOKEN, PERSON)[-6:] == KEYS


# ----------------------------------------------------------------------------------------- memory


def test_texts_are_forgotten_keys_are_not(desk, api, time):
    desk.rules = settings(edit_days=1)
    desk.restart()
    post_all(desk)
    desk.deliver()
    time.passed_s = 2 * 86_400.0
    desk.courier.post(notice("new", at=time.now()))
    post_all(desk)
    desk.courier.revise(KEYS[0], "an edit that comes too late")
    assert desk.deliver()
    assert api.texts(TOKEN, PERSON) == [*KEYS, "new"]


def test_a_courier_without_chat_keeps_what_it_gets(api):
    kept = Kept()
    desk = Desk(api, kept=kept, chats={})
    post_all(desk)
    assert desk.courier.status()[0].waiting == 6
    assert [one.status for one in kept.messages()] == ["queued"] * 6
