"""Brings messages to Telegram's chats: in order, each once, whatever the network does.

What is to be told is kept before the first attempt, and what has become of it after each: a start
goes on where a kill has stopped. Telegram tells nobody whether a message whose answer was lost has
arrived; such a message is sent again: rather twice than never. An edit that is made twice shows the
same, so the doubt is with new messages alone.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Final

from telegram.constants import ParseMode

from scalp_strategy.journal.records import MessageRecord
from scalp_strategy.notice import Notice
from scalp_strategy.setting_groups.telegram import TelegramSettings
from scalp_strategy.telegram.line import ChannelStatus, Chat, Line, Timing
from scalp_strategy.telegram.mail import HostMail, HostSend, queued_record
from scalp_strategy.telegram.outbox import Outbox
from scalp_strategy.telegram.secrecy import hide
from scalp_strategy.telegram.split import sendable

logger = logging.getLogger(__name__)

MAIN: Final = "main"
SIGNALS: Final = "signals"
__all__ = ["MAIN", "SIGNALS", "ChannelStatus", "Chat", "Courier", "Timing"]


class Courier:
    """Brings notices to the main chat, and signals to a channel of their own as well.

    All but `run` and `finish` may be called in any thread, before `run` and after it.

    Parameters
    ----------
    settings
        Pacing, retries, how long a message is edited.
    bot
        Whose messages they are, in the records.
    keep
        Takes every record; never waits.
    timing
        Clocks, and how to wait.
    """

    def __init__(
        self,
        settings: TelegramSettings,
        bot: str,
        keep: Callable[[MessageRecord], None],
        timing: Timing | None = None,
    ) -> None:
        self._settings, self._bot, self._timing = settings, bot, timing or Timing()
        edited_for = timedelta(days=settings.edit_days)
        self._lines = {
            name: Line(name, Outbox(keep, edited_for), settings, self._timing)
            for name in (MAIN, SIGNALS)
        }
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wakes: list[asyncio.Event] = []
        self._moved = asyncio.Event()

    def connect(self, chat: Chat, channel: str = MAIN) -> None:
        """Say where a channel's messages go; before `run`. Its bot's token is kept out of logs.

        A second channel that is the main chat again is none.
        """
        hide(str(getattr(chat.bot, "token", "")))
        main = self._lines[MAIN].chat
        if channel != MAIN and main is not None and _is_same(chat, main):
            logger.warning("The channel for signals is the main chat; each is told there once.")
            return
        self._lines[channel].chat = chat

    # ---- any thread ----

    def restore(self, messages: Iterable[MessageRecord]) -> None:
        """Take over what was told, or waited to be told, before a restart; in the old order."""
        records = list(messages)
        for name, line in self._lines.items():
            line.outbox.restore(one for one in records if one.channel == name)
        self._wake()

    def post(self, notice: Notice) -> None:
        """Bring a message; one whose key is known is not brought again."""
        for name, line in self._lines.items():
            if name == MAIN or (notice.kind == "signal" and line.chat is not None):
                chat_id = "" if line.chat is None else line.chat.chat_id
                record = queued_record(notice, self._bot, name, chat_id)
                line.outbox.post(record, self._timing.now())
        self._wake()

    def revise(self, key: str, html: str) -> None:
        """Let a message show another text, once it is sent; only the newest is brought."""
        for line in self._lines.values():
            line.outbox.revise(key, html)
        self._wake()

    def send_host(self, text: str, parse_mode: str | None, send: HostSend) -> None:
        """Bring a message of the host's on the main channel, in the order of all.

        It is not kept over a restart, and given up after `host_message_max_age_s`.

        Parameters
        ----------
        text
            The whole message; a long one is brought in parts.
        parse_mode
            Its markup: HTML, legacy Markdown (ParseMode's words) or None.
        send
            Makes one attempt at one part: ``await send(part, parse_mode)``; its errors tell
            whether to try again. What Telegram cannot parse comes again with None.
        """
        until = self._timing.now() + timedelta(seconds=self._settings.host_message_max_age_s)
        known = parse_mode if parse_mode in {ParseMode.HTML, ParseMode.MARKDOWN} else None
        self._lines[MAIN].outbox.add_host(HostMail(sendable(text), known, send, until))
        self._wake()

    def status(self) -> list[ChannelStatus]:
        """Return how each channel is."""
        return [
            line.status
            for name, line in self._lines.items()
            if name == MAIN or line.chat is not None
        ]

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits."""
        return all(not one.waiting for one in self.status())

    def _wake(self) -> None:
        loop = self._loop
        if loop is None:
            return
        # The loop may end just now: what waits is kept, and brought by the next.
        with contextlib.suppress(RuntimeError):
            for wake in self._wakes:
                loop.call_soon_threadsafe(wake.set)

    # ---- the chat's thread ----

    async def run(self) -> None:
        """Bring what waits, until cancelled; what is then left is kept."""
        lines = [line for line in self._lines.values() if line.chat is not None]
        self._moved = asyncio.Event()
        self._wakes = [asyncio.Event() for _ in lines]
        self._loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as tasks:
                for line, wake in zip(lines, self._wakes, strict=True):
                    tasks.create_task(line.serve(wake, self._moved))
        finally:
            self._loop = None

    async def finish(self, limit_s: float) -> bool:
        """Wait, in the loop of `run`, until all is brought; False when that takes too long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while not self.is_idle:
                    self._moved.clear()
                    await self._moved.wait()
        return self.is_idle


def _is_same(one: Chat, other: Chat) -> bool:
    token, other_token = (getattr(chat.bot, "token", None) for chat in (one, other))
    return (token, one.chat_id) == (other_token, other.chat_id)
