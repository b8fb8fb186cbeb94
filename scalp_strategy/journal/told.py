"""Notices as records of the journal."""

from typing import Final

import msgspec

from scalp_strategy.journal.instants import epoch_ms
from scalp_strategy.journal.records import MessageRecord
from scalp_strategy.notice import Notice

QUEUED: Final = "queued"  # a message's status
EXPIRED: Final = "expired"


def message_record(notice: Notice, bot: str, channel: str, chat_id: str = "") -> MessageRecord:
    """Return the first record of a notice on a channel: it waits to be brought."""
    signal = notice.signal
    return MessageRecord(
        bot=bot,
        key=notice.key,
        channel=channel,
        kind=notice.kind,
        revision=0,
        at_ms=epoch_ms(notice.at),
        status=QUEUED,
        html=notice.html,
        expires_ms=None if notice.expires_at is None else epoch_ms(notice.expires_at),
        chat_id=chat_id,
        pair=signal.pair if signal else "",
        side=signal.side if signal else "",
        close_ms=epoch_ms(signal.close_time) if signal else 0,
    )


def expired_record(waiting: MessageRecord) -> MessageRecord:
    """Return the record of a message that waited and is not brought any more."""
    return msgspec.structs.replace(waiting, status=EXPIRED, revision=waiting.revision + 1)
