"""Between socket and consumer: a bounded queue in which the newest wins."""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable
from typing import Final

import orjson

logger = logging.getLogger(__name__)

OnMessage = Callable[[bytes, int], None]
OnGap = Callable[[frozenset[str]], None]

PREFIX: Final = b'{"stream":"'
_NAME_AT: Final = len(PREFIX)
_BATCH: Final = 256  # messages handed on before the event loop gets its turn


def stream_key(frame: bytes) -> bytes:
    """Return the stream's name as it stands in a frame that begins with `PREFIX`.

    Examples
    --------
    >>> stream_key(b'{"stream":"btcusdt@aggTrade","data":{}}')
    b'btcusdt@aggTrade'
    """
    return frame[_NAME_AT : frame.find(b'"', _NAME_AT)]


def stream_of(frame: bytes) -> str | None:
    """Return the stream's name of any combined frame, None when it has none."""
    if frame.startswith(PREFIX):
        key = stream_key(frame)
        if key.isascii() and b"\\" not in key:
            return key.decode()
    try:
        body = orjson.loads(frame)
    except orjson.JSONDecodeError:
        return None
    name = body.get("stream") if isinstance(body, dict) else None
    return name if isinstance(name, str) else None


class Inbox:
    """Hands frames to a synchronous consumer, in order, a batch per turn of the event loop.

    When the consumer lags by more than `size` frames the oldest are dropped and counted, and the
    consumer is told of the gap before it gets the frames that follow. What a consumer raises is
    counted and logged once.

    Parameters
    ----------
    size
        Frames that may wait.
    on_message
        Gets a frame and when it came (epoch ms).
    on_gap
        Gets the streams that may have lost data; frames handed on later came after the gap.
    """

    def __init__(self, size: int, on_message: OnMessage, on_gap: OnGap) -> None:
        self.delivered = 0
        self.dropped: Counter[str] = Counter()
        self.consumer_errors = 0
        self._size = size
        self._on_message = on_message
        self._on_gap = on_gap
        self._waiting: deque[tuple[bytes | frozenset[str], int]] = deque()
        self._lost: set[str] = set()
        self._drain_at: asyncio.Handle | None = None
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, frame: bytes, received_ms: int) -> None:
        """Queue a frame."""
        self._put(frame, received_ms)

    def put_gap(self, streams: frozenset[str]) -> None:
        """Queue the news that data of some streams may be lost here."""
        self._put(streams, 0)

    def close(self) -> None:
        """Forget what waits and hand on nothing more."""
        self._is_closed = True
        self._waiting.clear()
        if self._drain_at is not None:
            self._drain_at.cancel()

    def _put(self, item: bytes | frozenset[str], received_ms: int) -> None:
        if self._is_closed:
            return
        if len(self._waiting) >= self._size:
            self._drop()
        self._waiting.append((item, received_ms))
        if self._drain_at is None:
            self._drain_at = asyncio.get_running_loop().call_soon(self._drain)

    def _drop(self) -> None:
        item, _ = self._waiting.popleft()
        if isinstance(item, frozenset):
            self._lost |= item
            return
        name = stream_of(item) or ""
        self.dropped[name] += 1
        self._lost.add(name)

    def _drain(self) -> None:
        if self._lost:
            self._tell_gap(frozenset(self._lost - {""}))
            self._lost.clear()
        waiting, on_message = self._waiting, self._on_message
        for _ in range(min(len(waiting), _BATCH)):
            item, received_ms = waiting.popleft()
            if isinstance(item, frozenset):
                self._tell_gap(item)
                continue
            self.delivered += 1
            try:
                on_message(item, received_ms)
            except Exception as error:  # noqa: BLE001 - a consumer's bug must not stop the feed
                self._note(error)
        self._drain_at = asyncio.get_running_loop().call_soon(self._drain) if waiting else None

    def _tell_gap(self, streams: frozenset[str]) -> None:
        try:
            self._on_gap(streams)
        except Exception as error:  # noqa: BLE001 - as above
            self._note(error)

    def _note(self, error: Exception) -> None:
        self.consumer_errors += 1
        if self.consumer_errors == 1:
            logger.error("the consumer of the market's messages failed", exc_info=error)
