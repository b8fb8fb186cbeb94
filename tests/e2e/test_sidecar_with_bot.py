"""Replay market, sidecar and Freqtrade together: order flow makes a signal that candles do not.

All of them live by one clock that the tests set, so that candles close when they are needed; each
story sees three closes, and the tests look at what was seen at its stations.
"""

import contextlib
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from pandas import DataFrame, Series

from external_layers.replay.exchange import ReplayExchange
from external_layers.replay.generator import GeneratedMarket
from external_layers.store.archive_reader import ArchiveReader
from scalp_strategy.contract import Side, to_wire
from scalp_strategy.layers import ArchiveSource, LayerSource, LiveSource, layer_frame
from scalp_strategy.layers.http_transport import HttpTransport
from scalp_strategy.settings import Settings, load_settings
from tests.support.bot import (
    CANDLE,
    MarketControl,
    PaperBot,
    Signal,
    free_port,
    scored,
    symbol_of,
    until,
)
from tests.support.market import running_market
from tests.support.shifted import SharedClock
from tests.support.sidecar import RunningSidecar

SEED = 7
BASES = ("BTC", "ETH", "SOL", "XRP", "DOGE")
TRADED = ("SOL", "XRP", "ETH")  # with enough trades in a short window
# An afternoon of the generated market, in hours without a shift of the thresholds.
SEARCHED_FROM = datetime(2026, 3, 2, 16, tzinfo=UTC)
SEARCHED_DAYS = 60
SEARCHED_CANDLES = 12
# What the market's takers can make of the order flow, held low: the search finds more than enough.
PRESSED = {"reliability": 0.8, "for": 68.0, "against": 32.0}
TECHNICAL_SHARE = 0.35
FLUSH_S = 2
QUICK: dict[str, Any] = {
    "orderflow": {"window_s": 20, "open_interest_window_s": 60},
    "sidecar": {
        "publish_s": 5,
        "archive": {"flush_s": FLUSH_S},
        "feed": {"clock_poll_s": 1, "open_interest_poll_s": 5},
    },
    # Every pair of this small market is worth scanning.
    "scanner": {
        "refresh_s": 5,
        "min_pairs": len(BASES),
        "min_atr_pct": 0,
        "min_change_pct": 0,
        "min_liquidity_score": 0,
        "min_opportunity_score": 0,
    },
}
AHEAD = timedelta(minutes=5)  # before the close when the sidecar starts
# Before the close when all are ready: after a jump of the clock a full window must be heard anew,
# and after a long one the connections must be made anew first.
LAST = timedelta(seconds=30)
LAST_AFTER_LONG = timedelta(seconds=40)
BLIND = timedelta(seconds=2)
CANDLE_S = 75.0  # for the bot to analyse a candle, this wait for its close included


Row = dict[str, Any]


# ------------------------------------------------------------------------------------- the signal


@dataclass
class Clock:
    """What time it is in a market that has no socket."""

    now: datetime = SEARCHED_FROM

    def __call__(self) -> int:
        return round(self.now.timestamp() * 1_000)


def market_ahead(clock: Clock, mode: str) -> MarketControl:
    """Return the same market without a process: it can be asked about the candles to come."""
    exchange = ReplayExchange(GeneratedMarket(SEED, [f"{base}USDT" for base in BASES]), clock)

    def answer(request: httpx.Request) -> httpx.Response:
        found = exchange.answer(request.url.path, dict(request.url.params))
        return httpx.Response(found.status, json=found.body)

    return MarketControl("http://market", mode, httpx.MockTransport(answer))


def pair_of(base: str, mode: str) -> str:
    return f"{base}/USDT:USDT" if mode == "futures" else f"{base}/USDT"


def supportive(side: Side) -> dict[str, float]:
    against: Side = "short" if side == "long" else "long"
    return {
        f"orderflow_{side}": PRESSED["for"],
        f"orderflow_{against}": PRESSED["against"],
        "orderflow_reliability": PRESSED["reliability"],
    }


