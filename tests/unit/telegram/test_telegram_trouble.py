from datetime import timedelta

import pytest
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from scalp_strategy.telegram.trouble import Remedy, trouble_of


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (RetryAfter(3), Remedy.WAIT),
        (TimedOut(), Remedy.RETRY),
        (NetworkError("Bad Gateway"), Remedy.RETRY),
        (TelegramError("Invalid server response"), Remedy.RETRY),
        (Conflict("terminated"), Remedy.RETRY),
        (Forbidden("bot was kicked from the group chat"), Remedy.PAUSE),
        (InvalidToken("Unauthorized"), Remedy.PAUSE),
        (ChatMigrated(-100_5), Remedy.MOVE),
        (BadRequest("Can't parse entities: unmatched end tag"), Remedy.CHANGE),
        (BadRequest("Message is too long"), Remedy.CHANGE),
        (BadRequest("Message is not modified: specified new ..."), Remedy.DONE),
        (BadRequest("Message to edit not found"), Remedy.GIVE_UP),
        (BadRequest("Message can't be edited"), Remedy.GIVE_UP),
        (BadRequest("Chat not found"), Remedy.PAUSE),
        (BadRequest("Not enough rights to send text messages to the chat"), Remedy.PAUSE),
        (BadRequest("Bad Request (400). Parsing the server response b'<html>' failed"),
         Remedy.RETRY),
    ],
)  # fmt: skip
def test_every_failure_has_its_remedy(error, remedy):
    assert trouble_of(error).remedy is remedy


@pytest.mark.parametrize("wait", [3, timedelta(seconds=3)])
def test_a_pause_is_known_to_the_second_in_either_form(wait):
    assert trouble_of(RetryAfter(wait)).wait_s == 3.0


def test_no_address_is_in_the_words_of_a_network_failure():
    words = trouble_of(NetworkError("https://host/bot1:secret/sendMessage")).words
    assert "secret" not in words
