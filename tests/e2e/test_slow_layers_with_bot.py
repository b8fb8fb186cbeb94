"""All layers before the bot: outside world, sidecar and Freqtrade as processes on one clock.

What is set in the replay market's outside world reaches the bot's candles, its journal and its
chat, once each, whatever is killed in between; a panic pauses the bot for its hour; providers that
die cost what they alone could tell.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pandas import DataFrame, isna

from scalp_strategy.contract import LAYERS, combine, from_wire, layer_column
from scalp_strategy.events import event_desk
from scalp_strategy.journal.store import Journal
from scalp_strategy.layers import FLAG_COLUMNS, ArchiveSource, LiveSource
from scalp_strategy.layers.http_transport import HttpTransport
from scalp_strategy.setting_groups.layer_rules import rules_of
from scalp_strategy.settings import Settings, load_settings
from tests.e2e.stage import (
    AHEAD,
    LAST,
    Row,
    Stage,
    environment,
    find_two_signals,
    ms,
    press,
    staged,
)
from tests.support.bot import CANDLE, Signal, until
from tests.support.sidecar import RunningSidecar
from tests.unit.journal.databases import empty_database, rows

KEYS = {
    "ETHERSCAN_API_KEY": "dummy-key-7c1f-of-etherscan",
    "WHALE_ALERT_API_KEY": "dummy-key-90ab-of-whale-alert",
}
BTC = "BTC/USDT:USDT"
SLOW = ("onchain", "sentiment")
LAYER_SCORES = [
    layer_column(layer, field)
    for layer in ("orderflow", *SLOW)
    for field in ("long", "short", "reliability")
]
# BTC's trend counts as none, whichever way it goes: the regime is known from the start.
TRENDLESS = {"regime_flat_fast_pct": 20, "regime_flat_slow_pct": 20}
FEAR = 8
AGAIN_S = 40.0  # within which all that a sidecar knows is given again after a start


def link(sidecar: RunningSidecar) -> tuple[dict[str, str], str]:
    return environment({"sidecar": {"url": sidecar.url}}), f"{sidecar.url}/v1/pairlist"


def assert_keyless(stage: Stage) -> None:
    """Check that no key is in what the sidecar answers, nor in any file of the two programs."""
    answers = [
        stage.sidecar.read(path) for path in ("/v1/health", "/metrics", "/v1/events", "/v1/pairs")
    ]
    folders = (stage.sidecar.folder, stage.bot.folder)
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert stage.sidecar.log_path in files
    for name, key in KEYS.items():
        assert not any(key in answer for answer in answers), name
        assert not [path for path in files if key.encode() in path.read_bytes()], name


# ----------------------------------------------------------------- a whale, a panic, three kills

# An EXTREME state lasts for an hour after it became known, and is known until an hour after that.
APART = (timedelta(hours=3), timedelta(hours=6))
PANIC_PCT = -2.5
WHALE_USD, SMALLER_USD = 25e6, 3e6  # one worth a message, one that is not
PULLED = {"sources": {"save_s": 1}, "journal": {"pull_s": 1}, "sentiment": TRENDLESS}


@dataclass
class Story:
    """What was seen at a close amid a panic, after a kill, and at a close some hours later."""

    stage: Stage
    later: Stage
    panic: Row
    panic_of_btc: Row
    trade_in_panic: dict[str, Any] | None
    messages_in_panic: list[str]
    live_in_panic: DataFrame
    events_before: list[dict[str, Any]]
    remembered: dict[tuple[str, str], list[Any]]
    asked_again: set[str]
    calm: Row
    trade: dict[str, Any]
    live: DataFrame
    events: list[dict[str, Any]]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    first, second = find_two_signals("futures", "long", APART)
    variables = KEYS | environment(PULLED)
    with staged(tmp_path_factory.mktemp("all"), first, "futures", link, **variables) as stage:
        yield play(stage, second)


def play(stage: Stage, second: Signal) -> Story:
    sidecar, bot, clock = stage.sidecar, stage.bot, stage.clock
    later, token = replace(stage, signal=second), second.pair.partition("/")[0]
    stage.say(kind="calm")
    stage.say(kind="fear_greed", value=FEAR)
    stage.say(kind="sp500_move", pct=PANIC_PCT)
    stage.watch()
    stage.say(**whale("BTC", WHALE_USD))
    stage.say(**whale(token, SMALLER_USD))
    # Killed as soon as both are told, before anything else can happen.
    until(lambda: len(told(stage.events(), "whale")) == 2, "the whales are told")
    sidecar.kill()
    stage.watch()
    bot.boot()
    bot.trade()
    clock.jump_to(stage.signal.close - LAST)
    panic = stage.row(stage.signal.close)
    panic_of_btc = replace(stage, signal=replace(second, pair=BTC)).row(stage.signal.close)
    bot.wait_for_loops(2)
    trade_in_panic, messages_in_panic = bot.open_trade(second.pair), said(stage, second.pair)
    live_in_panic = frame_until_close(stage, live_source(stage))

    # Killed again while the whales are in the window, and started at once.
    events_before = stage.events()
    sidecar.kill()
    sidecar.start()
    remembered = until(lambda: renewed(stage), "all is given again", AGAIN_S, sidecar.log_path)
    asked_again = sources_asked(sidecar)

    # Killed a third time, and away for hours. The chains tell of the whales still.
    sidecar.kill()
    clock.jump_to(second.close - AHEAD)
    press(stage.market, second)
    stage.watch()
    clock.jump_to(second.close - LAST)
    calm = later.row(second.close)
    trade = until(
        lambda: bot.open_trade(second.pair), "the signal is traded", 20, calm, bot.log_path
    )
    live = frame_until_close(later, live_source(later))
    until(lambda: is_written(sidecar), "the archive is written")
    return Story(
        stage, later, panic, panic_of_btc, trade_in_panic, messages_in_panic, live_in_panic,
        events_before, remembered, asked_again, calm, trade, live, stage.events(),
    )  # fmt: skip


def whale(token: str, usd: float) -> dict[str, Any]:
    return {"kind": "whale", "token": token, "usd": usd, "direction": "withdrawal"}


SCORE = "Confluence Score"


def said(stage: Stage, words: str) -> list[str]:
    return [message["msg"] for message in stage.bot.messages_of("strategy_msg", words)]


def live_source(stage: Stage) -> LiveSource:
    """Return what the sidecar says at the signal's close."""
    live = LiveSource(stage.settings, HttpTransport(stage.sidecar.url, "", timeout_s=5))
    report = live.refresh(ms(stage.signal.close), stage.pairs)
    assert report.answered == len(stage.pairs), report
    return live