def made_by_flow(market: MarketControl, pair: str, side: Side) -> "Series[bool]":
    """Which candles enter with supportive order flow, do not without, and follow on no entry.

    On the candles' closes.
    """
    alone = scored(market, pair, load_settings({}))
    pressed = scored(market, pair, load_settings({}), supportive(side))
    is_entry = pressed[f"enter_{side}"].astype(bool)
    is_first = is_entry & ~is_entry.shift(1, fill_value=True)
    is_made = is_first & (alone["tier"] == 0) & (pressed["tier"] == 1)
    return is_made.set_axis(pressed["date"] + CANDLE)


def find_signal(mode: str, side: Side) -> Signal:
    """Return the first candle of the market that order flow alone makes a signal of."""
    clock = Clock()
    market = market_ahead(clock, mode)
    for day in range(SEARCHED_DAYS):
        for pair in (pair_of(base, mode) for base in TRADED):
            clock.now = SEARCHED_FROM + timedelta(days=day, seconds=1)
            found = made_by_flow(market, pair, side)[-SEARCHED_CANDLES:]
            for close in found.index[found]:
                # Seen from its own close, as the bot will.
                clock.now = close.to_pydatetime() + timedelta(seconds=1)
                if made_by_flow(market, pair, side).iloc[-1]:
                    price = market.candles(pair, "15m", 1)["close"].iloc[-1]
                    return Signal(pair, side, close.to_pydatetime(), float(price))
    raise AssertionError(f"no {side} in {SEARCHED_DAYS} days of the market")


# ------------------------------------------------------------------------------------ the players


@dataclass
class Stage:
    """Market, sidecar and bot on one clock, some minutes before a candle closes with a signal."""

    signal: Signal
    clock: SharedClock
    market: MarketControl
    sidecar: RunningSidecar
    bot: PaperBot
    settings: Settings
    pairs: list[str]

    def close_after(self, count: int) -> datetime:
        return self.signal.close + count * CANDLE

    def watch(self) -> None:
        """Start the sidecar and let it find every pair."""
        self.sidecar.start()
        self.sidecar.await_watch(self.pairs)

    def begin(self) -> None:
        """Start sidecar and bot, and go on to the moment before the signal's close."""
        self.watch()
        self.bot.boot()
        self.bot.trade()
        self.clock.jump_to(self.signal.close - LAST)

    def row(self, close: datetime) -> Row:
        """Wait until the bot has analysed the signal's pair at a close, and return its columns."""
        return until(
            lambda: self.bot.candle(self.signal.pair, close),
            f"the bot analyses {self.signal.pair} at {close:%H:%M}", CANDLE_S, self.bot.log_path,
        )  # fmt: skip

    def frame(self, source: LayerSource, closes: int) -> DataFrame:
        """Return what a source says at the signal's close and those around it, all pairs."""
        first = self.close_after(-closes)
        dates = DataFrame({"date": [first + CANDLE * each for each in range(2 * closes)]})["date"]
        frames = {
            pair: layer_frame(source, pair, dates, self.settings).set_index(dates)
            for pair in self.pairs
        }
        return DataFrame(
            {(pair, name): frame[name] for pair, frame in frames.items() for name in frame}
        )

    def events(self) -> list[dict[str, Any]]:
        return list(self.sidecar.get("/v1/events", after=0)["events"])


# What the bot needs to know of a sidecar: variables, and the address of the pair list.
Link = Callable[[RunningSidecar], tuple[dict[str, str], str]]


