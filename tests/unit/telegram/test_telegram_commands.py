"""What the commands say in the real chat, from a real journal and engine."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from freqtrade.enums import State

from scalp_strategy.journal.records import PositionRecord, ReplayRecord, SignalRecord
from scalp_strategy.recording import epoch_ms
from scalp_strategy.telegram.handlers import NOT_TAKEN, WAITS
from tests.support.bot_api import running_bot_api
from tests.support.decided import decided
from tests.support.host_stub import PAIR
from tests.support.messages import fill, trade
from tests.support.telegram_host import ADMIN, TOKEN, House, running_telegram

NOW = datetime.now(UTC)
PNG = b"\x89PNG"
HOSTILE = "<b>x</b> & _y_ </i> " + "z" * 9_000


@pytest.fixture
def api():
    with running_bot_api() as one:
        yield one


@pytest.fixture
def house(api, tmp_path):
    with running_telegram(api, tmp_path) as one:
        yield one


# ------------------------------------------------------------------------------------ what happened


def signal(house: House, hours: float, **values) -> SignalRecord:
    """A signal whose candle closed so long ago."""
    close_ms = epoch_ms(NOW - timedelta(hours=hours))
    given = {
        "bot": house.bot, "pair": PAIR, "side": "long", "close_ms": close_ms, "at_ms": close_ms,
        "status": "approved", "score": 82, "tier": "HIGH", "price": 150.0, "stop": 148.5,
        "targets": (152.25, 153.75, 156.0), "risk_quote": 15.0,
        "valid_until_ms": close_ms + 900_000,
    }  # fmt: skip
    return SignalRecord(**given | values)


def replay(of: SignalRecord, net_r: float, outcome: str = "tp3") -> ReplayRecord:
    return ReplayRecord(
        bot=of.bot, pair=of.pair, side=of.side, close_ms=of.close_ms, at_ms=of.close_ms,
        outcome=outcome, gross_r=net_r + 0.1, net_r=net_r, pnl_pct=net_r, minutes=60,
        resolution="1m",
    )  # fmt: skip


def ended(of: SignalRecord, number: int, profit: float, net_r: float | None) -> PositionRecord:
    """A trade of a signal that has ended an hour after it."""
    return PositionRecord(
        bot=of.bot, pair=of.pair, side=of.side, close_ms=of.close_ms,
        at_ms=of.close_ms + 3_600_000, trade_id=number, opened_ms=of.close_ms + 2_000,
        status="closed", entry_price=150.0, amount=10.0, profit=profit, net_r=net_r,
        outcome="tp3" if profit > 0 else "sl", closed_ms=of.close_ms + 3_600_000,
    )  # fmt: skip


def with_trades(house: House, *results: tuple[float, float, float | None]) -> None:
    """Journal trades that ended: hours ago, profit and R."""
    for number, (hours, profit, net_r) in enumerate(results, start=1):
        one = signal(house, hours + 1)
        house.record(one, ended(one, number, profit, net_r))


def with_equity(house: House, start: float, now: float) -> None:
    house.engine.account.mark(house.telegram._handlers._facts.now, start, start, ())
    house.engine.account.mark(house.telegram._handlers._facts.now, now, now, ())


# ------------------------------------------------------------------------------------------- start


def test_start_says_how_it_trades_and_with_which_settings(house):
    text = house.answer("/start")
    assert "on paper, futures" in text
    assert "Signals: on" in text
    assert re.search(r"Settings: specification [0-9a-f]{12}", text)


@pytest.mark.parametrize(
    ("config", "settings", "words"),
    [
        ({"dry_run": False}, {}, "LIVE, with real money"),
        ({}, {"signals_only": True}, "signals only"),
    ],
)
def test_start_never_hides_what_it_trades(api, tmp_path, config, settings, words):
    with running_telegram(api, tmp_path, settings=settings) as house:
        house.strategy.config.update(config)
        assert words in house.answer("/start")


def test_start_says_why_it_is_paused(house):
    house.answer("/pause too <much> news & noise")
    text = house.answer("/start")
    assert f"PAUSED, paused by Telegram user {ADMIN}: too <much> news & noise" in text


# --------------------------------------------------------------------------------- pause and resume


def test_a_pause_and_its_end_are_journalled_with_who_and_why(house):
    assert house.answer("/pause news") == "Signal generation PAUSED."
    assert house.engine.account.state.is_paused
    assert "already" in house.answer("/pause")
    assert house.answer("/resume") == "Signal generation RESUMED."
    assert house.answer("/resume") == "Signals are not paused."
    house.engine.keeper.drain()
    events = house.engine.reader.breaker_events(NOW - timedelta(days=1), NOW + timedelta(days=1))
    assert [one.action_taken for one in events] == ["paused", "resumed"]
    assert all(f"user {ADMIN}" in one.reason for one in events)
    assert "news" in events[0].reason


def test_a_busy_loop_is_not_waited_for_without_end(house):
    house.engine.is_held = True
    assert house.answer("/pause") == NOT_TAKEN
    house.engine.serve()
    assert house.engine.account.state.is_paused


def test_others_are_answered_while_one_waits(api, tmp_path):
    with running_telegram(api, tmp_path, rules={"answer_timeout_s": 120.0}) as house:
        house.engine.is_held = True
        house.say("/pause")
        assert house.answer("/heat").startswith("Portfolio Heat")
        house.engine.serve()
        assert house.news() == ["Signal generation PAUSED."]


def test_a_stopped_bot_takes_it_later(house):
    house.engine.is_held, house.host.state = True, State.STOPPED
    assert house.answer("/pause") == WAITS
    assert "Freqtrade: stopped" in house.answer("/start")


def test_before_the_bot_has_started_all_say_so(api, tmp_path):
    with running_telegram(api, tmp_path, is_started=False) as house:
        for command in ("/pause", "/resume", "/why SOL", "/stats", "/signals", "/gate", "/open"):
            assert "starting" in house.answer(command), command
        assert "starting" in house.answer("/start")
        assert "n/a" in house.answer("/heat")
        assert "Journal: unknown" in house.answer("/sources")


# ------------------------------------------------------------------------------------------ results


def test_stats_of_trades(house):
    with_equity(house, 10_000.0, 10_015.0)
    with_trades(house, (30, 30.0, 2.0), (20, -15.0, -1.0), (10, -15.0, -1.0), (5, 15.0, None))
    text = house.answer("/stats")
    assert "Ended: 4 (2 won, 2 lost)" in text
    assert "Win rate: 50.0 %" in text
    assert "Total: +15.00 USDT" in text
    assert "Average: +0.00 R" in text
    assert "Best: +2.00 R | Worst: -1.00 R" in text
    assert "Profit factor: 1.50" in text
    assert "Longest losing run: 2" in text
    assert "Max drawdown: 0.3 %" in text  # 30 of 10,030
    assert "The risk of 1 is unknown" in text
    assert "tp3 2, sl 2" in text


def test_what_rests_on_an_unknown_equity_is_unknown(house):
    with_trades(house, (30, 30.0, 2.0), (20, -15.0, -1.0))
    assert "Max drawdown: n/a" in house.answer("/stats")
    assert re.search(r"Equity: n/a → n/a", house.answer("/pnl"))
    assert "Deepest ever, of what has ended: n/a" in house.answer("/drawdown")


def test_a_loss_is_called_one(house):
    with_trades(house, (30, -30.0, -2.0))
    assert "It has lost money." in house.answer("/stats")


def test_pnl_of_the_day(house):
    with_equity(house, 10_000.0, 10_100.0)
    text = house.answer("/pnl")
    assert f"P&L of {datetime.now(UTC):%Y-%m-%d}" in text
    assert "Realised: +0.00 USDT (0 ended)" in text
    assert "Equity: 10000.00 → 10100.00 USDT" in text
    assert "With open trades: +100.00 USDT (+1.00 %)" in text


@pytest.mark.parametrize(("period", "of"), [("", "1 of 2"), (" 30d", "2 of 3"), (" ALL", "2 of 4")])
def test_win_rate_of_a_period(house, period, of):
    days = 24.0
    with_trades(
        house, (1, 30.0, 2.0), (2 * days, -15.0, -1.0), (20 * days, 30.0, 2.0),
        (60 * days, -15.0, -1.0),
    )  # fmt: skip
    text = house.answer(f"/winrate{period}")
    assert of in text
    assert "95% interval" in text
    assert "Break-even: 33.3 %" in text


def test_drawdown_of_today(house):
    with_equity(house, 10_000.0, 9_800.0)
    text = house.answer("/drawdown")
    assert "Today: 2.00 % of the 5 %" in text
    assert "Today's worst: 2.00 %" in text


def test_the_gate_says_that_a_sample_is_too_small(house):
    with_equity(house, 10_000.0, 10_045.0)
    with_trades(house, (30, 30.0, 2.0), (20, -15.0, -1.0), (10, 30.0, 2.0))
    text = house.answer("/gate")
    assert "✅ win rate %: 66.67 (must be > 55)" in text
    assert "❌ sample size: 3 (must be > 200)" in text
    assert "too small to conclude" in text
    assert re.search(r"FAILS on \d of 7", text)
    assert "without slippage" in text


def test_nothing_has_ended(house):
    for command in ("/stats", "/gate", "/winrate"):
        assert "No trade has ended yet" in house.answer(command)
    assert "not passed" in house.answer("/gate")


def test_without_orders_the_signals_count(api, tmp_path):
    with running_telegram(api, tmp_path, settings={"signals_only": True}) as house:
        won, lost = (signal(house, hours) for hours in (30, 20))
        vetoed = signal(house, 10, status="vetoed")
        house.record(won, lost, vetoed)
        house.record(replay(won, 2.0), replay(lost, -1.0, "sl"), replay(vetoed, -1.0, "sl"))
        text = house.answer("/stats")
        assert "none was traded" in text
        assert "Ended: 2 (1 won, 1 lost)" in text
        assert "Total: +15.00 USDT" in text
        assert "1 of 2" in house.answer("/winrate")
        assert "No signal has ended yet" not in house.answer("/gate")


# ----------------------------------------------------------------------------------- trades, heat


def test_open_trades_with_stop_and_targets(house):
    held = trade(fills=(fill("tp1", 152.0, 4.0, 10.0),), price=152.0, unrealised=12.0, profit=8.0)
    waiting = trade(amount=0.0, trade_id=2)
    house.engine.live.trades = [held, waiting]
    text = house.answer("/open")
    assert "OPEN TRADES: 2" in text
    assert "entry 150 | now 152 | stop 148.65" in text
    assert "+1.48 R | TP1 | 5x" in text
    assert "is not filled yet" in text


def test_tiny_prices_have_no_exponent(house):
    house.engine.live.trades = [trade(entry_price=0.0000123, stop=0.0000121, price=float("nan"))]
    assert "entry 0.0000123 | now n/a | stop 0.0000121" in house.answer("/open")


def test_heat_is_the_money_at_risk(house):
    with_equity(house, 10_000.0, 10_000.0)
    assert house.answer("/heat").startswith("Portfolio Heat: 0.0% / 6%")


# ------------------------------------------------------------------------------------------ signals


def test_the_last_signals_with_verdicts_and_outcomes(house):
    smaller = {"breaker": "win_streak", "blocks": False, "size_factor": 0.5, "reason": "5 wins"}
    traded, vetoed = signal(house, 30), signal(
        house, 20, status="vetoed", reasons=("0.91 with open ETH",), score=71, tier="MEDIUM",
        verdicts=(smaller,),
    )  # fmt: skip
    fresh = signal(house, 1)
    house.record(traded, ended(traded, 1, 30.0, 2.0), vetoed, replay(vetoed, -1.04, "sl"), fresh)
    text = house.answer("/signals")
    newest, middle, oldest = text.split("\n", 1)[1].split(" UTC")[0].split(PAIR)[1:]
    assert "LONG 82/100 HIGH: approved" in newest
    assert "not known yet" in newest
    assert "71/100 MEDIUM: vetoed" in middle
    assert "0.91 with open ETH" in middle
    assert "win_streak: 5 wins" in middle
    assert "sl, -1.04 R net (not traded, on 1m candles)" in middle
    assert "tp3, +2.00 R net (traded)" in oldest
    assert house.answer("/signals 1").count(PAIR) == 1
    assert house.answer("/signals sent").count(PAIR) == 2


def test_many_signals_are_told_in_several_messages(house):
    for number in range(60):
        house.record(signal(house, 1 + number / 4, reasons=("why " * 60,)))
    house.say("/signals 999")
    texts = house.news(2)
    while sum(text.count(PAIR) for text in texts) < 50:
        texts += house.news()
    assert sum(text.count(PAIR) for text in texts) == 50


def test_what_others_wrote_does_not_break_a_message(house):
    house.record(signal(house, 1, status="rejected", reasons=(HOSTILE,), tier="HIGH"))
    house.engine.account.pause(NOW, HOSTILE)
    for command in ("/signals", "/start", "/drawdown", f"/why {HOSTILE}"):
        assert "<b>x</b>" in house.answer(command), command


# ---------------------------------------------------------------------------------------------- why


@pytest.fixture(scope="module")
def rooms():
    """A real decision of analysed candles."""
    return decided()[1]


@pytest.fixture
def analysed(house, rooms):
    one = rooms.desk.analysed(PAIR)
    house.engine.desk.offer(one)
    house.strategy.dp.frames[PAIR] = one._frame
    return house


@pytest.mark.parametrize("word", ["SOL", "sol", "sol/usdt", "SOLUSDT", PAIR])
def test_a_pair_by_any_of_its_names(analysed, word):
    text, caption = analysed.answers(f"/why {word}", count=2)
    assert text.startswith(f"🔎 {PAIR}: LONG")
    assert caption == PAIR
    assert analysed.api.history(TOKEN, ADMIN)[-1].photo.startswith(PNG)


def test_why_tells_every_layer_and_what_stands_in_the_way(analysed):
    text = analysed.answers("/why SOL", count=2)[0]
    for words in ("TA: long", "Order flow: long n/a", "On-chain", "Sentiment", "Base rate"):
        assert words in text
    for words in ("Confluence: long", "Tier: MEDIUM", "Evidence known: 61 %", "Regime: no data"):
        assert words in text
    assert re.search(r"A signal|No signal: the score", text)


def test_why_tells_of_a_pause(analysed):
    analysed.answer("/pause")
    text = analysed.answers("/why SOL", count=2)[0]
    assert "Signals are paused" in text
    assert "\nA signal\n" not in f"{text}\n"


def test_a_chart_has_the_levels_of_a_signal_or_trade(analysed):
    facts = analysed.telegram._handlers._facts
    evidence = facts.evidence(PAIR)
    assert facts.levels(evidence) is None
    close_ms = epoch_ms(evidence.close_time)
    analysed.record(signal(analysed, 0, close_ms=close_ms, at_ms=close_ms))
    assert facts.levels(evidence).targets == (152.25, 153.75, 156.0)
    analysed.engine.live.trades = [trade(stop=151.0)]
    levels = facts.levels(evidence)
    assert (levels.entry, levels.stop) == (150.0, 151.0)


def test_a_pair_without_candles_and_one_that_is_not_scanned(house):
    assert "no candle of it" in house.answer("/why ETH")
    assert "Near it: DOGE" in house.answer("/why DGE/USDT")
    assert "is not scanned now." in house.answer("/why QQQQQQ")
    assert "For instance" in house.answer("/why")


def test_the_pair_of_an_open_trade_is_known_when_it_is_scanned_no_more(analysed):
    analysed.strategy.dp.pairs = ["ETH/USDT:USDT"]
    assert "not scanned" in analysed.answer("/why SOL")
    analysed.engine.live.trades = [trade()]
    assert analysed.answers("/why SOL", count=2)[0].startswith("🔎 SOL")
