"""The last words on disk: what was kept, and what a damaged file costs."""

from pathlib import Path

import pytest

from scalp_strategy.layers.memory import WordsFile
from tests.unit.layers.evidence import START_MS, component


def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    rows = [component(START_MS, 60.0, flags=("vanishing",)), component(START_MS, 50.0, name="b")]
    WordsFile(tmp_path / "new" / "words.json").save(rows)
    assert WordsFile(tmp_path / "new" / "words.json").load() == rows


def test_without_a_file_nothing_was_said(tmp_path: Path) -> None:
    assert WordsFile(tmp_path / "words.json").load() == []


@pytest.mark.parametrize(
    "body", [b"", b"\xff\x00", b"[]", b'{"components": 3}', b'{"components": [[1]]}', b"[" * 9_999]
)
def test_a_damaged_file_is_set_aside(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "words.json"
    path.write_bytes(body)
    assert WordsFile(path).load() == []
    (aside,) = tmp_path.iterdir()
    assert aside.name.startswith("words.json.bad-")
    assert aside.read_bytes() == body


def test_a_folder_in_its_place_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "words.json").mkdir()
    words = WordsFile(tmp_path / "words.json")
    assert words.load() == []
    words.save([component(START_MS)])
    assert len(words.load()) == 1


def test_a_disk_that_refuses_costs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    words = WordsFile(tmp_path / "file" / "words.json")
    words.save([component(START_MS)])
    words.save([component(START_MS)])
