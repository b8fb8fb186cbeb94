"""Alerts as the trader reads them, and that no text of others can lose one."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalp_strategy.journal.outside import StateChange, WhaleMovement
from scalp_strategy.setting_groups.onchain import OnChainSettings
from scalp_strategy.signals import Verdict
from scalp_strategy.telegram.alert_format import (
    admin_pause,
    breaker_alert,
    failure,
    macro_alert,
    macro_relief,
    money,
    overridden,
    recovery,
    resumed,
    veto_line,
    whale_alert,
    whale_summary,
)
from tests.support.messages import HOSTILE, checked, decision

WHALE = WhaleMovement(
    "SOL", "withdrawal", "Binance", "unknown wallet", "solana", "h", 0, 75_000.0, 12_345_678.9
)


def test_a_whale_alert_is_the_specification_s():
    text = checked(whale_alert(WHALE))
    assert text.plain.splitlines() == [
        "🐋 WHALE ALERT — SOL",
        "━━━━━━━━━━━━━━━━━━━",
        "$12.3M (75,000 SOL) withdrawal from an exchange",
        "From: Binance",
        "To: unknown wallet",
        "Potential Impact: bullish: coins leave an exchange, less is for sale",
    ]
    assert text.html.startswith("<b>🐋 WHALE ALERT — SOL</b>\n")


@pytest.mark.parametrize(
    ("token", "direction", "impact"),
    [
        ("BTC", "deposit", "bearish"),
        ("BTC", "withdrawal", "bullish"),
        ("BTC", "between_exchanges", "neutral"),
        ("BTC", "between_wallets", "neutral"),
        ("USDT", "deposit", "bullish"),
        ("USDC", "withdrawal", "bearish"),
        ("USDC", "between_exchanges", "neutral"),
    ],
)
def test_money_that_comes_to_an_exchange_buys_and_coins_are_sold(token, direction, impact):
    whale = replace(WHALE, token=token, direction=direction)
    assert f"Potential Impact: {impact}:" in whale_alert(whale).plain


def test_what_the_layer_takes_for_money_is_told_as_money():
    for token in OnChainSettings().stablecoins:
        text = whale_alert(replace(WHALE, token=token, direction="deposit")).plain
        assert "buying power comes" in text


@pytest.mark.parametrize(
    ("usd", "words"),
    [
        (0.4, "$0"),
        (999.0, "$999"),
        (1_000.0, "$1.0K"),
        (999_949.0, "$999.9K"),
        (999_950.0, "$1.0M"),
        (10_000_000.0, "$10.0M"),
        (999_999_999.0, "$1.0B"),
        (1.5e12, "$1500.0B"),
    ],
)
def test_money_in_a_few_characters(usd, words):
    assert money(usd) == words


def test_what_is_unknown_is_said_to_be():
    text = whale_alert(replace(WHALE, amount=None, amount_usd=None)).plain
    assert "of unknown worth withdrawal" in text
    assert "the state was unknown" in macro_alert(StateChange(None, "EXTREME"), "x").plain
    assert "now unknown" in macro_relief(StateChange("EXTREME", None), "x").plain


def test_the_macro_alert_says_what_why_and_until_when():
    text = macro_alert(StateChange("DANGER", "EXTREME"), "S&P 500 -2.3 % in an hour")
    assert checked(text).plain.splitlines() == [
        "🚨 MACRO DANGER",
        "━━━━━━━━━━━━━━━━━━━",
        "Reason: S&P 500 -2.3 % in an hour",
        "Action: new signals PAUSED (the state was DANGER)",
        "Resume: by itself, when the state is no longer EXTREME",
    ]


def test_a_breaker_s_pause_is_the_specification_s():
    text = checked(breaker_alert("daily drawdown 5.10 %", "Use /resume command"))
    assert text.plain.splitlines() == [
        "🚨 CIRCUIT BREAKER ACTIVATED",
        "━━━━━━━━━━━━━━━━━━━",
        "Reason: daily drawdown 5.10 %",
        "Action: Signals PAUSED",
        "Resume: Use /resume command",
    ]


def test_who_paused_and_who_resumed_is_told():
    assert "⏸ SIGNALS PAUSED BY alice" in admin_pause("alice", "news").plain
    assert "PAUSED BY THE ADMIN" in admin_pause("", "x").plain
    assert checked(resumed("alice", "news")).plain.splitlines() == [
        "✅ SIGNALS RESUMED by alice",
        "━━━━━━━━━━━━━━━━━━━",
        "They were paused: news",
    ]
    assert "RESUMED\n" in resumed("", "x").plain
    text = checked(overridden("alice", "daily drawdown")).plain
    assert "DAILY DRAWDOWN OVERRIDDEN by alice" in text
    assert "counted anew" in text


def test_a_veto_is_one_line():
    text = checked(veto_line(decision().candidate, Verdict("max_positions", True, reason="5/5")))
    assert text.plain == "🛡 max positions: SOL/USDT:USDT long not sent (84/100): 5/5"


def test_failures_say_what_is_lost():
    assert checked(failure("etherscan", "HTTP 503")).plain.splitlines() == [
        "⚠️ SOURCE FAILED — etherscan",
        "━━━━━━━━━━━━━━━━━━━",
        "Reason: HTTP 503",
        "Effect: What only it can tell is unknown until it works again",
    ]
    assert "JOURNAL NOT WRITTEN" in failure("journal", "locked").plain
    assert "SIDECAR SILENT" in failure("sidecar", "").plain
    lines = [recovery(name).plain for name in ("etherscan", "journal", "sidecar")]
    assert all(line.startswith("✅") and line.endswith("again") for line in lines)
    assert len(set(lines)) == 3


def alerts_with(token: str, label: str, words: str):
    """Every alert, with texts of others wherever there can be one."""
    whale = replace(WHALE, token=token, from_label=label, to_label=words)
    change = StateChange(label, words)
    return (
        whale_alert(whale),
        whale_summary([whale] * 10_000),
        macro_alert(change, words),
        macro_relief(change, words),
        breaker_alert(words, label),
        admin_pause(token, words),
        resumed(token, words),
        overridden(token, words),
        failure(token, words),
        recovery(token),
        veto_line(decision(pair=label).candidate, Verdict(token, True, reason=words)),
    )


@given(*[st.text(alphabet=st.characters(exclude_categories=()), max_size=500)] * 3)
def test_no_text_of_others_breaks_an_alert(token, label, words):
    clean = [text.plain.count("\n") for text in alerts_with("a", "b", "c")]
    told = [checked(text) for text in alerts_with(token, label, words)]
    assert [text.plain.count("\n") for text in told] == clean


@pytest.mark.parametrize("text", HOSTILE)
def test_no_hostile_text_breaks_an_alert(text):
    for told in alerts_with(text, text, text):
        checked(told)
