"""Backfill as a command: from a folder and over HTTP, interrupted, damaged, cut in pieces."""

import hashlib
import http.server
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import orjson
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from external_layers.history.backfill import Backfill, DayResult, Outcome, Request
from external_layers.history.commands import backfill_command
from external_layers.history.day import Grid
from external_layers.history.dumps import DumpKind, dump_path, instrument_of
from external_layers.history.ledger import LEDGER_NAME, DayRecord, Ledger
from external_layers.history.source import DumpSource, FolderSource, UrlSource
from external_layers.store.archive import ArchiveWriter
from external_layers.store.archive_reader import ArchiveReader
from scalp_strategy.contract import Component, to_wire
from scalp_strategy.contract.archive import day_start_ms
from scalp_strategy.errors import (
    ConfigError,
    PayloadError,
    SourceRejected,
    SourceUnavailable,
    StoreError,
)
from scalp_strategy.setting_groups.history import BackfillSettings
from scalp_strategy.setting_groups.orderflow import OrderFlowSettings
from scalp_strategy.setting_groups.store import ArchiveSettings
from tests.support.dumps import PAIR, SYMBOL, day_number, write_days

DAYS = [day_number(number) for number in range(3)]
GRID = Grid(900_000, 500)
RUN = """
import sys, typer
from external_layers.history.commands import backfill_command
from scalp_strategy.errors import ScalpError
app = typer.Typer(pretty_exceptions_enable=False)
app.command()(backfill_command)
try:
    app()
except ScalpError as error:
    print(f"error: {error}", file=sys.stderr)
    raise SystemExit(2)
"""


@pytest.fixture(scope="module")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_days(tmp_path_factory.mktemp("dumps"), DAYS)


