"""Takers on demand: trades, candles and book of a pressed symbol agree with each other."""

from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest

from external_layers.binance.messages import MarketKind
from external_layers.replay.exchange import ReplayExchange
from external_layers.replay.flow_pressure import FlowPressure
from external_layers.replay.generator import GeneratedMarket
from external_layers.replay.intraminute import Trades
from external_layers.replay.market import ReplayMarket
from external_layers.replay.minutes import DAY_MINUTES, MINUTE_MS
from tests.unit.external_layers.replay.conftest import NOW_MS, Clock

SYMBOL = "SOLUSDT"
MINUTE = NOW_MS // MINUTE_MS
KINDS: tuple[MarketKind, ...] = ("spot", "futures")


def trades_of(market: ReplayMarket, kind: MarketKind, start_ms: int, stop_ms: int) -> Trades:
    parts = market.trades(kind, SYMBOL, start_ms, stop_ms)
    columns = (
        np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Trades)
    )
    return Trades(*columns)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.9, 1.0])
def test_takers_buy_with_the_chance_that_was_asked_for(
    market: ReplayMarket, clock: Clock, kind: MarketKind, share: float
) -> None:
    clock.ms = NOW_MS + 10 * MINUTE_MS
    market.add_pressure(FlowPressure(SYMBOL, share, NOW_MS, 10))
    trades = trades_of(market, kind, NOW_MS, clock.ms)
    assert len(trades) > 500
    error = 4 * np.sqrt(share * (1 - share) / len(trades))
    assert trades.is_buy.mean() == pytest.approx(share, abs=error)


@pytest.mark.parametrize("kind", KINDS)
def test_it_begins_and_ends_at_its_instants_and_moves_nothing_else(
    market: ReplayMarket, clock: Clock, kind: MarketKind
) -> None:
    clock.ms = NOW_MS + 10 * MINUTE_MS
    span = (NOW_MS - 5 * MINUTE_MS, clock.ms)
    plain = trades_of(market, kind, *span)
    end_ms = NOW_MS + round(2.5 * MINUTE_MS)
    market.add_pressure(FlowPressure(SYMBOL, 1.0, NOW_MS, 2.5))
    trades = trades_of(market, kind, *span)
    within = (trades.time_ms >= NOW_MS) & (trades.time_ms < end_ms)
    assert within.sum() > 50
    assert trades.is_buy[within].all()
    assert (trades.is_buy[~within] == plain.is_buy[~within]).all()
    for column in ("time_ms", "price", "amount", "id"):
        assert (getattr(trades, column) == getattr(plain, column)).all(), column
    others = market.minutes(kind, "ADAUSDT", MINUTE - 5, MINUTE + 10)
    market.clear_pressures()
    assert (
        others.taker_buy == market.minutes(kind, "ADAUSDT", MINUTE - 5, MINUTE + 10).taker_buy
    ).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shift", [0, -3 * DAY_MINUTES - 7])
def test_candles_agree_with_the_pressed_trades(
    market: ReplayMarket, clock: Clock, kind: MarketKind, shift: int
) -> None:
    clock.ms = NOW_MS + 6 * MINUTE_MS
    market.add_pressure(FlowPressure(SYMBOL, 0.9, NOW_MS, 3.0))
    market.set_shift(shift)
    candles = market.minutes(kind, SYMBOL, MINUTE - 1, MINUTE + 7)
    assert len(candles) == 8
    for place in range(7):  # the eighth is forming
        trades = market.trades_of_minute(kind, SYMBOL, int(candles.minute[place]))
        assert candles.taker_buy[place] == trades.amount[trades.is_buy].sum()
        assert candles.volume[place] == trades.amount.sum()


def test_the_forming_candle_counts_the_pressed_trades(market: ReplayMarket, clock: Clock) -> None:
    market.add_pressure(FlowPressure(SYMBOL, 1.0, MINUTE * MINUTE_MS, 5))
    forming = market.minutes("futures", SYMBOL, MINUTE, MINUTE + 1)
    assert forming.volume[0] > 0
    assert forming.taker_buy[0] == forming.volume[0]


