"""The archive as a backtest reads it: damage, strangers, growth, and what is kept in memory."""

import pickle
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scalp_strategy.contract.archive import COLUMNS, day_of, day_path, merged_name, part_name
from scalp_strategy.layers import ArchiveSource, layer_frame
from scalp_strategy.layers.series import ComponentSeries
from scalp_strategy.settings import Settings
from tests.unit.layers.evidence import (
    BTC,
    CANDLE_MS,
    ETH,
    SCHEMA,
    START_MS,
    candle_dates,
    component,
    table,
    write_archive,
)

DAY_MS = 86_400_000
LATER_MS = START_MS + CANDLE_MS


def known(source: ArchiveSource, pair: str = BTC, until_ms: int = LATER_MS) -> dict[str, list]:
    series = source.series("orderflow", pair, START_MS - DAY_MS, until_ms)
    return {name: one.long.tolist() for name, one in series.items()}


def folder_of(root: Path, at_ms: int = START_MS) -> Path:
    return root / day_path("orderflow", day_of(at_ms))


def write(path: Path, content: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(content, path)


def test_nothing_is_known_without_an_archive(tmp_path) -> None:
    out = layer_frame(ArchiveSource(tmp_path / "none"), BTC, candle_dates(3), Settings())
    assert (out["orderflow_reliability"] == 0.0).all()


def test_rows_come_back_exactly(tmp_path) -> None:
    row = component(
        START_MS,
        100 / 3,
        short=5e-324,
        observed_at_ms=START_MS - 17,
        reason="Grüße, 大口",
        flags=("vanishing", "regime=CHOPPY"),
    )
    write_archive(tmp_path, [row])
    series = ArchiveSource(tmp_path).series("orderflow", BTC, START_MS, START_MS)["trade_flow"]
    assert series.component(0, row.layer, row.name, row.pair) == row


def test_pairs_and_days_are_told_apart(tmp_path) -> None:
    rows = [
        component(START_MS - 2 * DAY_MS, 1.0),
        component(START_MS, 2.0),
        component(START_MS, 3.0, pair=ETH),
        component(START_MS + DAY_MS, 4.0),
    ]
    write_archive(tmp_path, rows)
    source = ArchiveSource(tmp_path)
    assert known(source) == {"trade_flow": [2.0]}
    assert known(source, ETH) == {"trade_flow": [3.0]}


def test_a_span_ends_exactly_at_midnight(tmp_path) -> None:
    midnight = (START_MS // DAY_MS + 1) * DAY_MS
    write_archive(tmp_path, [component(midnight - 1, 1.0), component(midnight, 2.0)])
    assert known(ArchiveSource(tmp_path), until_ms=midnight) == {"trade_flow": [2.0]}


@pytest.mark.parametrize(
    "damage", ["truncated", "empty", "text", "columns", "types", "pairs", "folder"]
)
def test_a_damaged_file_is_left_out_and_the_rest_is_read(tmp_path, damage, caplog) -> None:
    write_archive(tmp_path, [component(START_MS, 1.0)], parts_a_day=1)
    bad = folder_of(tmp_path) / part_name(2)
    rows = table([component(LATER_MS, 99.0)])
    write(bad, rows)
    if damage == "truncated":
        bad.write_bytes(bad.read_bytes()[:-20])
    elif damage == "empty":
        bad.write_bytes(b"")
    elif damage == "text":
        bad.write_text("no parquet " * 100)
    elif damage == "columns":
        write(bad, rows.drop_columns(["flags"]))
    elif damage == "types":
        write(bad, rows.set_column(0, "available_at", pa.array([["a"]])).rename_columns(COLUMNS))
    elif damage == "pairs":
        column = COLUMNS.index("pair")
        write(bad, rows.set_column(column, "pair", pa.array([7])))
    else:
        bad.unlink()
        bad.mkdir()
    source = ArchiveSource(tmp_path)
    for _ in range(3):
        assert known(source) == {"trade_flow": [1.0]}
    assert sum(part_name(2) in record.getMessage() for record in caplog.records) == 1


def test_rows_that_break_the_contract_are_left_out(tmp_path) -> None:
    good = table([component(START_MS, 50.0)]).to_pylist()[0]
    nowhere = pd.Timestamp(0, tz="UTC") - pd.Timedelta("1h")
    wrong = [
        good | {"version": 2, "long": 1.0},
        good | {"version": None, "long": 2.0},
        good | {"long": 100.5},
        good | {"short": -0.5},
        good | {"long": None},
        good | {"long": float("inf")},
        good | {"available_at": good["observed_at"] - pd.Timedelta("1ms")},
        good | {"observed_at": nowhere, "long": 3.0},
        good | {"observed_at": None, "long": 4.0},
        good | {"available_at": None, "long": 5.0},
    ]
    for number, row in enumerate([good, *wrong], start=1):
        content = pa.Table.from_pylist([row], schema=SCHEMA)
        write(folder_of(tmp_path) / part_name(number), content)
    assert known(ArchiveSource(tmp_path)) == {"trade_flow": [50.0]}


def test_plain_strings_and_other_units_are_understood(tmp_path) -> None:
    content = table([component(START_MS, 1.0)])
    for name in ("name", "pair", "reason", "flags"):
        column = content.schema.get_field_index(name)
        content = content.set_column(column, name, content.column(name).cast(pa.string()))
    for name in ("observed_at", "available_at"):
        column = content.schema.get_field_index(name)
        unit = pa.timestamp("ns", tz="UTC")
        content = content.set_column(column, name, content.column(name).cast(unit))
    write(folder_of(tmp_path) / part_name(1), content)
    assert known(ArchiveSource(tmp_path)) == {"trade_flow": [1.0]}


def test_the_later_file_wins_a_tie_and_merged_files_hide_their_parts(tmp_path) -> None:
    folder = folder_of(tmp_path)
    write(folder / part_name(1), table([component(START_MS, 1.0)]))
    write(folder / part_name(2), table([component(START_MS, 2.0)]))
    assert known(ArchiveSource(tmp_path)) == {"trade_flow": [2.0]}
    write(folder / merged_name(1, 2), table([component(START_MS, 3.0)]))
    assert known(ArchiveSource(tmp_path)) == {"trade_flow": [3.0]}


def test_new_files_and_new_days_are_seen(tmp_path) -> None:
    write_archive(tmp_path, [component(START_MS, 1.0)])
    source = ArchiveSource(tmp_path)
    until = START_MS + DAY_MS
    assert known(source, until_ms=until) == {"trade_flow": [1.0]}
    write_archive(tmp_path, [component(LATER_MS, 2.0), component(until, 3.0)])
    assert known(source, until_ms=until) == {"trade_flow": [1.0, 2.0, 3.0]}


def test_a_file_is_read_once(tmp_path) -> None:
    (path,) = write_archive(tmp_path, [component(START_MS, 1.0)])
    source = ArchiveSource(tmp_path)
    assert known(source) == {"trade_flow": [1.0]}
    path.write_bytes(b"gone")
    assert known(source) == {"trade_flow": [1.0]}
    assert known(pickle.loads(pickle.dumps(source))) == {}  # noqa: S301


def test_no_more_rows_are_kept_than_allowed(tmp_path) -> None:
    days = [component(START_MS + day * DAY_MS, float(day)) for day in range(5)]
    paths = write_archive(tmp_path, days)
    source = ArchiveSource(tmp_path, max_cached_rows=4)
    until = START_MS + 5 * DAY_MS
    assert known(source, until_ms=until) == {"trade_flow": [0.0, 1.0, 2.0, 3.0, 4.0]}
    for path in paths:
        path.write_bytes(b"gone")
    # A day of one row takes the room of two: the last two days are still there.
    for day, held in ((4, [4.0]), (3, [3.0]), (2, [])):
        at = START_MS + day * DAY_MS
        series = source.series("orderflow", BTC, at, at)
        assert [one.long.tolist() for one in series.values()] == ([held] if held else [])


def test_files_that_are_merged_while_they_are_read(tmp_path) -> None:
    folder = folder_of(tmp_path)
    parts = write_archive(tmp_path, [component(START_MS, 1.0), component(LATER_MS, 2.0)], 2)

    class Merging(ArchiveSource):
        def _listing(self, folder: Path) -> list[str]:
            names = super()._listing(folder)
            if parts and part_name(1) in names:
                merged = pa.concat_tables([pq.read_table(part) for part in parts])
                write(folder / merged_name(1, 2), merged)
                for part in parts:
                    part.unlink()
                parts.clear()
            return names

    assert known(Merging(tmp_path)) == {"trade_flow": [1.0, 2.0]}
    assert [path.name for path in folder.iterdir()] == [merged_name(1, 2)]


def test_strangers_in_the_folders_do_not_matter(tmp_path) -> None:
    write_archive(tmp_path, [component(START_MS, 1.0)])
    (folder_of(tmp_path) / "part-1.parquet.tmp").write_bytes(b"half")
    (folder_of(tmp_path).parent / "day=never").mkdir()
    (folder_of(tmp_path).parent / "notes.txt").write_text("hello")
    assert known(ArchiveSource(tmp_path)) == {"trade_flow": [1.0]}


def test_a_series_is_thinned_to_the_closes(tmp_path) -> None:
    rows = [component(START_MS + step * 15_000, step % 100) for step in range(1, 241)]
    write_archive(tmp_path, rows, parts_a_day=7)
    until = START_MS + 4 * CANDLE_MS
    series: ComponentSeries = ArchiveSource(tmp_path).series("orderflow", BTC, START_MS, until)[
        "trade_flow"
    ]
    assert series.available_ms.tolist() == [START_MS + n * CANDLE_MS for n in (1, 2, 3, 4)]
