"""Keeps the raw frames of a feed on disk, and never gets in its way.

`write` only queues. A thread packs what waits every few seconds and pushes it to the disk as whole
deflate blocks, so that a kill loses seconds and the file stays readable up to there. A disk that
refuses costs frames, which are counted, and is tried again later in a new file.
"""

import os
import threading
import zlib
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final, Self

import orjson

from external_layers.history.raw import (
    GZIP_BITS,
    MANIFEST,
    NS_PER_S,
    Line,
    file_name,
    line_of,
)
from scalp_strategy.errors import StoreError
from scalp_strategy.files import replace_file
from scalp_strategy.setting_groups.history import RecorderSettings

_MB: Final = 1_000_000


@dataclass(slots=True)
class FileNote:
    """What the manifest says of a file; times are local nanoseconds."""

    name: str
    first_ns: int
    last_ns: int
    frames: int = 0
    packed_bytes: int = 0


@dataclass(slots=True)
class RecorderState:
    """Counts since the start.

    Attributes
    ----------
    frames, lost
        Frames on disk, and frames that a full queue or a refusing disk cost.
    files
        Files begun.
    failures
        Times the disk refused.
    is_failing
        Whether it refused last time.
    """

    frames: int = 0
    lost: int = 0
    files: int = 0
    failures: int = 0
    is_failing: bool = False


class _Segment:
    """One file that is being written."""

    def __init__(self, folder: Path, kind: str, first_ns: int, level: int) -> None:
        self._file, name = _opened(folder, kind, first_ns)
        self._packer = zlib.compressobj(level, zlib.DEFLATED, GZIP_BITS)
        self.note = FileNote(name, first_ns, first_ns)

    def add(self, lines: list[Line]) -> None:
        packed = self._packer.compress(b"".join(line_of(ns, frame) for ns, frame in lines))
        packed += self._packer.flush(zlib.Z_SYNC_FLUSH)
        self._write(packed)
        self.note.packed_bytes += len(packed)
        self.note.frames += len(lines)
        self.note.last_ns = lines[-1][0]

    def _write(self, packed: bytes) -> None:
        # A disk about to be full takes a part and refuses the rest only when asked again.
        left = memoryview(packed)
        while left:
            left = left[self._file.write(left) :]

    def finish(self) -> None:
        try:
            self._write(self._packer.flush())
            os.fsync(self._file.fileno())
        finally:
            self._file.close()


class Recorder:
    """Writes frames of one market into a folder.

    Parameters
    ----------
    folder
        Made if it is missing.
    kind
        First part of the file names, e.g. ``"futures"``.
    settings
        Sizes and times.
    """

    def __init__(self, folder: Path, kind: str, settings: RecorderSettings) -> None:
        self.state = RecorderState()
        self._folder = folder
        self._kind = kind
        self._settings = settings
        self._waiting: deque[Line] = deque()
        self._waiting_bytes = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._segment: _Segment | None = None
        self._thread = threading.Thread(target=self._run, name=f"recorder-{kind}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, frame: bytes, received_ns: int) -> None:
        """Queue a frame (one line of JSON) with its receipt time; any thread, never raises."""
        with self._lock:
            if self._waiting_bytes > self._settings.max_waiting_mb * _MB:
                self.state.lost += 1
                return
            self._waiting.append((received_ns, frame))
            self._waiting_bytes += len(frame)

    def close(self) -> None:
        """Write what waits, finish the file and end the thread."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        pause = self._settings.flush_s
        while not self._stopped.wait(pause):
            self._drain()
            failing = self.state.is_failing
            pause = self._settings.retry_s if failing else self._settings.flush_s
        self._drain()
        self._guarded(self._finish)

    def _drain(self) -> None:
        with self._lock:
            lines, self._waiting = list(self._waiting), deque()
            self._waiting_bytes = 0
        if lines:
            is_written = self._guarded(lambda: self._add(lines))
            self.state.frames += len(lines) if is_written else 0
            self.state.lost += 0 if is_written else len(lines)

    def _guarded(self, act: Any) -> bool:
        """Run something that writes; on a refusal give the file up, so the next one starts anew."""
        try:
            act()
        except (OSError, StoreError):
            self._segment = None
            self.state.failures += 1
            self.state.is_failing = True
            return False
        self.state.is_failing = False
        return True

    def _add(self, lines: list[Line]) -> None:
        if self._segment is not None and self._is_full(self._segment.note, lines[0][0]):
            self._finish()
        if self._segment is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            level = self._settings.level
            self._segment = _Segment(self._folder, self._kind, lines[0][0], level)
            self.state.files += 1
        self._segment.add(lines)

    def _is_full(self, note: FileNote, now_ns: int) -> bool:
        age_ns = now_ns - note.first_ns
        is_old = age_ns >= self._settings.max_file_minutes * 60 * NS_PER_S
        return is_old or note.packed_bytes >= self._settings.max_file_mb * _MB

    def _finish(self) -> None:
        segment, self._segment = self._segment, None
        if segment is None:
            return
        segment.finish()
        _add_to_manifest(self._folder / f"{self._kind}-{MANIFEST}", segment.note)


def _opened(folder: Path, kind: str, first_ns: int) -> tuple[IO[bytes], str]:
    number = 0
    while True:
        name = file_name(kind, first_ns, number)
        try:
            return (folder / name).open("xb", buffering=0), name
        except FileExistsError:
            number += 1


def _add_to_manifest(path: Path, note: FileNote) -> None:
    notes = [*_manifest(path), asdict(note)]
    replace_file(path, orjson.dumps(notes, option=orjson.OPT_INDENT_2))


def _manifest(path: Path) -> list[Any]:
    """Return what earlier runs noted; a damaged manifest is begun anew, the files tell all."""
    try:
        notes = orjson.loads(path.read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return []
    return notes if isinstance(notes, list) else []
