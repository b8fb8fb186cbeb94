"""The exchange's answers, whole and broken."""

import json
from typing import Any

import numpy as np
import pytest

from external_layers.scanner.answers import book, book_tickers, closed_candles, day_tickers
from scalp_strategy.contract import CANDLE_MS
from scalp_strategy.errors import PayloadError
from tests.support.recorded import recorded

T0 = 2_000_000 * CANDLE_MS


def row(index: int, **cells: Any) -> list[Any]:
    names = ("open", "high", "low", "close", "volume")
    plain = {"open": "10", "high": "11", "low": "9", "close": "10.5", "volume": "3"} | cells
    opened = T0 + index * CANDLE_MS
    last = opened + CANDLE_MS - 1
    return [opened, *(plain[name] for name in names), last, "31", 7, "1", "10", "0"]


def test_a_good_and_many_bad_ticker_rows() -> None:
    dropped: list[PayloadError] = []
    good = {"symbol": "A", "quoteVolume": "1e6", "priceChangePercent": "-1.5", "lastPrice": "2"}
    bad = [
        None,
        7,
        {},
        good | {"quoteVolume": "many"},
        good | {"quoteVolume": "-1"},
        good | {"quoteVolume": "inf"},
        good | {"priceChangePercent": "nan"},
        good | {"lastPrice": "0"},
        good | {"symbol": None},
    ]
    found = day_tickers([*bad, good], dropped.append)
    assert (found["A"].quote_volume, found["A"].change_pct, found["A"].price) == (1e6, -1.5, 2.0)
    assert (len(found), len(dropped)) == (1, len(bad))


def test_a_crossed_book_ticker_is_garbage() -> None:
    dropped: list[PayloadError] = []
    rows = [
        {"symbol": "A", "bidPrice": "2", "askPrice": "1"},
        {"symbol": "B", "bidPrice": "1", "askPrice": "1"},
        {"symbol": "C", "bidPrice": "1", "askPrice": "0"},
    ]
    assert list(book_tickers(rows, dropped.append)) == ["B", "C"]
    assert len(dropped) == 1


@pytest.mark.parametrize("payload", [None, {}, "x", [], [None], {"code": -1, "msg": "no"}])
def test_nothing_readable_is_an_error(payload: Any) -> None:
    ignore: list[PayloadError] = []
    with pytest.raises(PayloadError):
        day_tickers(payload, ignore.append)
    with pytest.raises(PayloadError):
        book_tickers(payload, ignore.append)
    with pytest.raises(PayloadError):
        closed_candles(payload, T0, ignore.append)
    with pytest.raises(PayloadError):
        book(payload)


def test_the_forming_candle_never_counts() -> None:
    rows = [row(0), row(1), row(2)]
    dropped: list[PayloadError] = []
    in_time = closed_candles(rows, T0 + 2 * CANDLE_MS, dropped.append)
    ahead = closed_candles(rows, T0 + 9 * CANDLE_MS, dropped.append)
    late = closed_candles(rows, T0 + CANDLE_MS, dropped.append)
    assert in_time.open_ms.tolist() == ahead.open_ms.tolist() == [T0, T0 + CANDLE_MS]
    assert in_time.last_close_ms == T0 + 2 * CANDLE_MS
    assert late.open_ms.tolist() == [T0]
    assert closed_candles([row(0)], T0, dropped.append).last_close_ms == 0
    assert dropped == []


@pytest.mark.parametrize(
    "bad",
    [
        None,
        [],
        row(1)[:5],
        ["now", *row(1)[1:]],
        [True, *row(1)[1:]],
        [T0 + 1, *row(1)[1:]],
        row(1, close="12"),
        row(1, low="9.9", open="9.8"),
        row(1, low="0"),
        row(1, high="inf"),
        row(1, close="nan"),
        row(1, volume="-1"),
        row(1, open=None),
    ],
)
def test_a_bad_candle_leaves_a_hole(bad: Any) -> None:
    dropped: list[PayloadError] = []
    found = closed_candles([row(0), bad, row(2), row(3)], T0 + 99 * CANDLE_MS, dropped.append)
    assert found.open_ms.tolist() == [T0, T0 + 2 * CANDLE_MS]
    assert len(dropped) == 1


@pytest.mark.parametrize("rows", [[row(1), row(0)], [row(0), row(0)]])
def test_candles_out_of_order_are_refused(rows: list[Any]) -> None:
    with pytest.raises(PayloadError):
        closed_candles(rows, T0, lambda _: None)


def test_books() -> None:
    found = book({"lastUpdateId": 1, "bids": [["2", "1"], ["1", "5"]], "asks": [["3", "4"]]})
    assert found.bids == [(2.0, 1.0), (1.0, 5.0)]
    for bids in ([["1", "5"], ["2", "1"]], [["1"]], [["nan", "1"]], [["1", "inf"]], [["-1", "1"]]):
        with pytest.raises(PayloadError):
            book({"bids": bids, "asks": []})


def test_recorded_depth_is_read() -> None:
    for name in ("BINANCE.http.0.0", "BINANCE_FUTURES.http.0.0"):
        with recorded("streams", "captures", name).open() as lines:
            found = book(json.loads(next(lines).split(": ", 1)[1]))
        assert len(found.bids) > 100
        assert found.bids[0][0] < found.asks[0][0]
        assert np.isfinite([amount for _, amount in found.asks]).all()
