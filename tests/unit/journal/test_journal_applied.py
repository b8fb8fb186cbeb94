"""Records as rows: whatever is applied again, in whatever order, they say the same."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import msgspec
import pytest

from scalp_strategy.journal.conclusion import conclusion
from scalp_strategy.journal.instants import epoch_ms, moment
from scalp_strategy.journal.models import Base
from scalp_strategy.journal.records import Record, from_line, to_line
from scalp_strategy.journal.store import RowRefused
from scalp_strategy.signals import Status
from tests.unit.journal.happenings import AT, AT_MS, MINUTE_MS
from tests.unit.journal.kept import (
    BOT,
    LAYERS,
    STORY,
    breaker,
    cancelled,
    closed,
    day,
    kept,
    message,
    only,
    position,
    put,
    replay,
    signal,
    word,
)

TABLES = ("signals", "positions", "breaker_events", "messages", "daily_performance")


def of(bot: str, record: Record) -> Record:
    return msgspec.structs.replace(record, bot=bot)


def told(journal, bot: str = BOT) -> dict[str, Any]:
    """All that is kept of a bot, without what only tells rows apart."""
    apart = {"id", "bot", "signal_id"}
    return {
        table: [
            {name: value for name, value in row.items() if name not in apart}
            for row in kept(journal, table, bot)
        ]
        for table in TABLES
    }


# ----------------------------------------------------------------------------- again and again


def test_a_story_that_is_cut_anywhere_and_told_again_ends_the_same(journal):
    """A kill after any record: what was applied comes again, and all behind it."""
    put(journal, *STORY)
    expected = told(journal)
    assert [len(expected[table]) for table in TABLES] == [1, 1, 1, 1, 1]
    for cut in range(len(STORY) + 1):
        again = [of(f"cut-{cut}", record) for record in (*STORY[:cut], *STORY[:cut], *STORY)]
        put(journal, *again)
        assert told(journal, f"cut-{cut}") == expected


def test_a_story_that_is_told_again_record_by_record_changes_nothing(journal):
    put(journal, *STORY)
    expected = told(journal)
    for record in STORY:
        put(journal, record)
        put(journal, *STORY[STORY.index(record) :])
        assert told(journal) == expected


def test_lines_of_the_spool_say_what_the_records_say(journal):
    put(journal, *STORY)
    put(journal, *(of("lines", from_line(to_line(record))) for record in STORY))
    assert told(journal, "lines") == told(journal)


def test_no_order_of_what_follows_a_signal_leaves_it_wrong(journal):
    later = [word("taken", after_ms=2_000), replay("sl"), position("open", 5_000), closed()]
    ends = set()
    for number, order in enumerate(permutations(later)):
        bot = f"order-{number}"
        put(journal, *(of(bot, record) for record in (signal(), *order)))
        row = only(journal, "signals", bot)
        ends.add(
            tuple(
                row[name]
                for name in ("status", "outcome", "outcome_source", "actual_rr", "replay_outcome")
            )
        )
        assert only(journal, "positions", bot)["status"] == "closed"
    assert ends == {("taken", "tp2", "trade", 0.8, "sl")}


# ------------------------------------------------------------------------------------ judgements


def test_the_first_judgement_of_a_candle_stands(journal):
    put(journal, signal(status="vetoed", reasons=("first",)))
    for status in ("discarded", "rejected", "approved"):
        put(journal, signal(status=status, score=99, reasons=("second",), at_ms=AT_MS + 1))
    row = only(journal, "signals")
    assert (row["status"], row["block_reason"], row["confluence_score"]) == ("vetoed", "first", 82)


def test_a_signal_is_kept_with_all_that_is_known_of_it(journal):
    put(journal, signal(reasons=("a", "b"), targets=(65_500.0,), coverage=0.8, limited_by="heat"))
    row = only(journal, "signals")
    assert (row["tp1"], row["tp2"], row["tp3"]) == (65_500.0, None, None)
    assert (row["block_reason"], row["limited_by"], row["coverage"]) == ("a; b", "heat", 0.8)
    assert row["risk_quote"] == 15.0
    with journal.reading() as session:
        found = session.connection().exec_driver_sql("SELECT layers FROM signals").scalar_one()
    layers = found if isinstance(found, dict) else msgspec.json.decode(found)
    assert layers == LAYERS


@pytest.mark.parametrize(
    ("side", "said", "score"),
    [
        ("long", {"long": 81.5, "short": 20.0}, 82),
        ("short", {"long": 81.5, "short": 20.49}, 20),
        ("long", {"long": 62.499999999999, "short": 1.0}, 63),  # noise of sums, as the score's own
        ("long", {"long": 0.0}, 0),
        ("long", {"long": None}, None),
        ("long", {}, None),
        ("long", "no layer", None),
    ],
)
def test_the_sides_score_of_a_layer_is_rounded_half_up(journal, side, said, score):
    put(journal, signal(side=side, layers={"technical": said}))
    row = only(journal, "signals")
    assert (row["ta_score"], row["orderflow_score"], row["backtest_score"]) == (score, None, None)


def test_each_layer_has_its_column(journal):
    names = ("technical", "orderflow", "onchain", "sentiment", "base_rate")
    layers = {name: {"long": 10.0 * number} for number, name in enumerate(names, 1)}
    put(journal, signal(layers=layers))
    row = only(journal, "signals")
    columns = ("ta_score", "orderflow_score", "onchain_score", "sentiment_score", "backtest_score")
    assert [row[column] for column in columns] == [10, 20, 30, 40, 50]


# ----------------------------------------------------------------------------------- later words


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        ([("not_taken", "slot", 1)], "not_taken", "slot"),
        ([("not_taken", "slot", 1), ("not_taken", "lock", 2)], "not_taken", "lock"),
        ([("not_taken", "slot", 1), ("taken", "", 2)], "taken", ""),
        ([("taken", "", 1), ("expired", "unfilled", 2)], "expired", "unfilled"),
        ([("not_taken", "slot", 1), ("not_taken", "lock", 2), ("taken", "", 3)], "taken", ""),
    ],
)
def test_a_later_word_stands_in_whatever_order_they_come(journal, words, status, reason):
    for number, order in enumerate(permutations(words)):
        bot = f"words-{number}"
        put(journal, of(bot, signal(status="approved", reasons=("sent",))))
        for said, why, second in order:
            put(journal, of(bot, word(said, why, after_ms=1_000 * second)))
        row = only(journal, "signals", bot)
        assert (row["status"], row["block_reason"]) == (status, reason)


def test_a_word_that_is_a_judgement_changes_nothing(journal):
    put(journal, signal(status="vetoed"), word("approved", after_ms=1), word("rejected"))
    assert only(journal, "signals")["status"] == "vetoed"


@pytest.mark.parametrize("record", [word("taken"), replay()])
def test_what_is_said_of_an_unknown_signal_makes_no_row(journal, record):
    with pytest.raises(LookupError):
        put(journal, breaker(), record)
    assert kept(journal, "signals") == kept(journal, "breaker_events") == []


# -------------------------------------------------------------------------------------- outcomes


@pytest.mark.parametrize("status", ["discarded", "vetoed", "approved", "not_taken"])
def test_a_signal_that_nobody_traded_has_the_outcome_of_its_replay(journal, status):
    first = "approved" if status == "not_taken" else status
    put(journal, signal(status=first), word(status), replay("tp3"), replay("sl", net_r=-1.0))
    row = only(journal, "signals")
    assert (row["outcome"], row["outcome_source"], row["actual_rr"]) == ("tp3", "replay", 2.0)
    assert (row["replay_outcome"], row["replay_net_r"]) == ("tp3", 2.0)  # the first stands
    assert (row["actual_pnl_pct"], row["hold_duration_minutes"]) == (1.5, 75)
    with journal.reading() as session:
        closed_at = session.execute(Base.metadata.tables["signals"].select()).one().closed_at
    assert closed_at == AT + timedelta(minutes=75)


def test_a_taken_signal_waits_for_its_trade(journal):
    put(journal, signal(), word("taken"), replay("tp3"))
    row = only(journal, "signals")
    assert (row["outcome"], row["closed_at"], row["replay_outcome"]) == (None, None, "tp3")
    put(journal, closed("break_even", net_r=0.1))
    row = only(journal, "signals")
    assert (row["outcome"], row["outcome_source"], row["actual_rr"]) == ("break_even", "trade", 0.1)
    assert row["replay_net_r"] == 2.0


def test_a_trade_that_is_open_is_taken_and_has_no_outcome(journal):
    """Even where a replay was kept before, and the word was lost."""
    put(journal, signal(), replay("sl"), position("open", 5_000))
    row = only(journal, "signals")
    assert (row["status"], row["outcome"], row["actual_rr"]) == ("taken", None, None)
    assert row["hold_duration_minutes"] is None


def test_an_entry_that_was_cancelled_expires_the_signal(journal):
    put(journal, signal(), word("taken"), position("pending", 3_000), cancelled(), replay("tp3"))
    row = only(journal, "signals")
    assert (row["status"], row["outcome"], row["outcome_source"]) == ("expired", "expired", "trade")
    assert (row["actual_rr"], row["replay_outcome"]) == (None, "tp3")


def test_a_second_entry_on_the_same_signal_counts(journal):
    """The host enters again when the first order was cancelled while the signal was valid."""
    second = {"trade_id": 8, "opened_ms": AT_MS + 5 * MINUTE_MS}
    put(journal, signal(), word("taken"), cancelled(), word("expired", "unfilled", after_ms=9))
    put(journal, position("open", 6 * MINUTE_MS, **second))
    assert (only(journal, "signals")["status"], only(journal, "signals")["outcome"]) == (
        "taken",
        None,
    )
    put(journal, closed("tp3", **second), cancelled())
    row = only(journal, "signals")
    assert (row["status"], row["outcome"], row["hold_duration_minutes"]) == ("taken", "tp3", 25)


@dataclass
class Held:
    status: str
    outcome: str | None = None
    opened_at: datetime = AT
    closed_at: datetime | None = None
    profit_pct: float | None = None
    net_r: float | None = None


@pytest.mark.parametrize("status", list(Status))
def test_what_follows_from_what_has_followed_is_the_same(status):
    """A conclusion drawn again from its own status."""
    trades = [
        [],
        [Held("pending")],
        [Held("open")],
        [Held("closed", "sl", AT, AT)],
        [Held("cancelled", "expired", AT, AT)],
        [Held("cancelled", "expired", AT, AT), Held("open", None, AT + timedelta(1))],
    ]
    for held in trades:
        for outcome in (None, "tp2"):
            one = {"status": status.value, "close_time": AT, "replay_outcome": outcome}
            one |= {"replay_pnl_pct": 1.0, "replay_net_r": 2.0, "replay_minutes": 5}
            first = conclusion(one, held)
            assert conclusion(one | first, held) == first


# ---------------------------------------------------------------------------------------- trades


def test_an_older_picture_of_a_trade_changes_nothing(journal):
    put(journal, position("open", 60_000, price=65_500.0, stop=65_010.0))
    put(journal, position("open", 5_000, price=65_000.0))
    row = only(journal, "positions")
    assert (row["current_price"], row["stop_loss"]) == (65_500.0, 65_010.0)


def test_a_trade_that_ended_is_not_reopened(journal):
    put(journal, signal(), closed("sl", 60_000), position("open", 120_000))
    assert only(journal, "positions")["outcome"] == "sl"
    assert only(journal, "signals")["outcome"] == "sl"


def test_a_clock_that_was_set_back_keeps_no_trade_open(journal):
    put(journal, signal(), position("open", 10 * MINUTE_MS), closed("tp3", 5 * MINUTE_MS))
    assert only(journal, "positions")["status"] == "closed"
    assert only(journal, "signals")["outcome"] == "tp3"


def test_a_trade_that_was_opened_by_hand_has_no_signal(journal):
    put(journal, position("open", 5_000), closed())
    row = only(journal, "positions")
    assert (row["signal_id"], row["outcome"], row["profit"]) == (None, "tp2", 12.0)


def test_a_trade_finds_its_signal_later_and_keeps_it(journal):
    put(journal, position("open", 5_000))
    put(journal, signal())
    put(journal, position("open", 65_000))
    assert only(journal, "positions")["signal_id"] == only(journal, "signals")["id"]
    with journal.transaction() as session:
        session.connection().exec_driver_sql("UPDATE signals SET pair = 'X'")
    put(journal, position("open", 125_000))
    assert only(journal, "positions")["signal_id"] == only(journal, "signals")["id"]


def test_a_number_that_the_host_gives_again_is_another_trade(journal):
    put(journal, closed(), position("open", opened_ms=AT_MS + 90_000))
    assert [row["status"] for row in kept(journal, "positions")] == ["closed", "open"]


# ------------------------------------------------------------------- messages, breakers and days


def test_the_latest_revision_of_a_message_counts_and_it_stays_as_old_as_it_is(journal):
    sent = message(3, status="sent", message_ids=(1, 2), attempts=2, at_ms=AT_MS + 9)
    for order in permutations([message(0), message(1, attempts=1), sent]):
        put(journal, *order)
    row = only(journal, "messages")
    assert (row["revision"], row["status"], row["attempts"]) == (3, "sent", 2)
    put(journal, message(4, at_ms=AT_MS + 10_000_000, status="sent"))
    with journal.reading() as session:
        assert session.execute(Base.metadata.tables["messages"].select()).one().created_at == AT


def test_channels_keep_their_own_message_of_a_key(journal):
    put(journal, message(), message(channel="signals"))
    assert len(kept(journal, "messages")) == 2


def test_what_a_breaker_does_for_two_pairs_at_once_is_two_things(journal):
    put(journal, breaker(pair="A"), breaker(pair="B"), breaker(pair="A"), breaker(1, pair="A"))
    assert [row["pair"] for row in kept(journal, "breaker_events")] == ["A", "B", "A"]


def test_a_day_has_the_newest_equity_and_the_worst_drawdown(journal):
    days = [
        day(0, max_drawdown_pct=3.0),
        day(60_000, end_equity=990.0, max_drawdown_pct=1.0),
        day(30_000, end_equity=5.0, max_drawdown_pct=2.0),
    ]
    for number, order in enumerate(permutations(days)):
        put(journal, *(of(f"day-{number}", record) for record in order))
        row = only(journal, "daily_performance", f"day-{number}")
        assert (row["end_equity"], row["max_drawdown_pct"]) == (990.0, 3.0)


# ---------------------------------------------------------------------------- what others wrote


@pytest.mark.parametrize("hostile", ["a\0b", "x" * 5_000, "'; DROP TABLE x; --", "🐋\n_*<b>"])
def test_a_text_of_others_can_neither_be_refused_nor_do_harm(journal, hostile):
    layers = {"technical": {"long": 1.0, "reasons": [hostile]}, hostile: {}}
    texts = dict.fromkeys(
        ("setup", "market_regime", "macro_status", "limited_by", "settings_hash"), hostile
    )
    put(
        journal,
        signal(layers=layers, reasons=(hostile,), plan={hostile: hostile}, **texts),
        word("not_taken", hostile),
        position("open", 5, fills=({"tag": hostile},)),
        breaker(reason=hostile),
        message(html=hostile, shown=hostile, problem=hostile),
    )
    assert len(only(journal, "signals")["setup"]) <= 64
    assert "\0" not in only(journal, "messages")["html"]


@pytest.mark.parametrize(
    "record",
    [
        signal(pair="P" * 65),
        signal(bot="\0"),
        signal(status="splendid"),
        signal(at_ms=10**18),
        position("halfway"),
        position("open", trade_id=2**70),
        breaker(action="b" * 21),
        message(key="k" * 161),
        day(day="yesterday"),
    ],
    ids=str,
)
def test_a_name_or_an_instant_that_cannot_be_is_refused(journal, record):
    """A name that is cut could become another's."""
    with pytest.raises((ValueError, OverflowError, RowRefused)):
        put(journal, breaker(), record)
    assert kept(journal, "breaker_events") == []


