"""The real Freqtrade tells its trades in a chat: what is told, edited, asked, refused and survived.

Each bot plays one story against a local Bot API and a market whose prices a script moves; the tests
look at what the chat showed at its stations.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_paper_trading import (
    FUTURES,
    LOSS_LIMIT_PCT,
    MARGIN_R,
    Levels,
    Trade,
    fields_of,
    kept_plan,
    state_with,
    with_resting,
)
from tests.support.bot import MarketControl, PaperBot, Signal, until
from tests.support.bot_api_chats import Message
from tests.support.chat import STRANGER, Chat, chatting_bot, running_chat
from tests.support.market import running_market
from tests.support.shifted import SharedClock

RETRY_AFTER_S = 1
SEEN_S = 20.0
LOOPS = 3  # of the bot, after which it would have said what it has to say
MAX_HOLD = timedelta(hours=2)
# What would make a second trade of one pair, or a trade at any hour, another story.
PLAIN = {
    "FREQTRADE__SCALP__BREAKERS__REVENGE_COOLDOWN_S": "0",
    "FREQTRADE__SCALP__BREAKERS__LOW_QUALITY_SHIFT": "0",
    "FREQTRADE__SCALP__BREAKERS__VOLATILITY_ATR_RATIO": "20",
    "FREQTRADE__SCALP__BREAKERS__VOLATILITY_RANGE_RATIO": "20",
}
SIGNAL = "📊 Confluence Score"
ACTIVATED = "CIRCUIT BREAKER ACTIVATED"
OVERRIDDEN = "DAILY DRAWDOWN OVERRIDDEN"
PAUSED_BY = "SIGNALS PAUSED BY"
RESUMED = "SIGNALS RESUMED"
FILLED, FIRST, SECOND, OVER = STATIONS = ("filled (ordered", "TP1 ✅", "TP2 ✅", "🏁 Closed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("telegram")


def block_of(text: str) -> str:
    """Return the status block of a signal's message; empty before there is one."""
    return text.partition("📍 STATUS")[2]


def entered(bot: PaperBot, chat: Chat, signal: Signal, seen: int) -> tuple[Trade, Levels, Message]:
    """Wait until a signal is told, entered and protected; return what is known of it.

    `seen` is how many messages there were before it.
    """
    trade = with_resting(bot, signal.pair, "tp1")
    message = chat.wait_for(f" — {re.escape(signal.pair)} ", "the signal's message", after=seen)
    chat.wait_for_edit(message, FILLED, "the entry in the signal's message")
    return trade, Levels.of(trade, kept_plan(bot, trade)), message


# --------------------------------------------------------------------- one trade from end to end


@dataclass
class TradeStory:
    """What was seen of one trade, station by station."""

    signal: Signal
    trade: Trade
    levels: Levels
    message: Message
    asked_by_stranger: list[str]
    state_after_stranger: dict[str, Any]
    state_paused: dict[str, Any]
    state_resumed: dict[str, Any]
    after_tp1: str
    after_restart: list[str]
    block_after_restart: str
    block_in_outage: str
    after_tp2: str
    closed: Trade
    chat: Chat


@pytest.fixture(scope="module")
def trade_story(folder: Path) -> Iterator[TradeStory]:
    with running_market("--seed", "7") as url, running_chat() as chat:
        bot = chatting_bot(chat, folder / "trade", url, FUTURES, PLAIN)
        try:
            yield play_trade(bot, MarketControl(url), chat)
        finally:
            bot.close()


def play_trade(bot: PaperBot, market: MarketControl, chat: Chat) -> TradeStory:
    bot.boot()
    seen = chat.count()
    signal = bot.show(market, "long")
    trade, levels, message = entered(bot, chat, signal, seen)

    # A stranger asks, then the admin.
    seen = chat.count()
    for text in ("/pause", "/help", "/heat", "/stop"):
        chat.say(text, by=STRANGER)
    bot.wait_for_loops(LOOPS)
    asked, after_stranger = chat.texts(seen), bot.state()
    chat.say("/pause")
    paused = until(lambda: state_with(bot, is_paused=True), "the pause", SEEN_S, bot.log_path)
    chat.wait_for(PAUSED_BY, "the notice of the pause", after=seen)
    chat.say("/resume")
    resumed = until(lambda: state_with(bot, is_paused=False), "its end", SEEN_S, bot.log_path)
    chat.wait_for(RESUMED, "the notice of its end", after=seen)

    # The server has too much to do when the first target is reached.
    chat.refuse_edits(RETRY_AFTER_S, count=2)
    market.move_to(signal.pair, levels.at_r(1.5 + MARGIN_R))
    with_resting(bot, signal.pair, "tp2")
    after_tp1 = chat.wait_for_edit(message, FIRST, "the first target in the message")

    # A polite end and a new start.
    seen = chat.count()
    bot.terminate()
    restart(bot)
    bot.wait_for_loops(LOOPS)
    after_restart, block_after = chat.texts(seen), block_of(message.text)

    # Without network the second target is reached, and the bot is killed before it could tell.
    chat.cut()
    market.move_to(signal.pair, levels.at_r(2.5 + 2 * MARGIN_R))
    with_resting(bot, signal.pair, "tp3")
    bot.wait_for_loops(LOOPS)
    in_outage = block_of(message.text)
    bot.kill()
    chat.mend()
    restart(bot)
    after_tp2 = chat.wait_for_edit(message, SECOND, "the second target in the message")

    market.move_to(signal.pair, levels.at_r(1.5 - MARGIN_R))
    closed = until(lambda: bot.closed_trade(signal.pair), "the end", SEEN_S, bot.log_path)
    chat.wait_for_edit(message, OVER, "the outcome in the message")
    bot.wait_for_loops(LOOPS)
    return TradeStory(
        signal, trade, levels, message, asked, after_stranger, paused, resumed, after_tp1,
        after_restart, block_after, in_outage, after_tp2, closed, chat,
    )  # fmt: skip


