"""REST answers: Binance's shapes, limits and errors, consistent with one another."""

import itertools
from typing import Any

import pytest

from external_layers.replay.exchange import ReplayExchange
from tests.unit.external_layers.replay.conftest import NOW_MS, Clock

DAY_MS = 86_400_000


def get(exchange: ReplayExchange, path: str, **params: Any) -> Any:
    answer = exchange.answer(path, {key: str(value) for key, value in params.items()})
    assert answer.status == 200, answer.body
    return answer.body


@pytest.mark.parametrize("prefix", ["/api/v3", "/fapi/v1"])
def test_klines_end_with_the_forming_candle(exchange: ReplayExchange, prefix: str) -> None:
    rows = get(exchange, f"{prefix}/klines", symbol="BTCUSDT", interval="15m", limit=7)
    assert [len(row) for row in rows] == [12] * 7
    assert rows[-1][0] <= NOW_MS <= rows[-1][6]
    assert all(low[0] + 900_000 == high[0] for low, high in itertools.pairwise(rows))
    assert all(float(row[3]) <= float(row[1]) <= float(row[2]) for row in rows)
    assert all(0 < float(row[9]) < float(row[5]) for row in rows)
    assert all(float(row[3]) <= float(row[7]) / float(row[5]) <= float(row[2]) for row in rows)


def test_klines_page_without_gap_or_overlap(exchange: ReplayExchange) -> None:
    start, seen = NOW_MS - 3 * DAY_MS, []
    while True:
        page = get(exchange, "/fapi/v1/klines", symbol="ETHUSDT", interval="5m", limit=499,
                   startTime=start)  # fmt: skip
        seen += [row[0] for row in page]
        if len(page) < 499:
            break
        start = page[-1][0] + 300_000
    assert seen == list(range(seen[0], NOW_MS, 300_000))
    assert NOW_MS - 3 * DAY_MS <= seen[0] < NOW_MS - 3 * DAY_MS + 300_000


def test_klines_from_zero_start_at_the_listing(exchange: ReplayExchange) -> None:
    row = get(exchange, "/api/v3/klines", symbol="BTCUSDT", interval="1d", startTime=0, limit=1)
    assert [each[0] for each in row] == [1_704_067_200_000]


def test_klines_stop_at_the_end_time(exchange: ReplayExchange) -> None:
    end = NOW_MS - DAY_MS
    rows = get(exchange, "/fapi/v1/klines", symbol="BTCUSDT", interval="1h", endTime=end, limit=3)
    assert rows[-1][0] <= end < rows[-1][0] + 3_600_000
    assert len(rows) == 3


def test_spot_caps_the_limit_and_futures_refuses_it(exchange: ReplayExchange) -> None:
    rows = get(exchange, "/api/v3/klines", symbol="BTCUSDT", interval="1m", limit=5_000)
    assert len(rows) == 1_000
    answer = exchange.answer(
        "/fapi/v1/klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": "5000"}
    )
    assert (answer.status, answer.body["code"]) == (400, -1130)


@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        ("/api/v3/klines", {"symbol": "NOPE", "interval": "1m"}, -1121),
        ("/api/v3/klines", {"interval": "1m"}, -1102),
        ("/fapi/v1/klines", {"symbol": "BTCUSDT", "interval": "7m"}, -1120),
        ("/fapi/v1/klines", {"symbol": "BTCUSDT"}, -1102),
        ("/api/v3/depth", {"symbol": "BTCUSDT", "limit": "x"}, -1100),
        ("/fapi/v1/depth", {"symbol": "BTCUSDT", "limit": "7"}, -4021),
        ("/api/v3/aggTrades", {"symbol": "BTCUSDT", "limit": "0"}, -1130),
        ("/api/v3/ticker/24hr", {"symbols": "{"}, -1100),
        ("/futures/data/openInterestHist", {"symbol": "BTCUSDT", "period": "1m"}, -1130),
        ("/futures/data/openInterestHist",
         {"symbol": "BTCUSDT", "period": "5m", "startTime": "1"}, -1130),
    ],
)  # fmt: skip
def test_bad_requests_get_binance_errors(
    exchange: ReplayExchange, path: str, params: dict[str, str], code: int
) -> None:
    answer = exchange.answer(path, params)
    assert (answer.status, answer.body["code"]) == (400, code)
    assert answer.body["msg"]


