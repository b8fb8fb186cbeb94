"""What Freqtrade asks of the exchange with the shipped pacing: request weight and throttle."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from freqtrade.configuration import Configuration
from freqtrade.data.dataprovider import DataProvider
from freqtrade.enums import CandleType, RunMode
from freqtrade.exchange import timeframe_to_msecs
from freqtrade.plugins.pairlistmanager import PairListManager
from freqtrade.resolvers import ExchangeResolver, StrategyResolver

from external_layers.replay.overlay import overlay
from tests.support.bot import PROJECT, MarketControl, make_user_folder, until
from tests.support.market import running_market

PAIRS = 30
OPEN_TRADES = 5
WEIGHT_A_MINUTE = 2_400  # the exchange's limit for USD-M futures
KLINES, DEPTH = "/fapi/v1/klines", "/fapi/v1/depth"
Counts = dict[str, dict[str, int]]


@dataclass
class Asked:
    """Requests and weight that the market counted, by occasion."""

    config: dict[str, Any]
    exchange: Any
    start: Counts
    boundary: Counts
    minute: Counts
    loop: Counts


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    folder = tmp_path_factory.mktemp("pacing") / "user_data"
    with pytest.MonkeyPatch.context() as patch, running_market("--seed", "7") as url:
        for name in [name for name in os.environ if name.startswith("FREQTRADE_")]:
            patch.delenv(name)
        yield ask(bot_config(folder, url), MarketControl(url))


def bot_config(folder: Path, url: str) -> dict[str, Any]:
    """The shipped futures config on the market, with the shipped pacing left on."""
    make_user_folder(folder)
    market = overlay(url)
    del market["exchange"]["ccxt_config"]["enableRateLimit"]
    market["exchange"]["pair_whitelist"] = [".*/USDT:USDT"]
    replay = folder / "replay.json"
    replay.write_text(json.dumps(market))
    files = [PROJECT / "config" / f"{name}.json" for name in ("base", "futures")]
    arguments = {"config": [*map(str, files), str(replay)], "user_data_dir": str(folder)}
    return dict(Configuration(arguments, RunMode.DRY_RUN).get_config())


def ask(config: dict[str, Any], market: MarketControl) -> Asked:
    strategy = StrategyResolver.load_strategy(config)
    exchange = ExchangeResolver.load_exchange(config, load_leverage_tiers=True)
    try:
        return ask_with(config, market, strategy, exchange)
    finally:
        exchange.close()


def ask_with(config: dict[str, Any], market: MarketControl, strategy: Any, exchange: Any) -> Asked:
    provider = DataProvider(config, exchange)
    lists = PairListManager(exchange, config, provider)
    provider.add_pairlisthandler(lists)
    strategy.dp = provider
    lists.refresh_pairlist()
    pairs = lists.whitelist[:PAIRS]
    lists._whitelist = pairs
    assert len(pairs) == PAIRS

    def refresh() -> Counts:
        market.control("requests")
        provider.refresh(lists.create_pair_list(pairs), strategy.gather_informative_pairs())
        return market.requests()

    def one_candle_later(*timeframes: str) -> Counts:
        for key in list(exchange._pairs_last_refresh_time):
            if key[1] in timeframes:
                exchange._pairs_last_refresh_time[key] -= timeframe_to_msecs(key[1])
        exchange._pairs_last_poll_time.clear()
        return refresh()

    def settle() -> None:
        until(lambda: not refresh()["requests"], "a refresh between two closes asks for nothing")

    start = refresh()
    settle()
    boundary = one_candle_later("15m", "5m", "1m")
    settle()
    minute = one_candle_later("1m")
    market.control("requests")
    for pair in pairs[:OPEN_TRADES]:
        look_after(exchange, pair)
    return Asked(config, exchange, start, boundary, minute, market.requests())


def look_after(exchange: Any, pair: str) -> None:
    """What the host asks in each loop for an open trade with a resting order."""
    exchange.fetch_l2_order_book(pair, 20)
    exchange.get_rate(pair, side="exit", is_short=False, refresh=True)
    exchange.get_rates(pair, refresh=True, is_short=False)


def weight_of(counts: Counts) -> int:
    return sum(counts["weight"].values())


def klines_cost(asked: Asked) -> float:
    """What ccxt's throttle charges for one of the host's candle requests."""
    api = asked.exchange._api_async
    definition = api.api["fapiPublic"]["get"]["klines"]
    limit = asked.exchange.ohlcv_candle_limit("15m", CandleType.FUTURES)
    parameters = ("fapiPublic", "GET", "klines", {"limit": limit}, definition)
    return float(api.calculate_rate_limiter_cost(*parameters))


def test_a_close_costs_one_request_for_each_pair_and_timeframe(asked: Asked) -> None:
    assert asked.boundary["requests"] == {KLINES: PAIRS * 3}
    assert asked.minute["requests"] == {KLINES: PAIRS}


def test_the_start_stays_within_the_limit(asked: Asked) -> None:
    assert asked.exchange.required_candle_call_count > 1, "the history needs more than one request"
    assert set(asked.start["requests"]) == {KLINES}
    at_once = weight_of(asked.start) + weight_of(asked.boundary)
    assert 0 < at_once < WEIGHT_A_MINUTE


def test_the_busiest_minute_stays_within_the_limit(asked: Asked) -> None:
    assert set(asked.loop["requests"]) == {DEPTH}
    assert asked.loop["requests"][DEPTH] >= 3 * OPEN_TRADES
    loops = 60 / asked.config["internals"]["process_throttle_secs"]
    projected = weight_of(asked.boundary) + loops * weight_of(asked.loop)
    assert 0 < projected < WEIGHT_A_MINUTE


def test_the_throttle_lets_a_close_through_in_a_second(asked: Asked) -> None:
    api = asked.exchange._api_async
    assert api.enableRateLimit, "the shipped config paces"
    per_request = asked.boundary["weight"][KLINES] / asked.boundary["requests"][KLINES]
    assert klines_cost(asked) == per_request, "ccxt counts another weight than the exchange"
    bucket = api.tokenBucket
    assert bucket["refillRate"] == pytest.approx(1 / api.rateLimit)
    assert api.rateLimit == asked.config["exchange"]["ccxt_config"]["rateLimit"]
    seconds = PAIRS * per_request / bucket["refillRate"] / 1_000
    assert seconds <= 1.0
    # The host fetches the lower timeframes in the same batch, before it analyses anything.
    assert 3 * seconds <= 1.0
