"""Who is answered in the real chat: admins, members of the chat, and strangers, who get nothing."""

import logging
from datetime import UTC, datetime

import pytest
from freqtrade.enums import State

from scalp_strategy.telegram.bot import NOT_YOURS
from scalp_strategy.telegram.commands import COMMANDS
from tests.support.bot_api import running_bot_api
from tests.support.telegram_host import (
    ADMIN,
    ANONYMOUS,
    GROUP,
    MEMBER,
    STRANGER,
    TOKEN,
    running_telegram,
)

WHENEVER = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
# What changes something and needs no argument, or gets one.
CHANGING = (
    "/pause", "/resume", "/resume confirm", "/stop", "/stopentry", "/stopbuy", "/ft_start",
    "/ft_pause", "/reload_config", "/forceexit 1", "/fx 1", "/forcelong SOL/USDT", "/delete 1",
    "/coo 1", "/unlock 1", "/blacklist DOGE/USDT", "/bl_delete DOGE/USDT", "/marketdir long",
    "/reload_trade 1",
)  # fmt: skip


@pytest.fixture
def api():
    with running_bot_api() as one:
        yield one


@pytest.fixture
def group(api, tmp_path):
    """A bot in a group, with one admin."""
    with running_telegram(api, tmp_path, GROUP, rules={"admin_ids": [ADMIN]}) as house:
        yield house


@pytest.fixture
def private(api, tmp_path):
    with running_telegram(api, tmp_path) as house:
        yield house


def nothing_changed(house) -> bool:
    state = house.engine.account.state
    is_same = house.host.state is State.RUNNING and not state.is_paused
    return is_same and not house.engine.live.reader.breaker_events(*WHENEVER)


def calls_to_chats(house) -> int:
    return len(house.api.calls_of("sendMessage", "sendPhoto", "editMessageText"))


# ----------------------------------------------------------------------------------------- everyone


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_reads_answers_admins_and_members_alike(group, command):
    assert group.answer(f"/{command}", ADMIN) != NOT_YOURS
    assert group.answer(f"/{command}", MEMBER) != NOT_YOURS


@pytest.mark.parametrize("command", ["/count", "/locks"])
def test_what_the_host_shows_is_shown_to_members(group, command):
    assert group.answer(command, MEMBER) != NOT_YOURS


# ------------------------------------------------------------------------------------------ members


@pytest.mark.parametrize("command", CHANGING)
def test_a_member_is_told_that_it_is_for_admins_and_nothing_happens(group, command):
    assert group.answers(command, MEMBER) == [NOT_YOURS]
    assert group.is_quiet()
    assert nothing_changed(group)


def test_a_member_who_goes_on_is_not_told_again_and_again(group):
    for _ in range(5):
        group.say("/pause", MEMBER)
    assert group.news() == [NOT_YOURS]
    assert group.is_quiet()


def test_who_speaks_as_the_group_is_no_admin(group):
    """Telegram gives an anonymous admin of the group a user of its own, even if it were listed."""
    message = {
        "message_id": 1_000,
        "date": 1_772_445_600,
        "chat": {"id": GROUP, "type": "supergroup", "title": "Test"},
        "from": {"id": ANONYMOUS, "is_bot": True, "first_name": "Group"},
        "sender_chat": {"id": GROUP, "type": "supergroup", "title": "Test"},
        "text": "/pause",
        "entities": [{"type": "bot_command", "offset": 0, "length": 6}],
    }
    group.push(message=message)
    assert group.news() == [NOT_YOURS]
    group.push(message=message | {"from": {"id": ADMIN, "is_bot": False, "first_name": "x"}})
    assert group.is_quiet()
    assert nothing_changed(group)


def test_a_post_of_a_channel_and_an_edited_message_are_no_commands(group):
    said = {
        "message_id": 1_000,
        "date": 1_772_445_600,
        "chat": {"id": GROUP, "type": "supergroup", "title": "Test"},
        "from": {"id": ADMIN, "is_bot": False, "first_name": "Admin"},
        "text": "/pause",
        "entities": [{"type": "bot_command", "offset": 0, "length": 6}],
    }
    group.push(edited_message=said | {"edit_date": 1_772_445_601})
    post = {name: value for name, value in said.items() if name != "from"}
    group.push(channel_post=post | {"chat": {"id": GROUP, "type": "channel", "title": "Test"}})
    assert group.is_quiet()
    assert nothing_changed(group)


def test_without_a_named_admin_nobody_of_a_group_may(api, tmp_path):
    with running_telegram(api, tmp_path, GROUP) as house:
        assert house.answers("/pause", ADMIN) == [NOT_YOURS]
        assert nothing_changed(house)


# ---------------------------------------------------------------------------------------- strangers


@pytest.mark.parametrize(
    "command", ["/start", "/help", "/heat", "/pause", "/stop", "/tg_info", "hi"]
)
def test_a_stranger_gets_nothing_at_all(private, command):
    private.say(command, STRANGER, STRANGER)
    assert private.is_quiet()
    assert calls_to_chats(private) == 1
    assert not private.api.history(TOKEN, STRANGER)
    assert nothing_changed(private)


