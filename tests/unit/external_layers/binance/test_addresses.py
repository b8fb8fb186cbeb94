"""Addresses: official ones, a stand-in, refusals; which address carries a stream."""

import pytest

from external_layers.binance.addresses import addresses, category_of
from scalp_strategy.errors import ConfigError


def test_official_addresses() -> None:
    futures, spot = addresses("futures"), addresses("spot")
    assert futures.rest == "https://fapi.binance.com"
    assert futures.sockets == {
        "public": "wss://fstream.binance.com/public/stream",
        "market": "wss://fstream.binance.com/market/stream",
    }
    assert spot.sockets == {"all": "wss://data-stream.binance.vision/stream"}
    assert (futures.weight_limit, spot.weight_limit) == (2_400, 6_000)


def test_a_stand_in() -> None:
    market = addresses("futures", "https://market.test:8443/")
    assert market.rest == "https://market.test:8443"
    assert market.sockets["public"] == "wss://market.test:8443/public/stream"


@pytest.mark.parametrize(
    "url", ["market.test", "ftp://market.test", "http://", "http://a/b", "http://a?b", "ws://a"]
)
def test_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="allowed: http://host:port"):
        addresses("spot", url)


def test_a_password_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as error:
        addresses("spot", "http://user:secret@market.test")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("stream", "category"),
    [
        ("btcusdt@depth20@100ms", "public"), ("btcusdt@depth@100ms", "public"),
        ("btcusdt@bookTicker", "public"), ("!bookTicker", "public"),
        ("btcusdt@aggTrade", "market"), ("btcusdt@markPrice@1s", "market"),
        ("btcusdt@kline_15m", "market"), ("btcusdt@forceOrder", "market"),
        ("!forceOrder@arr", "market"), ("币安人生usdt@aggTrade", "market"),
    ],
)  # fmt: skip
def test_futures_streams_are_split(stream: str, category: str) -> None:
    assert category_of(stream, "futures") == category
    assert category_of(stream, "spot") == "all"