def frame_until_close(stage: Stage, source: LiveSource | ArchiveSource) -> DataFrame:
    return stage.frame(source, 3).loc[: stage.signal.close - CANDLE]


def renewed(stage: Stage) -> dict[tuple[str, str], list[Any]]:
    """Return the rows of the slow layers, empty before this process has given out all of them."""
    started_ms = stage.sidecar.health()["started_at_ms"]
    given = stage.sidecar.components([BTC, stage.signal.pair])
    found = {(row[1], row[2]): row for row in given if row[0] in SLOW}
    wanted = [("whale_movements", BTC), ("whale_movements", stage.signal.pair)]
    is_whole = all(key in found for key in wanted)
    return found if is_whole and min(row[6] for row in found.values()) >= started_ms else {}


def sources_asked(sidecar: RunningSidecar) -> set[str]:
    """Return the sources that have answered since the start."""
    health = sidecar.health()
    return {
        name
        for name, source in health["sources"].items()
        if (source["last_success_ms"] or 0) >= health["started_at_ms"]
    }


def is_written(sidecar: RunningSidecar) -> bool:
    return bool(sidecar.health()["store"]["waiting_rows"] == 0)


def told(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["kind"] == kind]


def journalled(stage: Stage) -> list[dict[str, Any]]:
    """Return the whales in the bot's own journal, as a reader beside it sees them."""
    (path,) = (stage.bot.folder / "scalp").glob("journal-*.sqlite")
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        found = connection.execute("SELECT * FROM whale_events ORDER BY event_number")
        return [dict(row) for row in found]


