"""The local Bot API answers python-telegram-bot as Telegram does."""

import asyncio
from datetime import timedelta

import pytest
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, ReplyKeyboardMarkup
from telegram.error import (
    BadRequest,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TimedOut,
)
from telegram.request import HTTPXRequest

from tests.support.bot_api import running_bot_api
from tests.support.bot_api_faults import (
    answer,
    cut_after,
    cut_before,
    delay,
    garbage,
    refuse,
    silent_after,
)
from tests.support.bot_api_markup import UnparsableText, parse

TOKEN = "1000:secret"  # noqa: S105
PERSON = 42
GROUP = -100_5
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def api():
    with running_bot_api() as server:
        server.add_bot(TOKEN, [PERSON, GROUP])
        yield server


def run(api, story, token=TOKEN, read_s=5.0):
    """Let a bot of python-telegram-bot play a story."""

    async def play():
        request = HTTPXRequest(read_timeout=read_s)
        bot = Bot(token, base_url=api.base_url, request=request, get_updates_request=HTTPXRequest())
        try:
            return await story(bot)
        finally:
            await request.shutdown()

    return asyncio.run(play())


def test_messages_are_shown_parsed_and_in_order(api):
    async def story(bot):
        await bot.send_message(PERSON, "<b>a</b> &lt; b", parse_mode="HTML")
        await bot.send_message(PERSON, "*x* `y`", parse_mode="Markdown")
        return await bot.send_message(GROUP, "no * mode")

    last = run(api, story)
    assert api.texts(TOKEN, PERSON) == ["a < b", "x y"]
    assert api.texts(TOKEN, GROUP) == ["no * mode"]
    assert last.text == "no * mode"
    assert api.chat(TOKEN, PERSON)[0].source == "<b>a</b> &lt; b"


def test_an_edit_keeps_what_was_shown_before(api):
    async def story(bot):
        sent = await bot.send_message(PERSON, "one")
        await bot.edit_message_text("two", chat_id=PERSON, message_id=sent.message_id)
        with pytest.raises(BadRequest, match="not modified"):
            await bot.edit_message_text("two", chat_id=PERSON, message_id=sent.message_id)
        with pytest.raises(BadRequest, match="to edit not found"):
            await bot.edit_message_text("two", chat_id=PERSON, message_id=99)

    run(api, story)
    assert [message.texts for message in api.chat(TOKEN, PERSON)] == [["one", "two"]]


def test_a_message_with_a_keyboard_of_answers_cannot_be_edited(api):
    async def story(bot):
        markup = ReplyKeyboardMarkup([["/help"]])
        sent = await bot.send_message(PERSON, "one", reply_markup=markup)
        with pytest.raises(BadRequest, match=r"can't be edited"):
            await bot.edit_message_text("two", chat_id=PERSON, message_id=sent.message_id)

    run(api, story)


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        ("<b>a", "HTML", "can't parse entities"),
        ("<b><i>a</b></i>", "HTML", "can't parse entities"),
        ("<h1>a</h1>", "HTML", "can't parse entities"),
        ("1 < 2", "HTML", "can't parse entities"),
        ("1 > 2", "HTML", "can't parse entities"),
        ("a & b", "HTML", "can't parse entities"),
        ("a_b", "Markdown", "can't parse entities"),
        ("[a", "Markdown", "can't parse entities"),
        ("🐋" * 2_049, None, "message is too long"),
        ("<b>" + "x" * 4_097 + "</b>", "HTML", "message is too long"),
        ("<b></b>", "HTML", "message text is empty"),
    ],
)
def test_what_telegram_refuses_is_refused(api, text, mode, words):
    async def story(bot):
        with pytest.raises(BadRequest, match="(?i)" + words):
            await bot.send_message(PERSON, text, parse_mode=mode)

    run(api, story)
    assert api.chat(TOKEN, PERSON) == []


def test_4096_units_after_parsing_are_taken(api):
    async def story(bot):
        await bot.send_message(PERSON, "<b>" + "🐋" * 2_048 + "</b>", parse_mode="HTML")
        await bot.send_message(PERSON, "&amp;" * 4_096, parse_mode="HTML")

    run(api, story)
    assert [len(text) for text in api.texts(TOKEN, PERSON)] == [2_048, 4_096]


def test_strangers_and_the_banned_are_refused(api):
    async def story(bot):
        with pytest.raises(BadRequest, match=r"(?i)chat not found"):
            await bot.send_message(7, "a")
        api.block(TOKEN, PERSON)
        with pytest.raises(Forbidden):
            await bot.send_message(PERSON, "a")

    async def unknown(bot):
        with pytest.raises(InvalidToken):
            await bot.get_me()

    run(api, story)
    run(api, unknown, token="1:other")  # noqa: S106


