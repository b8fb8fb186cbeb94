"""The past of the slow layers, from the replay market's outside world into a real backtest.

`scalp-layers backfill` and `freqtrade backtesting` as their user runs them; the backfill is
interrupted on its way, and what is cut off its end must not be missed before the cut.
"""

import io
import os
import shutil
import signal
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import joblib
import pytest
from freqtrade.optimize.backtesting import Backtesting
from pandas import DataFrame, Timedelta, Timestamp, concat
from pandas.testing import assert_frame_equal

from external_layers.history.ledger import SLOW_LEDGER_NAME, Ledger, SlowDay
from external_layers.store.archive_reader import ArchiveReader
from scalp_strategy.contract import to_wire
from scalp_strategy.contract.archive import day_of_folder, layer_path
from scalp_strategy.validation.results import newest_result, read_run
from tests.support.bot import until
from tests.support.freqtrade import Workspace, downloaded_workspace, program, timerange

LAYERS = ("sentiment", "onchain")
BASES = ("BTC", "SOL", "DOGE")
FILES = {"btc_dominance": (60.0, -0.5), "total_cap": (2e12, 4e10)}  # a first value, and a step
DAYS = 6
CUT_DAYS = 2  # before the end
KEY = "dummy-key-55de-of-fred"
CANDLE = Timedelta(minutes=15)
STOPPED = 130
SOON_S = 60.0
ARCHIVE = "layers"  # where the strategy looks for it


@dataclass(frozen=True)
class Ran:
    """A backtest of the host: its config and the candles of its signals."""

    config: dict[str, Any]
    signals: DataFrame


@dataclass
class Story:
    """A backtest without an archive, a backfill in two goes, and a backtest with its archive."""

    space: Workspace
    without: Ran
    stopped: int
    at_stop: dict[tuple[str, date], SlowDay]
    said: str
    ended: int
    known: Ran


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("futures")
    with downloaded_workspace("futures", folder, BASES) as space:
        yield play(space)


def play(space: Workspace) -> Story:
    series(space)
    without = backtest(space)
    archive = space.folder / ARCHIVE
    first = started(space, archive)
    until(lambda: len(finished(archive)) >= 2, "some days are made", SOON_S)
    first.send_signal(signal.SIGINT)
    said, _ = first.communicate(timeout=SOON_S)
    at_stop = finished(archive)
    ended = started(space, archive).wait(SOON_S)
    return Story(space, without, first.returncode, at_stop, said, ended, backtest(space))


def series(space: Workspace) -> None:
    """Write what no free source keeps: BTC's share falls, the whole market grows."""
    days = [space.end.date() - timedelta(days=back) for back in range(30, -1, -1)]
    for name, (start, step) in FILES.items():
        rows = [f"{day},{start + step * number}" for number, day in enumerate(days)]
        (space.folder / f"{name}.csv").write_text("\n".join(["date,value", *rows]))


def started(space: Workspace, archive: Path) -> subprocess.Popen[str]:
    """Start the command over all days, on a grid so fine that there is time to interrupt it."""
    first = space.end.date() - timedelta(days=DAYS)
    files = [f"--series={name}={space.folder / name}.csv" for name in FILES]
    kept = {key: value for key, value in os.environ.items() if "FREQTRADE_" not in key}
    return subprocess.Popen(
        [program("scalp-layers"), "backfill", "--layers", ",".join(LAYERS), "--every", "1m",
         "--from", str(first), "--to", str(space.end.date()), "--archive", str(archive),
         "--candles", str(space.datadir), *files],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=kept | {"SCALP_LAYERS_EXCHANGE_URL": space.market_url, "FRED_API_KEY": KEY},
    )  # fmt: skip


def finished(archive: Path) -> dict[tuple[str, date], SlowDay]:
    """Return the days that are done, by layer."""
    path = archive / SLOW_LEDGER_NAME
    if not path.exists():
        return {}
    records = Ledger.open(path, SlowDay).records
    return {key: each for key, each in records.items() if each.made_from != "begun"}


def backtest(space: Workspace) -> Ran:
    done = space.run(
        "backtesting", "--timeframe-detail", "1m", "--timerange", timerange(space.start, space.end)
    )
    assert done.returncode == 0, done.stderr
    path = newest_result(space.folder)
    with zipfile.ZipFile(path) as archive:
        kept = joblib.load(io.BytesIO(archive.read(f"{path.stem}_signals.pkl")))
    frames = [frame.assign(pair=pair) for pair, frame in kept["ScalpStrategy"].items()]
    return Ran(dict(read_run(path, None).config), concat(frames).set_index(["pair", "date"]))


