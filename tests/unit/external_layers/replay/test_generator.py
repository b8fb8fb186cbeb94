"""The generated market: pure, consistent and shaped like a market."""

import subprocess
import sys
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from external_layers.replay.generator import GeneratedMarket
from external_layers.replay.generator_settings import GeneratorSettings
from external_layers.replay.minutes import DAY_MINUTES, Minutes
from scalp_strategy.errors import ConfigError

DAY = 20_600 * DAY_MINUTES  # 2026-05-27
MONTHS = 90 * DAY_MINUTES


def columns(minutes: Minutes) -> dict[str, list[int]]:
    return {field.name: getattr(minutes, field.name).tolist() for field in fields(Minutes)}


@pytest.fixture(scope="module")
def quarter(source: GeneratedMarket) -> dict[str, Minutes]:
    names = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "DOGEUSDT")
    return {name: source.minutes("futures", name, DAY, DAY + MONTHS) for name in names}


@settings(max_examples=15, deadline=None)
@given(start=st.integers(0, 3 * DAY_MINUTES), length=st.integers(1, 3 * DAY_MINUTES))
def test_any_range_is_a_slice_of_a_bigger_one(start: int, length: int) -> None:
    big = GeneratedMarket(3).minutes("spot", "XRPUSDT", DAY, DAY + 7 * DAY_MINUTES)
    small = GeneratedMarket(3).minutes("spot", "XRPUSDT", DAY + start, DAY + start + length)
    assert columns(small) == columns(big.between(DAY + start, DAY + start + length))


def test_order_of_queries_does_not_matter() -> None:
    one, other = GeneratedMarket(5), GeneratedMarket(5)
    late = one.minutes("futures", "SOLUSDT", DAY + 5 * DAY_MINUTES, DAY + 6 * DAY_MINUTES)
    other.minutes("spot", "BTCUSDT", DAY, DAY + DAY_MINUTES)
    other.minutes("futures", "SOLUSDT", DAY, DAY + DAY_MINUTES)
    again = other.minutes("futures", "SOLUSDT", DAY + 5 * DAY_MINUTES, DAY + 6 * DAY_MINUTES)
    assert columns(late) == columns(again)


def test_an_evicted_day_comes_back_the_same() -> None:
    small = GeneratedMarket(5, settings=GeneratorSettings(cached_days=8))
    before = small.minutes("spot", "ETHUSDT", DAY, DAY + 60)
    small.minutes("spot", "ETHUSDT", DAY + DAY_MINUTES, DAY + 20 * DAY_MINUTES)
    assert columns(before) == columns(small.minutes("spot", "ETHUSDT", DAY, DAY + 60))


def test_another_process_sees_the_same_candles(source: GeneratedMarket) -> None:
    code = (
        "from external_layers.replay.generator import GeneratedMarket\n"
        f"m = GeneratedMarket(7).minutes('futures', 'LINKUSDT', {DAY}, {DAY + 500})\n"
        "print(m.high.tolist(), m.volume.tolist())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here = source.minutes("futures", "LINKUSDT", DAY, DAY + 500)
    assert run.stdout.strip() == f"{here.high.tolist()} {here.volume.tolist()}"


def test_seeds_and_symbols_differ() -> None:
    first = GeneratedMarket(1).minutes("spot", "BTCUSDT", DAY, DAY + 100)
    second = GeneratedMarket(2).minutes("spot", "BTCUSDT", DAY, DAY + 100)
    assert first.close.tolist() != second.close.tolist()


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(sorted(GeneratedMarket(7).symbols)),
    kind=st.sampled_from(["spot", "futures"]),
    day=st.integers(-500, 900),
)
def test_every_candle_is_consistent(name: str, kind: str, day: int) -> None:
    start = DAY + day * DAY_MINUTES
    rows = GeneratedMarket(7).minutes(kind, name, start - 1, start + DAY_MINUTES)
    if not len(rows):
        return
    assert (rows.low <= np.minimum(rows.open, rows.close)).all()
    assert (rows.high >= np.maximum(rows.open, rows.close)).all()
    assert (rows.low > 0).all()
    assert (rows.open[1:] == rows.close[:-1]).all()
    assert (rows.trades >= 4).all()
    assert (rows.volume >= rows.trades).all()
    assert ((rows.taker_buy >= 1) & (rows.taker_buy < rows.volume)).all()
    assert (np.diff(rows.first_id) == rows.trades[:-1]).all()


