"""What the market feed shows of itself: a snapshot for health, metrics and the dashboard."""

from dataclasses import dataclass

from external_layers.binance.addresses import Category


@dataclass(frozen=True, slots=True)
class StreamState:
    """One stream.

    Attributes
    ----------
    connection
        Number of the connection that carries it.
    messages, dropped
        Frames that came, and those that the consumer was too slow for.
    last_ms
        When the last came, epoch ms; None = never.
    is_silent, alarms
        Silent for longer than its channel may be, and how often that happened.
    is_refused
        The exchange does not know it.
    """

    connection: int
    messages: int
    dropped: int
    last_ms: int | None
    is_silent: bool
    alarms: int
    is_refused: bool


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """One connection, over all its reconnects.

    Attributes
    ----------
    since_ms
        When it was opened, epoch ms; None = it is down.
    is_settled
        Up, and everything is subscribed.
    reconnects, renewals, failures
        Openings after a loss, planned replacements, losses and attempts that failed.
    reply_errors, reply_timeouts
        Requests that were refused, and those that got no reply.
    """

    number: int
    category: Category
    streams: int
    since_ms: int | None
    is_settled: bool
    reconnects: int
    renewals: int
    failures: int
    reply_errors: int
    reply_timeouts: int


@dataclass(frozen=True, slots=True)
class FeedState:
    """The whole feed: streams by name, connections, and the queue before the consumer."""

    streams: dict[str, StreamState]
    connections: list[ConnectionState]
    queued: int
    delivered: int
    dropped: int
    consumer_errors: int
