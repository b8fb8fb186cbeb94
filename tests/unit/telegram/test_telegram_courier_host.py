"""The host's own messages, in the order of all, and how a courier ends."""

import asyncio

import pytest
from telegram.error import TelegramError

from tests.support.bot_api import running_bot_api
from tests.support.bot_api_faults import answer, cut_before, delay, refuse, silent_before
from tests.support.couriers import PERSON, TOKEN, Desk, SleepingTime, notice, settings


@pytest.fixture
def time():
    return SleepingTime()


@pytest.fixture
def api(time):
    with running_bot_api(time.clock) as server:
        server.add_bot(TOKEN, [PERSON])
        yield server


@pytest.fixture
def desk(api, time):
    return Desk(api, time=time)


def told(desk, *texts, parse_mode="Markdown"):
    """Run the desk while the host sends texts."""

    async def story(courier, bot):
        for text in texts:
            if text.startswith("notice"):
                courier.post(notice(text))
            else:
                courier.send_host(text, parse_mode, sender(bot))

    return desk.deliver(story)


def sender(bot):
    async def send(text, parse_mode):
        await bot.send_message(PERSON, text, parse_mode=parse_mode)

    return send


def test_the_hosts_messages_and_ours_keep_their_order(desk, api):
    texts = ["first", "notice 1", "*second*", "notice 2", "third"]
    api.fault("sendMessage", refuse(2))
    api.fault("sendMessage", cut_before(), 2)
    assert told(desk, *texts)
    assert api.texts(TOKEN, PERSON) == [text.strip("*") for text in texts]
    assert api.early == []
    assert [one.key for one in desk.kept.messages()] == ["notice 1", "notice 2"]


def test_what_cannot_be_parsed_comes_as_written(desk, api):
    assert told(desk, "a_b", "<b>1 &amp; 2", "well")
    assert api.texts(TOKEN, PERSON) == ["a_b", "<b>1 &amp; 2", "well"]
    assert told(desk, "<b>1 &amp; 2", parse_mode="HTML")
    assert api.texts(TOKEN, PERSON)[-1] == "1 & 2"


def test_what_is_refused_in_any_form_is_passed_over(desk, api):
    api.fault("sendMessage", answer(400, "Bad Request: some rule"), 2)
    assert told(desk, "refused", "well")
    assert api.texts(TOKEN, PERSON) == ["well"]


def test_what_is_too_old_is_given_up(desk, api):
    desk.rules = settings(host_message_max_age_s=100)
    desk.restart()
    api.fault("sendMessage", refuse(100))
    assert told(desk, "old", "notice 1")
    assert api.texts(TOKEN, PERSON) == ["notice 1"]
    assert desk.courier.status()[0].counts.expired == 1


@pytest.mark.parametrize("mark", ["*", "```", ""])
def test_long_ones_come_in_parts(desk, api, mark):
    lines = [f"line {number} {'x' * 90}" for number in range(100)]
    assert told(desk, mark + "\n".join(lines) + mark)
    messages = api.chat(TOKEN, PERSON)
    assert len(messages) == 3
    assert "\n".join(message.text for message in messages).split("\n") == lines
    kinds = {entity.kind for one in messages for entity in one.versions[0].parsed.entities}
    assert kinds == {"*": {"bold"}, "```": {"pre"}, "": set()}[mark]


@pytest.mark.parametrize("parse_mode", ["Markdown", "HTML"])
def test_a_part_that_cannot_be_parsed_and_all_after_it_come_as_written(desk, api, parse_mode):
    api.fault("sendMessage", delay(0))
    api.fault("sendMessage", answer(400, "Bad Request: can't parse entities: somewhere"))
    lines = [f"line {number} {'x' * 90}" for number in range(100)]
    assert told(desk, "\n".join(lines), parse_mode=parse_mode)
    assert "\n".join(api.texts(TOKEN, PERSON)).split("\n") == lines
    modes = [message.parse_mode for message in api.chat(TOKEN, PERSON)]
    assert modes == [parse_mode, "", ""]


def test_a_sender_that_fails_in_its_own_way_does_not_end_the_rest(desk, api):
    async def fail(text, parse_mode):
        raise KeyError(text)

    async def story(courier, bot):
        courier.send_host("never", None, fail)
        courier.post(notice("notice"))

    assert desk.deliver(story)
    assert api.texts(TOKEN, PERSON) == ["notice"]


def test_a_sender_whose_network_fails_is_asked_again(desk, api):
    tries = []

    async def send(text, parse_mode):
        tries.append(text)
        if len(tries) < 4:
            raise TelegramError("no network")

    async def story(courier, bot):
        courier.send_host("a", None, send)

    assert desk.deliver(story)
    assert tries == ["a"] * 4


def test_an_end_waits_for_what_is_left_but_not_for_ever(desk, api):
    desk.rules = settings(min_interval_s=0)
    desk.restart()
    api.fault("sendMessage", silent_before(), 100)
    desk.courier.post(notice("stuck"))

    async def story(courier, bot):
        assert not await courier.finish(0.05)
        api.mend()

    assert desk.deliver(story)
    assert api.texts(TOKEN, PERSON) == ["stuck"]


def test_a_group_that_has_become_another_is_followed(desk, api, time):
    desk.chats["main"] = (TOKEN, -5)
    api.add_bot(TOKEN, [-5, -100_5])
    api.migrate(TOKEN, -5, -100_5)
    desk.courier.post(notice("a"))
    desk.courier.post(notice("b"))
    assert desk.deliver()
    assert api.texts(TOKEN, -100_5) == ["a", "b"]
    assert desk.kept.of("b").chat_id == str(-100_5)


def test_posting_goes_on_while_no_loop_runs(desk, api):
    async def story(courier, bot):
        await asyncio.to_thread(courier.post, notice("a"))

    assert desk.deliver(story)
    desk.courier.post(notice("b"))
    assert not desk.courier.is_idle
    assert desk.deliver()
    assert api.texts(TOKEN, PERSON) == ["a", "b"]
