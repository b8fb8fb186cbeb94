"""Every outside source against the replay market's outside world, over real HTTP: well and ill."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from external_layers.binance.pacing import Timing
from external_layers.replay.exchange import ReplayExchange
from external_layers.replay.generator import GeneratedMarket
from external_layers.replay.server import make_app, start
from external_layers.runner import Runner, one_client
from external_layers.slow_layers import SlowLayers
from external_layers.sources.facts import (
    BTC_DOMINANCE,
    FEAR_GREED,
    SP500_NOW,
    TOTAL_CAP,
    Fact,
    Reading,
    Story,
    Transfer,
    WalletTrade,
    Watched,
)
from external_layers.sources.registry import SOURCES
from external_layers.sources.spec import FetchContext, Source, SourceSpec
from external_layers.sources.state import SourceState
from scalp_strategy.contract import MARKET_WIDE
from scalp_strategy.settings import load_settings

START_MS = 1_790_000_130_250  # 2026-09-21 14:15:30.250 UTC
LATER_MS = 4 * 86_400_000 + 5 * 3_600_000 + 123_456  # a Saturday evening
TOKENS = ("BTC", "ETH", "SOL", "LINK", "DOGE")
SETTINGS = load_settings({"scalp": {"sources": {"retries": 0}}}, {})
KEYS = {name: f"dummy-{name.lower()}" for source in SOURCES for name in source.spec.keys}
ASKED = tuple(source for source in SOURCES if not source.spec.is_stream)
STREAMS = tuple(source for source in SOURCES if source.spec.is_stream)
ROTATING = ("etherscan", "mempool_space", "tron", "solana_rpc")  # a few wallets a fetch
TURNS = 12  # fetches after which each wallet has had its turn
WHALE = {"kind": "whale", "token": "BTC", "usd": 7e6, "direction": "deposit"}
SHORT_S = 0.3  # of real time, for what never answers
# What is read as far as it came: half a feed holds whole stories.
FORGIVING = {("news_rss", "truncated")}


@dataclass
class Stage:
    """A market in this process, its server, and clocks that the test owns."""

    exchange: ReplayExchange
    session: aiohttp.ClientSession
    folder: Path
    url: str = ""
    now_ms: int = START_MS
    monotonic_s: float = 0.0
    facts: dict[str, list[Fact]] = field(default_factory=dict)

    def timing(self) -> Timing:
        async def sleep(seconds: float) -> None:
            self.monotonic_s += seconds
            await asyncio.sleep(0)

        return Timing(lambda: self.now_ms, lambda: self.monotonic_s, sleep, lambda: 0.5)

    def price(self, token: str) -> float:
        if token not in TOKENS:
            return float("nan")
        query = {"symbol": f"{token}USDT"}
        return float(self.exchange.answer("/fapi/v1/ticker/price", query).body["price"])

    def say(self, **order: Any) -> None:
        answer = self.exchange.control("outside", order)
        assert answer.status == 200, answer.body

    def spoil(self, source: Source, how: str, status: int | None) -> None:
        provider = source.spec.provider
        path = f"^/outside/{provider.name}/"
        if status is None:
            self.say(kind="garbage", path=path, how=how, mb=provider.max_mb + 0.5)
            return
        rule = {"path": path, "status": status, "retry_after": 30 if status == 429 else None}
        assert self.exchange.control("errors", rule).status == 200

    def runner(self, sources: Sequence[Source] = SOURCES) -> Runner:
        def deliver(spec: SourceSpec, facts: Sequence[Fact]) -> None:
            self.facts.setdefault(spec.name, []).extend(facts)

        return Runner(
            sources, self.session, SETTINGS, self.timing(), self.folder / "sources.json",
            environment=KEYS, base_url=self.url, market=lambda: (TOKENS, self.price),
            deliver=deliver, on_change=lambda *_: None,
        )  # fmt: skip


def on_stage(folder: Path, story: Callable[[Stage], Awaitable[None]]) -> None:
    async def played() -> None:
        async with _stage(folder) as stage:
            await story(stage)

    asyncio.run(played())


@contextlib.asynccontextmanager
async def _stage(folder: Path) -> AsyncIterator[Stage]:
    market = GeneratedMarket(7, [f"{token}USDT" for token in TOKENS])
    async with aiohttp.ClientSession() as session:
        # The stage is the exchange's clock, and the exchange is on the stage.
        exchange = ReplayExchange(market, lambda: stage.now_ms)
        stage = Stage(exchange, session, folder)
        runner, port = await start(make_app(exchange), "127.0.0.1", 0)
        stage.url = f"http://127.0.0.1:{port}/outside"
        try:
            yield stage
        finally:
            await runner.cleanup()


def hasty(source: Source) -> Source:
    return replace(source, spec=replace(source.spec, timeout_s=SHORT_S))


# ------------------------------------------------------------------------------------- all is well


@pytest.mark.parametrize("source", ASKED, ids=lambda source: source.spec.name)
def test_a_source_tells_facts_at_two_times(source: Source, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        for step_ms in (0, LATER_MS):
            stage.now_ms += step_ms
            facts = await told_by(source, stage)
            assert facts
            assert all(fact.available_at_ms == stage.now_ms for fact in facts)
            assert all(fact.observed_at_ms <= stage.now_ms for fact in facts)
            if source.spec.name in ROTATING:
                assert any(isinstance(fact, Watched) for fact in facts)

    on_stage(tmp_path, story)


async def told_by(source: Source, stage: Stage) -> list[Fact]:
    """Return what a source tells, by when each wallet that it asks about has had its turn."""
    own = {name: KEYS[name] for name in source.spec.keys}
    facts: list[Fact] = []
    context = FetchContext(
        now_ms=lambda: stage.now_ms, settings=SETTINGS, keys=own, tokens=TOKENS,
        price=stage.price, deliver=facts.extend,
    )  # fmt: skip
    client = one_client(source.spec, stage.session, SETTINGS, stage.timing(), own, stage.url)
    for _ in range(TURNS if source.spec.name in ROTATING else 1):
        context.deliver(await source.fetch(client, context))
    return facts


def test_all_sources_tell_of_the_same_whale(tmp_path: Path) -> None:
    tellers = {
        "BTC": ("mempool_space", "blockchain_com", "whale_alert", "arkham"),
        "ETH": ("etherscan", "whale_alert", "arkham"),
        "SOL": ("solana_rpc", "whale_alert", "arkham"),
        "USDT": ("tron", "whale_alert", "arkham"),
    }

    async def story(stage: Stage) -> None:
        stage.say(kind="calm")
        for token in tellers:
            stage.say(kind="whale", token=token, usd=7e6, direction="withdrawal")
        stage.now_ms += 900_000  # a block has come
        told = {
            source.spec.name: [
                fact for fact in await told_by(source, stage) if isinstance(fact, Transfer)
            ]
            for source in ASKED
            if source.spec.layer == "onchain"
        }
        for token, names in tellers.items():
            found = [fact for name in names for fact in told[name] if fact.token == token]
            assert len({fact.key for fact in found}) == 1
            assert {fact.direction for fact in found} == {"withdrawal"}
            assert len({fact.amount for fact in found}) == 1
            assert found[0].amount_usd == pytest.approx(7e6, rel=0.1)  # by the price of now or then
            assert len(found) >= len(names)

    on_stage(tmp_path, story)


def test_a_set_world_is_told(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.say(kind="calm")
        before = await readings(stage)
        assert before[FEAR_GREED][-1] == 50
        assert before[SP500_NOW][-1] == before[SP500_NOW][0]
        stage.say(kind="fear_greed", value=12)
        stage.say(kind="dominance", value=66.5)
        stage.say(kind="total_cap", value=1.5e12)
        stage.say(kind="sp500_move", pct=-2.5)
        stage.say(kind="story", title="SEC sues exchange over hack")
        after = await readings(stage)
        assert after[FEAR_GREED][-1] == 12
        assert after[BTC_DOMINANCE] == [66.5]
        assert after[TOTAL_CAP][-1] == 1.5e12  # before it that of a day ago
        assert after[SP500_NOW][-1] == pytest.approx(before[SP500_NOW][-1] * 0.975)
        assert after[SP500_NOW][:-1] == before[SP500_NOW][:-1]
        told = [
            (fact.title, fact.polarity < 0)
            for source in ASKED
            if source.spec.name in ("news_rss", "reddit")
            for fact in await told_by(source, stage)
            if isinstance(fact, Story) and fact.polarity
        ]
        assert told == [("SEC sues exchange over hack", True)] * 2

    on_stage(tmp_path, story)


async def readings(stage: Stage) -> dict[str, list[float]]:
    """Return the values of every series, in order of time."""
    wanted = ("fear_greed", "coingecko", "yahoo_chart")
    found: dict[str, list[float]] = {}
    for source in ASKED:
        if source.spec.name in wanted:
            told = [fact for fact in await told_by(source, stage) if isinstance(fact, Reading)]
            for fact in sorted(told, key=lambda fact: fact.observed_at_ms):
                found.setdefault(fact.series, []).append(fact.value)
    return found


def test_nobody_trades_or_moves_in_a_calm_world(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.say(kind="calm")
        for source in ASKED:
            moved = [
                fact
                for fact in await told_by(source, stage)
                if isinstance(fact, Transfer | WalletTrade)
            ]
            assert moved == []

    on_stage(tmp_path, story)


def test_the_layers_hear_a_calm_world_and_what_is_set(tmp_path: Path) -> None:
    pairs = {f"{token}/USDT:USDT": token for token in TOKENS}

    async def story(stage: Stage) -> None:
        stage.say(kind="calm")
        layers = SlowLayers(SETTINGS)
        await hear(layers, stage)
        calm = layers.all_of(pairs, {}, stage.now_ms)
        # The regime needs candles, which no outside source tells.
        assert {one.long for one in calm if one.name != "market_regime"} == {50.0}
        stage.say(kind="sp500_move", pct=-2.5)
        stage.say(kind="fear_greed", value=8)
        for _ in range(2):
            stage.say(**WHALE | {"direction": "withdrawal"})
        await hear(layers, stage)
        scores = {(one.name, one.pair): one for one in layers.all_of(pairs, {}, stage.now_ms)}
        assert scores["macro_correlation", MARKET_WIDE].flags == ("macro=EXTREME",)
        assert scores["fear_greed", MARKET_WIDE].long > 80
        assert scores["whale_movements", "BTC/USDT:USDT"].long == 90
        assert scores["whale_movements", "SOL/USDT:USDT"].long == 50

    on_stage(tmp_path, story)


async def hear(layers: SlowLayers, stage: Stage) -> None:
    for source in ASKED:
        layers.take(await told_by(source, stage), stage.price)
    stage.now_ms += 60_000


# ---------------------------------------------------------------------------------- all goes wrong

TROUBLE = [
    *((how, None) for how in ("html", "empty", "truncated", "wrong_types", "huge", "slow")),
    *(("", status) for status in (401, 403, 429, 500, 503)),
]


@pytest.mark.parametrize(("how", "status"), TROUBLE)
def test_trouble_is_told_and_harms_nobody_else(
    how: str, status: int | None, tmp_path: Path
) -> None:
    async def story(stage: Stage) -> None:
        for half in (0, 1):
            stage.exchange.control("reset", {})
            for _ in range(40):  # so that each wallet's answer holds something to spoil
                stage.say(**WHALE)
                stage.say(**WHALE | {"token": "SOL"})
            ill = [source.spec.name for source in ASKED[half::2]]
            sources = [
                hasty(source) if how == "slow" and source.spec.name in ill else source
                for source in ASKED
            ]
            for source in sources:
                if source.spec.name in ill:
                    stage.spoil(source, how, status)
            (stage.folder / "sources.json").unlink(missing_ok=True)
            runner = stage.runner(sources)
            states = await asyncio.gather(*(runner.once(each.spec.name) for each in sources))
            for state in states:
                name = state.spec.name
                if name not in ill or (name, how) in FORGIVING:
                    assert_well(state)
                else:
                    assert_ill(state, how, status)

    on_stage(tmp_path, story)


def assert_well(state: SourceState) -> None:
    problems = (state.problem, state.why_off, state.payload_errors, state.paused_until_ms)
    assert problems == (None, None, 0, None), state.spec.name


def assert_ill(state: SourceState, how: str, status: int | None) -> None:
    name, problem = state.spec.name, state.problem or ""
    assert not any(key in f"{problem} {state.why_off} {state.sample}" for key in KEYS.values())
    assert state.failures == 1, name
    if status is None:
        assert state.is_on
        assert state.payload_errors == (how != "slow"), f"{name}: {problem}"
        return
    assert f"status {status}" in problem, f"{name}: {problem}"
    assert state.payload_errors == 0
    assert state.is_on == (status not in (401, 403) or not state.spec.keys), name
    assert (state.paused_until_ms is not None) == (status == 429), name


# -------------------------------------------------------------------------------------- the stream


@pytest.mark.parametrize("source", STREAMS, ids=lambda source: source.spec.name)
def test_a_stream_tells_alerts_as_they_come(source: Source, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.say(kind="calm")
        stage.say(**WHALE)
        runner = stage.runner([hasty(source)])
        assert_well(await runner.once(source.spec.name))
        found = [fact for fact in stage.facts[source.spec.name] if isinstance(fact, Transfer)]
        assert [(fact.token, fact.direction) for fact in found] == [("BTC", "deposit")]

    on_stage(tmp_path, story)


@pytest.mark.parametrize("how", ["html", "empty", "truncated", "wrong_types", "huge"])
@pytest.mark.parametrize("source", STREAMS, ids=lambda source: source.spec.name)
def test_garbage_in_a_stream_is_told(source: Source, how: str, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.say(kind="calm")
        for _ in range(5):
            stage.say(**WHALE)
        stage.spoil(source, how, None)
        state = await stage.runner([hasty(source)]).once(source.spec.name)
        assert (state.payload_errors, state.is_on) == (1, True)
        assert stage.facts == {}

    on_stage(tmp_path, story)


@pytest.mark.parametrize(("status", "is_on"), [(401, False), (429, True), (500, True)])
@pytest.mark.parametrize("source", STREAMS, ids=lambda source: source.spec.name)
def test_a_stream_that_is_refused(source: Source, status: int, is_on: bool, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.spoil(source, "", status)
        state = await stage.runner([hasty(source)]).once(source.spec.name)
        assert state.is_on == is_on
        assert f"status {status}" in (state.problem or "")

    on_stage(tmp_path, story)
