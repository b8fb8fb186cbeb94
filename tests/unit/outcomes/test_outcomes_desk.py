"""The desk: which signals are looked at, when the exchange is asked, what is kept."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pandas as pd
import pytest

from external_layers.replay.overlay import overlay
from scalp_strategy.errors import RateLimited, SourceUnavailable, StoreError
from scalp_strategy.journal.records import ReplayRecord, SignalRecord
from scalp_strategy.outcomes.candles import ExchangeCandles, MemoryCandles, keyless_client
from scalp_strategy.outcomes.desk import OutcomeDesk, Sources, resolve_all
from scalp_strategy.outcomes.replay import History, epoch_ms, history_of
from scalp_strategy.settings import Settings, with_overrides
from tests.support.candles import market
from tests.support.host_stub import CANDLE, CLOSE, PAIR
from tests.support.market import running_market
from tests.support.played import VALID, frame_of, history_from, plan_at

FLAT = (100.0, 100.1, 99.9, 100.0)
STOPPED = (100.0, 100.1, 98.0, 98.5)
FALLING = (100.0, 100.1, 95.0, 95.0)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SPAN = 9 * CANDLE  # eight candles, and the one in which the time is up
DUE = CLOSE + SPAN + MINUTE
A, B, C = "AAA/USDT:USDT", "BBB/USDT:USDT", "CCC/USDT:USDT"


def document(side="long", **plan) -> dict[str, Any]:
    return json.loads(plan_at(side, **plan).to_json())


@dataclass(frozen=True)
class Row:
    """A signal as the journal gives it."""

    pair: str = PAIR
    close_time: datetime = CLOSE
    direction: str = "long"
    status: str = "vetoed"
    plan: dict[str, Any] | None = field(default_factory=document)

    @property
    def valid_until(self) -> datetime:
        return self.close_time + VALID


class Journal:
    """Gives signals and takes outcomes; with `is_slow` it has what it took a look later."""

    def __init__(self, rows: Iterable[Row], is_slow: bool = False):
        self.rows = sorted(rows, key=lambda row: row.close_time)
        self.kept: list[ReplayRecord] = []
        self.is_slow, self.is_gone, self.reads = is_slow, False, 0

    def unresolved(self, since, until, limit):
        self.reads += 1
        if self.is_gone:
            raise StoreError("locked")
        done = set() if self.is_slow else {key_of(record) for record in self.kept}
        open_rows = [
            row
            for row in self.rows
            if since <= row.close_time < until
            and (row.pair, row.direction, epoch_ms(row.close_time)) not in done
        ]
        return open_rows[:limit]

    def outcomes(self) -> dict[str, str]:
        return {record.pair: record.outcome for record in self.kept}


def key_of(record: ReplayRecord):
    return (record.pair, record.side, record.close_ms)


@dataclass
class Exchange:
    """Gives candles by pair and timeframe; a failure named for a pair is raised instead."""

    histories: dict[tuple[str, str], History] = field(default_factory=dict)
    failures: dict[str, Exception] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    spans: list[tuple[datetime, datetime]] = field(default_factory=list)

    def history(self, pair, timeframe, since, until):
        self.asked.append((pair, timeframe))
        self.spans.append((since, until))
        if pair in self.failures:
            raise self.failures[pair]
        whole = self.histories.get((pair, timeframe))
        if whole is None:
            whole = history_from([FLAT] * 600, 1 if timeframe == "1m" else 15, start=since)
        found = whole.closed_by(until)
        return found._replace(since_ms=epoch_ms(since), until_ms=epoch_ms(until))


def desk_of(journal, exchange=None, frames=None, **overrides) -> OutcomeDesk:
    settings = with_overrides(Settings(), overrides) if overrides else Settings()

    def shown(pair: str, timeframe: str) -> pd.DataFrame | None:
        return (frames or {}).get((pair, timeframe))

    sources = Sources(MemoryCandles(shown), exchange if exchange is not None else Exchange())
    return OutcomeDesk(journal, journal.kept.append, sources, settings, "bot", lambda: DUE)


# ------------------------------------------------------------------------------------- when is due


def test_a_signal_whose_time_is_up_is_resolved_from_the_exchange():
    journal, exchange = Journal([Row()]), Exchange()
    desk_of(journal, exchange).look()
    (record,) = journal.kept
    assert (record.pair, record.side, record.close_ms) == (PAIR, "long", epoch_ms(CLOSE))
    assert (record.bot, record.at_ms) == ("bot", epoch_ms(DUE))
    assert (record.outcome, record.minutes, record.resolution) == ("max_hold", 120, "1m")
    assert record.gross_r == pytest.approx(0.0)
    assert record.net_r == pytest.approx(-0.3)
    assert record.pnl_pct == pytest.approx(-0.3)
    assert exchange.asked == [(PAIR, "1m")]
    assert exchange.spans == [(CLOSE, CLOSE + SPAN)]


def test_before_its_time_is_up_nothing_is_asked():
    journal, exchange = Journal([Row()]), Exchange()
    desk_of(journal, exchange).look(CLOSE + SPAN - MINUTE)
    assert journal.kept == []
    assert exchange.asked == []


def test_candles_in_memory_need_no_exchange():
    journal, exchange = Journal([Row()]), Exchange()
    minutes = frame_of(history_from([FLAT] * 20 + [STOPPED] * 200))
    desk_of(journal, exchange, {(PAIR, "1m"): minutes}).look()
    assert journal.outcomes() == {PAIR: "sl"}
    assert exchange.asked == []


def test_candles_in_memory_that_begin_too_late_are_not_enough():
    journal, exchange = Journal([Row()]), Exchange()
    minutes = frame_of(history_from([STOPPED] * 200, start=CLOSE + MINUTE))
    desk_of(journal, exchange, {(PAIR, "1m"): minutes}).look()
    assert journal.outcomes() == {PAIR: "max_hold"}
    assert exchange.asked == [(PAIR, "1m")]


def test_minutes_are_asked_for_although_longer_candles_are_in_memory():
    journal, exchange = Journal([Row()]), Exchange()
    quarters = frame_of(history_from([STOPPED] * 20, 15))
    desk_of(journal, exchange, {(PAIR, "15m"): quarters}).look()
    assert journal.kept[0].resolution == "1m"


# --------------------------------------------------------------------------------------- no orders


@pytest.mark.parametrize("status", ["approved", "not_taken"])  # none is taken there
def test_in_a_service_without_orders_a_sent_signal_is_resolved_as_it_ends(status):
    journal, exchange = Journal([Row(A, status=status), Row(B)]), Exchange()
    minutes = frame_of(history_from([FLAT, STOPPED]))
    frames = {(A, "1m"): minutes, (B, "1m"): minutes}
    desk_of(journal, exchange, frames, signals_only=True).look(CLOSE + 2 * MINUTE)
    assert journal.outcomes() == {A: "sl"}  # of the vetoed one nobody waits to hear
    assert exchange.asked == []


def test_one_that_goes_on_is_looked_at_again_without_a_request():
    journal, exchange = Journal([Row(A, status="approved")]), Exchange()
    frames = {(A, "1m"): frame_of(history_from([FLAT] * 30))}
    frames[A, "15m"] = frame_of(history_from([FLAT] * 2, 15))
    desk = desk_of(journal, exchange, frames, signals_only=True)
    desk.look(CLOSE + 30 * MINUTE)
    assert journal.kept == exchange.asked == []
    frames[A, "1m"] = frame_of(history_from([FLAT] * 30 + [STOPPED]))
    desk.look(CLOSE + 32 * MINUTE)
    assert journal.outcomes() == {A: "sl"}


def test_where_only_long_candles_show_the_end_the_minutes_are_asked_for_once_a_candle():
    journal = Journal([Row(A, status="approved")])
    exchange = Exchange({(A, "1m"): history_from([FLAT] * 20 + [STOPPED] * 3 + [FLAT] * 100)})
    frames = {(A, "15m"): frame_of(history_from([FLAT, STOPPED], 15))}
    desk_of(journal, exchange, frames, signals_only=True).look(CLOSE + 30 * MINUTE)
    assert exchange.spans == [(CLOSE, CLOSE + 30 * MINUTE)]
    assert (journal.kept[0].outcome, journal.kept[0].minutes) == ("sl", 20)

    journal = Journal([Row(A, status="approved")])
    exchange = Exchange()  # whose minutes do not show it
    desk = desk_of(journal, exchange, frames, signals_only=True)
    for minute in (30, 31, 33, 44):
        desk.look(CLOSE + minute * MINUTE)
    assert exchange.asked == [(A, "1m")]
    assert journal.kept == []
    desk.look(CLOSE + 45 * MINUTE)
    assert len(exchange.asked) == 2


def test_a_trading_bot_looks_at_none_before_its_time():
    journal = Journal([Row(A, status="approved")])
    frames = {(A, "1m"): frame_of(history_from([STOPPED] * 5))}
    desk_of(journal, Exchange(), frames).look(CLOSE + 10 * MINUTE)
    assert journal.kept == []


# ------------------------------------------------------------------------------- nothing to be said


@pytest.mark.parametrize("plan", [None, {}, {"v": 1, "side": "long"}, document("short")])
def test_a_signal_without_a_plan_is_other_and_asks_nothing(plan):
    journal, exchange = Journal([Row(plan=plan)]), Exchange()
    desk_of(journal, exchange).look()
    (record,) = journal.kept
    assert record.outcome == "other"
    assert (record.gross_r, record.net_r, record.pnl_pct) == (None, None, None)
    assert (record.minutes, record.resolution) == (0, "")
    assert exchange.asked == []


def test_a_hole_in_the_minutes_is_left_to_longer_candles():
    holed = history_from([FLAT] * 200, missing=range(30, 60))
    exchange = Exchange({(PAIR, "1m"): holed})
    journal = Journal([Row()])
    desk_of(journal, exchange).look()
    assert exchange.asked == [(PAIR, "1m"), (PAIR, "15m")]
    assert (journal.kept[0].outcome, journal.kept[0].resolution) == ("max_hold", "15m")


def test_a_hole_in_all_candles_is_other_for_good():
    exchange = Exchange(
        {
            (PAIR, "1m"): history_from([FLAT] * 200, missing=range(30, 60)),
            (PAIR, "15m"): history_from([FLAT] * 20, 15, missing=[2, 3]),
        }
    )
    journal = Journal([Row()])
    desk = desk_of(journal, exchange)
    desk.look()
    assert journal.outcomes() == {PAIR: "other"}
    desk.look(DUE + HOUR)
    assert len(exchange.asked) == 2


def test_an_entry_that_drifted_is_expired():
    exchange = Exchange({(PAIR, "1m"): history_from([(101.0, 101.0, 101.0, 101.0)] * 200)})
    journal = Journal([Row()])
    desk_of(journal, exchange).look()
    assert journal.outcomes() == {PAIR: "expired"}


# ---------------------------------------------------------------------------- requests and bounds


def test_signals_of_one_pair_share_one_request_from_the_oldest_on():
    rows = [
        Row(close_time=CLOSE - place * CANDLE, direction=side)
        for place in range(4)
        for side in ("long", "short")
    ]
    rows = [
        Row(row.pair, row.close_time, row.direction, plan=document(row.direction)) for row in rows
    ]
    journal, exchange = Journal(rows), Exchange()
    desk_of(journal, exchange).look()
    assert len(journal.kept) == 8
    assert exchange.spans == [(CLOSE - 3 * CANDLE, CLOSE + SPAN)]


def test_a_look_asks_for_few_pairs_and_the_next_goes_on_at_once():
    rows = [Row(pair, CLOSE - place * CANDLE) for place, pair in enumerate((C, B, A))]
    journal, exchange = Journal(rows), Exchange()
    desk = desk_of(journal, exchange)
    desk.look()
    assert [pair for pair, _ in exchange.asked] == [A, B]  # the oldest first
    desk.look()
    assert [pair for pair, _ in exchange.asked] == [A, B, C]


def test_when_all_is_told_a_look_a_minute_is_enough():
    journal = Journal([])
    desk = desk_of(journal)
    for second in range(0, 121, 5):
        desk.look(DUE + timedelta(seconds=second))
    assert journal.reads == 3


def test_a_clock_that_is_set_back_does_not_stop_the_looks():
    journal = Journal([])
    desk = desk_of(journal)
    desk.look(DUE)
    desk.look(DUE - HOUR)
    assert journal.reads == 2


def test_what_the_database_does_not_have_yet_is_not_kept_twice():
    journal, exchange = Journal([Row()], is_slow=True), Exchange()
    desk = desk_of(journal, exchange)
    desk.look()
    desk.look(DUE + 2 * MINUTE)
    assert len(journal.kept) == len(exchange.asked) == 1


def test_signals_that_are_too_old_stay_as_they_are():
    rows = [Row(A, CLOSE - 7 * DAY), Row(B, CLOSE - 6 * DAY)]
    journal, exchange = Journal(rows), Exchange()
    desk_of(journal, exchange).look()
    assert journal.outcomes() == {B: "max_hold"}


def test_more_signals_than_one_page_are_all_reached():
    pairs = [f"P{number}/USDT:USDT" for number in range(600)]
    rows = [Row(pair, CLOSE - place * CANDLE) for place in range(4) for pair in pairs]
    journal = Journal(rows)
    frames = {
        (pair, "1m"): frame_of(history_from([FLAT] * 200, start=CLOSE - 3 * CANDLE))
        for pair in pairs
    }
    desk_of(journal, Exchange(), frames).look()
    assert len(journal.kept) == len({key_of(record) for record in journal.kept}) == 2_400


def test_a_pair_on_two_pages_is_asked_for_once_a_look():
    planless = [f"P{number}/USDT:USDT" for number in range(600)]
    rows = [
        Row(pair, close, plan=None if pair in planless else document())
        for close in (CLOSE - CANDLE, CLOSE)
        for pair in (*planless, A)
    ]
    journal, exchange = Journal(rows), Exchange()
    desk = desk_of(journal, exchange)
    desk.look()
    assert exchange.asked == [(A, "1m")]
    desk.look(DUE + 2 * MINUTE)
    assert len(journal.kept) == len(rows)


def test_a_journal_that_cannot_be_read_is_tried_again():
    journal = Journal([Row()])
    desk = desk_of(journal)
    journal.is_gone = True
    desk.look()
    journal.is_gone = False
    desk.look()
    assert len(journal.kept) == 1


# ---------------------------------------------------------------------------------------- failures


def test_a_pair_that_fails_does_not_hold_up_the_others():
    rows = [Row(A, CLOSE - 2 * CANDLE), Row(B, CLOSE - CANDLE), Row(C)]
    journal = Journal(rows)
    exchange = Exchange(failures={A: SourceUnavailable("no such pair")})
    desk = desk_of(journal, exchange, **{"journal.resolve_pairs": 1})
    for _ in range(3):
        desk.look()
    assert journal.outcomes() == {B: "max_hold", C: "max_hold"}
    assert [pair for pair, _ in exchange.asked] == [A, B, C]


def test_a_pair_that_fails_is_asked_less_and_less_and_found_when_it_is_back():
    journal = Journal([Row(A)])
    exchange = Exchange(failures={A: SourceUnavailable("gone")})
    desk = desk_of(journal, exchange, **{"journal.resolve_days": 7})
    for minute in range(24 * 60):
        desk.look(DUE + minute * MINUTE)
    assert len(exchange.asked) == pytest.approx(24 + 6, abs=2)  # hourly, after the first hour
    exchange.failures.clear()
    desk.look(DUE + DAY + HOUR)
    assert journal.outcomes() == {A: "max_hold"}


def test_an_exchange_that_wants_a_pause_gets_one_for_all_pairs():
    rows = [Row(pair, CLOSE - place * CANDLE) for place, pair in enumerate((C, B, A))]
    journal = Journal(rows)
    exchange = Exchange(failures={A: RateLimited("too many")})
    desk = desk_of(journal, exchange)
    desk.look()
    assert exchange.asked == [(A, "1m")]
    desk.look(DUE + timedelta(seconds=30))
    assert exchange.asked == [(A, "1m")]
    exchange.failures.clear()
    desk.look(DUE + 2 * MINUTE)
    desk.look(DUE + 2 * MINUTE)
    assert len(journal.kept) == 3


def test_a_pause_after_an_answer_is_a_short_one_again():
    journal = Journal([Row(pair, CLOSE - place * CANDLE) for place, pair in enumerate((B, A))])
    exchange = Exchange(failures={A: RateLimited("too many")})
    desk = desk_of(journal, exchange, **{"journal.resolve_pairs": 1})
    desk.look()
    exchange.failures = {B: RateLimited("too many")}
    desk.look(DUE + 2 * MINUTE)  # A answers
    desk.look(DUE + 2 * MINUTE)  # B wants another pause
    exchange.failures.clear()
    desk.look(DUE + 2 * MINUTE + timedelta(seconds=61))
    assert journal.outcomes() == {A: "max_hold", B: "max_hold"}


def test_a_failure_of_the_longer_candles_keeps_what_the_minutes_told():
    class HalfGone(Exchange):
        def history(self, pair, timeframe, since, until):
            if timeframe == "15m":
                raise SourceUnavailable("gone")
            return super().history(pair, timeframe, since, until)

    holed = history_from([FLAT] * 400, start=CLOSE - 2 * HOUR, missing=range(10, 60))
    journal = Journal([Row(close_time=CLOSE - 2 * HOUR), Row()])
    desk_of(journal, HalfGone({(PAIR, "1m"): holed})).look()
    assert [record.close_ms for record in journal.kept] == [epoch_ms(CLOSE)]


# ------------------------------------------------------------------- after three days of downtime


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_market("--symbols", "BTC,ETH,SOL") as address:
        yield address


def test_three_days_are_caught_up_from_a_real_market(url):
    """Over HTTP with errors and delays on the way; every signal once, none forgotten."""
    config = {"trading_mode": "futures", "exchange": overlay(url)["exchange"]}
    config["exchange"]["name"] = "binance"
    markets = keyless_client(config).load_markets()
    now = datetime.now(UTC)
    last = now.replace(minute=0, second=0, microsecond=0) - 3 * HOUR
    exchange = ExchangeCandles(config, lambda: markets)
    pairs = ("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT")
    rows = []
    for pair in pairs:
        for place in range(24):
            close = last - place * 3 * HOUR
            opened = exchange.history(pair, "15m", close, close + CANDLE).prices[0, 0]
            side = "long" if place % 2 else "short"
            distance = 0.005 * opened
            plan = document(side, price=opened, distance=distance, atr=0.6 * distance)
            rows.append(Row(pair, close, side, plan=plan))
    journal = Journal(rows)
    httpx.post(f"{url}/control/errors", json={"path": "klines", "status": 503, "count": 1})
    httpx.post(f"{url}/control/delay", json={"path": "klines", "seconds": 0.05, "count": 5})
    desk = desk_of(journal, exchange)
    for look in range(8):
        desk.look(now + look * 2 * MINUTE)
    assert len(journal.kept) == len(rows)
    assert {key_of(record) for record in journal.kept} == {
        (row.pair, row.direction, epoch_ms(row.close_time)) for row in rows
    }
    assert {record.resolution for record in journal.kept} == {"1m"}
    assert len({record.outcome for record in journal.kept}) >= 3


# --------------------------------------------------------------------------------------- backtests


def record(pair=PAIR, close=CLOSE, side="long", plan=None, score=70) -> SignalRecord:
    return SignalRecord(
        bot="backtest",
        pair=pair,
        side=side,
        close_ms=epoch_ms(close),
        at_ms=epoch_ms(close),
        status="approved",
        score=score,
        tier="MEDIUM",
        price=100.0,
        plan=document(side) if plan is None else plan,
    )


def test_a_backtest_is_resolved_pair_by_pair():
    asked = []

    def candles(pair: str) -> list[History]:
        asked.append(pair)
        rows = [FLAT] * 20 + [FALLING] * 200 if pair == A else [FLAT] * 200
        return [history_from(rows)]

    records = [record(A), record(B), record(A, side="short"), record(B, CLOSE + CANDLE)]
    found = resolve_all(records, candles, Settings(), DUE)
    assert asked == [A, B]
    assert {(key_of(one), one.outcome) for one in found} == {
        ((A, "long", epoch_ms(CLOSE)), "sl"),
        ((A, "short", epoch_ms(CLOSE)), "tp3"),
        ((B, "long", epoch_ms(CLOSE)), "max_hold"),
        ((B, "long", epoch_ms(CLOSE + CANDLE)), "max_hold"),
    }
    assert {(one.bot, one.at_ms) for one in found} == {("backtest", epoch_ms(DUE))}


def test_the_last_signals_of_a_backtest_stay_open_and_planless_ones_are_other():
    records = [record(A, CLOSE + 3 * HOUR), record(B, plan={"v": 0})]
    found = resolve_all(records, lambda pair: [history_from([FLAT] * 200)], Settings(), DUE)
    assert [(one.pair, one.outcome) for one in found] == [(B, "other")]


def test_a_signal_told_twice_is_resolved_once():
    found = resolve_all(
        [record(), record(score=1)], lambda pair: [history_from([FLAT] * 200)], Settings(), DUE
    )
    assert len(found) == 1


def test_a_large_backtest_has_every_outcome_of_the_desk():
    """The same signals one by one through the desk, and all at once."""
    minutes = market(24 * 8, seed=5, start="2026-03-01 00:00")[1]
    start = minutes["date"].iloc[0].to_pydatetime()
    opens = dict(zip(minutes["date"], minutes["open"], strict=True))
    records, rows = [], []
    for place in range(1, 24 * 4 * 7):
        close = start + place * CANDLE
        price = opens[pd.Timestamp(close)]
        side = "long" if place % 3 else "short"
        plan = document(side, price=price, distance=0.004 * price, atr=0.002 * price)
        records.append(record(A, close, side, plan))
        rows.append(Row(A, close, side, plan=plan))
    found = resolve_all(records, lambda pair: [history_of(minutes, 1)], Settings(), DUE)
    journal = Journal(rows)
    desk = desk_of(journal, Exchange(), {(A, "1m"): minutes}, **{"journal.resolve_days": 365})
    desk.look(start + 8 * DAY)
    assert len(found) == len(rows)
    same = {(key_of(one), one.outcome, one.net_r) for one in found}
    assert same == {(key_of(one), one.outcome, one.net_r) for one in journal.kept}
    assert len({one.outcome for one in found}) >= 5