def test_every_layer_speaks_in_the_bots_candles(story: Story) -> None:
    weights = story.stage.settings.confluence.weights
    for row in (story.panic, story.calm):
        known = {
            name: getattr(weights, name) * row[layer_column(name, "reliability")] for name in LAYERS
        }
        assert min(known.values()) > 0
        assert known["onchain"] + known["sentiment"] > 0.15
        assert row["coverage"] == pytest.approx(sum(known.values()))
        assert all(0 <= row[layer_column(name, "long")] <= 100 for name in (*SLOW, "base_rate"))
        assert row["regime"] == "CHOPPY"
    # Extreme fear is a reason to buy.
    assert story.calm["sentiment_long"] > 50 > story.calm["sentiment_short"]


def test_a_whale_lifts_its_own_token(story: Story) -> None:
    for row in (story.panic, story.panic_of_btc):
        assert row["onchain_long"] > 60
        assert row["onchain_short"] < 40
    assert story.calm["onchain_long"] == 50  # hours later


def test_the_bot_saw_what_a_backtest_would(story: Story) -> None:
    source = ArchiveSource(story.stage.sidecar.data)
    for stage, row in ((story.stage, story.panic), (story.later, story.calm)):
        archive = stage.frame(source, 3).loc[stage.signal.close - CANDLE]
        for name in (*LAYER_SCORES, *FLAG_COLUMNS):
            expected = archive[stage.signal.pair, name]
            assert row[name] == (None if isna(expected) else expected), name


def test_live_equals_backtest(story: Story) -> None:
    source = ArchiveSource(story.stage.sidecar.data)
    for stage, live in ((story.stage, story.live_in_panic), (story.later, story.live)):
        archive = frame_until_close(stage, source)
        assert live.iloc[-1][BTC, "macro"] is not None
        assert live.equals(archive), live.compare(archive)


def test_a_whale_is_one_event_one_row_and_one_message(story: Story) -> None:
    events = told(story.events, "whale")
    worth = {event["pair"]: event["data"]["amount_usd"] for event in events}
    assert worth == {
        BTC: pytest.approx(WHALE_USD, rel=0.1),
        story.stage.signal.pair: pytest.approx(SMALLER_USD, rel=0.1),
    }
    assert len(events) == 2
    kept = until(lambda: journalled(story.stage), "the journal")
    assert [(row["event_number"], row["tx_hash"], row["direction"]) for row in kept] == [
        (event["number"], event["data"]["tx_hash"], "withdrawal") for event in events
    ]
    (message,) = said(story.stage, "WHALE ALERT")
    assert message.startswith("🐋 WHALE ALERT — BTC")


def test_another_bot_journals_the_same_in_postgresql(story: Story, tmp_path: Path) -> None:
    settings = load_settings({"scalp": {"sidecar": {"url": story.stage.sidecar.url}}}, {})
    with empty_database("postgresql", tmp_path) as url:
        desk = event_desk(settings, {}, Journal(url, settings.journal.database_timeout_s), "b")
        assert desk is not None
        desk.notices(story.stage.clock.now())
        assert desk.wait(20)
        kept = rows(url, "whale_events")
    named = ("event_number", "content_key", "token", "pair", "amount_usd", "direction", "text")
    own = journalled(story.stage)
    assert [[row[name] for name in named] for row in kept] == [
        [row[name] for name in named] for row in own
    ]
    assert len(own) == 2


def test_a_panic_vetoes_what_would_be_traded(story: Story) -> None:
    assert story.panic["macro"] == "EXTREME"
    assert story.panic["tier"] == 1
    assert story.panic["enter_long"] == 1
    assert story.trade_in_panic is None
    (veto,) = story.messages_in_panic
    assert veto.startswith("🛡 macro danger")
    assert "not sent" in veto
    (alert,) = said(story.stage, "🚨 MACRO DANGER")
    assert f"S&P futures {PANIC_PCT}%" in alert


