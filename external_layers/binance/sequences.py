"""What a stream has brought so far, so that nothing is taken twice or in the wrong order.

A sequence answers None for a message that continues its stream, else why it must be dropped. It
outlives connections: while two of them overlap, each message comes twice. An id that is not new
although its time is well past the last one's means that the exchange began to count anew, or that
the last id was corrupt; the stream goes on from there.
"""

from abc import ABC, abstractmethod
from collections import deque
from typing import Any, Final, Literal

from external_layers.binance.counters import ChannelCounts
from external_layers.binance.messages import AggTrade, DepthSnapshot, Kline, Liquidation, MarkPrice

_NONE: Final = -1
_RESTART_MS: Final = 5_000
_REMEMBERED: Final = 64  # liquidations: seconds of a whole market

Fault = Literal["duplicate", "old", "interval"]


class Sequence(ABC):
    """Tells which messages continue a stream."""

    def __init__(self, counts: ChannelCounts) -> None:
        self._counts = counts

    @abstractmethod
    def fault(self, message: Any) -> Fault | None:
        """Return why a message does not continue the stream, or take it as the last one."""

    def interrupt(self) -> None:  # noqa: B027 - most sequences do not mind
        """Expect that messages are missing, as after a reconnect."""


class Numbered(Sequence):
    """Messages with ids that grow."""

    def __init__(self, counts: ChannelCounts) -> None:
        super().__init__(counts)
        self.last_id = _NONE
        self.last_ms = _NONE

    def advance(self, number: int, time_ms: int) -> Fault | None:
        """Take an id as the last one, unless it is not new."""
        if number <= self.last_id:
            if time_ms <= self.last_ms + _RESTART_MS:
                return "duplicate" if number == self.last_id else "old"
            self._counts.restarts += 1
        self.last_id = number
        self.last_ms = time_ms
        return None


class Books(Numbered):
    """Partial books: each replaces the one before, so jumps are no loss."""

    def fault(self, message: DepthSnapshot) -> Fault | None:
        """Refuse an update id that is not new."""
        return self.advance(message.update_id, message.event_ms)


class Trades(Numbered):
    """Aggregate trades, whose ids leave nothing out; a jump is counted and the trade passes."""

    def __init__(self, counts: ChannelCounts) -> None:
        super().__init__(counts)
        self._is_interrupted = False

    def fault(self, message: AggTrade) -> Fault | None:
        """Refuse a trade id that is not new."""
        number = message.id
        if number != self.last_id + 1:
            before = self.last_id
            fault = self.advance(number, message.time_ms)
            if fault is None and before != _NONE and number > before:
                self._count_jump()
            return fault
        self.last_id = number
        self.last_ms = message.time_ms
        self._is_interrupted = False
        return None

    def interrupt(self) -> None:
        """Count the next jump as an outage, which the caller knows of, and not as a gap."""
        self._is_interrupted = True

    def _count_jump(self) -> None:
        if self._is_interrupted:
            self._counts.outages += 1
        else:
            self._counts.gaps += 1
        self._is_interrupted = False


class Candles(Sequence):
    """Candles of one length: each opens when the one before did, or later."""

    def __init__(self, counts: ChannelCounts, interval: str) -> None:
        super().__init__(counts)
        self._interval = interval
        self._last = (_NONE, False, _NONE)

    def fault(self, message: Kline) -> Fault | None:
        """Refuse an earlier candle, an earlier state of the same one, and all after its close."""
        if message.interval != self._interval:
            return "interval"
        state = (message.open_ms, message.is_closed, message.event_ms)
        if state == self._last or (state[:2] == self._last[:2] and message.is_closed):
            return "duplicate"
        if state < self._last:
            return "old"
        self._last = state
        return None


class Prices(Sequence):
    """Mark prices: event times grow."""

    def __init__(self, counts: ChannelCounts) -> None:
        super().__init__(counts)
        self._last_ms = _NONE

    def fault(self, message: MarkPrice) -> Fault | None:
        """Refuse an event time that is not new."""
        if message.event_ms <= self._last_ms:
            return "duplicate" if message.event_ms == self._last_ms else "old"
        self._last_ms = message.event_ms
        return None


class Orders(Sequence):
    """Forced orders, which have no ids: one that equals a recent one is the same."""

    def __init__(self, counts: ChannelCounts) -> None:
        super().__init__(counts)
        self._recent: deque[tuple[str, int, float, float, bool]] = deque(maxlen=_REMEMBERED)

    def fault(self, message: Liquidation) -> Fault | None:
        """Refuse an order that came before."""
        order = (
            message.symbol,
            message.time_ms,
            message.price,
            message.quantity,
            message.is_buy,
        )
        if order in self._recent:
            return "duplicate"
        self._recent.append(order)
        return None


class Unordered(Sequence):
    """Anything: the order of book changes is the book keeper's matter."""

    def fault(self, _message: Any) -> Fault | None:
        """Refuse nothing."""
        return None
