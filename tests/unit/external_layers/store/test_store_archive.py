import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import date, timedelta
from math import nan
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from external_layers.store.archive import ArchiveWriter
from external_layers.store.archive_files import visible_in
from external_layers.store.archive_reader import ArchiveReader
from external_layers.store.archive_table import table_of
from scalp_strategy.contract.archive import (
    COLUMNS,
    day_path,
    merged_name,
    part_name,
    span_of_file,
)
from scalp_strategy.errors import ConfigError, ContractViolation, PayloadError, StoreError
from scalp_strategy.setting_groups.store import ArchiveSettings
from tests.unit.external_layers.store.full_disk import largest_file
from tests.unit.external_layers.store.samples import BTC, ETH, NOON_MS, bits, component, is_unknown

DAY = date(2026, 1, 1)
MINUTE_MS = 60_000
FOLDER = Path(day_path("orderflow", DAY))
Made = Callable[..., ArchiveWriter]


def settings(**changes: int) -> ArchiveSettings:
    return ArchiveSettings(**{"merge_parts": 3, "group_rows": 2, **changes})


class Time:
    def __init__(self) -> None:
        self.now_ms = NOON_MS

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def writer(tmp_path: Path, clock: Time) -> ArchiveWriter:
    return ArchiveWriter(tmp_path, settings(), clock)


def put(writer: ArchiveWriter, *available_ms: int, **changes: object) -> None:
    writer.append([component(one, **changes) for one in available_ms])
    writer.flush()


def test_rows_are_readable_after_the_flush_and_not_before(
    tmp_path: Path, writer: ArchiveWriter
) -> None:
    reader = ArchiveReader(tmp_path)
    rows = [component(NOON_MS + n, long=n / 3, reason=f"größer {n} 🐋") for n in range(5)]
    writer.append(rows)
    assert list(reader.components("orderflow")) == []
    assert writer.state.waiting_rows == 5
    assert writer.flush() == 5
    assert writer.flush() == 0
    assert bits(reader.components("orderflow")) == bits(rows)
    assert writer.state.waiting_rows == 0
    assert writer.state.error is None


def test_files_have_the_shared_layout(tmp_path: Path, writer: ArchiveWriter) -> None:
    put(writer, NOON_MS, flags=("a", "regime=RISK_ON"))
    schema = pq.read_schema(tmp_path / FOLDER / part_name(NOON_MS))
    assert tuple(schema.names) == COLUMNS
    assert {str(schema.field(name).type) for name in ("observed_at", "available_at")} == {
        "timestamp[ms, tz=UTC]"
    }
    assert schema.field("long").type == pa.float64()
    assert schema.field("version").type == pa.int16()
    (row,) = ArchiveReader(tmp_path).rows("orderflow").to_pylist()
    assert row["flags"] == "a,regime=RISK_ON"


def test_unknown_stays_nan_and_no_bit_changes(tmp_path: Path, writer: ArchiveWriter) -> None:
    rows = [
        component(long=nan, short=nan),
        component(NOON_MS + 1, long=0.1 + 0.2, short=-0.0),
        component(NOON_MS + 2, long=5e-324, short=np.nextafter(100.0, 0.0)),
    ]
    writer.append(rows)
    writer.flush()
    found = list(ArchiveReader(tmp_path).components("orderflow"))
    assert bits(found) == bits(rows)
    assert is_unknown(found[0])
    assert ArchiveReader(tmp_path).rows("orderflow")["long"].null_count == 0


def test_a_day_ends_at_midnight_utc(tmp_path: Path, writer: ArchiveWriter) -> None:
    midnight = NOON_MS + 12 * 60 * MINUTE_MS
    put(writer, midnight - 1, midnight)
    reader = ArchiveReader(tmp_path)
    assert reader.days("orderflow") == [DAY, DAY + timedelta(days=1)]
    assert len(reader.rows("orderflow", until_ms=midnight)) == 1
    assert len(reader.rows("orderflow", since_ms=midnight)) == 1
    assert len(reader.rows("orderflow", since_ms=midnight - 1, until_ms=midnight + 1)) == 2


