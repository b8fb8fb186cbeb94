"""What the demo prints of the bot."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from scalp_strategy.demo.viewer import Viewer, outlook, score_table

NOW = datetime(2026, 12, 1, 5, 58, 20, tzinfo=UTC)
CLOSE = datetime(2026, 12, 1, 6, tzinfo=UTC)
SOL, ETH = "SOL/USDT:USDT", "ETH/USDT:USDT"


@pytest.fixture
def output() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def viewer(output: io.StringIO) -> Viewer:
    return Viewer(Console(file=output, width=100))


def said(text: str) -> dict[str, Any]:
    return {"type": "strategy_msg", "msg": text}


def test_a_signal_is_remembered_once_and_nothing_else_is_taken_for_one(viewer: Viewer) -> None:
    for text in (
        f"🟢 LONG — {SOL} ⚡\n━━━\nscore",
        f"🟢 LONG — {SOL} ⚡\n━━━\nfilled",
        f"🔴 SHORT — {ETH} 🔥",
        "🛡 macro danger: BTC/USDT:USDT not sent",
        "🐋 WHALE ALERT — BTC",
        "",
    ):
        viewer.show(said(text), NOW)
    assert viewer.signalled == [SOL, ETH]


def test_a_trade_is_open_once_it_is_filled(viewer: Viewer, output: io.StringIO) -> None:
    order = {"pair": SOL, "direction": "Long", "amount": 2.0, "open_rate": 140.5}
    viewer.show({"type": "entry", "enter_tag": "MEDIUM 72 breakout", **order}, NOW)
    assert viewer.opened == set()
    viewer.show({"type": "entry_fill", "enter_tag": "MEDIUM 72 breakout", **order}, NOW)
    assert viewer.opened == {SOL}
    line = f"05:58:20 | entry filled | {SOL} | long | 2.0 at 140.5 | MEDIUM 72 breakout"
    assert line in output.getvalue()


def test_trades_from_before_count_once_they_hold_something(viewer: Viewer) -> None:
    viewer.catch_up([{"pair": SOL, "amount": 0.0}, {"pair": ETH, "amount": 1.0}])
    assert viewer.opened == {ETH}


def test_the_outlook_tells_profit_and_time() -> None:
    trades = [
        {"pair": SOL, "is_short": False, "profit_ratio": 0.0123, "profit_abs": 4.5},
        {"pair": ETH, "is_short": True, "profit_ratio": None, "profit_abs": None},
    ]
    assert outlook(trades, NOW, CLOSE) == (
        f"open: {SOL} long +1.23 % (+4.50 USDT); open: {ETH} short +0.00 % (+0.00 USDT) | "
        "next close 06:00 UTC in 1:40"
    )
    assert outlook([], CLOSE + timedelta(seconds=1), CLOSE) == (
        "no open trade | next close 06:00 UTC in 0:00"
    )


def test_the_scores_of_a_close_are_a_table(output: io.StringIO) -> None:
    scores = dict.fromkeys(("confluence_long", "confluence_short", "ta_long", "ta_short"), 61.26)
    row = {"pair": SOL, **scores, "coverage": 0.87, "atr_pct": 0.4, "tier": 1}
    Console(file=output, width=100).print(score_table([row], CLOSE))
    assert "Scanned pairs at the 06:00 UTC close" in output.getvalue()
    for text in (SOL, "61.3", "0.87", "0.40", "MEDIUM"):
        assert text in output.getvalue()
