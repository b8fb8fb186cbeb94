from dataclasses import replace

import pytest

from scalp_strategy.telegram.report_format import daily_report
from tests.support.messages import DayOfJournal, checked


def test_the_report_of_a_day():
    assert checked(daily_report(DayOfJournal())).plain.splitlines() == [
        "📊 DAILY REPORT — 2026-03-02",
        "━━━━━━━━━━━━━━━━━━━",
        "Signals Sent: 9 (of 14; vetoed or refused: 3)",
        "Wins: 4 | Losses: 3",
        "Win Rate: 57.1%",
        "Total P&L: +1.23% (+123.46)",
        "Best Trade: +2.10%",
        "Worst Trade: -0.90%",
        "Max Drawdown: 0.80%",
        "Avg R:R Achieved: 1.31",
        "Breaker Activations: 5",
        "Equity: 10000.00 → 10123.46",
    ]


def test_what_is_unknown_is_not_a_number():
    names = (
        "win_rate",
        "total_pnl_pct",
        "max_drawdown_pct",
        "avg_rr_achieved",
        "best_trade_pnl",
        "worst_trade_pnl",
        "start_equity",
        "end_equity",
    )
    text = daily_report(replace(DayOfJournal(), **dict.fromkeys(names))).plain
    assert text.count("n/a") == len(names)
    nan = daily_report(replace(DayOfJournal(), win_rate=float("nan"))).plain
    assert "Win Rate: n/a" in nan


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"total_pnl": -1.0}, "The day lost money after costs."),
        ({"wins": 0, "losses": 0}, "none has a result yet"),
        ({"wins": 0, "losses": 0, "signals_sent": 0}, "Nothing was traded"),
    ],
)
def test_the_report_says_plainly_what_went_wrong(changes, sentence):
    text = checked(daily_report(replace(DayOfJournal(), **changes)))
    assert sentence in text.plain.splitlines()[-1]
