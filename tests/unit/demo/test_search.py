"""The search for a stretch of the market: there is one at every hour, and it is what it says."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pandas import concat

from external_layers.replay.exchange import ReplayExchange
from external_layers.replay.generator import GeneratedMarket
from scalp_strategy.base_rate import base_rates, side_column
from scalp_strategy.demo.market import Market
from scalp_strategy.demo.search import (
    HISTORY_DAYS,
    LOWER_HISTORY_DAYS,
    Stretch,
    best_long,
    demanding,
    find_stretch,
    scored,
)
from scalp_strategy.demo.show import BASES
from scalp_strategy.demo.story import SUPPORT
from scalp_strategy.errors import SourceUnavailable
from scalp_strategy.settings import load_settings
from scalp_strategy.technical import lookback, technical_frame

SEED = 7
PAIRS = [f"{base}/USDT:USDT" for base in BASES]
CANDLE = timedelta(minutes=15)
DAY = datetime(2026, 12, 1, tzinfo=UTC)
# In the quiet stretch that would be first the setup is so rare that its past says nothing.
MIDNIGHT, QUIET, NORMAL, LATE = (DAY + timedelta(minutes=at) for at in (0, 465, 960, 1_410))


class Clock:
    """What time it is in the market."""

    def __init__(self) -> None:
        self.now = DAY

    def __call__(self) -> int:
        return round(self.now.timestamp() * 1_000)


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def market(clock: Clock) -> Market:
    exchange = ReplayExchange(GeneratedMarket(SEED, [f"{base}USDT" for base in BASES]), clock)

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if request.method == "POST":
            body = httpx.Response(200, content=request.content).json()
            found = exchange.control(path.rpartition("/")[2], body)
        else:
            found = exchange.answer(path, dict(request.url.params))
        return httpx.Response(found.status, json=found.body)

    return Market(httpx.Client(base_url="http://market", transport=httpx.MockTransport(answer)))


@pytest.fixture(
    scope="module",
    params=[MIDNIGHT, QUIET, NORMAL, LATE],
    ids=lambda close: f"{close:%H:%M}",
)
def found(request: pytest.FixtureRequest, market: Market, clock: Clock) -> Stretch:
    """What is found for a close: looked for from 16 minutes before it on, to half an hour."""
    close: datetime = request.param
    clock.now = close - timedelta(minutes=16 + close.hour % 15, seconds=3)
    return find_stretch(market, PAIRS, close, clock.now, 365)


def test_at_its_close_the_shipped_settings_give_a_long(
    found: Stretch, market: Market, clock: Clock
) -> None:
    """As the bot will see it: a moment after the close, with no look into the future."""
    clock.now = found.close + timedelta(seconds=1)
    settings = load_settings({})
    counts = {"15m": lookback(settings) + 10, "5m": 400, "1m": 400}
    frames = {each: market.candles(found.pair, each, count) for each, count in counts.items()}
    scripted, alone = scored(frames["15m"], frames["5m"], frames["1m"], settings)
    row = scripted.iloc[-1]
    assert row["date"] == found.close - CANDLE
    assert row["enter_long"] == 1
    # The margin is for the past of the setup, which the search does not know.
    shift = 5 if found.close.hour in (4, 5, 6, 7, 20, 21, 22, 23) else 0
    assert row["threshold_shift"] == shift
    assert row["confluence"] >= 65 + shift + 1.5
    assert alone.iloc[-1]["confluence"] < row["confluence"]


def test_the_past_says_something_of_its_setup(found: Stretch, market: Market, clock: Clock) -> None:
    """With the candles that the demo downloads, and no later ones."""
    clock.now = found.close + timedelta(seconds=1)
    settings = load_settings({})
    frames = {}
    for pair in PAIRS:
        candles = market.candles(pair, "15m", HISTORY_DAYS * 96)
        medium = market.candles(pair, "5m", LOWER_HISTORY_DAYS * 288)
        frames[pair] = concat([candles, technical_frame(candles, medium, None, settings)], axis=1)
    past = base_rates(frames, settings)[found.pair].iloc[-1]
    assert past[side_column("samples", "long")] > settings.base_rate.min_samples
    assert past["base_rate_reliability"] > 0


def test_nothing_else_comes_before_it(found: Stretch, market: Market, clock: Clock) -> None:
    clock.now = found.close + timedelta(seconds=1)
    settings = demanding()
    rest = {}
    for pair in PAIRS:
        frames = [market.candles(pair, each, 1_200) for each in ("15m", "5m", "1m")]
        scripted, alone = scored(*frames, settings)
        rest[pair] = (scripted if pair == found.pair else alone).iloc[-1]["confluence"]
    assert max(rest, key=lambda pair: rest[pair]) == found.pair


def test_without_a_pair_there_is_none() -> None:
    assert best_long([], DAY, demanding()) is None


def test_a_search_that_fails_says_what_it_has_tried(market: Market, clock: Clock) -> None:
    clock.now = DAY
    with pytest.raises(SourceUnavailable, match="no signal at 00:30 UTC in 0 days"):
        find_stretch(market, PAIRS, DAY + timedelta(minutes=30), clock.now, 0)


def test_the_support_it_counts_on_is_no_opposition() -> None:
    assert min(value for name, value in SUPPORT.items() if name.endswith("long")) > 50
    assert max(value for name, value in SUPPORT.items() if name.endswith("short")) < 50
