"""The way to one chat: one call at a time, at the pace that Telegram wants."""

import asyncio
import logging
import random
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from telegram.error import TelegramError

from scalp_strategy.setting_groups.telegram import TelegramSettings
from scalp_strategy.telegram.mail import HostMail, Mail, Step
from scalp_strategy.telegram.outbox import Counts, Outbox
from scalp_strategy.telegram.trouble import Remedy, Trouble, trouble_of

logger = logging.getLogger(__name__)

_JITTER: Final = 0.2
_SURPRISES: Final = 3  # failures nobody knows, after which a message is passed over


@dataclass(frozen=True, slots=True)
class Chat:
    """Where a channel's messages go: a bot of python-telegram-bot, and a chat of its."""

    bot: Any
    chat_id: str
    topic_id: int | None = None

    @property
    def is_private(self) -> bool:
        """Whether it is one person's chat; a group's or channel's id is negative or a name."""
        return self.chat_id.isdigit()


@dataclass(frozen=True, slots=True)
class Timing:
    """The present instant, seconds of a clock that never goes back, and how to wait."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """How a channel is.

    Attributes
    ----------
    waiting
        Messages and edits to bring.
    problem
        What is wrong now, empty when all is well; without any secret.
    arrived_at
        When something last arrived, UTC.
    """

    name: str
    waiting: int
    problem: str
    arrived_at: datetime | None
    counts: Counts


class Line:
    """Brings what an outbox holds to a chat.

    Parameters
    ----------
    name
        The channel.
    outbox
        Its messages.
    settings
        Pacing and retries.
    timing
        Clocks.
    """

    def __init__(
        self, name: str, outbox: Outbox, settings: TelegramSettings, timing: Timing
    ) -> None:
        self.name, self.outbox = name, outbox
        self.chat: Chat | None = None
        self._settings, self._timing = settings, timing
        self._called_at_s = float("-inf")
        self._retry_s = settings.retry_first_s
        self._problem = ""
        self._arrived_at: datetime | None = None

    @property
    def status(self) -> ChannelStatus:
        """How the channel is; any thread."""
        box = self.outbox
        return ChannelStatus(self.name, box.waiting, self._problem, self._arrived_at, box.counts)

    async def serve(self, wake: asyncio.Event, moved: asyncio.Event) -> None:
        """Bring what waits, until cancelled.

        Parameters
        ----------
        wake
            Set whenever something is added.
        moved
            Is set whenever something was brought or passed over.
        """
        while True:
            wake.clear()
            if self.outbox.next(self._timing.now()) is None:
                moved.set()
                await wake.wait()
                continue
            await self._pace()
            # Something better may have come meanwhile, or this may be late now.
            mail = self.outbox.next(self._timing.now())
            if mail is not None:
                await self._advance(mail)
            moved.set()

    async def _pace(self) -> None:
        rules, is_private = self._settings, self._place.is_private
        every = rules.min_interval_s if is_private else rules.min_group_interval_s
        wait = self._called_at_s + every - self._timing.clock()
        if wait > 0:
            await self._timing.sleep(wait)

    async def _advance(self, mail: Mail | HostMail) -> None:
        """Make the next call for a message."""
        if isinstance(mail, Mail) and self._is_elsewhere(mail):
            return
        step = mail.next_step()
        if step is not None:
            await self._try(mail, step)
        self.outbox.settle(mail, self._timing.now())

    async def _try(self, mail: Mail | HostMail, step: Step) -> None:
        mail.attempts += 1
        try:
            await self._do(mail, step)
        except TelegramError as error:
            self._called_at_s = self._timing.clock()
            await self._treat(mail, step, trouble_of(error))
        except Exception as error:  # noqa: BLE001 - logged without its text
            # One message that fails in a way nobody knows must not end all others.
            await self._surprised(mail, error)
        else:
            self._arrived()

    def _is_elsewhere(self, mail: Mail) -> bool:
        """Whether a message is in another chat than this; what waits begins here anew."""
        chat_id, record = self._place.chat_id, mail.record
        if record.chat_id == chat_id:
            return False
        if mail.is_queued:
            self.outbox.move_to(mail, chat_id)
            return False
        self.outbox.close(mail, "it is in another chat")
        return True

    async def _do(self, mail: Mail | HostMail, step: Step) -> None:
        if isinstance(mail, HostMail):
            await mail.send(step.text, step.parse_mode)
            self.outbox.sent_part(mail, 0, step.text)
        elif step.kind == "send":
            self.outbox.sent_part(mail, await self._send(step), step.text)
        elif step.kind == "edit":
            self.outbox.begin_edit(mail, step.place)
            await self._edit(mail, step)
            self.outbox.edited_part(mail, step.place, step.text)
        else:
            await self._delete(mail, step)
            self.outbox.deleted_part(mail)

    async def _send(self, step: Step) -> int:
        # Without a keyboard: Telegram edits no message that has one for answers.
        chat = self._place
        message = await chat.bot.send_message(
            chat.chat_id,
            text=step.text,
            parse_mode=step.parse_mode,
            message_thread_id=chat.topic_id,
        )
        return int(message.message_id)

    async def _edit(self, mail: Mail, step: Step) -> None:
        chat, message_id = self._place, mail.record.message_ids[step.place]
        try:
            await chat.bot.edit_message_text(
                step.text,
                chat_id=chat.chat_id,
                message_id=message_id,
                parse_mode=step.parse_mode,
            )
        except TelegramError as error:
            if trouble_of(error).remedy is not Remedy.DONE:
                raise

    async def _delete(self, mail: Mail, step: Step) -> None:
        chat = self._place
        try:
            await chat.bot.delete_message(chat.chat_id, mail.record.message_ids[step.place])
        except TelegramError as error:
            if trouble_of(error).remedy not in {Remedy.CHANGE, Remedy.GIVE_UP}:
                raise

    @property
    def _place(self) -> Chat:
        if self.chat is None:
            raise RuntimeError("the channel has no chat")
        return self.chat

    # ---- when it fails ----

    async def _treat(self, mail: Mail | HostMail, step: Step, trouble: Trouble) -> None:
        match trouble.remedy:
            case Remedy.DONE:
                self.outbox.sent_part(mail, 0, step.text)
            case Remedy.CHANGE:
                self._refused(mail, trouble)
            case Remedy.GIVE_UP:
                self._gone(mail, trouble)
            case Remedy.MOVE:
                self._moved(mail, trouble)
            case Remedy.WAIT:
                await self._wait(trouble.words, trouble.wait_s)
            case Remedy.PAUSE:
                await self._wait(trouble.words, _jittered(self._settings.retry_longest_s))
            case Remedy.RETRY:
                await self._wait(trouble.words, self._back_off())

    def _refused(self, mail: Mail | HostMail, trouble: Trouble) -> None:
        if mail.drop_markup():
            logger.warning("Telegram refuses a message (%s); once more as text.", trouble.words)
            return
        logger.error("Telegram refuses a message for good: %s", trouble.words)
        self.outbox.give_up(mail, trouble.words)

    def _gone(self, mail: Mail | HostMail, trouble: Trouble) -> None:
        logger.warning("A message is not edited any more: %s", trouble.words)
        if isinstance(mail, Mail) and not mail.is_queued:
            self.outbox.close(mail, trouble.words)
        else:
            self.outbox.give_up(mail, trouble.words)

    def _moved(self, mail: Mail | HostMail, trouble: Trouble) -> None:
        logger.warning("Telegram: %s; set its new number, %s.", trouble.words, trouble.chat_id)
        self.chat = replace(self._place, chat_id=trouble.chat_id)
        if isinstance(mail, HostMail):
            # The host goes on writing to the number in its configuration.
            self.outbox.give_up(mail, trouble.words)

    async def _surprised(self, mail: Mail | HostMail, error: Exception) -> None:
        # Frames without the error's text, which may hold a token.
        frames = "".join(traceback.format_tb(error.__traceback__))
        logger.error("A message could not be brought (%s):\n%s", type(error).__name__, frames)
        mail.surprises += 1
        if mail.surprises >= _SURPRISES:
            self.outbox.give_up(mail, type(error).__name__)
        await self._wait(type(error).__name__, self._back_off())

    def _back_off(self) -> float:
        wait, longest = self._retry_s, self._settings.retry_longest_s
        self._retry_s = min(2 * wait, longest)
        return _jittered(wait)

    async def _wait(self, problem: str, seconds: float) -> None:
        if not self._problem:
            logger.warning("Telegram (%s): %s; messages wait.", self.name, problem)
        self._problem = problem
        self.outbox.retried()
        await self._timing.sleep(seconds)

    def _arrived(self) -> None:
        if self._problem:
            logger.info("Telegram (%s): messages arrive again.", self.name)
        self._problem, self._retry_s = "", self._settings.retry_first_s
        self._called_at_s, self._arrived_at = self._timing.clock(), self._timing.now()


def _jittered(seconds: float) -> float:
    """Return a little less, so that not all come back at the same moment."""
    return seconds * random.uniform(1 - _JITTER, 1)