def test_unknown_addresses_are_404(exchange: ReplayExchange) -> None:
    assert exchange.answer("/api/v3/nothing", {}).status == 404


def test_a_symbol_is_unknown_before_its_listing(exchange: ReplayExchange) -> None:
    names = {each["symbol"] for each in get(exchange, "/fapi/v1/exchangeInfo")["symbols"]}
    assert "BTCUSDT" in names
    assert "WLDUSDT" not in names
    answer = exchange.answer("/fapi/v1/klines", {"symbol": "WLDUSDT", "interval": "1m"})
    assert answer.body["code"] == -1121
    assert len(get(exchange, "/fapi/v1/ticker/24hr")) == len(names)


def test_trades_agree_with_candles(exchange: ReplayExchange) -> None:
    start = NOW_MS // 60_000 * 60_000 - 120_000
    for path in ("/api/v3", "/fapi/v1"):
        trades = get(exchange, f"{path}/aggTrades", symbol="LTCUSDT", startTime=start,
                     endTime=start + 59_999, limit=1_000)  # fmt: skip
        (candle,) = get(exchange, f"{path}/klines", symbol="LTCUSDT", interval="1m",
                        startTime=start, limit=1)  # fmt: skip
        prices = [float(each["p"]) for each in trades]
        assert [prices[0], max(prices), min(prices), prices[-1]] == list(map(float, candle[1:5]))
        bought = sum(float(each["q"]) for each in trades if not each["m"])
        assert sum(float(each["q"]) for each in trades) == pytest.approx(float(candle[5]))
        assert bought == pytest.approx(float(candle[9]))
        assert len(trades) == candle[8]


def test_trades_page_by_id(exchange: ReplayExchange) -> None:
    first = get(exchange, "/fapi/v1/aggTrades", symbol="BTCUSDT", startTime=NOW_MS - 600_000,
                endTime=NOW_MS, limit=300)  # fmt: skip
    second = get(exchange, "/fapi/v1/aggTrades", symbol="BTCUSDT", fromId=first[-1]["a"] + 1,
                 limit=300)  # fmt: skip
    ids = [each["a"] for each in first + second]
    assert ids == list(range(ids[0], ids[0] + 600))
    latest = get(exchange, "/fapi/v1/aggTrades", symbol="BTCUSDT", limit=5)
    assert len(latest) == 5
    assert latest[-1]["T"] <= NOW_MS


def test_the_day_ticker_is_the_day_of_candles(exchange: ReplayExchange) -> None:
    ticker = get(exchange, "/fapi/v1/ticker/24hr", symbol="SOLUSDT")
    rows = get(exchange, "/fapi/v1/klines", symbol="SOLUSDT", interval="1m", limit=1_440)
    assert float(ticker["highPrice"]) == max(float(row[2]) for row in rows)
    assert float(ticker["lastPrice"]) == float(rows[-1][4])
    assert float(ticker["quoteVolume"]) == pytest.approx(sum(float(row[7]) for row in rows))
    book = get(exchange, "/fapi/v1/depth", symbol="SOLUSDT", limit=5)
    assert float(book["bids"][0][0]) <= float(ticker["lastPrice"]) <= float(book["asks"][0][0])


def test_tickers_of_some_symbols(exchange: ReplayExchange) -> None:
    rows = get(exchange, "/api/v3/ticker/bookTicker", symbols='["ETHUSDT","BTCUSDT"]')
    assert [row["symbol"] for row in rows] == ["ETHUSDT", "BTCUSDT"]
    assert "time" not in rows[0]
    assert "bidQty" in get(exchange, "/api/v3/ticker/24hr", symbol="BTCUSDT")
    assert "time" in get(exchange, "/fapi/v1/ticker/bookTicker", symbol="BTCUSDT")


