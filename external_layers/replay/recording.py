"""A recording of the exchange's own frames, played as if it happened now.

Frames are sent at the distances at which they were received; all times inside them move by one
amount, so that none lies in the future (where the recorder's clock was behind the exchange's, each
frame is sent that much later); ids and prices stay as recorded. The book of an instant is kept from
the recorded snapshot and diffs. A recording that is looped begins again with its first ids: clients
see a broken sequence and must fetch the book anew, as after a loss.

What cannot be had: trades, depth and best prices of a recorded symbol that were not recorded (such
streams stay silent), and candles, mark prices and tickers that agree with the recorded prices (they
stay the generator's unless they were recorded).
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from external_layers.binance.messages import MarketKind
from external_layers.history.raw import NS_PER_MS, RawReader, recorded_files
from external_layers.replay.candles import INTERVALS
from external_layers.replay.minutes import MINUTE_MS
from external_layers.replay.recorded_book import RecordedBook
from external_layers.replay.stream_names import Stream, parse_stream
from scalp_strategy.errors import ConfigError

_PAUSE_MS: Final = 1_000  # between the end of a recording and its next beginning
_TIMES: Final = ("E", "T", "O", "C")  # event, transaction or next funding, ticker's span
_INNER: Final = {"k": ("t", "T"), "o": ("T",)}  # of candles and of forced orders
_PRICED: Final = ("depth", "bookTicker", "trade", "aggTrade")

Key = tuple[MarketKind, str | None, str, str]  # market, symbol, channel, argument


@dataclass(frozen=True, slots=True)
class Played:
    """A frame that is due: its stream and its payload, times moved."""

    key: Key
    payload: Any


@dataclass(slots=True)
class Contents:
    """What a look through a recording finds.

    Attributes
    ----------
    keys
        Streams.
    symbols
        Symbols with recorded trades, depth or best prices, by market.
    first_ms, last_ms
        Receipt of the first and the last frame.
    lead_ms
        By how much the exchange's times are ahead of the recorder's clock, at least 0.
    snapshots
        The first book of each symbol.
    grid_ms
        Length of the longest recorded candle: times may only move by multiples of it.
    """

    keys: set[Key] = field(default_factory=set)
    symbols: set[tuple[MarketKind, str]] = field(default_factory=set)
    first_ms: int = -1
    last_ms: int = -1
    lead_ms: int = 0
    snapshots: dict[tuple[MarketKind, str], Any] = field(default_factory=dict)
    grid_ms: int = 1

    @property
    def length_ms(self) -> int:
        """From the beginning to the next beginning when it is looped."""
        length = self.last_ms - self.first_ms + _PAUSE_MS
        return -(-length // self.grid_ms) * self.grid_ms

    def first_shift_ms(self, now_ms: int) -> int:
        """Return by how much times move when playing begins now.

        With recorded candles it begins up to a candle's length after the beginning or, when the
        recording is shorter than that, as much later.
        """
        elapsed = now_ms - self.first_ms - self.lead_ms
        shift = elapsed // self.grid_ms * self.grid_ms
        is_over = elapsed - shift > self.last_ms - self.first_ms
        return shift + self.grid_ms if is_over else shift

    def see(self, at_ms: int, frame: "Frame") -> None:
        """Take a frame into account."""
        self.first_ms = at_ms if self.first_ms < 0 else self.first_ms
        self.last_ms = at_ms
        if frame.stream is None:
            self.snapshots.setdefault((frame.kind, frame.symbol), frame.payload)
            return
        stream = frame.stream
        self.keys.add(key_of(stream))
        if stream.symbol is not None and stream.channel in _PRICED:
            self.symbols.add((stream.kind, stream.symbol))
        if stream.channel == "kline":
            self.grid_ms = max(self.grid_ms, INTERVALS[stream.argument] * MINUTE_MS)
        if isinstance(frame.payload, dict) and isinstance(event := frame.payload.get("E"), int):
            self.lead_ms = max(self.lead_ms, event - at_ms)


@dataclass(frozen=True, slots=True)
class Frame:
    """A recorded frame; without a stream it is a book snapshot."""

    kind: MarketKind
    symbol: str
    stream: Stream | None
    payload: Any


class Recording:
    """Plays the recordings of a folder.

    Parameters
    ----------
    folder
        With ``*.gz`` recordings; those whose name begins with "spot" are of the spot market.
    now_ms
        The wall clock, epoch milliseconds. Playing begins now.
    is_looped
        Whether it begins again at its end; otherwise it falls silent there.

    Raises
    ------
    ConfigError
        When there is nothing to play.
    """

    def __init__(self, folder: Path, now_ms: Callable[[], int], *, is_looped: bool = False) -> None:
        self._files = recorded_files(folder)
        self._now_ms = now_ms
        self._is_looped = is_looped
        self.contents = Contents()
        for at_ms, frame in self._frames():
            self.contents.see(at_ms, frame)
        if not self.contents.keys:
            raise ConfigError(f"no frames of known streams in the recordings in {folder}")
        self._due: deque[Played] = deque()
        self._books: dict[tuple[MarketKind, str], RecordedBook] = {}
        self._playing = self._frames()
        self._next = next(self._playing, None)
        self._shift_ms = self.contents.first_shift_ms(now_ms())
        self.advance()
        self._due.clear()

    @property
    def shift_ms(self) -> int:
        """By how much times are moved right now."""
        return self._shift_ms

    def carries(self, stream: Stream) -> bool:
        """Return whether a stream is the recording's to serve, be it by silence.

        Diffs of a book are one stream at whatever speed they are asked for.
        """
        is_priced = stream.channel in _PRICED and self.prices(stream.kind, stream.symbol or "")
        return is_priced or key_of(stream) in self.contents.keys

    def due(self) -> list[Played]:
        """Return the frames that became due since the last call, in order."""
        self.advance()
        found = list(self._due)
        self._due.clear()
        return found

    def prices(self, kind: MarketKind, symbol: str) -> bool:
        """Return whether trades, depth or best prices of a symbol were recorded."""
        return (kind, symbol) in self.contents.symbols

    def depth(self, kind: MarketKind, symbol: str, limit: int) -> dict[str, Any] | None:
        """Return a symbol's book as of now in the shape of REST, None without a snapshot.

        Before its snapshot is reached it is that snapshot: newer than the diffs, as a fresh book
        may be.
        """
        if (kind, symbol) not in self.contents.snapshots:
            return None
        self.advance()
        book = self._book(kind, symbol)
        if not book.is_known:
            book = RecordedBook()
            book.reset(self.contents.snapshots[kind, symbol])
        return book.answer(limit)

    def advance(self) -> None:
        """Play up to now: keep the books and queue what is due."""
        position_ms = self._now_ms() - self._shift_ms - self.contents.lead_ms
        while self._next is not None and self._next[0] <= position_ms:
            self._play(self._next[1])
            self._next = next(self._playing, None)
            if self._next is None and self._is_looped:
                self._shift_ms += self.contents.length_ms
                position_ms -= self.contents.length_ms
                self._books.clear()
                self._playing = self._frames()
                self._next = next(self._playing, None)

    def _play(self, frame: Frame) -> None:
        if frame.stream is None:
            self._book(frame.kind, frame.symbol).reset(frame.payload)
            return
        if frame.stream.channel == "depth" and not frame.stream.argument:
            self._book(frame.kind, frame.symbol).apply(frame.payload)
        payload = moved(frame.payload, self._shift_ms)
        self._due.append(Played(key_of(frame.stream), payload))

    def _book(self, kind: MarketKind, symbol: str) -> RecordedBook:
        return self._books.setdefault((kind, symbol), RecordedBook())

    def _frames(self) -> Iterator[tuple[int, Frame]]:
        """Yield receipt time in milliseconds and frame of all files, in the order of receipt."""
        files = (_frames_of(path) for path in self._files)
        return heapq.merge(*files, key=lambda one: one[0])


def _frames_of(path: Path) -> Iterator[tuple[int, Frame]]:
    """Frames of a file; a snapshot that names no symbol is of the only one seen so far."""
    kind: MarketKind = "spot" if path.name.startswith("spot") else "futures"
    symbols: set[str] = set()
    for received_ns, text in RawReader([path]):
        frame = _frame_of(text, kind, min(symbols) if len(symbols) == 1 else "")
        if frame is not None:
            symbols.add(frame.symbol)
            yield received_ns // NS_PER_MS, frame


def _frame_of(text: bytes, kind: MarketKind, only_symbol: str) -> Frame | None:
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if "stream" not in content:
        symbol = content.get("symbol") or only_symbol
        return Frame(kind, symbol, None, content) if symbol and "bids" in content else None
    stream = parse_stream(_known_speed(str(content["stream"])), kind)
    if stream is None or "data" not in content:
        return None
    return Frame(kind, stream.symbol or "", stream, content["data"])


def key_of(stream: Stream) -> Key:
    """Return what tells streams apart, whatever their speed."""
    return stream.kind, stream.symbol, stream.channel, stream.argument


def moved(payload: Any, shift_ms: int) -> Any:
    """Return a payload with its times moved; lists of payloads too.

    Examples
    --------
    >>> moved({"e": "kline", "E": 10, "k": {"t": 0, "T": 9, "o": "1.5"}}, 100)
    {'e': 'kline', 'E': 110, 'k': {'t': 100, 'T': 109, 'o': '1.5'}}
    """
    if isinstance(payload, list):
        return [moved(each, shift_ms) for each in payload]
    changed = dict(payload)
    for name in _TIMES:
        if isinstance(changed.get(name), int):
            changed[name] += shift_ms
    for name, times in _INNER.items():
        if isinstance(inner := changed.get(name), dict):
            later = {time: inner[time] + shift_ms for time in times if time in inner}
            changed[name] = inner | later
    return changed


def _known_speed(name: str) -> str:
    # The exchange's own fastest diffs, not for everyone to subscribe.
    return name.removesuffix("@0ms")