@contextlib.contextmanager
def staged(
    folder: Path, signal: Signal, mode: str, link: Link, **variables: str
) -> Iterator[Stage]:
    """Set the stage for a signal; takers press to its side from a while before its close on."""
    clock = SharedClock(folder / "clock", signal.close - AHEAD)
    pairs = [pair_of(base, mode) for base in BASES]
    common = environment(QUICK) | variables
    with running_market("--seed", str(SEED), "--symbols", ",".join(BASES), clock=clock) as url:
        market = MarketControl(url, mode)
        market.control(
            "flow",
            symbol=symbol_of(signal.pair),
            buy_share=0.9 if signal.side == "long" else 0.1,
            at=ms(signal.close - AHEAD),
            minutes=120,
        )
        sidecar = RunningSidecar(folder / "sidecar", url, pairs[:1], mode, common, clock)
        own, pairlist = link(sidecar)
        bot = PaperBot(
            folder / "bot", url, pairs[:1], mode, common | own, clock=clock,
            config={"scalp": {}, "pairlists": remote_pairlist(pairlist)},
        )  # fmt: skip
        settings = load_settings({"scalp": QUICK})
        try:
            yield Stage(signal, clock, market, sidecar, bot, settings, pairs)
        finally:
            bot.close()
            sidecar.close()


def environment(section: dict[str, Any], prefix: str = "FREQTRADE__SCALP") -> dict[str, str]:
    """Return the variables that say the same as a `scalp` section."""
    variables: dict[str, str] = {}
    for name, value in section.items():
        key = f"{prefix}__{name.upper()}"
        variables |= environment(value, key) if isinstance(value, dict) else {key: str(value)}
    return variables


def remote_pairlist(url: str) -> list[dict[str, Any]]:
    return [
        {"method": "RemotePairList", "pairlist_url": url, "mode": "whitelist"}
        | {"number_assets": 40, "refresh_period": 5, "keep_pairlist_on_failure": True}
    ]


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1_000)


