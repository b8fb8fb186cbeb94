"""A real backtest leaves a journal that agrees with the host's own result."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from freqtrade.data.btanalysis import load_backtest_stats

from scalp_strategy.validation.results import newest_result
from tests.support.freqtrade import timerange

JUDGED = {"approved", "vetoed", "rejected", "not_taken", "taken", "expired"}


def rows(file: Path, query: str) -> list[dict[str, Any]]:
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute(query)]


@pytest.fixture(scope="module")
def journalled(workspaces) -> tuple[list[dict[str, Any]], Path]:
    """Run the command as a user does: the journal is written when the program ends."""
    space = workspaces("futures")
    span = timerange(space.start, space.end)
    done = space.run("backtesting", "--timerange", span, "--timeframe-detail", "1m")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    stats = load_backtest_stats(newest_result(space.folder))
    (file,) = (space.folder / "scalp").glob("journal-*-backtest-futures.sqlite")
    return stats["strategy"]["ScalpStrategy"]["trades"], file


def test_every_trade_is_a_position_with_its_signal_and_its_result(journalled):
    trades, file = journalled
    kept = rows(file, "SELECT * FROM positions ORDER BY opened_at, pair")
    assert len(kept) == len(trades) >= 5
    assert all(row["signal_id"] is not None for row in kept)
    assert all(row["status"] == "closed" for row in kept)
    profits = sorted(trade["profit_abs"] for trade in trades)
    assert sorted(row["profit"] for row in kept) == pytest.approx(profits, abs=1e-6)
    assert {"sl", "max_hold", "break_even", "trailing_stop", "tp3"} & {r["outcome"] for r in kept}


def test_every_signal_has_its_scores_verdicts_and_outcome(journalled):
    trades, file = journalled
    signals = rows(file, "SELECT * FROM signals")
    assert {row["status"] for row in signals} <= JUDGED
    taken = [row for row in signals if row["status"] == "taken"]
    assert len(taken) == len(trades)
    assert all(row["outcome_source"] == "trade" for row in taken)
    assert all(row["ta_score"] is not None for row in signals)
    assert all(row["verdicts"].count('"breaker"') == 9 for row in signals)
    planned = [row for row in signals if row["plan"] != "null" and row["plan"] is not None]
    resolved = [row for row in planned if row["replay_outcome"] is not None]
    # Only those of the last two hours cannot be known yet.
    assert len(resolved) >= 0.9 * len(planned) > 0
    untaken = [row for row in resolved if row["status"] in {"vetoed", "rejected", "not_taken"}]
    assert untaken
    assert all(row["outcome_source"] == "replay" for row in untaken)


def test_what_breakers_did_is_kept(journalled):
    _, file = journalled
    events = rows(file, "SELECT breaker_type, action_taken FROM breaker_events")
    assert {row["action_taken"] for row in events} <= {
        "blocked",
        "size_reduced",
        "threshold_raised",
    }
    assert events