def test_planned_faults_come_once_each_and_in_order(api):
    api.fault("sendMessage", refuse(retry_after=1))
    api.fault("sendMessage", answer(502, "Bad Gateway"))
    api.fault("sendMessage", cut_before())
    api.fault("sendMessage", cut_after())
    api.fault("sendMessage", garbage())
    api.fault("sendMessage", silent_after(), count=1)
    api.fault("sendMessage", delay(0.01))

    async def story(bot):
        with pytest.raises(RetryAfter) as caught:
            await bot.send_message(PERSON, "429")
        assert caught.value.retry_after in (1, timedelta(seconds=1))
        with pytest.raises(NetworkError):
            await bot.send_message(PERSON, "502")
        with pytest.raises(NetworkError):
            await bot.send_message(PERSON, "cut before")
        with pytest.raises(NetworkError):
            await bot.send_message(PERSON, "cut after")
        with pytest.raises(Exception, match=r"(?i)parse|invalid"):
            await bot.send_message(PERSON, "garbage")
        with pytest.raises(TimedOut):
            await bot.send_message(PERSON, "silent after")
        await bot.send_message(PERSON, "late")
        await bot.send_message(PERSON, "well")

    run(api, story, read_s=0.3)
    assert api.texts(TOKEN, PERSON) == ["cut after", "silent after", "late", "well"]
    assert api.early
    assert sum(call.is_done for call in api.calls_of("sendMessage")) == 4


def test_a_limit_is_per_chat_and_counts_by_the_clock():
    now = [0.0]
    with running_bot_api(lambda: now[0]) as api:
        api.add_bot(TOKEN, [PERSON, GROUP])
        api.limit(1, 3.0)

        async def story(bot):
            await bot.send_message(PERSON, "1")
            await bot.send_message(GROUP, "1")
            with pytest.raises(RetryAfter):
                await bot.send_message(PERSON, "2")
            now[0] = 3.0
            await bot.send_message(PERSON, "2")

        run(api, story)
        assert api.texts(TOKEN, PERSON) == ["1", "2"]
        assert api.early == []


def test_what_is_said_is_fetched_once_it_is_confirmed(api):
    first = api.say(TOKEN, PERSON, "/why BTC", user_id=9)

    async def story(bot):
        (update,) = await bot.get_updates()
        assert update.message.text == "/why BTC"
        assert update.message.entities[0].length == 4
        assert update.effective_user.id == 9
        assert not api.is_taken(TOKEN)
        waiting = asyncio.create_task(bot.get_updates(offset=first + 1, timeout=5))
        await asyncio.to_thread(api.wait_for, lambda: api.is_taken(TOKEN), "the confirmation")
        api.say(TOKEN, PERSON, "more")
        (update,) = await waiting
        assert update.message.text == "more"
        assert await bot.get_updates(offset=update.update_id + 1, timeout=0) == ()

    run(api, story)


def test_a_button_is_pressed_and_answered(api):
    async def story(bot):
        keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Yes", callback_data="yes")]])
        await bot.send_message(PERSON, "sure?", reply_markup=keyboard)
        query = api.press(TOKEN, PERSON, "yes")
        (update,) = await bot.get_updates()
        assert update.callback_query.data == "yes"
        await update.callback_query.answer("done")
        assert api.answer_to(TOKEN, query)["text"] == "done"
        await bot.edit_message_reply_markup(PERSON, update.callback_query.message.message_id)
        with pytest.raises(BadRequest, match="too old"):
            await bot.answer_callback_query("77")

    run(api, story)
    assert api.chat(TOKEN, PERSON)[0].buttons == []


def test_a_photo_has_a_caption(api):
    async def story(bot):
        await bot.send_photo(PERSON, PNG, caption="<b>BTC</b>", parse_mode="HTML")
        with pytest.raises(BadRequest, match=r"(?i)image"):
            await bot.send_photo(PERSON, b"no image")

    run(api, story)
    (message,) = api.chat(TOKEN, PERSON)
    assert (message.text, message.photo) == ("BTC", PNG)


def test_a_server_that_was_down_has_forgotten_nothing(api):
    async def send(bot):
        await bot.send_message(PERSON, "here")

    async def fail(bot):
        with pytest.raises(NetworkError):
            await bot.send_message(PERSON, "lost")

    run(api, send)
    api.down()
    run(api, fail)
    api.up()
    run(api, send)
    assert api.texts(TOKEN, PERSON) == ["here", "here"]


def test_a_deleted_message_is_not_shown_but_kept(api):
    async def story(bot):
        sent = await bot.send_message(PERSON, "a")
        await bot.delete_message(PERSON, sent.message_id)
        await bot.set_my_commands([("help", "all commands")])

    run(api, story)
    assert api.chat(TOKEN, PERSON) == []
    assert api.history(TOKEN, PERSON)[0].text == "a"
    assert api.commands(TOKEN)[0]["command"] == "help"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\\_b", "a_b"), ("*a* _b_", "a b"), ("[x](http://y)", "x"), ("```py\nz```", "py\nz")],
)
def test_legacy_markdown(text, shown):
    assert parse(text, "Markdown").text == shown


def test_a_mark_without_an_end_is_named_by_its_place():
    with pytest.raises(UnparsableText, match="byte offset 4"):
        parse("🐋*", "Markdown")