def test_a_group_that_has_taken_in_the_bot_gets_nothing(private):
    private.say("/heat", ADMIN, GROUP)
    assert private.is_quiet()
    assert not private.api.history(TOKEN, GROUP)


def test_who_is_not_authorised_in_the_chat_gets_nothing(api, tmp_path):
    section = {"authorized_users": [str(ADMIN)]}
    with running_telegram(api, tmp_path, GROUP, section=section) as house:
        house.say("/heat", MEMBER)
        assert house.is_quiet()
        assert calls_to_chats(house) == 1


def test_another_topic_gets_nothing(api, tmp_path):
    section = {"topic_id": "7"}
    with running_telegram(api, tmp_path, GROUP, section=section) as house:
        api.say(TOKEN, GROUP, "/heat", user_id=ADMIN, thread_id=8)
        api.say(TOKEN, GROUP, "/heat", user_id=ADMIN)
        api.say(TOKEN, GROUP, "/heat", user_id=ADMIN, thread_id=7)
        house.news()
        (message,) = api.history(TOKEN, GROUP)
        assert message.thread_id == 7


def test_a_stranger_is_logged_once(private, caplog):
    caplog.set_level(logging.WARNING, "scalp_strategy")
    for _ in range(4):
        private.say("/help", STRANGER, STRANGER)
    assert private.is_quiet()
    assert len([one for one in caplog.records if str(STRANGER) in one.getMessage()]) == 1


# ------------------------------------------------------------------------------------------ buttons


def paused_by_loss(house) -> None:
    """Let the account lose 10 % of the day, which pauses all signals."""
    now = house.telegram._handlers._facts.now
    house.engine.account.mark(now, 10_000, 10_000, ())
    house.strategy.wallets.get_total_stake_amount = lambda: 9_000.0
    house.engine.account.mark(now, 9_000, 9_000, ())
    assert house.engine.account.state.is_paused


def press(house, by: int) -> str:
    """Press the button under the newest message that has one; return what the presser is told."""
    message = next(one for one in reversed(house.api.history(TOKEN, house.chat_id)) if one.buttons)
    data = message.buttons[0]["callback_data"]
    query = house.api.press(TOKEN, house.chat_id, data, by, message.id)
    told = house.api.wait_for(lambda: house.api.answer_to(TOKEN, query), "an answer to the press")
    return str(told.get("text", ""))


def test_an_override_is_for_the_admin_who_was_asked(api, tmp_path):
    other = 7
    with running_telegram(api, tmp_path, GROUP, rules={"admin_ids": [ADMIN, other]}) as house:
        paused_by_loss(house)
        question = house.answer("/resume", ADMIN)
        assert "override" in question
        assert "daily drawdown 10.00 %" in question
        assert press(house, MEMBER) == NOT_YOURS
        assert "another admin" in press(house, other)
        assert house.engine.account.state.is_paused
        assert not press(house, ADMIN)
        assert house.news() == ["Signal generation RESUMED."]
        assert not house.engine.account.state.is_paused
        (event,) = [one for one in events(house) if one.action_taken == "overridden"]
        assert f"user {ADMIN}" in event.reason


def test_a_button_is_pressed_once(private):
    paused_by_loss(private)
    private.answer("/resume")
    message = private.api.history(TOKEN, ADMIN)[-1]
    data = message.buttons[0]["callback_data"]
    first = private.api.press(TOKEN, ADMIN, data, message_id=message.id)
    second = private.api.press(TOKEN, ADMIN, data, message_id=message.id)
    for query in (first, second):
        private.api.wait_for(lambda one=query: private.api.answer_to(TOKEN, one), "an answer")
    assert private.news() == ["Signal generation RESUMED."]
    assert not message.buttons
    assert len([one for one in events(private) if one.action_taken == "overridden"]) == 1


def test_an_override_by_a_word(private):
    paused_by_loss(private)
    assert private.answer("/resume confirm") == "Signal generation RESUMED."
    assert [one.action_taken for one in events(private)][-1] == "overridden"


def test_a_member_cannot_press_the_host_s_buttons(group):
    group.push(
        callback_query={
            "id": "9",
            "from": {"id": MEMBER, "is_bot": False, "first_name": "x"},
            "chat_instance": "1",
            "data": "force_exit__1",
            "message": {
                "message_id": 1,
                "date": 1_772_445_600,
                "chat": {"id": GROUP, "type": "supergroup", "title": "Test"},
            },
        }
    )
    group.api.wait_for(lambda: group.api.calls_of("answerCallbackQuery"), "the press is answered")
    (call,) = group.api.calls_of("answerCallbackQuery")
    assert call.params["text"] == NOT_YOURS
    assert group.is_quiet()


def events(house):
    house.engine.keeper.drain()
    return house.engine.live.reader.breaker_events(*WHENEVER)