def restart(bot: PaperBot) -> None:
    bot.boot()
    bot.trade()


def test_the_signal_tells_everything(trade_story: TradeStory) -> None:
    story, levels = trade_story, trade_story.levels
    first = story.message.texts[0]
    fields = fields_of(first)
    assert (fields["side"], fields["pair"]) == ("🟢 LONG", story.signal.pair)
    assert float(fields["entry"]) == pytest.approx(story.signal.price)
    for name, multiple in {"stop": -1.0, "tp1": 1.5, "tp2": 2.5, "tp3": 4.0}.items():
        exact = story.signal.price + multiple * levels.distance
        assert abs(float(fields[name]) - exact) <= levels.tick * 1.001
    risk = story.trade["amount"] * levels.distance
    assert float(fields["risk"]) == pytest.approx(risk, rel=0.01)
    assert re.search(r"📎 Setup: .+ \| Size limited by: .+", first)


def test_the_entry_is_told_in_the_signals_own_message(trade_story: TradeStory) -> None:
    block = block_of(next(text for text in trade_story.message.texts if FILLED in text))
    assert re.search(r"Open: 100 % \| stop \S+ \(-(1\.0\d|0\.9\d) R\)", block), block


def test_the_first_target_is_a_partial_exit_and_moves_the_stop(trade_story: TradeStory) -> None:
    block = block_of(trade_story.after_tp1)
    assert re.search(r"TP1 ✅ \S+ \((39|40) %\)", block), block
    last = block_of([text for text in trade_story.message.texts if SECOND not in text][-1])
    assert re.search(r"Open: (60|61) % \| stop \S+ \(break-even\)", last), last


def test_a_pause_that_the_server_asked_for_is_kept(trade_story: TradeStory) -> None:
    assert len(trade_story.chat.pauses()) == 2


def test_a_stranger_gets_nothing_and_changes_nothing(trade_story: TradeStory) -> None:
    story = trade_story
    assert story.asked_by_stranger == []
    assert story.chat.told_to_stranger() == []
    assert story.state_after_stranger["is_paused"] is False


def test_the_admin_pauses_and_resumes(trade_story: TradeStory) -> None:
    assert trade_story.state_paused["is_paused"] is True
    assert trade_story.state_resumed["is_paused"] is False
    for notice in (PAUSED_BY, RESUMED):
        assert trade_story.chat.once(notice)


def test_a_restart_in_mid_trade_repeats_nothing(trade_story: TradeStory) -> None:
    story = trade_story
    ours = (SIGNAL, PAUSED_BY, RESUMED, ACTIVATED)
    assert not [text for text in story.after_restart if any(words in text for words in ours)]
    assert FIRST in story.block_after_restart
    assert SECOND not in story.block_after_restart


def test_what_came_before_a_kill_without_network_is_told_after_it(trade_story: TradeStory) -> None:
    story = trade_story
    assert SECOND not in story.block_in_outage
    block = block_of(story.after_tp2)
    assert block.index(FIRST) < block.index(SECOND)
    assert re.search(r"Open: (19|20|21) % \| stop \S+ \(\+\d\.\d\d R\)", block), block


def test_the_outcome_is_in_the_message(trade_story: TradeStory) -> None:
    block = block_of(trade_story.message.text)
    assert re.search(r"🏁 Closed: trailing stop, \+\d\.\d\d R net, \+\d+\.\d\d USDT", block), block
    assert trade_story.closed["profit_abs"] > 0


def test_one_signal_is_one_message_and_its_edits_go_forward(trade_story: TradeStory) -> None:
    story, texts = trade_story, trade_story.message.texts
    assert story.chat.once(f" — {story.signal.pair} ") is story.message
    assert all(earlier != later for earlier, later in pairwise(texts))
    shown = [[station in text for station in STATIONS] for text in texts]
    assert shown == sorted(shown), "something that was told was taken back"
    assert shown[-1] == [True] * len(STATIONS)


# ------------------------------------------------------------- drawdown, network loss, time stop


