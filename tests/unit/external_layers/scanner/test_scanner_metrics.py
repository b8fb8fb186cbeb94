"""Scores by hand, each filter at its edge, and what unknown values do."""

from math import inf, isnan, nan

import numpy as np
import pandas as pd
import pytest

from external_layers.scanner.answers import Book, BookTicker, Candles
from external_layers.scanner.metrics import deserves_book, passes_ticker_filters
from external_layers.scanner.scores import (
    Readings,
    atr_pct,
    depth_usdt,
    liquidity_score,
    opportunity_score,
    potential,
    spread_pct,
)
from scalp_strategy.contract import CANDLE_MS
from scalp_strategy.setting_groups.scanner import LiquiditySettings, ScannerSettings
from scalp_strategy.technical.frame import technical_frame
from tests.unit.external_layers.scanner.pairs import GOOD, metrics_of

SETTINGS = ScannerSettings()


def specification_score(
    volume_24h: float, spread: float, atr_pct: float, price_change: float
) -> float:
    """The function of the specification, as written there."""
    volume_score = min(100, (volume_24h / 5_000_000) * 100)
    spread_score = max(0, 100 - (spread / 0.10 * 100))
    volatility_score = min(100, (atr_pct / 1.0) * 100)
    momentum_score = min(100, abs(price_change) / 3 * 100)
    return (
        volume_score * 0.35 + spread_score * 0.25 + volatility_score * 0.25 + momentum_score * 0.15
    )


@pytest.mark.parametrize(
    ("volume", "spread", "atr", "change", "score"),
    [
        (5_000_000, 0.0, 1.0, 3.0, 100.0),
        (9e9, 0.0, 7.0, -40.0, 100.0),
        (0.0, 0.10, 0.0, 0.0, 0.0),
        (0.0, 0.30, 0.0, 0.0, 0.0),
        (2_340_000, 0.02, 0.45, -1.5, 16.38 + 20.0 + 11.25 + 7.5),
        (2_500_000, 0.05, 0.5, 1.5, 50.0),
    ],
)
def test_opportunity_score(
    volume: float, spread: float, atr: float, change: float, score: float
) -> None:
    known = Readings(volume_24h=volume, spread_pct=spread, atr_pct=atr, change_24h_pct=change)
    assert opportunity_score(known, SETTINGS) == pytest.approx(score)
    assert specification_score(volume, spread, atr, change) == pytest.approx(score)


def test_liquidity_score() -> None:
    known = Readings(volume_24h=2_500_000, spread_pct=0.02, depth_usdt=40_000)
    marks = LiquiditySettings()
    assert liquidity_score(known, marks) == pytest.approx(50 * 0.4 + 80 * 0.3 + 40 * 0.3)
    full = Readings(volume_24h=6e6, spread_pct=0.0, depth_usdt=inf)
    assert liquidity_score(full, marks) == pytest.approx(100)
    assert isnan(liquidity_score(Readings(volume_24h=6e6, spread_pct=0.0), marks))


@pytest.mark.parametrize(
    ("bid", "ask", "spread"),
    [
        (99.0, 100.0, 1.0),
        (0.4995, 0.5, 0.1),
        (2.0, 2.0, 0.0),
        (0.0, 2.0, nan),
        (2.0, 0.0, nan),
    ],
)
def test_spread(bid: float, ask: float, spread: float) -> None:
    assert spread_pct(BookTicker("X", bid, ask)) == pytest.approx(spread, nan_ok=True, rel=1e-12)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"volume_24h": 500_000.0}, "24 h volume 500,000 USDT is not above 500,000"),
        ({"spread_pct": 0.10}, "spread 0.1000 % is not below 0.1 %"),
        ({"change_24h_pct": 0.5}, "24 h change +0.50 % is not beyond 0.5 %: too quiet"),
        ({"change_24h_pct": -0.5}, "24 h change -0.50 % is not beyond 0.5 %: too quiet"),
        ({"history_candles": 199}, "199 candles of 15m history are fewer than 200"),
        ({"atr_pct": 0.299}, "ATR 0.299 % of price is below 0.3 %: too little movement"),
    ],
)
def test_a_filter_refuses_at_its_edge(change: dict[str, float], words: str) -> None:
    metrics = metrics_of(**change)
    assert words in metrics.reasons
    assert not metrics.qualified


@pytest.mark.parametrize(
    "change",
    [
        {"volume_24h": 500_001.0, "atr_pct": 1.0, "spread_pct": 0.0, "change_24h_pct": 3.0},
        {"spread_pct": 0.0999},
        {"change_24h_pct": 0.51},
        {"change_24h_pct": -0.51},
        {"history_candles": 200},
        {"atr_pct": 0.3},
    ],
)
def test_a_filter_lets_pass_just_inside(change: dict[str, float]) -> None:
    easy = ScannerSettings(min_liquidity_score=0)
    metrics = metrics_of(settings=easy, **change)
    assert metrics.qualified
    assert metrics.reasons == ()


