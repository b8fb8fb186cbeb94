"""The archive equals a list, whatever is appended, flushed, merged and opened anew."""

from itertools import groupby
from math import nan
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from external_layers.store.archive import ArchiveWriter
from external_layers.store.archive_reader import ArchiveReader
from external_layers.store.latest_rows import kept, merged_candles, newest_of_each
from external_layers.store.merge_plan import newest_to_merge
from scalp_strategy.contract.archive import day_of
from scalp_strategy.contract.component import Component
from scalp_strategy.setting_groups.store import ArchiveSettings
from tests.unit.external_layers.store.samples import NOON_MS, bits, component

MIDNIGHT_MS = NOON_MS + 43_200_000
SCORES = st.floats(0, 100) | st.just(-0.0) | st.just(5e-324)
PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT", "*", "1000Ж/USDT")
ROWS = st.builds(
    lambda name, pair, scores, moment, late, reason, flags: component(
        name=name,
        pair=pair,
        long=scores[0],
        short=scores[1],
        observed_at_ms=moment,
        available_at_ms=moment + late,
        reason=reason,
        flags=tuple(flags),
    ),
    st.sampled_from(["trade_flow", "funding"]),
    st.sampled_from(PAIRS),
    st.tuples(SCORES, SCORES) | st.just((nan, nan)),
    st.integers(MIDNIGHT_MS - 6, MIDNIGHT_MS + 3),
    st.integers(0, 3),
    st.text(max_size=5),
    st.lists(st.sampled_from(["vanishing", "regime=RISK_ON"]), max_size=2),
)
MOVES = st.lists(
    st.lists(ROWS, max_size=6) | st.sampled_from(["flush", "merge", "reopen", "later", "back"]),
    max_size=14,
)
INSTANTS = st.integers(MIDNIGHT_MS - 8, MIDNIGHT_MS + 8)


class Clock:
    def __init__(self) -> None:
        self.now_ms = MIDNIGHT_MS

    def __call__(self) -> int:
        return self.now_ms


def written(root: Path, moves: list[list[Component] | str]) -> list[Component]:
    """Carry the moves out and return all rows in the order in which they were appended."""
    clock, rows = Clock(), []
    limits = ArchiveSettings(merge_parts=2, group_rows=2)
    writer = ArchiveWriter(root, limits, clock)
    for move in moves:
        if isinstance(move, list):
            rows += move
            writer.append(move)
        elif move == "flush":
            writer.flush()
        elif move == "merge":
            writer.merge_due()
        elif move == "reopen":
            writer.close()
            writer = ArchiveWriter(root, limits, clock)
        else:
            clock.now_ms += 90_000_000 if move == "later" else -90_000_000
    writer.close()
    return rows


def in_order(rows: list[Component]) -> list[Component]:
    return sorted(rows, key=lambda one: (one.available_at_ms, one.pair.encode(), one.name))


@settings(max_examples=40, deadline=None)
@given(MOVES, INSTANTS, INSTANTS)
def test_the_archive_equals_a_list(
    moves: list[list[Component] | str], since_ms: int, until_ms: int
) -> None:
    with TemporaryDirectory() as folder:
        rows, reader = in_order(written(Path(folder), moves)), ArchiveReader(Path(folder))
        assert bits(reader.components("orderflow")) == bits(rows)
        inside = [one for one in rows if since_ms <= one.available_at_ms < until_ms]
        for pair in PAIRS:
            assert bits(reader.components("orderflow", pair, since_ms, until_ms)) == bits(
                one for one in inside if one.pair == pair
            )
        assert reader.days("orderflow") == sorted({day_of(one.available_at_ms) for one in rows})
        assert not reader.skipped


def last_words(rows: list[Component]) -> list[Component]:
    """The last row of each pair and name, and the last that is known, each once."""
    last = {(one.pair, one.name): one for one in rows}
    known = {(one.pair, one.name): one for one in rows if one.is_known}
    return list({id(one): one for one in (*last.values(), *known.values())}.values())


@settings(max_examples=40, deadline=None)
@given(MOVES, INSTANTS, st.integers(0, 10), st.sets(st.sampled_from(PAIRS)) | st.none())
def test_as_of_equals_brute_force(
    moves: list[list[Component] | str], at_ms: int, horizon_ms: int, pairs: set[str] | None
) -> None:
    with TemporaryDirectory() as folder:
        rows, reader = in_order(written(Path(folder), moves)), ArchiveReader(Path(folder))
        asked = [
            one
            for one in rows
            if at_ms - horizon_ms <= one.available_at_ms <= at_ms
            and (pairs is None or one.pair in pairs)
        ]
        found = reader.as_of("orderflow", pairs, at_ms, horizon_ms)
        assert sorted(bits(found)) == sorted(bits(last_words(asked)))


@given(st.lists(ROWS, max_size=30), st.integers(1, 30), st.integers(0, 20))
def test_what_is_kept_of_a_pair_answers_for_now_and_for_the_close(
    rows: list[Component], chunk: int, ahead: int
) -> None:
    rows = sorted((one for one in rows if one.pair == "*"), key=lambda one: one.available_at_ms)
    held: list[Component] = []
    for start in range(0, len(rows), chunk):
        new = rows[start : start + chunk]
        held = kept(held, new, new[-1].available_at_ms + ahead)
    assert sorted(bits(newest_of_each(held, 0))) == sorted(bits(newest_of_each(rows, 0)))
    if held:
        now_ms = rows[-1].available_at_ms + ahead
        close_ms = now_ms - now_ms % 900_000
        known = [one for one in rows if one.available_at_ms <= close_ms]
        still = [one for one in held if one.available_at_ms <= close_ms]
        assert sorted(bits(last_words(still))) == sorted(bits(last_words(known)))
    names = [name for name, _ in groupby(sorted(one.name for one in held))]
    assert len(held) <= 4 * len(names)


@given(st.lists(st.integers(0, 9)), st.lists(st.integers(0, 9)), st.integers(1, 12))
def test_candles_keep_the_newest_of_each_minute(
    first: list[int], second: list[int], most: int
) -> None:
    rows = [[60_000 * n, float(i), 0.0, 0.0, 0.0, 0.0] for i, n in enumerate([*first, *second])]
    model = {row[0]: row for row in rows}
    merged = merged_candles(merged_candles([], rows[: len(first)], 99), rows[len(first) :], most)
    assert merged == [model[key] for key in sorted(model)][-most:]


@given(st.lists(st.integers(1, 1_000), min_size=1))
def test_what_waits_for_a_merge_outweighs_what_is_newer(sizes: list[int]) -> None:
    start = newest_to_merge(sizes)
    assert 0 <= start < len(sizes)
    assert all(size > sum(sizes[index + 1 :]) for index, size in enumerate(sizes[:start]))


@pytest.mark.parametrize("parts", [2, 7, 60])
def test_merging_all_day_rewrites_each_row_few_times(parts: int) -> None:
    """A row of a day of 8,640 flushes is written about once for each doubling."""
    files: list[int] = []
    written_rows = 0
    for _ in range(8_640):
        files.append(1)
        if len(files) >= parts:
            start = newest_to_merge(files)
            merged = sum(files[start:])
            written_rows += merged if start < len(files) - 1 else 0
            files = [*files[:start], merged]
    assert written_rows / 8_640 < 16
    assert sum(files) == 8_640
