"""Whole scans of a made-up market: what is asked when, what holds when answers fail."""

import asyncio
from dataclasses import replace
from math import isnan
from typing import Any

import pytest

from external_layers.scanner.questions import WeightBucket, questions_to
from external_layers.scanner.scanner import Scan, Scanner
from external_layers.scanner.selection import ActivePair, SelectionState
from scalp_strategy.errors import PayloadError, RateLimited, SourceRejected, SourceUnavailable
from scalp_strategy.setting_groups.scanner import ScannerSettings, ScanRequestSettings
from tests.unit.external_layers.scanner.exchange_stub import MINUTE_MS, Coin, ExchangeStub

QUARTER_MS = 15 * MINUTE_MS


def market_of(*bases: str, **coin: Any) -> ExchangeStub:
    return ExchangeStub({base: Coin(**coin) for base in bases})


def scanner_of(exchange: ExchangeStub, **settings: Any) -> Scanner:
    return Scanner(exchange, "futures", ScannerSettings(**settings), exchange.clock)


def scan(scanner: Scanner, exchange: ExchangeStub, after_ms: int = MINUTE_MS) -> Scan:
    found = asyncio.run(scanner.scan())
    exchange.now_ms += after_ms
    return found


def test_a_scan_measures_every_pair() -> None:
    exchange = market_of("SOL", "ADA", "DEAD", "NEW", "WIDE")
    exchange.coins["DEAD"].change = 0.1
    exchange.coins["NEW"].history = 150
    exchange.coins["WIDE"].spread = 0.1
    scanner = scanner_of(exchange)
    found = scan(scanner, exchange)
    assert found.active == ("ADA/USDT:USDT", "SOL/USDT:USDT")
    assert found.shortage == "2 active pairs, at least 20 are aimed for: no more qualify"
    sol = found.metrics["SOL/USDT:USDT"]
    assert sol.symbol == "SOLUSDT"
    assert (sol.history_candles, sol.price, sol.volume_24h) == (200, 100.0, 1e7)
    assert sol.atr_pct == pytest.approx(0.6)  # the forming candle would make it far more
    assert sol.opportunity_score == pytest.approx(35 + 20 + 15 + 10)
    assert sol.liquidity_score == pytest.approx(40 + 24 + 30)
    assert sol.observed_at_ms == found.at_ms
    assert sol.ages_s == {"day_ticker": 0, "book_ticker": 0, "candles": 60, "depth": 0}
    assert found.metrics["NEW/USDT:USDT"].reasons[0].startswith("150 candles")
    asked = set(exchange.symbols_asked)
    assert not {("klines", "DEADUSDT"), ("klines", "WIDEUSDT"), ("depth", "NEWUSDT")} & asked
    assert (dict(found.failed), dict(found.dropped)) == ({}, {})


def test_what_is_asked_how_often() -> None:
    exchange = market_of("SOL", "ADA")
    scanner = scanner_of(exchange)
    for _ in range(60):
        scan(scanner, exchange)
    assert exchange.asked["exchangeInfo"] == 1
    assert exchange.asked["ticker/24hr"] == exchange.asked["ticker/bookTicker"] == 60
    assert exchange.asked["klines"] == 2 * 4  # once a candle
    assert exchange.asked["depth"] == 2 * 12  # every five minutes
    scan(scanner, exchange)
    assert exchange.asked["exchangeInfo"] == 2


def test_weight_of_five_hundred_markets() -> None:
    exchange = ExchangeStub({f"C{n:03}": Coin(change=0.6 + n / 100) for n in range(500)})
    for n in range(300, 500):
        exchange.coins[f"C{n:03}"].volume = 100_000
    for n in range(180):
        exchange.coins[f"C{n:03}"].half_range = 0.001
    scanner = scanner_of(exchange)
    first = scan(scanner, exchange)
    assert len(first.active) >= 20
    for _ in range(10):
        found = scan(scanner, exchange)
    known = [each for each in found.metrics.values() if not isnan(each.atr_pct)]
    assert len(known) == 300
    assert sum(each.qualified for each in found.metrics.values()) == 120
    assert len(found.active) == 40
    assert max(exchange.weights.values()) <= 45 + 240 + 1
    later = exchange.now_ms // MINUTE_MS
    for _ in range(15):
        scan(scanner, exchange)
    settled = [weight for minute, weight in exchange.weights.items() if minute >= later]
    assert sum(settled) / 15 == pytest.approx(205, rel=0.05)
    assert exchange.most_under_way <= 8


