"""The real Freqtrade paper-trades the replay market: entries, ladder, restarts, drawdown.

Each bot plays one story, and the tests look at what was seen at its stations.
"""

import json
import math
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scalp_strategy.contract import Side, sign_of
from tests.support.bot import MarketControl, PaperBot, Signal, beside_python, until
from tests.support.market import running_market

FUTURES = ["SOL/USDT:USDT", "ADA/USDT:USDT", "XRP/USDT:USDT"]
SPOT = ["SOL/USDT", "ADA/USDT", "XRP/USDT"]
FORCED = "LTC/USDT:USDT"
WALLET = 9_900.0  # 10,000 times the shipped tradable balance ratio
MARGIN_R = 0.2
FAULTS = 6
LOSS_LIMIT_PCT = 0.3  # less than any stop costs, more than an entry does

Trade = dict[str, Any]


@pytest.fixture(scope="module")
def market_url() -> Iterator[str]:
    with running_market("--seed", "7") as url:
        yield url


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("paper")


# ------------------------------------------------------------------------------- what was planned


@dataclass(frozen=True)
class Levels:
    """A trade's levels, worked out from its fill and the distance that was frozen at the signal."""

    sign: int
    entry: float
    distance: float
    tick: float
    step: float

    @classmethod
    def of(cls, trade: Trade, plan: dict[str, Any]) -> "Levels":
        return cls(
            sign=sign_of("short" if trade["is_short"] else "long"),
            entry=trade["open_rate"],
            distance=plan["distance"],
            tick=trade["price_precision"],
            step=trade["amount_precision"],
        )

    def at_r(self, multiple: float) -> float:
        return self.entry + self.sign * multiple * self.distance

    def towards_entry(self, multiple: float) -> float:
        """The tick at a level, or the next one on the entry's side of it."""
        rounds_up = (self.sign > 0) == (multiple <= 0)
        ticks = self.at_r(multiple) / self.tick
        return (math.ceil(ticks - 1e-6) if rounds_up else math.floor(ticks + 1e-6)) * self.tick

    def share(self, amount: float, share: float) -> float:
        return math.floor(amount * share / self.step + 1e-6) * self.step


def exit_orders(trade: Trade, tag: str) -> list[dict[str, Any]]:
    exits = "buy" if trade["is_short"] else "sell"
    return [
        order
        for order in trade["orders"]
        if order["ft_order_side"] == exits and order["ft_order_tag"] == tag
    ]


def order_ids(trade: Trade) -> list[str]:
    return [order["order_id"] for order in trade["orders"]]


def with_resting(bot: PaperBot, pair: str, tag: str) -> Trade:
    """Wait for a trade whose target order rests."""

    def trade_with_order() -> Trade | None:
        trade = bot.open_trade(pair)
        is_there = trade and any(order["is_open"] for order in exit_orders(trade, tag))
        return trade if is_there else None

    return until(trade_with_order, f"{pair} has a resting {tag}", 20, bot.log_path)


# --------------------------------------------------------------------------- the ladder, both sides


@dataclass
class Story:
    """What was seen of one trade, station by station."""

    signal: Signal
    message: str
    levels: Levels
    entered: Trade
    after_tp1: Trade
    plan: dict[str, Any]
    restarted: Trade
    restarted_plan: dict[str, Any]
    after_tp2: Trade
    killed: Trade
    killed_plan: dict[str, Any]
    closed: Trade
    messages: list[dict[str, Any]]
    state_after_errors: str


@pytest.fixture(scope="module", params=["long", "short"])
def story(request: pytest.FixtureRequest, market_url: str, folder: Path) -> Iterator[Story]:
    side: Side = request.param
    bot = PaperBot(folder / side, market_url, FUTURES)
    try:
        yield play(bot, MarketControl(market_url), side)
    finally:
        bot.close()


