"""Whole messages, as the trader gets them: specification 10.3 and 10.4, by hand."""

from dataclasses import replace
from datetime import timedelta

from scalp_strategy.contract import TIER_MEDIUM
from scalp_strategy.telegram.html import to_plain
from scalp_strategy.telegram.signal_format import (
    LayerText,
    SignalNotes,
    format_signal,
    format_signal_html,
)
from scalp_strategy.telegram.status_format import with_trade
from tests.support.messages import CLOSE, SIGNAL, fill, trade

LONG = """\
<b>🟢 LONG — SOL/USDT:USDT 🔥</b>
━━━━━━━━━━━━━━━━━━━━━━━━━
📊 Confluence Score: 84/100 ⭐⭐⭐⭐
⏱ Timeframe: 15m | Valid: 15 min

<b>💰 TRADE SETUP</b>
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

<b>📡 DATA BREAKDOWN</b>
├─ TA: 88/100
│   └─ EMA stack 9 &gt; 21 &gt; 50, RSI 34 rising
├─ Order Flow: 72/100
│   └─ bids 1.8x asks, buyers 62 %
├─ On-Chain: 64/100
│   └─ $12M left exchanges
├─ Sentiment: 55/100
│   └─ fear &amp; greed 38
└─ Backtest: 58/100
    └─ Historical win rate: about 58% from 312 cases, mean -0.21R (ema_structure + macd)

🌐 Market Regime: RISK_ON
━━━━━━━━━━━━━━━━━━━━━━━━━
⚠️ Max hold: 8 candles (2h)
🤖 100% data-driven. Zero emotion.
📎 Setup: ema_bounce | Size limited by: heat
📎 Settings: specification <code>ab12cd34</code>"""

SHORT_WITH_MERGED_LEGS = """\
🔴 SHORT — 1000PEPE/USDT:USDT ⚡
━━━━━━━━━━━━━━━━━━━━━━━━━
📊 Confluence Score: 81/100 ⭐⭐⭐⭐
⏱ Timeframe: 15m | Valid: 15 min

💰 TRADE SETUP
├─ Entry: $0.0123400
├─ Stop Loss: $0.0125000 (1.30%)
├─ TP1: $0.0121000 → Close 40% | Move SL to BE
├─ TP2: $0.0119400 → Close 60%
└─ TP3: $0.0117000 → no order (position too small to split)

⚖️ Risk/Reward: 1:2.5
💸 Round-trip cost: 0.23R
🧭 Evidence known: 45%
📐 Position Size: 2.00% of portfolio
💵 Risk: $1.20

📡 DATA BREAKDOWN
├─ TA: 90/100
│   └─ nothing notable
├─ Order Flow: no data
│   └─ no data
├─ On-Chain: no data
│   └─ no data
├─ Sentiment: no data
│   └─ no data
└─ Backtest: no data
    └─ Historical win rate: no data

🌐 Market Regime: no data
━━━━━━━━━━━━━━━━━━━━━━━━━
⚠️ Max hold: 8 candles (2h)
🤖 100% data-driven. Zero emotion.
📎 Setup: vwap_reclaim | Size limited by: amount step
📎 The score is HIGH, the signal is MEDIUM: only 45% of the evidence is known
📎 Settings: measured 00ff

#1000PEPE/USDT SHORT
Leverage: 3x
Entry: 0.0123400
Take-Profit Targets:
1) 0.0121000
2) 0.0119400
Stop Targets:
1) 0.0125000"""


def test_a_long_with_everything_known():
    assert format_signal_html(SIGNAL) == LONG
    assert format_signal(SIGNAL) == to_plain(LONG)


def test_a_short_of_which_hardly_anything_is_known():
    signal = replace(
        SIGNAL,
        side="short",
        pair="1000PEPE/USDT:USDT",
        tier=TIER_MEDIUM,
        score=81.0,
        price=0.01234,
        stop=0.0125,
        targets=(0.0121, 0.01194, 0.0117),
        price_tick=1e-7,
        sl_pct=1.2966,
        size_pct=2.0,
        risk_usd=1.2,
        cost_r=0.2313,
        coverage=0.45,
        technical=LayerText(90.0),
        **dict.fromkeys(("orderflow", "onchain", "sentiment", "base_rate"), LayerText()),
        win_rate_pct=None,
        past=None,
        regime=None,
        close_shares=(0.4, 0.6, 0.0),
        notes=SignalNotes("vwap_reclaim", "amount step", "measured", "00ff", is_tier_capped=True),
        leverage=3.0,
        has_cornix=True,
    )
    assert format_signal(signal) == SHORT_WITH_MERGED_LEGS


# What stands beneath the signal, step by step: R is 1.35 x 10 = 13.50.
STEPS = [
    """\
<b>📍 STATUS</b>
└─ Entry: ordered at 150 10:15:04 UTC, not filled yet""",
    """\
<b>📍 STATUS</b>
├─ Entry: 150.01 filled (ordered 10:15:04 UTC)
└─ Open: 100 % | stop 148.66 (-1.00 R)""",
    """\
<b>📍 STATUS</b>
├─ Entry: 150.01 filled (ordered 10:15:04 UTC)
├─ TP1 ✅ 152.03 (40 %) 10:31:00 UTC
└─ Open: 60 % | stop 150.01 (break-even)""",
    """\
<b>📍 STATUS</b>
├─ Entry: 150.01 filled (ordered 10:15:04 UTC)
├─ TP1 ✅ 152.03 (40 %) 10:31:00 UTC
├─ TP2 ✅ 153.38 (40 %) 11:00:00 UTC
└─ Open: 20 % | stop 152.03 (+1.50 R)""",
    """\
<b>📍 STATUS</b>
├─ Entry: 150.01 filled (ordered 10:15:04 UTC)
├─ TP1 ✅ 152.03 (40 %) 10:31:00 UTC
├─ TP2 ✅ 153.38 (40 %) 11:00:00 UTC
├─ ⏳ Time stop 154.2 (20 %) 12:15:30 UTC
└─ 🏁 Closed: time stop, +2.01 R net, +27.14 USDT (+1.81 %), 2h 00m""",
]


def test_a_trade_from_order_to_end():
    first, second = fill("tp1", 152.03, 4.0, 16), fill("tp2", 153.38, 4.0, 45)
    last = fill("time_stop", 154.2, 2.0, 120.5)
    filled = {"entry_price": 150.01, "stop": 148.66}
    states = [
        trade(amount=0.0),
        trade(**filled),
        trade(**filled | {"stop": 150.01}, fills=(first,)),
        trade(**filled | {"stop": 152.03}, fills=(first, second)),
        trade(
            **filled,
            fills=(first, second, last),
            closed_at=CLOSE + timedelta(minutes=120.5),
            outcome="max_hold",
            profit=27.14,
        ),
    ]
    html = LONG
    for state, step in zip(states, STEPS, strict=True):
        html = with_trade(html, state)
        assert html == f"{LONG}\n\n{step}"