@pytest.fixture(scope="module")
def whole(dumps: Path, tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """All rows of one run over all days."""
    archive = tmp_path_factory.mktemp("whole")
    results = filled(FolderSource(dumps), archive)
    assert [each.outcome for each in results] == [Outcome.WRITTEN] * 3
    return rows(archive)


def filled(
    source: DumpSource,
    archive: Path,
    days: slice = slice(None),
    orderflow: OrderFlowSettings | None = None,
) -> list[DayResult]:
    request = Request((PAIR,), tuple(DAYS[days]), GRID)
    settings = (BackfillSettings(), orderflow or OrderFlowSettings())
    with ArchiveWriter(archive, ArchiveSettings(), lambda: 1_790_000_000_000) as writer:
        return list(Backfill(source, (archive, writer), settings, request).run())


def rows(archive: Path) -> list[object]:
    span = (day_start_ms(DAYS[0]), day_start_ms(DAYS[0]) + 10 * 86_400_000)
    return [to_wire(one) for one in ArchiveReader(archive).components("orderflow", PAIR, *span)]


def command(archive: Path, source: str | Path, *more: str) -> list[str]:
    return [
        sys.executable, "-c", RUN, "--pairs", PAIR, "--from", str(DAYS[0]), "--to",
        str(day_number(3)), "--source", str(source), "--archive", str(archive), *more,
    ]  # fmt: skip


def ran(archive: Path, source: str | Path, *more: str) -> Result:
    """Run the command in this process."""
    app = typer.Typer()
    app.command()(backfill_command)
    return CliRunner().invoke(app, [*command(archive, source)[3:], *more])


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A file server over loopback, and the folder it serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", folder
        server.shutdown()
        thread.join()


def test_day_by_day_is_the_same_as_at_once(
    dumps: Path, whole: list[object], tmp_path: Path
) -> None:
    for number in (2, 0, 1):
        filled(FolderSource(dumps), tmp_path, slice(number, number + 1))
    assert rows(tmp_path) == whole
    assert len(whole) == 3 * 96 * 6


def test_days_after_the_end_change_nothing_before_it(
    dumps: Path, whole: list[object], tmp_path: Path
) -> None:
    short = write_days(tmp_path / "dumps", DAYS[:2])
    results = filled(FolderSource(short), tmp_path / "archive")
    assert [each.outcome for each in results] == [Outcome.WRITTEN] * 2 + [Outcome.MISSING]
    assert f"{SYMBOL}-aggTrades-{DAYS[2]}.zip" in results[2].note
    assert rows(tmp_path / "archive") == whole[: 2 * 96 * 6]


def test_nothing_is_written_twice(dumps: Path, whole: list[object], tmp_path: Path) -> None:
    live = Component(
        "orderflow", "trade_flow", PAIR, 60.0, 40.0, day_start_ms(DAYS[1]), day_start_ms(DAYS[1])
    )
    with ArchiveWriter(tmp_path, ArchiveSettings(), lambda: 1_790_000_000_000) as writer:
        writer.append([live])
    first = filled(FolderSource(dumps), tmp_path)
    written = rows(tmp_path)
    assert [each.outcome for each in first] == [
        Outcome.WRITTEN, Outcome.PRESENT, Outcome.WRITTEN,
    ]  # fmt: skip
    assert len(written) == 2 * 96 * 6 + 1
    again = filled(FolderSource(dumps), tmp_path)
    assert [each.outcome for each in again] == [
        Outcome.FINISHED, Outcome.PRESENT, Outcome.FINISHED,
    ]  # fmt: skip
    other = filled(FolderSource(dumps), tmp_path, slice(0, 1), OrderFlowSettings(window_s=600))
    assert "other settings" in other[0].note
    assert rows(tmp_path) == written


def test_a_damaged_file_is_refused_and_named(dumps: Path, tmp_path: Path) -> None:
    folder = write_days(tmp_path / "dumps", DAYS)
    path = folder / dump_path(instrument_of(PAIR), DumpKind.AGG_TRADES, DAYS[1])
    content = path.read_bytes()
    path.write_bytes(content[:-40])
    results = filled(FolderSource(folder), tmp_path / "archive")
    # the day after is warmed up from the damaged one
    assert [each.outcome for each in results] == [
        Outcome.WRITTEN, Outcome.DAMAGED, Outcome.DAMAGED,
    ]  # fmt: skip
    assert path.name in results[1].note
    assert "sha256" in results[1].note
    path.with_name(path.name + ".CHECKSUM").unlink()
    results = filled(FolderSource(folder), tmp_path / "archive", slice(1, 2))
    assert f"{path.name}: no whole zip file" in results[0].note
    path.write_bytes(content)
    mended = filled(FolderSource(folder), tmp_path / "archive")
    assert [each.outcome for each in mended] == [
        Outcome.FINISHED, Outcome.WRITTEN, Outcome.WRITTEN,
    ]  # fmt: skip
    assert mended[1].record is not None
    used = {use.name: use for use in mended[1].record.files}
    assert used[path.name].sha256 == hashlib.sha256(content).hexdigest()
    assert [use.is_verified for use in used.values()].count(False) == 1


def test_the_ledger_tells_what_a_day_rests_on(dumps: Path, tmp_path: Path) -> None:
    filled(FolderSource(dumps), tmp_path, slice(0, 2))
    line = orjson.loads((tmp_path / LEDGER_NAME).read_bytes().splitlines()[1])
    assert (line["pair"], line["day"], line["rows"], line["gaps"]) == (PAIR, str(DAYS[1]), 576, 0)
    assert line["unknowable"] == ["book_imbalance", "vanishing_liquidity"]
    assert line["known"]["funding_rate"] == 1.0
    with (tmp_path / LEDGER_NAME).open("ab") as file:
        file.write(b'{"pair": "half a li')
    assert list(Ledger.open(tmp_path / LEDGER_NAME, DayRecord).records) == [
        (PAIR, DAYS[0]),
        (PAIR, DAYS[1]),
    ]
    assert (tmp_path / LEDGER_NAME).read_bytes().endswith(b"}\n")
    with (tmp_path / LEDGER_NAME).open("ab") as file:
        file.write(b"{}\n")
    with pytest.raises(StoreError, match="no record"):
        Ledger.open(tmp_path / LEDGER_NAME, DayRecord)


def test_over_http_with_a_cache(
    dumps: Path, whole: list[object], served: tuple[str, Path], tmp_path: Path
) -> None:
    url, folder = served
    write_days(folder, DAYS)
    cache, archive = tmp_path / "cache", tmp_path / "archive"
    run = ran(archive, url, "--cache", str(cache))
    assert run.exit_code == 0, run.output
    assert rows(archive) == whole
    assert "book_imbalance" in run.stdout
    path = cache / dump_path(instrument_of(PAIR), DumpKind.AGG_TRADES, DAYS[1])
    path.write_bytes(b"damaged on disk")
    with httpx.Client(base_url=url) as client:
        source = UrlSource(client, cache, BackfillSettings(), lambda _: None)
        fetched = source.read(path.relative_to(cache).as_posix())
    assert fetched is not None
    assert fetched.is_verified
    assert path.read_bytes() == fetched.content


def answers(*statuses: int | type[httpx.TransportError]) -> tuple[UrlSource, list[float]]:
    """A source whose server gives these answers in turn, and the waits between them."""
    left = list(statuses)
    waits: list[float] = []

    def handler(request: httpx.Request) -> httpx.Response:
        status = left.pop(0)
        if isinstance(status, int):
            return httpx.Response(status, content=b"content")
        raise status("broken")

    client = httpx.Client(base_url="http://dumps", transport=httpx.MockTransport(handler))
    settings = BackfillSettings(retries=2)
    return UrlSource(client, Path("/nonexistent"), settings, waits.append), waits


def test_downloads_are_tried_again(tmp_path: Path) -> None:
    source, waits = answers(503, httpx.ReadTimeout, 404)
    assert source.read("data/x.zip") is None
    assert waits == [1.0, 2.0]
    source, waits = answers(503, 429, 500)
    with pytest.raises(SourceUnavailable, match=r"x\.zip: HTTP 500"):
        source.read("data/x.zip")
    source, waits = answers(403)
    with pytest.raises(SourceRejected):
        source.read("data/x.zip")
    assert waits == []


def test_a_download_that_is_not_what_its_checksum_says(
    served: tuple[str, Path], tmp_path: Path
) -> None:
    url, folder = served
    (folder / "x.zip").write_bytes(b"content")
    (folder / "x.zip.CHECKSUM").write_text(f"{'0' * 64}  x.zip\n")
    with httpx.Client(base_url=url) as client:
        source = UrlSource(client, tmp_path / "cache", BackfillSettings(), lambda _: None)
        with pytest.raises(PayloadError, match=r"x\.zip"):
            source.read("x.zip")
        assert not (tmp_path / "cache" / "x.zip").exists()


def test_a_download_that_cannot_be_kept_is_an_error_in_words(
    served: tuple[str, Path], tmp_path: Path
) -> None:
    url, folder = served
    (folder / "y.zip").write_bytes(b"content")
    (tmp_path / "cache").write_bytes(b"a file, no folder")
    with httpx.Client(base_url=url) as client:
        source = UrlSource(client, tmp_path / "cache", BackfillSettings(), lambda _: None)
        with pytest.raises(StoreError, match=r"y\.zip"):
            source.read("y.zip")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_run_goes_on(
    dumps: Path, whole: list[object], tmp_path: Path, number: signal.Signals
) -> None:
    process = subprocess.Popen(
        command(tmp_path, dumps, "--every", "15m"), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout:
        first = process.stdout.readline()
        os.kill(process.pid, number)
        rest = process.stdout.read()
        status = process.wait(timeout=20)
    assert f"{PAIR} {DAYS[0]} written" in first
    if number == signal.SIGINT:
        assert status == 130
        assert "goes on" in rest
    again = ran(tmp_path, dumps)
    assert again.exit_code == 0, again.output
    assert f"{DAYS[0]} written" not in again.stdout
    assert rows(tmp_path) == whole


def test_a_plan_writes_nothing_and_mistakes_are_told(dumps: Path, tmp_path: Path) -> None:
    planned = ran(tmp_path, dumps, "--plan")
    assert planned.exit_code == 0, planned.output
    assert str(DAYS[2]) in planned.stdout
    assert rows(tmp_path) == []
    for more, reason in (
        (("--every", "7m"), "--every 7m"),
        (("--to", "2025-05-01"), "no day"),
        (("--from", "yesterday"), "--from yesterday"),
        (("--pairs", "BTC/USDT:ETH"), "BTC/USDT:ETH"),
        (("--source", str(tmp_path / "nowhere")), "nowhere"),
    ):
        run = ran(tmp_path, dumps, *more)
        assert isinstance(run.exception, ConfigError)
        assert reason in str(run.exception)