def play(bot: PaperBot, market: MarketControl, side: Side) -> Story:
    bot.boot()
    signal = bot.show(market, side)
    pair = signal.pair
    entered = with_resting(bot, pair, "tp1")
    message = until(lambda: bot.messages_of("strategy_msg", pair), "the signal's message")[0]["msg"]
    plan = kept_plan(bot, entered)
    levels = Levels.of(entered, plan)

    market.move_to(pair, levels.at_r(1.5 + MARGIN_R))
    after_tp1 = with_resting(bot, pair, "tp2")

    # The bot comes back while the exchange fails now and then.
    bot.terminate()
    for path in ("/fapi/v1/klines", "/fapi/v1/depth"):
        market.control("errors", path=path, status=503, count=FAULTS)
    market.control("delay", path="/fapi/v1/depth", seconds=1, count=2)
    bot.boot()
    bot.trade()
    until(lambda: not market.state()["errors"], "the bot met every error", 30, bot.log_path)
    bot.wait_for_loops(2)
    restarted, restarted_plan = trade_of(bot, pair), kept_plan(bot, entered)
    state_after_errors = bot.get("/show_config")["state"]

    market.move_to(pair, levels.at_r(2.5 + 2 * MARGIN_R))
    after_tp2 = with_resting(bot, pair, "tp3")

    bot.kill()
    bot.boot()
    bot.trade()
    bot.wait_for_loops(2)
    killed, killed_plan = trade_of(bot, pair), kept_plan(bot, entered)

    market.move_to(pair, levels.at_r(1.5 - MARGIN_R))
    closed = until(lambda: bot.closed_trade(pair), "the trade is closed", 20, bot.log_path)
    return Story(
        signal, message, levels, entered, after_tp1, plan, restarted, restarted_plan,
        after_tp2, killed, killed_plan, closed, list(bot.messages), state_after_errors,
    )  # fmt: skip


def trade_of(bot: PaperBot, pair: str) -> Trade:
    trade = bot.open_trade(pair)
    assert trade is not None, f"no open trade of {pair}"
    return trade


def kept_plan(bot: PaperBot, trade: Trade) -> dict[str, Any]:
    return dict(json.loads(bot.kept(trade["trade_id"])["scalp_plan"]))


NUMBER = r"\d+(?:\.\d+)?"
FIELDS = {
    "headline": r"(?P<side>🟢 LONG|🔴 SHORT) — (?P<pair>\S+) (?P<tier>🔥|⚡)",
    "score": r"📊 Confluence Score: (?P<score>\d+)/100 (?P<stars>⭐{2,5})",
    "validity": r"⏱ Timeframe: 15m \| Valid: 15 min",
    "entry": rf"├─ Entry: \$(?P<entry>{NUMBER})",
    "stop": rf"├─ Stop Loss: \$(?P<stop>{NUMBER}) \((?P<sl_pct>{NUMBER})%\)",
    "tp1": rf"├─ TP1: \$(?P<tp1>{NUMBER}) → Close 40% \| Move SL to BE",
    "tp2": rf"├─ TP2: \$(?P<tp2>{NUMBER}) → Close 40% \| Trail SL to TP1",
    "tp3": rf"└─ TP3: \$(?P<tp3>{NUMBER}) → Close 20% \(runner\)",
    "reward": r"⚖️ Risk/Reward: 1:2\.5",
    "size": rf"📐 Position Size: (?P<size>{NUMBER})% of portfolio",
    "risk": rf"💵 Risk: \$(?P<risk>{NUMBER})",
    "technical": r"├─ TA: (?P<ta>\d+)/100",
    "orderflow": r"├─ Order Flow: no data",
    "onchain": r"├─ On-Chain: no data",
    "sentiment": r"├─ Sentiment: no data",
    "backtest": r"└─ Backtest: (no data|\d+/100)",
    "win_rate": r"    └─ Historical win rate: (no data|about \d+% from \d+ cases, mean \S+R .+)",
    "regime": r"🌐 Market Regime: no data",
    "hold": r"⚠️ Max hold: 8 candles \(2h\)",
    "slogan": r"🤖 100% data-driven\. Zero emotion\.",
}


def fields_of(message: str) -> dict[str, str]:
    """Every field of the message's format; a missing one fails."""
    found: dict[str, str] = {}
    for name, pattern in FIELDS.items():
        lines = [match for line in message.splitlines() if (match := re.fullmatch(pattern, line))]
        assert len(lines) == 1, f"{name}: {len(lines)} lines in\n{message}"
        found |= lines[0].groupdict()
    return found


def test_the_signal_tells_everything(story: Story) -> None:
    fields, plan, sign = fields_of(story.message), story.plan, story.levels.sign
    tier, score = story.entered["enter_tag"].split()[:2]
    side = story.signal.side
    assert fields["side"] == {"long": "🟢 LONG", "short": "🔴 SHORT"}[side]
    assert fields["tier"] == {"HIGH": "🔥", "MEDIUM": "⚡"}[tier]
    assert fields["score"] == score
    assert len(fields["stars"]) == 2 + sum(int(score) >= step for step in (70, 80, 90))
    assert fields["pair"] == story.signal.pair
    price, distance, tick = plan["price"], plan["distance"], story.levels.tick
    assert float(fields["entry"]) == pytest.approx(story.signal.price)
    assert float(fields["sl_pct"]) == pytest.approx(distance / price * 100, abs=0.01)
    for name, multiple in {"stop": -1.0, "tp1": 1.5, "tp2": 2.5, "tp3": 4.0}.items():
        exact = price + sign * multiple * distance
        assert abs(float(fields[name]) - exact) <= tick * 1.001
    assert 0.3 <= float(fields["sl_pct"]) <= 3.0


