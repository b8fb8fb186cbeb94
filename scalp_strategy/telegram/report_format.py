"""The daily report (specification 10.4; pure)."""

import math

from scalp_strategy.journal.views import DayView
from scalp_strategy.telegram.alert_format import RULE
from scalp_strategy.telegram.html import Text, bold, escape, italic, message

UNKNOWN = "n/a"


def daily_report(day: DayView) -> Text:
    """Return the report of a UTC day; what is unknown reads "n/a"."""
    blocked = f"vetoed or refused: {day.signals_blocked}"
    return message(
        [
            bold(f"📊 DAILY REPORT — {day.date.isoformat()}"),
            RULE,
            f"Signals Sent: {day.signals_sent} (of {day.total_signals}; {blocked})",
            f"Wins: {day.wins} | Losses: {day.losses}",
            f"Win Rate: {_number(day.win_rate, '.1f', '%')}",
            escape(f"Total P&L: {_number(day.total_pnl_pct, '+.2f', '%')} ({day.total_pnl:+.2f})"),
            f"Best Trade: {_number(day.best_trade_pnl, '+.2f', '%')}",
            f"Worst Trade: {_number(day.worst_trade_pnl, '+.2f', '%')}",
            f"Max Drawdown: {_number(day.max_drawdown_pct, '.2f', '%')}",
            f"Avg R:R Achieved: {_number(day.avg_rr_achieved, '.2f')}",
            f"Breaker Activations: {day.breaker_activations}",
            f"Equity: {_number(day.start_equity, '.2f')} → {_number(day.end_equity, '.2f')}",
            *(italic(sentence) for sentence in _plain_words(day)),
        ]
    )


def _plain_words(day: DayView) -> list[str]:
    """Say what the numbers mean where one would rather not look."""
    if not day.wins + day.losses:
        if day.signals_sent:
            return ["Signals were sent; none has a result yet, and no trade was closed."]
        return ["Nothing was traded: no signal passed the bar and the breakers."]
    if day.total_pnl < 0:
        return ["The day lost money after costs."]
    return []


def _number(value: float | None, form: str, unit: str = "") -> str:
    if value is None or not math.isfinite(value):
        return UNKNOWN
    return f"{value:{form}}{unit}"
