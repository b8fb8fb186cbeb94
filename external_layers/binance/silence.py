"""Streams that fell silent: how long is too long, and what to try, step by step (pure)."""

from typing import Final, Literal

from external_layers.binance.addresses import channel_of
from scalp_strategy.setting_groups.sidecar import FeedSettings

Step = Literal["resubscribe", "renew"]

_FAST_CHANNELS: Final = ("depth", "markPrice", "kline", "bookTicker")
_TRADE_CHANNELS: Final = ("aggTrade",)
_MOST_DOUBLINGS: Final = 16


def silence_limit_s(stream: str, settings: FeedSettings) -> float | None:
    """Return the seconds after which a stream counts as silent; None = it may always be.

    Liquidations come when they come. Any channel that is not known has no limit.
    """
    channel = channel_of(stream)
    if channel.startswith(_FAST_CHANNELS):
        return settings.silence_fast_s
    return settings.silence_trades_s if channel.startswith(_TRADE_CHANNELS) else None


class StreamStatus:
    """What is known of one stream.

    The reader counts messages here; `look` finds out now and then whether any came. Silent for
    the limit: subscribe anew. For twice the limit: renew the connection. After that subscribe anew
    at four times the limit, at eight times and so on, until the stream speaks.

    Attributes
    ----------
    messages, last_ms
        Messages so far and when the last came (epoch ms, the exchange's clock; None = never).
    is_silent
        Marked as silent since its last message.
    alarms
        How often it fell silent.
    """

    __slots__ = (
        "_heard_s",
        "_seen",
        "_steps",
        "alarms",
        "is_silent",
        "last_ms",
        "limit_s",
        "messages",
        "name",
    )

    def __init__(self, name: str, limit_s: float | None, now_s: float) -> None:
        self.name = name
        self.limit_s = limit_s
        self.messages = 0
        self.last_ms: int | None = None
        self.is_silent = False
        self.alarms = 0
        self._seen = 0
        self._steps = 0
        self._heard_s = now_s

    def restart(self, now_s: float) -> None:
        """Begin to wait anew, after a reconnect."""
        self._heard_s = now_s
        self._steps = 0

    def look(self, now_s: float) -> Step | None:
        """Return what must be tried now, None when nothing; `now_s` on the monotonic clock."""
        if self.messages != self._seen:
            self._seen = self.messages
            self.restart(now_s)
        if self.limit_s is None or now_s - self._heard_s <= self._patience_s(self.limit_s):
            return None
        self.alarms += not self.is_silent
        self.is_silent = True
        self._steps += 1
        return "renew" if self._steps == 2 else "resubscribe"

    def _patience_s(self, limit_s: float) -> float:
        return limit_s * 2.0 ** min(self._steps, _MOST_DOUBLINGS)
