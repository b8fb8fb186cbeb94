"""The messages of the signals, and what they show (pure)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from scalp_strategy.journal.records import MessageRecord, ReplayRecord
from scalp_strategy.signals import Decision, SignalKey, Status
from scalp_strategy.telegram.status_format import (
    has_trade,
    with_refusal,
    with_replay,
    with_trade,
)
from scalp_strategy.trade_state import TradeState

Revision: TypeAlias = tuple[str, str]  # a notice's key, and the HTML that its message shows now

_REFUSALS: Final = frozenset({Status.NOT_TAKEN, Status.EXPIRED})


def signal_notice_key(key: SignalKey) -> str:
    """Return the key of a signal's message."""
    return f"signal:{key.pair}:{key.side}:{key.close_time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


@dataclass(slots=True)
class _Shown:
    """What a message shows, or is about to; and whether its channels differ."""

    html: str
    is_torn: bool = False


class SignalMessages:
    """Remembers the signals that were told, for as long as their messages are edited.

    A trade's state replaces what was said of a refusal or an outcome on candles, never the other
    way round.

    Parameters
    ----------
    edit_days
        How long after its candle a message is edited.
    """

    def __init__(self, edit_days: int) -> None:
        self._edited_for = timedelta(days=edit_days)
        self._shown: dict[SignalKey, _Shown] = {}

    def restore(self, messages: Iterable[MessageRecord]) -> None:
        """Take over what was told before a restart; others' messages are passed over."""
        for record in messages:
            if record.kind != "signal" or not record.close_ms:
                continue
            html = record.shown or record.html
            known = self._shown.setdefault(_key(record), _Shown(html))
            known.is_torn |= known.html != html

    def add(self, key: SignalKey, html: str, now: datetime) -> None:
        """Remember a new message, and forget those that are edited no more."""
        since = now - self._edited_for
        self._shown = {one: kept for one, kept in self._shown.items() if one.close_time > since}
        self._shown[key] = _Shown(html)

    def traded(self, trade: TradeState) -> list[Revision]:
        """Return the message that must show another state of its trade, if there is one."""
        shown = self._shown.get(trade.key)
        return [] if shown is None else self._revised(trade.key, with_trade(shown.html, trade))

    def refused(self, decision: Decision) -> list[Revision]:
        """Return the message that must show why its signal became no trade, if there is one."""
        key, status = decision.candidate.key, decision.status
        shown = self._untraded(key)
        if shown is None or status not in _REFUSALS:
            return []
        return self._revised(key, with_refusal(shown.html, status, decision.reasons))

    def replayed(self, replay: ReplayRecord, *, is_followed: bool) -> list[Revision]:
        """Return the message that must show what its signal became on candles, if there is one."""
        key = _key(replay)
        shown = self._untraded(key)
        if shown is None:
            return []
        return self._revised(key, with_replay(shown.html, replay, is_followed=is_followed))

    def _untraded(self, key: SignalKey) -> _Shown | None:
        shown = self._shown.get(key)
        return None if shown is None or has_trade(shown.html) else shown

    def _revised(self, key: SignalKey, html: str) -> list[Revision]:
        shown = self._shown[key]
        if shown.html == html and not shown.is_torn:
            return []
        self._shown[key] = _Shown(html)
        return [(signal_notice_key(key), html)]


def _key(record: MessageRecord | ReplayRecord) -> SignalKey:
    close = datetime.fromtimestamp(record.close_ms / 1_000, UTC)
    return SignalKey(record.pair, "short" if record.side == "short" else "long", close)