def test_nothing_after_an_instant_changes_what_was_before(
    tmp_path: Path, writer: ArchiveWriter
) -> None:
    put(writer, *range(NOON_MS, NOON_MS + 50, 7), name="a")
    put(writer, *range(NOON_MS, NOON_MS + 50, 5), name="b")
    reader, cut = ArchiveReader(tmp_path), NOON_MS + 50
    before = reader.rows("orderflow", until_ms=cut)
    as_of = bits(reader.as_of("orderflow", None, cut - 1, MINUTE_MS))
    put(writer, *range(cut, cut + 50, 3), name="a")
    put(writer, cut + 1, name="new")
    writer.merge(DAY)
    assert reader.rows("orderflow", until_ms=cut) == before
    assert bits(reader.as_of("orderflow", None, cut - 1, MINUTE_MS)) == as_of


def test_as_of_takes_the_last_within_the_horizon(tmp_path: Path, writer: ArchiveWriter) -> None:
    put(writer, NOON_MS - 100, name="old")
    put(writer, NOON_MS, long=1.0)
    put(writer, NOON_MS, long=2.0)
    put(writer, NOON_MS + 1, long=3.0)
    put(writer, NOON_MS - 1, long=4.0)
    put(writer, NOON_MS, pair=ETH)
    reader = ArchiveReader(tmp_path)

    def found(at_ms: int, horizon_ms: int) -> list[tuple[str, float]]:
        return [(one.name, one.long) for one in reader.as_of("orderflow", [BTC], at_ms, horizon_ms)]

    assert found(NOON_MS, 99) == [("trade_flow", 2.0)]
    assert found(NOON_MS, 100) == [("old", 62.5), ("trade_flow", 2.0)]
    assert found(NOON_MS + 1, 0) == [("trade_flow", 3.0)]
    assert found(NOON_MS - 101, 10_000) == []
    assert reader.as_of("onchain", None, NOON_MS, 10) == []
    writer.merge(DAY)
    assert found(NOON_MS, 99) == [("trade_flow", 2.0)]
    assert {one.pair for one in reader.as_of("orderflow", None, NOON_MS, 9)} == {BTC, ETH}


def test_parts_become_one_file_with_the_same_rows(tmp_path: Path, writer: ArchiveWriter) -> None:
    reader = ArchiveReader(tmp_path)
    for n in range(2):
        put(writer, NOON_MS + n, NOON_MS, long=float(n), pair=ETH)
    assert writer.merge(DAY) == 0
    put(writer, NOON_MS, long=9.0, pair=ETH)
    before = reader.rows("orderflow")
    assert writer.merge(DAY) == 1
    assert visible_in(tmp_path / FOLDER) == [merged_name(NOON_MS, NOON_MS + 2)]
    assert os.listdir(tmp_path / FOLDER) == [merged_name(NOON_MS, NOON_MS + 2)]
    assert reader.rows("orderflow") == before


def test_a_day_that_is_over_becomes_one_file(
    tmp_path: Path, writer: ArchiveWriter, clock: Time
) -> None:
    put(writer, NOON_MS)
    put(writer, NOON_MS + 1)
    assert writer.merge_due() == 0
    clock.now_ms += 12 * 60 * MINUTE_MS
    assert writer.merge_due() == 1
    assert writer.merge_due() == 0
    assert len(ArchiveReader(tmp_path).rows("orderflow")) == 2


def test_sequences_ascend_when_the_clock_is_set_back(tmp_path: Path, clock: Time) -> None:
    for turn, now_ms in enumerate((NOON_MS, NOON_MS - 50_000, NOON_MS - 90_000, 5)):
        clock.now_ms = now_ms
        with ArchiveWriter(tmp_path, settings(), clock) as writer:
            put(writer, NOON_MS, long=float(turn))
            writer.merge(DAY)
    spans = [span for name in visible_in(tmp_path / FOLDER) if (span := span_of_file(name))]
    assert spans == [(NOON_MS, NOON_MS + 2), (NOON_MS + 3, NOON_MS + 3)]
    found = ArchiveReader(tmp_path).components("orderflow")
    assert [one.long for one in found] == [0.0, 1.0, 2.0, 3.0]