def test_the_signal_says_what_is_risked(story: Story) -> None:
    fields, trade = fields_of(story.message), story.entered
    risk = trade["amount"] * story.plan["distance"]
    assert float(fields["risk"]) == pytest.approx(risk, rel=0.01)
    assert 0 < risk <= 0.015 * WALLET
    assert float(fields["size"]) == pytest.approx(
        trade["amount"] * trade["open_rate"] / 99, rel=0.02
    )


def test_the_entry_fills_and_is_protected(story: Story) -> None:
    trade, levels = story.entered, story.levels
    entries = [order for order in trade["orders"] if not order["is_open"]]
    assert [order["status"] for order in entries] == ["closed"]
    assert trade["is_short"] == (story.signal.side == "short")
    assert abs(trade["open_rate"] - story.signal.price) <= 0.25 * levels.distance
    assert trade["stop_loss_abs"] == pytest.approx(levels.towards_entry(-1.0), abs=levels.tick / 10)
    beyond = (trade["stop_loss_abs"] - trade["liquidation_price"]) * levels.sign
    assert beyond > 0, "the stop lies behind the liquidation"


def test_the_first_target_rests(story: Story) -> None:
    (order,) = exit_orders(story.entered, "tp1")
    levels = story.levels
    assert order["is_open"]
    assert order["order_type"] == "limit"
    assert order["safe_price"] == pytest.approx(levels.towards_entry(1.5), abs=levels.tick / 10)
    amount = levels.share(story.entered["amount"], 0.4)
    assert order["amount"] == pytest.approx(amount, abs=levels.step / 10)


def test_after_the_first_target_the_stop_is_at_break_even(story: Story) -> None:
    trade, levels = story.after_tp1, story.levels
    (filled,) = exit_orders(trade, "tp1")
    assert filled["status"] == "closed"
    assert (filled["safe_price"] - levels.towards_entry(1.5)) * levels.sign >= -levels.tick / 10
    assert trade["amount"] == pytest.approx(story.entered["amount"] - filled["filled"])
    assert trade["stop_loss_abs"] == pytest.approx(levels.towards_entry(0.0), abs=levels.tick / 10)
    (second,) = exit_orders(trade, "tp2")
    assert second["safe_price"] == pytest.approx(levels.towards_entry(2.5), abs=levels.tick / 10)
    assert second["amount"] == pytest.approx(filled["filled"], abs=levels.step * 1.1)


def test_a_restart_repeats_nothing(story: Story) -> None:
    before, after = story.after_tp1, story.restarted
    assert story.restarted_plan == story.plan
    assert after["trade_id"] == before["trade_id"]
    assert after["stop_loss_abs"] == before["stop_loss_abs"]
    assert after["amount"] == before["amount"]
    assert order_ids(after) == order_ids(before)
    assert [order["is_open"] for order in after["orders"]] == [False, False, True]


def test_a_gap_beyond_the_second_target_fills_it(story: Story) -> None:
    trade, levels = story.after_tp2, story.levels
    (filled,) = exit_orders(trade, "tp2")
    assert filled["status"] == "closed"
    assert (filled["safe_price"] - levels.towards_entry(2.5)) * levels.sign >= -levels.tick / 10
    better = (trade["stop_loss_abs"] - levels.towards_entry(1.5)) * levels.sign
    assert better >= -levels.tick * 1.1
    (third,) = exit_orders(trade, "tp3")
    assert third["safe_price"] == pytest.approx(levels.towards_entry(4.0), abs=levels.tick / 10)
    assert third["amount"] == pytest.approx(trade["amount"])


def test_a_kill_in_mid_trade_loses_nothing(story: Story) -> None:
    assert story.killed_plan == story.plan
    # A candle that closed meanwhile may have trailed the stop on, never back.
    moved = (story.killed["stop_loss_abs"] - story.after_tp2["stop_loss_abs"]) * story.levels.sign
    assert moved >= -story.levels.tick / 10
    assert story.killed["amount"] == story.after_tp2["amount"]
    assert order_ids(story.killed) == order_ids(story.after_tp2)