def test_the_best_are_looked_at_first() -> None:
    exchange = ExchangeStub({f"C{n:02}": Coin(change=0.6 + n / 50) for n in range(50)})
    scanner = scanner_of(exchange, requests=ScanRequestSettings(weight_per_min=70))
    found = scan(scanner, exchange)
    best = tuple(f"C{n}/USDT:USDT" for n in range(49, 39, -1))
    assert len(found.active) >= 5
    assert found.active == best[: len(found.active)]


@pytest.mark.parametrize(
    "error",
    [SourceUnavailable("no"), SourceRejected("no"), PayloadError("no"), TimeoutError("no")],
)
def test_a_failed_ticker_answer_keeps_the_last_values_for_a_while(error: Exception) -> None:
    exchange = market_of("SOL")
    scanner = scanner_of(exchange)
    scan(scanner, exchange)
    exchange.errors = {"ticker/24hr": error}
    for minutes in range(1, 6):
        found = scan(scanner, exchange)
        metrics = found.metrics["SOL/USDT:USDT"]
        assert metrics.qualified
        assert metrics.ages_s["day_ticker"] == 60 * minutes
        assert metrics.observed_at_ms == found.at_ms - minutes * MINUTE_MS
        assert found.failed == {"day_ticker": 1}
        assert found.samples == {"day_ticker": "no"}
    stale = scan(scanner, exchange)
    metrics = stale.metrics["SOL/USDT:USDT"]
    assert metrics.reasons[0] == "24 h volume is unknown"
    assert "day_ticker" not in metrics.ages_s
    assert stale.active == ("SOL/USDT:USDT",)  # for five scans in a row, see the selection
    for _ in range(4):
        found = scan(scanner, exchange)
    assert found.active == ()
    exchange.errors = {}
    assert scan(scanner, exchange).active == ("SOL/USDT:USDT",)


def test_garbage_rows_hurt_their_own_pair_only() -> None:
    exchange = market_of("SOL", "ADA")
    scanner = scanner_of(exchange)
    scan(scanner, exchange)
    exchange.coins["ADA"].change = 3.0
    broken = exchange.day_ticker("SOL") | {"quoteVolume": "?"}
    exchange.answers = {"ticker/24hr": [broken, None, exchange.day_ticker("ADA")]}
    found = scan(scanner, exchange)
    assert found.dropped == {"day_ticker": 2}
    assert found.metrics["SOL/USDT:USDT"].volume_24h == 1e7
    assert found.metrics["SOL/USDT:USDT"].ages_s["day_ticker"] == 60
    assert found.metrics["ADA/USDT:USDT"].change_24h_pct == 3.0


def test_old_candles_and_books_become_unknown() -> None:
    exchange = market_of("SOL")
    scanner = scanner_of(exchange)
    scan(scanner, exchange)
    exchange.errors = {"klines": SourceUnavailable("no"), "depth": SourceUnavailable("no")}
    exchange.now_ms += 2 * QUARTER_MS
    assert "liquidity score is unknown" in scan(scanner, exchange).metrics["SOL/USDT:USDT"].reasons
    assert scan(scanner, exchange).metrics["SOL/USDT:USDT"].atr_pct == pytest.approx(0.6)
    exchange.now_ms += QUARTER_MS
    assert "ATR is unknown" in scan(scanner, exchange).metrics["SOL/USDT:USDT"].reasons
    exchange.errors = {}
    exchange.now_ms += 2 * MINUTE_MS
    assert scan(scanner, exchange).metrics["SOL/USDT:USDT"].qualified


def test_a_failed_question_waits_before_it_is_put_again() -> None:
    exchange = market_of("SOL", "ADA")
    scanner = scanner_of(exchange)
    exchange.errors = {"klines": SourceRejected("no")}
    for asked in (2, 2, 4):
        scan(scanner, exchange)
        assert exchange.asked["klines"] == asked


def test_a_scan_gives_up_after_many_failures_and_at_once_when_limited() -> None:
    exchange = ExchangeStub({f"C{n:02}": Coin() for n in range(60)})
    scanner = scanner_of(exchange)
    exchange.errors = {"klines": SourceUnavailable("no")}
    scan(scanner, exchange)
    assert 10 <= exchange.asked["klines"] < 10 + 8  # those under way finish
    limited = ExchangeStub(dict(exchange.coins), errors={"ticker/24hr": RateLimited("slow down")})
    scan(scanner_of(limited), limited)
    assert limited.asked["klines"] == 0


