"""A signal's message as its trade goes on: facts only, one block, the same after a restart."""

import math
from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalp_strategy.journal.records import ReplayRecord
from scalp_strategy.signals import Status
from scalp_strategy.telegram.html import Text, to_plain
from scalp_strategy.telegram.signal_format import format_signal_html
from scalp_strategy.telegram.status_format import (
    has_trade,
    price_text,
    with_refusal,
    with_replay,
    with_trade,
    without_status,
)
from scalp_strategy.trade_state import Outcome
from tests.support.messages import CLOSE, HOSTILE, SIGNAL, checked, fill, trade

BASE = format_signal_html(SIGNAL)
TP1 = fill("tp1", 152.02, 4.0, 16)
TP2 = fill("tp2", 153.37, 4.0, 40)
REPLAY = ReplayRecord(
    bot="b",
    pair="SOL/USDT:USDT",
    side="long",
    close_ms=int(CLOSE.timestamp() * 1_000),
    at_ms=0,
    outcome="max_hold",
    gross_r=0.75,
    net_r=0.42,
    pnl_pct=0.38,
    minutes=120,
    resolution="1m",
)


def block(html: str) -> list[str]:
    """The block's lines in plain; the base must stand before it untouched."""
    assert html.startswith(BASE + "\n\n")
    text = checked(Text(html, to_plain(html)))
    return text.plain.removeprefix(to_plain(BASE) + "\n\n").split("\n")


def test_an_ordered_entry():
    assert block(with_trade(BASE, trade(amount=0.0, risk=math.nan))) == [
        "📍 STATUS",
        "└─ Entry: ordered at 150 10:15:04 UTC, not filled yet",
    ]


def test_a_filled_entry_shows_its_stop():
    assert block(with_trade(BASE, trade())) == [
        "📍 STATUS",
        "├─ Entry: 150 filled (ordered 10:15:04 UTC)",
        "└─ Open: 100 % | stop 148.65 (-1.00 R)",
    ]


def test_the_first_target_brings_the_stop_to_break_even():
    assert block(with_trade(BASE, trade(fills=(TP1,), stop=150.0))) == [
        "📍 STATUS",
        "├─ Entry: 150 filled (ordered 10:15:04 UTC)",
        "├─ TP1 ✅ 152.02 (40 %) 10:31:00 UTC",
        "└─ Open: 60 % | stop 150 (break-even)",
    ]


def test_the_second_target_secures_a_gain():
    lines = block(with_trade(BASE, trade(fills=(TP1, TP2), stop=152.02)))
    assert lines[-1] == "└─ Open: 20 % | stop 152.02 (+1.50 R)"


def test_a_short_s_stop_secures_on_the_other_side():
    short = trade(key=replace_side("short"), stop=148.0, fills=(TP1,))
    assert block(with_trade(BASE, short))[-1] == "└─ Open: 60 % | stop 148 (+1.48 R)"


def replace_side(side):
    return trade().key._replace(side=side)


def test_the_end_tells_the_whole_result():
    rest = fill("time_stop", 151.0, 6.0, 120.07)
    over = trade(
        fills=(TP1, rest),
        closed_at=rest.at,
        outcome="max_hold",
        profit=12.3,
        unrealised=0.0,
        risk=29.0,
    )
    assert block(with_trade(BASE, over))[-2:] == [
        "├─ ⏳ Time stop 151 (60 %) 12:15:04 UTC",
        "└─ 🏁 Closed: time stop, +0.42 R net, +12.30 USDT (+0.82 %), 2h 00m",
    ]


def test_an_order_that_was_cancelled():
    over = trade(amount=0.0, risk=math.nan, outcome="expired", closed_at=CLOSE)
    lines = block(with_trade(BASE, over))
    assert lines == ["📍 STATUS", "└─ 🏁 Not filled: the order was cancelled"]


def test_every_outcome_has_words():
    for outcome in get_args(Outcome):
        over = trade(outcome=outcome, closed_at=CLOSE + timedelta(minutes=9))
        assert ", +0.00 R net" in block(with_trade(BASE, over))[-1]


def test_fills_of_one_target_are_told_as_one():
    parts = (fill("tp1", 152.0, 1.0, 16), fill("tp1", 152.04, 3.0, 17))
    assert "├─ TP1 ✅ 152.03 (40 %) 10:32:00 UTC" in block(with_trade(BASE, trade(fills=parts)))


def test_the_text_does_not_change_with_the_price():
    one = with_trade(BASE, trade(price=150.0, unrealised=0.0))
    assert with_trade(BASE, trade(price=151.5, unrealised=15.0)) == one


