import math
from dataclasses import replace

import pytest

from scalp_strategy.contract import TIER_MEDIUM
from scalp_strategy.errors import ContractViolation
from scalp_strategy.telegram.signal_format import (
    LayerText,
    PastText,
    format_signal,
)
from tests.support import messages

SIGNAL = replace(messages.SIGNAL, past=None, notes=None, leverage=1.0)

MESSAGE = """\
🟢 LONG — SOL/USDT:USDT 🔥
━━━━━━━━━━━━━━━━━━━━━━━━━
📊 Confluence Score: 84/100 ⭐⭐⭐⭐
⏱ Timeframe: 15m | Valid: 15 min

💰 TRADE SETUP
├─ Entry: $150.00
├─ Stop Loss: $148.65 (0.90%)
├─ TP1: $152.02 → Close 40% | Move SL to BE
├─ TP2: $153.37 → Close 40% | Trail SL to TP1
└─ TP3: $155.40 → Close 20% (runner)

⚖️ Risk/Reward: 1:2.5
💸 Round-trip cost: 0.33R
🧭 Evidence known: 78%
📐 Position Size: 83.33% of portfolio
💵 Risk: $75.00

📡 DATA BREAKDOWN
├─ TA: 88/100
│   └─ EMA stack 9 > 21 > 50, RSI 34 rising
├─ Order Flow: 72/100
│   └─ bids 1.8x asks, buyers 62 %
├─ On-Chain: 64/100
│   └─ $12M left exchanges
├─ Sentiment: 55/100
│   └─ fear & greed 38
└─ Backtest: 58/100
    └─ Historical win rate: 58%

🌐 Market Regime: RISK_ON
━━━━━━━━━━━━━━━━━━━━━━━━━
⚠️ Max hold: 8 candles (2h)
🤖 100% data-driven. Zero emotion."""


def test_the_whole_message():
    assert format_signal(SIGNAL) == MESSAGE


def test_a_medium_short():
    text = format_signal(replace(SIGNAL, side="short", tier=TIER_MEDIUM))
    assert text.startswith("🔴 SHORT — SOL/USDT:USDT ⚡\n")


@pytest.mark.parametrize(
    ("score", "stars"),
    [(65, 2), (69.4, 2), (69.5, 3), (70, 3), (79, 3), (80, 4), (89, 4), (90, 5), (100, 5)],
)
def test_stars(score, stars):
    line = format_signal(replace(SIGNAL, score=score)).splitlines()[2]
    assert line.count("⭐") == stars


def test_unknown_is_never_a_number():
    unknown = LayerText(math.nan)
    text = format_signal(
        replace(
            SIGNAL,
            technical=LayerText(None),
            orderflow=unknown,
            onchain=unknown,
            sentiment=LayerText(None, ("source silent since 14:05",)),
            base_rate=unknown,
            win_rate_pct=None,
            regime=None,
            coverage=math.nan,
        )
    )
    for line in (
        "├─ TA: no data",
        "├─ Order Flow: no data\n│   └─ no data",
        "├─ On-Chain: no data",
        "├─ Sentiment: no data\n│   └─ source silent since 14:05",
        "└─ Backtest: no data\n    └─ Historical win rate: no data",
        "🌐 Market Regime: no data",
        "🧭 Evidence known: no data",
    ):
        assert line in text
    assert "nan" not in text
    assert "None" not in text


def test_a_win_rate_says_what_it_rests_on():
    past = PastText(samples=311.6, mean_r=-0.214, setup="ema_structure + macd")
    text = format_signal(replace(SIGNAL, win_rate_pct=41.2, past=past))
    line = (
        "    └─ Historical win rate: about 41% from 312 cases, mean -0.21R (ema_structure + macd)\n"
    )
    assert f"└─ Backtest: 58/100\n{line}" in text
    unknown = format_signal(replace(SIGNAL, win_rate_pct=None, past=past))
    assert "Historical win rate: no data\n" in unknown


def test_a_known_layer_without_reasons():
    text = format_signal(replace(SIGNAL, orderflow=LayerText(50.0)))
    assert "├─ Order Flow: 50/100\n│   └─ nothing notable\n" in text


@pytest.mark.parametrize(
    ("price", "tick", "printed"),
    [
        (0.0000123456, 1e-8, "$0.00001235"),
        (0.1 + 0.2, 0.0001, "$0.3000"),
        (123_456.0, 10.0, "$123456"),
        (97_000.30000000001, 0.1, "$97000.3"),
    ],
)
def test_prices_have_the_ticks_digits(price, tick, printed):
    levels = {"stop": price * 0.99, "targets": (price * 1.01, price * 1.02, price * 1.03)}
    text = format_signal(replace(SIGNAL, price=price, price_tick=tick, **levels))
    assert f"├─ Entry: {printed}\n" in text
    assert "e-" not in text


def test_levels_are_rounded_towards_the_entry():
    text = format_signal(replace(SIGNAL, side="short", stop=151.349, targets=(148.991, 147.5, 144)))
    assert "Stop Loss: $151.34 " in text
    assert "TP1: $149.00 " in text


@pytest.mark.parametrize(
    ("shares", "actions"),
    [
        ((0.4, 0.6, 0.0), ["Close 40% | Move SL to BE", "Close 60%", "no order"]),
        ((0.0, 1.0, 0.0), ["no order", "Close 100%", "no order"]),
    ],
)
def test_merged_legs_are_told(shares, actions):
    lines = format_signal(replace(SIGNAL, close_shares=shares)).splitlines()[8:11]
    for line, action in zip(lines, actions, strict=True):
        told = line.split(" → ")[1]
        assert told == action or (action == "no order" and told.startswith("no order ("))


@pytest.mark.parametrize(
    ("candles", "minutes", "told"), [(8, 15, "(2h)"), (6, 15, "(1h 30m)"), (3, 15, "(45m)")]
)
def test_max_hold(candles, minutes, told):
    text = format_signal(replace(SIGNAL, max_hold_candles=candles, timeframe_minutes=minutes))
    assert f"⚠️ Max hold: {candles} candles {told}" in text


def test_reasons_cannot_break_the_layout():
    text = format_signal(replace(SIGNAL, onchain=LayerText(64.0, ("a\n└─ Backtest:\t100/100",))))
    assert "│   └─ a └─ Backtest: 100/100\n" in text


@pytest.mark.parametrize("change", [{"price": math.nan}, {"score": math.inf}])
def test_a_signal_needs_levels(change):
    with pytest.raises(ContractViolation):
        replace(SIGNAL, **change)
