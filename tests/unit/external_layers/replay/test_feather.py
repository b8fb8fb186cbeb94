"""Recorded candles: refined consistently, moved in time by whole days or hours."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from external_layers.replay.exchange import ReplayExchange
from external_layers.replay.feather import Alignment, RecordedMarket, ends_at_ms
from external_layers.replay.market import ReplayMarket
from external_layers.replay.minutes import MINUTE_MS
from scalp_strategy.errors import ConfigError
from tests.unit.external_layers.replay.conftest import NOW_MS

DAY_MS = 86_400_000
START = pd.Timestamp("2025-03-01T10:00Z")
COLUMNS = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}


def recording(periods: int, minutes: int, *, gap: int | None = None) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    close = np.round(100 + np.cumsum(rng.normal(0, 0.2, periods)), 2)
    open_ = np.concatenate([[100.0], close[:-1]])
    reach = np.round(rng.exponential(0.15, (2, periods)), 2)
    frame = pd.DataFrame(
        {
            "date": pd.date_range(START, periods=periods, freq=f"{minutes}min"),
            "open": open_,
            "high": np.maximum(open_, close) + reach[0],
            "low": np.minimum(open_, close) - reach[1],
            "close": close,
            "volume": np.round(rng.exponential(900, periods) + 20, 3),
        }
    )
    return frame if gap is None else frame.drop(index=gap).reset_index(drop=True)


def save(frame: pd.DataFrame, folder: Path, name: str) -> None:
    (folder / "futures").mkdir(exist_ok=True)
    frame.to_feather(folder / name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(recording(600, 5), tmp_path, "futures/BTC_USDT_USDT-5m-futures.feather")
    save(recording(40, 60), tmp_path, "futures/BTC_USDT_USDT-1h-futures.feather")
    save(recording(900, 1, gap=30), tmp_path, "ZZZ_USDT-1m.feather")
    funding = pd.DataFrame({"date": [START.ceil("8h")], "open": [0.00042]})
    save(funding, tmp_path, "futures/BTC_USDT_USDT-1h-funding_rate.feather")
    return tmp_path


def recorded(market: ReplayMarket, name: str, interval: str, periods: int) -> pd.DataFrame:
    start = int(START.timestamp()) * 1_000 - market.shift_minutes * MINUTE_MS
    length = int(pd.Timedelta(interval.replace("m", "min")).total_seconds()) * 1_000
    candles = market.candles("futures", name, interval, (start, start + periods * length))
    spec = market.spec("futures", name)
    frame = pd.DataFrame({key: getattr(candles, key) * float(spec.tick) for key in COLUMNS})
    return frame.assign(volume=candles.volume * float(spec.step))


def test_the_finest_timeframe_comes_back_exactly(folder: Path) -> None:
    source = RecordedMarket(folder, 7)
    market = ReplayMarket(source, lambda: NOW_MS + DAY_MS)
    market.set_shift(source.shift_to_end_at(NOW_MS, Alignment.DAY))
    pd.testing.assert_frame_equal(
        recorded(market, "BTCUSDT", "5m", 600), recording(600, 5)[list(COLUMNS)], rtol=1e-9
    )
    assert source.synthetic_below == {"BTCUSDT": "5m"}


def test_coarser_candles_are_aggregates_and_finer_ones_stay_inside(folder: Path) -> None:
    market = ReplayMarket(RecordedMarket(folder, 7), lambda: int(2e12))
    expected = recording(600, 5).set_index("date").resample("15min").agg(COLUMNS)
    got = recorded(market, "BTCUSDT", "15m", 200)
    np.testing.assert_allclose(got.to_numpy(), expected.to_numpy(), rtol=1e-9)
    fine = recorded(market, "BTCUSDT", "1m", 3_000)
    base = recording(600, 5)
    assert (fine["high"].to_numpy().reshape(-1, 5).max(axis=1) <= base["high"] + 1e-9).all()
    assert (fine["open"].to_numpy()[1:] != fine["close"].to_numpy()[:-1]).sum() == 0


def test_each_day_comes_from_the_finest_recording_that_covers_it(tmp_path: Path) -> None:
    coarse, fine = recording(1_200, 5), recording(2_880, 1)
    save(coarse, tmp_path, "futures/BTC_USDT_USDT-5m-futures.feather")
    save(fine, tmp_path, "futures/BTC_USDT_USDT-1m-futures.feather")
    source = RecordedMarket(tmp_path, 7)
    market = ReplayMarket(source, lambda: int(2e12))
    assert source.synthetic_below == {"BTCUSDT": "5m"}
    minutes = recorded(market, "BTCUSDT", "1m", 6_000)
    np.testing.assert_allclose(minutes["close"][:800], fine["close"][:800])
    later = recorded(market, "BTCUSDT", "5m", 1_200)
    np.testing.assert_allclose(later["close"][700:], coarse["close"][700:])


def test_a_gap_is_flat_and_without_trades(folder: Path) -> None:
    market = ReplayMarket(RecordedMarket(folder, 7), lambda: int(2e12))
    rows = recorded(market, "ZZZUSDT", "1m", 60)
    before = recording(900, 1)["close"].iloc[29]
    assert rows.iloc[30].tolist() == pytest.approx([before] * 4 + [0.0])
    minute = int(START.timestamp()) // 60 + 30
    assert len(market.trades_of_minute("futures", "ZZZUSDT", minute)) == 0
    assert market.last_trade("futures", "ZZZUSDT", minute * MINUTE_MS)[0] == round(before * 100)


@pytest.mark.parametrize(("alignment", "unit"), [(Alignment.DAY, 1_440), (Alignment.HOUR, 60)])
def test_the_recording_ends_at_the_chosen_instant_or_soon_after(
    folder: Path, alignment: Alignment, unit: int
) -> None:
    source = RecordedMarket(folder, 7)
    shift = source.shift_to_end_at(NOW_MS, alignment)
    end = int(START.timestamp()) // 60 + 600 * 5
    assert shift % unit == 0
    assert 0 <= end - shift - NOW_MS // MINUTE_MS < unit + 1


def test_a_recording_that_is_over_stands_still(folder: Path) -> None:
    late = int((START + pd.Timedelta("20D")).timestamp()) * 1_000
    exchange = ReplayExchange(RecordedMarket(folder, 7), lambda: late)
    rows = exchange.answer("/fapi/v1/klines", {"symbol": "BTCUSDT", "interval": "5m"}).body
    assert {row[5] for row in rows} == {"0.000"}
    ticker = exchange.answer("/fapi/v1/ticker/24hr", {"symbol": "BTCUSDT"}).body
    assert float(ticker["quoteVolume"]) == 0
    assert float(ticker["lastPrice"]) == recording(600, 5)["close"].iloc[-1]
    assert exchange.answer("/fapi/v1/depth", {"symbol": "BTCUSDT"}).status == 200


def test_recorded_funding_is_served(folder: Path) -> None:
    at = int(START.ceil("8h").timestamp()) * 1_000
    exchange = ReplayExchange(RecordedMarket(folder, 7), lambda: at + 17 * 3_600_000)
    rows = exchange.answer("/fapi/v1/fundingRate", {"symbol": "BTCUSDT"}).body
    rates = {row["fundingTime"]: float(row["fundingRate"]) for row in rows}
    assert rates[at] == 0.00042
    assert rates[at + 2 * 8 * 3_600_000] != 0.00042


def test_spot_and_futures_stand_in_for_each_other(folder: Path) -> None:
    source = RecordedMarket(folder, 7)
    assert sorted(source.symbols) == ["BTCUSDT", "ZZZUSDT"]
    for kind in ("spot", "futures"):
        assert source.first_minute(kind, "BTCUSDT") == int(START.timestamp()) // 60
    assert str(source.symbols["ZZZUSDT"]["spot"].tick) == "0.01"
    assert str(source.symbols["BTCUSDT"]["futures"].step) == "0.001"


def test_a_folder_without_candles_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"BTC_USDT_USDT-5m-futures\.feather"):
        RecordedMarket(tmp_path, 7)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "BTC_USDT-5m.feather").write_bytes(b"no feather")
    with pytest.raises(ConfigError, match=r"BTC_USDT-5m\.feather"):
        RecordedMarket(tmp_path, 7)


def test_end_times() -> None:
    assert ends_at_ms("now", 5) == 5
    assert ends_at_ms("1970-01-01T00:01", 5) == 60_000
    assert ends_at_ms("1970-01-01T01:00+01:00", 5) == 0
    with pytest.raises(ConfigError, match="tomorrow"):
        ends_at_ms("tomorrow", 5)