@dataclass
class LossStory:
    """What was seen of a loss beyond the day's limit, its override, and a trade without an end."""

    first: Message
    told_in_outage: list[str]
    told_after_it: list[str]
    state_asked: dict[str, Any]
    state_confirmed: dict[str, Any]
    by_time: str
    closed: Trade
    chat: Chat


@pytest.fixture(scope="module")
def loss_story(folder: Path) -> Iterator[LossStory]:
    limit = {"FREQTRADE__SCALP__BREAKERS__MAX_DAILY_DRAWDOWN_PCT": str(LOSS_LIMIT_PCT)}
    clock = SharedClock(folder / "clock", datetime.now(UTC))
    with running_market("--seed", "7", clock=clock) as url, running_chat() as chat:
        bot = chatting_bot(chat, folder / "loss", url, FUTURES[:1], PLAIN | limit, clock)
        # The candle that was decided is not decided again; another bot has not seen it.
        other = chatting_bot(chat, folder / "time", url, FUTURES[:1], PLAIN, clock)
        try:
            yield play_loss(bot, other, MarketControl(url), chat, clock)
        finally:
            other.close()
            bot.close()


def play_loss(
    bot: PaperBot, other: PaperBot, market: MarketControl, chat: Chat, clock: SharedClock
) -> LossStory:
    bot.boot()
    seen = chat.count()
    signal = bot.show(market, "long")
    _, levels, first = entered(bot, chat, signal, seen)

    # Without network the trade is stopped out and the day's limit is reached.
    seen = chat.count()
    chat.cut()
    market.move_to(signal.pair, levels.at_r(-1 - MARGIN_R))
    until(lambda: bot.closed_trade(signal.pair), "the stop", SEEN_S, bot.log_path)
    until(lambda: state_with(bot, is_paused=True), "the pause", SEEN_S, bot.log_path)
    bot.wait_for_loops(LOOPS)
    in_outage = chat.texts(seen)
    chat.mend()
    chat.wait_for(ACTIVATED, "the pause's notice", after=seen)
    chat.wait_for_edit(first, OVER, "the outcome in the message")
    after_it = chat.texts(seen)

    # Before the next UTC day it takes two.
    seen = chat.count()
    chat.say("/resume")
    question = chat.wait_for_buttons("the question for a confirmation", after=seen)
    bot.wait_for_loops(LOOPS)
    asked = bot.state()
    chat.press(question, "(?i)resume|confirm|yes")
    confirmed = until(lambda: state_with(bot, is_paused=False), "the end", SEEN_S, bot.log_path)
    chat.wait_for(OVERRIDDEN, "the notice of the override", after=seen)

    # The next trade goes nowhere until its time is up.
    bot.terminate()
    other.boot()
    seen = chat.count()
    second = other.show(market, "short")
    trade, _, message = entered(other, chat, second, seen)
    other.post("/stop")
    clock.jump_to(clock.now() + MAX_HOLD + timedelta(minutes=15))
    market.move_to(second.pair, trade["open_rate"])
    other.trade()
    closed = until(lambda: closed_one(other, trade), "the time stop", 30, other.log_path)
    by_time = chat.wait_for_edit(message, OVER, "the time stop in the message")
    return LossStory(first, in_outage, after_it, asked, confirmed, by_time, closed, chat)


def closed_one(bot: PaperBot, trade: Trade) -> Trade | None:
    """Return this very trade once it is closed; the pair had another before."""
    closed = bot.closed_trade(trade["pair"])
    return closed if closed and closed["trade_id"] == trade["trade_id"] else None


def test_a_days_loss_is_told_with_the_way_back(loss_story: LossStory) -> None:
    text = loss_story.chat.once(ACTIVATED).text
    assert "drawdown" in text.partition("Reason:")[2].partition("\n")[0].lower()
    assert "Action: Signals PAUSED" in text
    assert "Resume: Use /resume command" in text


def test_what_came_without_network_is_told_once_and_in_order(loss_story: LossStory) -> None:
    story = loss_story
    assert story.told_in_outage == []
    told = story.told_after_it
    assert len(told) == len(set(told))
    (notice,) = [place for place, text in enumerate(told) if ACTIVATED in text]
    host = [place for place, text in enumerate(told) if re.search(r"(?i)\bexit(ed|ing)\b", text)]
    assert host
    assert max(host) < notice
    assert "🏁 Closed: stop-loss" in block_of(story.first.text)


def test_a_resume_on_the_same_day_needs_the_admins_confirmation(loss_story: LossStory) -> None:
    assert loss_story.state_asked["is_paused"] is True
    assert loss_story.state_confirmed["is_paused"] is False
    assert loss_story.chat.once(OVERRIDDEN)


def test_a_trade_that_takes_too_long_is_closed_and_told(loss_story: LossStory) -> None:
    assert loss_story.closed["exit_reason"] == "time_stop"
    block = block_of(loss_story.by_time)
    assert "⏳ Time stop" in block
    assert "🏁 Closed: time stop" in block
