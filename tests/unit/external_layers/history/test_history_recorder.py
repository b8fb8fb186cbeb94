"""Frames go to disk and come back, whatever happens to disk or process."""

import gzip
import os
import signal
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from external_layers.history.raw import (
    RawReader,
    file_name,
    line_of,
    parsed_line,
    recorded_files,
    snapshot_frame,
)
from external_layers.history.recorder import Recorder
from scalp_strategy.errors import ConfigError
from scalp_strategy.setting_groups.history import RecorderSettings
from tests.support.recorded import recorded

START_NS = 1_723_161_255_030_314_667
QUICK = RecorderSettings(flush_s=0.01, retry_s=0.01)


def frames_of(count: int) -> list[tuple[int, bytes]]:
    return [
        (START_NS + n * 1_000_000, b'{"stream":"x@y","data":{"n":%d}}' % n) for n in range(count)
    ]


def write_all(folder: Path, settings: RecorderSettings, count: int) -> Recorder:
    with Recorder(folder, "futures", settings) as recorder:
        for received_ns, frame in frames_of(count):
            recorder.write(frame, received_ns)
    return recorder


def test_what_was_written_is_read(tmp_path: Path) -> None:
    recorder = write_all(tmp_path / "deep" / "folder", QUICK, 5_000)
    reader = RawReader(recorded_files(tmp_path / "deep" / "folder"))
    assert list(reader) == frames_of(5_000)
    assert (reader.bad_lines, reader.torn_files) == (0, 0)
    assert (recorder.state.frames, recorder.state.lost) == (5_000, 0)


def test_files_end_by_time_and_the_manifest_tells_them(tmp_path: Path) -> None:
    settings = RecorderSettings(max_file_minutes=0.01)
    with Recorder(tmp_path, "spot", settings) as recorder:
        for received_ns, frame in frames_of(3):
            recorder.write(frame, received_ns)
        recorder._drain()
        recorder.write(b'{"late":1}', START_NS + 10**9)
    names = [path.name for path in recorded_files(tmp_path)]
    assert names == ["spot-20240808T235415.jsonl.gz", "spot-20240808T235416.jsonl.gz"]
    notes = orjson.loads((tmp_path / "spot-manifest.json").read_bytes())
    assert [(note["name"], note["frames"]) for note in notes] == list(
        zip(names, (3, 1), strict=True)
    )
    assert len(list(RawReader(recorded_files(tmp_path)))) == 4


def test_the_manifest_keeps_what_earlier_runs_noted(tmp_path: Path) -> None:
    manifest = tmp_path / "futures-manifest.json"
    for count in (2, 3):
        write_all(tmp_path, QUICK, count)
    assert [note["frames"] for note in orjson.loads(manifest.read_bytes())] == [2, 3]
    manifest.write_bytes(b'[{"torn')
    write_all(tmp_path, QUICK, 4)
    assert [note["frames"] for note in orjson.loads(manifest.read_bytes())] == [4]


def test_files_end_by_size_and_never_overwrite_one(tmp_path: Path) -> None:
    settings = RecorderSettings(max_file_mb=1e-6)
    with Recorder(tmp_path, "futures", settings) as recorder:
        for received_ns, frame in frames_of(4):
            recorder.write(frame, received_ns)
            recorder._drain()
    assert recorder.state.files == 4
    assert list(RawReader(recorded_files(tmp_path))) == frames_of(4)


def test_a_full_queue_costs_frames_and_raises_nothing(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "futures", RecorderSettings(max_waiting_mb=1e-5))
    for received_ns, frame in frames_of(10):
        recorder.write(frame, received_ns)
    assert recorder.state.lost == 9


