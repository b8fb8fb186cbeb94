"""A reader sees the old file or the new one, whatever the disk does."""

import os
from pathlib import Path

import pytest

from scalp_strategy.errors import StoreError
from scalp_strategy.files import replace_file


def test_a_file_is_made_with_its_folder_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.json"
    for body in (b"first", b"second"):
        replace_file(path, body)
        assert path.read_bytes() == body
    assert path.stat().st_mode & 0o777 == 0o600
    replace_file(path, b"third", 0o644)
    assert path.stat().st_mode & 0o777 == 0o644
    assert os.listdir(path.parent) == ["file.json"]


def test_a_disk_that_refuses_leaves_the_old_file_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.json"
    replace_file(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file.json"]


def test_a_folder_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreError):
        replace_file(tmp_path / "file" / "inner" / "x.json", b"")
