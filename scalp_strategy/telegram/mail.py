"""A message on its way to one chat: what the chat shows of it, and what it is to show."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import msgspec
from telegram.constants import ParseMode

from scalp_strategy.journal.instants import epoch_ms
from scalp_strategy.journal.records import MessageRecord
from scalp_strategy.journal.told import QUEUED, message_record
from scalp_strategy.notice import Notice
from scalp_strategy.telegram.split import parts_of, sendable, without_markup

SENT: Final = "sent"
FAILED: Final = "failed"
UNKNOWN: Final = ""  # what a part shows whose edit was not answered

HostSend: TypeAlias = Callable[[str, str | None], Awaitable[Any]]  # one attempt: text, parse mode


class Step(NamedTuple):
    """The next call that brings a chat nearer to what it is to show.

    Attributes
    ----------
    place
        Which part, from 0.
    text
        The part; empty for one that is to go.
    """

    kind: Literal["send", "edit", "delete"]
    place: int
    text: str
    parse_mode: str | None


@dataclass(slots=True, eq=False)
class Mail:
    """A notice on one channel.

    Attributes
    ----------
    record
        As kept last.
    wanted
        The text that the chat is to show in the end.
    shown_parts
        What the chat shows, message by message.
    plain
        The text whose markup Telegram refuses; it goes without.
    is_closed
        It cannot be edited any more.
    attempts
        Calls made for it so far.
    surprises
        Of those, how many failed in a way nobody knows.
    """

    record: MessageRecord
    wanted: str
    shown_parts: list[str] = field(default_factory=list)
    plain: str | None = None
    is_closed: bool = False
    attempts: int = 0
    surprises: int = 0

    @classmethod
    def restored(cls, record: MessageRecord) -> "Mail":
        """Return the mail of a kept record; what is queued in it may be half sent."""
        html = record.shown or record.html
        parts = parts_of(html, ParseMode.HTML)[: len(record.message_ids)]
        unknown = len(record.message_ids) - len(parts)
        return cls(record, html, [*parts, *[UNKNOWN] * unknown], attempts=record.attempts)

    @property
    def is_queued(self) -> bool:
        """Whether the message itself has not been sent yet."""
        return self.record.status == QUEUED

    def is_late(self, now: datetime) -> bool:
        """Whether it is no longer worth sending; what is half sent is always finished."""
        expires_ms = self.record.expires_ms
        is_begun = bool(self.record.message_ids)
        return expires_ms is not None and epoch_ms(now) >= expires_ms and not is_begun

    def next_step(self) -> Step | None:
        """Return the next call, None when the chat shows what it should.

        A message is first sent as it was posted; its edits come after.
        """
        target = self.target
        parts, parse_mode = self._parts(target)
        sent = len(self.record.message_ids)
        shown = [] if self.is_queued else self.shown_parts
        for place, (part, now) in enumerate(zip(parts, shown, strict=False)):
            if part != now:
                return Step("edit", place, part, parse_mode)
        if len(parts) > sent:
            return Step("send", sent, parts[sent], parse_mode)
        if 0 < len(parts) < sent and not self.is_queued:
            return Step("delete", sent - 1, "", None)
        return None

    def drop_markup(self) -> bool:
        """Let the next text go without markup; False when it does already."""
        if self.plain == self.target:
            return False
        self.plain = self.target
        return True

    @property
    def is_shown(self) -> bool:
        """Whether the chat surely shows what is wanted."""
        return self.wanted == self.record.shown and UNKNOWN not in self.shown_parts

    def take_as_shown(self) -> None:
        """Believe that the chat shows what is wanted, though it does not."""
        parts, _ = self._parts(self.wanted)
        self.shown_parts = [*parts, *self.shown_parts[len(parts) :]][: len(self.shown_parts)]

    @property
    def target(self) -> str:
        """What the next call brings the chat nearer to."""
        return self.record.html if self.is_queued else self.wanted

    def _parts(self, target: str) -> tuple[list[str], str | None]:
        if self.plain == target:
            return parts_of(without_markup(target, ParseMode.HTML), None), None
        return parts_of(target, ParseMode.HTML), ParseMode.HTML

    def begin_in(self, chat_id: str) -> None:
        """Begin in this chat, whatever another has seen of it."""
        self.shown_parts.clear()
        self.record = msgspec.structs.replace(self.record, chat_id=chat_id, message_ids=())

    def changed(self, **values: Any) -> MessageRecord:
        """Take over what has become of it, and return the record to keep."""
        revision = self.record.revision + 1
        self.record = msgspec.structs.replace(
            self.record, revision=revision, attempts=self.attempts, **values
        )
        return self.record


@dataclass(slots=True, eq=False)
class HostMail:
    """A message of the host's: not kept, given up when its time is over."""

    text: str
    parse_mode: str | None
    send: HostSend
    until: datetime
    sent: int = 0
    attempts: int = 0
    surprises: int = 0

    def is_late(self, now: datetime) -> bool:
        """Whether its time is over."""
        return now >= self.until

    def next_step(self) -> Step | None:
        """Return the next part, None when all are sent."""
        parts = parts_of(self.text, self.parse_mode)
        if self.sent >= len(parts):
            return None
        return Step("send", self.sent, parts[self.sent], self.parse_mode)

    def drop_markup(self) -> bool:
        """Go on without markup; False when it has none already."""
        if self.parse_mode is None:
            return False
        left = parts_of(self.text, self.parse_mode)[self.sent :]
        self.text = without_markup("\n".join(left), self.parse_mode)
        self.parse_mode, self.sent = None, 0
        return True


def queued_record(notice: Notice, bot: str, channel: str, chat_id: str) -> MessageRecord:
    """Return the first record of a notice on a channel."""
    record = message_record(notice, bot, channel, chat_id)
    return msgspec.structs.replace(record, html=sendable(notice.html))