def test_a_volume_collapse_leaves_at_once() -> None:
    exchange = market_of("SOL", "ADA")
    scanner = scanner_of(exchange)
    scan(scanner, exchange)
    exchange.coins["SOL"].volume = 400_000
    found = scan(scanner, exchange)
    assert found.active == ("ADA/USDT:USDT",)
    assert [(each.kind, each.pair) for each in found.changes] == [("pair_removed", "SOL/USDT:USDT")]


def test_a_halted_symbol_leaves_with_the_next_market_list() -> None:
    exchange = market_of("SOL", "ADA")
    scanner = scanner_of(exchange)
    scan(scanner, exchange)
    exchange.coins["SOL"].status = "SETTLING"
    assert len(scan(scanner, exchange).active) == 2
    exchange.now_ms += 60 * MINUTE_MS
    found = scan(scanner, exchange)
    assert found.active == ("ADA/USDT:USDT",)
    assert "SOL/USDT:USDT" not in found.metrics


@pytest.mark.parametrize("body", [{"symbols": []}, "maintenance", None])
def test_a_broken_market_list_keeps_the_last_one_until_it_is_old(body: Any) -> None:
    exchange = market_of("SOL")
    scanner = scanner_of(exchange)
    scan(scanner, exchange)
    exchange.answers = {"exchangeInfo": body}
    exchange.now_ms += 90 * MINUTE_MS
    found = scan(scanner, exchange)
    assert found.failed == {"markets": 1}
    assert found.metrics["SOL/USDT:USDT"].qualified
    assert scan(scanner, exchange).failed == {}  # not asked again every minute
    exchange.now_ms += 300 * MINUTE_MS
    metrics = scan(scanner, exchange).metrics["SOL/USDT:USDT"]
    assert metrics.reasons[-1] == "listing is unknown: the market list is too old"
    assert not metrics.qualified


def test_a_restart_keeps_its_pairs_while_the_exchange_is_away() -> None:
    exchange = market_of("SOL", "ADA")
    names = ("exchangeInfo", "ticker/24hr", "ticker/bookTicker")
    exchange.errors = {name: SourceUnavailable("away") for name in names}
    state = SelectionState({"SOL/USDT:USDT": ActivePair(1, 70.0)})
    scanner = Scanner(exchange, "futures", ScannerSettings(), exchange.clock, state)
    for _ in range(10):
        found = scan(scanner, exchange)
        assert (found.active, found.changes) == (("SOL/USDT:USDT",), ())
        assert found.shortage == "the market list is not known yet"
    exchange.errors = {}
    assert set(scan(scanner, exchange).active) == {"SOL/USDT:USDT", "ADA/USDT:USDT"}
    assert scanner.state.active["SOL/USDT:USDT"].since_ms == 1


def test_an_active_pair_is_looked_at_even_when_a_ticker_filter_refuses_it() -> None:
    exchange = market_of("SOL")
    scanner = scanner_of(exchange)
    scan(scanner, exchange)
    exchange.coins["SOL"] = replace(exchange.coins["SOL"], spread=0.11, half_range=0.004)
    exchange.now_ms += QUARTER_MS
    found = scan(scanner, exchange)
    assert found.metrics["SOL/USDT:USDT"].atr_pct == pytest.approx(0.8)
    assert found.metrics["SOL/USDT:USDT"].reasons == ("spread 0.1100 % is not below 0.1 %",)


def test_the_weight_bucket() -> None:
    bucket = WeightBucket(120, 60, 0)
    assert bucket.take(120, 0)
    assert not bucket.take(1, 400)
    assert bucket.take(1, 500)
    assert not bucket.take(1, 0)  # a clock that goes back gives nothing
    assert bucket.take(120, 600_000)
    assert not bucket.take(1, 600_000)


@pytest.mark.parametrize(
    ("rows", "weight"), [(99, 1), (100, 2), (201, 2), (499, 2), (500, 5), (1_000, 5)]
)
def test_candle_weights(rows: int, weight: int) -> None:
    assert questions_to("futures", rows).candles.weight == weight
    assert questions_to("spot", rows).candles.weight == 2