def test_the_runner_ends_at_its_stop_with_a_profit(story: Story) -> None:
    closed = story.closed
    assert closed["trade_id"] == story.entered["trade_id"]
    assert closed["exit_reason"] in ("trailing_stop_loss", "stop_loss")
    assert closed["profit_abs"] > 0
    tags = [order["ft_order_tag"] for order in closed["orders"] if order["filled"]][1:]
    assert tags[:2] == ["tp1", "tp2"]
    assert len(tags) == 3
    entry, *exits = (order["filled"] for order in closed["orders"] if order["filled"])
    assert sum(exits) == pytest.approx(entry)


def test_one_signal_is_one_message_and_one_trade(story: Story) -> None:
    pair = story.signal.pair
    said = [one for one in story.messages if one["type"] == "strategy_msg" and pair in one["msg"]]
    entries = [one for one in story.messages if one["type"] == "entry_fill" and one["pair"] == pair]
    assert len(said) == len(entries) == 1


def test_the_bot_goes_on_after_errors(story: Story) -> None:
    assert story.state_after_errors == "running"
    (filled,) = exit_orders(story.after_tp2, "tp2")
    (entry,) = (order for order in story.entered["orders"] if not order["is_open"])
    assert filled["order_filled_timestamp"] > entry["order_filled_timestamp"]


def test_a_signal_that_was_stopped_out_is_not_announced_again(
    market_url: str, folder: Path
) -> None:
    bot, market = PaperBot(folder / "again", market_url, FUTURES[:1]), MarketControl(market_url)
    try:
        bot.boot()
        signal = bot.show(market, "long")
        trade = with_resting(bot, signal.pair, "tp1")
        market.move_to(signal.pair, Levels.of(trade, kept_plan(bot, trade)).at_r(-1 - MARGIN_R))
        until(lambda: bot.closed_trade(signal.pair), "the trade is stopped out", 20, bot.log_path)
        market.move_to(signal.pair, signal.price)
        bot.terminate()
        bot.boot()
        bot.trade()
        bot.wait_for_loops(3)
        assert bot.open_trade(signal.pair) is None
        assert len(bot.messages_of("entry_fill", signal.pair)) == 1
        assert len(bot.messages_of("strategy_msg", signal.pair)) == 1
    finally:
        bot.close()


# -------------------------------------------------------------------------------- a forced entry


def test_a_forced_entry_is_refused(market_url: str, folder: Path) -> None:
    """Nobody overrides the engine: what it did not approve is not entered."""
    bot, market = PaperBot(folder / "forced", market_url, FUTURES), MarketControl(market_url)
    try:
        market.control("reset")
        bot.boot()
        bot.trade()
        bot.wait_for_loops(1)
        with pytest.raises(AssertionError, match="Failed to enter position"):
            bot.post("/forceenter", pair=FORCED, side="long", stakeamount=100)
        bot.wait_for_loops(2)
        assert bot.open_trade(FORCED) is None
    finally:
        bot.close()


# ------------------------------------------------------------------------------------- drawdown


@dataclass
class Pause:
    """What was seen of a daily loss beyond the limit."""

    before: dict[str, Any]
    loss: Trade
    paused: dict[str, Any]
    row: dict[str, Any]
    row_side: Side
    restarted: dict[str, Any]
    restarted_trades: list[Trade]
    restarted_messages: list[dict[str, Any]]
    plain: subprocess.CompletedProcess[str]
    after_plain: dict[str, Any]
    after_confirmed: dict[str, Any]
    resumed_trade: Trade


@pytest.fixture(scope="module")
def pause(market_url: str, folder: Path) -> Iterator[Pause]:
    limit = {"FREQTRADE__SCALP__BREAKERS__MAX_DAILY_DRAWDOWN_PCT": str(LOSS_LIMIT_PCT)}
    bot = PaperBot(folder / "pause", market_url, FUTURES[:1], environment=limit)
    try:
        yield play_pause(bot, MarketControl(market_url))
    finally:
        bot.close()


def forget_decisions(bot: PaperBot) -> None:
    """Remove the journal: what it has of a candle is not decided again."""
    for path in bot.state_path.parent.glob("journal-*"):
        path.unlink()