def test_a_file_is_only_read_where_its_pair_may_be(tmp_path: Path, writer: ArchiveWriter) -> None:
    for pair in (ETH, BTC, "SOL/USDT:USDT"):
        writer.append([component(NOON_MS + n, pair=pair) for n in range(3)])
    writer.flush()
    path = tmp_path / FOLDER / part_name(NOON_MS)
    groups = pq.read_metadata(path)
    pairs = [groups.row_group(n).column(1).statistics for n in range(groups.num_row_groups)]
    assert [(one.min, one.max) for one in pairs] == [
        (BTC, BTC),
        (ETH, ETH),
        ("SOL/USDT:USDT",) * 2,
    ]
    assert len(ArchiveReader(tmp_path).rows("orderflow", ETH)) == 3


def test_a_second_writer_is_refused_and_told_who_has_it(tmp_path: Path, clock: Time) -> None:
    first = ArchiveWriter(tmp_path, settings(), clock)
    with pytest.raises(ConfigError, match=str(os.getpid())):
        ArchiveWriter(tmp_path, settings(), clock)
    first.close()
    ArchiveWriter(tmp_path, settings(), clock).close()


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path: Path, clock: Time) -> None:
    script = (
        "import sys; from pathlib import Path; from scalp_strategy.files import FileLock\n"
        f"lock = FileLock(Path({str(tmp_path / '.lock')!r})); print('held', flush=True)\n"
        "sys.stdin.read()"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", script], stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(ConfigError, match=str(process.pid)):
            ArchiveWriter(tmp_path, settings(), clock)
        process.kill()
        process.wait()
    ArchiveWriter(tmp_path, settings(), clock).close()


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "foreign"])
def test_a_damaged_file_is_left_out_and_left_alone(
    tmp_path: Path, writer: ArchiveWriter, damage: str
) -> None:
    for n in range(5):
        put(writer, NOON_MS + n, reason="x" * 500)
    path = tmp_path / FOLDER / part_name(NOON_MS + 2)
    whole = path.read_bytes()
    if damage == "foreign":
        pq.write_table(pa.table({"price": [1.0]}), path)
    else:
        middle = len(whole) // 4
        flipped = bytes([*whole[:middle], whole[middle] ^ 255, *whole[middle + 1 :]])
        path.write_bytes({"truncated": whole[:-9], "flipped": flipped, "empty": b""}[damage])
    broken = path.read_bytes()
    (tmp_path / FOLDER / "notes.txt").write_text("a stranger")

    def times() -> list[int]:
        reader = ArchiveReader(tmp_path)
        found = [one.available_at_ms - NOON_MS for one in reader.components("orderflow")]
        assert list(reader.skipped) == [str(FOLDER / path.name)]
        return found

    assert times() == [0, 1, 3, 4]
    writer.merge(DAY)
    put(writer, NOON_MS + 5)
    writer.merge(DAY)
    assert path.read_bytes() == broken
    assert visible_in(tmp_path / FOLDER)[-1] == merged_name(NOON_MS + 3, NOON_MS + 5)
    assert times() == [0, 1, 3, 4, 5]


def test_what_a_killed_writer_left_is_cleaned_up(tmp_path: Path, clock: Time) -> None:
    with ArchiveWriter(tmp_path, settings(), clock) as writer:
        for n in range(3):
            put(writer, NOON_MS + n)
    kept = {path.name: path.read_bytes() for path in (tmp_path / FOLDER).iterdir()}
    with ArchiveWriter(tmp_path, settings(), clock) as writer:
        writer.merge(DAY)
    for name, content in kept.items():
        (tmp_path / FOLDER / name).write_bytes(content)
    (tmp_path / FOLDER / f"{part_name(1)}.tmp").write_bytes(b"half")
    assert len(ArchiveReader(tmp_path).rows("orderflow")) == 3
    ArchiveWriter(tmp_path, settings(), clock).close()
    assert os.listdir(tmp_path / FOLDER) == [merged_name(NOON_MS, NOON_MS + 2)]
    assert len(ArchiveReader(tmp_path).rows("orderflow")) == 3


def test_hidden_parts_outlive_a_damaged_merged_file(tmp_path: Path, clock: Time) -> None:
    with ArchiveWriter(tmp_path, settings(), clock) as writer:
        put(writer, NOON_MS)
        put(writer, NOON_MS + 1)
    (tmp_path / FOLDER / merged_name(NOON_MS, NOON_MS + 1)).write_bytes(b"damaged")
    ArchiveWriter(tmp_path, settings(), clock).close()
    assert len(os.listdir(tmp_path / FOLDER)) == 3


