"""What one connection should carry, what it does carry and what to send about it (pure)."""

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final, Literal

import orjson

_BROKEN_AFTER: Final = 3  # replies that did not come, in a row


@dataclass(frozen=True, slots=True)
class Request:
    """A message to the exchange that waits for its reply; `sent_s` on the monotonic clock."""

    id: int
    method: Literal["SUBSCRIBE", "UNSUBSCRIBE"]
    streams: tuple[str, ...]
    sent_s: float

    def text(self) -> str:
        """Return the message as JSON."""
        body = {"method": self.method, "params": self.streams, "id": self.id}
        return orjson.dumps(body).decode()


class Subscriptions:
    """Brings what is subscribed to what is wanted, request by request.

    A refused SUBSCRIBE of many streams is repeated in halves until the streams that the exchange
    does not know stand alone; those are left out from then on. A request without a reply in time
    is made again; after three in a row `is_broken`.

    Parameters
    ----------
    chunk
        Streams in one request at most.
    reply_timeout_s
        Seconds within which a reply must come.
    """

    def __init__(self, chunk: int, reply_timeout_s: float) -> None:
        self.errors = 0
        self.timeouts = 0
        self.refused: set[str] = set()
        self._chunk = chunk
        self._reply_timeout_s = reply_timeout_s
        self._wanted: set[str] = set()
        self._carried: set[str] = set()
        self._again: set[str] = set()
        self._pending: dict[int, Request] = {}
        self._halves: deque[tuple[str, ...]] = deque()
        self._last_id = 0
        self._missed = 0

    @property
    def is_settled(self) -> bool:
        """Whether everything wanted is carried or refused, and nothing waits for a reply."""
        is_done = self._carried | self.refused >= self._wanted >= self._carried
        return is_done and not self._pending and not self._again

    @property
    def is_broken(self) -> bool:
        """Whether the exchange stopped replying."""
        return self._missed >= _BROKEN_AFTER

    def want(self, streams: Collection[str]) -> None:
        """Set what should be carried."""
        self._wanted = set(streams)
        self.refused &= self._wanted

    def again(self, streams: Iterable[str]) -> None:
        """Leave streams and subscribe them anew, refused ones too."""
        chosen = self._wanted.intersection(streams)
        self._again |= chosen & self._carried
        self.refused -= chosen

    def next_request(self, now_s: float) -> Request | None:
        """Return what to send now and expect the reply to it; None when nothing is left to do."""
        in_flight = {name for request in self._pending.values() for name in request.streams}
        leaving = ((self._carried - self._wanted) | self._again) - in_flight
        if leaving:
            return self._made("UNSUBSCRIBE", sorted(leaving), now_s)
        half = self._next_half(in_flight)
        if half:
            return self._made("SUBSCRIBE", half, now_s)
        halved = {name for names in self._halves for name in names}
        missing = self._wanted - self._carried - self.refused - in_flight - halved
        return self._made("SUBSCRIBE", sorted(missing), now_s) if missing else None

    def on_reply(self, id_: int, *, is_error: bool) -> None:
        """Take a reply; one to an unknown request is ignored."""
        request = self._pending.pop(id_, None)
        if request is None:
            return
        self._missed = 0
        self.errors += is_error
        if request.method == "UNSUBSCRIBE":
            self._left(request)
        elif not is_error:
            self._carried.update(request.streams)
        elif len(request.streams) == 1:
            self.refused.update(self._wanted.intersection(request.streams))
        else:
            middle = len(request.streams) // 2
            self._halves += (request.streams[:middle], request.streams[middle:])

    def expire(self, now_s: float) -> None:
        """Give up requests whose reply did not come in time.

        Nobody knows whether they were carried out, so their streams are left and, where they are
        wanted, subscribed anew: both may be asked for twice.
        """
        late = [
            request
            for request in self._pending.values()
            if now_s - request.sent_s > self._reply_timeout_s
        ]
        for request in late:
            del self._pending[request.id]
            self.timeouts += 1
            self._missed += 1
            self._carried.update(request.streams)
            self._again.update(request.streams)

    def _left(self, request: Request) -> None:
        self._carried.difference_update(request.streams)
        self._again.difference_update(request.streams)

    def _next_half(self, in_flight: set[str]) -> list[str]:
        while self._halves:
            open_ = self._wanted - self._carried - self.refused - in_flight
            names = [name for name in self._halves.popleft() if name in open_]
            if names:
                return names
        return []

    def _made(
        self, method: Literal["SUBSCRIBE", "UNSUBSCRIBE"], names: list[str], now_s: float
    ) -> Request:
        self._last_id += 1
        request = Request(self._last_id, method, tuple(names[: self._chunk]), now_s)
        self._pending[request.id] = request
        return request