@dataclass
class Given:
    """Collects every row that the sidecar gives out, until it is stopped."""

    sidecar: RunningSidecar
    pairs: list[str]
    rows: set[tuple[Any, ...]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()

    def _collect(self) -> None:
        query = {"pairs": ",".join(self.pairs)}
        with httpx.Client(base_url=self.sidecar.url, trust_env=False) as client:
            while not self._is_over.wait(0.3):
                try:
                    answer = client.get("/v1/scores", params=query)
                except httpx.HTTPError:
                    continue  # it is being killed, or started
                for one in answer.json()["pairs"].values():
                    self.rows |= {tuple(row) for row in one["components"]}


def archived(folder: Path) -> set[tuple[Any, ...]]:
    """Return every row of an archive that must be whole."""
    reader = ArchiveReader(folder)
    rows = {tuple(to_wire(one)) for layer in reader.layers() for one in reader.components(layer)}
    assert not reader.skipped, f"damaged files: {dict(reader.skipped)}"
    assert reader.dropped_rows == 0
    return rows


# ----------------------------------------------------------------- over HTTP; the sidecar is killed


@dataclass
class Story:
    """What was seen with the scores over HTTP while the sidecar was killed and came back."""

    stage: Stage
    whitelist: list[str]
    decided: Row
    trade: dict[str, Any]
    message: str
    events_before: list[dict[str, Any]]
    pairlist_before: dict[str, Any]
    killed_at: datetime
    blind: Row
    asked_alone: dict[str, int]
    state_alone: str
    pairlist_after: dict[str, Any]
    recovered: Row
    events_after: list[dict[str, Any]]
    live: DataFrame
    status: int
    given: set[tuple[Any, ...]]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    def link(sidecar: RunningSidecar) -> tuple[dict[str, str], str]:
        return environment({"sidecar": {"url": sidecar.url}}), f"{sidecar.url}/v1/pairlist"

    folder = tmp_path_factory.mktemp("http")
    with staged(folder, find_signal("futures", "long"), "futures", link) as stage:
        yield play(stage)


def play(stage: Stage) -> Story:
    sidecar, bot, clock = stage.sidecar, stage.bot, stage.clock
    pair = stage.signal.pair
    stage.begin()
    given = Given(sidecar, stage.pairs)
    decided = stage.row(stage.signal.close)
    trade = until(lambda: bot.open_trade(pair), "the signal is traded", 20, decided, bot.log_path)
    message = until(lambda: bot.messages_of("strategy_msg", pair), "the signal's message")[0]["msg"]
    whitelist = bot.get("/whitelist")["whitelist"]

    # Killed within a candle; its close finds the bot alone.
    events_before, pairlist_before = stage.events(), sidecar.get("/v1/pairlist")
    sidecar.kill()
    killed_at = clock.now()
    stage.market.control("requests")
    clock.jump_to(stage.close_after(1) - BLIND)
    blind = stage.row(stage.close_after(1))
    bot.wait_for_loops(2)
    asked_alone = stage.market.requests()["intervals"]
    state_alone = bot.get("/show_config")["state"]

    clock.jump_to(stage.close_after(2) - AHEAD)
    sidecar.start()
    pairlist_after = sidecar.get("/v1/pairlist")
    sidecar.await_watch(stage.pairs)
    clock.jump_to(stage.close_after(2) - LAST)
    recovered = stage.row(stage.close_after(2))
    events_after = stage.events()
    live = LiveSource(stage.settings, HttpTransport(sidecar.url, "", timeout_s=5))
    report = live.refresh(ms(stage.close_after(2)), stage.pairs)
    assert report.answered == len(stage.pairs), report
    live_frame = stage.frame(live, 3)

    given.stop()
    return Story(
        stage, whitelist, decided, trade, message, events_before, pairlist_before, killed_at,
        blind, asked_alone, state_alone, pairlist_after, recovered, events_after, live_frame,
        sidecar.terminate(), given.rows,
    )  # fmt: skip


def test_candles_alone_make_no_signal(story: Story) -> None:
    signal = story.stage.signal
    clock = Clock(signal.close + timedelta(seconds=1))
    alone = scored(market_ahead(clock, "futures"), signal.pair, load_settings({})).iloc[-1]
    assert alone["tier"] == 0
    assert alone["confluence"] < 64.5
    for name in ("close", f"ta_{signal.side}"):
        assert story.decided[name] == pytest.approx(alone[name]), name


def test_order_flow_lifts_it_to_a_medium_signal(story: Story) -> None:
    row, signal = story.decided, story.stage.signal
    assert row[f"orderflow_{signal.side}"] > 65
    assert row["orderflow_reliability"] > 0.7
    assert row["coverage"] > TECHNICAL_SHARE
    assert 65 <= row["confluence"] + 0.5 < 80
    assert row["tier"] == 1
    assert row[f"enter_{signal.side}"] == 1


def test_the_signal_is_traded_and_tells_its_order_flow(story: Story) -> None:
    signal = story.stage.signal
    assert story.trade["is_short"] == (signal.side == "short")
    assert story.trade["enter_tag"].startswith("MEDIUM")
    score = round(story.decided[f"orderflow_{signal.side}"])
    assert f"├─ Order Flow: {score}/100" in story.message, story.message
    assert "Aggressive buying" in story.message


def test_the_bot_scans_the_pairs_of_the_sidecar(story: Story) -> None:
    assert sorted(story.whitelist) == sorted(story.stage.pairs)
    assert sorted(story.whitelist) == sorted(story.pairlist_before["pairs"])


def test_the_lower_timeframes_come_from_the_sidecar_alone(story: Story) -> None:
    """Even when it is down, the bot asks the exchange for none."""
    assert set(story.asked_alone) == {"/fapi/v1/klines 15m", "/fapi/v1/markPriceKlines 1h"} & set(
        story.asked_alone
    )
    assert story.asked_alone["/fapi/v1/klines 15m"] >= len(story.whitelist)


def test_without_the_sidecar_the_bot_goes_on_and_its_scores_fade(story: Story) -> None:
    assert story.state_alone == "running"
    before, blind = story.decided, story.blind
    assert 0 < blind["orderflow_reliability"] < before["orderflow_reliability"] / 2
    assert TECHNICAL_SHARE < blind["coverage"] < before["coverage"]


def test_scores_are_back_when_the_sidecar_is(story: Story) -> None:
    row = story.recovered
    assert row["orderflow_reliability"] > story.blind["orderflow_reliability"] * 2
    assert row[f"orderflow_{story.stage.signal.side}"] > 65
    assert row["coverage"] > story.blind["coverage"]


def test_events_go_on_and_the_pair_list_is_remembered(story: Story) -> None:
    before, after = story.events_before, story.events_after
    assert before, "nothing was told before the kill"
    assert after[: len(before)] == before
    numbers = [event["number"] for event in after]
    assert all(first < second for first, second in pairwise(numbers))
    assert sorted(story.pairlist_after["pairs"]) == sorted(story.pairlist_before["pairs"])
    # A list that was forgotten would be told anew.
    added = [event["pair"] for event in after if event["kind"] == "pair_added"]
    assert sorted(added) == sorted(story.stage.pairs)


def test_what_was_given_out_is_in_the_archive(story: Story) -> None:
    """All of it after SIGTERM; a kill costs no more than what waits to be written."""
    assert story.status == 0, story.stage.sidecar.log_path.read_text()[-2000:]
    kept = archived(story.stage.sidecar.data)
    at_risk = (ms(story.killed_at) - 2 * FLUSH_S * 1_000, ms(story.killed_at))
    lost = {row for row in story.given - kept if not at_risk[0] <= row[6] <= at_risk[1]}
    assert not lost, f"{len(lost)} of {len(story.given)} rows, such as {min(lost, key=str)}"
    assert len(story.given) > 100


def test_live_equals_backtest(story: Story) -> None:
    """What the strategy reads from the sidecar is what a backtest reads from its archive."""
    stage = story.stage
    archive = stage.frame(ArchiveSource(stage.sidecar.data), 3)
    known = stage.signal.pair, "orderflow_reliability"
    assert (story.live[known] > 0.7).sum() == 2, story.live[known]
    assert story.live.equals(archive), story.live.compare(archive)


def test_the_bot_saw_what_a_backtest_would(story: Story) -> None:
    check_rows(story.stage, story.decided, story.recovered)


def check_rows(stage: Stage, decided: Row, recovered: Row) -> None:
    """Check that the bot's columns at the first and the third close are those of the archive."""
    archive = stage.frame(ArchiveSource(stage.sidecar.data), 3)
    for row, close in ((decided, stage.signal.close), (recovered, stage.close_after(2))):
        for name in ("orderflow_long", "orderflow_short", "orderflow_reliability"):
            expected = archive.loc[close - CANDLE, (stage.signal.pair, name)]
            assert row[name] == expected, (close, name)


# ----------------------------------------------------------------------- over Redis; it is killed


@dataclass
class RedisServer:
    """A Redis of the test's own, empty at every start."""

    folder: Path
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self.folder.mkdir()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        options = {"--port": str(self.port), "--dir": str(self.folder), "--save": ""}
        words = [word for option in options.items() for word in option]
        self._process = subprocess.Popen(
            [redis_server(), *words, "--bind", "127.0.0.1"], stdout=subprocess.DEVNULL
        )
        until(self._answers, "Redis answers")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        try:
            return bool(redis.Redis(port=self.port).ping())
        except redis.ConnectionError:
            return False


def redis_server() -> str:
    """Return the program; without it skip, or fail where CI is set."""
    program = shutil.which("redis-server")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("redis-server is not installed")
        pytest.skip("redis-server is not installed")
    return program


@dataclass
class RedisStory:
    """What was seen with the scores over Redis, spot, while it was killed and came back."""

    stage: Stage
    whitelist: list[str]
    decided: Row
    trade: dict[str, Any]
    blind: Row
    state_blind: str
    recovered: Row
    events: list[dict[str, Any]]
    status: int


@pytest.fixture(scope="module")
def redis_story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisStory]:
    folder = tmp_path_factory.mktemp("redis")
    server = RedisServer(folder / "redis")

    def link(sidecar: RunningSidecar) -> tuple[dict[str, str], str]:
        return environment({"sidecar": {"transport": "redis"}}), f"file:///{sidecar.pairlist_file}"

    try:
        server.start()
        signal = find_signal("spot", "long")
        with staged(folder, signal, "spot", link, REDIS_URL=server.url) as stage:
            yield play_redis(stage, server)
    finally:
        server.kill()