def rows(archive: Path) -> list[Any]:
    reader = ArchiveReader(archive)
    found = [to_wire(one) for layer in LAYERS for one in reader.components(layer)]
    assert not reader.skipped
    return found


def test_an_interrupted_backfill_goes_on(story: Story, tmp_path: Path) -> None:
    """Stopped by Ctrl-C and gone on with, the archive is the same as made at once."""
    assert (story.stopped, story.ended) == (STOPPED, 0), story.said
    assert "goes on" in story.said
    archive = story.space.folder / ARCHIVE
    done = finished(archive)
    assert 2 <= len(story.at_stop) < len(done) == DAYS * len(LAYERS)
    assert story.at_stop.items() <= done.items()
    whole = started(story.space, tmp_path / "whole")
    output, _ = whole.communicate(timeout=SOON_S)
    assert whole.returncode == 0, output
    assert rows(archive) == rows(tmp_path / "whole")
    assert KEY not in output + story.said
    files = [path for path in story.space.folder.rglob("*") if path.is_file()]
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


def test_every_day_is_known_from_the_first_on(story: Story) -> None:
    """What was known on the first day lies before it: the index, vintages, the trend of BTC."""
    daily = {"fear_greed", "market_regime", "macro_correlation", "stablecoin_flow"}
    for (layer, day), made in finished(story.space.folder / ARCHIVE).items():
        known = {name for name, share in made.known.items() if share == 1.0}
        unknown = {name for name, share in made.known.items() if share == 0.0}
        assert known == daily & made.known.keys(), (layer, day)
        assert unknown == made.known.keys() - daily, (layer, day)


def test_a_backtest_knows_sentiment(story: Story) -> None:
    known, without = story.known.signals, story.without.signals
    assert len(known) > 0
    assert (known["sentiment_reliability"] > 0).all()
    assert known["sentiment_reliability"].median() > 0.4
    assert known["sentiment_long"].between(0, 100).all()
    assert set(known["regime"]) <= {"RISK_ON", "CHOPPY"}
    # Daily values may just have run out when a candle closes at the very end of a day.
    assert set(known["macro"].dropna()) <= {"CALM", "POSITIVE", "NEGATIVE"}
    assert known["macro"].notna().mean() > 0.8
    assert (without["sentiment_reliability"] == 0).all()
    assert (known["onchain_reliability"] > 0).all()  # the supply of stablecoins


def test_the_archive_changes_the_backtest_and_is_named_in_it(story: Story) -> None:
    known, without = story.known, story.without
    assert known.config["scalp_archive"] != without.config["scalp_archive"]
    assert known.config["scalp_settings"] == without.config["scalp_settings"]
    both = known.signals.index.intersection(without.signals.index)
    changed = known.signals.loc[both, "confluence"] != without.signals.loc[both, "confluence"]
    assert len(both) > 0
    assert changed.all()
    assert (known.signals["coverage"] > without.signals["coverage"].max()).all()


def test_days_after_a_cut_are_not_missed_before_it(story: Story) -> None:
    space, cut = story.space, story.space.end - timedelta(days=CUT_DAYS)
    shutil.copytree(space.folder / ARCHIVE, space.folder / "cut")
    for layer in LAYERS:
        for folder in (space.folder / "cut" / layer_path(layer)).iterdir():
            if (day_of_folder(folder.name) or date.max) >= cut.date():
                shutil.rmtree(folder)
    whole, short = analysed(space, ARCHIVE), analysed(space, "cut")
    for pair in space.pairs:
        is_before = whole[pair]["date"] + CANDLE <= Timestamp(cut)
        assert_frame_equal(whole[pair][is_before], short[pair][is_before], check_exact=True)
        is_known = whole[pair]["sentiment_reliability"] > 0
        assert is_known[is_before].sum() > 96
        assert not whole[pair][~is_before].equals(short[pair][~is_before])


def analysed(space: Workspace, archive: str) -> dict[str, DataFrame]:
    """Return the strategy's frames of all pairs, as the host's backtester makes them."""
    overlay = {"scalp": {"sidecar": {"archive_dir": archive}}}
    backtesting = Backtesting(space.config(overlay))
    try:
        candles, _ = backtesting.load_bt_data()
        (strategy,) = backtesting.strategylist
        backtesting._set_strategy(strategy)
        strategy.ft_bot_start()
        return dict(strategy.advise_all_indicators(candles))
    finally:
        Backtesting.cleanup()