def test_old_days_go(tmp_path: Path, clock: Time) -> None:
    writer = ArchiveWriter(tmp_path, settings(retention_days=2), clock)
    day_ms = 24 * 60 * MINUTE_MS
    put(writer, *(NOON_MS - n * day_ms for n in range(5)))
    put(writer, NOON_MS - 4 * day_ms, layer="onchain")
    assert writer.expire(DAY) == 3
    reader = ArchiveReader(tmp_path)
    assert reader.days("orderflow") == [DAY - timedelta(days=n) for n in (2, 1, 0)]
    assert reader.days("onchain") == []
    assert writer.expire(DAY) == 0


def test_a_refusing_disk_keeps_rows_waiting_and_drops_the_oldest(
    tmp_path: Path, clock: Time
) -> None:
    writer = ArchiveWriter(tmp_path, settings(max_rows=1_000), clock)
    (tmp_path / "v1").write_text("a file where the folder should be")
    writer.append([component(NOON_MS + n) for n in range(990)])
    assert writer.flush() == 0
    writer.append([component(NOON_MS + n) for n in range(990, 1_005)])
    assert isinstance(writer.state.error, StoreError)
    assert (writer.state.waiting_rows, writer.state.dropped_rows) == (1_000, 5)
    (tmp_path / "v1").unlink()
    assert writer.flush() == 1_000
    assert writer.state.error is None
    found = ArchiveReader(tmp_path).components("orderflow")
    assert [one.available_at_ms for one in found] == list(range(NOON_MS + 5, NOON_MS + 1_005))


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, writer: ArchiveWriter) -> None:
    rows = [component(NOON_MS + n, reason=os.urandom(400).hex()) for n in range(40)]
    with largest_file(8_192):
        for start in (0, 5, 10):
            writer.append(rows[start : start + 5])
            assert writer.flush() == 5
        assert writer.merge(DAY) == 0
        assert isinstance(writer.state.error, StoreError)
        writer.append(rows[15:])
        assert writer.flush() == 0
        assert writer.state.waiting_rows == 25
        assert all(span_of_file(name) for name in os.listdir(tmp_path / FOLDER))
        with pytest.raises(StoreError):
            writer.append_table("orderflow", table_of(rows))
        assert bits(ArchiveReader(tmp_path).components("orderflow")) == bits(rows[:15])
    assert writer.flush() == 25
    assert writer.merge(DAY) == 1
    assert writer.state.error is None
    assert bits(ArchiveReader(tmp_path).components("orderflow")) == bits(rows)


def test_one_bad_folder_does_not_hold_up_the_others(tmp_path: Path, writer: ArchiveWriter) -> None:
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / "layer=onchain").write_text("in the way")
    writer.append([component(), component(layer="onchain"), component(NOON_MS + 1)])
    assert writer.flush() == 2
    assert writer.state.waiting_rows == 1
    (tmp_path / "v1" / "layer=onchain").unlink()
    assert writer.flush() == 1
    reader = ArchiveReader(tmp_path)
    assert (len(reader.rows("orderflow")), len(reader.rows("onchain"))) == (2, 1)


def test_rows_with_impossible_times_or_layers_are_refused(writer: ArchiveWriter) -> None:
    for wrong in (component(NOON_MS * 1_000), component(10), component(layer="../up")):
        with pytest.raises(ContractViolation):
            writer.append([component(), wrong])
    assert writer.state.waiting_rows == 0


def test_unpaired_surrogates_do_not_hold_up_a_flush(tmp_path: Path, writer: ArchiveWriter) -> None:
    put(writer, NOON_MS, reason="a\ud800b")
    assert [one.reason for one in ArchiveReader(tmp_path).components("orderflow")] == ["a?b"]


def bulk(count: int, start_ms: int) -> pa.Table:
    times = np.arange(start_ms, start_ms + count)
    pairs = pa.array([BTC, ETH]).take(pa.array(np.arange(count) % 2)).dictionary_encode()
    return pa.table(
        {
            "version": pa.array(np.ones(count, dtype=np.int16)),
            "pair": pairs,
            "name": pa.array(["trade_flow"] * count),
            "long": pa.array([None, *np.linspace(0, 100, count - 1)]),
            "short": pa.array([None, *np.linspace(100, 0, count - 1)]),
            "observed_at": times,
            "available_at": times,
            "reason": pa.array([""] * count),
            "flags": pa.array([""] * count),
        }
    )