def play_pause(bot: PaperBot, market: MarketControl) -> Pause:
    bot.boot()
    pair = bot.show(market, "long").pair
    trade = with_resting(bot, pair, "tp1")
    before = bot.state()
    levels = Levels.of(trade, kept_plan(bot, trade))
    market.move_to(pair, levels.at_r(-1 - MARGIN_R))
    loss = until(lambda: bot.closed_trade(pair), "the trade is stopped out", 20, bot.log_path)
    paused = until(lambda: state_with(bot, is_paused=True), "the pause", 20, bot.log_path)

    # With a new wallet and journal only the state file knows of the loss.
    bot.terminate()
    (bot.folder / "trades.sqlite").unlink()
    forget_decisions(bot)
    seen = len(bot.messages)
    bot.boot()
    signal = bot.show(market, "short")
    row = until(lambda: row_closed_at(bot, signal), "the candle is analysed", 20, bot.log_path)
    bot.wait_for_loops(3)
    restarted, trades = bot.state(), bot.get("/status")
    messages = bot.messages[seen:]

    plain = resume(bot)
    after_plain = bot.state()
    resume(bot, "--confirm")
    after_confirmed = until(lambda: state_with(bot, is_paused=False), "the resume")
    bot.terminate()
    forget_decisions(bot)
    bot.boot()
    resumed = bot.show(market, "short").pair
    trade = until(lambda: bot.open_trade(resumed), "a trade after the resume", 20, bot.log_path)
    return Pause(
        before, loss, paused, row, signal.side, restarted, trades, messages,
        plain, after_plain, after_confirmed, trade,
    )  # fmt: skip


def state_with(bot: PaperBot, *, is_paused: bool) -> dict[str, Any] | None:
    state = bot.state()
    return state if state.get("is_paused") is is_paused else None


def row_closed_at(bot: PaperBot, signal: Signal) -> dict[str, Any] | None:
    row = bot.analysed(signal.pair)
    opened = f"{signal.close.timestamp() - 900:.0f}"
    return row if row and f"{row['__date_ts'] / 1000:.0f}" == opened else None


def resume(bot: PaperBot, *options: str) -> subprocess.CompletedProcess[str]:
    """Ask for a resume and wait until the bot has taken the request."""
    command = [beside_python("scalp"), "resume", str(bot.state_path), *options]
    run = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert run.returncode == 0, run.stderr
    request = bot.state_path.with_name(bot.state_path.name + ".resume")
    until(lambda: not request.exists(), "the bot takes the request")
    bot.wait_for_loops(1)
    return run


def test_a_daily_loss_pauses(pause: Pause) -> None:
    assert pause.before["is_paused"] is False
    assert pause.loss["profit_abs"] < 0
    assert pause.loss["exit_reason"] in ("stop_loss", "trailing_stop_loss")
    assert pause.paused["day_start_equity"] == pause.before["day_start_equity"]
    lost = 1 - pause.paused["equity"] / pause.paused["day_start_equity"]
    assert lost >= LOSS_LIMIT_PCT / 100
    assert "drawdown" in pause.paused["pause_reason"]


def test_a_restart_keeps_the_pause_and_vetoes(pause: Pause) -> None:
    assert pause.row[f"enter_{pause.row_side}"] == 1, "there was nothing to veto"
    assert pause.restarted["is_paused"] is True
    assert pause.restarted["pause_reason"] == pause.paused["pause_reason"]
    assert pause.restarted_trades == []
    kinds = {message["type"] for message in pause.restarted_messages}
    assert not kinds & {"entry", "entry_fill"}
    told = [one["msg"] for one in pause.restarted_messages if one["type"] == "strategy_msg"]
    assert not any("Confluence Score" in text for text in told)


def test_a_resume_needs_confirmation(pause: Pause) -> None:
    assert pause.after_plain["is_paused"] is True
    assert pause.after_confirmed["is_paused"] is False
    assert pause.after_confirmed["pause_reason"] == ""
    assert pause.resumed_trade["is_open"]


# ----------------------------------------------------------------------------------------- spot


def test_spot_enters_and_places_its_first_target(market_url: str, folder: Path) -> None:
    bot = PaperBot(folder / "spot", market_url, SPOT, mode="spot")
    try:
        bot.boot()
        signal = bot.show(MarketControl(market_url, "spot"), "long")
        trade = with_resting(bot, signal.pair, "tp1")
        plan = kept_plan(bot, trade)
    finally:
        bot.close()
    levels = Levels.of(trade, plan)
    (order,) = exit_orders(trade, "tp1")
    assert trade["leverage"] == 1.0
    assert trade["stop_loss_abs"] == pytest.approx(levels.towards_entry(-1.0), abs=levels.tick / 10)
    assert order["safe_price"] == pytest.approx(levels.towards_entry(1.5), abs=levels.tick / 10)
    amount = levels.share(trade["amount"], 0.4)
    assert order["amount"] == pytest.approx(amount, abs=levels.step / 10)
