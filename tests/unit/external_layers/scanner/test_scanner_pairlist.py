"""The pair list as the host's RemotePairList reads it, over HTTP and from a file."""

import json
from pathlib import Path

import pytest

from external_layers.scanner.pairlist import PairlistFile, pairlist_body, parse_pairlist
from scalp_strategy.errors import PayloadError, StoreError


def test_the_body_is_what_the_host_expects() -> None:
    body = json.loads(pairlist_body(["SOL/USDT:USDT", "ADA/USDT:USDT"], 60))
    assert body == {"pairs": ["SOL/USDT:USDT", "ADA/USDT:USDT"], "refresh_period": 60}
    assert json.loads(pairlist_body([], 60))["pairs"] == []


def test_open_pairs_follow_once() -> None:
    body = pairlist_body(["B/USDT", "A/USDT"], 60, ["C/USDT", "A/USDT"])
    assert parse_pairlist(body) == ["B/USDT", "A/USDT", "C/USDT"]


def test_the_last_known_list_survives(tmp_path: Path) -> None:
    file = PairlistFile(tmp_path / "state")
    assert file.load() == []
    file.save(["B/USDT", "A/USDT"], 60)
    file.save([], 60)
    assert PairlistFile(tmp_path / "state").load() == ["B/USDT", "A/USDT"]
    assert file.path == tmp_path / "state" / "pairlist.json"
    assert file.path.stat().st_mode & 0o044 == 0o044  # the bot may run as another user
    assert [path.name for path in file.path.parent.iterdir()] == ["pairlist.json"]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"pairs": "A"}', b'{"pairs": [1]}', b"\xff"])
def test_a_broken_file_is_told(tmp_path: Path, body: bytes) -> None:
    file = PairlistFile(tmp_path)
    file.path.write_bytes(body)
    with pytest.raises(StoreError, match=r"pairlist\.json"):
        file.load()
    with pytest.raises(PayloadError):
        parse_pairlist(body)


def test_a_disk_that_refuses(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        PairlistFile(tmp_path / "file").save(["A/USDT"], 60)
    (tmp_path / "pairlist.json").mkdir()
    with pytest.raises(StoreError):
        PairlistFile(tmp_path).save(["A/USDT"], 60)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("pairlist")] == [
        "pairlist.json"
    ]
