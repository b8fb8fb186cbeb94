"""Records a feed: its frames as they come, and a book of every symbol now and then."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from external_layers.binance.messages import MarketKind
from external_layers.history.raw import NS_PER_MS, snapshot_frame
from external_layers.history.recorder import Recorder
from scalp_strategy.errors import ScalpError

logger = logging.getLogger(__name__)

OnMessage = Callable[[bytes, int], None]
FetchBook = Callable[[str], Awaitable[bytes]]
_DIFFS: Final = "depth@100ms"
_BOTH: Final = (_DIFFS, "depth20@100ms", "aggTrade", "bookTicker", "kline_1m")
_CHANNELS: Final[dict[MarketKind, tuple[str, ...]]] = {
    "spot": _BOTH,
    "futures": (*_BOTH, "markPrice@1s", "forceOrder"),
}


@dataclass(frozen=True, slots=True)
class BookClock:
    """Seconds between two books of a symbol, and the local clock in nanoseconds."""

    every_s: float
    now_ns: Callable[[], int]


class Feed(Protocol):
    """What subscribes streams and hands their frames on."""

    async def set_streams(self, wanted: Collection[str]) -> None:
        """Subscribe these streams and no others."""
        ...

    async def close(self) -> None:
        """End everything."""
        ...


def recorded_streams(symbols: Sequence[str], kind: MarketKind) -> set[str]:
    """Return the streams that are recorded: all that the order-flow layer and the scanner read.

    Examples
    --------
    >>> sorted(recorded_streams(["BTCUSDT"], "spot"))[0]
    'btcusdt@aggTrade'
    """
    return {f"{symbol.lower()}@{name}" for symbol in symbols for name in _CHANNELS[kind]}


async def record(
    feed_to: Callable[[OnMessage], Feed],
    fetch_book: FetchBook,
    recorder: Recorder,
    symbols: Sequence[str],
    kind: MarketKind,
    book_clock: BookClock,
) -> None:
    """Record until cancelled.

    Parameters
    ----------
    feed_to
        Makes the feed that hands each frame and the epoch milliseconds of its coming to a callback.
    fetch_book
        Returns the JSON of a symbol's book, fetched from REST.
    recorder
        Open; it stays open.
    symbols, kind
        What to record.
    book_clock
        When books are fetched, and their receipt times.

    Notes
    -----
    A symbol's book is fetched once its diffs flow, so that they continue it. One that cannot be had
    is asked for again in the next round. Around the renewal of a connection the feed hands some
    frames on twice: both are kept.
    """
    begun = {_diffs_of(symbol): asyncio.Event() for symbol in symbols}

    def keep(frame: bytes, received_ms: int) -> None:
        recorder.write(frame, received_ms * NS_PER_MS)
        if (event := begun.get(frame[: frame.find(b",")])) is not None:
            event.set()

    async def keep_books(symbol: str) -> None:
        await begun[_diffs_of(symbol)].wait()
        while True:
            try:
                body = await fetch_book(symbol)
                recorder.write(snapshot_frame(symbol, body), book_clock.now_ns())
            except ScalpError as error:
                logger.warning("%s: no book: %s", symbol, error)
            await asyncio.sleep(book_clock.every_s)

    feed = feed_to(keep)
    try:
        await feed.set_streams(recorded_streams(symbols, kind))
        async with asyncio.TaskGroup() as group:
            for symbol in symbols:
                group.create_task(keep_books(symbol))
    finally:
        await feed.close()


def _diffs_of(symbol: str) -> bytes:
    # How a frame of the symbol's diffs begins, up to the first comma.
    return f'{{"stream":"{symbol.lower()}@{_DIFFS}"'.encode()