def test_where_pressures_overlap_the_last_one_counts(market: ReplayMarket, clock: Clock) -> None:
    clock.ms = NOW_MS + 4 * MINUTE_MS
    market.add_pressure(FlowPressure(SYMBOL, 1.0, NOW_MS, 4))
    market.add_pressure(FlowPressure(SYMBOL, 0.0, NOW_MS + 2 * MINUTE_MS, 1))
    turns = [NOW_MS + minutes * MINUTE_MS for minutes in (0, 2, 3, 4)]
    shares = [
        trades_of(market, "futures", start, stop).is_buy.mean() for start, stop in pairwise(turns)
    ]
    assert shares == [1.0, 0.0, 1.0]


def bid_share(exchange: ReplayExchange, at_ms: int) -> float:
    """Mean share of bids among the ten best levels, over half a minute."""
    books = [exchange.books.at("futures", SYMBOL, at_ms + 1_000 * step, 10) for step in range(30)]
    shares = [
        book.bid_amount.sum() / (book.bid_amount.sum() + book.ask_amount.sum()) for book in books
    ]
    return float(np.mean(shares))


def test_the_book_leans_with_the_takers(exchange: ReplayExchange, clock: Clock) -> None:
    clock.ms = NOW_MS + 10 * MINUTE_MS
    at_ms = NOW_MS + 3 * MINUTE_MS
    plain = bid_share(exchange, at_ms)
    leaning = {}
    for share in (0.9, 0.1):
        exchange.control("reset", {})
        exchange.control("flow", {"symbol": SYMBOL, "buy_share": share, "at": NOW_MS})
        leaning[share] = bid_share(exchange, at_ms)
    assert leaning[0.1] < 0.4 < plain < 0.6 < leaning[0.9], (leaning, plain)


def test_the_same_market_draws_the_same_sides(source: GeneratedMarket, clock: Clock) -> None:
    sides = []
    for later in (0, 90_000):
        clock.ms = NOW_MS + 10 * MINUTE_MS + later
        market = ReplayMarket(source, clock)
        market.add_pressure(FlowPressure(SYMBOL, 0.5, NOW_MS, 10))
        sides.append(trades_of(market, "spot", NOW_MS, NOW_MS + 5 * MINUTE_MS).is_buy)
    assert (sides[0] == sides[1]).all()


def test_the_control_tells_and_takes_back(exchange: ReplayExchange) -> None:
    before = exchange.market.minutes("futures", SYMBOL, MINUTE - 3, MINUTE + 1).taker_buy
    answer = exchange.control(
        "flow", {"symbol": SYMBOL, "buy_share": 0.9, "at": NOW_MS - 2 * MINUTE_MS}
    )
    assert answer.status == 200
    assert answer.body["flows"] == [
        {"symbol": SYMBOL, "buy_share": 0.9, "at": NOW_MS - 2 * MINUTE_MS, "minutes": 30.0}
    ]
    exchange.control("flow", {"symbol": SYMBOL, "buy_share": 0.2})
    assert exchange.state()["flows"][1]["at"] == NOW_MS
    exchange.control("reset", {})
    assert exchange.state()["flows"] == []
    after = exchange.market.minutes("futures", SYMBOL, MINUTE - 3, MINUTE + 1).taker_buy
    assert (after == before).all()


@pytest.mark.parametrize(
    "body",
    [
        {"symbol": SYMBOL, "buy_share": 1.01},
        {"symbol": SYMBOL, "buy_share": -0.1},
        {"symbol": SYMBOL},
        {"symbol": "NOSUCH", "buy_share": 0.5},
        {"symbol": SYMBOL, "buy_share": 0.5, "minutes": 0},
        {"symbol": SYMBOL, "buy_share": 0.5, "until": 3},
    ],
)
def test_nonsense_is_refused(exchange: ReplayExchange, body: dict[str, object]) -> None:
    assert exchange.control("flow", body).status == 400
    assert exchange.state()["flows"] == []


def test_candle_requests_are_counted_by_length(exchange: ReplayExchange) -> None:
    for interval in ("15m", "15m", "1m"):
        exchange.answer("/fapi/v1/klines", {"symbol": SYMBOL, "interval": interval})
    counts = {"/fapi/v1/klines 15m": 2, "/fapi/v1/klines 1m": 1}
    assert exchange.request_counts()["intervals"] == counts
