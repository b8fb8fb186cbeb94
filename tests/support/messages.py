"""Signals, trades and decisions as the message tests see them, and what every message must be."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from scalp_strategy.contract import TIER_HIGH
from scalp_strategy.signals import Candidate, Decision, SignalKey, Status, Verdict
from scalp_strategy.telegram.html import Text, to_plain
from scalp_strategy.telegram.signal_format import (
    LayerText,
    PastText,
    SignalNotes,
    SignalText,
)
from scalp_strategy.trade_state import Fill, TradeState

CLOSE: Final = datetime(2026, 3, 2, 10, 15, tzinfo=UTC)
PAIR: Final = "SOL/USDT:USDT"
KEY: Final = SignalKey(PAIR, "long", CLOSE)
LIMIT: Final = 4_096

SIGNAL: Final = SignalText(
    side="long",
    pair=PAIR,
    tier=TIER_HIGH,
    score=84.0,
    price=150.0,
    stop=148.65,
    targets=(152.025, 153.375, 155.4),
    price_tick=0.01,
    sl_pct=0.9,
    rr_ratio=2.5,
    size_pct=83.333333,
    risk_usd=75.0,
    cost_r=1 / 3,
    coverage=0.78,
    technical=LayerText(88.4, ("EMA stack 9 > 21 > 50", "RSI 34 rising", "not shown")),
    orderflow=LayerText(71.5, ("bids 1.8x asks", "buyers 62 %")),
    onchain=LayerText(64.0, ("$12M left exchanges", "not shown")),
    sentiment=LayerText(55.0, ("fear & greed 38",)),
    base_rate=LayerText(58.0),
    win_rate_pct=57.6,
    past=PastText(311.6, -0.214, "ema_structure + macd"),
    regime="RISK_ON",
    leverage=5.0,
    notes=SignalNotes("ema_bounce", "heat", "specification", "ab12cd34"),
)

# What outside sources may write, and what would break a message if it came through.
HOSTILE: Final = (
    "<b>bold</b> <script>alert(1)</script>",
    "</b></i><a href='http://x'>x</a>",
    "& &amp; &lt;b&gt; &#60;",
    "*bold* _under_ `code` [link](http://x)",
    "first\nsecond\r\nthird\u2028fourth\x0bfifth",
    "\u202egnp.exe\u202c \u05d0\u05d1",
    "nul\x00bell\x07 half\ud83d",
    "x" * 10_000,
    "🐋" * 10_000,
    "📍 STATUS",
    "",
)

_TAG: Final = re.compile(r"<(/?)([a-z]+)>")
_ALLOWED: Final = frozenset({"b", "i", "code"})


def checked(text: Text) -> Text:
    """Fail unless a message is one that Telegram takes, line by line, as both of its forms."""
    assert text.plain == to_plain(text.html)
    for line in text.html.split("\n"):
        check_line(line)
    assert utf16(text.plain) <= LIMIT
    text.html.encode()  # a request is made of it
    return text


def check_line(line: str) -> None:
    """Fail unless a line closes what it opens, holds no other tag, and is escaped."""
    opened: list[str] = []
    for closing, name in _TAG.findall(line):
        assert name in _ALLOWED
        if closing:
            assert opened.pop() == name, line
        else:
            opened.append(name)
    assert not opened, line
    bare = _TAG.sub("", line)
    assert "<" not in bare
    assert ">" not in bare
    assert not re.search(r"&(?!amp;|lt;|gt;)", bare), line
    assert not any(char < " " for char in line)


def utf16(text: str) -> int:
    """Return a text's length as Telegram counts it."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def fill(tag: str, price: float, amount: float, minutes: float) -> Fill:
    return Fill(tag, price, amount, CLOSE + timedelta(minutes=minutes))


def trade(**changes: Any) -> TradeState:
    """A long of 10 at 150 with 1.35 at risk each, opened 4 s after the close; no exit yet."""
    values: dict[str, Any] = {
        "key": KEY,
        "trade_id": 1,
        "opened_at": CLOSE + timedelta(seconds=4),
        "entry_price": 150.0,
        "amount": 10.0,
        "stop": 148.65,
        "price": 150.0,
        "profit": 0.0,
        "unrealised": 0.0,
        "risk": 13.5,
        "stake": 300.0,
        "leverage": 5.0,
    }
    return TradeState(**values | changes)


def decision(pair: str = PAIR, score: int = 84, **changes: Any) -> Decision:
    """An approved decision; verdicts that block make it a vetoed one."""
    candidate = Candidate(
        pair=pair,
        side=changes.pop("side", "long"),
        close_time=changes.pop("close", CLOSE),
        price=150.0,
        atr=0.9,
        score=score,
        tier=TIER_HIGH,
        coverage=0.78,
        setup="ema_bounce",
        macro=changes.pop("macro", None),
    )
    made = Decision(candidate=candidate, status=Status.APPROVED, **changes)
    vetoes = tuple(verdict.reason for verdict in made.verdicts if verdict.blocks)
    return replace(made, status=Status.VETOED, reasons=vetoes) if vetoes else made


def veto(
    breaker: str = "correlation", reason: str = "0.91 with open ETH", **changes: Any
) -> Verdict:
    return Verdict(breaker, blocks=True, reason=reason, **changes)


@dataclass(frozen=True)
class DayOfJournal:
    """A day with the columns of daily_performance."""

    date: date = date(2026, 3, 2)
    total_signals: int = 14
    signals_sent: int = 9
    signals_blocked: int = 3
    wins: int = 4
    losses: int = 3
    win_rate: float | None = 57.14
    total_pnl: float = 123.456
    total_pnl_pct: float | None = 1.2346
    max_drawdown_pct: float | None = 0.8
    avg_rr_achieved: float | None = 1.31
    best_trade_pnl: float | None = 2.1
    worst_trade_pnl: float | None = -0.9
    breaker_activations: int = 5
    start_equity: float | None = 10_000.0
    end_equity: float | None = 10_123.46
