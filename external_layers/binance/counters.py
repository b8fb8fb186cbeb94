"""What became of every message of a feed: passed, dropped and why, or a reply to a command."""

from typing import Final, Literal

DropReason = Literal[
    "malformed",  # not JSON, or no frame of a stream
    "invalid",  # a field is missing, of the wrong type or out of its range
    "unknown_channel",  # a stream this feed does not read
    "symbol",  # of another symbol than its stream
    "interval",  # a candle of another length than its stream
    "time",  # too far from the clock
    "inconsistent",  # numbers that contradict each other, e.g. a high below the low
    "unsorted",  # a partial book out of order
    "crossed",  # best bid at or above best ask
    "duplicate",  # came before
    "old",  # a newer one of its stream came before
]

UNKNOWN: Final = "unknown"
_SAMPLE_LENGTH: Final = 200
LAG_SMOOTHING: Final = 0.05  # weight of the newest lag in the mean


class ChannelCounts:
    """Counts of one channel; `received` is `passed` plus all of `dropped` plus `control`.

    Attributes
    ----------
    received, passed, control
        Messages that came, that were handed on, and that were replies to commands.
    dropped
        Messages by the reason why they were not handed on.
    gaps, outages, restarts
        Jumps in trade ids while connected and over a reconnect; sequences that began anew.
    lag_ms, mean_lag_ms
        Milliseconds from the exchange's event to its receipt: the last, and an exponential mean;
        None before the first and where the exchange sends no time.
    sample, sample_reason
        The last message that was dropped, cut to 200 characters, and why.
    """

    __slots__ = (
        "control",
        "dropped",
        "gaps",
        "lag_ms",
        "mean_lag_ms",
        "outages",
        "passed",
        "received",
        "restarts",
        "sample",
        "sample_reason",
    )

    def __init__(self) -> None:
        self.received = 0
        self.passed = 0
        self.control = 0
        self.gaps = 0
        self.outages = 0
        self.restarts = 0
        self.dropped: dict[DropReason, int] = {}
        self.lag_ms: int | None = None
        self.mean_lag_ms: float | None = None
        self.sample: str | None = None
        self.sample_reason: DropReason | None = None

    def drop(self, reason: DropReason, payload: bytes) -> None:
        """Count a message that is not handed on and keep its beginning."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1
        self.sample = payload[:_SAMPLE_LENGTH].decode(errors="replace")
        self.sample_reason = reason

    def forget_lag(self) -> None:
        """Start the lag anew, as a new connection does."""
        self.lag_ms = self.mean_lag_ms = None


class FeedCounters:
    """Counts of a feed.

    Attributes
    ----------
    received
        All messages that came, counted apart from the channels' own counts.
    channels
        Counts by channel: ``aggTrade``, ``depth20``, ``depth`` (changes), ``kline``,
        ``markPrice``, ``forceOrder``; ``unknown`` is what could not be told, and replies.
    """

    def __init__(self) -> None:
        self.received = 0
        self.channels: dict[str, ChannelCounts] = {}

    def channel(self, name: str) -> ChannelCounts:
        """Return the counts of a channel, which exist from then on."""
        return self.channels.setdefault(name, ChannelCounts())

    @property
    def passed(self) -> int:
        """Messages handed on."""
        return sum(each.passed for each in self.channels.values())

    @property
    def dropped(self) -> int:
        """Messages not handed on, replies apart."""
        return sum(sum(each.dropped.values()) for each in self.channels.values())

    @property
    def control(self) -> int:
        """Replies to commands."""
        return sum(each.control for each in self.channels.values())
