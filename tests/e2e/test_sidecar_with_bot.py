"""Replay market, sidecar and Freqtrade together: order flow makes a signal that candles do not.

All of them live by one clock that the tests set, so that candles close when they are needed; each
story sees three closes, and the tests look at what was seen at its stations.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import redis
from pandas import DataFrame

from scalp_strategy.layers import ArchiveSource, LiveSource
from scalp_strategy.layers.http_transport import HttpTransport
from scalp_strategy.settings import load_settings
from tests.e2e.stage import (
    AHEAD,
    BLIND,
    FLUSH_S,
    LAST,
    LAST_AFTER_LONG,
    TECHNICAL_SHARE,
    Clock,
    Given,
    Row,
    Stage,
    archived,
    check_rows,
    environment,
    find_signal,
    market_ahead,
    ms,
    staged,
)
from tests.support.bot import (
    free_port,
    scored,
    until,
)
from tests.support.sidecar import RunningSidecar

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