def test_the_scores_are_filters_too() -> None:
    # depth 20 * 0.3 + volume 40 + spread 80 * 0.3 = 70; exactly the least passes
    thin = {"depth_usdt": 20_000.0}
    assert metrics_of(settings=ScannerSettings(min_liquidity_score=70), **thin).qualified
    strict = metrics_of(settings=ScannerSettings(min_liquidity_score=70.1), **thin)
    assert strict.reasons == ("liquidity score 70.0 is below 70.1",)
    # volume 35 + spread 20 + ATR 15 + change 10 = 80; exactly the threshold does not
    assert metrics_of(settings=ScannerSettings(min_opportunity_score=79.9)).qualified
    low = metrics_of(settings=ScannerSettings(min_opportunity_score=80))
    assert low.reasons == ("opportunity score 80.00 is not above 80",)

    assert not low.qualified


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"volume_24h": nan}, "24 h volume is unknown"),
        ({"spread_pct": nan}, "spread is unknown"),
        ({"change_24h_pct": nan}, "24 h change is unknown"),
        ({"history_candles": None}, "15m history is unknown"),
        ({"atr_pct": nan}, "ATR is unknown"),
        ({"depth_usdt": nan}, "liquidity score is unknown"),
    ],
)
def test_unknown_never_qualifies(change: dict[str, float | None], words: str) -> None:
    metrics = metrics_of(**change)
    assert words in metrics.reasons
    assert not metrics.qualified


def test_failures_come_before_unknowns() -> None:
    reasons = metrics_of(volume_24h=nan, spread_pct=0.2).reasons
    assert reasons[0].startswith("spread 0.2000 %")
    assert all(reason.endswith("is unknown") for reason in reasons[1:])


def test_who_is_looked_at_closer() -> None:
    assert passes_ticker_filters(Readings(volume_24h=1e6, spread_pct=0, change_24h_pct=1), SETTINGS)
    assert not passes_ticker_filters(Readings(volume_24h=1e6, spread_pct=0), SETTINGS)
    without_book = Readings(**{name: getattr(GOOD, name) for name in Readings.__slots__[:-1]})
    assert deserves_book(without_book, SETTINGS)
    assert not deserves_book(without_book, ScannerSettings(min_opportunity_score=80))
    assert not deserves_book(Readings(volume_24h=1e7, spread_pct=0, change_24h_pct=1), SETTINGS)
    assert potential(without_book, SETTINGS) == pytest.approx(80 + 10)


def random_candles(rows: int, seed: int = 3) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    close = 1e-5 * np.exp(np.cumsum(random.normal(0, 0.004, rows)))
    opened = np.roll(close, 1)
    opened[0] = close[0]
    high = np.maximum(opened, close) * (1 + random.random(rows) * 0.003)
    low = np.minimum(opened, close) * (1 - random.random(rows) * 0.003)
    dates = pd.date_range("2026-01-01", periods=rows, freq="15min", tz="UTC")
    volume = random.random(rows)
    return pd.DataFrame(
        {"date": dates, "open": opened, "high": high, "low": low, "close": close, "volume": volume}
    )


def as_candles(frame: pd.DataFrame) -> Candles:
    opens = frame["date"].array.as_unit("ms").asi8
    high, low, close = (frame[name].to_numpy() for name in ("high", "low", "close"))
    return Candles(opens, high, low, close)


def test_atr_equals_the_strategys() -> None:
    frame = random_candles(900)
    expected = technical_frame(frame)["atr_pct"].iloc[-1]
    assert atr_pct(as_candles(frame), 14) == pytest.approx(expected, rel=1e-12)
    assert atr_pct(as_candles(frame.iloc[-200:]), 14) == pytest.approx(expected, rel=2e-6)


def test_atr_by_hand() -> None:
    # every candle 2 wide on a close of 100: ATR 2 %
    size = 30
    opens = np.arange(size, dtype=np.int64) * CANDLE_MS
    flat = Candles(opens, np.full(size, 101.0), np.full(size, 99.0), np.full(size, 100.0))
    assert atr_pct(flat, 14) == pytest.approx(2.0)
    assert isnan(atr_pct(Candles(*(getattr(flat, n)[:14] for n in flat.__struct_fields__)), 14))


def test_atr_forgets_what_lies_before_a_hole() -> None:
    frame = random_candles(200)
    wild = frame.copy()
    wild.loc[:99, "high"] *= 5
    holed = wild.drop(index=100)
    after = frame.iloc[101:]
    assert atr_pct(as_candles(holed), 14) == atr_pct(as_candles(after), 14)
    assert isnan(atr_pct(as_candles(frame.drop(index=190)), 14))


def test_depth_is_the_thinner_side_within_reach() -> None:
    bids = [(99.9, 10.0), (99.5, 10.0), (99.4, 1_000.0)]
    asks = [(100.1, 10.0), (100.5, 5.0), (101.0, 1_000.0)]
    book = Book(bids, asks)  # middle 100, so 99.5..100.5 counts, the edges too
    assert depth_usdt(book, 0.5) == pytest.approx(min(999 + 995, 1_001 + 502.5))
    assert depth_usdt(Book(bids, []), 0.5) == 0.0