def test_when_its_hour_is_over_the_bot_trades_again(story: Story) -> None:
    assert story.calm["macro"] == "CALM"
    assert story.trade["enter_tag"].startswith("MEDIUM")
    signals = [text for text in said(story.stage, story.stage.signal.pair) if SCORE in text]
    assert len(signals) == 1
    (relief,) = said(story.stage, "✅ MACRO")
    assert "no longer EXTREME, now CALM" in relief


def test_the_slow_layers_remember_over_a_kill(story: Story) -> None:
    """What was asked before the kill, and not since, is known all the same."""
    known = {name for (name, _), row in story.remembered.items() if row[3] is not None}
    rules = [rules for rules in rules_of(story.stage.settings) if rules.layer in SLOW]
    assert known == {rule.name for each in rules for rule in each.components}
    assert story.asked_again.isdisjoint({"yahoo_chart", "fear_greed", "coingecko"})
    long, reason = 3, 7
    macro, fear = (story.remembered[name, "*"] for name in ("macro_correlation", "fear_greed"))
    assert "macro=EXTREME" in macro
    assert str(FEAR) in fear[reason]
    assert "regime=CHOPPY" in story.remembered["market_regime", "*"]
    moved = story.remembered["whale_movements", BTC]
    assert moved[long] > 60
    assert moved[reason].startswith("$25M BTC withdrawn from ")


def test_events_go_on_over_the_kills(story: Story) -> None:
    before, after = story.events_before, story.events
    assert after[: len(before)] == before
    assert all(first["number"] < second["number"] for first, second in pairwise(after))
    states = [event["data"]["new"] for event in told(after, "macro")]
    assert states == ["EXTREME", "CALM"]


def test_no_key_comes_to_light(story: Story) -> None:
    assert_keyless(story.stage)


# ------------------------------------------------------------------------------- dead providers

DEAD = "fear_greed"  # nobody else tells of it
MAD = "tron"  # answers with pages for people; others tell of the same
AFTERNOON = datetime(2026, 3, 4, 16, tzinfo=UTC)
NIGHT = AFTERNOON + timedelta(hours=34)  # when the index of that day counts half
CLOSE_TO = timedelta(seconds=6)
SOON_S = 30.0
# Asked as often as their budgets allow; a sidecar counts as new for a second only.
OFTEN = {
    "sources": {
        "retries": 0,
        "save_s": 1,
        "circuit_failures": 100,
        "every_s": {DEAD: 11, MAD: 6, "whale_alert": 8},
    },
    "sidecar": {"jobs": {"start_s": 1}},
    "sentiment": TRENDLESS,
}


@dataclass
class Outage:
    """What was seen while all worked, at a close while two providers did not, and after."""

    stage: Stage
    well: list[list[Any]]
    ill: list[list[Any]]
    health: dict[str, Any]
    recovered: dict[str, Any]
    events: list[dict[str, Any]]


@pytest.fixture(scope="module")
def outage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outage]:
    signal = Signal(BTC, "long", AFTERNOON, 1.0)  # of which only the time matters
    variables = KEYS | environment(OFTEN)
    with staged(tmp_path_factory.mktemp("dead"), signal, "futures", link, **variables) as stage:
        yield play_outage(stage)


def play_outage(stage: Stage) -> Outage:
    sidecar, market = stage.sidecar, stage.market
    stage.say(kind="calm")
    well = known_at(stage, AFTERNOON)
    assert sidecar.terminate() == 0

    stage.clock.jump_to(NIGHT - AHEAD)
    market.control("errors", path="^/outside/alternative_me/", status=500)
    stage.say(kind="garbage", path="^/outside/trongrid/", how="html")
    ill = known_at(stage, NIGHT)
    health = until(lambda: named_ill(sidecar), "both are named", SOON_S, sidecar.log_path)

    market.control("reset")
    recovered = until(lambda: named_well(sidecar), "all is well", SOON_S, sidecar.log_path)
    return Outage(stage, well, ill, health, recovered, stage.events())


