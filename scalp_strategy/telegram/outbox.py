"""What waits for one chat: new messages in the order of posting, then edits; any thread."""

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from scalp_strategy.journal.instants import epoch_ms
from scalp_strategy.journal.records import MessageRecord
from scalp_strategy.journal.told import EXPIRED
from scalp_strategy.telegram.mail import FAILED, SENT, UNKNOWN, HostMail, Mail
from scalp_strategy.telegram.split import sendable

logger = logging.getLogger(__name__)

_KEYS_KEPT: Final = 20_000
_UNSHOWN: Final = "not edited: "
_WITHOUT_MARKUP: Final = "shown without markup"


@dataclass(slots=True)
class Counts:
    """What has become of messages since the start; `retries` are calls that failed."""

    sent: int = 0
    edited: int = 0
    expired: int = 0
    failed: int = 0
    retries: int = 0


class Outbox:
    """The messages of one channel, each kept before anything is tried and after all that changes.

    Parameters
    ----------
    keep
        Takes every record; never waits.
    edited_for
        How long a message is edited; then its texts are forgotten, its key is not.
    """

    def __init__(self, keep: Callable[[MessageRecord], None], edited_for: timedelta) -> None:
        self._keep, self._edited_for = keep, edited_for
        self._lock = threading.Lock()
        self._new: deque[Mail | HostMail] = deque()
        self._edits: OrderedDict[str, Mail] = OrderedDict()
        self._known: OrderedDict[str, Mail] = OrderedDict()
        self._told: OrderedDict[str, None] = OrderedDict()
        self._counts = Counts()

    # ---- in ----

    def restore(self, records: Iterable[MessageRecord]) -> None:
        """Take over kept messages; those that wait come before all others, in the given order."""
        with self._lock:
            waiting: list[Mail] = []
            for record in records:
                if self._is_known(record.key):
                    continue
                mail = self._known[record.key] = Mail.restored(record)
                if mail.is_queued:
                    waiting.append(mail)
            self._new.extendleft(reversed(waiting))

    def post(self, record: MessageRecord, now: datetime) -> None:
        """Add a message, unless its key is known."""
        with self._lock:
            if self._is_known(record.key):
                return
            mail = self._known[record.key] = Mail(record, record.html)
            self._keep(record)
            self._new.append(mail)
            self._forget(now)

    def add_host(self, mail: HostMail) -> None:
        """Add a message of the host's."""
        with self._lock:
            self._new.append(mail)

    def revise(self, key: str, html: str) -> None:
        """Let a message show another text, once it is sent; only the newest counts."""
        with self._lock:
            mail = self._known.get(key)
            if mail is None or mail.is_closed:
                return
            mail.wanted = sendable(html)
            if mail.record.status == SENT:
                self._edits.setdefault(key, mail)

    # ---- out ----

    def next(self, now: datetime) -> Mail | HostMail | None:
        """Return what is to be brought next; what is no longer worth it is passed over."""
        with self._lock:
            while self._new:
                first = self._new[0]
                if not first.is_late(now):
                    return first
                self._new.popleft()
                self._expire(first)
            while self._edits:
                mail = next(iter(self._edits.values()))
                if not mail.is_shown:
                    return mail
                del self._edits[mail.record.key]
            return None

    def sent_part(self, mail: Mail | HostMail, message_id: int, part: str) -> None:
        """Note that a part has arrived."""
        if isinstance(mail, HostMail):
            mail.sent += 1
            return
        with self._lock:
            mail.shown_parts.append(part)
            self._change(mail, message_ids=(*mail.record.message_ids, message_id))

    def begin_edit(self, mail: Mail, place: int) -> None:
        """Note that a part may show another text from now on, even when no answer comes."""
        mail.shown_parts[place] = UNKNOWN

    def edited_part(self, mail: Mail, place: int, part: str) -> None:
        """Note that a part shows another text."""
        mail.shown_parts[place] = part

    def deleted_part(self, mail: Mail) -> None:
        """Note that the last part is gone."""
        with self._lock:
            mail.shown_parts.pop()
            self._change(mail, message_ids=mail.record.message_ids[:-1])

    def settle(self, mail: Mail | HostMail, now: datetime) -> None:
        """Note that the chat shows what a message wanted, if it does."""
        with self._lock:
            if mail.next_step() is not None:
                return
            if isinstance(mail, HostMail):
                self._remove(mail)
            elif mail.is_queued:
                self._finish_new(mail, now)
            elif mail.record.shown != mail.target:
                self._counts.edited += 1
                self._change(mail, shown=mail.target, problem=_words_of(mail))

    def move_to(self, mail: Mail, chat_id: str) -> None:
        """Begin a message that waits in this chat; the next record of it says so."""
        with self._lock:
            mail.begin_in(chat_id)

    def give_up(self, mail: Mail | HostMail, why: str) -> None:
        """Pass over what is refused for good; a message that was sent stays as it is."""
        with self._lock:
            if isinstance(mail, HostMail):
                self._counts.failed += 1
                self._remove(mail)
            elif mail.is_queued:
                self._counts.failed += 1
                self._remove(mail)
                self._change(mail, status=FAILED, problem=why)
            else:
                # It counts as shown, or every start would try again.
                mail.take_as_shown()
                self._change(mail, shown=mail.wanted, problem=_UNSHOWN + why)

    def close(self, mail: Mail, why: str) -> None:
        """End the edits of a message that the chat has no more."""
        mail.is_closed = True
        self.give_up(mail, why)

    def retried(self) -> None:
        """Count a call that failed."""
        self._counts.retries += 1

    # ---- how it is ----

    @property
    def waiting(self) -> int:
        """How many messages and edits there are to bring."""
        with self._lock:
            edits = sum(not mail.is_shown for mail in self._edits.values())
            return len(self._new) + edits

    @property
    def counts(self) -> Counts:
        """What has become of messages so far."""
        return replace(self._counts)

    # ---- under the lock ----

    def _is_known(self, key: str) -> bool:
        return key in self._known or key in self._told

    def _change(self, mail: Mail, **values: object) -> None:
        self._keep(mail.changed(**values))

    def _remove(self, mail: Mail | HostMail) -> None:
        if mail in self._new:
            self._new.remove(mail)

    def _expire(self, mail: Mail | HostMail) -> None:
        self._counts.expired += 1
        if isinstance(mail, HostMail):
            logger.warning("A message of the host is given up: it could not be sent in time.")
        else:
            self._change(mail, status=EXPIRED)

    def _finish_new(self, mail: Mail, now: datetime) -> None:
        self._remove(mail)
        if not mail.record.message_ids:
            self._counts.failed += 1
            self._change(mail, status=FAILED, problem="it has no text")
            return
        self._counts.sent += 1
        self._change(
            mail, status=SENT, shown=mail.target, sent_ms=epoch_ms(now), problem=_words_of(mail)
        )
        if not mail.is_shown:
            self._edits[mail.record.key] = mail

    def _forget(self, now: datetime) -> None:
        oldest_ms = epoch_ms(now - self._edited_for)
        while self._known:
            key, mail = next(iter(self._known.items()))
            if mail.is_queued or mail.record.at_ms >= oldest_ms:
                break
            del self._known[key]
            self._told[key] = None
        while len(self._told) > _KEYS_KEPT:
            self._told.popitem(last=False)


def _words_of(mail: Mail) -> str:
    return _WITHOUT_MARKUP if mail.plain == mail.target else ""