def test_ids_lead_back_to_their_minute(source: GeneratedMarket) -> None:
    rows = source.minutes("futures", "BTCUSDT", DAY + 1_430, DAY + 1_450)
    for place in range(len(rows)):
        minute, first = int(rows.minute[place]), int(rows.first_id[place])
        last = first + int(rows.trades[place]) - 1
        assert source.minute_of_trade("futures", "BTCUSDT", first) == minute
        assert source.minute_of_trade("futures", "BTCUSDT", last) == minute


def test_history_starts_at_the_listing(source: GeneratedMarket) -> None:
    first = source.first_minute("spot", "WLDUSDT")
    assert first > source.first_minute("spot", "BTCUSDT")
    assert source.minutes("spot", "WLDUSDT", first - 500, first + 5).minute[0] == first


def test_unknown_symbols_are_named() -> None:
    with pytest.raises(ConfigError, match="NOPEUSDT"):
        GeneratedMarket(7, ["BTCUSDT", "NOPEUSDT"])


def quarter_hours(rows: Minutes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    high = rows.high.reshape(-1, 15).max(axis=1).astype(float)
    low = rows.low.reshape(-1, 15).min(axis=1).astype(float)
    return high, low, rows.close.reshape(-1, 15)[:, -1].astype(float)


def median_atr_pct(rows: Minutes) -> float:
    high, low, close = quarter_hours(rows)
    before = np.concatenate([close[:1], close[:-1]])
    true_range = np.maximum(high, before) - np.minimum(low, before)
    atr = np.convolve(true_range, np.ones(14) / 14, "valid")
    return float(np.median(atr / close[13:])) * 100


def test_volatility_is_that_of_real_pairs(quarter: dict[str, Minutes]) -> None:
    assert 0.25 < median_atr_pct(quarter["BTCUSDT"]) < 0.5
    for alt in ("ETHUSDT", "SOLUSDT", "DOGEUSDT"):
        assert 0.4 < median_atr_pct(quarter[alt]) < 0.95


def test_pairs_move_together(quarter: dict[str, Minutes]) -> None:
    returns = {name: np.diff(np.log(quarter_hours(rows)[2])) for name, rows in quarter.items()}
    for alt in ("ETHUSDT", "SOLUSDT", "DOGEUSDT"):
        assert 0.5 < np.corrcoef(returns["BTCUSDT"], returns[alt])[0, 1] < 0.9


def test_returns_have_fat_tails_and_clusters(quarter: dict[str, Minutes]) -> None:
    returns = np.diff(np.log(quarter_hours(quarter["ETHUSDT"])[2]))
    centred = returns - returns.mean()
    assert (centred**4).mean() / (centred**2).mean() ** 2 > 5
    size = np.abs(centred)
    assert np.corrcoef(size[:-4], size[4:])[0, 1] > 0.08
    assert abs(np.corrcoef(returns[:-1], returns[1:])[0, 1]) < 0.08


def test_volume_goes_with_the_size_and_takers_with_the_sign_of_a_move(
    quarter: dict[str, Minutes],
) -> None:
    rows = quarter["SOLUSDT"]
    moves = rows.close - rows.open
    share = rows.taker_buy / rows.volume
    assert np.corrcoef(np.abs(moves), rows.volume)[0, 1] > 0.3
    assert np.corrcoef(np.sign(moves), share)[0, 1] > 0.3


def test_prices_stay_plausible_for_years(source: GeneratedMarket) -> None:
    for name in ("BTCUSDT", "DOGEUSDT"):
        spec = source.symbols[name]["spot"]
        days = [source.minutes("spot", name, DAY + d * DAY_MINUTES, DAY + d * DAY_MINUTES + 1)
                for d in range(-800, 1_500, 100)]  # fmt: skip
        prices = np.array([int(day.close[0]) for day in days]) * float(spec.tick)
        assert ((prices > spec.reference_price / 8) & (prices < spec.reference_price * 8)).all()


def test_futures_stay_close_to_spot(source: GeneratedMarket) -> None:
    spot = source.minutes("spot", "BTCUSDT", DAY, DAY + 10 * DAY_MINUTES)
    futures = source.minutes("futures", "BTCUSDT", DAY, DAY + 10 * DAY_MINUTES)
    basis = futures.close * 0.1 / (spot.close * 0.01) - 1
    assert np.abs(basis).max() < 0.004
    assert 0 < np.abs(basis).mean() < 0.001