def test_spot_listings_are_no_contracts(exchange: ReplayExchange) -> None:
    spot = get(exchange, "/api/v3/exchangeInfo")["symbols"]
    futures = get(exchange, "/fapi/v1/exchangeInfo")["symbols"]
    assert all("contractType" not in each for each in spot)
    assert {each["contractType"] for each in futures} == {"PERPETUAL"}
    assert get(exchange, "/dapi/v1/exchangeInfo")["symbols"] == []


def test_funding_is_eight_hourly_and_small(exchange: ReplayExchange) -> None:
    rows = get(exchange, "/fapi/v1/fundingRate", symbol="BTCUSDT", limit=200)
    assert {b["fundingTime"] - a["fundingTime"] for a, b in itertools.pairwise(rows)} == {
        8 * 3_600_000
    }
    rates = [float(row["fundingRate"]) for row in rows]
    assert 0 < sum(rates) / len(rates) < 3e-4
    assert max(map(abs, rates)) < 2e-3
    assert rows[-1]["fundingTime"] <= NOW_MS
    index = get(exchange, "/fapi/v1/premiumIndex", symbol="BTCUSDT")
    assert index["nextFundingTime"] == rows[-1]["fundingTime"] + 8 * 3_600_000


def test_mark_candles_lie_inside_the_last_price_candles(exchange: ReplayExchange) -> None:
    query = {"symbol": "ETHUSDT", "interval": "1h", "limit": 48}
    mark = get(exchange, "/fapi/v1/markPriceKlines", **query)
    last = get(exchange, "/fapi/v1/klines", **query)
    assert [row[0] for row in mark] == [row[0] for row in last]
    for inner, outer in zip(mark, last, strict=True):
        assert float(outer[3]) <= float(inner[3]) <= float(inner[2]) <= float(outer[2])
    premium = get(exchange, "/fapi/v1/premiumIndexKlines", **query)
    assert max(abs(float(row[4])) for row in premium) < 0.005


def test_statistics_have_their_shapes(exchange: ReplayExchange) -> None:
    query = {"symbol": "BTCUSDT", "period": "5m", "limit": 12}
    interest = get(exchange, "/futures/data/openInterestHist", **query)
    taker = get(exchange, "/futures/data/takerlongshortRatio", **query)
    accounts = get(exchange, "/futures/data/globalLongShortAccountRatio", **query)
    assert len(interest) == len(taker) == len(accounts) == 12
    levels = [float(row["sumOpenInterest"]) for row in interest]
    assert max(levels) / min(levels) < 1.2
    now = float(get(exchange, "/fapi/v1/openInterest", symbol="BTCUSDT")["openInterest"])
    assert now == pytest.approx(levels[-1], rel=0.1)
    end = int(taker[-1]["timestamp"])
    (candle,) = get(exchange, "/fapi/v1/klines", symbol="BTCUSDT", interval="5m",
                    startTime=end - 300_000, limit=1)  # fmt: skip
    assert float(taker[-1]["buyVol"]) == pytest.approx(float(candle[9]), abs=1e-3)
    assert all(0 < float(row["longAccount"]) < 1 for row in accounts)


def test_weight_is_counted_per_minute_and_enforced_on_demand(
    exchange: ReplayExchange, clock: Clock
) -> None:
    query = {"symbol": "BTCUSDT", "interval": "1m", "limit": "100"}
    used = [exchange.answer("/fapi/v1/klines", query).headers["X-MBX-USED-WEIGHT-1M"]
            for _ in range(3)]  # fmt: skip
    assert used == ["2", "4", "6"]
    exchange.control("weights", {"enforce": True, "futures": 9})
    assert exchange.answer("/fapi/v1/klines", query).status == 200
    refused = exchange.answer("/fapi/v1/klines", query)
    assert refused.status == 429
    assert int(refused.headers["Retry-After"]) == 30
    assert exchange.answer("/api/v3/ping", {}).status == 200
    clock.ms += 60_000
    assert exchange.answer("/fapi/v1/klines", query).status == 200