def test_a_disk_that_refuses_is_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.write_text("a file in the way")
    recorder = Recorder(folder, "futures", QUICK)
    recorder.write(b'{"n":1}', START_NS)
    recorder._drain()
    assert (recorder.state.lost, recorder.state.failures, recorder.state.is_failing) == (1, 1, True)
    folder.unlink()
    recorder.write(b'{"n":2}', START_NS)
    recorder._drain()
    assert (recorder.state.frames, recorder.state.is_failing) == (1, False)
    assert list(RawReader(recorded_files(folder))) == [(START_NS, b'{"n":2}')]


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from external_layers.history.recorder import Recorder
from scalp_strategy.setting_groups.history import RecorderSettings
import os
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
recorder = Recorder(Path(sys.argv[1]), "futures", RecorderSettings())
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))
for turn in range(3):
    recorder.write(b'{"noise":"%b"}' % os.urandom(2500).hex().encode(), turn + 1)
    recorder._drain()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
recorder.write(b'{"n":4}', 4)
recorder._drain()
print(recorder.state.frames, recorder.state.lost, recorder.state.failures)
"""


def test_a_full_disk_leaves_readable_files(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=True
    )
    frames, lost, failures = map(int, run.stdout.split())
    assert frames + lost == 4
    assert failures == lost > 0
    found = [received_ns for received_ns, _ in RawReader(recorded_files(tmp_path))]
    assert len(found) == frames
    assert found[-1] == 4


KILLED = """
import sys, itertools
from pathlib import Path
from external_layers.history.recorder import Recorder
from scalp_strategy.setting_groups.history import RecorderSettings
recorder = Recorder(Path(sys.argv[1]), "futures", RecorderSettings(flush_s=0.005))
recorder.__enter__()
for number in itertools.count():
    recorder.write(b'{"n":%d}' % number, number + 1)
    if number % 1000 == 999:
        while recorder.state.frames <= number:
            pass
        print(number, flush=True)
"""


def test_a_kill_loses_nothing_that_was_flushed(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout:
        flushed = [int(process.stdout.readline()) for _ in range(5)][-1]
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=10)
    reader = RawReader(recorded_files(tmp_path))
    numbers = [received_ns for received_ns, _ in reader]
    assert numbers[: flushed + 1] == list(range(1, flushed + 2))
    assert numbers == sorted(numbers)
    assert reader.torn_files == 1
    assert reader.bad_lines <= 1


def test_every_cut_of_a_file_gives_its_beginning(tmp_path: Path) -> None:
    write_all(tmp_path, QUICK, 50)
    path = recorded_files(tmp_path)[0]
    whole = path.read_bytes()
    for cut in range(0, len(whole), 7):
        path.write_bytes(whole[:cut])
        reader = RawReader([path])
        lines = list(reader)
        assert lines == frames_of(50)[: len(lines)]
        assert reader.torn_files == 1


def test_bad_lines_are_counted_and_members_follow_one_another(tmp_path: Path) -> None:
    one, two = frames_of(2)
    path = tmp_path / "x.gz"
    middle = b'nonsense\n\n17 {"half":\n-4 {}\n'
    path.write_bytes(gzip.compress(line_of(*one) + middle) + gzip.compress(line_of(*two)))
    reader = RawReader([path])
    assert list(reader) == [one, two]
    assert (reader.bad_lines, reader.torn_files) == (4, 0)


def test_files_that_overlap_are_interleaved(tmp_path: Path) -> None:
    lines = frames_of(6)
    for name, chosen in (("b.gz", lines[::2]), ("a.gz", lines[1::2])):
        (tmp_path / name).write_bytes(gzip.compress(b"".join(line_of(*line) for line in chosen)))
    assert list(RawReader(recorded_files(tmp_path))) == lines


def test_lines_names_and_snapshots() -> None:
    assert parsed_line(line_of(5, b'{"a":1}')[:-1]) == (5, b'{"a":1}')
    assert file_name("spot", START_NS, 2) == "spot-20240808T235415-2.jsonl.gz"
    assert orjson.loads(snapshot_frame("BTCUSDT", b'{"lastUpdateId":1}')) == {
        "symbol": "BTCUSDT", "lastUpdateId": 1,
    }  # fmt: skip


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no recordings"):
        recorded_files(tmp_path)


def test_a_real_recording_is_read_whole() -> None:
    reader = RawReader([recorded("streams", "raw", "spot_ethusdt_20240808.gz")])
    assert sum(1 for _ in reader) == 33_618
    assert (reader.bad_lines, reader.torn_files) == (0, 0)