def replaced(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, values)


def test_tables_are_written_in_bulk(tmp_path: Path, writer: ArchiveWriter) -> None:
    midnight = NOON_MS + 12 * 60 * MINUTE_MS
    assert writer.append_table("orderflow", bulk(1_000, midnight - 400)) == 1_000
    reader = ArchiveReader(tmp_path)
    found = list(reader.components("orderflow"))
    assert [one.available_at_ms for one in found] == list(range(midnight - 400, midnight + 600))
    assert is_unknown(found[0])
    assert found[-1].long == 100.0
    assert [len(os.listdir(folder)) for folder in (tmp_path / FOLDER.parent).iterdir()] == [1, 1]


def test_a_bad_table_is_refused_whole(tmp_path: Path, writer: ArchiveWriter) -> None:
    table = bulk(10, NOON_MS)
    with pytest.raises(PayloadError, match="reason"):
        writer.append_table("orderflow", table.drop_columns(["reason"]))
    nulls = replaced(table, "pair", pa.array([None] * 10, pa.string()))
    with pytest.raises(PayloadError, match="pair"):
        writer.append_table("orderflow", nulls)
    micros = replaced(table, "available_at", pa.array(np.full(10, NOON_MS * 1_000)))
    with pytest.raises(ContractViolation, match="available_at"):
        writer.append_table("orderflow", micros)
    (tmp_path / "v1").write_text("in the way")
    with pytest.raises(StoreError):
        writer.append_table("orderflow", table)
    assert ArchiveReader(tmp_path).layers() == []


def test_rows_of_another_schema_are_left_out_and_counted(
    tmp_path: Path, writer: ArchiveWriter
) -> None:
    versions = pa.array([2, *[1] * 9], pa.int16())
    writer.append_table("orderflow", replaced(bulk(10, NOON_MS), "version", versions))
    reader = ArchiveReader(tmp_path)
    assert len(list(reader.components("orderflow"))) == 9
    assert reader.dropped_rows == 1
    assert len(reader.rows("orderflow")) == 10


def test_stats_tell_what_is_there(tmp_path: Path, writer: ArchiveWriter) -> None:
    put(writer, NOON_MS + 7, NOON_MS - 3)
    put(writer, NOON_MS + 2, layer="onchain")
    reader = ArchiveReader(tmp_path)
    stats = reader.stats()
    assert stats["orderflow"].rows == 2
    assert (stats["orderflow"].first_ms, stats["orderflow"].last_ms) == (NOON_MS - 3, NOON_MS + 7)
    sizes = [path.stat().st_size for path in (tmp_path / FOLDER).iterdir()]
    assert stats["orderflow"].size_bytes == sum(sizes)
    assert stats["onchain"].rows == 1
    assert ArchiveReader(tmp_path / "nowhere").stats() == {}


def test_threads_may_append_flush_merge_and_read_at_once(
    tmp_path: Path, writer: ArchiveWriter
) -> None:
    done, seen = threading.Event(), []

    def append(name: str) -> None:
        for n in range(200):
            writer.append([component(NOON_MS + n, name=name)])

    def write() -> None:
        while not done.is_set():
            writer.flush()
            writer.merge(DAY)

    def read() -> None:
        reader = ArchiveReader(tmp_path)
        while not done.is_set():
            rows = reader.rows("orderflow").to_pylist()
            keys = [(row["name"], row["available_at"]) for row in rows]
            seen.append((len(keys) == len(set(keys)), len(keys), dict(reader.skipped)))

    appending = [threading.Thread(target=append, args=(name,)) for name in "abc"]
    others = [threading.Thread(target=one) for one in (write, read)]
    for thread in (*others, *appending):
        thread.start()
    for thread in appending:
        thread.join()
    done.set()
    for thread in others:
        thread.join()
    writer.flush()
    assert all(is_unique and not skipped for is_unique, _, skipped in seen)
    counts = [count for _, count, _ in seen]
    assert counts == sorted(counts), "rows that were visible once are visible for good"
    rows = list(ArchiveReader(tmp_path).components("orderflow"))
    assert {(one.name, one.available_at_ms - NOON_MS) for one in rows} == {
        (name, n) for name in "abc" for n in range(200)
    }
    assert len(rows) == 600