def test_unknown_numbers_are_told_as_unknown():
    text = with_trade(BASE, trade(stop=math.nan, risk=math.nan))
    assert block(text)[-1] == "└─ Open: 100 % | stop unknown"
    over = trade(risk=math.nan, outcome="sl", closed_at=CLOSE, profit=-3.0)
    assert "unknown R net, -3.00 USDT" in block(with_trade(BASE, over))[-1]
    assert "nan" not in text


def test_a_millisecond_more_or_less_changes_nothing():
    """The journal keeps milliseconds: what it gives back must read the same."""
    over = trade(
        opened_at=CLOSE + timedelta(seconds=4, microseconds=999_999),
        closed_at=CLOSE + timedelta(minutes=60, seconds=4, microseconds=999_400),
        outcome="tp3",
    )
    kept = replace(
        over,
        opened_at=over.opened_at.replace(microsecond=999_000),
        closed_at=over.closed_at.replace(microsecond=999_000),
    )
    assert with_trade(BASE, over) == with_trade(BASE, kept)


STATES = st.builds(
    trade,
    amount=st.sampled_from([0.0, 10.0]),
    stop=st.floats(allow_infinity=False) | st.just(150.0),
    profit=st.floats(-1e6, 1e6),
    risk=st.sampled_from([math.nan, 0.0, 13.5]),
    fills=st.lists(
        st.builds(fill, st.text(max_size=90), st.floats(1e-9, 1e6), st.floats(0, 5), st.just(3.0)),
        max_size=20,
    ).map(tuple),
    outcome=st.sampled_from([None, *get_args(Outcome)]),
)


@given(st.lists(STATES, min_size=1, max_size=4))
def test_one_block_only_and_the_same_for_the_same_state(states):
    html = BASE
    for state in states:
        html = with_trade(html, state)
        assert without_status(html) == BASE
        assert has_trade(html)
        block(html)
    assert html == with_trade(BASE, states[-1])
    assert with_trade(html, states[-1]) == html


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_others_breaks_the_block_or_is_taken_for_it(text):
    html = with_trade(BASE, trade(fills=(fill(text, 152.0, 1.0, 3),)))
    assert len(block(html)) == 4
    refused = with_refusal(BASE, Status.NOT_TAKEN, (text,))
    assert len(block(refused)) == 2
    assert not has_trade(refused)
    assert not has_trade(format_signal_html(replace(SIGNAL, regime=text)))


# ---- without a trade ----


def test_a_signal_that_was_not_taken_says_why():
    html = with_refusal(BASE, Status.NOT_TAKEN, ("price drifted 0.31 R", "x < y"))
    assert block(html) == [
        "📍 WITHOUT A TRADE",
        "└─ Not taken: price drifted 0.31 R; x < y",
    ]
    assert with_refusal(html, Status.NOT_TAKEN, ("price drifted 0.31 R", "x < y")) == html


def test_what_it_would_have_become_stands_beneath():
    refused = with_refusal(BASE, Status.EXPIRED, ("no fill",))
    html = with_replay(refused, REPLAY, is_followed=False)
    assert block(html) == [
        "📍 WITHOUT A TRADE",
        "├─ Expired: no fill",
        "└─ Untaken: would have ended by time stop, +0.42 R net (+0.38 %), 2h 00m (on 1m candles)",
    ]
    assert with_replay(html, REPLAY, is_followed=False) == html


def test_a_service_without_orders_follows():
    ambiguous = replace_record(outcome="sl", net_r=-1.3, is_ambiguous=True, resolution="15m")
    (_, line) = block(with_replay(BASE, ambiguous, is_followed=True))
    assert line.startswith("└─ 🏁 Followed: ended by stop-loss, -1.30 R net")
    assert line.endswith("(on 15m candles; stop and target in one candle: the stop counts)")


def replace_record(**changes) -> ReplayRecord:
    values = {name: getattr(REPLAY, name) for name in REPLAY.__struct_fields__}
    return ReplayRecord(**values | changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"outcome": "expired", "net_r": None}, "the price had moved too far from the entry"),
        ({"outcome": "other", "net_r": None}, "the outcome is unknown"),
        ({"outcome": "of a later version"}, "would have ended by another exit"),
    ],
)
def test_outcomes_without_numbers(changes, words):
    html = with_replay(BASE, replace_record(**changes), is_followed=False)
    assert words in block(html)[-1]


def test_a_trade_replaces_what_was_said_before_it():
    refused = with_refusal(BASE, Status.NOT_TAKEN, ("no free slot",))
    assert with_trade(refused, trade()) == with_trade(BASE, trade())


@pytest.mark.parametrize(
    ("price", "words"),
    [
        (0.00001235, "0.00001235"),
        (97_000.3, "97000.3"),
        (123_456_789.0, "123456790"),
        (150.0, "150"),
        (math.inf, "unknown"),
    ],
)
def test_prices_are_never_scientific(price, words):
    assert price_text(price) == words
