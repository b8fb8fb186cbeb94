"""The signal message in its two forms: nothing differs, nothing of others breaks it."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalp_strategy.contract import TIER_MEDIUM
from scalp_strategy.signals import Status
from scalp_strategy.telegram.html import to_plain
from scalp_strategy.telegram.signal_format import (
    LayerText,
    PastText,
    SignalNotes,
    format_signal,
    format_signal_html,
    signal_message,
)
from scalp_strategy.telegram.status_format import with_refusal, with_trade
from tests.support.messages import HOSTILE, LIMIT, SIGNAL, checked, fill, trade, utf16

BOLD = ["🟢 LONG — SOL/USDT:USDT 🔥", "💰 TRADE SETUP", "📡 DATA BREAKDOWN"]


def told_by(text: str, **changes):
    """The signal with one text of others wherever there can be one."""
    said = LayerText(60.0, (text, text, text))
    layers = dict.fromkeys(("technical", "orderflow", "onchain", "sentiment", "base_rate"), said)
    values = {
        "pair": text or "X/USDT",
        "regime": text,
        "past": PastText(10.0, 0.1, text),
        "notes": SignalNotes(text, text, text, text, is_tier_capped=True),
        "has_cornix": True,
    }
    return replace(SIGNAL, **layers | values | changes)


def test_headline_and_sections_are_bold_and_nothing_else():
    bold = [line for line in format_signal_html(SIGNAL).split("\n") if "<b>" in line]
    assert bold == [f"<b>{line}</b>" for line in BOLD]
    assert "9 &gt; 21 &gt; 50" in format_signal_html(SIGNAL)
    assert "fear &amp; greed" in format_signal_html(SIGNAL)


def test_the_two_forms_say_the_same():
    text = checked(signal_message(SIGNAL))
    assert (text.html, text.plain) == (format_signal_html(SIGNAL), format_signal(SIGNAL))


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_others_breaks_it(text):
    clean = format_signal(told_by("fine"))
    told = checked(signal_message(told_by(text)))
    assert told.plain.count("\n") == clean.count("\n")


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=400))
def test_no_text_at_all_breaks_it(text):
    told = checked(signal_message(told_by(text)))
    assert told.plain.count("\n") == format_signal(told_by("fine")).count("\n")


def test_with_its_status_it_is_one_message_whatever_others_wrote():
    """An edit can't add a message: what is split once stays as many parts."""
    html = format_signal_html(told_by("🐋" * 10_000))
    assert utf16(to_plain(html)) <= 3_300
    fills = tuple(fill(f"tp{n}" + "🐋" * 90, 151.0, 0.1, n) for n in range(30))
    assert utf16(to_plain(with_trade(html, trade(fills=fills)))) <= LIMIT
    refused = with_refusal(html, Status.NOT_TAKEN, ("🐋" * 10_000,))
    assert utf16(to_plain(refused)) <= LIMIT


def test_footnotes_are_at_the_end():
    notes = SignalNotes("ema_bounce", "heat", "measured", "ab12", is_tier_capped=True)
    *_, setup, capped, settings = format_signal(
        replace(SIGNAL, tier=TIER_MEDIUM, notes=notes)
    ).splitlines()
    assert setup == "📎 Setup: ema_bounce | Size limited by: heat"
    assert capped == (
        "📎 The score is HIGH, the signal is MEDIUM: only 78% of the evidence is known"
    )
    assert settings == "📎 Settings: measured ab12"
    assert "📎" not in format_signal(replace(SIGNAL, notes=None))


def test_unknown_coverage_is_told_as_unknown_in_the_footnote_too():
    notes = replace(SIGNAL.notes, is_tier_capped=True)
    text = format_signal(replace(SIGNAL, coverage=math.nan, notes=notes))
    assert "only no data of the evidence" in text


def test_cornix_gets_its_lines_only_when_asked_for():
    text = format_signal(replace(SIGNAL, has_cornix=True))
    assert text.split("\n\n")[-1].splitlines() == [
        "#SOL/USDT LONG",
        "Leverage: 5x",
        "Entry: 150.00",
        "Take-Profit Targets:",
        "1) 152.02",
        "2) 153.37",
        "3) 155.40",
        "Stop Targets:",
        "1) 148.65",
    ]
    assert "Take-Profit" not in format_signal(SIGNAL)