def known_at(stage: Stage, close: datetime) -> list[list[Any]]:
    """Start the sidecar; return the rows that are known at a close, once all is watched."""
    stage.watch()
    until(lambda: has_whales(stage), "whales are watched", SOON_S, stage.sidecar.log_path)
    stage.clock.jump_to(close - CLOSE_TO)
    until(lambda: stage.clock.now() > close, "the candle closes")
    answer = stage.sidecar.get("/v1/scores", pairs=",".join(stage.pairs), at=ms(close))
    given = [row for one in answer["pairs"].values() for row in one["components"]]
    return [row for row in given if row[3] is not None]


def has_whales(stage: Stage) -> bool:
    given = stage.sidecar.components(stage.pairs)
    watched = {row[2] for row in given if row[1] == "whale_movements" and row[3] is not None}
    return watched >= set(stage.pairs)


def named_ill(sidecar: RunningSidecar) -> dict[str, Any]:
    health = sidecar.health()
    return health if all(health["sources"][name]["problem"] for name in (DEAD, MAD)) else {}


def named_well(sidecar: RunningSidecar) -> dict[str, Any]:
    health = sidecar.health()
    return health if not health["problems"] else {}


def coverage(given: list[list[Any]], pair: str, close: datetime, settings: Settings) -> float:
    """Return the share of the whole evidence that the slow layers know by what the dead one feeds.

    What the others have told by then depends on when each was asked.
    """
    rows = [row for row in given if row[2] in (pair, "*") and row[1] == DEAD]
    components = [from_wire(row) for row in rows]
    total = 0.0
    for rules in rules_of(settings):
        if rules.layer in SLOW:
            own = [one for one in components if one.layer == rules.layer]
            weight: float = getattr(settings.confluence.weights, rules.layer)
            total += weight * combine(own, rules, ms(close)).reliability
    return total


def test_health_names_the_dead_and_is_degraded_not_down(outage: Outage) -> None:
    health = outage.health
    assert health["status"] == "degraded"
    assert sorted(problem.partition(":")[0] for problem in health["problems"]) == [
        f"source {DEAD}",
        f"source {MAD}",
    ]
    assert "500" in health["sources"][DEAD]["problem"]
    assert health["sources"][MAD]["malformed"] > 0


def test_the_score_loses_what_the_dead_alone_could_tell(outage: Outage) -> None:
    sources, settings = outage.health["sources"], outage.stage.settings
    lost = {name: sources[name]["lost_without"] for name in (DEAD, MAD)}
    assert lost[MAD] == 0
    assert lost[DEAD] == pytest.approx(0.1 * 0.2)
    for pair in outage.stage.pairs:
        was = coverage(outage.well, pair, AFTERNOON, settings)
        now = coverage(outage.ill, pair, NIGHT, settings)
        # The last index is two days old: it counts half, not yet nothing.
        assert was - now == pytest.approx(lost[DEAD] / 2), pair


def test_everybody_else_is_published_as_before(outage: Outage) -> None:
    well, ill = ({tuple(row[:3]) for row in given} for given in (outage.well, outage.ill))
    slow = {key for key in well if key[0] in SLOW}
    assert {name for _, name, _ in slow} >= {"fear_greed", "macro_correlation", "market_regime"}
    assert slow <= ill
    books = {pair for _, name, pair in ill if name == "book_imbalance"}
    assert books == set(outage.stage.pairs)
    started_ms = outage.health["started_at_ms"]
    assert all(row[6] >= started_ms for row in outage.ill)


def test_failure_and_recovery_are_told_once(outage: Outage) -> None:
    assert outage.recovered["status"] == "ok"
    for name in (DEAD, MAD):
        kinds = [event["kind"] for event in outage.events if event["data"].get("source") == name]
        assert kinds == ["source_failed", "source_recovered"], name


def test_no_key_comes_to_light_in_trouble(outage: Outage) -> None:
    assert_keyless(outage.stage)
