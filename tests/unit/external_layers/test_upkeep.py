"""What streams cannot give is asked for: together, again, and no more often than allowed."""

import asyncio
from typing import Any

import pytest

from external_layers.market_watch import MarketWatch
from external_layers.upkeep import Upkeep
from scalp_strategy.errors import PayloadError, SourceRejected, SourceUnavailable
from scalp_strategy.settings import Settings
from tests.unit.external_layers import frames
from tests.unit.external_layers.sidecar_parts import BTC, ETH, START, Clock

LEVELS = [["99.9", "1"]], [["100.1", "1"]]


class Exchange:
    """A REST interface; symbols in `faults` get an error, paths in `answers` another answer."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.faults: dict[str, Exception] = {}
        self.answers: dict[str, Any] = {}
        self.at_once = self.most_at_once = 0

    async def get(self, path: str, params: Any = None, *, weight: int) -> Any:
        self.asked.append((path.rpartition("/")[2], params["symbol"]))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if params["symbol"] in self.faults:
            raise self.faults[params["symbol"]]
        name = path.rpartition("/")[2]
        if name in self.answers:
            return self.answers[name]
        return {
            "klines": [[START - 900_000, "1", "2", "0.5", "1.5", "9"]],
            "depth": {"lastUpdateId": 1, "bids": LEVELS[0], "asks": LEVELS[1]},
            "openInterest": {"openInterest": "5", "time": START},
        }[name]


class House:
    """Two watched pairs and their upkeep."""

    def __init__(self) -> None:
        self.clock, self.exchange = Clock(START), Exchange()
        self.watch = MarketWatch("futures", Settings())
        self.watch.watch({"BTCUSDT": BTC, "ETHUSDT": ETH})
        self.upkeep = Upkeep(
            self.exchange, self.exchange, self.watch, Settings(), self.clock.now_ms
        )

    def asked(self, name: str, *given: Any, after_ms: int = 0) -> list[str]:
        """Do a job at a later time; return the symbols asked for."""
        self.clock.ms += after_ms
        self.exchange.asked.clear()
        asyncio.run(getattr(self.upkeep, name)(*given))
        return sorted(symbol for _, symbol in self.exchange.asked)

    def unsync(self, number: int = 1) -> None:
        for symbol in ("BTCUSDT", "ETHUSDT"):
            self.watch.on_gap([f"{symbol.lower()}@depth@100ms"])
            update = frames.change(symbol, number, START, [], [])
            self.watch.on_frame("futures", update, START)


@pytest.fixture
def house() -> House:
    return House()


def test_all_missing_candles_are_asked_for_at_once_and_then_no_more(house: House) -> None:
    assert house.asked("fill_candles") == ["BTCUSDT"] * 3 + ["ETHUSDT"] * 3
    assert house.exchange.most_at_once == 6
    assert house.asked("fill_candles") == []
    assert len(house.watch.watches[BTC].shelves["5m"]) == 1
    house.watch.on_gap(["btcusdt@kline_1m"])
    assert house.asked("fill_candles", after_ms=1) == ["BTCUSDT"]


def test_one_symbols_failure_leaves_the_others_filled(house: House) -> None:
    house.exchange.faults["BTCUSDT"] = SourceRejected("invalid symbol")
    with pytest.raises(SourceRejected):
        house.asked("fill_candles")
    assert {symbol for symbol, _ in house.watch.unfilled()} == {"BTCUSDT"}
    house.exchange.asked.clear()
    with pytest.raises(SourceRejected):  # it still lacks its candles; nobody is asked
        house.asked("fill_candles", after_ms=1_000)
    assert house.exchange.asked == []
    house.exchange.faults.clear()
    assert house.asked("fill_candles", after_ms=10_000) == ["BTCUSDT"] * 3


@pytest.mark.parametrize("name", ["fill_candles", "sync_books"])
def test_an_answer_that_is_none_is_asked_for_again(house: House, name: str) -> None:
    house.unsync()
    house.exchange.answers = {"klines": {"code": 1}, "depth": {"bids": []}}
    with pytest.raises(PayloadError):
        house.asked(name)
    house.exchange.answers = {}
    assert set(house.asked(name, after_ms=10_000)) == {"BTCUSDT", "ETHUSDT"}
    assert house.asked(name, after_ms=10_000) == []


def test_a_book_gets_one_snapshot_in_its_time(house: House) -> None:
    assert house.asked("sync_books") == []
    house.unsync()
    assert house.asked("sync_books") == ["BTCUSDT", "ETHUSDT"]
    assert house.watch.unsynced() == []
    house.unsync(5)
    assert house.asked("sync_books", after_ms=9_999) == []
    assert house.asked("sync_books", after_ms=1) == ["BTCUSDT", "ETHUSDT"]


def test_open_interest_is_asked_for_once_a_minute(house: House) -> None:
    symbols = ("BTCUSDT", "ETHUSDT", "XRPUSDT")
    assert house.asked("poll_open_interest", symbols) == ["BTCUSDT", "ETHUSDT"]
    assert house.asked("poll_open_interest", symbols, after_ms=59_999) == []
    assert house.asked("poll_open_interest", ["ETHUSDT"], after_ms=1) == ["ETHUSDT"]
    assert house.watch.watches[ETH].flow._state.open_interest.newest_ms == START


def test_a_perpetual_that_is_refused_is_not_asked_for_again(house: House) -> None:
    house.exchange.faults["BTCUSDT"] = SourceRejected("invalid symbol")
    symbols = ("BTCUSDT", "ETHUSDT")
    with pytest.raises(SourceRejected):
        house.asked("poll_open_interest", symbols)
    assert house.asked("poll_open_interest", symbols, after_ms=60_000) == ["ETHUSDT"]


def test_trouble_lasts_until_the_next_good_answer(house: House) -> None:
    """Or each failed poll would be told, and a second later its recovery."""
    symbols = ("BTCUSDT", "ETHUSDT")
    house.exchange.faults["BTCUSDT"] = SourceUnavailable("away")
    for wait in (0, 1_000, 1_000):
        with pytest.raises(SourceUnavailable):
            house.asked("poll_open_interest", symbols, after_ms=wait)
    house.exchange.faults.clear()
    assert house.asked("poll_open_interest", symbols, after_ms=60_000) == list(symbols)


def test_open_interest_of_the_future_does_not_poison_the_pair(house: House) -> None:
    house.exchange.answers["openInterest"] = {"openInterest": "5", "time": START * 1_000}
    with pytest.raises(PayloadError):
        house.asked("poll_open_interest", ["BTCUSDT"])
    assert {one.available_at_ms for one in house.watch.components("BTCUSDT", START)} == {START}
