"""Recordings of raw frames: their lines, their files, and a reader that survives torn ones.

A line is ``<local nanoseconds> <frame json>``; files are gzip. A frame is what the websocket sent,
``{"stream": ..., "data": ...}``, or a book snapshot from REST, which has no "stream".
"""

import heapq
import re
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from scalp_strategy.errors import ConfigError

GZIP_BITS: Final = 31  # zlib: a gzip header around the deflate stream
NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000
MANIFEST: Final = "manifest.json"
_SUFFIX: Final = ".gz"
_CHUNK: Final = 1 << 20
_LINE: Final = re.compile(rb"(\d{1,20}) (\{.*\})\s*")
_SYMBOL_KEY: Final = b'{"symbol":"'

Line = tuple[int, bytes]


def line_of(received_ns: int, frame: bytes) -> bytes:
    """Return the line of a frame, a line feed at its end."""
    return b"%d %b\n" % (received_ns, frame)


def parsed_line(line: bytes) -> Line | None:
    """Return receipt time in nanoseconds and frame, None when it is no whole line.

    Examples
    --------
    >>> parsed_line(b'17 {"stream":"x"}')
    (17, b'{"stream":"x"}')
    >>> parsed_line(b'17 {"stre') is None
    True
    """
    match = _LINE.fullmatch(line)
    return (int(match[1]), match[2]) if match else None


def snapshot_frame(symbol: str, body: bytes) -> bytes:
    """Return the frame of a REST book: the answer's own JSON with its symbol in front."""
    return _SYMBOL_KEY + symbol.encode() + b'",' + body.lstrip()[1:]


def file_name(kind: str, received_ns: int, number: int = 0) -> str:
    """Return ``<kind>-<YYYYMMDDTHHMMSS>.jsonl.gz``; `number` tells files of one second apart.

    Examples
    --------
    >>> file_name("futures", 1_723_161_255_030_314_667)
    'futures-20240808T235415.jsonl.gz'
    """
    time = datetime.fromtimestamp(received_ns // NS_PER_S, tz=UTC)
    extra = f"-{number}" if number else ""
    return f"{kind}-{time:%Y%m%dT%H%M%S}{extra}.jsonl.gz"


def recorded_files(folder: Path) -> list[Path]:
    """Return the recordings in a folder, by name.

    Raises
    ------
    ConfigError
        When there is none.
    """
    found = sorted(path for path in folder.glob(f"*{_SUFFIX}") if path.is_file())
    if not found:
        raise ConfigError(
            f"no recordings (*{_SUFFIX}) in {folder}: `scalp-layers record` makes them"
        )
    return found


class RawReader:
    """Reads one or many recordings in the order of time.

    Attributes
    ----------
    bad_lines
        Lines so far that were none, a torn last one included.
    torn_files
        Files so far that end before their end, or are damaged from somewhere on.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = list(paths)
        self.bad_lines = 0
        self.torn_files = 0

    def __iter__(self) -> Iterator[Line]:
        """Yield (receipt time in nanoseconds, frame); files that overlap are interleaved."""
        return heapq.merge(*map(self.lines_of, self._paths), key=lambda line: line[0])

    def lines_of(self, path: Path) -> Iterator[Line]:
        """Yield the lines of one file in its own order."""
        rest = b""
        for chunk in self._chunks(path):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from self._parsed(lines)
        # A line without its end may be torn where it still looks whole.
        self.bad_lines += bool(rest)

    def _parsed(self, lines: list[bytes]) -> Iterator[Line]:
        for line in lines:
            parsed = parsed_line(line)
            if parsed is not None:
                yield parsed
            else:
                self.bad_lines += 1

    def _chunks(self, path: Path) -> Iterator[bytes]:
        """Unpack what can be unpacked; the gzip members of a file follow one another."""
        unpacker = zlib.decompressobj(GZIP_BITS)
        try:
            with path.open("rb") as file:
                while packed := file.read(_CHUNK):
                    yield unpacker.decompress(packed)
                    while unpacker.eof and unpacker.unused_data:
                        packed = unpacker.unused_data
                        unpacker = zlib.decompressobj(GZIP_BITS)
                        yield unpacker.decompress(packed)
            yield unpacker.flush()
            self.torn_files += not unpacker.eof
        except (zlib.error, OSError):
            self.torn_files += 1
