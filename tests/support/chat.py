"""A person in a chat with the real bot: what it shows, what is said to it, how the network is."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.support.bot import SECTION, PaperBot
from tests.support.bot_api import BotApi, running_bot_api
from tests.support.bot_api_chats import Message
from tests.support.bot_api_faults import Call, refuse
from tests.support.shifted import SharedClock

TOKEN: Final = "123456789:AAE-secret_of_the_test"  # noqa: S105
ADMIN: Final = 4005  # in a private chat a person's id is the chat's
STRANGER: Final = 6006
_PACING: Final = {
    "min_interval_s": 0,
    "min_group_interval_s": 0,
    "retry_first_s": 0.2,
    "retry_longest_s": 1,
}


@dataclass
class Chat:
    """The admin's private chat with one bot, and a stranger's.

    Messages are `Message` objects that go on living: `text` is what one shows now, `texts` all that
    it showed.
    """

    api: BotApi

    # ---- what is seen ----

    def messages(self, after: int = 0) -> list[Message]:
        """Return the bot's messages to the admin in order, without the first `after`."""
        return self.api.history(TOKEN, ADMIN)[after:]

    def texts(self, after: int = 0) -> list[str]:
        """Return what those messages show now."""
        return [message.text for message in self.messages(after)]

    def count(self) -> int:
        """Return how many messages there are: an `after` for what follows."""
        return len(self.messages())

    def told_to_stranger(self) -> list[str]:
        return [message.text for message in self.api.history(TOKEN, STRANGER)]

    def once(self, words: str) -> Message:
        """Return the one message that shows some words."""
        (found,) = [message for message in self.messages() if words in message.text]
        return found

    def wait_for(self, pattern: str, what: str, after: int = 0) -> Message:
        """Wait for a message in which a pattern is found, of those after the first `after`."""

        def found() -> Message | None:
            return next((one for one in self.messages(after) if re.search(pattern, one.text)), None)

        return self.api.wait_for(found, self._context(what, after))

    def wait_for_edit(self, message: Message, words: str, what: str) -> str:
        """Wait until a message shows some words; return what it shows then."""
        return self.api.wait_for(
            lambda: message.text if words in message.text else None, f"{what}: {message.text}"
        )

    def wait_for_buttons(self, what: str, after: int = 0) -> Message:
        """Wait for a message with buttons under it."""
        return self.api.wait_for(
            lambda: next((one for one in self.messages(after) if one.buttons), None),
            self._context(what, after),
        )

    def pauses(self) -> list[Call]:
        """Return the calls that were answered with a wish for a pause; all of them were kept."""
        assert not self.api.early, self.api.early
        return [call for call in self.api.calls if call.outcome.startswith("Too Many Requests")]

    # ---- what people do ----

    def say(self, text: str, by: int = ADMIN) -> None:
        """Write to the bot in one's own chat, once it listens, and wait until it has read it."""
        self.api.wait_for(lambda: self.api.is_polled(TOKEN), "the bot listens")
        self.api.say(TOKEN, by, text)
        self.api.wait_for(lambda: self.api.is_taken(TOKEN), f"the bot reads {text}")

    def press(self, message: Message, pattern: str, by: int = ADMIN) -> None:
        """Press a button under a message by its label, and wait until the bot has answered."""
        labels = {button["text"]: button["callback_data"] for button in message.buttons}
        found = [label for label in labels if re.search(pattern, label)]
        assert len(found) == 1, f"{pattern}: {list(labels)}"
        data = labels[found[0]]
        query = self.api.press(TOKEN, by, data, message_id=message.id)
        self.api.wait_for(
            lambda: self.api.answer_to(TOKEN, query) is not None, f"an answer to {data}"
        )

    # ---- what goes wrong ----

    def refuse_edits(self, retry_after_s: int, count: int) -> None:
        """Let the server have too much to do for the next edits."""
        self.api.fault("editMessageText", refuse(retry_after_s), count)

    def cut(self) -> None:
        """Let nothing reach the server."""
        self.api.down()

    def mend(self) -> None:
        """Let everything reach it again."""
        self.api.mend()
        self.api.up()

    def _context(self, what: str, after: int) -> str:
        return f"{what}; the chat shows {self.texts(after)}"


@contextmanager
def running_chat() -> Iterator[Chat]:
    """A Bot API on loopback that knows one bot, its admin and a stranger."""
    with running_bot_api() as api:
        api.add_bot(TOKEN, [ADMIN, STRANGER])
        yield Chat(api)


def chatting_bot(
    chat: Chat,
    folder: Path,
    market_url: str,
    pairs: list[str],
    environment: dict[str, str] | None = None,
    clock: SharedClock | None = None,
) -> PaperBot:
    """Return a paper bot with its Telegram at the chat's server."""
    config: dict[str, Any] = {
        "scalp": SECTION | {"telegram": _PACING},
        "telegram": {
            "enabled": True,
            "token": TOKEN,
            "chat_id": str(ADMIN),
            "base_url": chat.api.base_url,
        },
    }
    return PaperBot(
        folder, market_url, pairs, environment=environment or {}, config=config, clock=clock
    )