def play_redis(stage: Stage, server: RedisServer) -> RedisStory:
    sidecar, bot, clock = stage.sidecar, stage.bot, stage.clock
    pair = stage.signal.pair
    stage.begin()
    decided = stage.row(stage.signal.close)
    trade = until(lambda: bot.open_trade(pair), "the signal is traded", 20, decided, bot.log_path)
    whitelist = bot.get("/whitelist")["whitelist"]

    server.kill()
    clock.jump_to(stage.close_after(1) - BLIND)
    blind = stage.row(stage.close_after(1))
    bot.wait_for_loops(2)
    state_blind = bot.get("/show_config")["state"]
    until(lambda: has_noticed_redis(sidecar, works=False), "Redis is missed")

    server.start()
    until(lambda: has_noticed_redis(sidecar, works=True), "Redis is back")
    clock.jump_to(stage.close_after(2) - LAST_AFTER_LONG)
    recovered = stage.row(stage.close_after(2))
    return RedisStory(
        stage, whitelist, decided, trade, blind, state_blind, recovered,
        stage.events(), sidecar.terminate(),
    )  # fmt: skip


def has_noticed_redis(sidecar: RunningSidecar, *, works: bool) -> bool:
    """Whether the sidecar's health says that Redis works, or that it does not."""
    health = sidecar.health()
    is_told = any(problem.startswith("redis:") for problem in health["problems"])
    return health["store"]["redis"] is works and is_told is not works


