"""Market lists: which symbols are kept, and that Freqtrade would call them the same."""

import json
from typing import Any

import ccxt
import pytest

from external_layers.binance.markets import parse_exchange_info
from external_layers.binance.messages import MarketKind
from scalp_strategy.errors import PayloadError
from tests.support.recorded import recorded

FILTERS = [
    {"filterType": "PRICE_FILTER", "tickSize": "0.0100"},
    {"filterType": "LOT_SIZE", "stepSize": "0.001"},
]


def futures_row(**changes: Any) -> dict[str, Any]:
    return {
        "symbol": "SOLUSDT", "status": "TRADING", "baseAsset": "SOL", "quoteAsset": "USDT",
        "marginAsset": "USDT", "contractType": "PERPETUAL", "onboardDate": 1_600_000_000_000,
        "filters": FILTERS,
    } | changes  # fmt: skip


def spot_row(**changes: Any) -> dict[str, Any]:
    return {
        "symbol": "SOLUSDT", "status": "TRADING", "baseAsset": "SOL", "quoteAsset": "USDT",
        "isSpotTradingAllowed": True, "permissions": ["SPOT"], "filters": FILTERS,
    } | changes  # fmt: skip


def recorded_info(name: str) -> dict[str, Any]:
    with recorded("streams", "captures", name).open() as lines:
        body: dict[str, Any] = json.loads(next(lines).split(": ", 1)[1])
    return body


@pytest.mark.parametrize(
    ("name", "kind", "count"),
    [("BINANCE.0", "spot", 275), ("BINANCE_FUTURES.0", "futures", 117)],
)
def test_a_whole_recorded_list_is_named_as_the_host_names_it(
    name: str, kind: MarketKind, count: int
) -> None:
    info = recorded_info(name)
    dropped: list[PayloadError] = []
    markets = parse_exchange_info(info, kind, dropped.append)
    assert (len(markets), dropped) == (count, [])
    exchange = ccxt.binance()
    exchange.options |= {"crossMarginPairsData": [], "isolatedMarginPairsData": []}
    rows = {row["symbol"]: row for row in info["symbols"]}
    for symbol, market in markets.items():
        theirs = exchange.parse_market(rows[symbol])
        assert market.pair == theirs["symbol"]
        assert theirs["active"]
        assert market.tick == theirs["precision"]["price"]
        assert market.step == theirs["precision"]["amount"]


def test_recorded_special_names() -> None:
    futures = parse_exchange_info(recorded_info("BINANCE_FUTURES.0"), "futures")
    assert futures["1000SHIBUSDT"].pair == "1000SHIB/USDT:USDT"
    assert futures["BTCUSDT"].listed_ms == 1_569_398_400_000
    assert not {"BTCUSDT_210924", "BTCSTUSDT", "BTCBUSD"} & futures.keys()
    spot = parse_exchange_info(recorded_info("BINANCE.0"), "spot")
    assert spot["BTCUSDT"].listed_ms is None
    assert "BTCUPUSDT" not in spot  # leveraged tokens are not open to spot orders


@pytest.mark.parametrize(
    "change",
    [
        {"status": "SETTLING"},
        {"quoteAsset": "USDC"},
        {"marginAsset": "BTC"},
        {"contractType": "CURRENT_QUARTER"},
        {"contractType": "TRADIFI_PERPETUAL"},
        {"contractType": ""},
    ],
)
def test_what_futures_leave_out(change: dict[str, Any]) -> None:
    rows = [futures_row(symbol="BTCUSDT", baseAsset="BTC"), futures_row(**change)]
    assert list(parse_exchange_info({"symbols": rows}, "futures")) == ["BTCUSDT"]


@pytest.mark.parametrize(
    ("change", "is_kept"),
    [
        ({}, True),
        ({"permissions": [], "permissionSets": [["MARGIN", "SPOT"]]}, True),
        ({"permissions": [], "permissionSets": [["TRD_GRP_004"], ["SPOT"]]}, True),
        ({"permissions": [], "permissionSets": [["TRD_GRP_004"]]}, False),
        ({"permissions": []}, False),
        ({"isSpotTradingAllowed": False}, False),
        ({"status": "BREAK"}, False),
    ],
)
def test_who_may_trade_on_spot(change: dict[str, Any], is_kept: bool) -> None:
    rows = [spot_row(symbol="BTCUSDT", baseAsset="BTC"), spot_row(**change)]
    assert ("SOLUSDT" in parse_exchange_info({"symbols": rows}, "spot")) == is_kept


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "SOLUSDT",
        {"symbol": "SOLUSDT"},
        futures_row(filters=[]),
        futures_row(filters=[{"filterType": "PRICE_FILTER", "tickSize": "0"}, FILTERS[1]]),
        futures_row(filters=[{"filterType": "PRICE_FILTER", "tickSize": "nan"}, FILTERS[1]]),
        futures_row(onboardDate="yesterday"),
        futures_row(baseAsset=7),
    ],
)
def test_a_bad_row_is_dropped_and_counted(bad: Any) -> None:
    dropped: list[PayloadError] = []
    good = futures_row(symbol="BTCUSDT", baseAsset="BTC")
    markets = parse_exchange_info({"symbols": [bad, good]}, "futures", dropped.append)
    assert list(markets) == ["BTCUSDT"]
    assert len(dropped) == 1


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        "x",
        {},
        {"symbols": None},
        {"symbols": []},
        {"symbols": [futures_row(status="BREAK")]},
    ],
)
def test_nonsense_is_refused(payload: Any) -> None:
    with pytest.raises(PayloadError):
        parse_exchange_info(payload, "futures")
