"""What the demo prints of the running bot: its messages, scores and open trades."""

import re
from datetime import datetime, timedelta
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from scalp_strategy.contract import TIER_NAMES
from scalp_strategy.demo.bot import Bot

_CANDLE: Final = timedelta(minutes=15)
_ORDER_WORDS: Final = {
    "entry": "entry ordered",
    "entry_fill": "entry filled",
    "entry_cancel": "entry cancelled",
    "exit": "exit ordered",
    "exit_fill": "exit filled",
    "exit_cancel": "exit cancelled",
}
_SIGNAL: Final = re.compile(r"^(?:🟢 LONG|🔴 SHORT) — (\S+)")


class Viewer:
    """Prints the bot's messages and remembers which signals became trades."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.signalled: list[str] = []
        self.opened: set[str] = set()

    def show(self, message: dict[str, Any], now: datetime) -> None:
        """Print one message of the stream."""
        kind = str(message.get("type"))
        if kind == "strategy_msg":
            text = str(message.get("msg", ""))
            named = _SIGNAL.match(text)
            if named and named[1] not in self.signalled:
                self.signalled.append(named[1])
            self._console.print(f"\n{text}\n", markup=False, highlight=False)
        elif kind in _ORDER_WORDS:
            self._console.print(_order_line(kind, message, now), markup=False, highlight=False)
            if kind == "entry_fill":
                self.opened.add(str(message.get("pair")))

    def catch_up(self, trades: list[dict[str, Any]]) -> None:
        """Count trades that were opened before the stream was there."""
        self.opened |= {str(trade["pair"]) for trade in trades if trade.get("amount")}


def scores_at(bot: Bot, opened: datetime) -> list[dict[str, Any]]:
    """Return the last analysed row of every pair, best first; nothing while one is older."""
    rows = []
    for pair in bot.pairs():
        row = bot.last_row(pair)
        if not row or datetime.fromisoformat(str(row["date"])) < opened:
            return []
        rows.append({**row, "pair": pair})
    return sorted(rows, key=lambda row: -float(row["confluence"]))


def score_table(rows: list[dict[str, Any]], close: datetime) -> Table:
    """Return the scanned pairs with their scores, one row each."""
    table = Table(title=f"Scanned pairs at the {close:%H:%M} UTC close", title_justify="left")
    for name in ("pair", "long", "short", "TA long", "TA short", "coverage", "ATR %", "tier"):
        table.add_column(name, justify="left" if name == "pair" else "right")
    for row in rows:
        values = (row["confluence_long"], row["confluence_short"], row["ta_long"], row["ta_short"])
        table.add_row(
            row["pair"],
            *(f"{float(value):.1f}" for value in values),
            f"{float(row['coverage']):.2f}",
            f"{float(row['atr_pct']):.2f}",
            TIER_NAMES[int(row["tier"])],
        )
    return table


def outlook(trades: list[dict[str, Any]], now: datetime, close: datetime) -> str:
    """Return the open trades with their profit, and how long it is until the next close."""
    left = max(0, round((close - now).total_seconds()))
    told = [_trade_words(trade) for trade in trades] or ["no open trade"]
    return f"{'; '.join(told)} | next close {close:%H:%M} UTC in {left // 60}:{left % 60:02d}"


def _trade_words(trade: dict[str, Any]) -> str:
    side = "short" if trade.get("is_short") else "long"
    ratio, profit = trade.get("profit_ratio") or 0.0, trade.get("profit_abs") or 0.0
    return f"open: {trade['pair']} {side} {100 * ratio:+.2f} % ({profit:+.2f} USDT)"


def _order_line(kind: str, message: dict[str, Any], now: datetime) -> str:
    is_entry = kind.startswith("entry")
    rate = message.get("open_rate") if is_entry else message.get("close_rate")
    reason = message.get("enter_tag") if is_entry else message.get("exit_reason")
    words = (
        f"{now:%H:%M:%S}",
        _ORDER_WORDS[kind],
        message.get("pair"),
        str(message.get("direction", "")).lower(),
        f"{message.get('amount')} at {rate or message.get('order_rate')}",
        reason,
    )
    return " | ".join(str(word) for word in words if word)