def test_scores_over_redis_make_the_signal_too(redis_story: RedisStory) -> None:
    story, side = redis_story, redis_story.stage.signal.side
    assert story.decided[f"orderflow_{side}"] > 65
    assert story.decided["orderflow_reliability"] > 0.7
    assert story.decided["tier"] == 1
    assert story.trade["enter_tag"].startswith("MEDIUM")


def test_the_pair_list_is_read_from_the_sidecars_file(redis_story: RedisStory) -> None:
    assert sorted(redis_story.whitelist) == sorted(redis_story.stage.pairs)


def test_without_redis_the_bot_goes_on_and_its_scores_fade(redis_story: RedisStory) -> None:
    story = redis_story
    assert story.state_blind == "running"
    assert 0 < story.blind["orderflow_reliability"] < story.decided["orderflow_reliability"] / 2
    assert TECHNICAL_SHARE < story.blind["coverage"] < story.decided["coverage"]


def test_scores_are_back_when_redis_is(redis_story: RedisStory) -> None:
    story = redis_story
    assert story.recovered["orderflow_reliability"] > 0.7
    assert story.recovered["coverage"] > story.blind["coverage"]


def test_the_sidecar_tells_that_redis_failed_and_came_back(redis_story: RedisStory) -> None:
    story = redis_story
    told = [event["kind"] for event in story.events if event["text"].startswith("redis:")]
    assert told == ["source_failed", "source_recovered"]
    assert story.status == 0


def test_over_redis_too_the_bot_saw_what_a_backtest_would(redis_story: RedisStory) -> None:
    check_rows(redis_story.stage, redis_story.decided, redis_story.recovered)
