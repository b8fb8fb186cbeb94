"""Websocket frames become messages; whatever is wrong with one, it is dropped and counted.

A frame of a combined stream is ``{"stream": name, "data": {...}}``. The exchange sends it without
spaces and in this order, so the name is cut out by its place and only the data is decoded; any
other way of writing the same JSON is read whole.
"""

from typing import Final

import msgspec

from external_layers.binance.channels import Channel, channel_of
from external_layers.binance.counters import (
    LAG_SMOOTHING,
    UNKNOWN,
    ChannelCounts,
    DropReason,
    FeedCounters,
)
from external_layers.binance.messages import MarketKind, Message

_HEAD: Final = b'{"stream":"'
_MIDDLE: Final = b'","data":'
_CLOSE: Final = ord("}")
_NAME_AT: Final = len(_HEAD)
_MIDDLE_LENGTH: Final = len(_MIDDLE)
_MOST_STREAMS: Final = 8_192
_UNREADABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError)


class _Frame(msgspec.Struct, gc=False):
    """Either a push of a stream or the reply to a command."""

    stream: str | None = None
    data: msgspec.Raw = msgspec.Raw()
    result: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


_read_frame: Final = msgspec.json.Decoder(_Frame, strict=False).decode


class _Stream:
    """One stream: how it is read and what it brought so far."""

    __slots__ = ("channel", "check", "counts", "fault", "has_time", "parse", "sequence", "symbol")

    def __init__(self, channel: Channel, symbol: str | None, counts: ChannelCounts) -> None:
        self.channel = channel
        self.parse = channel.parse
        self.check = channel.check
        self.symbol = symbol
        self.counts = counts
        self.has_time = channel.has_time
        self.sequence = channel.sequence(counts)
        self.fault = self.sequence.fault


class Decoder:
    """Decodes the frames of one market, from all of its connections.

    Parameters
    ----------
    kind
        Spot or futures, which write some payloads differently.
    counters
        Take what became of every frame.
    max_ahead_ms, max_behind_ms
        An event that lies further ahead of or behind its receipt is dropped.
    """

    def __init__(
        self,
        kind: MarketKind,
        counters: FeedCounters,
        *,
        max_ahead_ms: int = 60_000,
        max_behind_ms: int = 3_600_000,
    ) -> None:
        self._kind = kind
        self._counters = counters
        self._ahead_ms = -max_ahead_ms
        self._behind_ms = max_behind_ms
        self._streams: dict[bytes, _Stream] = {}

    def decode(self, raw: bytes | str, received_ms: int) -> Message | None:
        """Return the message of a frame; None if it has none or must be dropped.

        Parameters
        ----------
        raw
            The frame as it came; never raises, whatever it is.
        received_ms
            When it came, epoch milliseconds on the exchange's clock.
        """
        self._counters.received += 1
        if isinstance(raw, str):
            raw = raw.encode(errors="surrogatepass")
        end = raw.find(_MIDDLE, _NAME_AT)
        stream = self._streams.get(raw[_NAME_AT:end])
        if stream is None or raw[:_NAME_AT] != _HEAD or raw[-1] != _CLOSE:
            return self._decode_any(raw, received_ms)
        data = raw[end + _MIDDLE_LENGTH : -1]
        try:
            message = stream.parse(data, stream.symbol or "", received_ms)
        except _UNREADABLE:
            return self._decode_any(raw, received_ms)
        return self._taken(stream, message, data, received_ms)

    def reset(self, symbols: list[str] | None = None) -> None:
        """Expect that messages of these symbols, or of all, were lost, as after a reconnect.

        The next jump in trade ids counts as an outage and the lag begins anew. The last ids stay,
        for a new connection may repeat what the old one brought.
        """
        for stream in self._streams.values():
            if symbols is None or stream.symbol is None or stream.symbol in symbols:
                stream.sequence.interrupt()
                stream.counts.forget_lag()

    def _taken(
        self, stream: _Stream, message: Message, data: bytes, received_ms: int
    ) -> Message | None:
        counts = stream.counts
        counts.received += 1
        reason: DropReason | None
        lag_ms = received_ms - message.event_ms
        if stream.symbol is not None and message.symbol != stream.symbol:
            reason = "symbol"
        elif not self._ahead_ms <= lag_ms <= self._behind_ms:
            reason = "time"
        else:
            reason = stream.check(message) or stream.fault(message)
        if reason is not None:
            counts.drop(reason, data)
            return None
        counts.passed += 1
        if stream.has_time:
            mean_ms = counts.mean_lag_ms
            counts.lag_ms = lag_ms
            counts.mean_lag_ms = (
                lag_ms if mean_ms is None else mean_ms + LAG_SMOOTHING * (lag_ms - mean_ms)
            )
        return message

    def _decode_any(self, raw: bytes, received_ms: int) -> Message | None:
        """Read a frame whole: a stream's first, one written unusually, a reply, a broken one."""
        try:
            frame = _read_frame(raw)
        except _UNREADABLE as error:
            self._drop(UNKNOWN, _reason(error), raw)
            return None
        if frame.stream is None:
            self._count_reply(frame, raw)
            return None
        stream = self._stream(frame.stream)
        if stream is None:
            self._drop(UNKNOWN, "unknown_channel", raw)
            return None
        data = bytes(frame.data)
        try:
            message = stream.parse(data, stream.symbol or "", received_ms)
        except _UNREADABLE as error:
            self._drop(stream.channel.name, _reason(error), raw)
            return None
        return self._taken(stream, message, data, received_ms)

    def _count_reply(self, frame: _Frame, raw: bytes) -> None:
        if bytes(frame.result) or bytes(frame.error):
            counts = self._counters.channel(UNKNOWN)
            counts.received += 1
            counts.control += 1
        else:
            self._drop(UNKNOWN, "malformed", raw)

    def _drop(self, channel: str, reason: DropReason, raw: bytes) -> None:
        counts = self._counters.channel(channel)
        counts.received += 1
        counts.drop(reason, raw)

    def _stream(self, name: str) -> _Stream | None:
        key = name.encode(errors="surrogatepass")
        known = self._streams.get(key)
        found = None if known else channel_of(name, self._kind)
        if found is None:
            return known
        if len(self._streams) >= _MOST_STREAMS:
            del self._streams[next(iter(self._streams))]
        channel, symbol = found
        stream = _Stream(channel, symbol, self._counters.channel(channel.name))
        self._streams[key] = stream
        return stream


def _reason(error: Exception) -> DropReason:
    return "invalid" if isinstance(error, msgspec.ValidationError) else "malformed"
