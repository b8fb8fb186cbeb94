"""The sources of candles, the exchange's over real HTTP."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import ccxt
import httpx
import pandas as pd
import pytest

from external_layers.replay.overlay import overlay
from scalp_strategy.errors import ConfigError, RateLimited, SourceUnavailable
from scalp_strategy.outcomes.candles import (
    DiskCandles,
    ExchangeCandles,
    MemoryCandles,
    keyless_client,
)
from scalp_strategy.outcomes.replay import epoch_ms, resolved
from scalp_strategy.settings import Settings
from tests.support.candles import market, random_candles
from tests.support.market import running_market
from tests.support.played import frame_of, history_from, signal_at

FUTURES, SPOT = "ETH/USDT:USDT", "ETH/USDT"
SECRETS = {"apiKey": "k-123", "secret": "s-123", "password": "p-123", "uid": "u-123"}
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
FLAT = (100.0, 100.1, 99.9, 100.0)


@pytest.fixture(scope="module")
def running() -> Iterator[str]:
    with running_market("--symbols", "BTC,ETH,SOL") as url:
        yield url


@pytest.fixture
def url(running: str) -> Iterator[str]:
    httpx.post(f"{running}/control/reset")
    yield running
    httpx.post(f"{running}/control/reset")


def config_for(url: str, kind: str = "futures", **ccxt_config) -> dict:
    exchange = overlay(url)["exchange"]
    reach = {**exchange["ccxt_config"], **SECRETS, **ccxt_config}
    return {
        "trading_mode": kind,
        "exchange": {**exchange, "name": "binance", "key": "k-123", "secret": "s-123"}
        | {"ccxt_config": reach},
    }


def loaded_markets(url: str, kind: str = "futures") -> dict:
    """Return the definitions as the host has them; the requests they cost are forgotten."""
    markets = keyless_client(config_for(url, kind)).load_markets()
    httpx.post(f"{url}/control/requests")
    return markets


def source(url: str, kind: str = "futures", **ccxt_config) -> ExchangeCandles:
    markets = loaded_markets(url, kind)
    return ExchangeCandles(config_for(url, kind, **ccxt_config), lambda: markets)


def requests(url: str) -> dict:
    return httpx.get(f"{url}/control/requests").json()["requests"]


def this_minute() -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0)


# ------------------------------------------------------------------------------------ the exchange


@pytest.mark.parametrize(
    ("kind", "pair", "path"),
    [("futures", FUTURES, "/fapi/v1/klines"), ("spot", SPOT, "/api/v3/klines")],
)
def test_the_exchange_gives_the_candles_of_a_span(url, kind, pair, path):
    since = this_minute() - 3 * HOUR
    history = source(url, kind).history(pair, "1m", since, since + 2 * HOUR)
    assert history.open_ms[0] == epoch_ms(since)
    assert history.open_ms.size == 120
    assert (history.since_ms, history.until_ms) == (epoch_ms(since), epoch_ms(since + 2 * HOUR))
    opened, high, low, close = history.prices
    assert (low <= opened).all()
    assert (high >= close).all()
    assert requests(url) == {path: 1}  # and no exchangeInfo


def test_the_minutes_are_those_of_the_longer_candles(url):
    exchange = source(url)
    since = this_minute() - 6 * HOUR
    since -= timedelta(minutes=since.minute % 15)
    minutes = exchange.history(FUTURES, "1m", since, since + HOUR)
    quarters = exchange.history(FUTURES, "15m", since, since + HOUR)
    assert quarters.open_ms.size == 4
    assert quarters.prices[1].tolist() == minutes.prices[1].reshape(4, 15).max(axis=1).tolist()
    assert quarters.prices[2].tolist() == minutes.prices[2].reshape(4, 15).min(axis=1).tolist()


def test_a_long_span_takes_several_requests(url):
    since = this_minute() - 24 * HOUR
    history = source(url).history(FUTURES, "1m", since, since + 20 * HOUR)
    assert history.open_ms.size == 1_200
    assert requests(url) == {"/fapi/v1/klines": 3}


def test_a_span_that_is_too_long_is_not_said_to_be_known(url):
    since = this_minute() - timedelta(days=6)
    history = source(url).history(FUTURES, "1m", since, this_minute())
    assert requests(url) == {"/fapi/v1/klines": 8}
    assert history.open_ms.size == 8 * 499
    assert history.until_ms == epoch_ms(since) + 8 * 499 * 60_000


def test_the_forming_candle_is_never_given(url):
    now = datetime.now(UTC)
    history = source(url).history(FUTURES, "1m", this_minute() - 5 * MINUTE, now)
    assert history.open_ms[-1] + 60_000 <= epoch_ms(now)
    assert history.open_ms.size == 5


def test_the_client_has_no_keys(url):
    client = keyless_client(config_for(url))
    assert not any((client.apiKey, client.secret, client.password, client.uid))
    assert "-123" not in repr(vars(client))


def test_the_client_paces_itself_unless_told_otherwise():
    assert keyless_client({"exchange": {"name": "binance"}}).enableRateLimit
    quick = {"exchange": {"name": "binance", "ccxt_sync_config": {"enableRateLimit": False}}}
    assert not keyless_client(quick).enableRateLimit


def test_the_config_of_the_host_is_left_as_it_is(url):
    config = config_for(url)
    before = repr(config)
    keyless_client(config)
    assert repr(config) == before


def test_an_exchange_nobody_knows_is_named():
    with pytest.raises(ConfigError, match="nosuch"):
        keyless_client({"exchange": {"name": "nosuch"}})


def test_definitions_of_the_host_are_copied_not_shared(url):
    markets = loaded_markets(url)
    before = repr(markets[FUTURES])
    exchange = ExchangeCandles(config_for(url), lambda: markets)
    since = this_minute() - HOUR
    exchange.history(FUTURES, "1m", since, since + 5 * MINUTE)
    assert repr(markets[FUTURES]) == before
    exchange.history("BTC/USDT:USDT", "1m", since, since + 5 * MINUTE)
    assert requests(url) == {"/fapi/v1/klines": 2}


def test_a_pair_that_is_not_listed_is_unavailable(url):
    with pytest.raises(SourceUnavailable, match="NONE"):
        source(url).history("NONE/USDT:USDT", "1m", this_minute() - HOUR, this_minute())
    assert requests(url) == {}


@pytest.mark.parametrize("status", [429, 418])
def test_an_exchange_that_wants_a_pause(url, status):
    exchange = source(url)
    rule = {"path": "/fapi/v1/klines", "status": status, "count": 1, "retry_after": 1}
    httpx.post(f"{url}/control/errors", json=rule)
    with pytest.raises(RateLimited):
        exchange.history(FUTURES, "1m", this_minute() - HOUR, this_minute())
    assert exchange.history(FUTURES, "1m", this_minute() - HOUR, this_minute()).open_ms.size


@pytest.mark.parametrize("status", [500, 502, 503, 400, 403])
def test_an_exchange_that_fails_is_unavailable_and_comes_back(url, status):
    exchange = source(url)
    rule = {"path": "/fapi/v1/klines", "status": status, "count": 1}
    httpx.post(f"{url}/control/errors", json=rule)
    with pytest.raises(SourceUnavailable) as caught:
        exchange.history(FUTURES, "1m", this_minute() - HOUR, this_minute())
    assert url not in str(caught.value)
    assert exchange.history(FUTURES, "1m", this_minute() - HOUR, this_minute()).open_ms.size


def test_an_answer_that_does_not_come_is_given_up(url):
    exchange = source(url, timeout=200)
    httpx.post(f"{url}/control/delay", json={"path": "klines", "seconds": 5, "count": 1})
    with pytest.raises(SourceUnavailable):
        exchange.history(FUTURES, "1m", this_minute() - HOUR, this_minute())


def test_an_exchange_that_is_gone_is_unavailable(url):
    markets = loaded_markets(url)
    exchange = ExchangeCandles(config_for("http://127.0.0.1:9"), lambda: markets)
    with pytest.raises(SourceUnavailable):
        exchange.history(FUTURES, "1m", this_minute() - HOUR, this_minute())


# ------------------------------------------------------------------ an exchange of another manner


class Client:
    """Answers as an exchange that leaves out what nobody traded, a few rows at a time."""

    def __init__(self, rows, most=100, answers=1_000):
        self.rows, self.most, self.answers = rows, most, answers

    def set_markets(self, markets):
        self.markets = markets

    def fetch_ohlcv(self, pair, timeframe, since, limit):
        if not self.answers:
            raise ccxt.NetworkError("gone")
        self.answers -= 1
        return [row for row in self.rows if row[0] >= since][: min(limit, self.most)]


def odd_exchange(rows, **options) -> ExchangeCandles:
    exchange = ExchangeCandles({"exchange": {"name": "binance"}}, lambda: {FUTURES: {}})
    exchange._client = Client(rows, **options)
    return exchange


def rows_from(start: datetime, minutes) -> list[list[float]]:
    return [[epoch_ms(start) + minute * 60_000, *FLAT, 1.0] for minute in minutes]


START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def test_short_pages_are_followed_to_the_end():
    exchange = odd_exchange(rows_from(START, range(250)), most=100)
    history = exchange.history(FUTURES, "1m", START, START + 240 * MINUTE)
    assert history.open_ms.size == 240
    assert history.until_ms == epoch_ms(START + 240 * MINUTE)


def test_what_came_before_a_failure_is_given():
    exchange = odd_exchange(rows_from(START, range(250)), most=100, answers=2)
    history = exchange.history(FUTURES, "1m", START, START + 240 * MINUTE)
    assert history.open_ms.size == 200
    assert history.until_ms == epoch_ms(START + 200 * MINUTE)


def test_what_nobody_traded_is_known_to_be_nothing():
    exchange = odd_exchange(rows_from(START, range(100)))
    history = exchange.history(FUTURES, "1m", START, START + 240 * MINUTE)
    assert history.open_ms.size == 100
    assert history.until_ms == epoch_ms(START + 240 * MINUTE)


def test_a_span_without_a_trade_is_known_when_there_are_later_ones():
    exchange = odd_exchange(rows_from(START, [500]))
    history = exchange.history(FUTURES, "1m", START, START + 60 * MINUTE)
    assert history.open_ms.size == 0
    assert history.until_ms == epoch_ms(START + 60 * MINUTE)
    with pytest.raises(SourceUnavailable):
        odd_exchange([]).history(FUTURES, "1m", START, START + 60 * MINUTE)


@pytest.mark.parametrize(
    "garbage", [None, [], [1], "row", ["x", 1, 1, 1, 1, 1], [epoch_ms(START), None, 1, 1, 1, 1]]
)
def test_a_row_that_is_no_candle_is_left_out(garbage):
    rows = rows_from(START, range(3))
    exchange = odd_exchange([])
    exchange._client.fetch_ohlcv = lambda *asked, **options: [garbage, *rows]
    history = exchange.history(FUTURES, "1m", START, START + 3 * MINUTE)
    assert history.open_ms.size == 3


def test_rows_from_before_are_left_out():
    exchange = odd_exchange([])
    exchange._client.fetch_ohlcv = lambda *asked, **options: rows_from(START, range(-5, 3))
    history = exchange.history(FUTURES, "1m", START, START + 3 * MINUTE)
    assert history.open_ms[0] == epoch_ms(START)


def test_an_unknown_error_of_ccxt_is_unavailable():
    def refuse(*asked, **options):
        raise ccxt.BadSymbol("binance does not have it")

    exchange = odd_exchange([])
    exchange._client.fetch_ohlcv = refuse
    with pytest.raises(SourceUnavailable, match="BadSymbol"):
        exchange.history(FUTURES, "1m", START, START + MINUTE)


# ------------------------------------------------------------------------------- memory and disk


def test_memory_gives_what_has_closed():
    frame = random_candles(10, minutes=1)
    last = frame["date"].iloc[-1].to_pydatetime()
    memory = MemoryCandles(lambda pair, timeframe: frame)
    assert memory.history(FUTURES, "1m", last).open_ms.size == 9
    assert memory.history(FUTURES, "1m", last + MINUTE).open_ms.size == 10


@pytest.mark.parametrize("shown", [None, pd.DataFrame()])
def test_memory_without_candles_gives_none(shown):
    assert MemoryCandles(lambda pair, timeframe: shown).history(FUTURES, "1m", START) is None


def test_memory_that_is_changed_meanwhile_gives_none():
    def shown(pair, timeframe):
        raise RuntimeError("dictionary changed size during iteration")

    assert MemoryCandles(shown).history(FUTURES, "1m", START) is None


def test_disk_gives_every_length_that_there_is_the_finest_first():
    frames = {f"{minutes}m": frame for minutes, frame in market(3).items()}
    asked = []

    def downloaded(pair, timeframe, since):
        asked.append((pair, timeframe, since))
        return frames.get(timeframe) if timeframe != "5m" else None

    histories = DiskCandles(downloaded, START).histories(FUTURES)
    assert [history.minutes for history in histories] == [1, 15]
    assert asked == [(FUTURES, frame, START) for frame in ("1m", "5m", "15m")]


def test_a_market_without_minutes_is_resolved_on_longer_candles():
    quarters = frame_of(history_from([FLAT] * 10, 15))
    disk = DiskCandles(lambda pair, frame, since: quarters if frame == "15m" else None, START)
    found = resolved(signal_at(), disk.histories(FUTURES), Settings().risk)
    assert (found.outcome, found.resolution) == ("max_hold", "15m")