def test_a_number_that_is_none_becomes_unknown(journal):
    nan = float("nan")
    put(
        journal,
        signal(coverage=nan, rr_ratio=math.inf, layers={"technical": {"long": nan, "x": [nan]}}),
        position("open", stop=nan, fills=({"price": nan},)),
        replay(net_r=nan, pnl_pct=-math.inf),
    )
    row = only(journal, "signals")
    assert row["coverage"] is row["rr_ratio"] is row["ta_score"] is row["replay_net_r"] is None
    with journal.reading() as session:
        asked = session.connection().exec_driver_sql("SELECT CAST(layers AS TEXT) FROM signals")
        assert msgspec.json.decode(asked.scalar_one())["technical"] == {"long": None, "x": [None]}


def test_bots_do_not_see_each_other(journal):
    put(journal, *STORY, *(of("other", record) for record in STORY))
    put(journal, of("other", word("expired", after_ms=99_000)), of("other", message(9)))
    assert told(journal)["messages"][0]["revision"] == 2
    assert [len(kept(journal, table, "other")) for table in TABLES] == [1, 1, 1, 1, 1]


def test_instants_are_exact():
    at_ms = 1_772_445_600_123
    assert epoch_ms(moment(at_ms)) == at_ms
    assert moment(at_ms).tzinfo is UTC
