from datetime import timedelta

import numpy as np
import pyarrow.parquet as pq
import pytest
from freqtrade.enums import CandleType

from scalp_strategy.base_rate import base_rates
from scalp_strategy.base_rate_desk import BaseRateDesk, base_rate_desk, memory_path
from scalp_strategy.base_rate_file import MemoryFile, fingerprint
from scalp_strategy.errors import ContractViolation, StoreError
from scalp_strategy.settings import Settings, with_overrides
from tests.support.base_rates import analysed, candles_of, noise, occurrences
from tests.support.freqtrade import write_candles

PAIR = "SOL/USDT:USDT"
KNOWN = {
    PAIR: occurrences([(100, 6, 103, 1.5, 1.25), (120, 9, None, np.nan, np.nan)]),
    "ETH/USDT:USDT": occurrences([(101, 200, 110, -1.0, -1.3)]),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "scalp" / "base_rate-futures.parquet"


@pytest.fixture
def file(path):
    return MemoryFile(path, "abc")


def test_what_is_saved_is_loaded(file):
    file.save(KNOWN)
    loaded = file.load()
    assert loaded.keys() == KNOWN.keys()
    for pair, occurrence in KNOWN.items():
        for kept, given in zip(loaded[pair], occurrence, strict=True):
            np.testing.assert_array_equal(kept, given)


def test_there_may_be_no_file_and_nothing_in_it(file):
    assert file.load() == {}
    file.save({})
    assert file.load() == {}


def test_a_file_of_other_settings_is_not_used(file, path):
    file.save(KNOWN)
    assert MemoryFile(path, "def").load() == {}


def test_a_damaged_file_is_made_anew(file, path):
    file.save(KNOWN)
    whole = path.read_bytes()
    for damaged in (b"", b"PAR1", whole[: len(whole) // 2], b"\0" * 400 + whole[400:]):
        path.write_bytes(damaged)
        assert file.load() == {}
    file.save(KNOWN)
    assert file.load()


@pytest.mark.parametrize(
    ("column", "value"),
    [("group", -1), ("group", 10_000), ("candle", 0), ("candle", 2**40), ("candles_held", 0)],
)
def test_values_out_of_range_are_not_used(file, path, column, value):
    file.save(KNOWN)
    table = pq.read_table(path, partitioning=None)
    place = table.schema.get_field_index(column)
    changed = table.column(column).to_numpy().copy()
    changed[0] = value
    pq.write_table(table.set_column(place, table.schema.field(place), [changed]), path)
    assert file.load() == {}


def test_a_missing_column_or_value_is_not_used(file, path):
    file.save(KNOWN)
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.drop_columns(["net_r"]), path)
    assert file.load() == {}
    holed = [None, *table.column("candle").to_pylist()[1:]]
    pq.write_table(table.set_column(1, table.schema.field(1), [holed]), path)
    assert file.load() == {}


def test_a_refused_write_leaves_the_last_good_file(file, path):
    file.save(KNOWN)
    good = path.read_bytes()
    path.unlink()
    path.mkdir()  # a folder cannot be replaced by a file
    with pytest.raises(StoreError, match="base_rate"):
        file.save(KNOWN)
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    path.rmdir()
    path.write_bytes(good)
    assert file.load()


@pytest.mark.parametrize(
    ("change", "is_other"),
    [
        ({"technical.rsi.period": 10}, True),
        ({"risk.fee_pct": 0.07}, True),
        ({"risk.ladder.max_hold_candles": 9}, True),
        ({"base_rate.tercile_candles": 200}, True),
        ({"lower_timeframes": []}, True),
        ({"base_rate.half_life_days": 20.0}, False),
        ({"risk.sizing.max_leverage": 3.0}, False),
        ({"technical.weights.rsi": 0.10, "technical.weights.vwap": 0.12}, False),
        ({"confluence.medium_threshold": 70}, False),
    ],
)
def test_a_fingerprint_names_what_results_depend_on(change, is_other):
    other = fingerprint(with_overrides(Settings(), change))
    assert (other != fingerprint(Settings())) == is_other


# ------------------------------------------------------------------------------------ the desk

SETTINGS = with_overrides(Settings(), {"base_rate.min_samples": 1.0, "lower_timeframes": []})
START = "2025-03-01 00:00"


def nothing_shown(pair, timeframe):
    return None


CANDLES = candles_of(noise(1_900, seed=11), seed=11, start=START)
NOW = CANDLES["date"].iloc[1_700].to_pydatetime()


@pytest.fixture
def config(tmp_path):
    return {
        "user_data_dir": tmp_path,
        "datadir": tmp_path / "data",
        "dataformat_ohlcv": "feather",
        "trading_mode": "futures",
        "candle_type_def": CandleType.FUTURES,
    }


def test_a_bot_knows_what_was_downloaded_and_what_it_saw_before_a_restart(config):
    write_candles(config["datadir"], PAIR, "15m", CANDLES.iloc[:1_500], CandleType.FUTURES)
    desk = base_rate_desk(config, SETTINGS, nothing_shown)
    desk.begin(NOW, [PAIR])
    downloaded = desk.columns(PAIR, analysed(CANDLES.iloc[300:1_700], SETTINGS))
    desk.begin(NOW + timedelta(days=1), [PAIR])
    last = base_rates({PAIR: analysed(CANDLES.iloc[:1_700], SETTINGS)}, SETTINGS)[PAIR].iloc[-1]
    assert downloaded["base_rate_samples_long"].iloc[-1] == pytest.approx(
        last["base_rate_samples_long"], rel=0.02
    )
    # Now nothing is on the disk but the memory.
    for path in (config["datadir"] / "futures").iterdir():
        path.unlink()
    again = base_rate_desk(config, SETTINGS, nothing_shown)
    again.begin(NOW, [PAIR])
    remembered = again.columns(PAIR, analysed(CANDLES.iloc[300:1_700], SETTINGS))
    np.testing.assert_array_equal(remembered, downloaded)


def test_what_was_played_on_a_stand_in_market_is_no_past_of_the_real_one(config):
    real = config | {"exchange": {"name": "binance", "ccxt_config": {"enableRateLimit": True}}}
    urls = {"api": {"fapiPublic": "http://127.0.0.1:18080/fapi/v1"}}
    replay = config | {"exchange": {"name": "binance", "ccxt_config": {"urls": urls}}}
    other = config | {"exchange": {"name": "bybit"}}
    spot = real | {"trading_mode": "spot"}
    assert len({memory_path(one) for one in (real, replay, other, spot)}) == 4


def test_without_files_a_bot_knows_its_candles(config):
    desk = base_rate_desk(config, SETTINGS, nothing_shown)
    desk.begin(NOW, [PAIR])
    frame = analysed(CANDLES.iloc[:1_700], SETTINGS)
    expected = base_rates({PAIR: frame}, SETTINGS)[PAIR]
    np.testing.assert_allclose(desk.columns(PAIR, frame), expected, rtol=1e-12)


def test_downloaded_candles_that_cannot_be_read_are_left_out(config):
    folder = config["datadir"] / "futures"
    folder.mkdir(parents=True)
    (folder / "SOL_USDT_USDT-15m-futures.feather").write_bytes(b"no feather")
    desk = base_rate_desk(config, SETTINGS, nothing_shown)
    desk.begin(NOW, [PAIR])
    assert desk.columns(PAIR, analysed(CANDLES.iloc[:1_300], SETTINGS)).shape[0] == 1_300


class Shelf:
    """A file that counts and fails on demand."""

    def __init__(self):
        self.saved, self.is_full = [], False

    def load(self):
        return {}

    def save(self, pairs):
        if self.is_full:
            raise StoreError("full")
        self.saved.append(sum(one.candle.size for one in pairs.values()))


def test_it_is_written_when_it_is_due_and_a_full_disk_stops_nothing():
    shelf = Shelf()
    desk = BaseRateDesk(SETTINGS, shelf, lambda *_: None, nothing_shown)
    for minutes in (0, 15, 59, 60, 75, 120):
        desk.begin(NOW + timedelta(minutes=minutes), [PAIR])
    assert len(shelf.saved) == 3
    shelf.is_full = True
    desk.begin(NOW + timedelta(minutes=180), [PAIR])
    shelf.is_full = False
    desk.begin(NOW + timedelta(minutes=240), [PAIR])
    assert len(shelf.saved) == 4


def test_a_pair_is_read_from_disk_once_and_caught_up_with_while_it_is_late():
    downloaded, shown = [], []
    desk = BaseRateDesk(
        SETTINGS,
        Shelf(),
        lambda pair, _frame, _since: downloaded.append(pair),
        lambda pair, _frame: shown.append(pair),
    )
    desk.begin(NOW, ["A", "B"])
    assert (downloaded, shown) == (["A", "B"], ["A", "B"])
    # The last closed candle opened 15 minutes before now; A was analysed at the one before it.
    desk.columns("A", analysed(CANDLES[CANDLES["date"] <= NOW - timedelta(minutes=30)], SETTINGS))
    desk.columns("B", analysed(CANDLES[CANDLES["date"] <= NOW - timedelta(minutes=45)], SETTINGS))
    desk.begin(NOW, ["A", "B", "C", "B"])
    desk.begin(NOW + timedelta(seconds=5), ["A", "B", "C"])
    assert (downloaded, shown) == (["A", "B", "C"], ["A", "B", "B", "C"])


def test_a_pair_whose_candles_cannot_be_analysed_holds_up_the_others_for_one_loop_only():
    asked = []

    def shown(pair, _frame):
        asked.append(pair)
        return CANDLES.iloc[::-1] if pair == "BAD" else None

    desk = BaseRateDesk(SETTINGS, Shelf(), lambda *_: None, shown)
    with pytest.raises(ContractViolation):
        desk.begin(NOW, ["A", "BAD", "B"])
    desk.begin(NOW + timedelta(seconds=5), ["A", "BAD", "B"])
    assert asked == ["A", "BAD", "B"]


def test_no_more_is_read_than_is_remembered():
    since = []
    desk = BaseRateDesk(
        SETTINGS, Shelf(), lambda _pair, _frame, instant: since.append(instant), nothing_shown
    )
    desk.begin(NOW, [PAIR])
    days = (NOW - since[0]).days
    assert SETTINGS.base_rate.memory_days <= days <= SETTINGS.base_rate.memory_days + 13
